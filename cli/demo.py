"""The demo: a scorer that scores leads for several clients with the producers' calls, and a check of what stands in Airtable.

The scores are made up, from a fixed seed; everything behind the calls is the real thing.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli.reading import reading
from contract.settings import Settings
from contract.status import Status
from producers.publisher import Publisher
from producers.runs import ClientRun, Job
from producers.runs.run_ids import take_run_id
from worker.flush.readback import Readback
from worker.store.reader import Reader

CLIENTS = {"acme": "Acme GmbH", "Jane-Doe": "Jane Doe", "nordwind": "Nordwind AG", "quiet": "Quiet & Co", "broken": "Broken Ltd"}
LEADS = 120
_PAUSE_S = 0.01
_SETTLE_S = 90.0
_SKIP_REASONS = ("NO_CONTENT", "INVALID_AI_RESPONSE", "SAFETY_BLOCK", "QUOTA")


@dataclass
class DemoResult:
    """How the demo went. `ok`: the rows in Airtable are what was emitted; `wrong`: each difference, as a sentence."""

    run_id: str
    seconds: float = 0.0
    events: int = 0
    counters: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing was wrong."""
        return not self.wrong


def run_demo(settings: Settings, console: Console) -> DemoResult:
    """Emit, wait until it is folded and flushed, compare Airtable with what was emitted, print a summary."""
    began = time.monotonic()
    publisher = Publisher(settings)
    taken = take_run_id(settings)
    expected: dict[str, Counter[str]] = {}
    with _progress(console) as progress:
        with Job(publisher, taken.run_id, "batch_scoring", 1, taken.origin) as job:
            for client_id, name in CLIENTS.items():
                leads = progress.add_task(name, total=0 if client_id == "quiet" else LEADS)
                expected[client_id] = _score_client(job, client_id, name, lambda leads=leads: progress.advance(leads))
        undelivered = publisher.flush(timeout_s=30)
        result = DemoResult(taken.run_id, events=publisher.counters.get("published", 0))
        if undelivered:
            result.wrong.append(f"{undelivered} events were not delivered")
        with reading(settings) as (reader, _):
            _wait_for_airtable(reader, progress, settings)
            result.counters = reader.counters() | reader.flush_counters(settings.airtable_base_id or "")
    publisher.close()
    result.wrong += compare(settings, taken.run_id, expected)
    result.seconds = time.monotonic() - began
    _summarise(console, result)
    return result


def _progress(console: Console) -> Progress:
    return Progress(TextColumn("{task.description:<14}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console)


def _score_client(job: Job, client_id: str, name: str, scored: Any) -> Counter[str]:
    """One client's leads, one by one, as a scorer would; what its row must say in the end."""
    dice = random.Random(client_id)  # noqa: S311  # a demo, not a secret
    expected: Counter[str] = Counter()
    try:
        with job.client(client_id, name) as run:
            if client_id == "quiet":
                run.note("nothing new since yesterday")
                return expected
            for number in range(LEADS):
                expected += _score_lead(run, dice)
                scored()
                time.sleep(_PAUSE_S)
                _ask_model(client_id, number)
    except ConnectionError:
        expected["failed"] = 1
    return expected


def _ask_model(client_id: str, number: int) -> None:
    """Stands in for the service that scores; it fails one client half-way."""
    if client_id == "broken" and number == LEADS // 2:
        raise ConnectionError("the model's service went away")


def _score_lead(run: ClientRun, dice: random.Random) -> Counter[str]:
    tokens = dice.randint(300, 1500)
    counted = Counter({"Leads Processed": 1, "Profiles Examined for Scoring": 1, "Profile Scoring Tokens": tokens})
    if dice.random() < 0.1:
        run.skip(dice.choice(_SKIP_REASONS))
        counted["Leads Skipped"] = 1
    else:
        counted["Profiles Successfully Scored"] = 1
    run.count({name: number for name, number in counted.items() if name != "Leads Skipped"})
    return counted


def _wait_for_airtable(reader: Reader, progress: Progress, settings: Settings) -> None:
    """Until nothing is left to fold or to flush, or it takes too long (the comparison then says what is missing)."""
    waiting = progress.add_task("into Airtable", total=None)
    deadline = time.monotonic() + _SETTLE_S + settings.flush_interval_s
    while time.monotonic() < deadline:
        backlog, dirty = reader.backlog(), reader.dirty()
        progress.update(waiting, description=f"into Airtable ({backlog} batches, {dirty} rows)"[:40])
        if not backlog and not dirty:
            return
        time.sleep(0.1)


def compare(settings: Settings, run_id: str, expected: dict[str, Counter[str]]) -> list[str]:
    """What stands in Airtable, read back over its API, against what was emitted: each difference as a sentence."""
    readback = Readback(settings)
    found = {fields.get("Client ID"): fields for fields in readback.client_rows(run_id)}
    wrong = [f"client {client} has no row in Airtable" for client in expected if client not in found]
    for client, fields in found.items():
        counts = expected.get(str(client), Counter())
        status = Status.FAILED if counts.pop("failed", 0) else Status.COMPLETED if counts["Leads Processed"] else Status.NO_LEADS
        if fields.get("Status") != status:
            wrong.append(f"client {client} is {fields.get('Status')}, not {status}")
        wrong += [f"client {client}: {name} is {fields.get(name)}, not {n}" for name, n in counts.items() if n and fields.get(name) != n]
    jobs = readback.job_rows(run_id)
    totals: Counter[str] = sum(expected.values(), Counter())
    if len(jobs) != 1:
        return [*wrong, f"{len(jobs)} job rows, not 1"]
    if jobs[0].get("Status") != Status.COMPLETED:
        wrong.append(f"the job is {jobs[0].get('Status')}, not Completed")
    return wrong + [f"the job's {name} is {jobs[0].get(name)}, not {n}" for name, n in totals.items() if jobs[0].get(name) != n]


def _summarise(console: Console, result: DemoResult) -> None:
    counters = result.counters
    table = Table(title="Summary", title_justify="left", box=None, show_header=False, pad_edge=False)
    table.add_row("Run ID", result.run_id)
    table.add_row("Events emitted", f"{result.events:,}")
    table.add_row("Events folded", f"{counters.get('events', 0):,} ({counters.get('duplicates', 0):,} repeats dropped)")
    table.add_row("Rows", f"1 job, {len(CLIENTS)} clients")
    table.add_row("Airtable calls", f"{counters.get('calls', 0):,} for {counters.get('rows_written', 0):,} row writes")
    table.add_row("Rows in Airtable", "[green]as emitted[/]" if result.ok else "[red]WRONG[/]")
    console.print(table)
    for difference in result.wrong:
        console.print(f"  {difference}", style="red", markup=False)
    console.print(f"  runtally run show {result.run_id}", style="dim", markup=False)
