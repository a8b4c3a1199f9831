"""What the routes say of themselves in the OpenAPI document, where types alone do not say it."""

from __future__ import annotations

from typing import Any

from producers.gateway.problem import MEDIA_TYPE

SECURITY: list[dict[str, list[str]]] = [{"bearer": []}]
_REF = "#/components/schemas/"

_PROBLEMS = {
    400: "The request broke off, or a header cannot be read.",
    401: "No token, a wrong one, one that was revoked or has expired; or a signature that does not fit.",
    403: "The token does not allow this.",
    404: "There is no such thing.",
    408: "The body took too long.",
    409: "The same job is running already.",
    413: "Too large a body, or too many events.",
    415: "Another content type than those described.",
    422: "Something in the request cannot be used; `detail` and `errors` say what.",
    429: "Too many requests for this token; `Retry-After` says when.",
    503: "The log is full or cannot be reached; `Retry-After` says when to send it again, which is safe.",
}


def ref(name: str) -> dict[str, str]:
    """A reference to a component schema."""
    return {"$ref": _REF + name}


def json_body(schema: dict[str, Any], *media_types: str, required: bool = True, **more: Any) -> dict[str, Any]:
    """`openapi_extra` of a route that reads its body itself. `more`: further members of the operation."""
    content = {media: {"schema": schema} for media in media_types or ("application/json",)}
    return {"requestBody": {"required": required, "content": content}, "security": SECURITY, **more}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route, for what it refuses."""
    return {status: {"description": _PROBLEMS[status], "content": {MEDIA_TYPE: {"schema": ref("Problem")}}} for status in statuses}


def answered(status: int, description: str, schema: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route, for what it answers as JSON."""
    return {status: {"description": description, "content": {"application/json": {"schema": schema}}}}


def taken(description: str) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route that puts events into the log."""
    return answered(202, description, ref("Taken"))


EVENTS_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/cloudevents+json": {"schema": ref("Event")},
            "application/cloudevents-batch+json": {"schema": {"type": "array", "items": ref("Event")}},
            "application/json": {"schema": {"anyOf": [ref("Event"), {"type": "array", "items": ref("Event")}]}},
        },
    },
    "security": SECURITY,
}
