"""`runtally dead list|show|retry|drop`: what was set aside, looked at, sent again, dropped."""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import islice
from typing import Annotated

import typer
from rich.console import Console

from cli.dead_shelf import Shelf, shelf, since_time
from cli.dead_shown import listed, whole
from contract import run_id
from contract.errors import LetterInvalid
from worker.dead import DeadLetter, Wanted
from worker.dead.letter import letter_id
from worker.dead.wanted import KINDS

_EXIT_FAULTS = 1

dead = typer.Typer(no_args_is_help=True)

Letters = Annotated[list[str] | None, typer.Argument(metavar="[LETTER]...", help="IDs of dead letters, as `dead list` shows them.")]
Kind = Annotated[str | None, typer.Option(help=f"Only this kind: {', '.join(KINDS)}.")]
Run = Annotated[str | None, typer.Option(help="Only this run, with or without a client.")]
Client = Annotated[str | None, typer.Option(help="Only this client.")]
Reason = Annotated[str | None, typer.Option(help="Only if the reason contains this text.")]
Since = Annotated[
    datetime | None,
    typer.Option(parser=since_time, metavar="WHEN", help="Only since then: 90m, 24h, 7d, or an ISO time (UTC without a zone)."),
]
All = Annotated[bool, typer.Option("--all", help="All letters, when no filter is given.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@dead.callback()
def _dead() -> None:
    """Look at dead letters, send them again, drop them (docs/dead-letters.md)."""


@dead.command("list")
def list_(  # noqa: PLR0913  # options
    *,
    kind: Kind = None,
    run: Run = None,
    client: Client = None,
    reason: Reason = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 20,
    before: Annotated[str | None, typer.Option(metavar="LETTER", help="The next page: those older than this letter.")] = None,
    json: Json = False,
) -> None:
    """List dead letters, newest first."""
    wanted = _wanted(kind, run, client, reason, since)
    with shelf() as place:
        found = list(islice(place.letters.find(wanted, None if before is None else letter_id(before)), limit + 1))
        dropped = place.letters.bound_dropped()
    page = found[:limit]
    if json:
        for letter in page:
            typer.echo(json_format.dumps(place.hiding.letter(letter), ensure_ascii=False))
        return
    if page:
        Console().print(listed(place, page))
    else:
        typer.echo("no dead letters" if wanted.everything and before is None else "no such dead letters")
    if len(found) > limit:
        typer.echo(f"more: --before {page[-1].id}")
    if dropped:
        typer.echo(f"{dropped:,} older ones were dropped by the bound (RUNTALLY_DEAD_LETTERS)")


@dead.command()
def show(letter: Annotated[str, typer.Argument(metavar="LETTER", help="ID of a dead letter.")], json: Json = False) -> None:
    """Show one dead letter: why it was set aside, where it stood, what it says, and whether it could be used now."""
    wanted = letter_id(letter)
    with shelf() as place:
        found = place.letters.get(wanted)
        fault = None if found is None else place.retry.fault(found)
    if found is None:
        typer.echo(f"no dead letter {wanted}", err=True)
        raise typer.Exit(_EXIT_FAULTS)
    told = place.hiding.letter(found) | {"fault": fault and place.hiding.text(fault)}
    if json:
        typer.echo(json_format.dumps(told, ensure_ascii=False))
        return
    Console().print(whole(told))


@dead.command()
def retry(  # noqa: PLR0913  # options
    letters: Letters = None,
    *,
    kind: Kind = None,
    run: Run = None,
    client: Client = None,
    reason: Reason = None,
    since: Since = None,
    all_: All = False,
    edit: Annotated[str | None, typer.Option(metavar="JSON", help="Send this instead of what it says; - reads it from stdin.")] = None,
    subject: Annotated[str | None, typer.Option(help="Another run ID, with or without a client.")] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Send dead letters again, each counted once however often. What cannot be used comes back as a new letter.

    Exit code 1 if one is not there or cannot be sent; in a dry run also if one would come back."""
    wanted = _wanted(kind, run, client, reason, since)
    if edit is not None and len(letters or ()) != 1:
        raise LetterInvalid("an edit is for one letter: name it")
    text = sys.stdin.read() if edit == "-" else edit

    def send(place: Shelf, letter: DeadLetter) -> str | None:
        if dry_run:
            return place.retry.fault(letter, text, subject)
        try:
            place.retry.send(letter, text, subject)
        except LetterInvalid as error:
            return str(error)
        return None

    _each("sent again", send, letters or [], wanted, all_=all_, dry_run=dry_run, yes=yes, json=json)


@dead.command()
def drop(  # noqa: PLR0913  # options
    letters: Letters = None,
    *,
    kind: Kind = None,
    run: Run = None,
    client: Client = None,
    reason: Reason = None,
    since: Since = None,
    all_: All = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Drop dead letters for good. Exit code 1 if one is not there."""
    wanted = _wanted(kind, run, client, reason, since)

    def delete(place: Shelf, letter: DeadLetter) -> str | None:
        return None if dry_run or place.letters.drop(letter.id) else "it is gone"

    _each("dropped", delete, letters or [], wanted, all_=all_, dry_run=dry_run, yes=yes, json=json)


def _each(  # noqa: PLR0913  # what the commands have in common
    done: str,
    act: Callable[[Shelf, DeadLetter], str | None],
    ids: list[str],
    wanted: Wanted,
    *,
    all_: bool,
    dry_run: bool,
    yes: bool,
    json: bool,
) -> None:
    """Do `act` to the letters named, or to those wanted after asking; tell how many, and why not the others."""
    if bool(ids) == (all_ or not wanted.everything):
        raise LetterInvalid("name letters, or give a filter, or --all; not letters and a filter")
    with shelf() as place:
        if not ids and not dry_run and not yes:
            count = sum(1 for _ in place.letters.find(wanted))
            typer.confirm(f"{count:,} dead letters would be {done}. Go on?", abort=True, err=True)
        found: Iterable[tuple[str, DeadLetter | None]]
        if ids:
            found = [(text, place.letters.get(letter_id(text))) for text in ids]
        else:
            found = ((str(letter.id), letter) for letter in place.letters.find(wanted))
        told = place.tally(f"would be {done}" if dry_run else done, json=json)
        for text, letter in found:
            told.add(text, "there is no such letter" if letter is None else act(place, letter), None if letter is None else letter.kind)
    told.close()
    if told.faults:
        raise typer.Exit(_EXIT_FAULTS)


def _wanted(kind: str | None, run: str | None, client: str | None, reason: str | None, since: datetime | None) -> Wanted:
    if kind is not None and kind not in KINDS:
        raise LetterInvalid(f"{kind[:50]!r} is no kind of dead letter: {', '.join(KINDS)}")
    return Wanted(kind, None if run is None else run_id.require(run_id.convert(run)), client, reason, since)
