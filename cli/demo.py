"""The demo: a scorer that scores leads for several clients with the producers' calls, and a check of what stands in Airtable.

The scores are made up, from a fixed seed; everything behind the calls is the real thing.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import Console

from cli.demo_screen import DemoScreen, summarise
from cli.demo_watch import RunWatch, Stand, watching
from contract.settings import Settings
from contract.status import Status
from producers.publisher import Publisher
from producers.runs import ClientRun, Job
from producers.runs.run_ids import take_run_id
from worker.flush.readback import Readback

CLIENTS = {"acme": "Acme GmbH", "Jane-Doe": "Jane Doe", "nordwind": "Nordwind AG", "quiet": "Quiet & Co", "broken": "Broken Ltd"}
LEADS = 120
_PAUSE_S = 0.01
_LOOK_S = 0.1
_SETTLE_S = 90.0
_SKIP_REASONS = ("NO_CONTENT", "INVALID_AI_RESPONSE", "SAFETY_BLOCK", "QUOTA")


@dataclass
class DemoResult:
    """How the demo went. `ok`: the rows in Airtable are what was emitted; `wrong`: each difference, as a sentence.

    `published`: events in the log. `counted`: by how much the counters of folds and flush grew meanwhile."""

    run_id: str
    published: int = 0
    stand: Stand = field(default_factory=Stand)
    counted: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing was wrong."""
        return not self.wrong


def run_demo(settings: Settings, console: Console, check: Callable[[], None]) -> DemoResult:
    """Emit, wait until it is folded and flushed, compare Airtable with what was emitted, print a summary.

    `check` is called several times a second; what it raises ends the demo."""
    publisher = Publisher(settings)
    taken = take_run_id(settings)
    expected: dict[str, Counter[str]] = {}
    with watching(settings, taken.run_id) as watch:
        before = watch.counters()
        with DemoScreen(console) as screen:
            look = _Look(publisher, watch, screen, check, DemoResult(taken.run_id))
            with Job(publisher, taken.run_id, "batch_scoring", 1, taken.origin) as job:
                for client_id, name in CLIENTS.items():
                    expected[client_id] = _score_client(job, client_id, name, screen, look.now_and_then)
            _settle(look, _SETTLE_S + settings.flush_interval_s)
        result = look.result
        result.counted = Counter(watch.counters())
        result.counted.subtract(before)
    if publisher.pending:
        result.wrong.append(f"{publisher.pending} events were not delivered")
    publisher.close()
    result.wrong += compare(settings, taken.run_id, expected)
    _summarise(console, result)
    return result


class _Look:
    """Looks at what has come of the run so far, and has the screen show it."""

    def __init__(self, publisher: Publisher, watch: RunWatch, screen: DemoScreen, check: Callable[[], None], result: DemoResult) -> None:
        self._publisher, self._watch, self._screen, self._check = publisher, watch, screen, check
        self._next = 0.0
        self.result = result

    @property
    def settled(self) -> bool:
        """Whether all is delivered, folded and written, as of the last look."""
        stand = self.result.stand
        return not self._publisher.pending and stand.folded >= self.result.published and stand.rows == stand.written

    def now_and_then(self) -> None:
        """Look, unless that was done a moment ago."""
        if time.monotonic() >= self._next:
            self.now()

    def now(self) -> None:
        """Look."""
        self._check()
        self.result.published = self._publisher.counters["published"]
        self.result.stand = self._watch.look()
        self._screen.flow(self.result.published, self.result.stand)
        self._next = time.monotonic() + _LOOK_S


def _score_client(job: Job, client_id: str, name: str, screen: DemoScreen, look: Callable[[], None]) -> Counter[str]:
    """One client's leads, one by one, as a scorer would; what its row must say in the end."""
    dice = random.Random(client_id)  # noqa: S311  # a demo, not a secret
    expected: Counter[str] = Counter()
    bar = screen.client(name, 0 if client_id == "quiet" else LEADS)
    try:
        with job.client(client_id, name) as run:
            if client_id == "quiet":
                run.note("nothing new since yesterday")
                return expected
            for number in range(LEADS):
                expected += _score_lead(run, dice)
                screen.scored(bar)
                look()
                time.sleep(_PAUSE_S)
                _ask_model(client_id, number)
    except ConnectionError:
        expected["failed"] = 1
        screen.client_failed(bar)
    finally:
        screen.client_ended(bar)
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


def _settle(look: _Look, timeout_s: float) -> None:
    """Until all is folded and written, or it takes too long (the comparison then says what is missing)."""
    deadline = time.monotonic() + timeout_s
    look.now()
    while not look.settled and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
        look.now()


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
    stand, counted = result.stand, result.counted
    facts = [
        ("Events", f"{result.published:,} emitted, {stand.folded:,} folded, {counted['duplicates']:,} repeats dropped"),
        ("Rows in Airtable", f"{stand.written} of {stand.rows}, after {counted['rows_written']:,} writes in {counted['calls']:,} calls"),
    ]
    told = "Airtable does not hold what was emitted" if result.wrong else "Airtable holds exactly what was emitted"
    summarise(console, f"Run {result.run_id}: {told}", facts, result.wrong)
