"""What the commands on dead letters have in common: the shelf they lie on, times, and the account of what was done."""

from __future__ import annotations

import json as json_format
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import typer

from contract import keys
from contract.errors import LetterInvalid
from contract.layout import claim_layout
from contract.link import Link
from contract.registry import load_registry
from contract.settings import load_settings
from worker.dead import DeadLetters, Retry
from worker.dead.hiding import Hiding

_SHOWN_REASONS = 10
_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_AGO = re.compile(r"([0-9]{1,6})([smhd])", re.ASCII).fullmatch


@dataclass
class Tally:
    """The account of what was done, a line a letter as JSON, or in sum at the end."""

    done: str
    json: bool
    hiding: Hiding
    kinds: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    def add(self, letter: str, fault: str | None, kind: str | None) -> None:
        """One letter: `fault` is None when it was done."""
        fault = fault and self.hiding.text(fault)
        if fault is None:
            self.kinds[kind or ""] += 1
        else:
            self.faults[fault] += 1
        if self.json:
            typer.echo(json_format.dumps({"letter": letter, "kind": kind, "done": self.done if fault is None else None, "fault": fault}))

    def close(self) -> None:
        """Say how many, and for the others the commonest reasons."""
        if self.json:
            return
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in sorted(self.kinds.items()))
        typer.echo(f"{self.kinds.total():,} {self.done}" + (f": {kinds}" if kinds else ""))
        if self.faults:
            typer.echo(f"{self.faults.total():,} not:", err=True)
        for reason, number in self.faults.most_common(_SHOWN_REASONS):
            typer.echo(f"  {number:,} × {reason}", err=True)


@dataclass(frozen=True)
class Shelf:
    """The dead letters of the configured Redis and base, and what can be done to them."""

    letters: DeadLetters
    retry: Retry
    hiding: Hiding

    def tally(self, done: str, *, json: bool) -> Tally:
        """An account to be kept."""
        return Tally(done, json, self.hiding)


@contextmanager
def shelf() -> Iterator[Shelf]:
    """Over a connection of its own. Raises SettingsInvalid, StoreUnavailable, LayoutMismatch."""
    settings = load_settings()
    registry = load_registry(settings.metrics_file)
    link = Link(settings.redis_url.get_secret_value(), name="runtally-dead")
    link.open()
    try:
        # An empty Redis has no dead letters: to look for some must not fix its partitions for ever.
        if link.call("EXISTS", keys.META):
            claim_layout(link, settings.partitions)
        letters = DeadLetters(link, settings.partitions, settings.airtable_base_id)
        yield Shelf(letters, Retry(link, settings.partitions, registry, letters), Hiding(settings))
    finally:
        link.close()


def since_time(text: str) -> datetime:
    """`90m`, `24h`, `7d` ago, or an ISO time, UTC when it names no zone. Raises LetterInvalid."""
    if ago := _AGO(text):
        return datetime.now(UTC) - timedelta(seconds=int(ago[1]) * _UNITS_S[ago[2]])
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        raise LetterInvalid(f"{text[:50]!r} is no time: 90m, 24h, 7d, or an ISO time such as 2025-09-30T14:00") from None
    return told.replace(tzinfo=UTC) if told.tzinfo is None else told
