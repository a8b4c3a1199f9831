"""`runtally token create|list|revoke`: who may speak to the gateway."""

from __future__ import annotations

import json as json_format
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.reading import shown
from contract.link import Link
from contract.run_id_value import client_fault
from contract.settings import load_settings
from producers.gateway.access import shelf
from producers.gateway.access.token import MAX_NAME_CHARS, MadeToken, Scope, Token, id_of, make_token

_EXIT_NONE = 1
_DAY_MS = 86_400_000
_MAX_DAYS = 36_500

token = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@token.callback()
def _token() -> None:
    """Make, list and revoke the gateway's tokens (docs/gateway.md)."""


@token.command()
def create(
    name: Annotated[str, typer.Argument(help="What or who it is for; stands in logs.", show_default=False)],
    scope: Annotated[list[Scope], typer.Option(help="What it may do; none contains another. Repeat it for several.", show_default=False)],
    client: Annotated[list[str] | None, typer.Option(help="A client it is limited to. Repeat it for several; none: all.")] = None,
    source: Annotated[list[str] | None, typer.Option(help="A source it is limited to, with what is below it. None: all.")] = None,
    expires_days: Annotated[int | None, typer.Option(help="Days until it ends; never if left out.", min=1, max=_MAX_DAYS)] = None,
    json: Json = False,
) -> None:
    """Make a token. Its text is printed once, to standard output, and kept nowhere."""
    now_ms = time.time_ns() // 1_000_000
    made = make_token(
        _checked_name(name),
        list(dict.fromkeys(scope)),
        clients=_checked_clients(client or []),
        sources=_checked_sources(source or []),
        created_ms=now_ms,
        expires_ms=None if expires_days is None else now_ms + expires_days * _DAY_MS,
    )
    with _connected() as link:
        shelf.add(link, made.token)
    _tell_made(made, json)


@token.command("list")
def list_(json: Json = False) -> None:
    """List the tokens, oldest first. Not their texts: those are kept nowhere."""
    with _connected() as link:
        tokens = shelf.all_tokens(link)
    if json:
        for one in tokens:
            typer.echo(json_format.dumps(_told(one)))
        return
    if not tokens:
        typer.echo("there is no token; `runtally token create NAME --scope ingest` makes one")
        return
    table = Table("ID", "Name", "Scopes", "Clients", "Sources", "Created", "Expires", box=None, pad_edge=False)
    for one in tokens:
        expires = "never" if one.expires_ms is None else shown(_time(one.expires_ms))
        texts = (one.name, ", ".join(one.scopes), ", ".join(one.clients) or "all", ", ".join(one.sources) or "all")
        table.add_row(one.id, *map(escape, texts), shown(_time(one.created_ms)), expires + (" (over)" if _is_over(one) else ""))
    Console().print(table)


@token.command()
def revoke(
    id: Annotated[str, typer.Argument(metavar="ID", help="Its ID, as `token list` shows it.")],
    json: Json = False,
) -> None:
    """End a token: gateways refuse it 5 s later at the latest. Exit code 1 if there is none."""
    token_id = id_of(id) or id  # whoever pastes the token itself means its ID
    with _connected() as link:
        revoked = shelf.remove(link, token_id)
    if json:
        typer.echo(json_format.dumps({"revoked": revoked}))
    elif revoked:
        typer.echo(f"revoked {token_id}: gateways refuse it 5 s from now at the latest")
    else:
        # What was typed is not repeated: it may be the secret part of a token.
        typer.echo("there is no token of this ID; `runtally token list` shows those there are", err=True)
    if not revoked:
        raise typer.Exit(_EXIT_NONE)


def _tell_made(made: MadeToken, json: bool) -> None:
    if json:
        typer.echo(json_format.dumps({"token": made.text, **_told(made.token)}))
        return
    typer.echo(f"token {made.token.id}; this is the only time that its text is shown:", err=True)
    typer.echo(made.text)


def _told(one: Token) -> dict[str, Any]:
    """A token as JSON. Not its digest: nobody needs it."""
    return {
        "id": one.id,
        "name": one.name,
        "scopes": one.scopes,
        "clients": one.clients,
        "sources": one.sources,
        "created": _time(one.created_ms).isoformat(timespec="seconds"),
        "expires": None if one.expires_ms is None else _time(one.expires_ms).isoformat(timespec="seconds"),
        "expired": _is_over(one),
    }


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _is_over(one: Token) -> bool:
    return one.expires_ms is not None and one.expires_ms <= time.time() * 1000


def _checked_name(name: str) -> str:
    if not 1 <= len(name) <= MAX_NAME_CHARS or not name.isprintable() or name.isspace():
        raise typer.BadParameter(f"use one line of 1 to {MAX_NAME_CHARS} characters", param_hint="NAME")
    return name


def _checked_clients(clients: list[str]) -> list[str]:
    for client in clients:
        if fault := client_fault(client):
            raise typer.BadParameter(f"a client ID {fault}: use the ID that stands in run IDs", param_hint="--client")
    return [client.strip() for client in clients]


def _checked_sources(sources: list[str]) -> list[str]:
    for source in sources:
        if not source.strip("/") or not source.isprintable() or source != source.strip():
            raise typer.BadParameter("use the beginning of the events' source, such as /crm; leave it out for all", param_hint="--source")
    return sources


@contextmanager
def _connected() -> Iterator[Link]:
    """A connection of its own. Raises SettingsInvalid, StoreUnavailable."""
    link = Link(load_settings().redis_url.get_secret_value(), name="runtally-token")
    link.open()
    try:
        yield link
    finally:
        link.close()
