"""The sandbox as `runtally sandbox` serves it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from pyairtable import Api
from pyairtable.api.base import Base

from airtable_sandbox import FIRST_BASE_ID, Remote
from embedded import free_port

ROOT = Path(__file__).parents[2]
TOKEN = "patPages"


class SandboxProcess:
    """Started when made, ended by `end`. `base` is its first one, written to without limits."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "cli.main", "sandbox", "--port", str(free_port()), "--data-dir", str(folder)]
        environment = {**os.environ, "RUNTALLY_AIRTABLE_TOKEN": TOKEN, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip().partition("=")[2]
        self.remote = Remote(self.url, TOKEN)

    @property
    def base(self) -> Base:
        api = Api(TOKEN, endpoint_url=self.remote.human_url, timeout=(5, 5), retry_strategy=None)
        return api.base(FIRST_BASE_ID)

    def end(self) -> int:
        """Its exit code."""
        self._process.terminate()
        _, _ = self._process.communicate(timeout=20)
        return self._process.returncode
