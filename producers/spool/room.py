"""How much the spool may still grow: one bound over the whole directory, for all publishers of the host."""

from __future__ import annotations

import os
from pathlib import Path
from time import monotonic

from producers.spool.errors import SpoolRefused

_LOOK_S = 1.0
_LOOK_BYTES = 262_144


class Room:
    """Bytes left in the spool's directory.

    The directory is measured after each `_LOOK_BYTES` taken and each `_LOOK_S`: several publishers that fill it at once can
    exceed the bound by `_LOOK_BYTES` (or a sixteenth of the bound, if that is less) each.
    """

    def __init__(self, root: Path, most_bytes: int) -> None:
        self._root = root
        self._most = most_bytes
        self._step = min(_LOOK_BYTES, most_bytes // 16)
        self._used = 0
        self._taken = 0
        self._looked = float("-inf")

    def take(self, size: int) -> None:
        """Note that the directory grows by `size` bytes. Raises SpoolRefused when it may not."""
        if self._taken + size > self._step or monotonic() - self._looked > _LOOK_S:
            self._used = used_bytes(self._root)
            self._taken = 0
            self._looked = monotonic()
        if self._used + size > self._most:
            raise SpoolRefused(f"the spool holds {self._used} bytes, and may hold {self._most}", "spool_full")
        self._used += size
        self._taken += size

    def give(self, size: int) -> None:
        """Note that `size` bytes were freed."""
        self._used = max(0, self._used - size)


def used_bytes(root: Path) -> int:
    """Bytes in all files of the spool's directory and its folders; 0 when there is none."""
    used = 0
    folders: list[str | Path] = [root]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        used += _size(entry)
        except OSError:
            continue  # removed meanwhile, or another user's
    return used


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except OSError:
        return 0
