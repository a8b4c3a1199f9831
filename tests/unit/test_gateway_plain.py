"""The short way takes a body only if the careful way would have taken every event of it, as it is."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from producers.gateway.access.caller import Caller
from producers.gateway.access.token import Scope
from producers.gateway.entry import Entry
from producers.gateway.events.checking import EventRefused, check
from producers.gateway.events.modes import BATCH, read_events
from producers.gateway.events.plain import plain_entry
from producers.gateway.problem import Problem

RUN = "250930-141522"
ANYBODY = Caller("id", "name", frozenset([Scope.INGEST]))
ONE_CLIENT = Caller("id", "name", frozenset([Scope.INGEST]), frozenset(["a"]), ("/crm",))


def event(**changed: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "e1",
        "source": "/crm",
        "type": "client.metrics.updated",
        "subject": f"{RUN}-a",
        "time": "2025-09-30T14:15:22Z",
        "data": {"metrics": {"leads_processed": 1, "apify_api_costs": 0.25}},
    } | changed


def short(body: bytes, caller: Caller = ANYBODY) -> Entry | None:
    return plain_entry(body, caller, batch=True, most_events=500, most_bytes=262_144)


def careful(body: bytes, caller: Caller = ANYBODY) -> list[Entry] | None:
    """What the careful way takes; None if it refuses anything."""
    try:
        return [check(sent, caller) for sent in read_events(Headers({"content-type": BATCH}), body)]
    except (EventRefused, Problem):
        return None


def batch(*events: Any, **style: Any) -> bytes:
    return json.dumps(list(events), **style).encode()


def test_a_usual_batch_goes_as_it_is() -> None:
    body = batch(event(), event(id="e2"), indent=2)

    entry = short(body)

    assert entry is not None
    assert (entry.run, entry.events) == (RUN, 2)
    assert json.loads(b"[" + entry.body + b"]") == json.loads(body)


@pytest.mark.parametrize(
    "text",
    [
        '{"id":"e1","id":"e2",%s}',
        '{"id" : "e1","id" :"e2",%s}',
        '{"id":"e1","data":{"metrics":{"a":1,"a":2}},%s}',
        '{"id":"e1","data":{"metrics":{"a":1}},"data":{"metrics":{"a":1}},%s}',
        '{"id":"e1","data":{"note":"\\u003a","metrics":{"a":1,"a":2}},%s}',
        '{"id":"e1","data":{"note":"\\u003A","metrics":{"a":1,"a":2}},%s}',
        '{"id":"e1","data":{"metrics":{"a":{"b":1,"b":2}}},%s}',
        '{"id":"e1","extension":{"b":1,"b":2},%s}',
    ],
)
def test_a_name_that_stands_twice_never_passes(text: str) -> None:
    rest = '"specversion":"1.0","source":"/crm","type":"client.metrics.updated","subject":"250930-141522-a"'
    body = f"[{text % rest}]".encode()

    assert short(body) is None
    assert careful(body) is None


@pytest.mark.parametrize(
    "other",
    [
        event(subject=f"{RUN}-b"),
        event(source="/other"),
        event(type="client.run.expired"),
        event(type="job.started"),
        event(type="job.started", subject=RUN),
        event(subject="250930-141523-a"),
        event(sequence="3"),
        event(data={"status": "Maybe"}),
        event(data={"run_id": "250930-141523"}),
        event(data={"client_id": "b"}),
        event(time="yesterday"),
        event(specversion="0.3"),
        event(id=""),
    ],
)
def test_what_is_not_the_callers_or_not_usual_is_left_to_the_careful_way(other: dict[str, Any]) -> None:
    assert short(batch(event(), other), ONE_CLIENT) is None


texts = st.text(max_size=8) | st.sampled_from(["\u003a", ":", '":', "\\", "\u0000", "é", "\U0001f600"])
values = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts | st.booleans() | st.none() | st.just({"a": 1})
datas = st.fixed_dictionaries(
    {},
    optional={
        "metrics": st.dictionaries(texts, values, max_size=3),
        "totals": st.dictionaries(texts, values, max_size=3),
        "note": texts | st.none(),
        "success": st.booleans(),
        "status": st.sampled_from(["Completed", "Maybe"]),
        "stream": st.integers(),
        "other": values,
    },
)
events = st.fixed_dictionaries(
    {"id": texts, "source": st.sampled_from(["/crm", "/other", ""]), "type": st.sampled_from(["client.metrics.updated", "job.completed"])},
    optional={
        "specversion": st.just("1.0"),
        "subject": st.sampled_from([f"{RUN}-a", f"{RUN}-b", RUN, "nonsense"]),
        "time": st.sampled_from(["2025-09-30T14:15:22Z", "2025-09-30T14:15:22+0200", "2025-09-30T14:15:22", "2025-09-30", ""]),
        "data": datas,
        "ext": texts,
    },
)


@given(st.lists(events, max_size=3), st.booleans(), st.sampled_from([ANYBODY, ONE_CLIENT]))
def test_the_short_way_never_takes_what_the_careful_way_would_not(sent: list[dict[str, Any]], ascii_only: bool, caller: Caller) -> None:
    body = json.dumps(sent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")

    entry = short(body, caller)

    if entry is not None:
        entries = careful(body, caller)
        assert entries is not None
        assert {taken.run for taken in entries} == {entry.run}
        raws = msgspec.json.decode(b"[" + entry.body + b"]", type=list[msgspec.Raw])
        assert [bytes(raw) for raw in raws] == [taken.body for taken in entries]
