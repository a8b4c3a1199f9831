"""A child of `forks`: emits, forks in the way its first argument names, and ends orderly, as do its own children.

Its second argument is the folder of the ledger, its third a seed. Its exit code is 0 if all of its children ended well.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import producers
from faults.producers.told import Told

EVENTS = 60
CHILDREN = 6
_THREADS = 3


def emit(folder: str, events: int = EVENTS) -> int:
    """What a child does; its process ID."""
    told = Told(Path(folder))
    for _ in range(events):
        told.emit()
    return os.getpid()


def while_emitting(folder: str, body: Callable[[], None], *, warm: bool = True) -> None:
    """Run `body` while threads of this process emit. `warm`: the sender has its imports and its connection by then."""
    stop = threading.Event()

    def emit_on() -> None:
        while not stop.wait(0.0005):
            told.emit()

    told = Told(Path(folder))
    told.emit()
    if warm:
        producers.flush(20)
    threads = [threading.Thread(target=emit_on) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    try:
        body()
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def fork(folder: str, rng: random.Random, *, warm: bool = True) -> None:
    """os.fork at moments taken at random, beside threads that emit."""

    def body() -> None:
        pids = [_forked(lambda: emit(folder), rng) for _ in range(CHILDREN)]
        _await(pids)

    while_emitting(folder, body, warm=warm)


def fork_cold(folder: str, rng: random.Random) -> None:
    """os.fork while the sender's thread loads its imports."""
    fork(folder, rng, warm=False)


def first_event(folder: str, rng: random.Random) -> None:
    """os.fork while the very first event is emitted: settings and the sender's imports are being loaded."""
    thread = threading.Thread(target=emit, args=(folder,))
    thread.start()
    _await([_forked(lambda: emit(folder), rng) for _ in range(CHILDREN)])
    thread.join()


def mp_fork(folder: str, _: random.Random) -> None:
    """multiprocessing by fork, beside threads that emit."""
    while_emitting(folder, lambda: _processes("fork", folder))


def mp_spawn(folder: str, _: random.Random) -> None:
    """multiprocessing by spawn: the children begin with nothing."""
    while_emitting(folder, lambda: _processes("spawn", folder))


def pool(folder: str, _: random.Random) -> None:
    """A ProcessPoolExecutor whose workers emit for several tasks each."""
    told = Told(Path(folder))
    told.emit()
    producers.flush(20)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as executor:
        for _pid in executor.map(emit, [folder] * CHILDREN):
            told.emit()


def preload(folder: str, _: random.Random) -> None:
    """As gunicorn with preload_app: the master has emitted, its workers emit until SIGTERM, every other one with a handler of its own."""
    told = Told(Path(folder))
    for _event in range(EVENTS):
        told.emit()
    producers.flush(20)
    ready, telling = os.pipe()
    pids = [_forked(lambda handled=number % 2: _serve(folder, telling, bool(handled)), None) for number in range(CHILDREN // 2)]  # type: ignore[misc]
    for _pid in pids:
        os.read(ready, 1)
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    _await(pids, -signal.SIGTERM, 0)
    told.emit()


def _serve(folder: str, telling: int, handled: bool) -> None:
    if handled:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    emit(folder)
    os.write(telling, b"r")
    told = Told(Path(folder))
    while True:
        told.emit()
        time.sleep(0.0005)


def _forked(work: Callable[[], object], rng: random.Random | None) -> int:
    if rng is not None:
        time.sleep(rng.uniform(0, 0.03))
    pid = os.fork()
    if pid:
        return pid
    work()
    sys.exit(0)


def _await(pids: list[int], *codes: int) -> None:
    """Wait for the children. Raises SystemExit when one ended otherwise than it may."""
    for pid in pids:
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code not in (codes or (0,)):
            sys.exit(f"a child ended with {code}")


def _processes(how: str, folder: str) -> None:
    context = multiprocessing.get_context(how)
    number = 2 if how == "spawn" else CHILDREN
    processes = [context.Process(target=emit, args=(folder,)) for _ in range(number)]  # type: ignore[attr-defined]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode:
            sys.exit(f"a child ended with {process.exitcode}")


WAYS = {way.__name__: way for way in (fork, mp_fork, mp_spawn, pool, preload, fork_cold, first_event)}
COLD = ("fork_cold", "first_event")
"""Those that fork while the producer is still being loaded."""


def main() -> None:
    """Fork as told."""
    WAYS[sys.argv[1]](sys.argv[2], random.Random(int(sys.argv[3])))  # noqa: S311  # moments, no secret
    producers.flush(10)


if __name__ == "__main__":
    main()
