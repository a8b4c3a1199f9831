"""JSON Schema of each event type, made from the structs in events.py: what a sender in any language may rely on.

The keywords are those that draft 7, 2020-12, OpenAPI 3.1 and AsyncAPI 3.0 have in common, so that one schema serves them all.
A schema asks for a little more than the fold needs: standard run IDs, no null, no field that the type has no use for.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from contract.events import Data, Event, EventType
from contract.run_id_value import MAX_CLIENT_CHARS

_BASE = "[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])-([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]"
_COUNT = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
_VALUES = {
    "type": "object",
    "additionalProperties": {
        "type": ["number", "string"],
        "description": 'In the metric\'s type: a number (exact to 2^63), its text ("1,234", "0.10"), a time (ISO 8601), a text.',
    },
}

_FIELDS: dict[str, tuple[str, dict[str, Any]]] = {
    "metrics": ("Metric (display name or snake_case) -> observation, merged by the metric's aggregation: a sum grows by it.", _VALUES),
    "totals": ("Metric -> total so far: replaces a sum; later observations add to it.", _VALUES),
    "skips": (
        "Reason code (NO_CONTENT, QUOTA, …, any text) -> how many leads or posts were skipped for it.",
        {"additionalProperties": _COUNT},
    ),
    "status": (
        "How the work stands or ended: one of the four, or a word that maps to one. It wins over success.",
        {"type": "string", "minLength": 1},
    ),
    "success": ("How the work ended; true if left out.", {}),
    "client_name": ("What people read for the client; the first 200 characters are kept.", {}),
    "job_type": ("What kind of job it is; the first 200 characters are kept.", {}),
    "stream": ("The stream that the job works on.", {}),
    "note": ("A line for the system notes.", {}),
    "error": ("A line for the error details; the client run has an error from then on.", {}),
    "progress": ("A line for the progress log: what is being done, and how it stands.", {}),
    "seen_ms": ("When the sweeper last saw a sign of life, in ms since the epoch.", {"minimum": 0}),
    "origin": ("Who made the run ID, if it is new. Two origins for one run are a collision, and reported.", {}),
    "clients": ("Clients whose rows are derived anew.", {}),
    "rows": ("Row ID -> row to take, if it is still the version that was compared.", {}),
    "run_id": ("The run ID of the subject once more. Another one gets the event refused.", {}),
    "client_id": ("The client of the subject once more. Another one gets the event refused.", {}),
}
"""What each field of Data is for, and what its type in Python does not say."""

_CLIENT = ("client_name", "metrics", "totals", "skips", "progress", "note", "error", "status", "run_id", "client_id")
_JOB = ("job_type", "stream", "origin", "note", "error", "status", "run_id")


class Described(NamedTuple):
    """An event type for readers: what it says, the fields it uses, the data of an example."""

    help: str
    fields: tuple[str, ...]
    example: dict[str, Any]


DESCRIBED: dict[EventType, Described] = {
    EventType.JOB_STARTED: Described("A job has started.", _JOB, {"job_type": "batch_scoring", "stream": 1}),
    EventType.CLIENT_STARTED: Described("A client's run in a job has started.", (*_CLIENT, "origin"), {"client_name": "Jane Doe"}),
    EventType.METRICS_UPDATED: Described(
        "Something was counted.", _CLIENT, {"metrics": {"leads_processed": 25, "Apify API Costs": "0.10"}, "skips": {"NO_CONTENT": 2}}
    ),
    EventType.PROGRESS_LOGGED: Described(
        "A line for the progress log.", _CLIENT, {"progress": {"operation": "post_scoring", "state": "completed", "text": "25 posts"}}
    ),
    EventType.CLIENT_COMPLETED: Described(
        "A client's run has ended. Its totals are final.", (*_CLIENT, "success"), {"success": True, "totals": {"leads_processed": 25}}
    ),
    EventType.CLIENT_HEARTBEAT: Described("A client's run is alive.", ("run_id", "client_id"), {}),
    EventType.CLIENT_EXPIRED: Described(
        "Runtally's own: the sweeper closes a silent client run.", ("seen_ms", "note"), {"seen_ms": 1_759_241_722_000}
    ),
    EventType.JOB_COMPLETED: Described(
        "The orchestrator has ended. The job ends once all its client runs have.", (*_JOB, "success"), {"success": False, "note": "quota"}
    ),
    EventType.JOB_HEARTBEAT: Described("A job is alive.", ("run_id",), {}),
    EventType.JOB_EXPIRED: Described(
        "Runtally's own: the sweeper closes a silent job.", ("seen_ms", "note"), {"seen_ms": 1_759_241_722_000}
    ),
    EventType.ROWS_REQUESTED: Described("The job's row is wanted in Airtable now.", ("note", "run_id"), {}),
    EventType.ROWS_RECOUNTED: Described(
        "Runtally's own: verify has a job counted anew from its client runs.", ("clients", "rows", "note"), {"clients": ["Jane-Doe"]}
    ),
}


def event_schema(kind: EventType) -> dict[str, Any]:
    """The schema of one event type, complete in itself, with an example."""
    described = DESCRIBED[kind]
    properties = {field.name: _property(field.type) for field in msgspec.structs.fields(Event) if field.name != "data"}
    properties["specversion"] = {"const": "1.0"}
    properties["type"] = {"const": kind.value}
    properties["subject"] = {"type": "string", "maxLength": 1024, **_subject(kind)}
    properties["id"]["description"] = "With the source and the subject, the identity: an event sent again with the same three counts once."
    properties["source"]["description"] = "Who sends, such as /crm/leads. A URI reference."
    properties["time"] |= {"description": "When it happened. The moment of receipt if left out."}
    properties["sequence"] |= {
        "description": "For publishers with a source of their own, in the log only: 1, 2, 3 … a source and partition."
    }
    properties["datacontenttype"] = {"const": "application/json"}
    properties["data"] = _data(described)
    return {
        "title": kind.value,
        "description": described.help,
        "type": "object",
        "required": ["specversion", "id", "source", "type", "subject"],
        "properties": {name: properties[name] for name in sorted(properties)},
        "examples": [example(kind)],
    }


def example(kind: EventType) -> dict[str, Any]:
    """An event of this type."""
    client = "-Jane-Doe" if _is_clients(kind) else ""
    event = {
        "specversion": "1.0",
        "id": "7f1c2e9a",
        "source": "/crm/leads",
        "type": kind.value,
        "subject": f"250930-141522{client}",
        "time": "2025-09-30T14:15:22Z",
    }
    return event | ({"data": data} if (data := DESCRIBED[kind].example) else {})


def _is_clients(kind: EventType) -> bool:
    return kind.value.startswith("client.")


def _subject(kind: EventType) -> dict[str, Any]:
    if _is_clients(kind):
        client = f"-[^\\u0000-\\u001f\\u007f-\\u009f\\s][^\\u0000-\\u001f\\u007f-\\u009f]{{0,{MAX_CLIENT_CHARS - 1}}}"
        return {"pattern": f"^{_BASE}{client}$", "description": "Run ID and client: YYMMDD-HHMMSS-<Client ID>, in UTC."}
    return {"pattern": f"^{_BASE}$", "description": "Run ID: YYMMDD-HHMMSS, in UTC. The subject of a job's event names no client."}


def _data(described: Described) -> dict[str, Any]:
    types = {field.name: field.type for field in msgspec.structs.fields(Data)}
    properties = {}
    for name in sorted(described.fields):
        help_, narrower = _FIELDS[name]
        properties[name] = {**_property(types[name]), "description": help_, **narrower}
    unused = sorted(types.keys() - properties.keys())
    return {
        "type": "object",
        "description": "Fields that this type has no use for are refused here; unknown ones stay in the log, unread.",
        "properties": properties,
        "propertyNames": {"not": {"enum": unused}},
    }


def _property(type_: Any) -> dict[str, Any]:
    """The schema of a field's type, without null (leave the field out) and with what it refers to in its place."""
    schema = msgspec.json.schema(type_)
    definitions = schema.pop("$defs", {})
    choices = schema.pop("anyOf", ())
    schema |= next((choice for choice in choices if choice.get("type") != "null"), {})
    inner = schema.get("additionalProperties")
    if isinstance(inner, dict) and "$ref" in inner:
        schema["additionalProperties"] = _resolved(inner, definitions)
    return _resolved(schema, definitions)


def _resolved(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    reference = schema.pop("$ref", None)
    if reference is None:
        return schema
    found = {**definitions[reference.rpartition("/")[2]], **schema}
    # Without defaults: generators of types take a field that has one for a field that is always there.
    found["properties"] = {name: {word: said for word, said in of.items() if word != "default"} for name, of in found["properties"].items()}
    return found
