"""The spool's files: any truncation leaves a prefix, any damage costs only the record it hits, a full disk is survived."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.spool import record as records
from producers.spool.errors import SpoolRefused
from producers.spool.queue import Queue, queues_in
from producers.spool.record import Record
from producers.spool.room import Room, used_bytes
from producers.spool.segment import Segment

GIB = 1 << 30


def record(number: int, body: bytes = b"[{}]") -> Record:
    return Record("/test/abc", 3, 1, number, number, body)


bodies = st.lists(st.text(max_size=60).map(lambda text: b"[" + text.encode("utf-8", "ignore") + b"]"), min_size=1, max_size=8)


def read_all(content: bytes) -> tuple[list[Record], list[str]]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        segment = Segment(Path(file.name), len(content))
        found = []
        while (one := segment.next()) is not None:
            found.append(one[0])
        segment.close()
    return found, [damage.reason for damage in segment.damages]


@given(bodies, st.data())
@settings(max_examples=300, deadline=None)
def test_a_file_cut_anywhere_gives_a_prefix_of_its_records(texts: list[bytes], draw: st.DataObject) -> None:
    written = [record(number, text) for number, text in enumerate(texts, 1)]
    packed = [records.pack(one) for one in written]
    content = b"".join(packed)
    cut = draw.draw(st.integers(0, len(content)))
    whole = sum(1 for end in range(1, len(packed) + 1) if len(b"".join(packed[:end])) <= cut)
    found, damages = read_all(content[:cut])
    assert found == written[:whole]
    assert damages == []
    assert read_all(content[:cut] + bytes(4096))[0] == written[:whole]  # a power loss may leave zeros behind


@given(bodies, st.data())
@settings(max_examples=300, deadline=None)
def test_a_changed_byte_costs_only_its_record(texts: list[bytes], draw: st.DataObject) -> None:
    written = [record(number, text) for number, text in enumerate(texts, 1)]
    packed = [records.pack(one) for one in written]
    content = bytearray(b"".join(packed))
    at = draw.draw(st.integers(0, len(content) - 1))
    content[at] ^= draw.draw(st.integers(1, 255))
    hit = next(number for number in range(len(packed)) if len(b"".join(packed[: number + 1])) > at)
    found, damages = read_all(bytes(content))
    assert found == written[:hit] + written[hit + 1 :]
    assert len(damages) <= 1
    assert damages or hit == len(packed) - 1  # the last one may look like a torn tail


def deliver_all(queue: Queue) -> list[int]:
    numbers = []
    while (found := queue.next()) is not None:
        numbers.append(found[0].first)
        queue.delivered(found[1])
    return numbers


def test_batches_come_back_in_order_over_many_segments_and_the_files_go(tmp_path: Path) -> None:
    queue = Queue(tmp_path, 3, Room(tmp_path, GIB))
    body = b"[" + b"x" * 300_000 + b"]"
    for number in range(1, 51):
        queue.append(record(number, body), kept=False)
    assert len(list(tmp_path.iterdir())) > 3
    assert deliver_all(queue) == list(range(1, 51))
    assert queue.done
    assert used_bytes(tmp_path) == 0
    queue.close()
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_delivered_is_found_again_by_an_adopter(tmp_path: Path) -> None:
    queue = Queue(tmp_path, 3, Room(tmp_path, GIB))
    for number in range(1, 11):
        queue.append(record(number), kept=True)
    queue.close()
    (adopted,) = queues_in(tmp_path, Room(tmp_path, GIB))
    assert adopted.partition == 3
    assert deliver_all(adopted) == list(range(1, 11))
    adopted.close()
    assert list(tmp_path.iterdir()) == []


def test_a_segment_with_damage_is_kept_beside_the_folders(tmp_path: Path) -> None:
    folder = tmp_path / "abc"
    folder.mkdir()
    queue = Queue(folder, 3, Room(tmp_path, GIB))
    for number in range(1, 4):
        segment, offset = queue.append(record(number), kept=False)
        if number == 2:
            hit = offset + 20
    queue.close()
    with segment.path.open("r+b") as file:
        file.seek(hit)
        file.write(b"\xff")
    (adopted,) = queues_in(folder, Room(tmp_path, GIB))
    assert deliver_all(adopted) == [1, 3]
    assert adopted.damages == 1
    adopted.close()
    assert list(folder.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["damaged-abc-0003-00000001.seg"]


def fill(queue: Queue, body: bytes) -> tuple[int, SpoolRefused]:
    """Append until the spool refuses: the number it refused, and the refusal."""
    for number in range(1, 1_000):
        try:
            queue.append(record(number, body), kept=False)
        except SpoolRefused as refusal:
            return number, refusal
    raise AssertionError("the spool refused nothing")


def test_the_bound_holds_for_the_whole_directory(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "0000-00000001.seg").write_bytes(bytes(60_000))
    (tmp_path / "own").mkdir()
    queue = Queue(tmp_path / "own", 3, Room(tmp_path, 65_536))
    number, refusal = fill(queue, b"x" * 100)
    assert refusal.reason == "spool_full"
    assert "may hold" in str(refusal)
    assert 65_000 < used_bytes(tmp_path) <= 65_536
    assert deliver_all(queue) == list(range(1, number))
    queue.append(record(number), kept=False)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], capture_output=True, check=False)  # noqa: S607
    if mounted.returncode:
        pytest.skip(f"NOT TESTED: a full disk. Mounting a small tmpfs needs root: {mounted.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)  # noqa: S607


def test_a_full_disk_refuses_a_batch_whole_and_can_be_drained(small_disk: Path) -> None:
    queue = Queue(small_disk, 3, Room(small_disk, GIB))
    body = b"[" + os.urandom(9_000).hex().encode() + b"]"
    number, refusal = fill(queue, body)
    assert refusal.reason == "spool_full"
    assert os.statvfs(small_disk).f_bavail * 4096 < len(body)
    assert deliver_all(queue) == list(range(1, number))
    assert queue.done
    queue.append(record(number, body), kept=False)
    assert deliver_all(queue) == [number]
    queue.close()
    assert list(small_disk.iterdir()) == []
