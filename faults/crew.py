"""Real Celery workers, started again whenever they end, by the supervisor of `runtally up`."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from cli.up import services
from cli.up.environment import process_environment
from cli.up.service import ServiceFailed, ServiceProcess
from cli.up.stop_signal import StopSignal
from cli.up.supervisor import Supervisor
from contract.settings import Settings

_READY_S = 60.0
_POLL_S = 0.02


class Crew:
    """A context manager: entering starts `number` workers and waits until they are ready. Used from the main thread."""

    def __init__(self, settings: Settings, folder: Path, number: int) -> None:
        self._supervisor = Supervisor(folder, StopSignal(), self._note)
        environment = process_environment(settings)
        self.workers = [ServiceProcess(services.worker(environment, one + 1), folder) for one in range(number)]
        self.deaths = 0
        """How often a worker has ended, by whatever cause."""

    def __enter__(self) -> Self:
        try:
            for worker in self.workers:
                worker.start()
                self._supervisor.watch(worker)
            self._await_ready()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for worker in self.workers:
            worker.kill()

    def tend(self) -> None:
        """Start again who has ended. Call it several times a second."""
        self._supervisor.tend()

    def freeze(self) -> None:
        """Stop every worker where it stands."""
        for worker in self.workers:
            worker.signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Let frozen workers go on."""
        for worker in self.workers:
            worker.signal(signal.SIGCONT)

    def log(self) -> str:
        """All that the workers wrote."""
        return "".join(worker.log.read_text(errors="replace") for worker in self.workers)

    def _await_ready(self) -> None:
        deadline = time.monotonic() + _READY_S
        while not all(worker.ready() for worker in self.workers):
            if time.monotonic() > deadline:
                raise ServiceFailed(f"a worker was not ready within {_READY_S:.0f} s:\n{self.workers[0].log_tail()}")
            time.sleep(_POLL_S)

    def _note(self, text: str) -> None:
        self.deaths += " ended (" in text
