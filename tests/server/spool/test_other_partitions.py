"""A publisher that was given another number of partitions than Redis has loses nothing: what it spooled counts once it is set right."""

from __future__ import annotations

from typing import Any

import pytest

from contract import keys
from contract.errors import LayoutMismatch
from contract.layout import claim_layout
from contract.link import Link
from contract.settings import Settings
from producers.draining import drain
from producers.publish.sender import Sender
from producers.publisher import Publisher
from tests.server.counted_runs import runs

from .emitting import RUN, eventually, spooled_folders

RUNS = [f"250930-1415{second:02d}" for second in range(20)]


@pytest.fixture
def link(settings: Settings) -> Any:
    """Redis is set up with the partitions of `settings`: 8."""
    link = Link(settings.redis_url.get_secret_value(), name="test")
    link.open()
    claim_layout(link, settings.partitions)
    yield link
    link.close()


def emit_to_each(publisher: Publisher, number: int = 1, **more: Any) -> None:
    for run in RUNS:
        assert publisher.emit("client.metrics.updated", {"run_id": run, "client_id": "a", "metrics": {"errors": number}}, **more)


def counted(settings: Settings) -> dict[str, Any]:
    """Run -> its client's errors; fails where something was set aside."""
    found = {job.run: sum(client.metrics["Errors"] for client in clients) for job, clients in runs(settings)}
    link = Link(settings.redis_url.get_secret_value(), name="test")
    link.open()
    assert [link.call("XLEN", keys.dead(partition)) for partition in range(settings.partitions)] == [0] * settings.partitions
    link.close()
    return found


@pytest.mark.parametrize("wrong", [1, 4, 7, 16])
def test_what_a_wrong_setting_spooled_counts_once_when_it_is_right(
    settings: Settings, make_settings: Any, link: Link, wrong: int, capsys: pytest.CaptureFixture[str]
) -> None:
    misled = Publisher(make_settings(redis_url=settings.redis_url, partitions=wrong, drain_timeout_s=0))
    emit_to_each(misled, durable=True)
    emit_to_each(misled, 2)
    misled.emit("client.metrics.updated", {"run_id": RUN, "client_id": "a", "metrics": {"errors": 1}}, id="own")
    eventually(lambda: misled.counters.get("layout_refused", 0) >= 3)
    assert misled.close() == 0
    # On stdout where another test has set structlog up.
    assert "".join(capsys.readouterr()).count("refused: events go to the spool") == 1
    right = Publisher(settings)
    emit_to_each(right, 4)
    eventually(lambda: right.counters["adopted"] == 41)
    assert right.flush() == 0
    assert right.counters["published"] == 20
    eventually(lambda: spooled_folders(settings) == [])
    right.close()
    assert counted(settings) == dict.fromkeys(RUNS, 7) | {RUN: 1}


def test_an_adopter_that_dies_in_between_repeats_it_harmlessly(
    settings: Settings, make_settings: Any, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    misled = Publisher(make_settings(redis_url=settings.redis_url, partitions=3, drain_timeout_s=0))
    for _ in range(30):
        emit_to_each(misled)
    assert misled.close(0) == 0
    with monkeypatch.context() as patched:
        # It appends, and dies before it knows.
        patched.setattr(Sender, "_answered", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            list(drain(settings))
    assert sum(link.call("XLEN", keys.log(partition)) for partition in range(8)) > 0
    assert list(drain(settings))[-1] == 600
    assert spooled_folders(settings) == []
    assert counted(settings) == dict.fromkeys(RUNS, 30)


def test_a_log_that_refuses_a_part_gets_all_of_it_again(settings: Settings, make_settings: Any, link: Link) -> None:
    misled = Publisher(make_settings(redis_url=settings.redis_url, partitions=1, drain_timeout_s=0))
    emit_to_each(misled)
    assert misled.close(0) == 0
    blocked = keys.log(keys.partition_of(RUNS[0], 8))
    link.call("SET", blocked, "in the way")
    right = Publisher(settings)
    right.emit("client.metrics.updated", {"run_id": RUNS[-1], "client_id": "a", "metrics": {"errors": 1}})
    eventually(lambda: right.counters.get("failed_rounds", 0) >= 2)
    assert right.counters["adopted"] == 0
    link.call("DEL", blocked)
    eventually(lambda: right.counters["adopted"] == 20)
    assert right.counters["resent"] >= 1
    right.close()
    assert counted(settings) == dict.fromkeys(RUNS, 1) | {RUNS[-1]: 2}


def test_draining_with_the_wrong_setting_sends_nothing(settings: Settings, make_settings: Any, link: Link) -> None:
    misled = Publisher(make_settings(redis_url=settings.redis_url, partitions=4, drain_timeout_s=0))
    emit_to_each(misled)
    assert misled.close(0) == 0
    for wrong in (4, 16):
        with pytest.raises(LayoutMismatch):
            list(drain(make_settings(redis_url=settings.redis_url, partitions=wrong)))
    assert list(drain(settings))[-1] == 20
    assert counted(settings) == dict.fromkeys(RUNS, 1)
