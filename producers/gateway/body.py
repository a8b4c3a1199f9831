"""The body of a request, read with bounds: on its size, on the time it takes, on what all requests hold together."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from producers.gateway.inflate import inflated
from producers.gateway.problem import Problem
from producers.gateway.timeouts import Timeouts

_ALL_BYTES = 67_108_864
_READ_S = 30.0


class BodyReader:
    """Reads bodies of at most `most_bytes`; all that are held at a time are at most 64 MiB."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.held_bytes = 0
        self.timeouts = Timeouts(_READ_S)

    def read(self, request: Request, *, gzip: bool = False) -> Body:
        """To be used in an `async with`, which gives the body's bytes. Entering raises Problem: 413 too large, 408 too slow, 400 broken
        off, 415 compressed, 503 too many at a time. `gzip`: it may be sent as gzip, and has `most_bytes` at most inflated, too."""
        return Body(self, request, gzip)


class Body:
    """One body, held while the block is open."""

    __slots__ = ("_bytes", "_gzip", "_reader", "_request")

    def __init__(self, reader: BodyReader, request: Request, gzip: bool) -> None:
        self._reader = reader
        self._request = request
        self._gzip = gzip
        self._bytes = 0

    async def __aenter__(self) -> bytes:
        headers = self._request.headers
        encoding = headers.get("content-encoding", "identity").lower()
        if encoding != "identity" and not (self._gzip and encoding == "gzip"):
            raise Problem(415, "content-encoding-unknown", "send the body uncompressed, without Content-Encoding")
        announced = headers.get("content-length")
        if announced is not None and announced.isdigit() and int(announced) > self._reader.most_bytes:
            raise self._too_large()
        try:
            with self._reader.timeouts.one():
                body = await self._read()
                return body if encoding == "identity" else await self._inflate(body)
        except TimeoutError:
            self._let_go()
            raise Problem(408, "too-slow", f"the body did not arrive within {_READ_S:.0f} s: send it again") from None
        except ClientDisconnect:
            self._let_go()
            raise Problem(400, "disconnected", "the body ended before it was complete") from None
        except BaseException:
            self._let_go()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._let_go()

    async def _read(self) -> bytes:
        reader = self._reader
        chunks: list[bytes] = []
        async for chunk in self._request.stream():
            self._bytes += len(chunk)
            reader.held_bytes += len(chunk)
            if self._bytes > reader.most_bytes:
                raise self._too_large()
            if reader.held_bytes > _ALL_BYTES:
                raise Problem(503, "overloaded", "too much is being sent at a time: send it again later", retry_after_s=1)
            chunks.append(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def _inflate(self, body: bytes) -> bytes:
        plain = await asyncio.to_thread(inflated, body, self._reader.most_bytes)
        self._bytes += len(plain)
        self._reader.held_bytes += len(plain)
        return plain

    def _let_go(self) -> None:
        self._reader.held_bytes -= self._bytes
        self._bytes = 0

    def _too_large(self) -> Problem:
        return Problem(413, "body-too-large", f"a body may have {self._reader.most_bytes:,} bytes: split it into several requests")
