"""`runtally locks list|release`: the locks against duplicate jobs, and the end of one that nobody will end."""

from __future__ import annotations

import json as json_format
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from contract.link import Link
from contract.settings import load_settings
from producers.exclusive import Holder, held
from producers.exclusive import release as release_holder
from producers.exclusive.scope import scope_of

_EXIT_NONE = 1

locks = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@locks.callback()
def _locks() -> None:
    """Look at the locks against duplicate jobs (docs/locks.md)."""


@locks.command("list")
def list_(json: Json = False) -> None:
    """List the locks that are held, the oldest first."""
    with _connected() as link:
        holders = held(link)
    if json:
        for holder in holders:
            typer.echo(json_format.dumps(_told(holder)))
        return
    if not holders:
        typer.echo("no lock is held")
        return
    table = Table("Operation", "Stream", "Client", "Run ID", "Host", "Process", "Held for", "Ends in", box=None, pad_edge=False)
    for holder in holders:
        scope = holder.scope
        stream = "" if scope.stream is None else str(scope.stream)
        texts = (scope.operation, stream, scope.client or "", holder.run_id or "", holder.host, str(holder.pid))
        table.add_row(*map(escape, texts), span(holder.age_s), span(holder.remaining_s))
    Console().print(table)


@locks.command()
def release(
    operation: Annotated[str, typer.Argument(help="The operation, as `locks list` shows it.")],
    stream: Annotated[int | None, typer.Option(help="The lock of this stream.")] = None,
    client: Annotated[str | None, typer.Option(help="The lock of this client.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """End a lock whose owner is dead. An owner that lives is told at its next renewal, and works on. Exit code 1 if it is not held."""
    scope = scope_of(operation, stream, client)
    with _connected() as link:
        holder = next((one for one in held(link) if one.scope == scope), None)
        if holder is not None and not yes:
            run = f"run {holder.run_id}" if holder.run_id else "a run without ID"
            typer.echo(f"{scope}: held by {run} on {holder.host}, process {holder.pid}, for {span(holder.age_s)}")
            typer.confirm("Is it dead? A second start while it works would do the work twice. Release?", abort=True, err=True)
        # What was shown is what is released: not the holding of somebody who came since.
        released = holder is not None and release_holder(link, holder)
    if json:
        typer.echo(json_format.dumps({"released": released, **(_told(holder) if holder else {})}))
    else:
        typer.echo(f"released {scope}" if released else f"nobody holds {scope}", err=not released)
    if not released:
        raise typer.Exit(_EXIT_NONE)


def span(seconds: float) -> str:
    """A span of time for people: `42s`, `7m 05s`, `3h 20m`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes = whole // 60
    return f"{minutes}m {whole % 60:02d}s" if minutes < 60 else f"{minutes // 60:,}h {minutes % 60:02d}m"


def _told(holder: Holder) -> dict[str, Any]:
    """A holder as JSON. Not its token: whoever has that can end the lock."""
    return {
        **holder.scope._asdict(),
        "run_id": holder.run_id,
        "host": holder.host,
        "pid": holder.pid,
        "age_s": holder.age_s,
        "remaining_s": holder.remaining_s,
        "fence": holder.fence,
    }


@contextmanager
def _connected() -> Iterator[Link]:
    """A connection of its own. Raises SettingsInvalid, StoreUnavailable."""
    link = Link(load_settings().redis_url.get_secret_value(), name="runtally-locks")
    link.open()
    try:
        yield link
    finally:
        link.close()
