"""Locks between real processes: races, a killed owner, a frozen one, and the call that people use."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from contract.errors import AlreadyRunning
from contract.link import Link
from contract.settings import Settings
from producers.exclusive import Exclusive, Scope, held
from tests.conftest import SettingsMaker

ROOT = Path(__file__).parents[2]
SCORING = Scope("post_scoring", 1)
ROUNDS = 50

JOB = """
import json, sys, time
import producers
from contract.errors import AlreadyRunning

def tell(**what):
    print(json.dumps(what), flush=True)

for line in sys.stdin:
    start = float(line)
    while time.monotonic() < start:
        pass
    try:
        with producers.exclusive("post_scoring", stream=1, run_id="250930-141522") as lock:
            tell(fence=lock.fence)
            sys.stdin.readline()
            tell(lost=lock.lost.wait(20 if "lost" in sys.argv else 0), still_mine=lock.still_mine())
    except AlreadyRunning as error:
        tell(refused=error.run_id)
        sys.stdin.readline()
        tell()
"""


class Job:
    """A process that takes the lock when it is told to, and gives it back when it is told to."""

    def __init__(self, settings: Settings, *words: str) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "RUNTALLY_REDIS_URL": settings.redis_url.get_secret_value(),
            "RUNTALLY_LOCK_TTL_S": str(settings.lock_ttl_s),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", JOB, *words],
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def say(self, text: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, object]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        # Lines of the log may come in between: structlog prints where nobody has configured it.
        while line and not line.startswith("{"):
            line = self.process.stdout.readline()
        told: dict[str, object] = json.loads(line)
        return told

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def jobs() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def short(make_settings: SettingsMaker, redis_url: str) -> Settings:
    return make_settings(redis_url=redis_url, lock_ttl_s=1.5)


def job(jobs: ExitStack, settings: Settings, *words: str) -> Job:
    started = Job(settings, *words)
    jobs.callback(started.close)
    return started


def taken_over(settings: Settings, within_s: float = 20.0) -> Exclusive:
    """The lock, as soon as it can be had."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            return Exclusive(settings, SCORING).__enter__()
        except AlreadyRunning:
            assert time.monotonic() < deadline, "the lock did not end"


def test_of_two_that_start_at_the_same_moment_exactly_one_wins(jobs: ExitStack, settings: Settings) -> None:
    racers = [job(jobs, settings), job(jobs, settings)]
    fences: list[object] = []
    for _ in range(ROUNDS):
        start = time.monotonic() + 0.005
        for racer in racers:
            racer.say(start)
        told = [racer.hear() for racer in racers]
        assert sorted("fence" in answer for answer in told) == [False, True], told
        assert [answer["refused"] for answer in told if "refused" in answer] == ["250930-141522"]
        fences += [answer["fence"] for answer in told if "fence" in answer]
        for racer in racers:
            racer.say("leave")
        # What the winner tells last, it tells while it holds the lock: the next round begins when it is given back.
        assert all("lost" not in answer or answer == {"lost": False, "still_mine": True} for answer in [racer.hear() for racer in racers])
        taken_over(settings).__exit__(None, None, None)
    assert fences == sorted(set(fences), key=lambda fence: int(str(fence)))


def test_the_lock_of_a_killed_owner_ends_after_its_term(jobs: ExitStack, short: Settings, redis_url: str) -> None:
    owner = job(jobs, short)
    owner.say(0)
    fence = int(str(owner.hear()["fence"]))
    owner.process.send_signal(signal.SIGKILL)
    owner.process.wait(10)
    with pytest.raises(AlreadyRunning):
        Exclusive(short, SCORING).__enter__()
    died = time.monotonic()
    heir = taken_over(short)
    assert time.monotonic() - died < 10
    assert (heir.fence or 0) > fence
    heir.__exit__(None, None, None)


def test_an_owner_ended_by_sigterm_gives_it_back(jobs: ExitStack, settings: Settings) -> None:
    owner = job(jobs, settings)
    owner.say(0)
    owner.hear()
    with pytest.raises(AlreadyRunning):
        Exclusive(settings, SCORING).__enter__()
    owner.process.terminate()
    assert owner.process.wait(20) == -signal.SIGTERM
    with Exclusive(settings, SCORING) as heir:
        assert heir.still_mine()


def test_sigterm_in_a_child_leaves_its_parents_lock_alone(settings: Settings) -> None:
    with Exclusive(settings, SCORING) as lock:
        child = os.fork()
        if not child:
            os.kill(os.getpid(), signal.SIGTERM)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
        with pytest.raises(AlreadyRunning):
            Exclusive(settings, SCORING).__enter__()
        assert lock.still_mine()


def test_an_owner_frozen_beyond_its_term_notices_when_it_wakes(
    jobs: ExitStack, short: Settings, settings: Settings, redis_url: str
) -> None:
    frozen = job(jobs, short, "lost")
    frozen.say(0)
    fence = int(str(frozen.hear()["fence"]))
    frozen.process.send_signal(signal.SIGSTOP)
    # The usual term: on a busy machine the heir, too, may be late to renew a short one.
    heir = taken_over(settings)
    assert (heir.fence or 0) > fence
    frozen.process.send_signal(signal.SIGCONT)
    frozen.say("leave")
    assert frozen.hear() == {"lost": True, "still_mine": False}
    assert heir.still_mine()
    link = Link(redis_url, name="test")
    link.open()
    assert [holder.fence for holder in held(link)] == [heir.fence]
    link.close()
    heir.__exit__(None, None, None)
