"""The OpenAPI document: what FastAPI finds in the routes, and the schemas that are read by hand."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from contract.event_schemas import event_schema
from contract.events import EventType
from producers.gateway.described import ref
from producers.gateway.events.checking import TYPES
from producers.gateway.jobs import schemas as jobs
from producers.gateway.lineage.schemas import LINEAGE_SCHEMAS
from producers.gateway.webhooks.described import WEBHOOK_SCHEMAS, WEBHOOK_SCHEMES

_TEXT = {"type": "string"}

_OWN: dict[str, Any] = {
    "Problem": {
        "type": "object",
        "description": "What is wrong (RFC 9457). `code` is for machines and stays the same.",
        "required": ["type", "title", "status", "code", "detail"],
        "properties": {
            "type": _TEXT,
            "title": _TEXT,
            "status": {"type": "integer"},
            "code": _TEXT,
            "detail": _TEXT,
            "errors": {"type": "array", "items": {"type": "object", "required": ["reason"], "properties": {"reason": _TEXT}}},
        },
    },
    "Taken": {
        "type": "object",
        "required": ["accepted"],
        "properties": {"accepted": {"type": "integer", "minimum": 0, "description": "Events the log has now."}},
    },
}


def describe(app: FastAPI) -> None:
    """Let the application serve a complete document at /openapi.json."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = get_openapi(title=app.title, version=app.version, description=_DESCRIPTION, routes=app.routes)
            components = found.setdefault("components", {})
            schemas = components.setdefault("schemas", {})
            schemas |= _events() | _OWN | jobs.ANSWERED | _asked() | LINEAGE_SCHEMAS | WEBHOOK_SCHEMAS
            components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}} | WEBHOOK_SCHEMES
            app.openapi_schema = found
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def _events() -> dict[str, Any]:
    """What may be sent, a schema a type, and `Event`, any of them."""
    kinds = sorted(TYPES)
    choice = {
        "oneOf": [ref(kind) for kind in kinds],
        "discriminator": {"propertyName": "type", "mapping": {kind: ref(kind)["$ref"] for kind in kinds}},
    }
    return {"Event": choice, **{kind: event_schema(EventType(kind)) for kind in kinds}}


def _asked() -> dict[str, Any]:
    """The bodies of job requests."""
    _, schemas = msgspec.json.schema_components(jobs.ASKED, ref_template="#/components/schemas/{name}")
    return schemas


_DESCRIPTION = """Events, webhooks, jobs and lineage over HTTP. 202 means that the log has it: it will be counted, once.

Beside what each operation names, every request may meet a problem document with 400 (no HTTP that can be read), 408 (a head that takes
more than 10 s), 431 (a head above 64 KiB) or 500 (a fault of the gateway, which its log tells)."""
