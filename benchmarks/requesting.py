"""A child that sends events over HTTP as fast as they are answered, on connections that stay open.

`python -m benchmarks.requesting PORT TOKEN NAME BATCH CONNECTIONS SECONDS RATE`: RATE 0 is as fast as it goes, else so many requests a
second in all. Writes JSON: `requests`, `taken` (events answered 202), `statuses`, `took_s`, `ms` (each request's time, ascending),
`busy` (CPU time of this child as a share of `took_s`: near 1 it is what is measured)."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from typing import Any

_EVENT = (
    '{"specversion":"1.0","id":"%s","source":"/bench/%s","type":"client.metrics.updated","subject":"250930-141522-client-%04d",'
    '"time":"2025-09-30T14:15:22.123456Z","data":{"metrics":{"leads_processed":1,"profiles_examined_for_scoring":1,'
    '"profiles_successfully_scored":1,"profile_scoring_tokens":812,"prompt_tokens":411}}}'
)
_HEAD = (
    "POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nContent-Type: application/cloudevents%s+json\r\n"
    "Content-Length: %d\r\n\r\n"
)


class _Load:
    def __init__(self, port: int, token: str, name: str, batch: int) -> None:
        self.port, self.token, self.name, self.batch = port, token, name, batch
        self.statuses: Counter[int] = Counter()
        self.times: list[float] = []
        self.taken = 0
        self.number = 0
        self.until = 0.0
        self.pause_s = 0.0

    def request(self) -> bytes:
        """The next request; every event has an ID of its own."""
        events = []
        for _ in range(self.batch):
            self.number += 1
            events.append(_EVENT % (f"{self.name}-{self.number}", self.name, self.number % 100))
        body = events[0] if self.batch == 1 else f"[{','.join(events)}]"
        return (_HEAD % (self.token, "" if self.batch == 1 else "-batch", len(body)) + body).encode()

    async def connection(self) -> None:
        """One connection, one request at a time, until the time is up."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        while time.perf_counter() < self.until:
            sent = self.request()
            begin = time.perf_counter()
            writer.write(sent)
            head = await reader.readuntil(b"\r\n\r\n")
            lower = head.lower()
            at = lower.index(b"content-length:") + 15
            await reader.readexactly(int(lower[at : lower.index(b"\r\n", at)]))
            self.times.append((time.perf_counter() - begin) * 1000)
            status = int(head[9:12])
            self.statuses[status] += 1
            self.taken += self.batch if status == 202 else 0
            if self.pause_s:
                await asyncio.sleep(max(0.0, begin + self.pause_s - time.perf_counter()))
        writer.close()

    async def run(self, connections: int, seconds: float, rate: float) -> dict[str, Any]:
        """All connections at the same time."""
        begin, cpu_begin = time.perf_counter(), time.process_time()
        self.until = begin + seconds
        self.pause_s = connections / rate if rate else 0.0
        await asyncio.gather(*(self.connection() for _ in range(connections)))
        took_s = time.perf_counter() - begin
        statuses = {str(status): number for status, number in self.statuses.items()}
        told = {"requests": len(self.times), "taken": self.taken, "statuses": statuses, "took_s": took_s}
        return told | {"busy": (time.process_time() - cpu_begin) / took_s, "ms": sorted(self.times)}


def main() -> None:
    """Send, and tell what came back."""
    port, token, name, batch, connections, seconds, rate = sys.argv[1:8]
    load = _Load(int(port), token, name, int(batch))
    print(json.dumps(asyncio.run(load.run(int(connections), float(seconds), float(rate)))))


if __name__ == "__main__":
    main()
