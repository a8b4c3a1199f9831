"""Bodies that nobody should send: what each is, and what it is told. For every route that takes JSON, and for events alone."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from contract.events import MAX_EVENT_BYTES

EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e1",
    "source": "/crm/leads",
    "type": "client.metrics.updated",
    "subject": "250930-141522-a",
    "time": "2025-09-30T14:15:22Z",
    "data": {"metrics": {"leads_processed": 1}},
}


class Hostile(NamedTuple):
    """A body, and the answer to it: status, code, and what its detail says."""

    name: str
    body: bytes
    status: int
    code: str
    detail: str


def _unreadable(name: str, body: bytes, detail: str) -> Hostile:
    return Hostile(name, body, 422, "json-refused", detail)


def _event(**changed: Any) -> bytes:
    return json.dumps(EVENT | changed).encode()


def _refused(name: str, body: bytes, detail: str) -> Hostile:
    return Hostile(name, body, 422, "events-refused", detail)


def _packed(text: Any) -> bytes:
    event = EVENT | {"data_base64": text}
    del event["data"]
    return json.dumps(event).encode()


def _with_value(value: bytes) -> bytes:
    return _event().replace(b'"leads_processed": 1', b'"leads_processed": ' + value)


NO_JSON = (
    _unreadable("empty", b"", "Expecting value"),
    _unreadable("only space", b" \r\n\t ", "Expecting value"),
    _unreadable("truncated", _event()[:-20], "line 1"),
    _unreadable("truncated in a text", b'{"id": "e', "Unterminated string"),
    _unreadable("two values", b"{} {}", "Extra data"),
    _unreadable("a NUL", b"\0", "Expecting value"),
    _unreadable("a NUL behind", _event() + b"\0", "Extra data"),
    _unreadable("a NUL in a text", b'{"id": "\0"}', "control character"),
    _unreadable("a BOM", b"\xef\xbb\xbf" + _event(), "BOM"),
    _unreadable("UTF-16", _event().decode().encode("utf-16"), "UTF-8"),
    _unreadable("Latin-1", '{"id": "\xe4"}'.encode("latin-1"), "not UTF-8: "),
    _unreadable("an overlong sequence", b'{"id": "\xc0\xaf"}', "not UTF-8: "),
    _unreadable("a raw surrogate", b'{"id": "\xed\xa0\x80"}', "not UTF-8: "),
    _unreadable("gzip", bytes.fromhex("1f8b08000000000000ff"), "not UTF-8: "),
    _unreadable("lists 10,000 deep", b"[" * 10_000 + b"]" * 10_000, "nested too deeply"),
    _unreadable("objects 10,000 deep", b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "nested too deeply"),
    _unreadable("100,000 brackets that never close", b"[" * 100_000, "nested too deeply"),
    _unreadable("a name twice", b'{"id": "a", "id": "b"}', "twice"),
    _unreadable("a name twice, once escaped", b'{"id": "a", "\\u0069d": "b"}', "twice"),
    _unreadable("a name twice, deep", b'{"data": {"metrics": {"a": 1, "a": 2}}}', "twice"),
    _unreadable("NaN", b'{"a": NaN}', "NaN is no JSON number"),
    _unreadable("Infinity", b'{"a": -Infinity}', "-Infinity is no JSON number"),
    _unreadable("a number of 5,000 digits", b'{"a": ' + b"9" * 5_000 + b"}", "digits"),
    _unreadable("a half of a surrogate pair", b'{"a": "\\ud800"}', "surrogate"),
    _unreadable("a half of a surrogate pair as a name", b'{"\\udc00": 1}', "surrogate"),
    _unreadable("single quotes", b"{'a': 1}", "line 1, column 2"),
    _unreadable("a comment", b"{} // done", "Extra data"),
    _unreadable("a comma too many", b'{"a": 1,}', "line 1"),
    _unreadable("a plus", b'{"a": +1}', "line 1"),
    _unreadable("a leading zero", b'{"a": 01}', "line 1"),
    Hostile("ten million bytes", b" " * 10_000_000, 413, "body-too-large", "1,048,576 bytes"),
)
"""No JSON, or none that two parsers would understand alike. Refused alike wherever JSON is expected."""

NO_EVENTS = (
    _refused("null", b"null", "JSON object"),
    _refused("a number", b"7", "JSON object"),
    _refused("a text", b'"event"', "JSON object"),
    _refused("an empty object", b"{}", "id"),
    _refused("a list in a list", b"[[]]", "JSON object"),
    _refused("id: a number", _event(id=7), "$.id"),
    _refused("id: empty", _event(id=""), "$.id"),
    _refused("id: 1,025 characters", _event(id="a" * 1_025), "$.id"),
    _refused("source: null", _event(source=None), "$.source"),
    _refused("type: a list", _event(type=[]), "$.type"),
    _refused("type: Runtally's own", _event(type="job.expired", subject="250930-141522"), "job.expired"),
    _refused("subject: an object", _event(subject={}), "$.subject"),
    _refused("subject: no date", _event(subject="259999-999999-a"), "259999"),
    _refused("subject: a job's", _event(subject="250930-141522"), "needs a subject with a client"),
    _refused("specversion: a number", _event(specversion=1.0), "$.specversion"),
    _refused("specversion: 0.3", _event(specversion="0.3"), "$.specversion"),
    _refused("time: a number", _event(time=1_759_241_722), "$.time"),
    _refused("time: no zone", _event(time="2025-09-30T14:15:22"), "$.time"),
    _refused("time: 30 February", _event(time="2025-02-30T14:15:22Z"), "$.time"),
    _refused("sequence: a number", _event(sequence=7), "$.sequence"),
    _refused("data: a list", _event(data=[1]), "$.data"),
    _refused("data: a text", _event(data="x"), "$.data"),
    _refused("metrics: a list", _event(data={"metrics": [1]}), "$.data.metrics"),
    _refused("metrics: null", _event(data={"metrics": None}), "$.data.metrics"),
    _refused("totals: a number", _event(data={"totals": 1}), "$.data.totals"),
    _refused("skips: a text", _event(data={"skips": "x"}), "$.data.skips"),
    _refused("success: a text", _event(data={"success": "yes"}), "$.data.success"),
    _refused("stream: a text", _event(data={"stream": "one"}), "$.data.stream"),
    _refused("stream: a fraction", _event(data={"stream": 1.5}), "$.data.stream"),
    _refused("note: an object", _event(data={"note": {}}), "$.data.note"),
    _refused("progress: a text", _event(data={"progress": "x"}), "$.data.progress"),
    _refused("progress: half of it", _event(data={"progress": {"operation": "x"}}), "state"),
    _refused("status: a fifth", _event(data={"status": "Maybe"}), "Maybe"),
    _refused("status: a list", _event(data={"status": []}), "data.status"),
    _refused("run_id: another", _event(data={"run_id": "250930-141523"}), "contradicts"),
    _refused("client_id: another", _event(data={"client_id": "b"}), "contradicts"),
    _refused("1e400", _with_value(b"1e400"), "out of range"),
    _refused("-1e400", _with_value(b"-1e400"), "out of range"),
    _refused("data_base64: with data", _event(data_base64="e30="), "not both"),
    _refused("data_base64: no base64", _packed("%%%"), "no base64"),
    _refused("data_base64: no text", _packed(7), "no base64"),
    _refused("data_base64: no JSON", _packed("gIA="), "not UTF-8"),
    _refused("data_base64: a list", _packed("W10="), "$.data"),
    Hostile("1,001 events", b"[" + b",".join([_event()] * 1_001) + b"]", 413, "batch-too-large", "1,000 events"),
    Hostile(
        "an event of 1 MB and 1",
        _event(data={"note": ""}).replace(b'""', b'"%s"' % (b"a" * (MAX_EVENT_BYTES + 1 - len(_event(data={"note": ""}))))),
        413,
        "body-too-large",
        "1,048,576",
    ),
)
"""JSON, and no event that could be used."""
