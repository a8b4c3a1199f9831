"""A gateway as `runtally web` serves it, a process that can be ended and started again on the same port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx2 as httpx

from contract.settings import Settings
from embedded import free_port

ROOT = Path(__file__).parents[3]
DEADLINE_S = 60.0


class WebProcess:
    """Started by `start`, ended by `end`. `url` stays the same."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self._port = free_port()
        self._environment = {**os.environ, "RUNTALLY_REDIS_URL": settings.redis_url.get_secret_value(), "PYTHONPATH": str(ROOT)}
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._port}"

    def start(self, *, wait: bool = True, answers: int = 200) -> None:
        """Start it; with `wait`, return once its health check answers with this status."""
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "cli.main", "web", "--port", str(self._port)]
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        deadline = time.monotonic() + DEADLINE_S
        while wait and not self._answers(answers):
            assert time.monotonic() < deadline, self._log.read_text("utf-8")
            assert self._process.poll() is None, self._log.read_text("utf-8")
            time.sleep(0.05)

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        """End it; its exit code."""
        assert self._process is not None
        self._process.send_signal(by)
        return self._process.wait(DEADLINE_S)

    def _answers(self, status: int) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=5).status_code == status
        except httpx.TransportError:
            return False
