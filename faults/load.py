"""Producers at work on a server: started, told about phases, ended, and asked for their books."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import msgspec

from benchmarks.children import ChildFailed, Children, await_line, last_lines
from faults.producing import Answer


class Load:
    """A context manager: entering starts `producers` processes that emit `rate` events a second each. Used from the main thread."""

    def __init__(self, environment: Mapping[str, str], *, seed: int, producers: int = 2, rate: float = 300) -> None:
        """`environment`: the RUNTALLY_ variables that lead to the server."""
        self._children = Children(environment)
        self._words = [("-m", "faults.producing", f"p{number}", str(seed), str(rate)) for number in range(producers)]
        self._producers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self._children.__enter__()
        try:
            self._producers = [self._children.start(*words, stdin=subprocess.PIPE) for words in self._words]
            for producer in self._producers:
                await_line(producer)
        except BaseException as error:
            self._children.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._children.__exit__(kind, error, trace)

    def phase(self, name: str) -> None:
        """From now on calls of emit are timed for this phase."""
        for producer in self._producers:
            assert producer.stdin is not None
            producer.stdin.write(name.encode() + b"\n")
            producer.stdin.flush()

    def end(self) -> None:
        """No more events; what is left is delivered."""
        for producer in self._producers:
            assert producer.stdin is not None
            producer.stdin.close()

    @property
    def delivering(self) -> bool:
        """Whether a producer has not ended. Its answer is smaller than a pipe, so it ends without being read."""
        return any(producer.poll() is None for producer in self._producers)

    def answers(self) -> list[Answer]:
        """Wait for the producers' ends; what they say. Raises ChildFailed."""
        answers = []
        for producer in self._producers:
            assert producer.stdout is not None
            text = producer.stdout.read()
            if producer.wait():
                raise ChildFailed(f"a producer ended with {producer.returncode}: {last_lines(producer)}")
            answers.append(msgspec.json.decode(text, type=Answer))
        return answers
