"""The queue: the batches of one publisher and partition on disk, oldest first, in segment files `<partition>-<number>.seg`.

A record is *kept* while its batch is also in memory. A segment goes as a whole, once all its records are delivered: a disk
that is full can be drained.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path

from producers.spool.errors import refused
from producers.spool.folder import sync_directory
from producers.spool.record import Record, pack
from producers.spool.room import Room
from producers.spool.segment import SUFFIX, Segment

_SEGMENT_BYTES = 4_194_304
_TIDY_BYTES = 65_536


class Queue:
    """Not thread-safe. `segments` are those of a dead publisher; a new queue has none."""

    def __init__(self, folder: Path, partition: int, room: Room, segments: list[Segment] | None = None) -> None:
        self.partition = partition
        self._folder = folder
        self._room = room
        self._segments = deque(segments or [])
        self._writing: Segment | None = None
        self._number = 0
        self._damages = 0
        self._names_synced = True

    @property
    def unread(self) -> bool:
        """Whether there are records that are not in memory."""
        return any(segment.unread for segment in self._segments)

    @property
    def done(self) -> bool:
        """Whether every record is delivered."""
        return all(segment.done for segment in self._segments)

    def append(self, record: Record, *, kept: bool) -> tuple[Segment, int]:
        """Write a record behind all others; its place. `kept` only when nothing is unread. Raises SpoolRefused, with the queue
        unchanged."""
        content = pack(record)
        self._room.take(len(content))
        try:
            segment = self._open_for(len(content))
            offset = segment.append(content)
        except BaseException:
            self._room.give(len(content))
            raise
        if kept:
            segment.held += 1
            segment.read_to = segment.size
        return segment, offset

    def next(self) -> tuple[Record, Segment, int] | None:
        """The oldest record that is not in memory, and its place; it is kept from now on."""
        for segment in self._segments:
            found = segment.next()
            if found is not None:
                return found[0], segment, found[1]
        self._remove_done()
        return None

    def unkeep(self, kept: list[tuple[Segment, int]]) -> None:
        """The batches of these places, the newest in memory, leave it: they are to be read again. In order, oldest first."""
        for segment, offset in reversed(kept):
            segment.held -= 1
            segment.read_to = offset

    def delivered(self, segment: Segment) -> None:
        """A kept record is delivered. Its segment goes with the last one."""
        segment.held -= 1
        if segment.done:
            self._remove_done()

    def sync(self) -> None:
        """Everything appended survives a power loss when this returns. Raises SpoolRefused."""
        for segment in self._segments:
            segment.sync()
        if not self._names_synced:
            try:
                sync_directory(self._folder)
            except OSError as error:
                raise refused(error) from error
            self._names_synced = True

    def tidy(self) -> None:
        """Give back the space of delivered records in the file that is being written."""
        writing = self._writing
        if writing is not None and writing.done and writing.size:
            size = writing.size
            if writing.damages:
                self._writing = None
                self._remove_done()
            else:
                writing.empty()
                self._room.give(size)

    def close(self) -> None:
        """Close the files and leave them; those in which everything is delivered are removed. No append afterwards."""
        self._writing = None
        self._remove_done()
        for segment in self._segments:
            segment.close()

    def forget(self) -> None:
        """Close the files and leave them as they are: for a forked child."""
        for segment in self._segments:
            segment.close()

    @property
    def damages(self) -> int:
        """Damaged places found so far."""
        return self._damages + sum(len(segment.damages) for segment in self._segments)

    def _open_for(self, size: int) -> Segment:
        writing = self._writing
        if writing is not None and (writing.size == 0 or writing.size + size <= _SEGMENT_BYTES):
            return writing
        if writing is not None:
            writing.sync()
        self._number += 1
        try:
            self._writing = Segment.make(self._folder / f"{self.partition:04d}-{self._number:08d}{SUFFIX}")
        except OSError as error:
            raise refused(error) from error
        self._segments.append(self._writing)
        self._names_synced = False
        self._remove_done()
        return self._writing

    def _remove_done(self) -> None:
        """Remove segments from the oldest on, up to the first that is needed."""
        while self._segments and self._segments[0].done and self._segments[0] is not self._writing:
            segment = self._segments.popleft()
            segment.remove()
            self._damages += len(segment.damages)
            self._room.give(segment.size)
        if self._writing is not None and self._writing.size >= _TIDY_BYTES:
            self.tidy()


def queues_in(folder: Path, room: Room) -> list[Queue]:
    """The queues of a dead publisher's folder. Raises OSError."""
    segments: dict[int, list[Segment]] = {}
    for path in sorted(folder.glob(f"[0-9]*-*{SUFFIX}")):
        partition = path.stem.partition("-")[0]
        if partition.isdecimal():
            segments.setdefault(int(partition), []).append(Segment(path, path.stat().st_size))
    return [Queue(folder, partition, room, found) for partition, found in segments.items()]
