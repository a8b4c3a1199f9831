"""What a row and its records in Airtable, compared, come to. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from contract.run_id import parse
from contract.status import Status
from worker.flush.airtable import Found
from worker.flush.columns import LINK
from worker.verify.cells import Difference
from worker.verify.clock import Clock
from worker.verify.finding import Finding, Kind, Mend

_REFUSED = "if it stays, Airtable refused it: the dead letters say why"


@dataclass(frozen=True, slots=True)
class Compared:
    """A settled row: the record ID that Redis has, those that have its key, and what differs when it is one."""

    run: str
    client: str | None
    record: str | None
    records: list[str]
    differences: list[Difference]


def judge(compared: Compared) -> list[Finding]:
    """What is wrong with it."""
    records = compared.records
    if not records:
        return [_finding(compared, Kind.MISSING, "record", "none", f"one with this key (was {compared.record})", Mend.SEEK)]
    if len(records) > 1:
        return [_finding(compared, Kind.DUPLICATE, "record", f"{len(records)} with this key", "one", Mend.SEEK)]
    if compared.record != records[0]:
        return [_finding(compared, Kind.RECORD, "record ID", records[0], f"{compared.record}, as Redis has it", Mend.SEEK)]
    return [_differs(compared, difference) for difference in compared.differences]


def judge_without_row(row_id: str, records: Sequence[Found], clock: Clock) -> list[Finding]:
    """What is wrong with the records of a row that Redis does not have: nothing, once it has had its time there."""
    subject = parse(row_id)
    assert subject.base is not None
    about = Compared(subject.base, subject.client, None, [], [])
    gone = "Redis has no such row any more"
    found = [
        _finding(about, Kind.STATUS, "Status", str(status), "one of the four", Mend.BY_HAND, gone)
        for record in records
        if (status := record.fields.get("Status")) is not None and status not in tuple(Status)
    ]
    if len(records) > 1:
        found.append(_finding(about, Kind.DUPLICATE, "record", f"{len(records)} with this key", "one", Mend.BY_HAND, gone))
    if any(clock.kept_since(_moment(record.fields.get("Last Updated"))) for record in records):
        found.append(_finding(about, Kind.LOST, "row", "none in Redis", "one", Mend.REBUILD, "only the log can give it back"))
    return found


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _differs(compared: Compared, difference: Difference) -> Finding:
    kind = Kind.FIELD
    if difference.column == LINK:
        kind = Kind.LINK
    elif difference.column == "Status" and difference.found not in tuple(Status):
        kind = Kind.STATUS
    return _finding(compared, kind, difference.column, difference.found, difference.expected, Mend.WRITE, _REFUSED)


def _finding(  # a finding's own fields
    compared: Compared, kind: Kind, what: str, found: str, expected: str, mend: Mend, hint: str = ""
) -> Finding:
    return Finding(
        kind=kind,
        place="airtable",
        run=compared.run,
        client=compared.client,
        what=what,
        found=found,
        expected=expected,
        mend=mend,
        hint=hint,
    )
