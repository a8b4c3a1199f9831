"""One partition's log and rows: read, load, commit."""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum

from contract import keys
from contract.errors import StoreRefused
from contract.link import Command, Link
from worker.fold import Changes, Known, Needs
from worker.store import retired
from worker.store.legible import no_hash, row_or_reason, unreadable
from worker.store.offset import is_offset
from worker.store.packing import packed
from worker.store.scripts import Script
from worker.store.wrong_type import INDEXES, Type, granted, is_wrong_type, move_aside, passed_over, remedy, standing_still

_commit = Script("commit")
_NAMES = (keys.state, keys.watermarks, keys.publishers, keys.runs, keys.dirty, keys.dead, keys.open_rows)
"""Of the commit's first keys, in its order."""


RawEntry = tuple[str, bytes]
"""ID of a log entry, and its batch."""


class Committed(IntEnum):
    """What became of a commit; all but STORED have written nothing. GONE: a row that was read is no longer there. MOVED: another worker has
    committed since."""

    GONE = -1
    MOVED = 0
    STORED = 1


class PartitionStore:
    """The store's verbs for one partition, over a link that its caller opens. Holds no state but what it was given.

    Every verb raises StoreUnavailable when Redis is away and StoreRefused when it answers with an error. Where a key is not what it has to
    be, the error names it and what to do.
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
        key = keys.state(self.partition)
        stored = granted(self.link.pipeline([("HGET", key, "offset")])[0], key)
        if stored and not is_offset(stored):
            raise StoreRefused(f"WRONGVALUE {key} says offset {stored[:60]!r}, which is none: mend that field, or {remedy(key)}")
        return stored.decode() if stored else "0-0"

    def read(self, after: str, count: int) -> list[RawEntry]:
        """Up to `count` entries after the offset `after`, oldest first. Reads only. Source: XRANGE, exclusive start.

        An entry without the field `batch` has an empty batch: the fold sets it aside.
        """
        key = keys.log(self.partition)
        entries = granted(self.link.pipeline([("XRANGE", key, f"({after}", "+", "COUNT", count)])[0], key)
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
        # After the rows: a run of which none was found is not retired in between unseen.
        runs = [run for run in needs.runs if run not in cached]
        if runs:
            commands.append(retired.asked(self.partition, runs))
        replies = self.link.pipeline(commands) if commands else []
        known = Known()
        for row_id, reply in zip(row_ids, replies, strict=False):
            if reply:
                self._note(known, row_id, reply)
        rest = [granted(reply, str(command[1])) for command, reply in zip(commands[len(row_ids) :], replies[len(row_ids) :], strict=True)]
        if runs:
            known.retired = retired.told(runs, rest.pop())
        if publishers:
            known.marks = {name: self._mark(name, mark) for name, mark in zip(publishers, rest[0], strict=True) if mark is not None}
            rest = rest[1:]
        for (digests, _), present in zip(asked, rest, strict=True):
            known.seen.update(digest for digest, is_member in zip(digests, present, strict=True) if is_member)
        return known

    def _mark(self, publisher: str, stored: bytes) -> int:
        if not stored.isdigit():
            key = keys.watermarks(self.partition)
            raise StoreRefused(f"WRONGVALUE {key} says {stored[:60]!r} of {publisher[:200]}, which is no sequence: mend that field")
        return int(stored)

    def _all_of(self, runs: Collection[str]) -> set[str]:
        """Row IDs of all client runs that the jobs know of."""
        members = self.link.pipeline([("SMEMBERS", keys.clients(self.partition, run)) for run in runs]) if runs else []
        members = passed_over(members, ())
        return {f"{run}-{client.decode()}" for run, clients in zip(runs, members, strict=True) for client in clients}

    def commit(self, read_from: str, changes: Changes) -> Committed:
        """Store the changes, all of them or nothing, if nobody has committed since `read_from` was read and no row has gone.

        A StoreUnavailable leaves it open whether they were stored; the offset tells.
        """
        row_ids = sorted(changes.rows, key=changes.made.__contains__)
        script_keys = [name(self.partition) for name in _NAMES]
        row_keys = [keys.row(self.partition, row_id) for row_id in row_ids]
        script_keys += row_keys
        script_keys += [keys.ids(self.partition, bucket) for bucket in changes.ids]
        script_keys += [keys.clients(self.partition, run) for run in changes.clients]
        script_keys += [keys.aside(key) for key, row_id in zip(row_keys, row_ids, strict=True) if row_id in changes.aside]
        args = (read_from, changes.offset, changes.received_ms, packed(changes, row_ids, self._id_ttl_s), self._dead_letters)
        result = _commit.run(self.link, script_keys, args)
        if isinstance(result, list):
            self._make_room([script_keys[number - 1] for number in result], changes)
            result = _commit.run(self.link, script_keys, args)
        if isinstance(result, list):
            raise StoreRefused(f"WRONGTYPE {script_keys[result[0] - 1]} is not what it has to be, again and again: who writes there?")
        return Committed(result)

    def _make_room(self, wrong: list[str], changes: Changes) -> None:
        """Move aside what stands in the place of indexes. Raises StoreRefused, before any is moved, when a key is none of them."""
        begin_anew: dict[str, Type] = {keys.clients(self.partition, run): "set" for run in changes.clients}
        begin_anew.update((name(self.partition), kind) for name, kind in INDEXES.items())
        for key in wrong:
            if key.startswith(keys.row(self.partition, "")):
                # The next turn reads it, and sets it aside.
                raise StoreRefused(f"WRONGTYPE {key} is not what it was when it was read")
            if key not in begin_anew:
                raise standing_still(key)
        for key in wrong:
            move_aside(self.link, key, begin_anew[key])

    def _note(self, known: Known, row_id: str, reply: list[bytes] | StoreRefused) -> None:
        if is_wrong_type(reply):
            known.unreadable[row_id] = no_hash(keys.row(self.partition, row_id))
            return
        if isinstance(reply, StoreRefused):
            raise reply
        fields = dict(zip(reply[::2], reply[1::2], strict=True))
        row = row_or_reason(row_id, fields, self._decimals)
        if isinstance(row, str):
            known.unreadable[row_id] = unreadable(fields, row)
        else:
            known.rows[row_id] = row


def _field(fields: list[bytes], name: bytes) -> bytes:
    found = [value for key, value in zip(fields[::2], fields[1::2], strict=True) if key == name]
    return found[0] if found else b""
