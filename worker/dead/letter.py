"""One dead letter, as its stream holds it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, NamedTuple

from contract.errors import LetterInvalid
from contract.run_id import RunId, parse

AIR = "air"
"""The place of what Airtable refused."""

WEB = "web"
"""The place of webhooks that cannot be used. The other places are the partitions, by number."""

_LETTER_ID = re.compile(rf"({AIR}|{WEB}|[0-9]{{1,4}}):([0-9]{{1,19}})-([0-9]{{1,19}})", re.ASCII).fullmatch


class LetterId(NamedTuple):
    """Where a letter lies, written `3:1759234522000-0`. In the order of its first two parts, letters are in the order of time."""

    ms: int
    number: int
    place: str

    @property
    def entry(self) -> str:
        """Its ID in the stream of its place."""
        return f"{self.ms}-{self.number}"

    def __str__(self) -> str:
        return f"{self.place}:{self.entry}"


def letter_id(text: str) -> LetterId:
    """The ID in a text. Raises LetterInvalid."""
    found = _LETTER_ID(text.strip())
    if found is None:
        raise LetterInvalid(f"{text[:100]!r} is no dead letter's ID: they look like 3:1759234522000-0 or {AIR}:1759234522000-0")
    place = found[1] if found[1] in (AIR, WEB) else str(int(found[1]))
    return LetterId(int(found[2]), int(found[3]), place)


@dataclass(frozen=True)
class DeadLetter:
    """`kind`: event, value, status, field, row or webhook. `origin`: where it stood, as the one who set it aside told. `text`: what was
    set aside, JSON if it could be read."""

    id: LetterId
    kind: str
    reason: str
    origin: dict[str, Any]
    text: str

    @property
    def at(self) -> datetime:
        """When it was set aside, by the server's clock."""
        return datetime.fromtimestamp(self.id.ms / 1000, UTC)

    @cached_property
    def content(self) -> Any:
        """What was set aside; its text, where that is no JSON."""
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError):
            return self.text

    @property
    def subject(self) -> str:
        """The row it is about, as it was written; "" when nothing tells."""
        told = self.origin.get("subject") or self.origin.get("row")
        if told is None and self.kind != "webhook" and isinstance(self.content, dict):
            told = self.content.get("subject")
        return told if isinstance(told, str) else ""

    @property
    def about(self) -> RunId:
        """The run and the client it is about, as far as the subject tells."""
        return parse(self.subject)

    @property
    def client(self) -> str | None:
        """The client it is about: of its subject, or as the one who set it aside told."""
        told = self.about.client or self.origin.get("client")
        return told if isinstance(told, str) else None


def from_entry(place: str, entry: bytes, fields: Sequence[bytes]) -> DeadLetter:
    """The letter in a stream's entry. What is missing or no JSON is empty: a letter can always be looked at and dropped."""
    texts = {name.decode(): value.decode(errors="replace") for name, value in zip(fields[::2], fields[1::2], strict=True)}
    try:
        origin = json.loads(texts.get("origin", "{}"))
    except ValueError:
        origin = {}
    origin = origin if isinstance(origin, dict) else {}
    ms, _, number = entry.decode().partition("-")
    # The flush tells no kind: it sets aside one field, or the whole row.
    kind = texts.get("kind") or ("event" if place != AIR else "field" if origin.get("field") else "row")
    return DeadLetter(LetterId(int(ms), int(number), place), kind, texts.get("reason", ""), origin, texts.get("letter", ""))
