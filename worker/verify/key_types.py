"""The keys of each partition that are of another type than they have to be."""

from __future__ import annotations

from contract import keys
from contract.link import Link
from worker.store.offset import is_offset
from worker.store.wrong_type import INDEXES, LEDGERS, Type, move_aside, remedy
from worker.verify.finding import Finding, Kind, Mend, State
from worker.verify.snapshot import at_once

_INDEX_HINT = "it begins anew with the next write; what it lacks then is found by the next check"


def check_keys(link: Link, partitions: int, only: int | None = None) -> list[Finding]:
    """A finding for each. `only`: one partition. Raises StoreUnavailable, StoreRefused. What belongs to a run is looked at with the run."""
    found: list[Finding] = []
    for partition in range(partitions) if only is None else [only]:
        wanted = {name(partition): kind for name, kind in (INDEXES | LEDGERS).items()}
        indexes = {name(partition) for name in INDEXES}
        offset, *types = at_once(link, [("HGET", keys.state(partition), "offset"), *(("TYPE", key) for key in wanted)])
        for (key, kind), there in zip(wanted.items(), types, strict=True):
            if there.decode() not in ("none", kind):
                tell = _of_index if key in indexes else _of_ledger
                found.append(tell(key, f"a {there.decode()}", f"a {kind}"))
        if offset is not None and not is_offset(offset):
            found.append(_of_ledger(keys.state(partition), f"offset {offset[:60]!r}", "the ID of a log entry"))
    return found


def mend_keys(link: Link, partitions: int, findings: list[Finding]) -> None:
    """Let the indexes among them begin anew. To be done first: what repairs rows writes to these."""
    types: dict[str, Type] = {name(partition): kind for name, kind in INDEXES.items() for partition in range(partitions)}
    for finding in findings:
        if finding.mend is Mend.ASIDE:
            move_aside(link, finding.what, types[finding.what])
            finding.state = State.MENDED


def standing_still(findings: list[Finding], partitions: int) -> set[int]:
    """The partitions whose log cannot be folded, by these findings."""
    ledgers = {name(partition): partition for name in LEDGERS for partition in range(partitions)}
    return {ledgers[finding.what] for finding in findings if finding.kind is Kind.KEY and finding.what in ledgers}


def _of_index(key: str, found: str, wanted: str) -> Finding:
    return Finding(kind=Kind.KEY, what=key, found=found, expected=wanted, mend=Mend.ASIDE, hint=_INDEX_HINT)


def _of_ledger(key: str, found: str, wanted: str) -> Finding:
    hint = f"its partition stands still: {remedy(key)}"
    return Finding(kind=Kind.KEY, what=key, found=found, expected=wanted, mend=Mend.BY_HAND, hint=hint)
