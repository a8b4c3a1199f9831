"""The whole check, in order: each run by itself, the kept log, Airtable; then the mending."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from contract import keys
from contract.layout import claim_layout
from contract.link import Link
from contract.registry import Registry
from contract.run_id import parse
from contract.settings import Settings
from worker.maintain import now_ms
from worker.store.dirty import RowRef
from worker.store.reader import Reader
from worker.verify.clock import Clock
from worker.verify.finding import Finding, Kind, Mend, Remark, Report
from worker.verify.key_types import check_keys
from worker.verify.log_check import LogCheck, Verdict
from worker.verify.mirror import Mirror
from worker.verify.one_run import check_run
from worker.verify.pacer import PACE_S
from worker.verify.repair import Repair
from worker.verify.replay import MOST_ROWS
from worker.verify.snapshot import Snapshot, Snapshots
from worker.verify.survey import Survey, Surveyor

_COUNTED = {
    "dead_value": "values were dropped so far: `runtally dead list --kind value` has the latest",
    "unknown_metrics": "values of unknown metrics came so far: the notes of their rows name them",
    "integrity_warnings": "rates that cannot be true were met so far: the notes of their rows name them",
}
"""What the folds have counted since the beginning, and an operator should know of: it is no finding, since the rows are true to the log."""

Progress = Callable[[str], None]

_EVERY = 100
"""Runs from one progress line to the next."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to check. `run`: a base run ID, None for all. `pace_s`, `most_rows`: tests set them."""

    run: str | None = None
    airtable: bool = True
    replay: bool = False
    repair: bool = False
    pace_s: float = PACE_S
    most_rows: int = MOST_ROWS


def verify(settings: Settings, link: Link, registry: Registry, options: Options, progress: Progress = lambda _: None) -> Report:
    """Check everything that `options` ask for, over a link that the caller has opened.

    Airtable is left out when no base is set. Raises what the link and Airtable raise (see Records), SettingsInvalid, LayoutMismatch.
    Without `repair` nothing is written but the limiter's places and counters.
    """
    claim_layout(link, settings.partitions)
    return _Check(settings, link, registry, options, progress).run()


class _Check:
    """One check."""

    def __init__(self, settings: Settings, link: Link, registry: Registry, options: Options, progress: Progress) -> None:
        self._settings = settings
        self._link = link
        self._registry = registry
        self._options = options
        self._progress = progress
        self._clock = Clock(now_ms(link), settings.retention_s)
        self._snapshots = Snapshots(link, settings.partitions, registry.decimals)
        self._log = LogCheck(link, settings, registry, self._clock, options.most_rows)
        wanted = options.airtable and settings.has_airtable
        self._mirror = Mirror(settings, link, registry, self._clock, options.pace_s) if wanted else None
        self._verdicts: dict[str, Verdict] = {}
        self._report = Report()

    def run(self) -> Report:
        report = self._report
        if self._mirror is not None:
            report.findings += self._mirror.columns()
            report.findings += self._mirror.read(self._options.run, self._progress)
        survey = Surveyor(self._link, self._settings.partitions, self._options.run).survey()
        if self._options.run is not None:
            survey.runs.add(self._options.run)
        only = None if self._options.run is None else keys.partition_of(self._options.run, self._settings.partitions)
        report.findings += check_keys(self._link, self._settings.partitions, only)
        report.findings += _stray_marks(survey)
        self._runs(survey)
        if self._mirror is not None:
            report.findings += self._mirror.confirm(self._progress)
            report.counts += self._mirror.counts
        if self._options.replay:
            self._replay(survey)
        if self._options.run is None:
            counted = Reader(self._link, self._settings.partitions, self._registry).counters()
            report.counts.update({name: counted.get(name, 0) for name in _COUNTED})
        report.findings = _once(report.findings)
        if self._options.repair:
            repair = Repair(self._link, self._settings, self._log, self._clock.now_ms)
            repair.mend(report.findings, self._verdicts, survey.strays, self._progress)
        self._remark()
        return report

    def _runs(self, survey: Survey) -> None:
        for number, run in enumerate(sorted(survey.runs)):
            if number % _EVERY == 0:
                self._progress(f"{number:,} of {len(survey.runs):,} runs checked")
            self._one(self._snapshots.take(run, survey.strays.get(run, ())))

    def _one(self, snapshot: Snapshot) -> None:
        report = self._report
        report.findings += check_run(snapshot, self._registry, self._clock)
        report.counts["runs"] += bool(snapshot.rows)
        report.counts["rows"] += len(snapshot.rows)
        report.counts["waiting"] += sum(stored.dirty for stored in snapshot.rows)
        if self._mirror is not None:
            self._mirror.suspect(stored.ref for stored in snapshot.rows if self._mirror.unseen(stored))

    def _replay(self, survey: Survey) -> None:
        only = self._options.run is not None
        for verdict in self._log.verdicts(survey.runs, survey.strays, self._progress, only=only):
            self._verdicts[verdict.run] = verdict
            self._report.findings += verdict.findings
            if verdict.reason:
                self._report.counts["uncompared"] += 1
                self._report.remarks.append(Remark("uncompared", verdict.reason, verdict.run))
            else:
                self._report.counts["replayed"] += 1

    def _remark(self) -> None:
        if self._mirror is None and self._options.airtable:
            self._report.remarks.append(Remark("airtable", "not compared with Airtable: no token or no base is set"))
        texts = {
            "waiting": "rows wait to be written to Airtable: they are not compared with it",
            "expired": "records in Airtable of rows that have had their time in Redis",
            "foreign": "records in Airtable whose key is no run ID of ours: left alone",
            "unsettled": "rows changed at every look: check again",
        }
        texts |= _COUNTED
        counts = self._report.counts
        self._report.remarks += [Remark(name, f"{counts[name]:,} {text}") for name, text in texts.items() if counts[name]]


def _stray_marks(survey: Survey) -> list[Finding]:
    found = [_mark(ref) for ref in survey.marks]
    for ref in survey.strange:
        hint = "somebody wrote it past the log: decide, and delete the key"
        found.append(
            Finding(kind=Kind.UNREADABLE, what=f"row {ref.row_id[:60]!r}", found="one", expected="a run ID", mend=Mend.BY_HAND, hint=hint)
        )
    return found


def _mark(ref: RowRef) -> Finding:
    subject = parse(ref.row_id)
    finding = Finding(kind=Kind.MARK, what="dirty mark", found="one", expected="none: no such row", mend=Mend.FORGET)
    if subject.standard == ref.row_id:
        finding.run, finding.client = subject.base, subject.client
    else:
        finding.what, finding.mend, finding.hint = f"dirty mark {ref.row_id[:60]!r}", Mend.BY_HAND, "the next flush removes it"
    return finding


def _once(findings: list[Finding]) -> list[Finding]:
    """Without what two ways of looking have found alike."""
    kept: dict[tuple[object, ...], Finding] = {}
    for finding in findings:
        place = "" if finding.kind is Kind.LOST else finding.place
        kept.setdefault((finding.kind, place, finding.run, finding.client, finding.what), finding)
    return list(kept.values())
