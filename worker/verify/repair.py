"""Mending what was found: by events, which the fold decides about, and by dirty marks, which the flush writes. No row is written here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import msgspec

from contract import keys
from contract.events import EventType
from contract.link import Link
from contract.settings import Settings
from contract.sources import VERIFY
from worker.appending import append
from worker.store import dirty
from worker.store.dirty import RowRef
from worker.verify.finding import Finding, Kind, Mend, State
from worker.verify.forgetting import forget
from worker.verify.key_types import mend_keys, standing_still
from worker.verify.log_check import LogCheck, Verdict

_MOST_BYTES = 524_288
"""Rows in one event: half of what an event may have."""

_STANDS_STILL = "its partition stands still: put right the key that is named for it, then repair again"
_NO_LOG = "the log does not have the whole run any more"


class Repair:
    """Mends over a link that its caller opens. Raises StoreUnavailable and StoreRefused; may be repeated, and died in at any point."""

    def __init__(self, link: Link, settings: Settings, log: LogCheck, now_ms: int) -> None:
        self._link = link
        self._partitions = settings.partitions
        self._log = log
        self._now = datetime.fromtimestamp(now_ms / 1000, UTC)

    def mend(
        self, findings: list[Finding], verdicts: Mapping[str, Verdict], strays: Mapping[str, Set[str]], progress: Callable[[str], None]
    ) -> None:
        """Do what each finding asks for, and note it there. `verdicts`: on runs that were compared with the log already."""
        mend_keys(self._link, self._partitions, findings)
        still = standing_still(findings, self._partitions)
        open_ones = [finding for finding in findings if finding.mend not in (Mend.BY_HAND, Mend.ASIDE)]
        lost = {str(finding.run) for finding in open_ones if finding.mend is Mend.REBUILD} - verdicts.keys()
        verdicts = {**verdicts, **{verdict.run: verdict for verdict in self._log.verdicts(lost, strays, progress, only=True)}}
        by_run: dict[str, list[Finding]] = {}
        for finding in open_ones:
            if finding.mend in (Mend.RECOUNT, Mend.REBUILD):
                by_run.setdefault(str(finding.run), []).append(finding)
        for run, wrong in sorted(by_run.items()):
            if keys.partition_of(run, self._partitions) in still:
                for finding in wrong:
                    finding.hint = _STANDS_STILL
                continue
            self._ask(run, wrong, verdicts.get(run), strays.get(run, frozenset()))
        for finding in open_ones:
            self._mark(finding)
            if finding.mend is Mend.FORGET and forget(self._link, self._partitions, finding):
                finding.state = State.MENDED

    def _ask(self, run: str, findings: list[Finding], verdict: Verdict | None, strays: Set[str]) -> None:
        """One event, or a few when its rows are large, for all that is wrong with the rows of a run."""
        rows: Mapping[str, Any] = verdict.rebuilt if verdict is not None and any(f.mend is Mend.REBUILD for f in findings) else {}
        asked: list[Finding] = []
        for finding in findings:
            if finding.mend is Mend.RECOUNT or _row_id(finding) in rows:
                asked.append(finding)
            else:
                self._without_log(finding, verdict, asked)
        if not asked:
            return
        # A row that is brought must still be the version it replaces: listed in an earlier part, it would not be.
        clients = sorted(client for client in {f.client for f in asked} | strays if client is not None and f"{run}-{client}" not in rows)
        offset = self._link.call("HGET", keys.state(keys.partition_of(run, self._partitions)), "offset") or b"0-0"
        for part in _parts(rows):
            self._append(run, {"clients": clients, "rows": part}, verdict.offset if verdict and part else offset.decode())
        for finding in asked:
            finding.state = State.ASKED

    def _without_log(self, finding: Finding, verdict: Verdict | None, asked: list[Finding]) -> None:
        """What the log cannot give back: rows without a job get one made of their sums, what points nowhere goes, the rest stays."""
        whole = verdict is not None and not verdict.reason
        if finding.kind is Kind.ORPHAN:
            asked.append(finding)
        elif (finding.kind is Kind.INDEX or (finding.kind is Kind.LOST and finding.place == "redis" and whole)) and forget(
            self._link, self._partitions, finding
        ):
            finding.state = State.MENDED
        elif not whole:
            finding.hint = verdict.reason if verdict is not None else _NO_LOG

    def _append(self, run: str, data: Mapping[str, Any], offset: str) -> None:
        # The offset moves with the fold that counts this: asked for again after that, it is another event, and before it the same.
        said = blake2b(msgspec.json.encode(data, order="sorted"), digest_size=12).hexdigest()
        append(
            self._link,
            self._partitions,
            type=EventType.ROWS_RECOUNTED,
            run_id=run,
            data={name: value for name, value in data.items() if value},
            source=VERIFY,
            id=f"{run}/{offset}/{said}",
            time=self._now,
        )

    def _mark(self, finding: Finding) -> None:
        if finding.mend not in (Mend.WRITE, Mend.SEEK):
            return
        ref = RowRef(keys.partition_of(str(finding.run), self._partitions), _row_id(finding))
        if finding.mend is Mend.SEEK:
            dirty.forget_record(self._link, ref)
        else:
            dirty.mark(self._link, [ref])
        finding.state = State.ASKED


def _row_id(finding: Finding) -> str:
    return str(finding.run) if finding.client is None else f"{finding.run}-{finding.client}"


def _parts(rows: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows in parts that fit into an event; one empty part for none."""
    part: dict[str, Any] = {}
    size = 0
    for row_id, row in _job_first(rows.items()):
        added = sum(map(len, row["fields"].values())) + len(row_id)
        if part and size + added > _MOST_BYTES:
            yield part
            part, size = {}, 0
        part[row_id] = row
        size += added
    yield part


def _job_first(rows: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """The shortest ID is the job's. It goes into the first part: later parts change its version by recounting it."""
    return sorted(rows, key=lambda row: (len(row[0]), row[0]))
