"""A segment: one append-only file of records, of one publisher and one partition."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from producers.spool import record as records
from producers.spool.errors import refused
from producers.spool.record import Damage, Record

SUFFIX = ".seg"


class Segment:
    """`size`: bytes of whole records; what may stand behind them is a torn tail. `read_to`: what lies before is in memory or
    delivered. `held`: records in memory that are not delivered."""

    def __init__(self, path: Path, size: int = 0) -> None:
        self.path = path
        self.size = size
        self.read_to = 0
        self.held = 0
        self.damages: list[Damage] = []
        self.unsynced = False
        self._fd = -1

    @classmethod
    def make(cls, path: Path) -> Segment:
        """A new, empty file. Raises OSError."""
        segment = cls(path)
        segment._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        return segment

    @property
    def unread(self) -> bool:
        """Whether records wait that are not in memory."""
        return self.read_to < self.size

    @property
    def done(self) -> bool:
        """Whether every record is delivered."""
        return not self.held and self.read_to >= self.size

    def append(self, content: bytes) -> int:
        """Write a packed record; its offset. A write that fails in the midst is cut off again, which needs no space.

        Raises SpoolRefused. A crash leaves a torn tail at most. Survives the process at once, a power loss after `sync`."""
        offset = self.size
        try:
            written = 0
            while written < len(content):
                # At its place, not at the file's end: there the rest of a write may stand that failed.
                written += os.pwrite(self._fd, content[written:], offset + written)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._fd, offset)
            raise refused(error) from error
        self.size += len(content)
        self.unsynced = True
        return offset

    def next(self) -> tuple[Record, int] | None:
        """The next record that is not in memory, and its offset; None at the end. Damage on the way is noted and skipped, a torn
        tail cut."""
        while self.unread:
            offset = self.read_to
            try:
                if self._fd < 0:
                    self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
                found, following = records.read(self._fd, offset, self.size)
            except OSError as error:
                found, following = Damage(offset, self.size - offset, str(error)), self.size
            if found is None:
                self.size = offset
                return None
            self.read_to = following
            if isinstance(found, Record):
                self.held += 1
                return found, offset
            self.damages.append(found)
        return None

    def sync(self) -> None:
        """Make what was appended survive a power loss. Raises SpoolRefused: then nobody knows what is on the disk."""
        if self.unsynced:
            try:
                os.fdatasync(self._fd)
            except OSError as error:
                raise refused(error) from error
            self.unsynced = False

    def empty(self) -> None:
        """Cut off all records: each is delivered. Needs no space."""
        with suppress(OSError):
            os.ftruncate(self._fd, 0)
            self.size = self.read_to = 0

    def remove(self) -> None:
        """Remove the file; one with damage is kept beside the folders, as `damaged-…`. Needs no space. Never raises."""
        self.close()
        with suppress(OSError):
            if self.damages:
                with suppress(OSError):
                    self.path.rename(self.path.parent.parent / f"damaged-{self.path.parent.name}-{self.path.name}")
            self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
