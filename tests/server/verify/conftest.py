"""A small real flow: producers emit, the fold counts, the flush writes into the sandbox. Then hands that plant what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from pyairtable import Api

from airtable_sandbox import Limits, Sandbox
from contract import keys
from contract.link import Link
from contract.registry import load_registry
from contract.settings import Settings
from producers.publisher import Publisher
from producers.runs import Job
from worker.consume import Consumer
from worker.flush.flusher import flush
from worker.flush.schema import init_base
from worker.store.reader import Reader
from worker.verify import Options, Report, verify

TOKEN = "pat-of-the-tests"
RUN, QUIET = "250930-141522", "250930-150000"
"""Two runs: one with clients a, b and c, of which c failed, and one whose only client had nothing to do."""

Seen = tuple[str, str | None, str | None]
"""Kind, run and client of a finding."""


class Flow:
    """Redis, the sandbox, and what stands between them, run by hand."""

    def __init__(self, settings: Settings, link: Link, sandbox: Sandbox) -> None:
        self.settings = settings
        self.link = link
        self.sandbox = sandbox
        self.registry = load_registry()
        self.alone = True
        """Nobody else sends to the base: the limit may be forgotten between two steps, which makes a test quick."""
        self.reader = Reader(link, settings.partitions, self.registry)
        person = Api(TOKEN, endpoint_url=sandbox.human_url)
        self.jobs = person.table(sandbox.base_id, "Job Tracking")
        self.clients = person.table(sandbox.base_id, "Client Run Results")

    def emit(self) -> None:
        publisher = Publisher(self.settings)
        with Job(publisher, RUN, "scoring", 1, None) as job:
            with job.client("a", "Client A") as run:
                run.count(leads_processed=10, apify_api_costs="1.10", profile_scoring_tokens=7, profiles_examined_for_scoring=9)
                run.skip("QUOTA", 2)
                run.note("a note\nof two lines")
            with job.client("b", "Client B") as run:
                run.count(leads_processed=5)
                run.progress("post_scoring", "completed")
            with suppress(KeyError), job.client("c") as run:
                run.count(leads_processed=1, errors=1)
                raise KeyError("boom")
        with Job(publisher, QUIET, "scoring", None, None) as job, job.client("Jane-Doe"):
            pass
        assert publisher.close() == 0

    def fold(self) -> None:
        for partition in range(self.settings.partitions):
            consumer = Consumer(self.settings, self.registry, partition)
            consumer.turn()
            consumer.close()

    def at_rest(self) -> None:
        if self.alone:
            self.link.call("DEL", keys.limiter(self.sandbox.base_id))
            self.sandbox.reset_limits()

    def flush(self) -> None:
        self.at_rest()
        assert flush(self.settings, self.link, self.registry, lambda: False, 20).waiting == 0

    def settle(self) -> None:
        """What the workers do in a few seconds."""
        self.fold()
        self.flush()

    def verify(self, **options: Any) -> Report:
        self.at_rest()
        return verify(self.settings, self.link, self.registry, replace(Options(pace_s=0), **options))

    def seen(self, **options: Any) -> set[Seen]:
        """Kind, run and client of all findings."""
        return {(str(f.kind), f.run, f.client) for f in self.verify(**options).findings}

    def row(self, client: str | None, run: str = RUN) -> str:
        """The key of a row's hash."""
        return keys.row(self.partition(run), run if client is None else f"{run}-{client}")

    def partition(self, run: str = RUN) -> int:
        return keys.partition_of(run, self.settings.partitions)

    def state(self, client: str | None) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.json.decode(self.link.call("HGET", self.row(client), "state"))
        return found

    def write_state(self, client: str | None, **values: Any) -> None:
        """Change a row behind the workers' back."""
        self.link.call("HSET", self.row(client), "state", msgspec.json.encode(self.state(client) | values))

    def total(self, name: str, client: str | None = None) -> Any:
        return self.state(client)["metrics"].get(name)

    def write_metric(self, client: str | None, name: str, value: Any) -> None:
        self.write_state(client, metrics=self.state(client)["metrics"] | {name: value})

    def record(self, client: str | None, run: str = RUN) -> dict[str, Any]:
        """The one record of a row, as a person sees it."""
        table = self.jobs if client is None else self.clients
        key = run if client is None else f"{run}-{client}"
        (found,) = [record for record in table.all() if record["fields"].get("Run ID") == key]
        return dict(found)


@pytest.fixture
def empty_flow(redis_url: str, make_settings: Callable[..., Settings]) -> Iterator[Flow]:
    """Nothing emitted yet; the base has its tables."""
    with Sandbox(TOKEN, limits=Limits(lockout_s=0.4)) as sandbox:
        settings = make_settings(
            redis_url=redis_url,
            partitions=4,
            airtable_url=sandbox.url,
            airtable_token=TOKEN,
            airtable_base_id=sandbox.base_id,
            airtable_timeout_s=2.0,
        )
        link = Link(redis_url, name="test-verify")
        link.open()
        init_base(settings, link, load_registry())
        yield Flow(settings, link, sandbox)
        link.close()


@pytest.fixture
def flow(empty_flow: Flow) -> Flow:
    """Two runs, folded and flushed."""
    empty_flow.emit()
    empty_flow.settle()
    return empty_flow
