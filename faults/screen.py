"""What a person sees: progress on stderr, one table at the end on stdout, 100 columns wide."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

WIDTH = 100

_progress = Console(stderr=True, highlight=False)


def told(text: str) -> None:
    """A line of progress."""
    _progress.print(text, markup=False)


def show(verdicts: list[dict[str, Any]], about: str) -> None:
    """The table, under it what each fault tells besides, then the seeds of those that failed."""
    console = Console(width=WIDTH, highlight=False)
    table = Table(title=about, title_justify="left", width=WIDTH)
    table.add_column("fault", overflow="fold", ratio=1)
    table.add_column("level", no_wrap=True)
    for column in ("lost", "doubled", "corrupt", "stale", "gap s", "back s"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for one in verdicts:
        figures = [_figure(one[name]) for name in ("lost", "doubled", "corrupt", "stale", "longest_gap_s", "recovered_s")]
        table.add_row(one["fault"], one["level"] or "-", *figures, "[green]held[/]" if one["ok"] else "[red]FAILED[/]")
    console.print(table)
    for one in verdicts:
        if one["ok"] and one["details"]:
            console.print(f"{one['fault']}: {_words(one['details'])}", style="dim", markup=False)
    for one in verdicts:
        if not one["ok"]:
            console.print(f"{one['fault']} failed with --seed {one['seed']}: {_words(one['details'])}", style="red", markup=False)


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if isinstance(value, float) else f"{value:,}"


def _words(details: dict[str, Any] | None) -> str:
    known = details or {}
    return " · ".join(
        f"{name} {value:,}" if isinstance(value, int | float) else f"{name} {value}"
        for name, value in known.items()
        if value not in ([], {}, "")
    )
