"""Run one fault in a process of its own, bounded in time, with nothing of it left afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from embedded import tethered
from faults.discovery import Fault
from faults.leftovers import end_orphans
from faults.verdict import failed, read

_ROOT = Path(__file__).parents[1]
_END_S = 15.0
_TAIL_CHARACTERS = 1_500


def limit_s(seconds: float) -> float:
    """The most that a fault may take: its load, half as long again on a slow machine, the start, and the time to be back."""
    return 1.5 * seconds + 150


def run(fault: Fault, seed: int, seconds: float, longest_s: float | None = None) -> dict[str, Any]:
    """Its verdict; a failed one when it raises, takes longer than `longest_s` (default: `limit_s`), or leaves a process behind."""
    longest_s = limit_s(seconds) if longest_s is None else longest_s
    with tempfile.TemporaryDirectory(prefix="runtally-faults-", ignore_cleanup_errors=True) as folder:
        verdict, log = Path(folder, "verdict.json"), Path(folder, "log")
        with log.open("wb") as output:
            child = subprocess.Popen(
                tethered([sys.executable, "-m", "faults.one", fault.module, str(seed), str(seconds), str(verdict)]),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                # Whatever is left of its files goes with the folder.
                env={**os.environ, "PYTHONPATH": str(_ROOT), "TMPDIR": folder},
                process_group=0,
            )
        try:
            reason = _end_of(child, longest_s)
        finally:
            _end(child)
            left = end_orphans()
        if reason is None and left:
            reason = f"left processes behind: {', '.join(left)}"
        if reason is None:
            return read(fault.name, seed, json.loads(verdict.read_text()))
        return failed(fault.name, seed, f"{reason}\n{log.read_text(errors='replace')[-_TAIL_CHARACTERS:]}".strip())


def _end_of(child: subprocess.Popen[bytes], longest_s: float) -> str | None:
    """None when it ended well."""
    try:
        code = child.wait(longest_s)
    except subprocess.TimeoutExpired:
        return f"took longer than {longest_s:.0f} s"
    return f"ended with exit code {code}" if code else None


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(_END_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
