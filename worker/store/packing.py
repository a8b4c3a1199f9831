"""A fold's changes as the commit script takes them (its ARGV[4])."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from worker.fold import Changes
from worker.rows import TEXTS, to_hash

_pack = msgspec.msgpack.Encoder().encode


def packed(changes: Changes, row_ids: list[str], id_ttl_s: int) -> bytes:
    """The changes, their rows in the order of `row_ids`. `id_ttl_s`: how long a set of identities outlives its last addition."""

    # Texts, not bytes: the server's msgpack knows no binary type.
    def hash_of(row_id: str) -> list[str]:
        row = changes.rows[row_id]
        # A new row gets all its texts, so that a reader finds every field.
        texts = TEXTS if row.version == 1 else changes.texts.get(row_id, ())
        return [part for name, value in to_hash(row, texts).items() for part in (name, value.decode())]

    def entry_of(row_id: str) -> tuple[str, list[str], str, str, str]:
        row = changes.rows[row_id]
        return (
            row_id,
            hash_of(row_id),
            "" if row.terminal else str(row.seen_ms),
            "dirty" if row_id in changes.touched else "",
            "aside" if row_id in changes.aside else "",
        )

    values = {
        "rows": [entry_of(row_id) for row_id in row_ids],
        "there": len(row_ids) - len(changes.made),
        "marks": _flat(changes.marks.items()),
        "ids": [[id_ttl_s, *digests] for digests in changes.ids.values()],
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
    return _pack(values)


def _flat(pairs: Iterable[tuple[str | int, str | int]]) -> list[str]:
    """Numbers go as text: Lua's numbers are doubles."""
    return [str(value) for pair in pairs for value in pair]
