"""A disk that is soon full: a tmpfs. Mounting it needs root."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(mib: int) -> Iterator[Path]:
    """A tmpfs of this size, unmounted afterwards. Raises OSError where that is not allowed."""
    with tempfile.TemporaryDirectory(prefix="runtally-disk-") as folder:
        options = ["-t", "tmpfs", "-o", f"size={mib}m,mode=0700", "tmpfs", folder]
        mounted = subprocess.run(["mount", *options], capture_output=True, check=False)  # noqa: S607
        if mounted.returncode:
            raise OSError(f"cannot mount a tmpfs: {mounted.stderr.decode().strip()}")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)  # noqa: S607


def allowed() -> str | None:
    """Why a tmpfs cannot be mounted here; None when it can."""
    try:
        with small_disk(1):
            return None
    except OSError as error:
        return str(error)
