"""The Python of README and docs, run as it stands, with stand-ins for the user's own code; what comes of it is looked at."""

from __future__ import annotations

import asyncio
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import producers
from contract.errors import RunIdConflict, RunIdInvalid
from contract.registry import load_registry
from contract.settings import Settings
from contract.status import Status
from producers import default
from producers.gateway import handlers
from producers.publisher import Publisher
from tests.examples.page_blocks import block
from tests.server.counted_runs import Run, only_run, runs
from tests.server.test_exec import Shell
from tests.server.verify.conftest import Flow, empty_flow
from worker.flush.naming import load_naming
from worker.rows import text

__all__ = ["empty_flow"]

LEADS = {"client-a": [{"id": "1"}, {"id": "2"}], "client-b": [{"id": "3"}]}
ANSWER = SimpleNamespace(score=7, scores=[1, 2], prompt_tokens=10, completion_tokens=3)
APIFY_RUN = {"id": "aB3dE5fG7hJ9kL1mN", "status": "SUCCEEDED", "usageTotalUsd": 0.25}
MINE: dict[str, Any] = {
    "producers": producers,
    "model": SimpleNamespace(score=lambda _: ANSWER),
    "read_leads": lambda client: LEADS[client],
    "found": ["post 1", "post 2", "post 3"],
    "profiles": ["profile 1", "profile 2"],
    "number_of_posts": 5,
    "apify": SimpleNamespace(actor=lambda _: SimpleNamespace(call=lambda **_: APIFY_RUN)),
}


@pytest.fixture(autouse=True)
def publisher(settings: Settings) -> Iterator[Publisher]:
    publisher = Publisher(settings)
    default.use(publisher)
    yield publisher
    default.use(None)
    assert publisher.close() == 0


def run_block(code: str, **more: Any) -> dict[str, Any]:
    """The names after the block has run."""
    names = MINE | more
    exec(compile(code, "<docs>", "exec"), names)  # noqa: S102  # our own pages
    assert producers.flush() == 0
    return names


def metrics_of(run: Run) -> dict[str, dict[str, Any]]:
    return {client.client: client.metrics for client in run[1]}


def test_the_readmes_five_lines(settings: Settings) -> None:
    run_block(block("README.md", "import producers"))
    job, (client,) = only_run(settings)
    assert (job.job_type, job.status, client.name) == ("batch_scoring", Status.COMPLETED, "Client A")
    assert client.metrics == {"Leads Processed": 1, "Profile Scoring Tokens": 812}


def test_the_batch_scorer_and_its_continuation(settings: Settings) -> None:
    names = run_block(block("docs/producers.md", "BatchScorer("))
    (first,) = runs(settings)
    assert {client: metrics["Leads Processed"] for client, metrics in metrics_of(first).items()} == {"client-a": 2, "client-b": 1}
    assert metrics_of(first)["client-a"]["Prompt Tokens"] == 20
    code = block("docs/producers.md", "run_id=")
    assert "250930-141522" in code
    run_block(code.replace("250930-141522", first[0].run), scorer=names["scorer"], clients=list(LEADS))
    (again,) = runs(settings)
    assert metrics_of(again) == metrics_of(first)


def test_a_lead_as_a_decorated_function(settings: Settings) -> None:
    names = run_block(block("docs/producers.md", "single_scorer.lead"))
    assert names["score"]("client-a", "a profile") == 7
    assert producers.flush() == 0
    assert metrics_of(only_run(settings))["client-a"]["Profiles Successfully Scored"] == 1


def test_posts(settings: Settings) -> None:
    run_block(block("docs/producers.md", "post_scorer.posts"))
    metrics = metrics_of(only_run(settings))["client-a"]
    assert (metrics["Posts Examined for Scoring"], metrics["Posts Successfully Scored"]) == (3, 2)


def test_a_harvest(settings: Settings) -> None:
    run_block(block("docs/producers.md", "post_harvester.harvest"))
    metrics = metrics_of(only_run(settings))["client-a"]
    assert (metrics["Profiles Submitted for Post Harvesting"], metrics["Total Posts Harvested"]) == (2, 5)
    assert (str(metrics["Apify API Costs"]), metrics["Apify Status"]) == ("0.25", "SUCCEEDED")


def test_async_blocks(settings: Settings) -> None:
    code = "async def example():\n" + textwrap.indent(block("docs/producers.md", "async with"), "    ")
    asyncio.run(run_block(code)["example"]())
    assert producers.flush() == 0
    assert metrics_of(only_run(settings)) == {"client-a": {"Leads Processed": 1}}


def test_a_tracked_function(settings: Settings) -> None:
    names = run_block(block("docs/producers.md", "producers.tracked"))
    assert names["import_leads"]("client-a") == LEADS["client-a"]
    assert producers.flush() == 0
    job, (client,) = only_run(settings)
    assert (job.job_type, job.status, client.metrics) == ("nightly_import", Status.COMPLETED, {"Leads Processed": 2})


def test_a_lock(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    code = block("docs/locks.md", "producers.exclusive")
    fences: list[int] = []

    def score(fence: int) -> None:
        fences.append(fence)
        run_block(code, run_id="250930-141523", score=lambda **_: fences.append(-1))

    run_block(code, run_id="250930-141522", score=score)
    assert len(fences) == 1
    assert fences[0] > 0
    assert "250930-141522" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("page", "mark", "names", "call"),
    [
        ("docs/webhooks.md", "on_leads", {"save": lambda *_: None}, lambda take: take("client-a", {"email": "a@example.com"})),
        ("docs/jobs-api.md", "on_job", {"clients": lambda _: ["client-a"], "score_all": lambda _: 4}, None),
    ],
)
def test_handlers_can_be_registered_as_shown(
    page: str, mark: str, names: dict[str, Any], call: Callable[[Any], Any] | None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "_registered", {})
    monkeypatch.setattr(handlers, "_registered_jobs", {})
    monkeypatch.setitem(sys.modules, "shown_handlers", ModuleType("shown_handlers"))
    after = run_block(block(page, mark), __name__="shown_handlers", **names)
    if call is not None:
        assert call(after["take"]) is None
        return
    with producers.job("batch_scoring", run_id="250930-141522") as job:
        after["score"](job, {"group": "all"})
    assert producers.flush() == 0
    assert metrics_of(only_run(settings)) == {"client-a": {"Leads Processed": 4}}


def test_a_script_that_counts_into_the_run_of_runtally_exec(settings: Settings, tmp_path: Path) -> None:
    script = tmp_path / "import_leads.py"
    stand_in = "def read_leads(client):\n    return [1, 2, 3, 4]\n\n\n"
    script.write_text(stand_in + block("docs/producers.md", "import_leads.py"), "utf-8")
    done = Shell(settings, tmp_path).run("--client", "acme", "--", sys.executable, script.name)
    assert (done.returncode, done.stderr) == (0, b"")
    job, (client,) = only_run(settings)
    assert (client.row_id, client.status, client.metrics) == (f"{job.run}-acme", Status.COMPLETED, {"Leads Processed": 4})
    assert "read from the CRM" in text(job, "notes")


def test_a_test_of_ones_own_code(settings: Settings) -> None:
    run_block(block("docs/producers.md", "producers.testing"))["test_every_lead_is_counted"]()
    assert producers.flush() == 0
    assert runs(settings) == []


def test_tracked_celery_tasks(settings: Settings) -> None:
    """In memory, and eager: real workers are in tests/server/test_celery_tasks.py."""
    names = run_block(block("docs/producers.md", "track_tasks(app)").replace("broker=…", 'broker="memory://"'))

    def work(*_: Any) -> None:
        assert producers.current_job().run_id

    names["app"].task(work, name="scoring.score").apply(("acme", [1, 2]))
    names["app"].task(work, name="tidy").apply()
    assert producers.flush() == 0
    found = {job.job_type: [client.client for client in clients] for job, clients in runs(settings)}
    assert found == {"scoring.score": ["acme"], "tidy": []}


def test_run_ids() -> None:
    """Each line gives what stands behind it, or raises it."""
    first, *lines = block("docs/run-ids.md", "run_id.parse").strip().split("\n")
    names: dict[str, Any] = {}
    exec(first, names)  # noqa: S102  # our own page
    faults = {"RunIdInvalid": RunIdInvalid, "RunIdConflict": RunIdConflict}
    told = [line.partition("  # ") for line in lines if line]
    assert len(told) == 5
    for code, _, comment in told:
        fault = faults.get(comment.partition(":")[0])
        if fault is None:
            assert eval(code, names) == comment.split("'")[1], code  # noqa: S307  # our own page
        else:
            with pytest.raises(fault):
                eval(code, names)  # noqa: S307  # our own page


def test_the_sandbox() -> None:
    names = run_block(block("docs/sandbox.md", "import Limits, Sandbox") + "    calls = sandbox.counters()['most_calls_in_one_s']\n")
    assert names["table"].name == "Jobs"
    assert names["calls"] >= 1


def test_other_names_in_the_base(tmp_path: Path) -> None:
    path = tmp_path / "metrics.toml"
    path.write_text(block("docs/airtable.md", "[airtable]"), "utf-8")
    naming = load_naming(path, load_registry(path))
    assert (naming.job.table, naming.client.table) == ("Jobs", "Clients")
    assert (naming.job.of("Stream"), naming.client.of("Errors")) == ("Lane", "fldAbC123def456Gh")


def test_a_flush_from_code(empty_flow: Flow) -> None:
    empty_flow.emit()
    empty_flow.fold()
    empty_flow.at_rest()
    parts = {"settings": empty_flow.settings, "link": empty_flow.link, "registry": empty_flow.registry}
    report = run_block(block("docs/airtable.md", "import flush"), **parts)["report"]
    assert (report.ending, report.waiting) == ("clean", 0)
    assert "# clean," in block("docs/airtable.md", "import flush")
