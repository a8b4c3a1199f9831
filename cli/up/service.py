"""One process that `up` looks after: what to run, and the running of it."""

from __future__ import annotations

import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from contract.errors import RuntallyError
from embedded import tethered

_TAIL_LINES = 15
_PROBE_TIMEOUT_S = 1.0


class ServiceFailed(RuntallyError):
    """A process did not start, or did not become ready. The end of its log stands in the message."""


class Stage(IntEnum):
    """In this order services are ended: first those that make work, last what the others need."""

    EDGE = 0
    WORK = 1
    BASE = 2


@dataclass(frozen=True)
class Service:
    """What to run. Ready means: `health_url` answers with a status below 500, or else `ready_text` stands in its log."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    stage: Stage
    health_url: str = ""
    ready_text: str = ""


class ServiceProcess:
    """The running of one service, in a process group of its own, its output in `<folder>/logs/<name>.log`.

    It dies with this process, so it must be started from the main thread (embedded.tether).
    """

    def __init__(self, service: Service, folder: Path) -> None:
        """Nothing is started; the log of the time before becomes `<name>.log.1`."""
        self.service = service
        self.name = service.name
        self.stage = service.stage
        self.log = folder / "logs" / f"{service.name}.log"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))

    def start(self) -> None:
        """Start it, again if it has ended. Does not wait until it is ready."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                tethered(self.service.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Away from the caller's folder: its .env must not be read twice, nor its packages taken for ours.
                cwd=self._folder,
                env=dict(self.service.environment),
                process_group=0,
            )

    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.poll() if self._process else None

    def ready(self) -> bool:
        """Whether it does its work now."""
        if self.service.health_url:
            return _answers(self.service.health_url)
        return self.service.ready_text in self.log.read_text(errors="replace")

    def terminate(self) -> None:
        """Ask it, and whatever it has started, to end."""
        self.signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it and whatever it has started, and collect it. Harmless when it has ended already."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def log_tail(self) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])

    def signal(self, number: signal.Signals) -> None:
        """To its whole process group; nothing if it has ended."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=_PROBE_TIMEOUT_S):  # noqa: S310  # a loopback URL of our own
            return True
    except urllib.error.HTTPError as error:
        with error:
            return error.code < 500
    except OSError:
        return False
