"""Dead letters are found newest first over all partitions, by filter, page by page, and shown without secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest

from contract import keys
from contract.link import Link
from contract.run_id import parse
from tests.conftest import SettingsMaker
from worker.dead import AIR, DeadLetter, DeadLetters, Wanted
from worker.dead.hiding import Hiding
from worker.dead.letter import LetterId

BASE = "app00000000000000"
RUN = "250930-141522"


@pytest.fixture
def link(redis_url: str) -> Iterator[Link]:
    link = Link(redis_url, name="test")
    link.open()
    yield link
    link.close()


def put(link: Link, stream: str, entry: str, subject: str, kind: str = "value", reason: str = "no number", letter: object = None) -> None:
    origin = json.dumps({"subject": subject})
    link.call("XADD", stream, entry, "kind", kind, "reason", reason, "origin", origin, "letter", json.dumps(letter))


@pytest.fixture
def letters(link: Link) -> DeadLetters:
    """300 in each of two partitions, at the same times, and as many that Airtable refused."""
    for n in range(300):
        put(link, keys.dead(1), f"{1_000 + n}-0", f"{RUN}-a")
        put(link, keys.dead(7), f"{1_000 + n}-0", f"{RUN}-b", "status", "Not One Of The Four")
        put(link, keys.flush_dead(BASE), f"{1_000 + n}-1", RUN, "row", "422")
    return DeadLetters(link, 8, BASE)


def test_newest_first_over_all_places_each_once(letters: DeadLetters) -> None:
    found = [letter.id for letter in letters.find(Wanted())]
    assert len(set(found)) == 900
    assert [one.ms for one in found] == sorted((one.ms for one in found), reverse=True)
    assert {one.place for one in found} == {"1", "7", AIR}


@pytest.mark.parametrize("size", [1, 7, 100])
def test_pages_make_the_whole_whatever_their_size(letters: DeadLetters, size: int) -> None:
    whole = list(islice((letter.id for letter in letters.find(Wanted())), 160))
    paged: list[LetterId] = []
    while len(paged) < 160:
        paged += [letter.id for letter in islice(letters.find(Wanted(), paged[-1] if paged else None), size)]
    assert paged[:160] == whole


@pytest.mark.parametrize(
    ("wanted", "number"),
    [
        (Wanted(kind="value"), 300),
        (Wanted(kind="event"), 0),
        (Wanted(run=parse(RUN)), 900),
        (Wanted(run=parse(f"{RUN}-b")), 300),
        (Wanted(run=parse("250930-141523")), 0),
        (Wanted(client="a"), 300),
        (Wanted(reason="one of THE four"), 300),
        (Wanted(since=datetime.fromtimestamp(1.290, UTC)), 30),
        (Wanted(kind="status", client="b", since=datetime.fromtimestamp(1.290, UTC)), 10),
        (Wanted(kind="status", client="a"), 0),
    ],
)
def test_filters(letters: DeadLetters, wanted: Wanted, number: int) -> None:
    assert sum(1 for _ in letters.find(wanted)) == number


def test_one_is_found_and_dropped_by_its_id(letters: DeadLetters) -> None:
    wanted = LetterId(1_005, 0, "7")
    found = letters.get(wanted)
    assert found is not None
    assert (found.id, found.about.client) == (wanted, "b")
    assert letters.drop(wanted)
    assert not letters.drop(wanted)
    assert letters.get(wanted) is None
    assert letters.get(LetterId(1_005, 0, "900")) is None
    assert not letters.drop(LetterId(1_005, 0, "900"))


def test_what_holds_nothing_can_still_be_looked_at(link: Link) -> None:
    link.call("XADD", keys.dead(0), "1-0", "reason", "no event")
    link.call("XADD", keys.dead(0), "2-0", "origin", "[1]", "letter", '{"subject": 5}')
    link.call("XADD", keys.dead(0), "3-0", "origin", "{", "letter", b"\xff\x00")
    found = list(DeadLetters(link, 8, None).find(Wanted()))
    assert [(letter.reason, letter.subject, letter.origin) for letter in found] == [("", "", {}), ("", "", {}), ("no event", "", {})]


def test_no_secret_is_shown_and_a_bad_value_is(make_settings: SettingsMaker) -> None:
    token = "pat" + "A1b2C3d4E5f6G7." + "0123456789abcdef" * 4
    settings = make_settings(redis_url="redis://:redis-word@127.0.0.1:1/0", airtable_token="the-airtable-token")
    content: dict[str, Any] = {
        "profile_scoring_tokens": "many",
        "Authorization": "x",
        "api_key": "abc",
        "access_token": 5,
        "note": f"the-airtable-token, {token}, Bearer abcdef0123, redis://me:word@host/0",
        "deep": [{"password": "hunter2"}],
    }
    letter = DeadLetter(
        LetterId(1, 0, "0"), "event", f"refused: {token}", {"source": "redis://:redis-word@127.0.0.1:1/0"}, json.dumps(content)
    )
    shown = json.dumps(Hiding(settings).letter(letter))
    for secret in ("the-airtable-token", token, "abcdef0123", "me:word", "redis-word", "hunter2", '"abc"', '"x"'):
        assert secret not in shown
    assert '"profile_scoring_tokens": "many"' in shown
