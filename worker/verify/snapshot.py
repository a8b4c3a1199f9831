"""A run as Redis has it at one moment: its rows, and what points at them. In one transaction, so that no commit falls in between."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from contract import keys
from contract.errors import StoreRefused
from contract.link import Command, Link
from worker.rows import AnyRow, ClientRow, JobRow
from worker.store.dirty import RowRef
from worker.store.legible import NO_HASH, row_or_reason, written_status
from worker.store.offset import is_offset
from worker.store.wrong_type import passed_over

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Stored:
    """What stands at a row's key and what belongs to it. `row` is None when that is none, `reason` says why.

    `odd_status`: the status written there, when it is none of the four.
    """

    ref: RowRef
    row: AnyRow | None
    reason: str = ""
    odd_status: str | None = None
    version: str = ""
    sent_version: str | None = None
    record: str | None = None
    dirty: bool = False
    watched: bool = False

    @property
    def settled(self) -> bool:
        """Whether Airtable should hold exactly this version."""
        return self.row is not None and self.odd_status is None and not self.dirty and self.sent_version == self.version


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One run. `offset`: how far its partition was folded at that moment. `indexed_ms`: its score in the index of runs.
    `retired`: its rows have had their time and went.

    `clients`: client ID -> row, for members of the set and those asked for besides, where anything is. `no_set`: what stands at the key
    of the set is none.
    """

    run: str
    partition: int
    offset: str
    indexed_ms: float | None
    retired: bool
    members: frozenset[str]
    job: Stored | None
    clients: Mapping[str, Stored] = field(default_factory=dict)
    no_set: bool = False

    @property
    def job_row(self) -> JobRow | None:
        return self.job.row if self.job is not None and isinstance(self.job.row, JobRow) else None

    @property
    def client_rows(self) -> dict[str, ClientRow]:
        """The readable ones, by client ID."""
        return {client: stored.row for client, stored in self.clients.items() if isinstance(stored.row, ClientRow)}

    @property
    def rows(self) -> list[Stored]:
        return [*([self.job] if self.job is not None else []), *self.clients.values()]


class Snapshots:
    """Takes snapshots over a link that its caller opens. Raises StoreUnavailable and StoreRefused. Blocks the server for about 10
    microseconds a row."""

    def __init__(self, link: Link, partitions: int, decimals: Collection[str]) -> None:
        self._link = link
        self._partitions = partitions
        self._decimals = decimals

    def take(self, run: str, strays: Iterable[str] = ()) -> Snapshot:
        """The run now. `strays`: client IDs to look for that the job's set of clients may lack."""
        partition = keys.partition_of(run, self._partitions)
        members: set[bytes] = set(at_once(self._link, [("SMEMBERS", keys.clients(partition, run))])[0] or ())
        for _ in range(_TRIES):
            clients = sorted({member.decode() for member in members} | set(strays))
            refs = [RowRef(partition, run), *(RowRef(partition, f"{run}-{client}") for client in clients)]
            commands: list[Command] = [
                ("HGET", keys.state(partition), "offset"),
                ("ZSCORE", keys.runs(partition), run),
                ("ZSCORE", keys.retired(partition), run),
                ("SMEMBERS", keys.clients(partition, run)),
            ]
            offset, score, retired_ms, now, *replies = at_once(self._link, [*commands, *(part for ref in refs for part in _commands(ref))])
            if set(now or ()) == members:
                break
            members = set(now or ())
        stored = [self._stored(ref, replies[3 * n : 3 * n + 3]) for n, ref in enumerate(refs)]
        return Snapshot(
            run=run,
            partition=partition,
            offset=(offset if is_offset(offset or b"") else b"0-0").decode(),
            indexed_ms=None if score is None else float(score),
            retired=retired_ms is not None,
            members=frozenset(member.decode() for member in members),
            job=stored[0],
            clients={client: found for client, found in zip(clients, stored[1:], strict=True) if found is not None},
            no_set=now is None,
        )

    def rows(self, refs: Sequence[RowRef]) -> list[Stored | None]:
        """These rows, of any runs, each as it is at one moment; None where nothing is."""
        if not refs:
            return []
        by_partition: dict[int, list[RowRef]] = {}
        for ref in refs:
            by_partition.setdefault(ref.partition, []).append(ref)
        found: dict[RowRef, Stored | None] = {}
        for group in by_partition.values():
            replies = at_once(self._link, [part for ref in group for part in _commands(ref)])
            found.update({ref: self._stored(ref, replies[3 * n : 3 * n + 3]) for n, ref in enumerate(group)})
        return [found[ref] for ref in refs]

    def _stored(self, ref: RowRef, replies: Sequence[Any]) -> Stored | None:
        reply, dirty, watched = replies
        if reply is None:
            return Stored(ref=ref, row=None, reason=NO_HASH, dirty=dirty is not None, watched=watched is not None)
        if not reply:
            return None
        fields: dict[bytes, bytes] = dict(zip(reply[::2], reply[1::2], strict=True))
        row = row_or_reason(ref.row_id, fields, self._decimals)
        texts = {name: fields[name].decode(errors="replace") for name in (b"v", b"sent_v", b"record") if name in fields}
        return Stored(
            ref=ref,
            row=None if isinstance(row, str) else row,
            reason=row if isinstance(row, str) else "",
            odd_status=written_status(fields),
            version=texts.get(b"v", ""),
            sent_version=texts.get(b"sent_v"),
            record=texts.get(b"record") or None,
            dirty=dirty is not None,
            watched=watched is not None,
        )


def _commands(ref: RowRef) -> list[Command]:
    return [
        ("HGETALL", keys.row(ref.partition, ref.row_id)),
        ("ZSCORE", keys.dirty(ref.partition), ref.row_id),
        ("ZSCORE", keys.open_rows(ref.partition), ref.row_id),
    ]


def at_once(link: Link, commands: Sequence[Command]) -> list[Any]:
    """The replies to commands about one partition, as one transaction; None for each whose key is of the wrong type.

    Raises StoreUnavailable; StoreRefused when one is refused for another reason.
    """
    replies = link.pipeline([("MULTI",), *commands, ("EXEC",)])
    for reply in replies:
        if isinstance(reply, StoreRefused):
            raise reply
    return passed_over([StoreRefused(str(result)) if isinstance(result, Exception) else result for result in replies[-1]], None)
