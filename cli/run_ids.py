"""`runtally run-id parse|convert|check`: what a run ID says, its standard form, and whether it has one."""

from __future__ import annotations

import dataclasses
import json as json_text
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from contract import run_id as run_ids

_EXIT_INVALID = 1

run_id = typer.Typer(no_args_is_help=True)

Text = Annotated[str, typer.Argument(metavar="TEXT", help="What may be a run ID.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


@run_id.callback()
def _run_id() -> None:
    """Look at run IDs. Nothing is asked of Redis."""


@run_id.command()
def parse(text: Text, json: Json = False) -> None:
    """Show everything a run ID tells."""
    parsed = run_ids.parse(text)
    told = {name: value for name, value in _told(parsed).items() if value not in (None, "")}
    if json:
        typer.echo(json_text.dumps(told, default=str))
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in told.items():
        table.add_row(name.replace("_", " "), escape(str(value)))
    Console().print(table)


@run_id.command()
def convert(text: Text) -> None:
    """Print the standard form. Exit code 2 when there is none."""
    typer.echo(run_ids.convert(text))


@run_id.command()
def check(text: Text, json: Json = False) -> None:
    """Say whether it has a standard form. Exit code 0 if so, else 1."""
    valid = run_ids.is_valid(text)
    if json:
        typer.echo(json_text.dumps({"text": text, "valid": valid, "standard": run_ids.parse(text).standard}))
    else:
        typer.echo(f"valid: {run_ids.parse(text).standard}" if valid else f"not valid: {run_ids.parse(text).format}")
    raise typer.Exit(0 if valid else _EXIT_INVALID)


def _told(parsed: run_ids.RunId) -> dict[str, Any]:
    fields = {field.name: getattr(parsed, field.name) for field in dataclasses.fields(parsed)}
    return {"standard": parsed.standard, **fields}
