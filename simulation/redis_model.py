"""A model of Redis: typed keys with expiry, one clock, and a journal, so that a crash or a failover can take back a tail of writes.

Commands are in commands.py, scripts in scripts.py. Only what Runtally uses is here; anything else raises NotImplementedError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Key = str
Keys = list[str]
Args = list[bytes]
Hash = dict[bytes, bytes]
Value = TypeVar("Value")


def new_hash() -> Hash:
    """An empty hash."""
    return {}


class Stream:
    """Entries in order of their ID, and the last ID ever given."""

    def __init__(self) -> None:
        self.entries: list[tuple[tuple[int, int], list[bytes]]] = []
        self.last = (0, 0)

    def copy(self) -> Stream:
        twin = Stream()
        twin.entries = self.entries.copy()
        twin.last = self.last
        return twin


class Zset(dict[bytes, float]):
    """Member -> score."""

    def copy(self) -> Zset:
        return Zset(self)

    def between(self, low: float, high: float) -> list[bytes]:
        """Members with a score from low to high, by score, then by name."""
        return [name for _, name in sorted((score, name) for name, score in self.items() if low <= score <= high)]


class RedisModel:
    """One dataset in one life after another. A life ends with a crash or a failover; connections live no longer than one.

    `clock_s` tells the true time; `skew_s` is how far this server's clock is off, `grain_ms` how coarse it is in entry IDs
    (a coarse one makes two lives give the same IDs more often). Positions count the commands that wrote.
    """

    def __init__(self, clock_s: Callable[[], float], grain_ms: int) -> None:
        self._clock_s = clock_s
        self.grain_ms = grain_ms
        self.skew_s = 0.0
        self.life = 1
        self.keys: dict[Key, object] = {}
        self.ends_ms: dict[Key, int] = {}
        self.position = 0
        self.fsynced = 0
        self.replicated = 0
        self._journal: list[tuple[int, Key, object, int | None]] = []

    def now_ms(self) -> int:
        """This server's clock, in ms since the epoch."""
        return int((self._clock_s() + self.skew_s) * 1000)

    def stamp_ms(self) -> int:
        """The clock as entry IDs show it."""
        ms = self.now_ms()
        return ms - ms % self.grain_ms

    def get(self, key: Key, kind: type[Value]) -> Value | None:
        """The value of a key, to be read only."""
        ends = self.ends_ms.get(key)
        if ends is not None and ends <= self.now_ms():
            self.delete(key)
        found = self.keys.get(key)
        if found is None:
            return None
        assert isinstance(found, kind), f"WRONGTYPE {key}"
        return found

    def change(self, key: Key, kind: Callable[[], Value]) -> Value:
        """The value of a key, made if there is none, to be changed in place by the command in hand."""
        self.get(key, object)
        self._note(key)
        return self.keys.setdefault(key, kind())  # type: ignore[return-value]  # one kind a key: get() asserts it

    def put(self, key: Key, value: object) -> None:
        """Set a value."""
        self._note(key)
        self.keys[key] = value
        self.ends_ms.pop(key, None)

    def delete(self, key: Key) -> None:
        """Remove a key."""
        if key in self.keys:
            self._note(key)
            del self.keys[key]
            self.ends_ms.pop(key, None)

    def expire(self, key: Key, span_ms: int) -> None:
        """Let a key end."""
        if key in self.keys:
            self._note(key)
            self.ends_ms[key] = self.now_ms() + span_ms

    def fsync(self) -> None:
        """What is written is on disk."""
        self.fsynced = self.position
        self._forget()

    def replicate(self) -> None:
        """What is written is on the replica."""
        self.replicated = self.position
        self._forget()

    def lose(self, position: int) -> int:
        """A new life begins with the writes up to `position`; how many were lost."""
        lost = self.position - position
        while self._journal and self._journal[-1][0] > position:
            _, key, before, ends = self._journal.pop()
            if before is None:
                self.keys.pop(key, None)
            else:
                self.keys[key] = before
            self.ends_ms.pop(key, None)
            if ends is not None:
                self.ends_ms[key] = ends
        self.life += 1
        # What the new life starts from is on its disk and, resynchronised, on its replica.
        self.position = self.fsynced = self.replicated = position
        self._journal.clear()
        return lost

    def _note(self, key: Key) -> None:
        """Keep what is there for a crash. `position` is that of the command in hand plus one only after it: see commands.run."""
        before = self.keys.get(key)
        copied = before.copy() if hasattr(before, "copy") else before
        self._journal.append((self.position + 1, key, copied, self.ends_ms.get(key)))

    def wrote(self) -> bool:
        """Called after each command: whether it wrote; then it has a position of its own."""
        if self._journal and self._journal[-1][0] > self.position:
            self.position += 1
            return True
        return False

    def _forget(self) -> None:
        safe = min(self.fsynced, self.replicated)
        if self._journal and self._journal[0][0] <= safe:
            self._journal = [change for change in self._journal if change[0] > safe]


def text_at(redis: RedisModel, key: Key) -> bytes | None:
    """The text that a key holds."""
    return redis.get(key, bytes)
