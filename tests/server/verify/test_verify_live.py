"""While producers emit, workers fold and the flush writes, a check finds nothing: what moves is looked at again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from contract import keys
from contract.link import Link
from producers.publisher import Publisher
from producers.runs import Job
from worker.flush.flusher import flush
from worker.verify import look

from .conftest import Flow

ROUNDS = 3


@contextmanager
def at_work(flow: Flow) -> Iterator[list[BaseException]]:
    """Runs come and go, are folded and flushed, until the block ends."""
    over = threading.Event()
    failures: list[BaseException] = []

    def emit() -> None:
        publisher = Publisher(flow.settings)
        number = 0
        while not over.is_set():
            number += 1
            with Job(publisher, f"2509{number // 60 % 28 + 1:02d}-10{number % 60:02d}00", "live", 1, None) as job:
                for client in ("a", "b"):
                    with job.client(client) as run:
                        for _ in range(20):
                            run.count(leads_processed=1, profile_scoring_tokens=3)
                            over.wait(0.001)
        publisher.close()

    def write() -> None:
        link = Link(flow.settings.redis_url.get_secret_value(), name="test-flush")
        link.open()
        while not over.is_set():
            flush(flow.settings, link, flow.registry, over.is_set, 5)
            over.wait(0.05)
        link.close()

    def fold() -> None:
        while not over.is_set():
            flow.fold()

    def kept(act: object) -> None:
        try:
            act()  # type: ignore[operator]
        except BaseException as error:  # noqa: BLE001  # told by the test
            failures.append(error)

    threads = [threading.Thread(target=kept, args=(act,)) for act in (emit, write, fold)]
    for thread in threads:
        thread.start()
    try:
        yield failures
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_a_system_at_work_has_no_finding(flow: Flow) -> None:
    replayed, flow.alone = 0, False
    with at_work(flow) as failures:
        for _ in range(ROUNDS):
            report = flow.verify(replay=True)
            assert report.findings == []
            replayed += report.counts["replayed"]
            look(flow.settings, flow.link, flow.registry)
            assert flow.link.call("HGETALL", keys.VERIFY_FOUND) == []
        # What is really wrong is found all the same.
        flow.link.call("HSET", flow.row("b"), "sent_v", "1", "v", "2")
        assert ("unflushed", "b") in {(str(finding.kind), finding.client) for finding in flow.verify(airtable=False).findings}
    assert failures == []
    assert replayed > ROUNDS * 2
    flow.settle()
    assert flow.verify(repair=True).left == []
    flow.settle()
    assert flow.verify(replay=True).findings == []
