"""A month's calls: never more than the budget, spread over the month, finished rows first, said at 80, 95 and 100 %."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract import keys
from worker.flush.budget import Budget
from worker.flush.limiter import Limiter
from worker.flush.month import SPAN_S, Account, Share, month_of
from worker.flush.tally import Tally

from .conftest import FINISHED, RUN, World

SEPTEMBER = datetime(2025, 9, 1, tzinfo=UTC).timestamp()
OCTOBER = datetime(2025, 10, 1, tzinfo=UTC).timestamp()


class Clock:
    """A clock that a test sets."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.parametrize(
    ("moment", "name", "end"),
    [
        (datetime(2025, 9, 30, 23, 59, 59, tzinfo=UTC), "2025-09", OCTOBER),
        (datetime(2025, 10, 1, tzinfo=UTC), "2025-10", datetime(2025, 11, 1, tzinfo=UTC).timestamp()),
        (datetime(2025, 12, 31, 12, tzinfo=UTC), "2025-12", datetime(2026, 1, 1, tzinfo=UTC).timestamp()),
        (datetime(2028, 2, 29, tzinfo=UTC), "2028-02", datetime(2028, 3, 1, tzinfo=UTC).timestamp()),
    ],
)
def test_months_are_those_of_the_calendar(moment: datetime, name: str, end: float) -> None:
    month = month_of(moment.timestamp())
    assert (month.name, month.end_s) == (name, end)
    assert month_of(month.start_s) == month
    assert month_of(month.start_s - 1).end_s == month.start_s


def spend(calls: int, shares: set[Share], step_s: float, from_s: float = SEPTEMBER) -> list[tuple[float, Share]]:
    """A month in which always something of each share waits: when each call was made, and for what."""
    spent, paced_s, made = 0, 0.0, []
    now_s = from_s
    while now_s < OCTOBER:
        account = Account(calls, spent, paced_s, now_s)
        for share in sorted(shares):
            for _ in range(account.credit(share)):
                paced_s, spent = Account(calls, spent, paced_s, now_s).paid(), spent + 1
                made.append((now_s, share))
            account = Account(calls, spent, paced_s, now_s)
        now_s += step_s
    return made


@settings(deadline=None)
@given(st.sampled_from([30, 1_000, 5_000]), st.sets(st.sampled_from(Share), min_size=1), st.floats(0, 29.9))
def test_a_month_of_any_demand_stays_in_its_budget(calls: int, shares: set[Share], begun_days: float) -> None:
    made = spend(calls, shares, 7_200, SEPTEMBER + begun_days * 86_400)
    reserve = 0 if Share.FINISHED in shares else max(1, int(calls * 0.05))
    assert len(made) <= calls - reserve


@pytest.mark.parametrize("share", Share)
def test_the_calls_last_for_the_month_and_are_used(share: Share) -> None:
    made = spend(1_000, {share}, 600)
    middle = sum(at < SEPTEMBER + 15 * 86_400 for at, _ in made)
    assert 0.45 < middle / 1_000 < 0.55
    assert len(made) > 900
    longest = max(later - earlier for (earlier, _), (later, _) in pairwise(made))
    assert longest < 2 * SPAN_S, "to the last day"


def test_finished_rows_go_first_and_running_ones_wait_the_longest() -> None:
    now_s = SEPTEMBER + 86_400
    just_paid = Account(1_000, 100, now_s, now_s)
    assert [just_paid.credit(share) > 0 for share in Share] == [True, True, False]
    behind = Account(1_000, 100, now_s + SPAN_S / 2, now_s)
    assert [behind.credit(share) > 0 for share in Share] == [True, False, False]
    rested = Account(1_000, 100, 0, now_s)
    assert rested.credit(Share.FINISHED) >= rested.credit(Share.NEW) >= rested.credit(Share.RUNNING) >= 1


def test_the_reserve_is_for_finished_rows_alone() -> None:
    now_s = OCTOBER - 1
    assert [Account(1_000, 950, 0, now_s).credit(share) > 0 for share in Share] == [True, False, False]
    assert [Account(1_000, 1_000, 0, now_s).credit(share) for share in Share] == [0, 0, 0]


def test_the_limit_of_calls_is_exact_whoever_asks_and_turns_with_the_month(world: World) -> None:
    clock = Clock(OCTOBER - 10)
    budget = Budget(world.link, world.base_id, 40, clock)
    limiter = Limiter(world.link, world.base_id, unseen_s=1, budget=budget)

    def taken(share: Share) -> int:
        count = 0
        while limiter.take(ticket := limiter.ticket(), share) == 0:
            world.link.call("ZREM", keys.limiter(world.base_id), ticket)
            count += 1
        return count

    assert [taken(Share.RUNNING), taken(Share.FINISHED), taken(Share.FINISHED)] == [38, 2, 0]
    clock.now_s = OCTOBER
    assert [taken(Share.NEW), taken(Share.FINISHED)] == [38, 2]
    stored = [world.link.call("HGET", keys.flush_month(world.base_id, month), "calls") for month in ("2025-09", "2025-10")]
    assert stored == [b"40", b"40"]


def test_each_threshold_is_told_once_a_month(world: World) -> None:
    clock = Clock(SEPTEMBER)
    budget, tally = Budget(world.link, world.base_id, 100, clock), Tally(world.link, world.base_id)
    told = []
    for calls in (79, 80, 94, 95, 96, 100, 100):
        world.link.call("HSET", keys.flush_month(world.base_id, "2025-09"), "calls", calls)
        budget.tell(tally)
        told.append(tuple(world.counter(f"budget_{percent}") for percent in (80, 95, 100)))
    assert told == [(0, 0, 0), (1, 0, 0), (1, 0, 0), (1, 1, 0), (1, 1, 0), (1, 1, 1), (1, 1, 1)]
    clock.now_s = OCTOBER
    world.link.call("HSET", keys.flush_month(world.base_id, "2025-10"), "calls", 85)
    budget.tell(tally)
    assert world.counter("budget_80") == 2


def test_a_spent_month_sends_nothing_and_keeps_the_rows_dirty(world: World) -> None:
    world.settings = world.settings.model_copy(update={"airtable_calls_per_month": 20})
    month = keys.flush_month(world.base_id, Budget(world.link, world.base_id, 20).month().name)
    world.link.call("HSET", month, "calls", 20)
    world.job(**FINISHED)
    assert (world.flush().ending, world.calls(), world.dirty()) == ("spent", 0, {RUN})
    assert world.counter("budget_100") == 1
    world.link.call("DEL", month)  # as when the month turns
    assert (world.flush().ending, world.dirty()) == ("clean", set())


def test_finished_rows_are_written_while_running_ones_wait_for_their_time(world: World) -> None:
    world.settings = world.settings.model_copy(update={"airtable_calls_per_month": 1_000})
    budget = Budget(world.link, world.base_id, 1_000)
    running = [world.client(f"r{n}", run="250930-150000") for n in range(15)]
    job = world.job(run="250930-150000")
    assert world.flush().ending == "clean", "what was not used for an hour is there"
    now_ms = int((budget.account() or Account(1, 0, 0, 0)).now_s * 1000)
    world.link.call("HSET", keys.flush_month(world.base_id, budget.month().name), "paced_ms", now_ms)
    for row in running:
        world.change(row)
    world.job(**FINISHED)
    done = [world.client(f"f{n}", **FINISHED) for n in range(3)]
    world.change(job)
    report = world.flush()
    assert report.ending == "paced"
    assert {row.row_id for row in done} <= set(world.clients())
    assert len(world.dirty()) == 15 - 7, "running rows fill what room there is in the requests that are sent anyway"
    assert world.dirty() <= {row.row_id for row in running}
    assert world.clients()[done[0].row_id]["Job"] == [world.jobs()[RUN]["record_id"]]
