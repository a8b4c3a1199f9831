"""Dead letters as tables, for people."""

from __future__ import annotations

import json as json_format
from typing import Any

from rich.markup import escape
from rich.table import Table

from cli.dead_shelf import Shelf
from cli.reading import shown
from worker.dead import DeadLetter

_LABELS = {"Letter": "letter", "Set aside": "time", "Kind": "kind", "Reason": "reason", "Run": "run", "Client": "client"}


def listed(place: Shelf, letters: list[DeadLetter]) -> Table:
    """A line a letter, what is secret hidden."""
    table = Table("Letter", "Set aside (UTC)", "Kind", "Run and client", "Reason", box=None, pad_edge=False)
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    for letter in letters:
        about = letter.about.standard or letter.subject[:50] or (letter.client or "")
        reason = place.hiding.text(letter.reason)
        table.add_row(str(letter.id), shown(letter.at), letter.kind, escape(place.hiding.text(about)), escape(reason[:200]))
    return table


def whole(told: dict[str, Any]) -> Table:
    """Everything about one letter. `told`: as Hiding tells it, with `fault`, why it could not be used now, None if it could."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for label, name in _LABELS.items():
        table.add_row(label, escape(str(told[name] or "")))
    for name, value in told["origin"].items():
        table.add_row(f"From {escape(name)}", escape("" if value is None else str(value)))
    content = told["content"]
    table.add_row("Says", escape(content if isinstance(content, str) else json_format.dumps(content, indent=2, ensure_ascii=False)))
    table.add_row("Sent now", escape(told["fault"] or "it would be used"))
    return table
