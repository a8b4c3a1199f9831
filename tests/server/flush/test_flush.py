"""What is dirty gets to Airtable: all of it, once, the urgent first, and in its newest version."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from contract import keys
from contract.status import Status
from worker.dead.letters import DeadLetters
from worker.flush import flusher
from worker.flush.airtable import Airtable
from worker.store import lease as lease_module
from worker.store.lease import Lease

from .conftest import AT, FINISHED, RUN, World


def on_upsert(monkeypatch: pytest.MonkeyPatch, act: Callable[[int, list[str]], Any]) -> None:
    """Call `act(number of the request, run IDs in it)` while each upsert is on its way."""
    original, count = Airtable.upsert, iter(range(1, 1_000_000))

    def upsert(self: Airtable, table: str, records: Any, key_field: str, *, typecast: bool = False) -> list[str]:
        result = original(self, table, records, key_field, typecast=typecast)
        act(next(count), [record.fields["Run ID"] for record in records])
        return result

    monkeypatch.setattr(Airtable, "upsert", upsert)


def test_a_job_and_its_clients_arrive_linked_with_all_their_values(world: World) -> None:
    metrics = {"Leads Processed": 12, "Apify API Costs": Decimal("0.10"), "Profiles Examined for Scoring": 10}
    world.job(stream=1, metrics={"Leads Processed": 12}, clients={Status.COMPLETED: 1}, **FINISHED)
    world.client("Jane-Doe", name="Jane Doe", metrics=metrics, skips={"NO_CONTENT": 2}, notes=["a note"], errors=["an error"], **FINISHED)
    report = world.flush()

    assert (report.ending, report.rows_written, report.waiting) == ("clean", 2, 0)
    assert report.refused_fields == 0
    job, client = world.jobs()[RUN], world.clients()[f"{RUN}-Jane-Doe"]
    assert job["Status"] == client["Status"] == "Completed"
    assert job["Leads Processed"] == client["Leads Processed"] == 12
    assert client["Apify API Costs"] == 0.1
    assert client["Job"] == [job["record_id"]]
    assert client["Profile Scoring Success Rate"] == 0
    assert "Posts Processed" not in client
    assert client["System Notes"] == "a note\nSkipped: NO_CONTENT 2"
    assert client["Error Details"] == "an error"
    assert job["End Time"] == "2025-09-30T14:15:22.000Z"


def test_a_clean_row_is_not_written_again(world: World) -> None:
    world.job()
    world.flush()
    world.sandbox.reset_counters()
    assert world.flush().ending == "clean"
    assert world.calls() == 0


def test_a_change_is_written_by_record_id_and_values_are_absolute(world: World) -> None:
    row = world.client("a", metrics={"Errors": 1})
    world.flush()
    record = world.stored(row, "record")
    world.change(row, metrics={"Errors": 5})
    world.flush()
    assert world.stored(row, "record") == record
    assert world.clients()[row.row_id]["Errors"] == 5
    assert world.stored(row, "sent_v") == "2"


def test_a_reopened_run_loses_its_end_time(world: World) -> None:
    row = world.job(**FINISHED)
    world.flush()
    world.change(row, status=Status.RUNNING)
    world.flush()
    assert "End Time" not in world.jobs()[RUN]


def test_ten_rows_share_a_request(world: World) -> None:
    for n in range(25):
        world.client(f"c{n}")
    world.job()
    world.flush()
    assert world.calls() == 1 + 3
    assert len(world.clients()) == 25


def test_new_jobs_then_finished_then_running(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[list[str]] = []
    on_upsert(monkeypatch, lambda _, row_ids: sent.append(row_ids))
    for n in range(10):
        world.client(f"running-{n}")
        world.client(f"z-finished-{n}", **FINISHED)
    world.job()
    world.flush()
    assert sent[0] == [RUN]
    assert all("finished" in row_id for row_id in sent[1])
    assert all("running" in row_id for row_id in sent[2])


def test_rows_that_change_all_the_time_take_turns(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for one request a round, none of the others is passed over."""
    monkeypatch.setattr(flusher, "ROUND_CALLS", 1)
    rows = [world.client(f"c{n:02d}") for n in range(30)]
    sent: list[str] = []

    def act(_: int, row_ids: list[str]) -> None:
        sent.extend(row_ids)
        for row in rows:
            world.change(row)

    on_upsert(monkeypatch, act)
    world.flush(stop=lambda: len(sent) >= 60)
    assert {row_id: sent.count(row_id) for row_id in sent} == {row.row_id: 2 for row in rows}


def test_a_full_redis_is_flushed_all_the_same(world: World) -> None:
    """At maxmemory Redis refuses writes; it is the flush that lets rows expire."""
    row = world.job(**FINISHED)
    world.client("a")
    world.link.call("CONFIG", "SET", "maxmemory", 1)
    try:
        report = world.flush()
    finally:
        world.link.call("CONFIG", "SET", "maxmemory", 0)
    assert (report.ending, report.rows_written) == ("clean", 2)
    assert world.stored(row, "record")


def test_a_row_that_changes_while_its_request_is_on_the_way_stays_dirty_and_is_written_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = world.job(stream=1)
    on_upsert(monkeypatch, lambda number, _: world.change(row, stream=2) if number == 1 else None)
    report = world.flush()
    assert report.rows_written == 2
    assert world.jobs()[RUN]["Stream"] == 2
    assert not world.dirty()


def test_many_changes_before_a_request_cost_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second request's rows change while the first is on its way: their newest version goes out, once."""
    row = world.client("a")
    job = world.job()

    def act(number: int, _: list[str]) -> None:
        for n in range(5 if number == 1 else 0):
            world.change(row, metrics={"Errors": n})

    on_upsert(monkeypatch, act)
    world.flush()
    assert world.calls() == 2
    assert world.clients()[row.row_id]["Errors"] == 4
    assert job.row_id in world.jobs()


def test_a_client_written_before_its_job_is_linked_once_the_job_is_there(world: World) -> None:
    row = world.client("a")
    world.flush()
    assert "Job" not in world.clients()[row.row_id]
    world.job()
    world.flush()
    assert world.clients()[row.row_id]["Job"] == [world.jobs()[RUN]["record_id"]]


def test_a_dirty_mark_without_a_row_is_taken_away(world: World) -> None:
    world.link.call("ZADD", keys.dirty(0), 0, "250101-000000")
    assert world.flush().ending == "clean"
    assert not world.dirty()
    assert world.calls() == 0


def test_a_row_that_cannot_be_read_is_set_aside_and_its_neighbours_are_written(world: World) -> None:
    world.job()
    world.link.call("HSET", keys.row(0, "250101-000000"), "state", "{", "v", "3")
    world.link.call("HSET", keys.row(0, "250101-000001"), "state", "{")
    world.link.call("ZADD", keys.dirty(0), 0, "250101-000000", 0, "250101-000001")
    report = world.flush()
    assert (report.rows_written, report.refused_rows) == (1, 2)
    assert not world.dirty()
    assert "cannot be read" in world.letters()[0]["reason"]


def test_dead_letters_that_their_bound_drops_are_counted(world: World) -> None:
    world.settings = world.settings.model_copy(update={"dead_letters": 1})
    for number in range(450):
        row_id = f"250101-{number // 3600:02d}{number // 60 % 60:02d}{number % 60:02d}"
        world.link.call("HSET", keys.row(0, row_id), "state", "{")
        world.link.call("ZADD", keys.dirty(0), 0, row_id)
    assert world.flush().refused_rows == 450
    kept = len(world.letters())
    assert kept < 450, "the bound holds, by whole nodes of the stream"
    assert world.counter("dead_dropped") == 450 - kept
    assert DeadLetters(world.link, world.settings.partitions, world.base_id).bound_dropped() == 450 - kept


def test_a_flush_stops_when_told_and_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    on_upsert(monkeypatch, lambda number, _: seen.append(number))
    for n in range(30):
        world.client(f"c{n}")
    report = world.flush(stop=lambda: len(seen) >= 1)
    assert (report.ending, report.rows_written, report.waiting) == ("stopped", 10, 20)
    assert world.flush().ending == "clean", "the lease was given back"


def test_a_flush_ends_at_its_deadline_without_waiting_for_what_comes_later(world: World) -> None:
    for n in range(70):
        world.client(f"c{n}")
    report = world.flush(deadline_s=0.8)
    assert report.ending == "deadline"
    assert 0 < report.waiting < 70


def test_only_one_flusher_has_the_base(world: World) -> None:
    other = Lease(world.link, keys.flush_lease(world.base_id), 30)
    other.take()
    world.job()
    assert world.flush().ending == "held"
    assert world.calls() == 0


def test_a_flusher_frozen_during_a_request_marks_what_it_wrote_dirty_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    row = world.job(**FINISHED)
    heir = Lease(world.link, keys.flush_lease(world.base_id), 30)

    def freeze(number: int, _: list[str]) -> None:
        if number == 1:
            world.link.call("DEL", keys.flush_lease(world.base_id))
            heir.take()
            offset_s.append(3_600.0)

    offset_s: list[float] = []
    real = lease_module._now_s
    monkeypatch.setattr(lease_module, "_now_s", lambda: real() + sum(offset_s))
    on_upsert(monkeypatch, freeze)
    assert world.flush().ending == "lease_lost"
    assert world.dirty() == {row.row_id}
    heir.release()
    assert world.flush().ending == "clean"
    assert world.stored(row, "sent_v") == "1"


def test_seventy_rows_take_as_long_as_the_limit_asks_for_and_never_break_it(world: World) -> None:
    for n in range(100):
        world.client(f"c{n}", updated=AT + timedelta(seconds=n))
    assert world.flush().rows_written == 100
    counters = world.sandbox.counters()
    assert counters["rate_limited"] == 0
    assert counters["most_calls_in_one_s"] <= 5
