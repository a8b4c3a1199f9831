"""Durable events: what `emit` has answered with True counts once, however the process ends."""

from __future__ import annotations

import os
import random
import signal
import threading
from typing import Any

import pytest

from contract.link import Link
from contract.settings import Settings
from producers.publisher import Publisher

from .emitting import (
    DURABLE,
    NOWHERE,
    RUN,
    emit,
    eventually,
    folded,
    in_order_but_for_repeats,
    retarget,
    sequences,
    spooled_folders,
    start_child,
)


@pytest.mark.parametrize("seed", range(4))
def test_durable_events_survive_kill_9_at_any_moment_and_count_once(settings: Settings, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311  # moments to kill at
    accepted = 0
    for _ in range(3):
        child = start_child(settings, DURABLE)
        assert child.stdout is not None
        wanted = rng.randrange(1, 400)
        told = child.stdout.read(wanted)
        child.kill()
        accepted += len(told) + len(child.stdout.read())
        child.wait()
    rescuer = Publisher(settings)
    emit(rescuer, 0)
    eventually(lambda: not spooled_folders(settings))
    assert rescuer.flush() == 0
    counted = folded(settings)
    # An emit that did not return may be counted or not: at most one a process.
    assert accepted <= counted <= accepted + 3
    assert all(in_order_but_for_repeats(found) for found in sequences(settings.redis_url.get_secret_value()).values())
    rescuer.close()


def test_sigterm_amid_durable_events_stores_all_of_them(settings: Settings) -> None:
    for _ in range(3):
        child = start_child(settings, DURABLE, RUNTALLY_REDIS_URL=NOWHERE, RUNTALLY_DRAIN_TIMEOUT_S="0")
        assert child.stdout is not None
        told = child.stdout.read(100)
        child.terminate()
        told += child.stdout.read()
        assert child.wait(20) == -signal.SIGTERM
        retarget(settings)
        rescuer = Publisher(settings)
        emit(rescuer, 0)
        eventually(lambda: not spooled_folders(settings))
        rescuer.close()
        counted = folded(settings)
        assert len(told) <= counted <= len(told) + 1
        link = Link(settings.redis_url.get_secret_value(), name="test")
        link.open()
        link.call("FLUSHALL")
        link.close()


def test_durable_emits_of_many_threads_share_their_fsyncs(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    publisher = Publisher(settings)
    assert emit(publisher, 1, durable=True)
    synced = 0
    fdatasync = os.fdatasync

    def slow_sync(fd: int) -> None:
        nonlocal synced
        synced += 1
        threading.Event().wait(0.01)
        fdatasync(fd)

    monkeypatch.setattr(os, "fdatasync", slow_sync)
    threads = [threading.Thread(target=lambda: [emit(publisher, 1, durable=True) for _ in range(10)]) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert synced < 50
    assert publisher.flush() == 0
    assert folded(settings) == 101
    publisher.close()
    assert spooled_folders(settings) == []


def test_bad_durable_events_say_so(settings: Settings) -> None:
    publisher = Publisher(settings)
    cycle: dict[str, Any] = {}
    cycle["again"] = cycle
    assert not publisher.emit("client.metrics.updated", {"run_id": f"{RUN}-a", "metrics": cycle}, durable=True)
    assert publisher.counters["dropped_unencodable"] == 1
    assert emit(publisher, 1, durable=True)
    publisher.close()
