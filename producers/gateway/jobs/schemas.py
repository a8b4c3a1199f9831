"""What the job routes take and answer, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from contract.status import Status
from producers.gateway.jobs.asked import ClientMetrics, CompleteClient, CompleteJob, StartJob

ASKED = (StartJob, CompleteJob, ClientMetrics, CompleteClient)

_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_TIME = {"type": ["string", "null"], "format": "date-time"}
_NAME = {"type": ["string", "null"]}
_STATUS = {"type": "string", "enum": [str(status) for status in Status]}
_METRICS = {
    "type": "object",
    "description": "By display name. Decimals and times are texts, so that they stay exact.",
    "additionalProperties": True,
}
_ROW: dict[str, Any] = {
    "run_id": _TEXT,
    "status": _STATUS,
    "announced": {"type": "boolean"},
    "start": _TIME,
    "end": _TIME,
    "metrics": _METRICS,
    "rates": {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
    "events": _COUNT,
    "notes": _TEXT,
}
_CLIENT: dict[str, Any] = {
    "client_id": _TEXT,
    "client_name": _NAME,
    "skips": {"type": "object", "additionalProperties": _COUNT},
    "unknown_metrics": {"type": "object", "additionalProperties": True},
    "errors": _TEXT,
    "progress": _TEXT,
}
_JOB: dict[str, Any] = {
    "job_type": _NAME,
    "stream": {"type": ["integer", "null"]},
    "client_counts": {"type": "object", "additionalProperties": _COUNT, "description": "Clients by status."},
    "clients_processed": _COUNT,
    "clients_with_errors": _COUNT,
}
_FENCE = {"type": ["integer", "null"], "description": "Fencing number of its lock: greater at each taking."}

ANSWERED: dict[str, Any] = {
    "JobRow": {"type": "object", "required": ["run_id", "status"], "properties": _ROW | _JOB},
    "Job": {
        "type": "object",
        "description": "To a token that is limited to clients: `run_id`, `job_type`, `stream` and `clients` only.",
        "required": ["run_id", "job_type", "stream", "clients"],
        "properties": _ROW | _JOB | {"clients": {"type": "array", "items": {"type": "object", "properties": _ROW | _CLIENT}}},
    },
    "Started": {
        "type": "object",
        "required": ["run_id", "fence", "repeated"],
        "properties": {"run_id": _TEXT, "fence": _FENCE, "repeated": {"type": "boolean", "description": "It had started before."}},
    },
    "ClientTold": {"type": "object", "required": ["run_id"], "properties": {"run_id": _TEXT}},
    "Alive": {
        "type": "object",
        "required": ["run_id", "lock"],
        "properties": {"run_id": _TEXT, "lock": {"type": "string", "enum": ["held", "lost", "none"]}},
    },
}
