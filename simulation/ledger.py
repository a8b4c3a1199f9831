"""The ledger: what was emitted and confirmed, against what the rows say; looked at after every step.

Each event adds 4^n to its client's metric, with an n of its own: in base 4 the sum shows each event by itself, 0 lost, 1 counted,
2 or 3 doubled.
"""

from __future__ import annotations

from dataclasses import dataclass

from contract import keys
from contract.registry import load_registry
from simulation.airtable_model import AirtableModel
from simulation.commands import entry_id
from simulation.faults import Faults
from simulation.redis_model import Hash, Stream, Zset
from simulation.scene import Scene
from worker.flush.columns import client_fields, job_fields
from worker.rows import AnyRow, ClientRow, JobRow, from_hash

METRIC = "Leads Processed"
MOST_DIGITS = 30
"""Events a client: the job's total over three clients stays below 2^64."""

REGISTRY = load_registry()


@dataclass(slots=True)
class Emitted:
    """One event: where it counts, and whether its publisher was told that it is delivered."""

    row_id: str
    digit: int
    confirmed: bool = False


class Ledger:
    """Checks; what does not hold is told to the scene."""

    def __init__(self, scene: Scene, airtable: AirtableModel, faults: Faults) -> None:
        self._scene = scene
        self._airtable = airtable
        self._faults = faults
        self.events: dict[str, list[Emitted]] = {}
        """Publisher -> its events; the sequence of each is its place, from 1. One partition a publisher's lane: see `lane`."""
        self._digits: dict[str, int] = {}
        self._checked = (0, 0)
        self._read: dict[bytes, AnyRow] = {}

    def emitted(self, source: str, partition: int, row_id: str) -> Emitted | None:
        """A new event of a publisher; None when its client has had as many as can be told apart."""
        digit = self._digits.get(row_id, 0)
        if digit >= MOST_DIGITS:
            return None
        self._digits[row_id] = digit + 1
        event = Emitted(row_id, digit)
        self.events.setdefault(f"{source}@{partition}", []).append(event)
        return event

    def confirmed(self, source: str, partition: int, first: int, last: int) -> None:
        """A publisher was told that its events `first` to `last` of a partition are delivered."""
        self._scene.note(f"confirmed: {first} to {last} of {source}")
        for event in self.events[f"{source}@{partition}"][first - 1 : last]:
            event.confirmed = True

    def check(self) -> None:
        """What must hold at any time, looked at when Redis has changed."""
        redis = self._scene.redis
        if self._checked != (redis.life, redis.position):
            self._checked = (redis.life, redis.position)
            for partition in range(self._scene.mix.partitions):
                self._check_offset(partition)
            rows = self.rows()
            self._check_events(rows)
            self._check_jobs(rows)
            self._check_retired(rows)

    def rows(self) -> dict[str, AnyRow]:
        """All rows as Redis holds them."""
        redis = self._scene.redis
        found: dict[str, AnyRow] = {}
        for name in redis.keys:
            if ":row:" in name:
                fields = redis.get(name, dict)
                if fields and b"state" in fields:
                    row = self._row(fields)
                    found[row.row_id] = row
        return found

    def _row(self, fields: Hash) -> AnyRow:
        state = fields[b"state"]
        row = self._read.get(state)
        if row is None:
            row = self._read[state] = from_hash({b"state": state}, REGISTRY.decimals)
        return row

    def _check_offset(self, partition: int) -> None:
        redis = self._scene.redis
        state: Hash = redis.get(keys.state(partition), dict) or {}
        log = redis.get(keys.log(partition), Stream)
        offset = entry_id(state.get(b"offset", b"0-0"))
        end = log.last if log else (0, 0)
        if offset > end:
            self._scene.blame(f"the offset {offset} of partition {partition} is beyond its log's end {end}")

    def _check_events(self, rows: dict[str, AnyRow]) -> None:
        beyond = self._faults.beyond
        marks = [self._marks(partition) for partition in range(self._scene.mix.partitions)]
        for lane, events in self.events.items():
            source, _, partition = lane.rpartition("@")
            mark = int(marks[int(partition)].get(source.encode(), 0))
            for sequence, event in enumerate(events, start=1):
                times = self._times(rows, event)
                about = f"event {sequence} of {source} ({event.row_id})"
                if times > 1:
                    self._scene.blame(f"{about} is counted {times} times")
                elif times and sequence > mark:
                    self._scene.blame(f"{about} is counted, but the watermark is {mark}")
                elif not times and sequence <= mark and not beyond and not self._retired(event.row_id):
                    self._scene.blame(f"{about} is lost: the watermark is {mark}, and it is not counted")

    def _marks(self, partition: int) -> Hash:
        return self._scene.redis.get(keys.watermarks(partition), dict) or {}

    @staticmethod
    def _times(rows: dict[str, AnyRow], event: Emitted) -> int:
        row = rows.get(event.row_id)
        return 0 if row is None else int(row.metrics.get(METRIC, 0)) >> (2 * event.digit) & 3

    def _check_jobs(self, rows: dict[str, AnyRow]) -> None:
        totals: dict[str, int] = {}
        statuses: dict[str, dict[str, int]] = {}
        for row in rows.values():
            if isinstance(row, ClientRow):
                totals[row.run] = totals.get(row.run, 0) + int(row.metrics.get(METRIC, 0))
                counted = statuses.setdefault(row.run, {})
                counted[row.status] = counted.get(row.status, 0) + 1
        for row in rows.values():
            if isinstance(row, JobRow):
                if row.metrics.get(METRIC, 0) != totals.get(row.run, 0):
                    self._scene.blame(f"the total of job {row.run} is not the sum of its clients")
                if {str(status): count for status, count in row.clients.items()} != statuses.get(row.run, {}):
                    self._scene.blame(f"job {row.run} counts its clients wrong")
                totals.pop(row.run, None)
        if totals:
            self._scene.blame(f"clients without a job: {sorted(totals)}")

    def _check_retired(self, rows: dict[str, AnyRow]) -> None:
        for row in rows.values():
            if self._retired(row.run):
                self._scene.blame(f"row {row.row_id} is there, and its run was retired")

    def _retired(self, row_id: str) -> bool:
        """Whether the rows of its run went: what was counted went with them, and what comes later does not count."""
        run = row_id[: len("YYMMDD-HHMMSS")]
        return run.encode() in (self._scene.redis.get(keys.retired(keys.partition_of(run, self._scene.mix.partitions)), Zset) or ())

    def check_at_rest(self) -> None:
        """What must hold when faults have ended and everything is drained."""
        rows = self.rows()
        for lane, events in self.events.items():
            for sequence, event in enumerate(events, start=1):
                lost = not self._times(rows, event) and not self._retired(event.row_id)
                if event.confirmed and lost and not self._faults.beyond:
                    self._scene.blame(f"event {sequence} of {lane} was confirmed and is lost")
        if self._scene.mix.flushers:
            self._check_airtable()

    def _check_airtable(self) -> None:
        redis, airtable = self._scene.redis, self._airtable
        shown = airtable.by_key()
        for key, records in shown.items():
            if len(records) > 1:
                self._scene.blame(f"row {key} is {len(records)} times in Airtable")
        for name in sorted(name for name in redis.keys if ":row:" in name):
            row = from_hash(redis.get(name, dict) or {}, REGISTRY.decimals)
            if row.row_id not in shown:
                if row.row_id not in airtable.deleted:
                    self._scene.blame(f"row {row.row_id} is not in Airtable")
                continue
            self._compare(row, shown[row.row_id][0], self._expected(row, name))

    def _compare(self, row: AnyRow, record: dict[str, object], expected: dict[str, object]) -> None:
        if row.run in self._airtable.deleted:
            expected.pop("Job", None)
        wrong = sorted(column for column, value in expected.items() if record.get(column) != value)
        if wrong:
            values = f"{wrong[0]} is {record.get(wrong[0])!r:.80}, not {expected[wrong[0]]!r:.80}"
            self._scene.blame(f"row {row.row_id} is stale in Airtable; {', '.join(wrong)}: {values}")

    def _expected(self, row: AnyRow, name: str) -> dict[str, object]:
        if isinstance(row, JobRow):
            return job_fields(row, REGISTRY)
        job: Hash = self._scene.redis.get(name.removesuffix(f"-{row.client}"), dict) or {}
        return client_fields(row, REGISTRY, job.get(b"record", b"").decode() or None)
