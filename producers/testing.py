"""For tests of code that emits: its events are recorded, and nothing is sent.

with recording() as events:
    score_all_clients()
assert events[0].type == "job.started"
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

from contract.settings import Settings
from producers import default
from producers.alone import alone
from producers.publish.event import Subject
from producers.publisher import Publisher


class Recorded(NamedTuple):
    """An event that would have been sent. `type`: as in docs/contracts. `run_id`: the job's. `client_id`: None for a job's event.
    `data`: the rest of what contract.events.Data names, values as they were given. `id`: None for one that would have been numbered."""

    type: str
    run_id: str
    client_id: str | None
    data: dict[str, Any]
    id: str | None
    time: datetime


class Recorder(Publisher):
    """A publisher that refuses what a real one refuses, and keeps the rest in `events`, the oldest first. Has default settings, whatever
    the environment says; opens, writes and starts nothing."""

    def __init__(self) -> None:
        super().__init__(Settings.model_construct())
        self.events: list[Recorded] = []

    def put(
        self,
        type: str,
        subject: Subject,
        data: dict[str, Any],
        id: str | None = None,
        time: datetime | None = None,
        durable: bool = False,  # noqa: ARG002  # nothing goes to a disk
    ) -> bool:
        """Keep the event; always True."""
        client = None if subject.row_id == subject.run else subject.row_id[len(subject.run) + 1 :]
        self.events.append(Recorded(str(type), subject.run, client, data, id, datetime.now(UTC) if time is None else time))
        return True

    def flush(self, timeout_s: float = 5.0) -> int:  # noqa: ARG002  # nothing is waited for
        """Nothing waits: 0."""
        return 0

    def close(self, timeout_s: float | None = None) -> int:  # noqa: ARG002  # nothing is waited for
        """Nothing is left: 0."""
        return 0


@contextmanager
def recording() -> Iterator[list[Recorded]]:
    """Within the block the calls and blocks of `producers`, in every thread, add to the list instead of sending anything.

    No Redis is asked, no thread started, no file written, and no setting read: run IDs are this process's own, every lock is granted, a
    batch goes on from nothing, and there are no heartbeats. Publishers that are made by hand send as ever. May be nested.
    """
    recorder = Recorder()
    with alone():
        before = default.use(recorder)
        try:
            yield recorder.events
        finally:
            default.use(before)
