"""The spool at its bound and the disk full: counted, survived, drained."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from contract.settings import Settings
from embedded import EmbeddedValkey
from producers.publisher import Publisher

from .emitting import (
    NOWHERE,
    emit,
    eventually,
    folded,
    retarget,
    spooled_folders,
)


def test_a_full_spool_is_counted_and_durable_says_so(make_settings: Any, settings: Settings) -> None:
    publisher = Publisher(make_settings(redis_url=NOWHERE, spool_bytes=400_000, buffer_events=1_000, drain_timeout_s=0))
    accepted = 0
    while not publisher.counters.get("dropped_spool_full"):
        accepted += emit(publisher, 1, id=None)
        eventually(lambda: not publisher.buffer.crowded or publisher.life.outbox.refusal)
    assert not emit(publisher, 1, durable=True)
    lost = publisher.close()
    assert publisher.left + lost == accepted
    retarget(settings)
    other = Publisher(settings)
    emit(other, 0)
    eventually(lambda: other.counters.get("adopted") == publisher.left)
    assert folded(settings) == publisher.left
    other.close()


def test_durable_with_a_full_disk_still_travels(settings: Settings, make_settings: Any) -> None:
    settings.spool_dir.mkdir(parents=True)
    (settings.spool_dir / "ballast").write_bytes(bytes(65_536))
    publisher = Publisher(make_settings(redis_url=settings.redis_url.get_secret_value(), spool_bytes=65_536, durable=True))
    assert not emit(publisher, 1)
    assert publisher.counters["not_durable"] == 1
    assert publisher.flush() == 0
    (settings.spool_dir / "ballast").unlink()
    eventually(lambda: emit(publisher, 0))
    assert publisher.flush() == 0
    assert folded(settings) == 1
    publisher.close()


def test_a_full_disk_is_survived_and_drained(
    settings: Settings, make_settings: Any, tmp_path: Path, durable_valkey: EmbeddedValkey
) -> None:
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)]
    mounted = subprocess.run(mount, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"NOT TESTED: a full disk. Mounting a small tmpfs needs root: {mounted.stderr.decode().strip()}")
    try:
        own = make_settings(redis_url=durable_valkey.url, spool_dir=place, buffer_events=1_000)
        publisher = Publisher(own)
        emit(publisher, 1)
        assert publisher.flush(20) == 0
        accepted = folded(own)
        durable_valkey.kill()
        while not publisher.counters.get("dropped_spool_full"):
            accepted += emit(publisher, 1)
            eventually(lambda: not publisher.buffer.crowded or publisher.life.outbox.refusal)
        assert not emit(publisher, 1, durable=True)
        assert publisher.counters["spooled"] > 100
        durable_valkey.restart()
        assert publisher.flush(60) == 0
        assert emit(publisher, 1, durable=True)
        assert publisher.close(20) == 0
        assert spooled_folders(own) == []
        assert folded(own) == accepted + 1
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)  # noqa: S607
