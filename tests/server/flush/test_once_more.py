"""A row of which a request may still land, or may have landed after a newer one, is written once more, whatever fails meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from contract import keys
from contract.errors import StoreUnavailable
from contract.link import Link
from worker.flush import insist as insisting
from worker.flush.airtable import Airtable, Record
from worker.flush.answers import Unanswered
from worker.flush.flusher import Pace
from worker.flush.insist import insist
from worker.store import dirty
from worker.store.dirty import RowRef, Sent

from .conftest import FAST, RUN, World

LONG = Pace(quarantine_s=60, lockout_s=0.5)
AWAY = 3
"""How often Redis cannot be reached."""


def ref_of(world: World, row_id: str = RUN) -> RowRef:
    return RowRef(keys.partition_of(RUN, world.settings.partitions), row_id)


def mark(world: World, row_id: str = RUN) -> float | None:
    """The score of a row's dirty mark."""
    found = world.link.call("ZSCORE", keys.dirty(ref_of(world).partition), row_id)
    return None if found is None else float(found)


def now_ms(world: World) -> int:
    return int(world.link.call("TIME")[0]) * 1000


def redis_goes_away(world: World, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """From now on the world's link is broken, and cannot be opened at first. Filled with one item an attempt."""
    attempts: list[int] = []
    open_again = world.link.open

    def opened() -> int:
        attempts.append(1)
        if len(attempts) <= AWAY:
            raise StoreUnavailable("Redis is away")
        return open_again()

    world.link.close()
    monkeypatch.setattr(world.link, "open", opened)
    return attempts


def overtaken(world: World) -> None:
    """As after a failover that lost lease and claim: another flusher has written the row, and it is clean."""
    other = Link(world.settings.redis_url.get_secret_value(), name="test-other")
    other.open()
    other.call("ZREM", keys.dirty(ref_of(world).partition), RUN)
    other.call("DEL", keys.flush_lease(world.base_id))
    other.close()


def flush_with(world: World, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], None], *, answered: bool) -> list[int]:
    """A flush whose first request finds Redis away when its outcome is to be told."""
    upsert, attempts = Airtable.upsert, []

    def sent(self: Airtable, *args: Any, **options: Any) -> list[str]:
        found = upsert(self, *args, **options)
        meanwhile()
        attempts.append(redis_goes_away(world, monkeypatch))
        if answered:
            return found
        raise Unanswered("connection to Airtable lost")

    monkeypatch.setattr(insisting, "_PAUSE_S", 0.01)
    monkeypatch.setattr(Airtable, "upsert", sent)
    with pytest.raises(StoreUnavailable):
        world.flush(pace=LONG)
    monkeypatch.undo()
    return attempts[0]


def test_that_an_answer_was_not_seen_is_said_until_redis_has_heard_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.job()
    attempts = flush_with(world, monkeypatch, lambda: overtaken(world), answered=False)
    assert len(attempts) == AWAY + 1
    assert (mark(world) or 0) > now_ms(world) + 50_000, "dirty again, and nobody writes it until the request can no longer land"


def test_a_row_written_while_the_lease_may_have_been_lost_is_written_once_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    row = world.job(stream=1)
    attempts = flush_with(world, monkeypatch, lambda: overtaken(world), answered=True)
    assert len(attempts) == AWAY + 1
    assert world.dirty() == {RUN}
    row.stream = 2  # what the other flusher wrote, under the request that landed late
    world.put(row)
    world.flush()
    assert (world.jobs()[RUN]["Stream"], world.dirty()) == (2, set())


def test_a_process_that_is_to_stop_gives_up_after_a_while(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[int] = []

    def say() -> None:
        said.append(1)
        raise StoreUnavailable("Redis is away")

    monkeypatch.setattr(insisting, "_PAUSE_S", 0.0)
    monkeypatch.setattr(insisting, "_AFTER_STOP_S", 0.0)
    assert insist(world.link, lambda: len(said) >= AWAY, say) is False
    assert len(said) == AWAY


@pytest.mark.parametrize("word", ["mark", "defer"])
def test_a_word_about_a_row_that_is_being_written_is_not_lost(world: World, word: str) -> None:
    row, ref = world.job(), ref_of(world)
    claimed = dirty.claim(world.link, [ref], 60)
    if word == "mark":
        dirty.mark(world.link, [ref])
    else:
        dirty.defer(world.link, [ref], [0], 1)
        assert (mark(world) or 0) > claimed[0], "another's wait gets no shorter"
    dirty.release(world.link, [ref], claimed)
    assert dirty.sent(world.link, [Sent(ref, str(row.version), "rec00000000000001")]) == 0
    assert world.dirty() == {RUN}


def test_a_row_that_another_flusher_has_claimed_is_not_sent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.job()
    due = dirty.due

    def claimed_after_listing(link: Link, partitions: int) -> list[dirty.Due]:
        found = due(link, partitions)
        dirty.claim(link, [row.ref for row in found], 60)
        return found

    monkeypatch.setattr(dirty, "due", claimed_after_listing)
    assert world.flush().ending == "lease_lost"
    assert world.jobs() == {}
    assert (mark(world) or 0) > now_ms(world)


def written_until(world: World, what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not what():
        assert time.monotonic() < deadline
        world.flush()


def test_after_a_new_life_of_redis_the_rows_of_late_are_written_once_more(world: World) -> None:
    job, partition = world.job(stream=2), ref_of(world).partition
    world.client("a", metrics={"Errors": 7})
    world.link.call("ZADD", keys.runs(partition), now_ms(world), RUN)
    world.flush()
    assert world.dirty() == set()
    world.link.call("HSET", keys.flush_life(world.base_id), "life", "the one before")
    airtable = Airtable(world.settings)
    # As an old request does that lands only now.
    airtable.upsert("Job Tracking", [Record(world.stored(job, "record"), {"Stream": 1})], "Run ID")
    airtable.close()
    calls = world.calls()
    written_until(world, lambda: world.jobs()[RUN]["Stream"] == 2)
    written_until(world, lambda: not world.dirty())
    assert world.calls() == calls + 2, "one request a table"
    assert world.link.call("EXISTS", keys.flush_again(world.base_id)) == 0


def test_a_row_that_redis_lost_and_has_again_is_written_once_more(world: World) -> None:
    world.flush()
    world.link.call("HSET", keys.flush_life(world.base_id), "life", "the one before")
    world.flush()
    job = world.job(stream=2)
    world.flush()
    assert world.dirty() == set()
    airtable = Airtable(world.settings)
    airtable.upsert("Job Tracking", [Record(world.stored(job, "record"), {"Stream": 1})], "Run ID")
    airtable.close()
    written_until(world, lambda: world.jobs()[RUN]["Stream"] == 2)


def test_a_row_whose_claim_has_run_out_is_written_once_more_later(world: World) -> None:
    world.job()
    dirty.claim(world.link, [ref_of(world)], 0.05)
    written_until(world, lambda: not world.dirty())
    again = world.link.call("ZSCORE", keys.flush_again(world.base_id), f"{ref_of(world).partition}:{RUN}")
    assert float(again) > now_ms(world) + 200_000


def test_the_first_flush_ever_has_nothing_to_make_up_for(world: World) -> None:
    world.job()
    world.flush(pace=FAST)
    assert world.link.call("EXISTS", keys.flush_again(world.base_id)) == 0
    assert b"run_id:" in world.link.call("HGET", keys.flush_life(world.base_id), "life")
