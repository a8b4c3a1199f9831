"""A real server for the tests. No test reads the developer's environment or `.env`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from contract.link import Link
from contract.settings import Settings, load_settings
from embedded import EmbeddedValkey

# How long an example takes tells how busy the machine is.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

SettingsMaker = Callable[..., Settings]


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("RUNTALLY_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def valkey() -> Iterator[EmbeddedValkey]:
    """One server for the whole session (one for each xdist worker), in memory only. Never kill it: see `durable_valkey`."""
    with EmbeddedValkey(aof=False) as server:
        yield server


@pytest.fixture
def durable_valkey() -> Iterator[EmbeddedValkey]:
    """A server for one test alone, with an append-only file: for `kill()` and `restart()`."""
    with EmbeddedValkey() as server:
        yield server


@pytest.fixture
def redis_url(valkey: EmbeddedValkey) -> str:
    """The session's server, emptied."""
    link = Link(valkey.url, name="test")
    link.open()
    try:
        link.call("FLUSHALL", "SYNC")
    finally:
        link.close()
    return valkey.url


@pytest.fixture
def make_settings(tmp_path: Path) -> SettingsMaker:
    """`make_settings(redis_url=…, …)`: settings with defaults for all else, the spool in the test's own directory."""

    def make(**overrides: object) -> Settings:
        return load_settings(**({"_env_file": None, "spool_dir": tmp_path / "spool"} | overrides))

    return make


@pytest.fixture
def settings(make_settings: SettingsMaker, redis_url: str) -> Settings:
    """Settings for the session's server, emptied."""
    return make_settings(redis_url=redis_url)
