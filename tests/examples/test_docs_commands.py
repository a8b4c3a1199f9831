"""The commands that README and docs show, run by a shell as they stand: each succeeds on a small prepared state, and does what it says."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import httpx2 as httpx
import pytest

from airtable_sandbox import Limits, Sandbox
from contract import keys
from contract.link import Link
from contract.registry import load_registry
from contract.settings import Settings
from contract.status import Status
from producers.exclusive import Exclusive, Scope
from producers.gateway.access.token import id_of
from simulation.mutations import MUTATIONS
from tests.building import RUN, wire
from tests.conftest import SettingsMaker
from tests.examples.page_blocks import ROOT, block, console
from tests.server.counted_runs import only_run
from tests.server.gateway.conftest import ServedGateway, new_token, served
from tests.server.gateway.test_webhook_apify import payload
from tests.server.verify.conftest import TOKEN, Flow, empty_flow, flow
from worker.consume import Consumer
from worker.dead import DeadLetter, DeadLetters, Wanted

__all__ = ["empty_flow", "flow", "new_token", "served"]

BASH = shutil.which("bash") or "bash"
CURL = 'curl() { command curl -sS --fail-with-body "$@"; }\n'
PARTITION = keys.partition_of(RUN, 8)


class Terminal:
    """A shell with `runtally` on its path and the test's Redis, in a folder of its own. It stops at the first command that fails."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.environment = {
            **os.environ,
            "RUNTALLY_REDIS_URL": settings.redis_url.get_secret_value(),
            "RUNTALLY_PARTITIONS": str(settings.partitions),
            "RUNTALLY_SPOOL_DIR": str(settings.spool_dir),
            "PYTHONPATH": str(ROOT),
            "PATH": f"{self.bin}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "COLUMNS": "140",
        }

    def run(self, code: str, *, given: str = "", **more: str) -> str:
        """What the commands print. Fails with all of it when one does not end with 0."""
        for needed in {"curl", "jq", "make"} & set(re.findall(r"\w+", code)):
            if shutil.which(needed) is None:
                pytest.skip(f"{needed.upper()} IS MISSING: a block of docs was not tested")
        words = [BASH, "-euo", "pipefail", "-c", code]
        done = subprocess.run(
            words, env=self.environment | more, cwd=self.folder, input=given, capture_output=True, text=True, timeout=100, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def command(self, name: str, script: str) -> None:
        """A command of the reader's own."""
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
        path.chmod(0o755)


@pytest.fixture
def terminal(settings: Settings, tmp_path: Path) -> Terminal:
    return Terminal(settings, tmp_path)


def connected(settings: Settings) -> Link:
    link = Link(settings.redis_url.get_secret_value(), name="test")
    link.open()
    return link


def test_the_readmes_way_to_use_it(terminal: Terminal) -> None:
    """As typed, but pip installs nothing and the workers only tell their help: they would not end."""
    code = "\n".join(command for command, _ in console(block("README.md", "$ pip install .")))
    terminal.command("pip", 'echo "$@" >> pip')
    stand_in = 'celery() { command celery "$@" --help > "celery-$3"; }\n'
    with Sandbox(TOKEN, limits=Limits(lockout_s=0.4)) as sandbox:
        for shown, real in (("redis://…", terminal.environment["RUNTALLY_REDIS_URL"]), ("pat…", TOKEN), ("app…", sandbox.base_id)):
            assert shown in code
            code = code.replace(shown, real)
        terminal.run(stand_in + code + "wait\n", RUNTALLY_AIRTABLE_URL=sandbox.url)
        tables = httpx.get(f"{sandbox.url}/v0/meta/bases/{sandbox.base_id}/tables", headers={"Authorization": f"Bearer {TOKEN}"}).json()
    assert {"Job Tracking", "Client Run Results"} <= {table["name"] for table in tables["tables"]}
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    plain, with_extras = (terminal.folder / "pip").read_text("utf-8").splitlines()
    assert plain == "install ."
    assert set(with_extras.partition("[")[2].rstrip("]").split(",")) <= set(extras)
    for program in ("worker", "beat"):
        assert f"-A worker {program}" in code
        assert "Usage" in (terminal.folder / f"celery-{program}").read_text("utf-8")


def test_what_the_readme_says_to_look_with(terminal: Terminal, settings: Settings) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    words = ("runtally exec --job-type import -- ./import.sh", "runtally runs", "runtally run show ID")
    assert [word for word in words if f"`{word}`" not in readme] == []
    terminal.command("import.sh", "echo 120 leads")
    terminal.run(words[0].replace("./", f"{terminal.bin}/"))
    job, _ = only_run(settings)
    listed, shown = (terminal.run(word.replace("ID", job.run)) for word in words[1:])
    assert job.run in listed
    assert "import" in listed
    assert "120 leads" in shown


def letters(settings: Settings) -> list[DeadLetter]:
    link = connected(settings)
    try:
        return list(DeadLetters(link, settings.partitions, None).find(Wanted()))
    finally:
        link.close()


def test_dead_letters_at_the_shell(terminal: Terminal, settings: Settings) -> None:
    """A value that can be edited, an event whose subject cannot be read, and a value that was refused before a metric was changed."""
    metrics = terminal.folder / "metrics.toml"
    metrics.write_text('[metrics."Proxy Cost"]\ntype = "integer"\n', "utf-8")
    subject = f'"{RUN}-Jane-Doe"'.encode()
    events = [
        wire("client.metrics.updated", "Jane-Doe", id="1", metrics={"leads_processed": "many"}),
        wire("client.metrics.updated", "Jane-Doe", id="2", metrics={"errors": 1}).replace(subject, b'"SR-250922-002"'),
        wire("client.metrics.updated", "Jane-Doe", id="3", metrics={"Proxy Cost": "1.5"}),
    ]
    link = connected(settings)
    link.call("XADD", keys.log(PARTITION), "*", "batch", b"[" + b",".join(events) + b"]")
    link.close()
    Consumer(settings, load_registry(metrics), PARTITION).turn()
    metrics.write_text('[metrics."Proxy Cost"]\ntype = "decimal"\n', "utf-8")
    value, event = (next(str(one.id) for one in letters(settings) if mark in one.text) for mark in ("many", "SR-250922-002"))

    code = block("docs/dead-letters.md", "runtally dead list").replace("3:1759234522000-0 --subject", f"{event} --subject")
    terminal.run(code.replace("3:1759234522000-0", value), RUNTALLY_METRICS_FILE=str(metrics))

    assert letters(settings) == []
    Consumer(settings, load_registry(metrics), PARTITION).turn()
    link = connected(settings)
    state = json.loads(link.call("HGET", keys.row(PARTITION, f"{RUN}-Jane-Doe"), "state"))
    link.close()
    assert state["metrics"] == {"Leads Processed": 12, "Errors": 1, "Proxy Cost": "1.5"}


def test_the_gateways_tokens(terminal: Terminal, served: ServedGateway, new_token: Callable[..., str]) -> None:
    lost = new_token("ingest")
    code = "".join(command for command, _ in console(block("docs/gateway.md", "$ runtally token create")))
    assert "3f9c0d2a71be" in code
    told = terminal.run(code.replace("3f9c0d2a71be", str(id_of(lost))))
    made = told.splitlines()[0]
    event = {"specversion": "1.0", "id": "1", "source": "/crm", "type": "client.run.started", "subject": f"{RUN}-acme", "data": {}}
    sent = [httpx.post(f"{served.url}/v1/events", json=event, headers={"Authorization": f"Bearer {token}"}) for token in (made, lost)]
    assert [answer.status_code for answer in sent] == [202, 401]
    assert str(id_of(made)) in told.removeprefix(made)


def test_locks_at_the_shell(terminal: Terminal, settings: Settings) -> None:
    with Exclusive(settings, Scope("post_scoring", 1), run_id=RUN):
        told = terminal.run(block("docs/locks.md", "runtally locks"), given="y\n")
        assert RUN in told
        assert terminal.run("runtally locks list") == "no lock is held\n"


def test_the_line_of_cron(terminal: Terminal, settings: Settings) -> None:
    line = block("docs/producers.md", "*/15 * * * *")
    schedule, command = line.split("  ", 1)
    assert len(schedule.split()) == 5
    terminal.command("import-leads.sh", "exit 0")
    terminal.run(command.replace("/opt/jobs/", f"{terminal.bin}/"))
    job, clients = only_run(settings)
    assert (job.job_type, job.stream, job.status, clients) == ("lead_import", 1, Status.COMPLETED, [])


def test_events_from_the_shell(terminal: Terminal, settings: Settings) -> None:
    code = block("docs/producers.md", "score-leads |")
    (line,) = re.findall(r"# (\{.*\})$", code, re.MULTILINE)
    terminal.command("score-leads", f"echo {shlex.quote(line)}; echo {shlex.quote(line)}")
    terminal.run(block("docs/producers.md", "runtally emit job.started") + code)
    job, (client,) = only_run(settings)
    assert (job.job_type, job.status, client.client, client.status) == ("nightly", Status.COMPLETED, "acme", Status.COMPLETED)
    assert (client.metrics["Leads Processed"], client.skips) == (14, {"NO_CONTENT": 2})


def lines_of_make(page: str, command: str) -> list[list[str]]:
    """The words that each line of a block gives to the program that `make` starts."""
    lines = [shlex.split(line, comments=True) for line in block(page, f"make {command} ").splitlines()]
    assert all(line[:2] == ["make", command] for line in lines)
    return [shlex.split(line[2].removeprefix("ARGS=")) if len(line) > 2 else [] for line in lines]


def test_the_words_of_the_faults(terminal: Terminal) -> None:
    """A minute of load for each would be too long here: what they would run is listed."""
    for words in lines_of_make("docs/reliability.md", "faults"):
        listed = terminal.run(f"python -m faults {shlex.join(words)} --list").splitlines()
        assert len(listed) == 1 if "redis-away" in words else len(listed) > 1


def test_the_words_of_the_measurements(terminal: Terminal) -> None:
    """They take minutes: that the program knows the words has to do."""
    for words in lines_of_make("docs/benchmarks.md", "bench"):
        assert "usage" in terminal.run(f"python -m benchmarks {shlex.join(words)} --help")


def test_schedules_at_the_shell(terminal: Terminal) -> None:
    """With fewer schedules, and one rule of all that can be dropped."""
    code = block("docs/simulation.md", "python -m simulation")
    for shown, quick in (("--schedules 10000", "--schedules 20"), ("--mutate all", f"--mutate {next(iter(MUTATIONS))}")):
        assert shown in code
        code = code.replace(shown, quick)
    told = terminal.run(code)
    assert told.count("no violation") == 2
    assert "caught by seed" in told


def test_verify_at_the_shell(flow: Flow, tmp_path: Path) -> None:
    flow.at_rest()
    more = {
        "RUNTALLY_AIRTABLE_URL": flow.settings.airtable_url,
        "RUNTALLY_AIRTABLE_TOKEN": TOKEN,
        "RUNTALLY_AIRTABLE_BASE_ID": flow.sandbox.base_id,
    }
    told = Terminal(flow.settings, tmp_path).run(block("docs/verify.md", "runtally verify"), **more)
    assert told.count("all is well") == 4
    assert json.loads(told.splitlines()[-1])["left"] == 0


@pytest.fixture
def webhook_settings(make_settings: SettingsMaker, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """With the secrets that docs/webhooks.md shows, read as its shell would hand them on."""
    ((export, _),) = console(block("docs/webhooks.md", "RUNTALLY_WEBHOOK_SECRETS="))
    done = subprocess.run([BASH, "-euc", f"{export}env -0"], capture_output=True, text=True, timeout=20, check=True)
    (text,) = [line.partition("=")[2] for line in done.stdout.split("\0") if line.startswith("RUNTALLY_WEBHOOK_SECRETS=")]
    monkeypatch.setenv("RUNTALLY_WEBHOOK_SECRETS", text)
    settings = make_settings(redis_url=redis_url)
    monkeypatch.delenv("RUNTALLY_WEBHOOK_SECRETS")
    return settings


def test_a_webhook_by_curl(webhook_settings: Settings, tmp_path: Path) -> None:
    ((command, shown),) = console(block("docs/webhooks.md", "$ curl"))
    assert "http://127.0.0.1:8080/" in command
    with ServedGateway(webhook_settings) as served:
        told = Terminal(webhook_settings, tmp_path).run(CURL + command.replace("http://127.0.0.1:8080", served.url))
    job, (client,) = only_run(webhook_settings)
    assert json.loads(told) == json.loads(shown) | {"run_id": job.run}
    assert (job.job_type, client.client, client.metrics["Leads Processed"]) == ("webhook_leads", "acme", 1)


def test_a_mended_webhook_is_sent_again(webhook_settings: Settings, tmp_path: Path) -> None:
    """The reader mends the file between the first line and the second."""
    terminal = Terminal(webhook_settings, tmp_path)
    first, rest = block("docs/webhooks.md", "> mended.json").split("\n", 1)
    with ServedGateway(webhook_settings) as served:
        sent = payload(run_id="UNKNOWN", client_id="acme", posts_harvested=7, day=27)
        headers = {"X-Webhook-Secret": "a-shared-secret-0123"}
        assert httpx.post(f"{served.url}/webhooks/apify", json=sent, headers=headers).status_code == 422
        (letter,) = letters(webhook_settings)
        terminal.run(first.replace("web:1759234522000-0", str(letter.id)))
        mended = terminal.folder / "mended.json"
        assert json.loads(mended.read_text("utf-8")) == sent
        mended.write_text(json.dumps(sent | {"run_id": "250927-141522"}), "utf-8")
        terminal.run(CURL + rest.replace("web:1759234522000-0", str(letter.id)), URL=served.url)
    assert letters(webhook_settings) == []
    job, (client,) = only_run(webhook_settings)
    assert (job.run, client.client, client.metrics["Total Posts Harvested"]) == ("250927-141522", "acme", 7)
