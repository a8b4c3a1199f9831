"""`runtally airtable init` and `runtally airtable check`: the tables and fields in Airtable."""

from __future__ import annotations

import json as json_format
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from contract.link import Link
from contract.registry import Registry, load_registry
from contract.settings import Settings, load_settings
from worker.flush.schema import Fault, check_base, init_base

_EXIT_FAULTS = 1

airtable = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@airtable.callback()
def _airtable() -> None:
    """Make and check the tables in Airtable. Names and types of all columns: docs/airtable.md."""


@airtable.command()
def init(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be made, and make nothing.")] = False,
    json: Json = False,
) -> None:
    """Make the tables and fields that are missing. Nothing that is there is changed; may be repeated."""
    with _connected() as (settings, link, registry):
        prepared = init_base(settings, link, registry, dry_run=dry_run)
    if json:
        for name in prepared.made:
            typer.echo(json_format.dumps({"made": name, "dry_run": dry_run}))
        _tell_json(prepared.by_hand)
        return
    verb = "would make" if dry_run else "made"
    for name in prepared.made:
        typer.echo(f"{verb} {name}")
    if not prepared.made:
        typer.echo("nothing is missing that can be made from here")
    if prepared.by_hand:
        _tell(prepared.by_hand, "Left for you to do in Airtable")


@airtable.command()
def check(json: Json = False) -> None:
    """Say what the base lacks or has wrong, and how to mend it. Exit code 1 if there is anything."""
    with _connected() as (settings, link, registry):
        faults = check_base(settings, link, registry)
    if json:
        _tell_json(faults)
    elif faults:
        _tell(faults, "Airtable")
    else:
        typer.echo("the base has everything it needs")
    if faults:
        raise typer.Exit(_EXIT_FAULTS)


@contextmanager
def _connected() -> Iterator[tuple[Settings, Link, Registry]]:
    """Settings, a connection to the limiter's Redis, and the registry. Raises SettingsInvalid, StoreUnavailable."""
    settings = load_settings()
    registry = load_registry(settings.metrics_file)
    link = Link(settings.redis_url.get_secret_value(), name="runtally-airtable")
    link.open()
    try:
        yield settings, link, registry
    finally:
        link.close()


def _tell(faults: Sequence[Fault], title: str) -> None:
    table = Table("Table", "Field", "What", "How to mend it", box=None, pad_edge=False, title=title, title_justify="left")
    for fault in faults:
        table.add_row(*map(escape, (fault.table, fault.field or "", fault.fault, fault.mend)))
    Console().print(table)


def _tell_json(faults: Sequence[Fault]) -> None:
    for fault in faults:
        typer.echo(json_format.dumps(asdict(fault)))
