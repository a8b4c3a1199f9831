"""Where a publisher's queues live: its own folder, made when it is first needed, and the folders it has adopted."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from producers.spool.errors import refused
from producers.spool.folder import Folder, folders, read_about, sweep, target_of
from producers.spool.lane import Lane, LaneKey
from producers.spool.queue import Queue, queues_in
from producers.spool.room import Room
from producers.spool.scattered import scattered
from producers.spool.segment import SUFFIX

if TYPE_CHECKING:
    from contract.settings import Settings


class Home:
    """Not thread-safe. Opens and writes nothing until asked to."""

    def __init__(self, settings: Settings, nonce: str) -> None:
        self._root = settings.spool_dir.absolute()
        self._nonce = nonce
        self._target = target_of(settings.redis_url.get_secret_value())
        self._partitions = settings.partitions
        self._room = Room(self._root, settings.spool_bytes)
        self._own: Folder | None = None
        self._adopted: dict[str, Folder] = {}

    def queue(self, partition: int) -> Queue:
        """A new queue in this publisher's own folder. Raises SpoolRefused."""
        if self._own is None:
            try:
                self._own = Folder.make(self._root, self._nonce, self._target, self._partitions)
            except OSError as error:
                raise refused(error) from error
        return Queue(self._own.path, partition, self._room)

    def adopt(self, limit: int, *, any_target: bool = False) -> list[Lane]:
        """The lanes of dead publishers' folders meant for the same Redis (or any), with `limit` folders at most in hand. Never raises."""
        lanes: list[Lane] = []
        sweep(self._root)
        for path in sorted(folders(self._root)):
            if len(self._adopted) >= limit:
                break
            if path.name not in self._adopted and (any_target or read_about(path).get("target") == self._target):
                lanes += self._adopt(path)
        return lanes

    def _adopt(self, path: Path) -> list[Lane]:
        folder = Folder.adopt(path)
        if folder is None:
            return []
        try:
            queues = queues_in(path, self._room)
        except OSError:
            folder.forget()
            return []
        if not queues:
            folder.remove()
            return []
        self._adopted[path.name] = folder
        # An older version did not record for how many partitions it cut.
        cut_for = read_about(path).get("partitions", self._partitions)
        foreign = cut_for != self._partitions or any(queue.partition >= self._partitions for queue in queues)
        scatter = partial(scattered, partitions=self._partitions) if foreign else None
        return [Lane((path.name, queue.partition), "", queue=queue, scatter=scatter) for queue in queues]

    def keep_adopted(self, lanes: Mapping[LaneKey, Lane]) -> dict[LaneKey, Lane]:
        """Those of the adopted lanes whose folders are not delivered in full; the folders of the others are removed."""
        busy = {key[0] for key, lane in lanes.items() if isinstance(key, tuple) and not (lane.queue is None or lane.queue.done)}
        for name in self._adopted.keys() - busy:
            for key, lane in lanes.items():
                if isinstance(key, tuple) and key[0] == name and lane.queue is not None:
                    lane.queue.close()
            self._adopted.pop(name).remove()
        return {key: lane for key, lane in lanes.items() if isinstance(key, tuple) and key[0] in busy}

    def close(self) -> None:
        """Let go of all folders; its own is removed when nothing is left in it."""
        own, self._own = self._own, None
        if own is not None:
            if any(own.path.glob(f"*{SUFFIX}")):
                own.forget()
            else:
                own.remove()
        for folder in self._adopted.values():
            folder.forget()

    def forget(self) -> None:
        """For a forked child: let go of the locks, which the parent keeps."""
        for folder in (self._own, *self._adopted.values()):
            if folder is not None:
                folder.forget()
