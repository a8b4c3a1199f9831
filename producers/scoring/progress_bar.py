"""How far a batch is: a bar where rich is installed and stderr is a terminal, else a log line for each client."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol


class Bar(Protocol):
    """Told as the batch goes on."""

    def chunk(self, client: str, leads: int) -> None:
        """So many more of a client's leads are done."""

    def client(self, client: str, outcome: str) -> None:
        """A client is done."""


@contextmanager
def progress_bar(title: str, run_id: str, clients: int, *, shown: bool) -> Iterator[Bar]:
    """A bar for so many clients. Never needs rich, and draws nothing unless `shown`."""
    if shown and sys.stderr.isatty():
        try:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
        except ImportError:
            pass
        else:
            columns = [
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[state]}", markup=False),
            ]
            with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
                yield _Drawn(progress, f"{title} {run_id}", clients)
                return
    yield _Logged(title, run_id)


class _Drawn:
    def __init__(self, progress: Any, title: str, clients: int) -> None:
        self._progress = progress
        self._task = progress.add_task(title, total=clients, state="")
        self._leads = 0

    def chunk(self, client: str, leads: int) -> None:
        self._leads += leads
        self._progress.update(self._task, state=f"{self._leads:,} done, at {client}")

    def client(self, client: str, outcome: str) -> None:
        self._progress.update(self._task, advance=1, state=f"{self._leads:,} done, {client} {outcome}")


class _Logged:
    """Only where the application has set structlog up: a script's output is its own."""

    def __init__(self, operation: str, run_id: str) -> None:
        self._about = {"scope": "CLIENT", "operation": operation, "run_id": run_id}

    def chunk(self, client: str, leads: int) -> None:
        """Not worth a line."""

    def client(self, client: str, outcome: str) -> None:
        import structlog

        if structlog.is_configured():
            log = structlog.get_logger("runtally.batch")
            log.info("client done", **self._about, client_id=client, outcome=outcome)
