"""`producers.testing.recording`: what would be sent is recorded, and nothing leaves the process."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest

import producers
from contract.errors import EventRejected, RunIdConflict
from contract.events import Event, decode_batch, encode_event, join_batch
from producers import default, single_scorer
from producers.batch_scorer import BatchScorer
from producers.testing import Recorded, recording

RUN = "250930-141522"


@pytest.fixture(autouse=True)
def nothing_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """No connection, no thread, no file; and an environment that no setting could be made from."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a connection was opened, or a thread started")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNTALLY_REDIS_ULR", "redis://wrong")
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    yield
    assert list(tmp_path.iterdir()) == []


def of(events: list[Recorded], kind: str) -> list[Recorded]:
    return [event for event in events if event.type == kind]


def test_blocks_calls_and_locks_are_recorded_in_order() -> None:
    with recording() as events:
        with producers.job("batch_scoring", stream=1, exclusive=True) as job, job.client("Jane-Doe", name="Jane") as run:
            assert job.lock is not None
            assert job.lock.still_mine()
            run.count(leads_processed=1)
        with producers.exclusive("export", client="Jane-Doe") as lock:
            assert lock.fence
        assert not lock.still_mine()
        assert producers.update_client_metrics(RUN, "a", {"errors": float("nan")})
        assert producers.flush() == 0
        assert len({producers.generate_run_id() for _ in range(3)}) == 3
    assert [event.type for event in events] == [
        "job.started",
        "client.run.started",
        "client.metrics.updated",
        "client.run.completed",
        "job.completed",
        "client.metrics.updated",
    ]
    assert {event.run_id for event in events[:5]} == {job.run_id}
    assert [event.client_id for event in events] == [None, "Jane-Doe", "Jane-Doe", "Jane-Doe", None, "a"]
    assert events[1].data == {"client_name": "Jane"}
    assert events[2].data == {"metrics": {"leads_processed": 1}}


def test_scorers_and_tracked_functions_are_recorded() -> None:
    @producers.tracked("nightly", client="a", exclusive=True)
    def work() -> None:
        producers.current_run().note("at work")

    scorer = BatchScorer(leads_of={"a": [1, 2, 3]}, score_lead=lambda lead, _: lead, chunk_size=2, progress=False, exclusive=True)
    with recording() as events:
        work()
        with single_scorer.lead(client_id="b") as lead:
            lead.scored()
        result = scorer.run(["a"], run_id=RUN)
    assert not result.failed
    assert [event.data["note"] for event in of(events, "client.progress.logged")] == ["at work"]
    counted = [event.data["metrics"] for event in of(events, "client.metrics.updated") if event.run_id == RUN]
    assert [metrics["Leads Processed"] if "Leads Processed" in metrics else metrics["leads_processed"] for metrics in counted] == [2, 1]


def test_what_could_never_count_is_refused_as_ever_and_the_publisher_before_comes_back() -> None:
    before = default.use(None)
    default.use(before)
    with recording() as events:
        with pytest.raises(RunIdConflict):
            producers.complete_job_metrics(f"{RUN}-a")
        with pytest.raises(EventRejected):
            producers.update_client_metrics(RUN, "a", [1])  # type: ignore[arg-type]
        with recording() as inner:
            producers.complete_job_metrics(RUN)
        producers.complete_job_metrics(RUN)
    assert (len(events), len(inner)) == (1, 1)
    assert default.use(before) is before


def test_what_is_recorded_is_what_would_be_written() -> None:
    with recording() as events, producers.job("x", run_id=RUN) as job, job.client("a") as run:
        run.skip("NO_CONTENT")
        run.progress("post_scoring", "completed", "25 posts")
    for number, event in enumerate(events):
        subject = event.run_id if event.client_id is None else f"{event.run_id}-{event.client_id}"
        raw = encode_event(id=str(number), source="/t", type=event.type, subject=subject, time=event.time, sequence=None, data=event.data)
        (decoded,) = decode_batch(join_batch([raw]))
        assert isinstance(decoded, Event)
