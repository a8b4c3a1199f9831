"""Where a batch stands, by what its earlier attempts have left: clients and leads that are finished, and intents.

An intent says which leads a chunk's event counts, and is kept before the event is told: an attempt that dies between the event and its
mark leaves it. Who goes on gathers these very leads again and tells them under the same ID, however the list is cut or ordered by then:
of the two events one counts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b

_DIGEST_BYTES = 8
_FINISHED = "finished"
_INTENDED = "intended"


def digest_of(key: object) -> bytes:
    """8 bytes that stand for a lead's key within a client. Two of a million leads are taken for one in 4 of 10^8 cases."""
    return blake2b(str(key).encode(errors="surrogatepass"), digest_size=_DIGEST_BYTES).digest()


def client_field(client: str) -> str:
    """The field that says that a client is finished."""
    return f"{_FINISHED}:{client}"


def mark_field(chunk: str, client: str) -> str:
    """The field that holds the digests of a chunk's finished leads."""
    return f"{chunk}:{client}"


def intent_field(chunk: str, client: str) -> str:
    """The field that holds the digests of the leads that a chunk's event counts."""
    return f"{_INTENDED}:{chunk}:{client}"


class Standing:
    """Read from the fields of one run's marks; new chunks get their IDs here."""

    def __init__(self, fields: Mapping[str, bytes]) -> None:
        self.finished: set[str] = set()
        """Clients."""
        self._chunks: set[str] = set()
        self._leads: dict[str, Counter[bytes]] = defaultdict(Counter)
        self._intents: dict[str, dict[str, Counter[bytes]]] = defaultdict(dict)
        self._marked: dict[str, bytes] = {}
        for name, value in fields.items():
            head, _, rest = name.partition(":")
            if head == _FINISHED:
                self.finished.add(rest)
            elif head == _INTENDED:
                chunk, _, client = rest.partition(":")
                self._intend(chunk, client, value, fields.get(mark_field(chunk, client), b""))
            else:
                self._chunks.add(head)
                self._leads[rest].update(_digests(value))

    def _intend(self, chunk: str, client: str, intended: bytes, marked: bytes) -> None:
        self._chunks.add(chunk)
        if left := Counter(_digests(intended)) - Counter(_digests(marked)):
            self._intents[client][chunk] = left
            self._marked[mark_field(chunk, client)] = marked

    def finished_leads(self, client: str) -> Counter[bytes]:
        """Digests of the leads that earlier attempts have finished, and how often each."""
        return self._leads[client].copy()

    def intents(self, client: str) -> dict[str, Counter[bytes]]:
        """Chunks that earlier attempts may have counted: ID -> digests of its leads that are not marked, and how often each."""
        return self._intents[client]

    def chunk(self, client: str, leads: Iterable[bytes]) -> str:
        """An ID for a chunk: the same in every attempt that is given the same leads, another for each chunk of an attempt."""
        digest = blake2b(client.encode(), digest_size=12)
        for lead in leads:
            digest.update(lead)
        first = chunk = digest.hexdigest()
        number = 1
        while chunk in self._chunks:
            number += 1
            chunk = f"{first}.{number}"
        self._chunks.add(chunk)
        return chunk

    def mark(self, chunk: str, client: str, leads: Iterable[bytes]) -> bytes:
        """What the chunk's mark is to hold once these leads of it are finished, too."""
        return self._marked.get(mark_field(chunk, client), b"") + b"".join(leads)

    def is_whole(self, chunk: str, client: str, leads: Iterable[bytes]) -> bool:
        """Whether no lead of the chunk is left when these are finished: its intent is of no more use."""
        return not self._intents[client].get(chunk, Counter()) - Counter(leads)


def _digests(value: bytes) -> Iterator[bytes]:
    return (value[n : n + _DIGEST_BYTES] for n in range(0, len(value), _DIGEST_BYTES))
