"""A base in the sandbox, an emptied Valkey, and rows put there as commit would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from airtable_sandbox import Limits, Remote, Sandbox
from contract import keys
from contract.link import Link
from contract.registry import Registry, load_registry
from contract.settings import Settings
from contract.status import Status
from worker.flush.flusher import FlushReport, Pace, flush
from worker.flush.schema import init_base
from worker.rows import AnyRow, ClientRow, JobRow, to_hash

TOKEN = "pat-of-the-tests"
RUN = "250930-141522"
AT = datetime(2025, 9, 30, 14, 15, 22, tzinfo=UTC)

FAST = Pace(quarantine_s=0.3, lockout_s=0.5, open_s=0.3, open_most_s=1.0, refused_s=0.3, refused_most_s=1.0)
"""Times short enough for a test; their relation is the real one."""


class World:
    """Redis and Airtable, and a flush between them."""

    def __init__(self, settings: Settings, link: Link, sandbox: Remote, registry: Registry) -> None:
        self.settings = settings
        self.link = link
        self.sandbox = sandbox
        self.registry = registry
        self.base_id = settings.airtable_base_id or ""

    def job(self, run: str = RUN, **values: Any) -> JobRow:
        row = JobRow(**({"run": run, "job_type": None, "start": AT, "updated": AT, "version": 1} | values))
        self.put(row)
        return row

    def client(self, client: str, run: str = RUN, **values: Any) -> ClientRow:
        row = ClientRow(**({"run": run, "client": client, "start": AT, "updated": AT, "version": 1} | values))
        self.put(row)
        return row

    def put(self, row: AnyRow) -> None:
        """Store a row as commit does: hash, mark, set of clients."""
        partition = keys.partition_of(row.run, self.settings.partitions)
        fields = [part for field in to_hash(row).items() for part in field]
        self.link.call("HSET", keys.row(partition, row.row_id), *fields)
        self.link.call("ZADD", keys.dirty(partition), "NX", 0, row.row_id)
        if isinstance(row, ClientRow):
            self.link.call("SADD", keys.clients(partition, row.run), row.client)

    def change(self, row: AnyRow, **values: Any) -> None:
        """Store a later version of a row."""
        for name, value in values.items():
            setattr(row, name, value)
        row.version += 1
        self.put(row)

    def flush(self, *, stop: Callable[[], bool] = lambda: False, deadline_s: float = 20, pace: Pace = FAST) -> FlushReport:
        return flush(self.settings, self.link, self.registry, stop, deadline_s, pace=pace)

    def jobs(self) -> dict[str, dict[str, Any]]:
        """Run ID -> fields of Job Tracking. Fails when a run ID stands there twice."""
        return self._by_key("Job Tracking")

    def clients(self) -> dict[str, dict[str, Any]]:
        """Run ID -> fields of Client Run Results."""
        return self._by_key("Client Run Results")

    def _by_key(self, table: str) -> dict[str, dict[str, Any]]:
        records = self.sandbox.records(table)
        found = {record["fields"]["Run ID"]: record["fields"] | {"record_id": record["id"]} for record in records}
        assert len(found) == len(records), "a run ID stands in the table twice"
        return found

    def stored(self, row: AnyRow, field: str) -> str | None:
        """A field of a row's hash."""
        partition = keys.partition_of(row.run, self.settings.partitions)
        value = self.link.call("HGET", keys.row(partition, row.row_id), field)
        return None if value is None else value.decode()

    def dirty(self) -> set[str]:
        """Row IDs that are dirty, those that wait included."""
        found = [self.link.call("ZRANGE", keys.dirty(p), 0, -1) for p in range(self.settings.partitions)]
        return {row_id.decode() for row_ids in found for row_id in row_ids}

    def letters(self) -> list[dict[str, str]]:
        """The dead letters of the flush, oldest first."""
        entries = self.link.call("XRANGE", keys.flush_dead(self.base_id), "-", "+")
        return [{k.decode(): v.decode() for k, v in zip(fields[::2], fields[1::2], strict=True)} for _, fields in entries]

    def counter(self, name: str) -> int:
        """A counter of the flush in Redis."""
        return int(self.link.call("HGET", keys.flush_counters(self.base_id), name) or 0)

    def calls(self) -> int:
        """Requests that the sandbox has seen since its counters were reset."""
        calls: int = self.sandbox.counters()["calls"]
        return calls


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Airtable's limits, with a lockout that a test can wait for."""
    with Sandbox(TOKEN, limits=Limits(lockout_s=0.4)) as sandbox:
        yield sandbox


@pytest.fixture
def empty_world(sandbox: Sandbox, redis_url: str, make_settings: Callable[..., Settings]) -> Iterator[World]:
    """A base without tables."""
    settings = make_settings(
        redis_url=redis_url,
        partitions=4,
        airtable_url=sandbox.url,
        airtable_token=TOKEN,
        airtable_base_id=sandbox.base_id,
        airtable_timeout_s=1.0,
    )
    link = Link(redis_url, name="test-flush")
    link.open()
    yield World(settings, link, sandbox, load_registry())
    link.close()


@pytest.fixture
def world(empty_world: World) -> World:
    """A base with both tables, limits and counters as new."""
    world = empty_world
    init_base(world.settings, world.link, world.registry)
    world.link.call("DEL", keys.limiter(world.base_id), keys.flush_counters(world.base_id))
    world.sandbox.reset_limits()
    world.sandbox.reset_counters()
    return world


FINISHED = {"status": Status.COMPLETED, "end": AT}
