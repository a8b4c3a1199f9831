"""Handling: the items of a delivery, one after another, each with the outcome its handler gives it."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import structlog

from producers.gateway.handlers import Handler, Skip
from producers.runs import told

_THREADS = 8
_TEXTS = 5
_TEXT_CHARS = 180
"""How many failures of one delivery are told in words, and most characters of each: together they fit a line of the error details."""

_MAX_REASON = 100
_MAX_REASONS = 99
_OTHER_REASONS = "(other reasons)"
_log: Any = structlog.get_logger("runtally.gateway")


class Failure(NamedTuple):
    """An item whose handler raised: its place in the delivery, and the exception in words."""

    number: int
    item: dict[str, Any]
    text: str


@dataclass(slots=True)
class Handled:
    """What the items came to so far. `skips`: reason -> count."""

    accepted: int = 0
    skips: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)

    @property
    def skipped(self) -> int:
        """How many were left out."""
        return sum(self.skips.values())

    @property
    def failed(self) -> int:
        """How many handlers raised."""
        return len(self.failures)

    @property
    def error(self) -> str | None:
        """The failures in words; None if there is none."""
        texts = [f"item {failure.number}: {failure.text}"[:_TEXT_CHARS] for failure in self.failures[:_TEXTS]]
        more = self.failed - len(texts)
        return ("; ".join(texts) + (f"; and {more} more" if more else "")) if texts else None

    def skip(self, reason: object) -> None:
        """Count one that was left out; a flood of different reasons is counted together."""
        name = _readable(str(reason)).strip()[:_MAX_REASON] or "UNKNOWN"
        self.skips[name if name in self.skips or len(self.skips) < _MAX_REASONS else _OTHER_REASONS] += 1


class Handling:
    """Runs handlers. Plain functions of all deliveries share a few threads of their own: slow ones hold up nothing else."""

    def __init__(self) -> None:
        """Starts no thread yet."""
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="runtally-handler")

    def close(self) -> None:
        """Begin no further call."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def run(self, handler: Handler | None, client: str, items: Sequence[dict[str, Any]]) -> Handled:
        """Every item's outcome. No exception of a handler gets out; without a handler all are accepted."""
        if handler is None:
            return Handled(accepted=len(items))
        handled = Handled()
        for index, item in enumerate(items):
            try:
                await self._call(handler, client, item)
            except Skip as skipped:
                handled.skip(skipped.reason)
            except Exception as error:  # noqa: BLE001  # the user's code may raise anything
                if not handled.failures:
                    _log.warning("a handler failed", client_id=client, handler=handler.__module__, exc_info=error)
                handled.failures.append(Failure(index, item, _readable(told(error))))
            else:
                handled.accepted += 1
        return handled

    async def _call(self, handler: Handler, client: str, item: dict[str, Any]) -> None:
        if inspect.iscoroutinefunction(handler):
            await handler(client, item)
            return
        context = contextvars.copy_context()
        result = await asyncio.get_running_loop().run_in_executor(self._pool, partial(context.run, handler, client, item))
        if inspect.isawaitable(result):
            await result


def _readable(text: str) -> str:
    """The text without halves of surrogate pairs, which no JSON can carry."""
    return text.encode("utf-8", "replace").decode()
