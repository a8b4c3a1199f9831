"""Where a fault is played: a Valkey, a sandbox and senders, each a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from airtable_sandbox import FIRST_BASE_ID, Remote
from contract import keys
from contract.link import Link
from contract.registry import load_registry
from contract.settings import Settings, load_settings
from embedded import EmbeddedValkey, free_port, tethered
from faults.airtable.sender import READY
from worker.flush.flusher import Pace
from worker.flush.schema import init_base
from worker.store import dirty

ROOT = Path(__file__).parents[2]
_TOKEN = "pat-of-the-faults"  # noqa: S105 - the sandbox's, made up
_START_S = 30.0
REAL_FROM_S = 120.0
"""A play of this length keeps Airtable's real times; a shorter one shortens them, in the same relation."""

SHORT = Pace(quarantine_s=1.0, lockout_s=1.0, lease_s=3.0, open_s=0.5, open_most_s=0.75, refused_s=0.5, refused_most_s=1.0, recheck_s=1.0)


def pace_for(seconds: float) -> Pace:
    """The times of a play of this length."""
    return Pace() if seconds >= REAL_FROM_S else SHORT


class Place:
    """Holds the processes. Used from one thread."""

    def __init__(self, folder: Path, valkey: EmbeddedValkey, pace: Pace) -> None:
        self._folder = folder
        self._port = free_port()
        self._sandbox: subprocess.Popen[bytes] | None = None
        self._senders: list[subprocess.Popen[bytes]] = []
        self._past: list[dict[str, Any]] = []
        self.pace = pace
        self.url = f"http://127.0.0.1:{self._port}"
        self.remote = Remote(self.url, _TOKEN)
        self.settings: Settings = load_settings(
            _env_file=None,
            redis_url=valkey.url,
            airtable_url=self.url,
            airtable_token=_TOKEN,
            airtable_base_id=FIRST_BASE_ID,
            airtable_timeout_s=1.0 if pace == SHORT else 20.0,
        )
        self.registry = load_registry()
        self.link = Link(valkey.url, name="fault")
        self.link.open()

    @property
    def environment(self) -> dict[str, str]:
        settings = self.settings
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("RUNTALLY_")},
            "PYTHONPATH": str(ROOT),
            "RUNTALLY_REDIS_URL": settings.redis_url.get_secret_value(),
            "RUNTALLY_AIRTABLE_URL": settings.airtable_url,
            "RUNTALLY_AIRTABLE_TOKEN": _TOKEN,
            "RUNTALLY_AIRTABLE_BASE_ID": FIRST_BASE_ID,
            "RUNTALLY_AIRTABLE_TIMEOUT_S": str(settings.airtable_timeout_s),
        }

    @property
    def lease_s(self) -> float:
        """How long a flusher that says nothing keeps the base, at most."""
        return max(self.pace.lease_s, 4 * self.settings.airtable_timeout_s + 2)

    def start_sandbox(self) -> None:
        """Start it, or start it again with what it held, on the same port."""
        command = ["-m", "cli.main", "sandbox", "--port", str(self._port), "--data-dir", str(self._folder)]
        self._sandbox = self._start(*command)
        deadline = time.monotonic() + _START_S
        while True:
            with suppress(OSError):
                self.remote.set_limits(lockout_s=self.pace.lockout_s * 0.95)
                return
            if time.monotonic() > deadline:
                raise TimeoutError("the sandbox did not start")
            time.sleep(0.05)

    def stop_sandbox(self) -> None:
        """Nobody listens at its port from now on."""
        assert self._sandbox is not None
        self._past.append(self.remote.counters())
        self._sandbox.send_signal(signal.SIGTERM)
        self._sandbox.wait(10)

    def start_senders(self, *kinds: str) -> None:
        """Processes that send, see sender.py; they are at work when this returns."""
        for kind in kinds:
            self._senders.append(self._start("-m", "faults.airtable.sender", kind, json.dumps(asdict(self.pace))))
        self._await_senders()

    def _await_senders(self) -> None:
        deadline = time.monotonic() + _START_S
        while sum(READY in log.read_text() for log in self._folder.glob("*.log")) < len(self._senders):
            if time.monotonic() > deadline:
                raise TimeoutError("the senders did not start")
            time.sleep(0.05)

    def start_freezing(self, switch: Path) -> subprocess.Popen[bytes]:
        """A flusher that freezes itself now and then while `switch` exists, see freezing_flusher.py; it is at work when this returns."""
        self._senders.append(self._start("-m", "faults.airtable.freezing_flusher", json.dumps(asdict(self.pace)), str(switch)))
        self._await_senders()
        return self._senders[-1]

    def counters(self) -> dict[str, int]:
        """The sandbox's, over all its lives: the fullest second, lockouts, 429s."""
        lives = [*self._past, self.remote.counters()]
        most = max(life["most_calls_in_one_s"] for life in lives)
        return {"most_calls_in_one_s": most} | {name: sum(life[name] for life in lives) for name in ("calls", "lockouts", "rate_limited")}

    def flushed(self, name: str = "rows_written") -> int:
        """A counter of the flush."""
        return int(self.link.call("HGET", keys.flush_counters(FIRST_BASE_ID), name) or 0)

    def absent(self) -> list[str]:
        """The columns that the base was last seen to lack."""
        names = self.link.call("HKEYS", keys.flush_counters(FIRST_BASE_ID))
        return [name.decode() for name in names if name.startswith(b"absent:")]

    def letters(self) -> list[dict[str, str]]:
        """The flush's dead letters."""
        entries = self.link.call("XRANGE", keys.flush_dead(FIRST_BASE_ID), "-", "+")
        return [{k.decode(): v.decode() for k, v in zip(fields[::2], fields[1::2], strict=True)} for _, fields in entries]

    def dirty(self) -> int:
        """Rows that Airtable does not hold in their newest version."""
        return dirty.count(self.link, self.settings.partitions)

    def close(self) -> None:
        """End every process; killed, since nothing may depend on a farewell."""
        for process in [*self._senders, *([self._sandbox] if self._sandbox else [])]:
            process.kill()
            process.wait()
        self.link.close()

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        number = len(list(self._folder.glob("*.log")))
        with (self._folder / f"{number}.log").open("wb") as log:
            command = tethered([sys.executable, *arguments])
            return subprocess.Popen(command, cwd=self._folder, env=self.environment, stdout=log, stderr=log)


@contextmanager
def place(seconds: float) -> Iterator[Place]:
    """A place with both tables in the sandbox, and no sender yet."""
    with TemporaryDirectory(prefix="runtally-fault-") as folder, EmbeddedValkey(aof=False) as valkey:
        scene = Place(Path(folder), valkey, pace_for(seconds))
        try:
            scene.start_sandbox()
            init_base(scene.settings, scene.link, scene.registry)
            scene.link.call("DEL", keys.limiter(FIRST_BASE_ID))
            scene.remote.reset_limits()
            scene.remote.reset_counters()
            yield scene
        finally:
            scene.close()
