"""HTTP by hand, for what no client library would send."""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

DEADLINE_S = 20.0


def head(token: str, *lines: str, start: str = "POST /v1/events HTTP/1.1") -> bytes:
    """The head of a request: what each has, then `lines`."""
    usual = ("Host: gateway", f"Authorization: Bearer {token}", "Content-Type: application/cloudevents+json")
    return "\r\n".join((start, *usual, *lines, "", "")).encode("latin-1")


def answer(url: str, *parts: bytes, half_close: bool = False, end_at: bytes = b"") -> bytes:
    """What comes back to `parts`: all until the gateway closes, or until `end_at` stands in it. Nothing if it closes without a word."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=DEADLINE_S) as connection:
        try:
            for part in parts:
                connection.sendall(part)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has heard enough
        return _received(connection, end_at)


def _received(connection: socket.socket, end_at: bytes) -> bytes:
    received = b""
    deadline = time.monotonic() + DEADLINE_S
    while not (end_at and end_at in received):
        assert time.monotonic() < deadline, f"neither an answer nor an end: {received!r}"
        try:
            more = connection.recv(65_536)
        except ConnectionResetError:
            break
        if not more:
            break
        received += more
    return received
