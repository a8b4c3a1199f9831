"""What a person sees: progress on stderr while it runs, one table a measurement at the end on stdout, 100 columns wide."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.figures import Figure, Report

WIDTH = 100


class Told(Protocol):
    """How a measurement says what it is doing: `told("round 2 of 3: plain Celery")`."""

    def __call__(self, step: str) -> None: ...


@contextmanager
def progress(names: list[str]) -> Iterator[dict[str, Told]]:
    """A line a measurement on stderr, and for each the call that says its step."""
    columns = (TextColumn("{task.fields[name]:8}"), BarColumn(bar_width=10), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True, width=WIDTH)) as shown:
        tasks = {name: shown.add_task("waiting", name=name, start=False, total=None) for name in names}

        def teller(name: str) -> Told:
            def told(step: str) -> None:
                shown.start_task(tasks[name])
                shown.update(tasks[name], description=step)
                if not shown.console.is_terminal:
                    shown.console.print(f"{name}: {step}", highlight=False)

            return told

        yield {name: teller(name) for name in names}


def show(reports: list[Report]) -> None:
    """The tables, with claims, notes and faults under each, and where and when the figures were taken."""
    console = Console(width=WIDTH, highlight=False)
    for report in reports:
        table = Table(title=f"{report.name}: {report.subject} ({report.took_s:.0f} s)", title_justify="left", width=WIDTH)
        table.add_column("figure", overflow="fold")
        for column in ("median", "min", "max"):
            table.add_column(column, justify="right", no_wrap=True)
        table.add_column("unit", no_wrap=True)
        for figure in report.figures:
            table.add_row(figure.name, *_numbers(figure), figure.unit)
        console.print(table)
        for claim in report.claims:
            console.print(f"  {'[green]held[/]  ' if claim.held else '[yellow]missed[/]'}  {claim.text}: {claim.found}")
        for note in report.notes:
            console.print(f"  {note}", style="dim")
        for fault in report.faults:
            console.print(f"  [red]LEDGER[/]  {fault}")
        console.print()


def _numbers(figure: Figure) -> list[str]:
    return [_number(value) for value in (figure.median, min(figure.values), max(figure.values))]


def _number(value: float) -> str:
    if value != value:  # noqa: PLR0124  # not-a-number: it could not be measured here
        return "-"
    if value >= 1_000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
