"""What a dead publisher left is sent by another, once, under the identity it had."""

from __future__ import annotations

import os
import signal
from typing import Any

from contract.settings import Settings
from producers.publisher import Publisher

from .emitting import (
    NOWHERE,
    emit,
    eventually,
    folded,
    retarget,
    sequences,
    spooled_folders,
    start_child,
)


def test_what_exit_could_not_deliver_the_next_process_delivers_with_its_identity(settings: Settings, make_settings: Any) -> None:
    away = Publisher(make_settings(redis_url=NOWHERE, drain_timeout_s=0))
    for _ in range(1_234):
        emit(away, 1)
    nonce = away.nonce
    assert away.close() == 0
    assert (away.left, away.counters["spooled"]) == (1_234, 1_234)
    retarget(settings)
    other = Publisher(settings)
    emit(other, 1)
    eventually(lambda: other.counters.get("adopted") == 1_234)
    assert other.flush() == 0
    assert other.counters["published"] == 1
    eventually(lambda: spooled_folders(settings) == [])
    assert sequences(settings.redis_url.get_secret_value())[f"/runtally/{nonce}"] == list(range(1, 1_235))
    assert folded(settings) == 1_235
    other.close()


def test_what_is_meant_for_another_redis_is_not_adopted(settings: Settings, make_settings: Any) -> None:
    away = Publisher(make_settings(redis_url=NOWHERE, drain_timeout_s=0))
    emit(away, 1)
    assert away.close() == 0
    other = Publisher(settings)
    emit(other, 1)
    assert other.flush() == 0
    assert not other.life.outbox.adopt(4)
    other.close()
    assert len(spooled_folders(settings)) == 1


def test_a_frozen_publisher_is_not_adopted_a_killed_one_is(settings: Settings) -> None:
    child = start_child(
        settings,
        "print(emit(1, durable=True), flush=True)\nprint(emit(1, durable=True), flush=True)\nimport signal\nsignal.pause()",
        RUNTALLY_REDIS_URL=NOWHERE,
    )
    assert child.stdout is not None
    assert [child.stdout.readline(), child.stdout.readline()] == ["True\n", "True\n"]
    child.send_signal(signal.SIGSTOP)
    retarget(settings)
    other = Publisher(settings)
    emit(other, 1)
    assert other.flush() == 0
    with other.life.outbox.lock:
        assert other.life.outbox.adopt(4) == 0
    child.kill()
    child.wait()
    with other.life.outbox.lock:
        assert other.life.outbox.adopt(4) == 1
    emit(other, 1)
    eventually(lambda: other.counters.get("adopted") == 2)
    assert other.flush() == 0
    assert folded(settings) == 4
    other.close()


def test_of_two_adopters_one_gets_the_folder_and_the_other_goes_on_when_it_dies(settings: Settings, make_settings: Any) -> None:
    away = Publisher(make_settings(redis_url=NOWHERE, drain_timeout_s=0))
    for _ in range(10):
        emit(away, 1)
    away.close()
    retarget(settings)
    first, second = Publisher(settings), Publisher(settings)
    assert first.life.outbox.adopt(4) == 1
    assert second.life.outbox.adopt(4) == 0
    first.close()
    assert second.life.outbox.adopt(4) == 1
    emit(second, 1)
    eventually(lambda: second.counters.get("adopted") == 10)
    assert second.flush() == 0
    assert folded(settings) == 11
    second.close()


def test_a_forked_child_holds_no_lock_of_its_parent_and_leaves_its_files_alone(settings: Settings, make_settings: Any) -> None:
    program = """
        assert emit(1, durable=True)
        pid = os.fork()
        if pid == 0:
            assert emit(10, durable=True)
            print("child", publisher.nonce, flush=True)
            import signal
            signal.pause()
        print("parent", publisher.nonce, pid, flush=True)
        assert emit(1, durable=True)
        print("again", flush=True)
        import signal
        signal.pause()
    """
    parent = start_child(settings, program, RUNTALLY_REDIS_URL=NOWHERE)
    assert parent.stdout is not None
    words = [parent.stdout.readline().split() for _ in range(3)]
    nonces = {line[0]: line[1] for line in words if len(line) > 1}
    child_pid = next(int(line[2]) for line in words if line[0] == "parent")
    parent.kill()
    parent.wait()
    try:
        retarget(settings)
        other = Publisher(settings)
        emit(other, 1)
        eventually(lambda: other.counters.get("adopted") == 2)
        assert [path.name for path in spooled_folders(settings)] == [nonces["child"]]
        assert other.flush() == 0
        assert folded(settings) == 3
    finally:
        os.kill(child_pid, signal.SIGKILL)
    # Nobody rings here: the next look for the dead is 5 s away.
    eventually(lambda: other.counters.get("adopted") == 3)
    assert other.flush() == 0
    assert folded(settings) == 13
    other.close()
    assert spooled_folders(settings) == []
