"""What could never count is refused where it is called, saying what to write instead; a bad value is not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

import producers
from contract.errors import EventRejected, RunIdConflict, RunIdInvalid
from contract.settings import Settings
from producers import default
from producers.batch_scorer import BatchScorer
from producers.publisher import Publisher
from producers.runs.work import Terms
from tests.server.counted_runs import only_run
from worker.rows import text

RUN = "250930-141522"
OF_JANE = f"{RUN}-Jane-Doe"
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def publisher(settings: Settings) -> Iterator[Publisher]:
    publisher = Publisher(settings)
    default.use(publisher)
    yield publisher
    default.use(None)
    publisher.close()


JOB_CALLS: list[Callable[[str], Any]] = [
    producers.create_job_tracking_record,
    producers.update_job_tracking_record,
    producers.update_job_aggregate_metrics,
    producers.complete_job_metrics,
    lambda run_id: producers.job("scoring", run_id=run_id),
    lambda run_id: producers.Publisher.emit(default.publisher(), "job.heartbeat", {"run_id": run_id}),
    lambda run_id: BatchScorer(leads_of={}, score_lead=print).run([], run_id=run_id),
]


@pytest.mark.parametrize("call", JOB_CALLS)
def test_a_jobs_call_with_a_clients_run_is_refused(call: Callable[[str], Any], publisher: Publisher) -> None:
    with pytest.raises(RunIdInvalid, match=RUN):
        call(OF_JANE)
    assert publisher.pending == 0


CLIENT_CALLS: list[Callable[[Any, Any], Any]] = [
    producers.create_client_run_record,
    lambda run_id, client: producers.update_client_metrics(run_id, client, {"errors": 1}),
    producers.complete_client_metrics,
]


@pytest.mark.parametrize("call", CLIENT_CALLS)
def test_a_clients_call_without_a_client_is_refused(call: Callable[[Any, Any], Any], publisher: Publisher) -> None:
    with pytest.raises(EventRejected, match="give its ID too"):
        call(RUN, None)
    with pytest.raises(RunIdConflict):
        call(OF_JANE, "Doe")
    with pytest.raises(RunIdInvalid):
        call(RUN, 7)
    assert publisher.pending == 0
    assert call(OF_JANE, "Jane-Doe")
    assert call(OF_JANE, None)


@pytest.mark.parametrize("kind", ["client.exploded", "", "CLIENT.METRICS.UPDATED", "job.expired", "job.rows.recounted", None])
def test_a_type_that_there_is_not_is_refused(kind: Any, publisher: Publisher) -> None:
    for run_id in (RUN, OF_JANE):
        with pytest.raises(EventRejected, match="is no type of event; there are client"):
            publisher.emit(kind, {"run_id": run_id})


@pytest.mark.parametrize("metrics", [[("leads_processed", 1)], "leads_processed=1", 5, {"leads_processed"}])
def test_metrics_that_are_no_mapping_are_refused(metrics: Any, publisher: Publisher) -> None:
    for call in (
        lambda: producers.update_client_metrics(RUN, "a", metrics),
        lambda: producers.update_client_metrics(RUN, "a", {}, totals=metrics),
        lambda: producers.complete_client_metrics(RUN, "a", metrics=metrics),
        lambda: publisher.emit("client.metrics.updated", {"run_id": RUN, "client_id": "a", "skips": metrics}),
    ):
        with pytest.raises(EventRejected, match="are names with values"):
            call()
    assert publisher.pending == 0


def test_any_mapping_will_do_and_no_value_raises(settings: Settings, publisher: Publisher) -> None:
    class Own(Mapping[str, Any]):
        def __getitem__(self, name: str) -> Any:
            return {"leads_processed": 3}[name]

        def __iter__(self) -> Iterator[str]:
            return iter(["leads_processed"])

        def __len__(self) -> int:
            return 1

    assert producers.update_client_metrics(RUN, "a", Own(), totals=MappingProxyType({"posts_processed": 2}))
    for value in ("not-a-number", "", True, float("nan"), float("inf"), -1, 1.5, object(), [1], None):
        assert producers.update_client_metrics(RUN, "a", {"leads_processed": value, "errors": 1})
    assert producers.flush() == 0
    _, (client,) = only_run(settings)
    assert client.metrics == {"Leads Processed": 3, "Posts Processed": 2, "Errors": 10}


def test_the_run_id_of_the_very_client_is_as_good_as_its_jobs(publisher: Publisher) -> None:
    work = Terms(client="Jane-Doe", run_id=OF_JANE).work(publisher, OF_JANE)
    assert (work.run_id, work.job.run_id) == (OF_JANE, RUN)
    with pytest.raises(RunIdConflict):
        Terms(client="Doe", run_id=OF_JANE).work(publisher, OF_JANE)
    with pytest.raises(RunIdConflict):
        Terms(run_id=OF_JANE).work(publisher, OF_JANE)


def test_what_cannot_be_sent_is_told_in_the_log(settings: Settings, tmp_path: Path) -> None:
    program = (
        "import producers\n"
        "endless = {}; endless['again'] = endless\n"
        "for number in range(3): producers.update_client_metrics('250930-141522', 'a', endless)\n"
        "producers.update_client_metrics('250930-141522', 'a', {'errors': 1})\n"
    )
    environment = {
        "RUNTALLY_REDIS_URL": settings.redis_url.get_secret_value(),
        "RUNTALLY_SPOOL_DIR": str(tmp_path),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    told = [line for line in done.stderr.splitlines() if "events dropped" in line]
    assert told, done.stderr
    assert "unencodable" in told[0]
    assert f"{RUN}-a" in told[0]
    _, (client,) = only_run(settings)
    assert (client.metrics, text(client, "notes").count("never announced")) == ({"Errors": 1}, 1)
