"""The body of a request, read with bounds: on its size, on the time it takes, on what all requests hold together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import ClientDisconnect, Request

from producers.gateway.problem import Problem

_ALL_BYTES = 67_108_864
_READ_S = 30.0


class BodyReader:
    """Reads bodies of at most `most_bytes`; all that are held at a time are at most 64 MiB."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held = 0

    @asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """The body, held while the block is open. Raises Problem: 413 too large, 408 too slow, 503 too many at a time."""
        announced = request.headers.get("content-length")
        if announced is not None and announced.isdigit() and int(announced) > self._most:
            raise self._too_large()
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(_READ_S):
                async for chunk in request.stream():
                    size += len(chunk)
                    self._held += len(chunk)
                    if size > self._most:
                        raise self._too_large()
                    if self._held > _ALL_BYTES:
                        raise Problem(503, "overloaded", "too much is being sent at a time: send it again later", retry_after_s=1)
                    chunks.append(chunk)
            yield chunks[0] if len(chunks) == 1 else b"".join(chunks)
        except TimeoutError:
            raise Problem(408, "too-slow", f"the body did not arrive within {_READ_S:.0f} s: send it again") from None
        except ClientDisconnect:
            raise Problem(400, "disconnected", "the body ended before it was complete") from None
        finally:
            self._held -= size

    def _too_large(self) -> Problem:
        return Problem(413, "body-too-large", f"a body may have {self._most:,} bytes: split it into several requests")
