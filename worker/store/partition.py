"""One partition's log and rows: read, load, commit."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import msgspec

from contract import keys
from contract.errors import StoreRefused
from contract.link import Command, Link
from worker.fold import Changes, Known, Needs
from worker.rows import TEXTS, to_hash
from worker.store.legible import row_or_reason, unreadable
from worker.store.scripts import Script

_commit = Script("commit")
_pack = msgspec.msgpack.Encoder().encode

RawEntry = tuple[str, bytes]
"""ID of a log entry, and its batch."""


class PartitionStore:
    """The store's verbs for one partition, over a link that its caller opens. Holds no state but what it was given.

    Every verb raises StoreUnavailable when Redis is away and StoreRefused when it answers with an error.
    """

    def __init__(self, link: Link, partition: int, decimals: Collection[str], *, id_ttl_s: int, dead_letters: int) -> None:
        """`decimals`: metrics kept as decimals. `id_ttl_s`: how long a set of identities outlives its last addition."""
        self.link = link
        self.partition = partition
        self._decimals = decimals
        self._id_ttl_s = id_ttl_s
        self._dead_letters = dead_letters

    def offset(self) -> str:
        """ID of the last folded entry; `0-0` before the first."""
        stored = self.link.call("HGET", keys.state(self.partition), "offset")
        return stored.decode() if stored else "0-0"

    def read(self, after: str, count: int) -> list[RawEntry]:
        """Up to `count` entries after the offset `after`, oldest first. Reads only. Source: XRANGE, exclusive start.

        An entry without the field `batch` has an empty batch: the fold sets it aside.
        """
        entries = self.link.call("XRANGE", keys.log(self.partition), f"({after}", "+", "COUNT", count)
        return [(entry_id.decode(), _field(fields, b"batch")) for entry_id, fields in entries]

    def load(self, needs: Needs, cached: Collection[str], id_buckets: int) -> Known:
        """What Redis knows of `needs`, save the rows that are `cached`. One round trip, and one more for whole runs.

        `id_buckets`: how many buckets before its own an identity may stand in.
        """
        row_ids = [row_id for row_id in needs.row_ids | self._all_of(needs.whole_runs) if row_id not in cached]
        publishers = list(needs.publishers)
        commands: list[Command] = [("HGETALL", keys.row(self.partition, row_id)) for row_id in row_ids]
        if publishers:
            commands.append(("HMGET", keys.watermarks(self.partition), *publishers))
        asked = [(sorted(digests), bucket - back) for bucket, digests in needs.ids.items() for back in range(id_buckets + 1)]
        commands += [("SMISMEMBER", keys.ids(self.partition, bucket), *digests) for digests, bucket in asked]
        replies = _granted(self.link.pipeline(commands)) if commands else []
        known = Known()
        for row_id, reply in zip(row_ids, replies, strict=False):
            if reply:
                self._note(known, row_id, reply)
        rest = replies[len(row_ids) :]
        if publishers:
            known.marks = {name: int(mark) for name, mark in zip(publishers, rest[0], strict=True) if mark is not None}
            rest = rest[1:]
        for (digests, _), present in zip(asked, rest, strict=True):
            known.seen.update(digest for digest, is_member in zip(digests, present, strict=True) if is_member)
        return known

    def _all_of(self, runs: Collection[str]) -> set[str]:
        """Row IDs of all client runs that the jobs know of."""
        members = _granted(self.link.pipeline([("SMEMBERS", keys.clients(self.partition, run)) for run in runs])) if runs else []
        return {f"{run}-{client.decode()}" for run, clients in zip(runs, members, strict=True) for client in clients}

    def commit(self, read_from: str, changes: Changes) -> bool:
        """Store the changes, all of them or nothing. False when another worker has committed since `read_from` was read.

        A StoreUnavailable leaves it open whether they were stored; the offset tells.
        """
        row_ids = list(changes.rows)
        names = [keys.state, keys.watermarks, keys.publishers, keys.runs, keys.dirty, keys.dead, keys.open_rows]
        script_keys = [name(self.partition) for name in names]
        script_keys += [keys.row(self.partition, row_id) for row_id in row_ids]
        script_keys += [keys.ids(self.partition, bucket) for bucket in changes.ids]
        script_keys += [keys.clients(self.partition, run) for run in changes.clients]
        args = (read_from, changes.offset, changes.received_ms, _pack(self._packed(changes, row_ids)), self._dead_letters)
        return bool(_commit.run(self.link, script_keys, args) == 1)

    def _packed(self, changes: Changes, row_ids: list[str]) -> dict[str, Any]:
        # Texts, not bytes: the server's msgpack knows no binary type.
        def hash_of(row_id: str) -> list[str]:
            row = changes.rows[row_id]
            # A new row gets all its texts, so that a reader finds every field.
            texts = TEXTS if row.version == 1 else changes.texts.get(row_id, ())
            return [part for name, value in to_hash(row, texts).items() for part in (name, value.decode())]

        def entry_of(row_id: str) -> tuple[str, list[str], str, str]:
            row = changes.rows[row_id]
            return row_id, hash_of(row_id), "" if row.terminal else str(row.seen_ms), "dirty" if row_id in changes.touched else ""

        return {
            "rows": [entry_of(row_id) for row_id in row_ids],
            "marks": _flat(changes.marks.items()),
            "ids": [[self._id_ttl_s, *digests] for digests in changes.ids.values()],
            "clients": list(changes.clients.values()),
            "runs": _flat((ms, run) for run, ms in changes.runs.items()),
            "letters": [
                (
                    letter.kind,
                    letter.reason,
                    msgspec.json.encode(letter.origin).decode(),
                    letter.letter.decode(errors="backslashreplace"),
                )
                for letter in changes.letters
            ],
            "counts": _flat(changes.counts.items()),
        }

    def _note(self, known: Known, row_id: str, reply: list[bytes]) -> None:
        fields = dict(zip(reply[::2], reply[1::2], strict=True))
        row = row_or_reason(row_id, fields, self._decimals)
        if isinstance(row, str):
            known.unreadable[row_id] = unreadable(fields, row)
        else:
            known.rows[row_id] = row


def _flat(pairs: Iterable[tuple[str | int, str | int]]) -> list[str]:
    """Numbers go as text: Lua's numbers are doubles."""
    return [str(value) for pair in pairs for value in pair]


def _field(fields: list[bytes], name: bytes) -> bytes:
    found = [value for key, value in zip(fields[::2], fields[1::2], strict=True) if key == name]
    return found[0] if found else b""


def _granted(replies: list[Any]) -> list[Any]:
    for reply in replies:
        if isinstance(reply, StoreRefused):
            raise reply
    return replies
