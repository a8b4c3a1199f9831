"""A client's leads, chunk by chunk, without those that are finished already."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterable, Callable, Mapping
from typing import Any

from producers.scoring.calling import Calling, Now
from producers.scoring.marks import digest_of

Keyed = tuple[Any, bytes]


def lead_key(lead: Any) -> object:
    """What makes a lead that lead: itself if it is a text or number, else its `id`. Raises TypeError where there is none."""
    if isinstance(lead, str | int):
        return lead
    found = lead.get("id") if isinstance(lead, Mapping) else getattr(lead, "id", None)
    if found is None:
        raise TypeError(
            f"a lead without an `id` ({type(lead).__name__}): give key=…, what makes it the same lead when the run is continued"
        )
    return found


class Chunks:
    """Takes from the leads as it goes: at most a chunk of them is held. Raises what the leads raise."""

    def __init__(self, calling: Calling, leads: Any, size: int, key: Callable[[Any], object], finished: Counter[bytes]) -> None:
        """`finished`: digests of keys to be passed over, and how often. Raises TypeError for async leads where nothing can be awaited."""
        self._calling = calling
        self._size = size
        self._key = key
        self._finished = finished
        self._async = isinstance(leads, AsyncIterable)
        if self._async and isinstance(calling, Now):
            raise TypeError("the leads are an async iterable: use run_async")
        self._leads = aiter(leads) if self._async else iter(leads)

    async def next(self) -> list[Keyed]:
        """The next chunk, each lead with the digest of its key; empty when there are no more."""
        if not self._async:
            return await self._calling.aside(self._take)
        chunk: list[Keyed] = []
        async for lead in self._leads:
            if self._add(chunk, lead):
                break
        return chunk

    def _take(self) -> list[Keyed]:
        chunk: list[Keyed] = []
        for lead in self._leads:
            if self._add(chunk, lead):
                break
        return chunk

    def _add(self, chunk: list[Keyed], lead: Any) -> bool:
        """Whether the chunk is full."""
        digest = digest_of(self._key(lead))
        if self._finished[digest] > 0:
            self._finished[digest] -= 1
            return False
        chunk.append((lead, digest))
        return len(chunk) >= self._size
