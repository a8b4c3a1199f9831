"""The commit looks at all it touches before its first write: a script that fails halfway does not roll back."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from contract.link import Link
from worker.store.scripts import Script

NAMES = ("state", "watermarks", "publishers", "runs", "dirty", "dead", "open", "row0", "row1", "ids", "clients")
KEYS = [f"rt:{{c}}:{name}" for name in NAMES]
ASIDE = "rt:{c}:aside:row1"
FIELDS = ["v", "1", "state", "x"]


@pytest.fixture
def link(redis_url: str) -> Iterator[Link]:
    link = Link(redis_url, name="test")
    link.open()
    yield link
    link.close()


def commit(link: Link, aside: str = "") -> object:
    changes = {
        "rows": [("row0", FIELDS, "7", "dirty", ""), ("row1", FIELDS, "", "dirty", aside)],
        "marks": ["p1", "3"],
        "ids": [[100, "digest"]],
        "clients": [["a"]],
        "runs": ["5", "run"],
        "letters": [("event", "why", "{}", "x")],
        "counts": ["events", "2"],
        "there": 0,
    }
    args = ["0-0", "1-1", "9", msgspec.msgpack.encode(changes), 10]
    return Script("commit").run(link, [*KEYS, *([ASIDE] if aside else [])], args)


def everything(link: Link) -> dict[bytes, bytes]:
    return {key: link.call("DUMP", key) for key in link.call("KEYS", "*")}


@pytest.mark.parametrize("number", range(1, len(KEYS) + 1), ids=NAMES)
def test_a_key_of_another_type_is_named_and_nothing_is_written(link: Link, number: int) -> None:
    link.call("SET", KEYS[number - 1], "a word")
    before = everything(link)
    assert commit(link) == [number]
    assert everything(link) == before
    link.call("DEL", KEYS[number - 1])
    assert commit(link) == 1


def test_all_that_are_wrong_are_named_at_once(link: Link) -> None:
    for key in KEYS[1:]:
        link.call("SET", key, "a word")
    assert commit(link) == list(range(2, len(KEYS) + 1))


def test_what_was_set_aside_is_moved_and_only_if_it_is_still_there(link: Link) -> None:
    assert commit(link, "aside") == [9], "nothing is there any more"
    link.call("HSET", KEYS[8], "state", "somebody's")
    assert commit(link, "aside") == [9], "it is a hash now: it has to be read"
    link.call("DEL", KEYS[8])
    link.call("RPUSH", KEYS[8], "a", "b")
    assert commit(link, "aside") == 1
    assert link.call("LRANGE", ASIDE, 0, -1) == [b"a", b"b"]
    assert link.call("HGET", KEYS[8], "state") == b"x"
