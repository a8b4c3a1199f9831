"""Events cut for another number of partitions than the log has: each goes where it belongs, under an identity of its own.

Their sequences mean nothing there: a watermark needs each publisher's events of a partition in order, without holes. What is left is
(source, id), which a publisher makes from its nonce, the partition and the sequence: the fold remembers it for `id_memory_s`, so that a
batch may be sent again. A log of this number of partitions has none of these events under their sequences: it takes them from nobody
who cuts otherwise.
"""

from __future__ import annotations

from collections import defaultdict

import msgspec
from msgspec import UNSET, UnsetType

from contract.events import join_batch
from contract.keys import partition_of
from contract.run_id import parse


class _Stored(msgspec.Struct):
    """An event as a publisher has written it, without its sequence. What it says is passed on byte for byte."""

    id: str
    source: str
    type: str
    subject: str
    time: str
    specversion: str
    data: msgspec.Raw | UnsetType = UNSET


_decode = msgspec.json.Decoder(list[_Stored]).decode
_encode = msgspec.json.Encoder().encode


def scattered(body: bytes, *, partitions: int) -> dict[int, bytes]:
    """A batch's events by the partitions they belong to, each in the same order. What no publisher of ours has written is passed on as
    it is, to partition 0: the fold sets it aside there, where people find it."""
    found: defaultdict[int, list[bytes]] = defaultdict(list)
    try:
        for event in _decode(body):
            found[partition_of(parse(event.subject).base or "", partitions)].append(_encode(event))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {0: body}
    return {partition: join_batch(events) for partition, events in found.items()}
