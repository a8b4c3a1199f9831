"""Events sent by a command that ends as soon as it knows what became of them."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from cli.event_check import Checked
from contract.settings import Settings
from producers.publisher import Publisher
from producers.runs.run_ids import take_run_id


@dataclass
class Outcome:
    """What became of events. `waiting`: in the spool. `lost`: neither delivered nor kept, as far as is known."""

    events: int = 0
    delivered: int = 0
    waiting: int = 0
    lost: int = 0


class Delivery:
    """Leaving it waits for the delivery, at the configured level, for `timeout_s` at most; what is left then goes to the spool.

    Without a spool what is left is lost: a batch that was on its way may have arrived all the same, so a repeat is exact for events
    with an ID of their own.
    """

    def __init__(self, settings: Settings, *, timeout_s: float, spool: bool) -> None:
        self.outcome = Outcome()
        self._timeout_s = timeout_s
        self._spools = spool
        self._folder = ExitStack()
        if not spool:
            folder = self._folder.enter_context(tempfile.TemporaryDirectory(prefix="runtally-emit-"))
            settings = settings.model_copy(update={"spool_dir": Path(folder)})
        self._settings = settings
        self._publisher = Publisher(settings)

    def send(self, event: Checked) -> str:
        """The row ID it was sent for, made just now if the event begins a job without one. Waits while the buffer is crowded."""
        row_id, data = event.row_id, dict(event.data)
        if row_id is None:
            row_id, data["origin"], _ = take_run_id(self._settings)
        deadline = time.monotonic() + self._timeout_s
        while self._publisher.buffer.crowded and time.monotonic() < deadline:
            self._publisher.flush(0.05)
        self.outcome.events += 1
        self._publisher.emit(event.type, {**data, "run_id": row_id}, event.id, event.time)
        return row_id

    def __enter__(self) -> Delivery:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._folder:
            self._publisher.flush(self._timeout_s)
            unstored = self._publisher.close(0)
            waiting = self._publisher.left
        counters = self._publisher.counters
        dropped = sum(number for name, number in counters.items() if name.startswith("dropped_"))
        told = self.outcome
        told.waiting, told.lost = (waiting, max(unstored, dropped)) if self._spools else (0, max(unstored, dropped) + waiting)
        told.delivered = told.events - told.waiting - told.lost
