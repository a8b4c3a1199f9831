"""A Valkey server of our own, for `runtally up` and for the tests. Nothing else is exported."""

from embedded.errors import DirectoryInUse, ServerFailed, ServerMissing
from embedded.ports import free_port
from embedded.server import EmbeddedValkey
from embedded.tether import tethered

__all__ = ["DirectoryInUse", "EmbeddedValkey", "ServerFailed", "ServerMissing", "free_port", "tethered"]
