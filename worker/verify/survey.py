"""Which runs there are: those of the index, and those of which any row is there, found by looking at every key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from contract import keys
from contract.link import Command, Link
from contract.run_id import parse
from worker.store.dirty import RowRef
from worker.store.wrong_type import passed_over
from worker.verify.snapshot import at_once

_SCANNED = 1_000
"""Keys that the server looks at in one step of a scan."""

_ESCAPED = str.maketrans({character: f"\\{character}" for character in "*?[]\\"})


@dataclass(slots=True)
class Survey:
    """`strays`: run -> client IDs of rows that the job's set of clients lacks, as far as could be seen in passing.

    `marks`: dirty marks without a row. `strange`: row IDs that are no run IDs.
    """

    runs: set[str] = field(default_factory=set)
    strays: dict[str, set[str]] = field(default_factory=dict)
    marks: list[RowRef] = field(default_factory=list)
    strange: list[RowRef] = field(default_factory=list)


class Surveyor:
    """Looks over a link that its caller opens. Raises StoreUnavailable and StoreRefused. Reads only; memory: 100 bytes a run."""

    def __init__(self, link: Link, partitions: int, only: str | None) -> None:
        """`only`: a base run ID: all else is passed over."""
        self._link = link
        self._only = only
        self._partitions = range(partitions) if only is None else [keys.partition_of(only, partitions)]

    def survey(self) -> Survey:
        """What is there."""
        survey = Survey()
        for partition in self._partitions:
            survey.runs.update(run.decode() for run in self._scanned("ZSCAN", keys.runs(partition), self._only or ""))
            for rows in self._row_ids(partition):
                self._note(survey, partition, rows)
            survey.marks += self._marks(partition)
        return survey

    def _note(self, survey: Survey, partition: int, row_ids: list[str]) -> None:
        clients: list[tuple[str, str]] = []
        for row_id in row_ids:
            parsed = parse(row_id)
            if parsed.base is None or parsed.standard != row_id:
                survey.strange.append(RowRef(partition, row_id))
                continue
            if self._only in (None, parsed.base):
                survey.runs.add(parsed.base)
                if parsed.client is not None:
                    clients.append((parsed.base, parsed.client))
        commands: list[Command] = [("SISMEMBER", keys.clients(partition, run), client) for run, client in clients]
        for (run, client), member in zip(clients, self._ask(commands), strict=True):
            if not member:
                survey.strays.setdefault(run, set()).add(client)

    def _row_ids(self, partition: int) -> Iterator[list[str]]:
        """Row IDs of a partition, some at a time; any may come twice. Source of the promise: valkey.io/commands/scan."""
        prefix = keys.row(partition, "")
        pattern = f"{keys.row(partition, self._only or '').translate(_ESCAPED)}*"
        cursor = b"0"
        while True:
            cursor, found = self._link.call("SCAN", cursor, "MATCH", pattern, "COUNT", _SCANNED)
            if found:
                yield [key.decode().removeprefix(prefix) for key in found]
            if cursor == b"0":
                return

    def _scanned(self, verb: str, key: str, start: str) -> Iterator[bytes]:
        """The members of a sorted set that begin with `start`, some of them twice; none of a key that is no sorted set."""
        cursor = b"0"
        while True:
            command = (verb, key, cursor, "MATCH", f"{start.translate(_ESCAPED)}*", "COUNT", _SCANNED)
            [[cursor, found]] = passed_over(self._link.pipeline([command]), (b"0", ()))
            yield from found[::2]
            if cursor == b"0":
                return

    def _marks(self, partition: int) -> list[RowRef]:
        marked = list({RowRef(partition, row_id.decode()) for row_id in self._scanned("ZSCAN", keys.dirty(partition), self._only or "")})
        gone: list[RowRef] = []
        for begin in range(0, len(marked), _SCANNED):
            refs = marked[begin : begin + _SCANNED]
            commands: list[Command] = [("EXISTS", keys.row(partition, ref.row_id)) for ref in refs]
            gone += [ref for ref, there in zip(refs, self._ask(commands), strict=True) if not there and self._still_gone(ref)]
        return gone

    def _still_gone(self, ref: RowRef) -> bool:
        """A second look at both sides at once."""
        there, mark = at_once(self._link, [("EXISTS", keys.row(*ref)), ("ZSCORE", keys.dirty(ref.partition), ref.row_id)])
        return not there and mark is not None

    def _ask(self, commands: list[Command]) -> list[int]:
        return passed_over(self._link.pipeline(commands) if commands else [], 0)
