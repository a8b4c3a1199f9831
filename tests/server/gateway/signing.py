"""Webhooks signed by the real `standardwebhooks` package."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from standardwebhooks import Webhook

ACME = "whsec_" + "YWNtZS0wMTIzNDU2Nzg5YWJjZGVmMDEyMw=="
ACME_NEXT = "whsec_" + "YWNtZS1uZXh0LTAxMjM0NTY3ODlhYmNkZWYw"
EVERY = "whsec_" + "ZXZlcnktMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NQ=="
STRANGER = "whsec_" + "c3RyYW5nZXItMDEyMzQ1Njc4OWFiY2RlZjAx"
ACME_SHARED = "acme-shared-0123456789"
EVERY_SHARED = "every-shared-0123456789"
SECRETS = {"acme": (ACME, ACME_NEXT, ACME_SHARED), "*": (EVERY, EVERY_SHARED)}


def signed(body: Any, *secrets: str, message_id: str = "msg_1", late_s: float = 0) -> dict[str, Any]:
    """`content` and `headers` of a request, signed `late_s` ago with each of the secrets."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    at = datetime.now(UTC) - timedelta(seconds=late_s)
    signatures = [Webhook(secret).sign(message_id, at, raw.decode()) for secret in secrets]
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
        "content-type": "application/json",
    }
    return {"content": raw, "headers": headers}
