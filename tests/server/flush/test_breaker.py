"""When Airtable is away, or refuses for good: it is left alone, asked by one request now and then, and said once."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pyairtable import Api

from contract import keys
from contract.errors import AirtableBusy, AirtableUnclear
from contract.settings import load_settings
from worker.flush.admission import Admission, NotNow
from worker.flush.answers import Unanswered, Unreachable
from worker.flush.breaker import Breaker, Spans
from worker.flush.flusher import Pace
from worker.flush.month import Share
from worker.flush.schema import check_base
from worker.flush.standing import standing
from worker.flush.tally import Tally

from .conftest import FAST, RUN, TOKEN, World

SPANS = Spans(after=3, first_s=30, most_s=100)
SLOW = Pace(quarantine_s=0.3, lockout_s=0.5, open_s=30, refused_s=30)


def breaker(world: World, spans: Spans = SPANS) -> Breaker:
    return Breaker(world.link, world.base_id, "away", spans, Tally(world.link, world.base_id))


def half_open(world: World) -> None:
    """As when its time has passed."""
    world.link.call("DEL", keys.breaker_open(world.base_id, "away"))


def admission(world: World, pace: Pace = FAST) -> Admission:
    return Admission(world.settings, world.link, Tally(world.link, world.base_id), 1.0, pace)


def admitted(door: Admission) -> str:
    """The ticket of a request that was let through."""
    ticket = door.ticket()
    deadline = time.monotonic() + 5
    while door.ask(ticket, Share.NEW):
        assert time.monotonic() < deadline
    return ticket


def test_kinds_of_failures_are_counted_apart_and_an_answer_forgets_them(world: World) -> None:
    away = breaker(world)
    assert [away.failed(kind, "") for kind in ("unreachable", "unclear", "unreachable", "unclear")] == [False] * 4
    away.answered()
    assert [away.failed("unclear", "") for _ in range(3)] == [False, False, True]
    assert 29 < away.wait_s() <= 30


def test_each_probe_that_fails_doubles_the_wait_up_to_the_most(world: World) -> None:
    away = breaker(world)
    for _ in range(3):
        away.failed("unclear", "")
    waits = []
    for _ in range(3):
        half_open(world)
        assert away.wait_s() == 0
        away.failed("unanswered", "whatever its kind")
        waits.append(round(away.wait_s()))
    assert waits == [60, 100, 100]
    half_open(world)
    away.answered()
    away.answered()
    assert (world.counter("away_opened"), world.counter("away_closed")) == (1, 1)


def test_how_things_stand_can_be_read(world: World) -> None:
    def seen() -> tuple[Any, ...]:
        found = standing(world.link, world.base_id, 1_000)
        return found["away"], found["away_wait_s"], found["refused-job"], found["month_calls"], found["month_budget"], found["month_spent"]

    away = breaker(world)
    before = seen()
    assert before[:3] == ("closed", 0, "closed")
    assert before[4:] == (1_000, 0)
    for _ in range(3):
        away.failed("unclear", "")
    assert seen()[:2] == ("open", 30)
    half_open(world)
    assert seen()[:2] == ("half-open", 0)
    world.job()
    world.flush()
    assert (seen()[0], seen()[3]) == ("closed", before[3] + 1)


def test_with_a_budget_probes_are_ten_minutes_apart_at_most_and_without_one_never_a_minute() -> None:
    assert (Pace().open_s, Pace().open_most_s, Pace().open_most_paid_s) == (30, 45, 600)


def test_while_it_is_open_nothing_is_sent_and_then_one_probe(world: World) -> None:
    for n in range(60):
        world.client(f"c{n}")
    world.sandbox.fault("status", status=500)
    pace = Pace(quarantine_s=0, lockout_s=0.5, open_s=30)
    endings = [world.flush(pace=pace).ending for _ in range(3)]
    assert endings == ["unclear", "away", "away"]
    assert world.calls() == pace.open_after
    half_open(world)
    assert world.flush(pace=pace).ending == "away"
    assert world.calls() == pace.open_after + 1, "one probe, and it failed"
    world.sandbox.clear_faults()
    half_open(world)
    assert (world.flush(pace=pace).ending, world.dirty()) == ("clean", set())
    assert (world.counter("away_opened"), world.counter("away_closed")) == (1, 1)


def test_only_one_of_many_senders_probes(world: World) -> None:
    first, second = admission(world), admission(world)
    for _ in range(FAST.open_after):
        first.failed(admitted(first), AirtableUnclear("500"))
    with pytest.raises(NotNow, match="away"):
        second.ask(second.ticket(), Share.NEW)
    half_open(world)
    probe = admitted(first)
    other = second.ticket()
    assert second.ask(other, Share.NEW) > 0, "waits for what the probe says"
    first.failed(probe, AirtableUnclear("500"))
    with pytest.raises(NotNow, match="away"):
        second.ask(other, Share.NEW)


@pytest.mark.parametrize("error", [Unreachable("", 1), AirtableBusy("", 1), Unanswered(""), AirtableUnclear("")])
def test_every_kind_of_being_away_opens_it(world: World, error: Any) -> None:
    door = admission(world, SLOW)
    # Places of requests that were not answered stay taken: as many as there are failures here.
    for _ in range(FAST.open_after):
        door.failed(admitted(door), error)
    with pytest.raises(NotNow, match="away"):
        door.check()


def test_an_unreachable_airtable_is_left_alone_within_one_flush(world: World) -> None:
    world.job()
    world.settings = load_settings(_env_file=None, **(world.settings.model_dump() | {"airtable_url": "http://127.0.0.1:9"}))
    pace = Pace(open_after=2)
    report = world.flush(pace=pace)
    assert (report.ending, report.calls) == ("away", 2)
    assert world.flush(pace=pace).calls == 0


def test_a_wrong_token_is_said_once_and_not_hammered(world: World) -> None:
    known = world.settings.model_dump()
    world.job()
    world.settings = load_settings(_env_file=None, **known | {"airtable_token": "pat-wrong"})
    endings = [world.flush(pace=SLOW).ending for _ in range(5)]
    assert endings == ["refused"] * 5
    assert (world.calls(), world.counter("refused-job_opened")) == (0, 1), "a call without a valid token is none of the base's"
    assert world.counter("calls") == 1
    world.settings = load_settings(_env_file=None, **known)
    assert world.flush(pace=SLOW).ending == "clean", "another token is tried at once"
    assert world.dirty() == set()


def test_a_table_that_is_gone_does_not_hold_up_the_other(world: World) -> None:
    tables = Api(TOKEN, endpoint_url=world.sandbox.human_url)
    base = f"{world.sandbox.human_url}/v0/meta/bases/{world.base_id}/tables"
    client_table = next(table["id"] for table in tables.get(base)["tables"] if table["name"] == "Client Run Results")
    tables.patch(f"{base}/{client_table}", json={"name": "Elsewhere"})
    row = world.job(stream=1)
    client = world.client("a")
    assert world.flush(pace=SLOW).ending == "refused"
    world.change(row, stream=2)
    world.sandbox.reset_counters()
    assert world.flush(pace=SLOW).ending == "refused"
    assert (world.jobs()[RUN]["Stream"], world.calls()) == (2, 1), "the job's row alone is sent"
    tables.patch(f"{base}/{client_table}", json={"name": "Client Run Results"})
    check_base(world.settings, world.link, world.registry)
    assert world.flush(pace=SLOW).ending == "clean", "a person has looked: at once"
    assert list(world.clients()) == [client.row_id]


def test_a_refusal_is_asked_about_at_growing_intervals(world: World) -> None:
    world.job()
    world.settings = world.settings.model_copy(update={"airtable_base_id": world.base_id})
    standing = Breaker(world.link, world.base_id, "refused-job", Spans(1, 30, 600), Tally(world.link, world.base_id))
    waits = []
    for _ in range(6):
        standing.failed("k", "403")
        waits.append(round(standing.wait_s()))
        world.link.call("DEL", keys.breaker_open(world.base_id, "refused-job"))
    assert waits == [30, 60, 120, 240, 480, 600]
