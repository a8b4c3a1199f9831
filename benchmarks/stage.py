"""The server that a measurement has to itself, and the settings that lead to it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.children import Children
from contract.link import Link
from contract.settings import Settings, load_settings
from embedded import EmbeddedValkey


@dataclass(frozen=True)
class Stage:
    """A fresh server, children that know its URL, and a link to it."""

    url: str
    pid: int
    children: Children
    link: Link

    def settings(self, **overrides: Any) -> Settings:
        """Default settings for this server."""
        return load_settings(**({"_env_file": None, "redis_url": self.url} | overrides))

    def empty(self) -> None:
        """Drop all keys."""
        self.link.call("FLUSHALL", "SYNC")

    def settle(self) -> None:
        """Wait until the server has rewritten its append-only file, if it is at it: filling a log starts that."""
        while b"aof_rewrite_in_progress:1" in self.link.call("INFO", "persistence"):
            time.sleep(0.02)


@contextmanager
def stage(**environment: str) -> Iterator[Stage]:
    """A Valkey of our own with its append-only file fsynced each second, in a temporary directory, and children for it."""
    with EmbeddedValkey() as server, Children({"RUNTALLY_REDIS_URL": server.url, **environment}) as children:
        link = Link(server.url, name="runtally-bench", timeout_s=60.0)
        link.open()
        try:
            yield Stage(server.url, server.pid, children, link)
        finally:
            link.close()
