"""What the demo shows: a bar for each client, what has come of the events so far, and in the end a summary.

Where no terminal is, only the last state is printed, without control codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from cli.demo_watch import Stand

_BAR = 24
"""Characters. With the texts beside it a line stays below 80."""


class DemoScreen:
    """A context manager: while it is open the bars are live."""

    def __init__(self, console: Console) -> None:
        self._clients, self._flow = _bars(console), _bars(console)
        self._flow_bars: dict[str, TaskID] = {}
        self._live = Live(Group(self._clients, self._flow), console=console, refresh_per_second=10)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for bars in (self._clients, self._flow):
            for bar in bars.task_ids:
                bars.stop_task(bar)
        self._live.stop()

    def client(self, name: str, leads: int) -> TaskID:
        """A bar for one client's leads."""
        return self._clients.add_task(name, total=leads, unit="leads" if leads else "no leads to score")

    def scored(self, client: TaskID) -> None:
        """One lead more."""
        self._clients.advance(client)

    def client_failed(self, client: TaskID) -> None:
        """Its bar stays where it is."""
        self._clients.update(client, unit="leads, failed")

    def client_ended(self, client: TaskID) -> None:
        """Its clock stops."""
        self._clients.stop_task(client)

    def flow(self, published: int, stand: Stand) -> None:
        """What has come of the events so far: those in the log, those counted, the rows in Airtable."""
        self._bar("emitted", published, published, "events")
        self._bar("folded", stand.folded, published, "events")
        self._bar("into Airtable", stand.written, stand.rows, "rows")

    def _bar(self, name: str, done: int, total: int, unit: str) -> None:
        if name not in self._flow_bars:
            self._flow_bars[name] = self._flow.add_task(name, total=None, unit=unit)
        self._flow.update(self._flow_bars[name], completed=done, total=total)


def _bars(console: Console) -> Progress:
    return Progress(TextColumn("  {task.description:<17}"), BarColumn(_BAR), _Count(), TimeElapsedColumn(), console=console)


def summarise(console: Console, headline: str, facts: Sequence[tuple[str, str]], wrong: Sequence[str]) -> None:
    """The headline, green where nothing is wrong, else red; the facts; each difference as a sentence."""
    console.print()
    console.print(headline, style="bold red" if wrong else "bold green", markup=False, soft_wrap=True)
    for difference in wrong:
        console.print(f"  {difference}", style="red", markup=False, soft_wrap=True)
    for name, text in facts:
        console.print(f"  {name:<20}{text}", markup=False, soft_wrap=True)


class _Count(ProgressColumn):
    """How many of how many, and of what."""

    def render(self, task: Task) -> Text:
        of_all = f"/{task.total:,.0f}" if task.total else ""
        done = f"{task.completed:,.0f}{of_all} " if task.total or task.completed else ""
        return Text(f"{done}{task.fields['unit']}")
