"""What the commands that look at rows have in common: the reader, and how values are shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from contract.link import Link
from contract.registry import Registry, load_registry
from contract.settings import Settings, load_settings
from contract.status import Status
from worker.store.reader import Reader

STYLES = {Status.RUNNING: "cyan", Status.COMPLETED: "green", Status.FAILED: "red", Status.NO_LEADS: "yellow"}
"""How each status is coloured in a terminal."""


@contextmanager
def reading(settings: Settings | None = None) -> Iterator[tuple[Reader, Registry]]:
    """A reader over a connection of its own, and the registry. Raises SettingsInvalid, StoreUnavailable."""
    settings = settings or load_settings()
    registry = load_registry(settings.metrics_file)
    link = Link(settings.redis_url.get_secret_value(), name="runtally-read")
    link.open()
    try:
        yield Reader(link, settings.partitions, registry), registry
    finally:
        link.close()


def shown(value: Any) -> str:
    """A value for a table: whole numbers grouped, times without fractions, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Decimal):
        return f"{value:,f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return str(value)


def as_json(value: Any) -> str:
    """One line of JSON; decimals as text, so that they stay exact."""
    return msgspec.json.encode(value).decode()
