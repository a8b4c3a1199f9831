"""Start services, start them again when they die, end them in order."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cli.up.service import Service, ServiceFailed, ServiceProcess, Stage
from cli.up.stop_signal import StopSignal

READY_TIMEOUT_S = 60.0
_POLL_S = 0.05
_START_ATTEMPTS = 3
_LONGEST_PAUSE_S = 5.0
"""A Redis that restarts may end whoever uses it, more than once: all must be back well within a minute of its return."""
_SETTLED_S = 60.0
_GRACE_S = {Stage.EDGE: 2.5, Stage.WORK: 3.5, Stage.BASE: 1.5}
"""How long a stage may take to end by itself. With the server's 2 s it makes less than 10 s."""


class Restartable(Protocol):
    """What can be watched."""

    name: str

    def start(self) -> None: ...

    def exit_code(self) -> int | None: ...


@dataclass
class _Watched:
    """`again_at`: when to start it again (monotonic), None while it runs; `failures` in a row."""

    target: Restartable
    failures: int = 0
    started_at: float = field(default_factory=time.monotonic)
    again_at: float | None = None


class Supervisor:
    """Owns the processes of one `up`. Used by the main thread only; `tell` gets a line for people whenever one dies."""

    def __init__(self, folder: Path, stop: StopSignal, tell: Callable[[str], None]) -> None:
        self._folder = folder
        self._stop = stop
        self._tell = tell
        self._processes: list[ServiceProcess] = []
        self._watched: list[_Watched] = []

    def watch(self, target: Restartable) -> None:
        """From now on, start it again whenever it dies."""
        self._watched.append(_Watched(target))

    def start(self, make: Callable[[], Service]) -> Service:
        """Start a service and wait until it is ready. `make` is called again, for another port, when it ends at once.

        Raises ServiceFailed, KeyboardInterrupt when `stop` was requested."""
        return self.start_all([make])[0]

    def start_all(self, makers: list[Callable[[], Service]]) -> list[Service]:
        """The same for several at once; the services in the order of `makers`."""
        started = [(make, self._spawn(make())) for make in makers]
        return [self._await_ready(make, process).service for make, process in started]

    def tend(self) -> None:
        """Look once at everything that is watched. Call it several times a second."""
        now = time.monotonic()
        for watched in self._watched:
            if watched.again_at is not None:
                if now >= watched.again_at:
                    self._start_again(watched)
            elif (code := watched.target.exit_code()) is not None:
                self._note_death(watched, code, now)

    def end(self) -> None:
        """End all processes, stage by stage; those that do not go are killed. Within 8 s. Safe to repeat."""
        self._watched.clear()
        for stage in Stage:
            leaving = [process for process in self._processes if process.stage is stage]
            for process in leaving:
                process.terminate()
            deadline = time.monotonic() + _GRACE_S[stage]
            while any(process.exit_code() is None for process in leaving) and time.monotonic() < deadline and not self._stop.hurry:
                time.sleep(_POLL_S)
            for process in leaving:
                process.kill()
        self._processes.clear()

    def _spawn(self, service: Service) -> ServiceProcess:
        process = ServiceProcess(service, self._folder)
        self._processes.append(process)
        process.start()
        return process

    def _await_ready(self, make: Callable[[], Service], process: ServiceProcess) -> ServiceProcess:
        deadline = time.monotonic() + READY_TIMEOUT_S
        attempts = 1
        while not process.ready():
            self._stop.check()
            code = process.exit_code()
            if code is not None and attempts < _START_ATTEMPTS:
                # Most often somebody else took the port between choosing and using it.
                attempts += 1
                self._processes.remove(process)
                process = self._spawn(make())
            elif code is not None or time.monotonic() > deadline:
                raise ServiceFailed(f"{process.name} {_how_it_failed(code)}. Its log ends with:\n{process.log_tail()}")
            time.sleep(_POLL_S)
        self.watch(process)
        return process

    def _note_death(self, watched: _Watched, code: int, now: float) -> None:
        if now - watched.started_at > _SETTLED_S:
            watched.failures = 0
        pause_s = min(_LONGEST_PAUSE_S, 2.0**watched.failures)
        watched.failures += 1
        watched.again_at = now + pause_s
        self._tell(f"{watched.target.name} ended ({_how(code)}): starting it again in {pause_s:g} s")

    def _start_again(self, watched: _Watched) -> None:
        watched.started_at, watched.again_at = time.monotonic(), None
        try:
            watched.target.start()
        except ServiceFailed as error:
            self._tell(str(error))


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _how_it_failed(code: int | None) -> str:
    return f"was not ready within {READY_TIMEOUT_S:g} s" if code is None else f"ended at once ({_how(code)})"
