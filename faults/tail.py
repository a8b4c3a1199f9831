"""A power failure, played: what Redis had written and not fsynced is gone when it comes back.

Killing a process loses none of that, since the kernel has it. So fsyncs are switched off, which WAITAOF knows of (it confirms nothing
from then on), the size of the append-only file is noted, and after the kill the file is cut somewhere behind that size.
"""

from __future__ import annotations

import os
from pathlib import Path

from contract.link import Link
from contract.registry import load_registry
from embedded import EmbeddedValkey
from faults.episode import Scene
from worker.store.reader import Reader

KEEP_ONE_FILE = "auto-aof-rewrite-percentage 0"
"""A line of the server's configuration that this needs: a rewritten file would hold the tail under another name."""

_LEAST_BYTES = 20_000


def lose_tail(place: Scene, *, tail_s: float, share: float, quiet: bool) -> int:
    """Redis dies and comes back without the last `share` of what it was told in `tail_s` or somewhat more; how many bytes are gone.

    `quiet`: producers and workers are idle when it dies, their connections open and what they hold in memory folded."""
    link = Link(place.server.url, name="runtally-faults")
    link.open()
    link.call("CONFIG", "SET", "appendfsync", "no")
    file = _append_only_file(place.server)
    # Measured after the switch, so that no fsync still under way reaches beyond it.
    kept_bytes = file.stat().st_size
    place.pause(tail_s)
    # After the fault before, producers may only just be coming back.
    place.pause_until(lambda: file.stat().st_size > kept_bytes + _LEAST_BYTES)
    if quiet:
        place.load.phase("quiet")
        reader = Reader(link, place.settings.partitions, load_registry())
        place.pause_until(lambda: reader.backlog() == 0)
    link.close()
    place.server.kill()
    lost_bytes = int(share * (file.stat().st_size - kept_bytes))
    os.truncate(file, file.stat().st_size - lost_bytes)
    place.server.restart()
    place.load.phase("before")
    return lost_bytes


def _append_only_file(server: EmbeddedValkey) -> Path:
    """The one that is being written."""
    return max((server.data_dir / "appendonlydir").glob("*.incr.aof"), key=lambda path: path.stat().st_mtime_ns)
