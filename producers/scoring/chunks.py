"""A client's leads, chunk by chunk, without those that are finished; what an earlier attempt may have counted comes as it was cut."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterable, Callable, Mapping
from typing import Any, NamedTuple

from producers.scoring.calling import Calling, Now
from producers.scoring.standing import digest_of


class Chunk(NamedTuple):
    """Leads to be counted together, with the digests of their keys. `name`: the ID that an earlier attempt gave it, None if it is new."""

    leads: list[Any]
    digests: list[bytes]
    name: str | None = None


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
    """Takes from the leads as it goes: a chunk of them is held at most, and of what an earlier attempt was at as much as has come.

    Raises what the leads raise."""

    def __init__(
        self,
        calling: Calling,
        leads: Any,
        size: int,
        key: Callable[[Any], object],
        finished: Counter[bytes],
        intents: Mapping[str, Counter[bytes]],
    ) -> None:
        """`finished`: digests of keys to be passed over, and how often. `intents`: chunks to be gathered again, ID -> digests, and how
        often. Raises TypeError for async leads where nothing can be awaited."""
        self._calling = calling
        self._size = size
        self._key = key
        self._finished = finished
        self._new = Chunk([], [])
        self._again = {name: Chunk([], [], name) for name in intents}
        self._wanted = {name: digests.total() for name, digests in intents.items()}
        self._whose: dict[bytes, list[str]] = defaultdict(list)
        for name, digests in intents.items():
            for digest in digests.elements():
                self._whose[digest].append(name)
        self._async = isinstance(leads, AsyncIterable)
        if self._async and isinstance(calling, Now):
            raise TypeError("the leads are an async iterable: use run_async")
        self._leads = aiter(leads) if self._async else iter(leads)

    async def next(self) -> Chunk | None:
        """The next chunk, None when there are no more. One of an earlier attempt comes when its last lead has come, and at the end
        without those that have not."""
        if not self._async:
            return await self._calling.aside(self._take)
        async for lead in self._leads:
            if (full := self._add(lead)) is not None:
                return full
        return self._rest()

    def _take(self) -> Chunk | None:
        for lead in self._leads:
            if (full := self._add(lead)) is not None:
                return full
        return self._rest()

    def _add(self, lead: Any) -> Chunk | None:
        """The chunk that is full with this lead."""
        digest = digest_of(self._key(lead))
        if self._finished[digest] > 0:
            self._finished[digest] -= 1
            return None
        name = self._whose[digest].pop() if self._whose.get(digest) else None
        chunk, wanted = (self._new, self._size) if name is None else (self._again[name], self._wanted[name])
        chunk.leads.append(lead)
        chunk.digests.append(digest)
        if len(chunk.leads) < wanted:
            return None
        if name is None:
            self._new = Chunk([], [])
        else:
            del self._again[name]
        return chunk

    def _rest(self) -> Chunk | None:
        """What is not full and never will be, one after the other."""
        while self._again:
            _, chunk = self._again.popitem()
            if chunk.leads:
                return chunk
        chunk, self._new = self._new, Chunk([], [])
        return chunk if chunk.leads else None
