"""The last lines of a program's output, for the notes of its run: bounded, readable, without secrets."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable

_LINE_BYTES = 4_096
_LINE_CHARS = 500
_escapes = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_controls = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]+")


class Tail:
    """The last `most` lines of several streams together, in the order of their ends. Each stream is fed by one thread."""

    def __init__(self, most: int, hide: Callable[[str], str]) -> None:
        """`hide`: a text without its secrets."""
        self._most = most
        self._hide = hide
        self._lines: deque[bytes] = deque(maxlen=most)
        self._partial: dict[int, bytes] = {}
        self._lock = threading.Lock()

    def feed(self, stream: int, chunk: bytes) -> None:
        """What a stream has written. Costs as much as looking for its last lines, however long the chunk."""
        with self._lock:
            # What stands before the last lines cannot be among them.
            *lines, partial = (self._partial.get(stream, b"") + chunk).rsplit(b"\n", self._most + 1)
            self._lines.extend(line[:_LINE_BYTES] for line in lines)
            self._partial[stream] = _overwritten(partial)[:_LINE_BYTES]

    def lines(self) -> list[str]:
        """The last lines that are not blank, each of 500 characters at most, an unfinished one included."""
        with self._lock:
            raw = [*self._lines, *self._partial.values()]
        texts = (self._text(line) for line in raw)
        return [text for text in texts if text][-self._most :] if self._most else []

    def _text(self, line: bytes) -> str:
        text = _escapes.sub("", _overwritten(line).decode(errors="replace"))
        return self._hide(_controls.sub("", text).rstrip())[:_LINE_CHARS]


def _overwritten(line: bytes) -> bytes:
    """What a terminal shows of a line that goes back to its beginning, as progress bars do."""
    return line.rstrip(b"\r").rpartition(b"\r")[2]
