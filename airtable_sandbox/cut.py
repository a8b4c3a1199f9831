"""Cutting a connection instead of answering.

An ASGI application cannot do that: whatever it returns or raises, the server writes a reply. So this protocol puts a function
into each request's scope that resets the transport below the server. The client sees a TCP reset (ECONNRESET), never a status.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_EXTENSION = "airtable_sandbox.cut"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with no time to linger: close sends RST instead of FIN


class CuttableProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol, with `cut_connection(scope)` working for its requests."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        application: Any = self.app

        async def with_cut(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})[_EXTENSION] = self._cut
            await application(scope, receive, send)

        self.app = with_cut

    def _cut(self) -> None:
        if self.transport.is_closing():
            return
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        # Told to the cycle at once: connection_lost comes a loop turn later, and uvicorn would log a missing answer.
        self.cycle.disconnected = True
        self.transport.abort()


def cut_connection(scope: Scope) -> None:
    """Resets the connection of this request. The application must return without sending anything more."""
    scope["extensions"][_EXTENSION]()
