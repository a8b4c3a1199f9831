"""What a check found: each finding by itself, and what mends it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What is wrong. docs/verify.md explains each."""

    STATUS = "status"
    TOTAL = "total"
    CLIENTS = "clients"
    TIMES = "times"
    UNREADABLE = "unreadable"
    ORPHAN = "orphan"
    DANGLING = "dangling"
    LOST = "lost"
    INDEX = "index"
    UNINDEXED = "unindexed"
    UNWATCHED = "unwatched"
    MARK = "mark"
    KEY = "key"
    UNFLUSHED = "unflushed"
    MISSING = "missing"
    DUPLICATE = "duplicate"
    RECORD = "record"
    FIELD = "field"
    LINK = "link"
    COLUMN = "column"
    REPLAY = "replay"


class Mend(StrEnum):
    """What `--repair` does about it."""

    RECOUNT = "recount"
    """An event has the fold count the job anew from its client rows, and derive the named client's status."""
    REBUILD = "rebuild"
    """An event brings the rows as the kept log gives them, if the log still has the whole run."""
    WRITE = "write"
    """The row is marked dirty: the flush writes it whole."""
    SEEK = "seek"
    """The record ID is forgotten and the row marked dirty: the flush finds it by its key, or makes it, and merges duplicates."""
    ASIDE = "aside"
    """What stands at the key of an index is moved aside: the index begins anew."""
    FORGET = "forget"
    """What points nowhere is removed."""
    BY_HAND = "by hand"
    """A person has to decide."""


class State(StrEnum):
    """How far the mending is. What was asked for is done by the fold and the flush: look again after them."""

    OPEN = "open"
    ASKED = "asked"
    MENDED = "mended"


@dataclass(slots=True, kw_only=True)
class Finding:
    """One inconsistency. `place`: redis, airtable or log: where `found` stands. `run`: base run ID, None for what belongs to none.

    `what`: the metric, column or thing it is about. `hint`: what a person should know beyond `mend`.
    """

    kind: Kind
    place: str = "redis"
    run: str | None = None
    client: str | None = None
    what: str
    found: str
    expected: str
    mend: Mend
    hint: str = ""
    state: State = State.OPEN


@dataclass(frozen=True, slots=True)
class Remark:
    """Something worth knowing that is no fault: a run that could not be compared, rows that have had their time."""

    kind: str
    text: str
    run: str | None = None


@dataclass(slots=True)
class Report:
    """What a check came to. `counts`: how much was looked at, and what was passed over because it is still under way."""

    findings: list[Finding] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def left(self) -> list[Finding]:
        """What nothing was done about."""
        return [finding for finding in self.findings if finding.state is State.OPEN]
