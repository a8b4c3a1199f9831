"""uvicorn's HTTP protocol with what it lacks: bounds on the head of a request, and refusals as problem details.

A head may have 64 KiB and take 10 s: without bounds anybody, without a token, could fill the memory or hold connections for ever.
An offer to upgrade is overheard, as RFC 9110 (7.8) allows: uvicorn would drop the body of a request that makes one, and Java's client
offers HTTP/2 in each.
"""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from producers.gateway.problem import Problem

_MOST_HEAD_BYTES = 65_536
_HEAD_S = 10.0
_LINGER_S = 1.0
_END = b"\r\n\r\n"
_UPGRADE = re.compile(rb"\r\nupgrade[ \t]*:", re.IGNORECASE)


class BoundedHttp(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_bytes = 0
        self._last_bytes = b""
        self._in_head = True
        self._refused = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._in_head:
            if self._head_bytes == 0 and self._timer is None:
                self._expect_head()
            # The end may come in parts.
            joined = self._last_bytes + data
            end = joined.find(_END)
            self._head_bytes += len(data) if end < 0 else end + len(_END) - len(self._last_bytes)
            self._last_bytes = joined[1 - len(_END) :]
            if self._head_bytes > _MOST_HEAD_BYTES:
                self._refuse(Problem(431, "head-too-large", f"the head of a request may have {_MOST_HEAD_BYTES:,} bytes"))
                return
            data = _UPGRADE.sub(b"\r\nx-upgrade:", data) if end < 0 else _UPGRADE.sub(b"\r\nx-upgrade:", data[:end]) + data[end:]
        super().data_received(data)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head, self._head_bytes, self._last_bytes = True, 0, b""

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn's words are the same for all that can be wrong
        self._refuse(Problem(400, "http-refused", "this is no request that can be read: its head or its chunks are malformed"))

    def _expect_head(self) -> None:
        self._timer = self.loop.call_later(_HEAD_S, self._give_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        self._refuse(Problem(408, "too-slow", f"the head of a request may take {_HEAD_S:.0f} s"))

    def _refuse(self, problem: Problem) -> None:
        """Answer and close; only close where another answer is under way already. What was asked for before it is told of a disconnect."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        self._stop_timer()
        if self.cycle is not None and not self.cycle.response_complete:
            if self.cycle.response_started:
                self.transport.close()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        body = bytes(problem.response().body)
        status = f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}\r\n"
        head = f"{status}content-type: application/problem+json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(head.encode() + body)
        # What still comes is read and dropped for a moment: closing on unread bytes would reset the connection, and the answer with it.
        self.transport.write_eof()
        self._timer = self.loop.call_later(_LINGER_S, self.transport.close)
