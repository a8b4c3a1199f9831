"""What is in the spool: for people, who look at it while others work on it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from producers.spool.folder import LOCK, folders, read_about
from producers.spool.room import used_bytes
from producers.spool.segment import SUFFIX, Segment


@dataclass(frozen=True)
class Stored:
    """One folder, or one file that was set aside (`state` is `damaged`). `live`: its publisher, or an adopter, is at work on it, and
    some of its events may be delivered already. `since`: when it was last written to. `damages`: reasons."""

    name: str
    state: str
    events: int
    size_bytes: int
    since: datetime | None
    target: str
    pid: int | None
    damages: tuple[str, ...]


def listed(root: Path) -> list[Stored]:
    """Everything in the spool that holds events, the oldest first. Reads all of it, changes nothing. Never raises for what others
    remove meanwhile."""
    found = [_folder(path) for path in folders(root)]
    found += [_described(path, "damaged", [path]) for path in root.glob(f"damaged-*{SUFFIX}")]
    return sorted((one for one in found if one.events or one.damages), key=lambda one: one.since or datetime.max.replace(tzinfo=UTC))


def _folder(path: Path) -> Stored:
    return _described(path, "live" if _is_locked(path) else "dead", sorted(path.glob(f"*{SUFFIX}")))


def _described(path: Path, state: str, files: list[Path]) -> Stored:
    events, damages = 0, []
    for segment in _segments(files):
        while (found := segment.next()) is not None:
            events += found[0].events
        damages += [damage.reason for damage in segment.damages]
        segment.close()
    about = read_about(path)
    times = [stat.st_mtime for stat in _stats(files)]
    return Stored(
        path.name,
        state,
        events,
        used_bytes(path) if path.is_dir() else sum(stat.st_size for stat in _stats(files)),
        datetime.fromtimestamp(max(times), UTC) if times else None,
        str(about.get("target", "")),
        about.get("pid"),
        tuple(damages),
    )


def _segments(files: list[Path]) -> Iterator[Segment]:
    for path, stat in zip(files, _stats(files), strict=False):
        yield Segment(path, stat.st_size)


def _stats(files: list[Path]) -> Iterator[os.stat_result]:
    for path in files:
        try:
            yield path.stat()
        except OSError:
            return


def _is_locked(path: Path) -> bool:
    try:
        fd = os.open(path / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False
