"""The demo beside the services: in a thread, since the main thread has to go on looking after them."""

from __future__ import annotations

import threading
from collections.abc import Callable

from rich.console import Console

from cli.demo import run_demo
from contract.settings import Settings


class DemoThread:
    """`cli.demo.run_demo`, once. Read `outcome` when `running` is False."""

    def __init__(self, settings: Settings, console: Console, ended: Callable[[bool], None]) -> None:
        """`ended` is told, in the demo's thread, whether it went well."""
        self._ended = ended
        self._settings = settings
        self._console = console
        self._thread = threading.Thread(target=self._run, name="runtally-demo", daemon=True)
        self.ok = False
        """True when it came to its end and all it checked was right."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def running(self) -> bool:
        """False once it has ended, well or not."""
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            self.ok = run_demo(self._settings, self._console).ok
        except Exception:  # noqa: BLE001  # whatever goes wrong in it is shown, and ends the demo only
            self._console.print_exception()
        self._ended(self.ok)
