"""What the webhook routes say of themselves in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from producers.gateway.described import SECURITY
from producers.gateway.webhooks.apify.payload import CLIENT_ID, COST, POSTS, RUN_ID, Kind

_CLIENT = {
    "name": "client",
    "in": "query",
    "required": False,
    "schema": {"type": "string"},
    "description": "Whose data it is. Not needed from a sender that may write for one client only.",
}
_SECURITY: list[dict[str, list[str]]] = [{"webhookSignature": []}, {"webhookSecret": []}, *SECURITY]

WEBHOOK_SCHEMES: dict[str, Any] = {
    "webhookSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-signature",
        "description": "Standard Webhooks: with webhook-id and webhook-timestamp; HMAC-SHA256 over `id.timestamp.body`.",
    },
    "webhookSecret": {"type": "apiKey", "in": "header", "name": "X-Webhook-Secret", "description": "A secret that both sides know."},
}

_TEXT = {"type": ["string", "null"]}
_TIME = {"type": ["string", "null"], "format": "date-time"}
_NUMBER = {"type": ["number", "string", "null"]}
_COUNT = {"type": "integer", "minimum": 0}
_RUN_ID = {"type": "string", "description": "The run ID of the job that it counts in."}

WEBHOOK_SCHEMAS: dict[str, Any] = {
    "WebhookTaken": {
        "type": "object",
        "description": "received = accepted + failed + skipped",
        "required": ["received", "accepted", "failed", "skipped", "run_id"],
        "properties": {**dict.fromkeys(("received", "accepted", "failed", "skipped"), _COUNT), "run_id": _RUN_ID},
    },
    "ApifyTaken": {
        "type": "object",
        "required": ["accepted"],
        "properties": {"accepted": {"type": "integer", "enum": [0, 1]}, "run_id": _RUN_ID, "client_id": {"type": "string"}},
    },
    "ApifyWebhook": {
        "type": "object",
        "description": "Apify's default payload, and variables of your own template. Other members are ignored.",
        "required": ["eventType"],
        "properties": {
            "eventType": {"type": "string", "examples": [f"ACTOR.RUN.{kind}" for kind in Kind]},
            "createdAt": _TIME,
            "eventData": {"type": ["object", "null"], "properties": {"actorRunId": _TEXT}},
            "resource": {
                "type": ["object", "null"],
                "properties": {
                    **dict.fromkeys(("id", "status", "statusMessage"), _TEXT),
                    **dict.fromkeys(("startedAt", "finishedAt"), _TIME),
                    "usageTotalUsd": _NUMBER,
                },
            },
            **dict.fromkeys((*RUN_ID, *CLIENT_ID), _TEXT),
            **dict.fromkeys((*POSTS, *COST), _NUMBER),
        },
    },
}


def webhook(schema: dict[str, Any]) -> dict[str, Any]:
    """`openapi_extra` of a webhook route with a body of this schema."""
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    return {"requestBody": body, "parameters": [_CLIENT], "security": _SECURITY}
