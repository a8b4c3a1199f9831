"""The demo beside the services: in a thread, since the main thread has to go on looking after them."""

from __future__ import annotations

import threading
from collections.abc import Callable

from rich.console import Console

from cli.demo import DemoResult, run_demo
from cli.up.stop_signal import StopSignal
from contract.settings import Settings


class DemoThread:
    """`cli.demo.run_demo`, once. It breaks off soon after a stop was requested."""

    def __init__(self, settings: Settings, console: Console, stop: StopSignal, ended: Callable[[DemoResult | None], None]) -> None:
        """`ended` is told, in the demo's thread, how it went; None when it broke off."""
        self._ended = ended
        self._settings = settings
        self._console = console
        self._stop = stop
        self._thread = threading.Thread(target=self._run, name="runtally-demo", daemon=True)
        self.ok = False
        """True when it came to its end and all it checked was right."""
        self.complete = False
        """True when it came to its end, well or not; what it emitted is delivered or given up then."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def running(self) -> bool:
        """False once it has ended, well or not."""
        return self._thread.is_alive()

    def _run(self) -> None:
        result: DemoResult | None = None
        try:
            result = run_demo(self._settings, self._console, self._stop.check)
            self.ok, self.complete = result.ok, True
        except KeyboardInterrupt:
            pass  # the stop: the services end meanwhile, and so does what it waited for
        except Exception:  # noqa: BLE001  # whatever goes wrong in it is shown, and ends the demo only
            self._console.print_exception()
        self._ended(result)
