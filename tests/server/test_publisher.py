"""The publisher against a real server: what it was told is in the log, in order, once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from contract import keys
from contract.errors import EventRejected, RunIdConflict, RunIdInvalid, StoreUnavailable
from contract.link import Link
from contract.settings import Settings
from embedded import EmbeddedValkey
from producers.publisher import Publisher
from producers.runs import Job
from producers.runs.run_ids import take_run_id

RUN = "250930-141522"
ROOT = Path(__file__).parents[2]


def logged(url: str, partitions: int = 8) -> list[dict[str, Any]]:
    """All events of the log, by partition and offset."""
    link = Link(url, name="test")
    link.open()
    entries = [entry for partition in range(partitions) for entry in link.call("XRANGE", keys.log(partition), "-", "+")]
    link.close()
    return [event for _, fields in entries for event in json.loads(fields[1])]


def test_events_are_cloudevents_numbered_from_one_and_in_order(settings: Settings) -> None:
    publisher = Publisher(settings)
    for number in range(1200):
        assert publisher.emit("client.metrics.updated", {"run_id": RUN, "client_id": "Jane-Doe", "metrics": {"errors": number}})
    assert publisher.flush() == 0
    events = logged(settings.redis_url.get_secret_value())
    assert [event["data"]["metrics"]["errors"] for event in events] == list(range(1200))
    assert [int(event["sequence"]) for event in events] == list(range(1, 1201))
    assert {event["subject"] for event in events} == {f"{RUN}-Jane-Doe"}
    assert len({(event["source"], event["id"]) for event in events}) == 1200
    assert events[0]["specversion"] == "1.0"
    assert publisher.counters["published"] == 1200
    publisher.close()


def test_an_identity_of_ones_own_is_kept_and_not_numbered(settings: Settings) -> None:
    publisher = Publisher(settings)
    publisher.emit("client.metrics.updated", {"run_id": f"{RUN}-a", "metrics": {}}, id="hook-7")
    assert publisher.flush() == 0
    (event,) = logged(settings.redis_url.get_secret_value())
    assert (event["id"], event["source"], event.get("sequence")) == ("hook-7", "/runtally", None)
    publisher.close()


def test_bad_arguments_raise_and_bad_values_travel(settings: Settings) -> None:
    publisher = Publisher(settings)
    with pytest.raises(RunIdInvalid):
        publisher.emit("client.metrics.updated", {"run_id": "259999-999999"})
    with pytest.raises(RunIdInvalid):
        publisher.emit("client.metrics.updated", {"run_id": [1]})
    with pytest.raises(RunIdConflict):
        publisher.emit("client.metrics.updated", {"run_id": f"{RUN}-Jane-Doe", "client_id": "Doe"})
    with pytest.raises(EventRejected, match="zone"):
        publisher.emit("client.metrics.updated", {"run_id": RUN}, time=__import__("datetime").datetime(2025, 1, 1))
    publisher.emit("client.metrics.updated", {"run_id": RUN, "client_id": "a", "metrics": {"errors": float("nan"), "x": object()}})
    cycle: dict[str, Any] = {}
    cycle["again"] = cycle
    publisher.emit("client.metrics.updated", {"run_id": RUN, "client_id": "a", "metrics": cycle})
    publisher.emit("client.metrics.updated", {"run_id": RUN, "client_id": "a", "note": "x" * 1_100_000})
    assert publisher.flush() == 0
    (event,) = logged(settings.redis_url.get_secret_value())
    assert event["data"]["metrics"]["errors"] == "nan"
    assert event["data"]["metrics"]["x"].startswith("<object")
    assert publisher.counters["dropped_unencodable"] == 1
    assert publisher.counters["dropped_too_large"] == 1
    publisher.close()


def test_a_mapping_changed_after_emit_changes_nothing(settings: Settings) -> None:
    publisher = Publisher(settings)
    metrics = {"errors": 1}
    publisher.emit("client.metrics.updated", {"run_id": RUN, "client_id": "a", "metrics": metrics})
    metrics["errors"] = 99
    assert publisher.flush() == 0
    assert logged(settings.redis_url.get_secret_value())[0]["data"]["metrics"] == {"errors": 1}
    publisher.close()


def test_without_redis_emit_neither_blocks_nor_raises_and_what_does_not_fit_is_counted(make_settings: Any) -> None:
    publisher = Publisher(make_settings(redis_url="redis://127.0.0.1:1/0", buffer_events=100, drain_timeout_s=0))
    job = Job(publisher, RUN, "scoring", None, None)
    with job, job.client("a") as run:
        for _ in range(10_000):
            run.count(errors=1)
    counters = publisher.counters
    assert publisher.flush(timeout_s=0.05) > 0
    assert counters["dropped_buffer_full"] > 1_000
    publisher.close()


def test_events_wait_while_redis_is_away_and_arrive_once_it_is_back(durable_valkey: EmbeddedValkey, make_settings: Any) -> None:
    publisher = Publisher(make_settings(redis_url=durable_valkey.url))
    publisher.emit("client.metrics.updated", {"run_id": RUN, "client_id": "a", "metrics": {"errors": 1}})
    assert publisher.flush() == 0
    link = Link(durable_valkey.url, name="test")
    link.open()
    # WAITAOF speaks of what its own connection wrote: without a write it would answer at once.
    link.call("SET", "test", "1")
    link.call("WAITAOF", 1, 0, 5000)
    link.close()
    durable_valkey.kill()
    for number in range(2, 701):
        publisher.emit("client.metrics.updated", {"run_id": RUN, "client_id": "a", "metrics": {"errors": number}})
    assert publisher.flush(timeout_s=0.1) > 0
    durable_valkey.restart()
    assert publisher.flush(timeout_s=20) == 0
    sequences = [int(event["sequence"]) for event in logged(durable_valkey.url)]
    assert sequences == sorted(sequences)
    assert set(sequences) == set(range(1, 701))
    publisher.close()


@pytest.mark.parametrize("applied", [True, False], ids=["reply lost", "command lost"])
def test_a_batch_sent_again_is_counted_as_resent(settings: Settings, monkeypatch: pytest.MonkeyPatch, applied: bool) -> None:
    """At `appended` a batch counts as sent only with its reply: without one it may be in the log."""
    pipeline, cut = Link.pipeline, []

    def unanswered(self: Link, commands: Any) -> list[Any]:
        if commands[0][0] != "XADD" or cut:
            return pipeline(self, commands)
        cut.append(pipeline(self, commands) if applied else None)
        self.close()
        raise StoreUnavailable("cut")

    monkeypatch.setattr(Link, "pipeline", unanswered)
    publisher = Publisher(settings)
    publisher.emit("client.metrics.updated", {"run_id": RUN, "client_id": "a", "metrics": {"errors": 1}})
    assert publisher.flush() == 0
    assert (publisher.counters["resent"], publisher.counters["published"]) == (1, 1)
    assert len(logged(settings.redis_url.get_secret_value())) == 1 + applied
    publisher.close()


def test_fsynced_confirms_only_what_is_on_disk(durable_valkey: EmbeddedValkey, make_settings: Any) -> None:
    publisher = Publisher(make_settings(redis_url=durable_valkey.url, delivery="fsynced"))
    for number in range(5_000):
        publisher.emit("client.metrics.updated", {"run_id": RUN, "client_id": "a", "metrics": {"errors": number}})
    assert publisher.flush(timeout_s=20) == 0
    durable_valkey.kill()
    durable_valkey.restart()
    assert {int(event["sequence"]) for event in logged(durable_valkey.url)} == set(range(1, 5_001))
    publisher.close()


def test_run_ids_made_in_the_same_second_differ_also_without_redis(settings: Settings, make_settings: Any) -> None:
    from datetime import UTC, datetime

    now = datetime(2025, 9, 30, 14, 15, 22, tzinfo=UTC)
    taken = [take_run_id(settings, now) for _ in range(5)]
    assert len({one.run_id for one in taken}) == 5
    assert all(one.reserved for one in taken)
    away = take_run_id(make_settings(redis_url="redis://127.0.0.1:1/0"), now)
    assert not away.reserved
    assert away.run_id not in {one.run_id for one in taken}


ENDINGS = {
    "return": "",
    "sys.exit": "import sys; sys.exit(3)",
    "exception": "raise RuntimeError('boom')",
    "sigterm": "import os, signal; os.kill(os.getpid(), signal.SIGTERM); import time; time.sleep(30)",
    "fork": "import os; pid = os.fork()\nif pid == 0:\n    emit('child'); import sys; sys.exit(0)\nos.waitpid(pid, 0)",
    "multiprocessing": "import multiprocessing as m; p = m.get_context('fork').Process(target=emit, args=('child',)); p.start(); p.join()",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_was_emitted_is_delivered_however_the_process_ends(settings: Settings, ending: str, tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import producers
        def emit(text):
            for _ in range(200):
                producers.update_client_metrics("250930-141522", "a", {"errors": 1}, notes=text)
        emit("parent")
    """)
    url = settings.redis_url.get_secret_value()
    environment = {**os.environ, "RUNTALLY_REDIS_URL": url, "RUNTALLY_LINGER_MS": "1000", "PYTHONPATH": str(ROOT)}
    process = subprocess.run(
        [sys.executable, "-c", program + ENDINGS[ending]], env=environment, cwd=tmp_path, capture_output=True, timeout=60, check=False
    )
    notes = [event["data"]["note"] for event in logged(url)]
    assert notes.count("parent") == 200
    assert notes.count("child") == (200 if ending in ("fork", "multiprocessing") else 0)
    expected = {"sys.exit": 3, "exception": 1, "sigterm": -signal.SIGTERM}
    assert process.returncode == expected.get(ending, 0), process.stderr.decode()
