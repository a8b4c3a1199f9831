"""The AsyncAPI 3.0 document: the log that any language may append to, its doorbell, and the gateway's events."""

from __future__ import annotations

from typing import Any

from contract import keys
from contract.event_schemas import DESCRIBED, event_schema, example
from contract.events import INTERNAL_TYPES, MAX_EVENT_BYTES, EventType
from contract.sources import RESERVED
from contract.version import __version__

_LOG = """An entry has one field, `batch`: a JSON array of CloudEvents (UTF-8, {most:,} bytes an event at most).

    XADD rt:{{p003}}:log * batch '[{{"specversion":"1.0", …}}]'

The braces stand in the key as they are: they are the hash tag of Redis Cluster. The number of the partition has three digits at least.

**Which partition:** CRC-32 (ISO 3309, as in zlib and PNG) of the base run ID's UTF-8 bytes (`250930-141522`: the subject without the
client), modulo the number of partitions, which stands in the hash `rt:meta` under `partitions`. All events of a run belong into the same
one. `rt:meta` also has `layout`, which must be {layout}; neither is ever changed.

**Which identity:** `source`, `id` and `subject`. An event appended again with the same three counts once, while
they are remembered (48 h by default). Leave Runtally's own sources to it: {reserved}, and what stands below them.
Leave `sequence` out, unless you are the only sender with that source, number its events 1, 2, 3 … a partition, and never append one before
all older ones are known to stand in the log: then the highest number seen is remembered in place of IDs.

An entry or event that cannot be used is set aside as a dead letter with its reason; its neighbours count."""

_BELL = """After an append: `ZADD rt:bell 0 <partition>`. Whoever leaves it out is counted up to a second later."""


def asyncapi() -> dict[str, Any]:
    """The document."""
    types = list(EventType)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Runtally events",
            "version": __version__,
            "description": "Events of multi-tenant batch jobs, counted once. Over HTTP by the gateway, or straight into the log.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/cloudevents+json",
        "servers": {
            "redis": {"host": "127.0.0.1:6379", "protocol": "redis", "description": "Redis or Valkey, as RUNTALLY_REDIS_URL names it."},
            "gateway": {
                "host": "127.0.0.1:8080",
                "protocol": "http",
                "description": "`runtally web`. Its OpenAPI document is served at /openapi.json.",
                "security": [{"$ref": "#/components/securitySchemes/bearer"}],
            },
        },
        "channels": {"log": _log_channel(), "doorbell": _bell_channel(), "gateway": _gateway_channel(types)},
        "operations": _operations(),
        "components": {
            "messages": {"LogEntry": _log_entry(), "Ring": _ring(), **{kind.value: _message(kind) for kind in types}},
            "schemas": {kind.value: event_schema(kind) for kind in types},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": "`runtally token create` makes one."}},
        },
    }


def _log_channel() -> dict[str, Any]:
    return {
        "address": "{log}",
        "title": "The log of a partition",
        "description": _LOG.format(most=MAX_EVENT_BYTES, layout=keys.LAYOUT, reserved=", ".join(f"`{own}`" for own in RESERVED)),
        "servers": [{"$ref": "#/servers/redis"}],
        "parameters": {"log": {"description": "Key of a Redis stream.", "examples": [keys.log(0), keys.log(3)]}},
        "messages": {"LogEntry": {"$ref": "#/components/messages/LogEntry"}},
    }


def _bell_channel() -> dict[str, Any]:
    return {
        "address": keys.BELL,
        "title": "The doorbell",
        "description": _BELL,
        "servers": [{"$ref": "#/servers/redis"}],
        "messages": {"Ring": {"$ref": "#/components/messages/Ring"}},
    }


def _gateway_channel(types: list[EventType]) -> dict[str, Any]:
    taken = [kind for kind in types if kind not in INTERNAL_TYPES]
    return {
        "address": "/v1/events",
        "title": "Events over HTTP",
        "description": "CloudEvents in structured, batch or binary mode. 202 means that the log has all of them; sending again is safe.",
        "servers": [{"$ref": "#/servers/gateway"}],
        "messages": {kind.value: {"$ref": f"#/components/messages/{kind.value}"} for kind in taken},
    }


def _operations() -> dict[str, Any]:
    """What Runtally does with each channel: it takes."""
    return {
        "takeFromLog": {
            "action": "receive",
            "channel": {"$ref": "#/channels/log"},
            "summary": "Fold the entries of a partition, in order, each event once.",
        },
        "hearDoorbell": {"action": "receive", "channel": {"$ref": "#/channels/doorbell"}, "summary": "Look at a partition's log now."},
        "takeOverHttp": {
            "action": "receive",
            "channel": {"$ref": "#/channels/gateway"},
            "summary": "Append events to the log, and answer once it has them.",
            "bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}},
        },
    }


def _log_entry() -> dict[str, Any]:
    events = [example(EventType.CLIENT_STARTED), example(EventType.METRICS_UPDATED)]
    return {
        "title": "One batch of events",
        "contentType": "application/cloudevents-batch+json",
        "payload": {
            "type": "array",
            "description": "The field `batch` of the entry, decoded: a JSON array of events.",
            "items": {"anyOf": [{"$ref": f"#/components/schemas/{kind.value}"} for kind in EventType]},
        },
        "examples": [{"payload": events}],
    }


def _ring() -> dict[str, Any]:
    return {
        "title": "There is something to fold",
        "contentType": "text/plain",
        "payload": {"type": "integer", "minimum": 0, "maximum": 1023, "description": "The number of the partition, a member with score 0."},
        "examples": [{"payload": 3}],
    }


def _message(kind: EventType) -> dict[str, Any]:
    return {
        "title": kind.value,
        "summary": DESCRIBED[kind].help,
        "contentType": "application/cloudevents+json",
        "payload": {"$ref": f"#/components/schemas/{kind.value}"},
        "examples": [{"payload": example(kind)}],
    }
