"""A publisher's folder in the spool, and the lock that tells whether its publisher lives.

The lock is an flock on the file `lock`, held for as long as the publisher, or whoever adopted its folder, is at work. The kernel
lets go of it when the process dies, not when it is frozen. A forked child shares it until `forget()`.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

LOCK, ABOUT = "lock", "about.json"

_YOUNG_S = 60.0
"""A hidden folder is being made for so long."""


def target_of(redis_url: str) -> str:
    """What a folder's batches are meant for: the Redis URL without user, password and options."""
    parts = urlsplit(redis_url)
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}"


class Folder:
    """An open folder: its lock is held by this object. Raises OSError as the file system does."""

    def __init__(self, path: Path, lock_fd: int) -> None:
        self.path = path
        self._lock_fd = lock_fd

    @classmethod
    def make(cls, root: Path, nonce: str, target: str, partitions: int) -> Folder:
        """The folder of a new publisher. It appears under its name with the lock already held: dying in between leaves a hidden
        folder without batches, for `sweep`."""
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        hidden = root / f".{nonce}"
        hidden.mkdir(mode=0o700, exist_ok=True)
        lock_fd = os.open(hidden / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write_synced(hidden / ABOUT, about(target, partitions))
            hidden.rename(root / nonce)
            sync_directory(root)
        except BaseException:
            os.close(lock_fd)
            raise
        return cls(root / nonce, lock_fd)

    @classmethod
    def adopt(cls, path: Path) -> Folder | None:
        """The folder of a dead publisher; None when its publisher lives, another has adopted it, or it is gone."""
        try:
            lock_fd = os.open(path / LOCK, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            with suppress(OSError):
                path.rmdir()  # what an adopter left that died while removing it; a folder with batches stays
            return None
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock_fd)
            return None
        # Between open and lock another adopter may have emptied and removed it.
        if os.fstat(lock_fd).st_nlink == 0:
            os.close(lock_fd)
            return None
        return cls(path, lock_fd)

    def forget(self) -> None:
        """Let go of the lock without touching the folder: for a forked child (the parent keeps the lock), and to leave what is in
        it for another to adopt. May be called twice."""
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def remove(self) -> None:
        """Remove the folder, which holds no batches any more, and let go of the lock."""
        with suppress(OSError):
            (self.path / ABOUT).unlink(missing_ok=True)
            (self.path / LOCK).unlink(missing_ok=True)
            self.path.rmdir()
        self.forget()


def sweep(root: Path) -> None:
    """Remove what makers have left that died before their folder had its name: it holds no batches. Never raises.

    Not what is young: a maker has no lock for a moment. One that was frozen for longer finds its folder gone, and makes another.
    """
    with suppress(OSError):
        for hidden in [path for path in root.glob(".*") if path.is_dir() and not path.is_symlink()]:
            if time.time() - hidden.stat().st_mtime > _YOUNG_S:
                folder = Folder.adopt(hidden)
                if folder is not None:
                    folder.remove()


def folders(root: Path) -> Iterator[Path]:
    """The publishers' folders in the spool, in no order."""
    try:
        with os.scandir(root) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")]
    except OSError:
        return
    yield from (root / name for name in names)


def about(target: str, partitions: int) -> dict[str, Any]:
    """What is told of a folder: whom its batches are for, for how many partitions they were cut, and who made it when."""
    made = datetime.now(UTC).isoformat(timespec="seconds")
    return {"target": target, "partitions": partitions, "pid": os.getpid(), "host": os.uname().nodename, "made": made}


def read_about(path: Path) -> dict[str, Any]:
    """What `about` told; empty when it cannot be read."""
    try:
        told = json.loads((path / ABOUT).read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def sync_directory(path: Path) -> None:
    """Make the names in a directory survive a power loss."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _write_synced(path: Path, told: dict[str, Any]) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        content = json.dumps(told).encode()
        if os.write(fd, content) < len(content):
            raise OSError(28, "no space left for the spool's folder")
        os.fsync(fd)
    finally:
        os.close(fd)
