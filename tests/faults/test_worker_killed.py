"""A worker killed with SIGKILL: at random moments, and on either side of the instant at which its commit is applied."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.killing import consumer, kill_again_and_again
from benchmarks.ledger import balance, rows_of
from benchmarks.reference import differences, folded
from benchmarks.stage import Stage, stage
from benchmarks.workload import append, make
from contract import keys
from tests.building import REGISTRY
from worker.consume import Consumer

ROOT = Path(__file__).parents[2]
SEED = 20_250_930
EVENTS = 3_000

DIES = """
    import os, signal, sys
    from contract import keys
    from contract.link import Link
    from contract.registry import load_registry
    from contract.settings import load_settings
    from worker import consume
    from worker.store.partition import PartitionStore, _commit

    consume.COMMIT_EVENTS = 1_000
    moment, nth, partition = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    settings = load_settings()
    commit = PartitionStore.commit

    def die(*_, **__):
        os.kill(os.getpid(), signal.SIGKILL)

    def dies_before(store, read_from, changes):
        die()

    def dies_after(store, read_from, changes):
        # Another connection sees that it was applied; the reply to this one stays unread.
        watcher = Link(settings.redis_url.get_secret_value(), name="watcher")
        watcher.open()
        # Else a fresh server's first reply is that it has no such script.
        watcher.call("SCRIPT", "LOAD", _commit._text)

        def read_response(*_, **__):
            while watcher.call("HGET", keys.state(store.partition), "offset") != changes.offset.encode():
                pass
            die()

        store.link._connection.read_response = read_response
        commit(store, read_from, changes)

    commits = []

    def counted(store, read_from, changes):
        commits.append(1)
        if len(commits) < nth:
            return commit(store, read_from, changes)
        return (dies_before if moment == "before" else dies_after)(store, read_from, changes)

    PartitionStore.commit = counted
    consume.Consumer(settings, load_registry(), partition).turn()
"""


@pytest.fixture
def place() -> Iterator[Stage]:
    with stage() as place:
        yield place


def test_a_worker_killed_at_random_moments_counts_each_event_once(place: Stage) -> None:
    toll = kill_again_and_again(place, consumer, events=20_000, kills=8, seed=SEED, longest_s=0.05, budget_s=60)
    assert (toll.balance.lost, toll.balance.doubled) == (0, 0)
    assert toll.balance.faults == []
    assert toll.at_work > 0, "no kill came while there was work: make the lives shorter"


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("nth_commit", [1, 2])
def test_a_worker_killed_beside_its_commit_counts_each_event_once(place: Stage, moment: str, nth_commit: int) -> None:
    """Before: folded, nothing sent. After: applied by the server, its reply not read."""
    settings = place.settings()
    workload = make(settings, events=EVENTS, runs=1, clients=5, seed=SEED)
    partition = workload.batches[0][0]
    append(place.link, workload.batches)

    environment = {**os.environ, "RUNTALLY_REDIS_URL": place.url, "PYTHONPATH": str(ROOT)}
    program = [sys.executable, "-c", textwrap.dedent(DIES), moment, str(nth_commit), str(partition)]
    died = subprocess.run(program, env=environment, cwd=place.children.folder, capture_output=True, timeout=30, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    applied = nth_commit - (moment == "before")
    assert (place.link.call("HGET", keys.state(partition), "offset") is not None) == (applied > 0)
    assert len(place.link.call("XRANGE", keys.log(partition), "-", "+")) == len(workload.batches)

    # What waiting for the end of the dead worker's lease would do.
    assert place.link.call("DEL", keys.consume_lease(partition)) == 1
    successor = Consumer(settings, REGISTRY, partition)
    done = successor.turn()
    successor.close()
    assert done.events == EVENTS - applied * 1_000
    found = balance(place.link, settings, REGISTRY, workload)
    assert (found.lost, found.doubled, found.faults) == (0, 0, [])
    assert differences(rows_of(place.link, settings, REGISTRY, workload), folded(place.link, settings, REGISTRY)) == []
