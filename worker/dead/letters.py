"""The dead letters of a Redis: found, newest first over all places, and deleted."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from contract import keys
from contract.link import Link
from worker.dead.letter import AIR, WEB, DeadLetter, LetterId, from_entry
from worker.dead.wanted import Wanted
from worker.store.wrong_type import passed_over

_AT_ONCE = 50
"""Letters of one round trip: each may be as large as an event."""


class DeadLetters:
    """Reads and deletes over a link that its caller opens. Every verb raises StoreUnavailable and StoreRefused.

    A place whose stream is of another type has no letters: `runtally verify` tells of that."""

    def __init__(self, link: Link, partitions: int, base_id: str | None) -> None:
        """`base_id`: the base whose refused fields and rows are among them; None for none."""
        self._link = link
        self._streams = {str(partition): keys.dead(partition) for partition in range(partitions)}
        self._counters = [keys.state(partition) for partition in range(partitions)]
        self._streams[WEB] = keys.GATEWAY_DEAD
        self._counters.append(keys.GATEWAY_COUNTERS)
        if base_id is not None:
            self._streams[AIR] = keys.flush_dead(base_id)
            self._counters.append(keys.flush_counters(base_id))

    def find(self, wanted: Wanted, before: LetterId | None = None) -> Iterator[DeadLetter]:
        """The wanted letters, newest first, read as they are asked for. `before`: only those that come after this one in that order.

        What is set aside while somebody goes through them does not appear: so to send each again ends.
        """
        since_ms = 0 if wanted.since is None else int(wanted.since.timestamp() * 1000)
        places = [self._place(place, since_ms, before) for place in self._streams]
        newest_first = heapq.merge(*places, key=lambda letter: letter.id, reverse=True)
        return (letter for letter in newest_first if wanted.holds(letter))

    def get(self, wanted: LetterId) -> DeadLetter | None:
        """One letter; None when there is none."""
        stream = self._streams.get(wanted.place)
        if stream is None:
            return None
        entries = self._link.call("XRANGE", stream, wanted.entry, wanted.entry)
        return from_entry(wanted.place, *entries[0]) if entries else None

    def drop(self, unwanted: LetterId) -> bool:
        """Delete one. False when it was gone. Safe to repeat."""
        stream = self._streams.get(unwanted.place)
        return stream is not None and self._link.call("XDEL", stream, unwanted.entry) == 1

    def bound_dropped(self) -> int:
        """How many letters the bound has dropped in all places, ever."""
        counts = passed_over(self._link.pipeline([("HGET", counters, "dead_dropped") for counters in self._counters]), None)
        return sum(int(count) for count in counts if count is not None and count.isdigit())

    def _place(self, place: str, since_ms: int, before: LetterId | None) -> Iterator[DeadLetter]:
        end = "+"
        if before is not None:
            # The place decides between letters of the same ID, as it does in the merged order.
            end = before.entry if place < before.place else f"({before.entry}"
        while True:
            command = ("XREVRANGE", self._streams[place], end, since_ms, "COUNT", _AT_ONCE)
            [entries] = passed_over(self._link.pipeline([command]), ())
            if not entries:
                return
            for entry, fields in entries:
                yield from_entry(place, entry, fields)
            end = f"({entries[-1][0].decode()}"
