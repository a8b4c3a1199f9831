"""Run IDs made while Redis is away: no two alike within a process, and two makers of one ID are found out by what they announce."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

import producers
from contract import keys
from contract.link import Link
from contract.run_id import LocalIds
from contract.settings import Settings
from producers import default, origins
from producers.publisher import Publisher
from producers.runs import run_ids
from producers.runs.run_ids import take_run_id
from tests.conftest import SettingsMaker
from tests.server.counted_runs import only_run
from worker.rows import text

NOW = datetime(2025, 9, 30, 14, 15, 22, tzinfo=UTC)
BASE = "250930-141522"


@pytest.fixture
def away(make_settings: SettingsMaker) -> Settings:
    return make_settings(redis_url="redis://127.0.0.1:1/0")


@pytest.fixture
def new_process(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Forget what this process has made, as another one would not know it."""

    def forget() -> None:
        monkeypatch.setattr(run_ids, "_local", LocalIds())
        monkeypatch.setattr(origins, "_origins", OrderedDict())

    forget()
    return forget


def test_what_redis_moved_this_process_to_is_not_given_again_when_redis_is_away(
    settings: Settings, away: Settings, new_process: Callable[[], None]
) -> None:
    link = Link(settings.redis_url.get_secret_value(), name="test")
    link.open()
    for taken in (BASE, "250930-141523"):
        link.call("SET", keys.reserved(taken), "another machine")
    link.close()
    assert take_run_id(settings, NOW).run_id == "250930-141524"
    assert [take_run_id(away, NOW).run_id for _ in range(2)] == ["250930-141525", "250930-141526"]
    assert take_run_id(settings, NOW).run_id == "250930-141527"


def announce_job(run_id: str) -> None:
    producers.create_job_tracking_record(run_id, "scoring")


def announce_clients(run_id: str) -> None:
    for client in ("a", "b"):
        producers.create_client_run_record(run_id, client)


def open_blocks(run_id: str) -> None:
    with producers.job("scoring", run_id=run_id) as job, job.client("a"):
        pass


@pytest.mark.parametrize("first", [announce_job, announce_clients, open_blocks])
@pytest.mark.parametrize("second", [announce_job, announce_clients, open_blocks])
def test_two_makers_of_one_id_are_reported_once(
    settings: Settings, away: Settings, new_process: Callable[[], None], first: Callable[[str], None], second: Callable[[str], None]
) -> None:
    for announce in (first, second):
        new_process()
        default.use(Publisher(away))
        run_id = producers.generate_run_id(NOW)
        assert run_id == BASE
        publisher = Publisher(settings)
        default.use(publisher)
        announce(run_id)
        announce(run_id)
        assert publisher.close() == 0
    default.use(None)
    job, _ = only_run(settings)
    assert text(job, "notes").count("two jobs have taken this run ID") == 1


def test_one_maker_is_no_collision_whoever_continues_its_run(settings: Settings, away: Settings, new_process: Callable[[], None]) -> None:
    default.use(Publisher(away))
    run_id = producers.generate_run_id(NOW)
    for _ in range(2):
        publisher = Publisher(settings)
        default.use(publisher)
        for announce in (announce_job, announce_clients, open_blocks):
            announce(run_id)
        assert publisher.close() == 0
        new_process()
    default.use(None)
    job, _ = only_run(settings)
    assert "two jobs" not in text(job, "notes")
    assert job.origin is not None


def test_makers_remembered_are_bounded(away: Settings, new_process: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origins, "_REMEMBERED", 3)
    made = [run_ids.make_run_id(away, NOW) for _ in range(5)]
    assert [origins.origin_of(base) is not None for base in made] == [False, False, True, True, True]
