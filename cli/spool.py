"""`runtally spool list` and `runtally spool drain`: what waits on this host's disk for Redis."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from contract.settings import load_settings
from producers.draining import drain as draining
from producers.spool.listing import Stored, listed

_EXIT_WAITING = 1
_STYLES = {"live": "green", "dead": "yellow", "damaged": "red"}

spool = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@spool.callback()
def _spool() -> None:
    """Look at the spool on this host's disk, and send what dead publishers left there. More: docs/spool.md."""


@spool.command("list")
def list_(json: Json = False) -> None:
    """List what is in the spool. Exit code 1 when something of dead publishers waits, or is damaged."""
    settings = load_settings()
    found = listed(settings.spool_dir)
    if json:
        for one in found:
            typer.echo(json_format.dumps(asdict(one), default=str))
    elif not found:
        typer.echo(f"nothing waits in {settings.spool_dir}")
    else:
        Console().print(_table(found))
    if any(one.state != "live" or one.damages for one in found):
        raise typer.Exit(_EXIT_WAITING)


@spool.command()
def drain(
    any_target: Annotated[bool, typer.Option("--any-target", help="Also what was meant for another Redis URL.")] = False,
    json: Json = False,
) -> None:
    """Send what dead publishers left, as they numbered it: nothing is counted twice. Exit code 1 when something still waits."""
    settings = load_settings()
    waiting = sum(one.events for one in listed(settings.spool_dir) if one.state == "dead")
    columns = (TextColumn("spool"), BarColumn(), MofNCompleteColumn(), TextColumn("events"), TimeElapsedColumn())
    sent = 0
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=json) as progress:
        task = progress.add_task("drain", total=waiting)
        for sent in draining(settings, any_target=any_target):
            progress.update(task, completed=min(sent, waiting))
    left = [one for one in listed(settings.spool_dir) if one.state != "live"]
    if json:
        typer.echo(json_format.dumps({"sent": sent, "left": [asdict(one) for one in left]}, default=str))
    else:
        typer.echo(f"{sent} events sent" if sent else "nothing to send")
        if left:
            Console().print(_table(left))
    if left:
        raise typer.Exit(_EXIT_WAITING)


def _table(found: list[Stored]) -> Table:
    table = Table("Publisher", "State", "Events", "KiB", "Last written (UTC)", "For", "PID", "Damage", box=None, pad_edge=False)
    for one in found:
        table.add_row(
            escape(one.name),
            f"[{_STYLES[one.state]}]{one.state}[/]",
            f"{one.events:,}",
            f"{one.size_bytes / 1024:,.0f}",
            "" if one.since is None else f"{one.since:%Y-%m-%d %H:%M:%S}",
            escape(one.target),
            "" if one.pid is None else str(one.pid),
            escape(", ".join(sorted(set(one.damages)))),
        )
    return table
