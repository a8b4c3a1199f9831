"""One record of a segment file: a batch, with what is needed to send it exactly as it was numbered.

Layout, little-endian: mark (4 bytes) · CRC-32 of what follows the length · length · partition, events, first and last
sequence, length of the source · source · body. The mark begins with a byte that no UTF-8 text holds, so that after damage the
next record can be found.
"""

from __future__ import annotations

import os
import struct
from binascii import crc32
from typing import NamedTuple

MARK = b"\xf5RT1"
_HEAD = struct.Struct("<4sII")
_FIXED = struct.Struct("<IIQQH")


class Record(NamedTuple):
    """A batch as it is stored. `first` and `last`: sequences of its numbered events, 0 when it has none."""

    source: str
    partition: int
    events: int
    first: int
    last: int
    body: bytes


class Damage(NamedTuple):
    """Bytes of a segment that are no record: good records follow, or it is one of full length with a wrong checksum."""

    offset: int
    size: int
    reason: str


def pack(record: Record) -> bytes:
    """The record as bytes."""
    source = record.source.encode()
    fixed = _FIXED.pack(record.partition, record.events, record.first, record.last, len(source))
    checked = b"".join((fixed, source, record.body))
    return _HEAD.pack(MARK, crc32(checked), len(checked)) + checked


def read(fd: int, offset: int, end: int) -> tuple[Record | Damage | None, int]:
    """What stands at `offset` of a file that is read up to `end`, and where the next begins.

    None when the rest is a torn tail, or there is no rest. Raises OSError.
    """
    record, size = _record(os.pread(fd, _HEAD.size, offset), fd, offset, end)
    if record is not None:
        return record, offset + size
    following = _resync(fd, offset, end)
    if following is None and not size:
        return None, end
    reason = "the checksum does not match" if size else "this is not the beginning of a record"
    return Damage(offset, (following or end) - offset, reason), following or end


def _record(head: bytes, fd: int, offset: int, end: int) -> tuple[Record | None, int]:
    """The record and its size; no record but a size when it began like one."""
    if len(head) < _HEAD.size:
        return None, 0
    mark, checksum, length = _HEAD.unpack(head)
    size = _HEAD.size + length
    if mark != MARK or length < _FIXED.size or offset + size > end:
        return None, 0
    checked = os.pread(fd, length, offset + _HEAD.size)
    if len(checked) < length or crc32(checked) != checksum:
        return None, size
    partition, events, first, last, source_bytes = _FIXED.unpack_from(checked)
    body_at = _FIXED.size + source_bytes
    source = checked[_FIXED.size : body_at].decode(errors="replace")
    return Record(source, partition, events, first, last, checked[body_at:]), size


def _resync(fd: int, offset: int, end: int) -> int | None:
    """Where the next good record begins behind `offset`, or None. Reads the rest of the file into memory."""
    rest = os.pread(fd, end - offset, offset)
    at = rest.find(MARK, 1)
    while at >= 0:
        if _record(rest[at : at + _HEAD.size], fd, offset + at, end)[0] is not None:
            return offset + at
        at = rest.find(MARK, at + 1)
    return None
