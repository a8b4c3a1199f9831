"""An event that waits to be sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple


class Subject(NamedTuple):
    """Where an event belongs: the row ID it is about, and the base run ID, which decides the partition."""

    row_id: str
    run: str


class Buffered(NamedTuple):
    """An event that waits to be sent. `id` is None for one numbered by its publisher; `at`: ns since the epoch, or a time.
    `durable`: somebody waits until it is on disk."""

    type: str
    subject: Subject
    data: dict[str, Any]
    id: str | None
    at: int | datetime
    durable: bool = False
