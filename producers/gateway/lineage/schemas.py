"""What the lineage routes take and answer, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from producers.gateway.lineage.run_event import Transition

_TEXT = {"type": "string"}
_NAME = {"type": "string", "minLength": 1}
_COUNT = {"type": "integer", "minimum": 0}
_DATASETS = {"type": "array", "items": {"type": "object"}}
_JOB = {"type": "object", "required": ["namespace", "name"], "properties": {"namespace": _NAME, "name": _NAME}}
_RUN = {"type": "object", "required": ["runId"], "properties": {"runId": _NAME, "facets": {"type": "object"}}}

LINEAGE_SCHEMAS: dict[str, Any] = {
    "LineageEvent": {
        "type": "object",
        "description": "An event of OpenLineage 2-0-2: of a run, or, taken and not used, of a dataset or a job alone.",
        "properties": {
            "eventType": {"type": "string", "enum": [str(transition) for transition in Transition]},
            "eventTime": {"type": "string", "format": "date-time"},
            "producer": _TEXT,
            "schemaURL": _TEXT,
            "run": _RUN,
            "job": _JOB,
            "dataset": {"type": "object"},
            "inputs": _DATASETS,
            "outputs": _DATASETS,
        },
    },
    "LineageTaken": {
        "type": "object",
        "required": ["accepted", "ignored"],
        "properties": {
            "accepted": {**_COUNT, "description": "Run events that the log has now."},
            "ignored": {**_COUNT, "description": "Events of datasets and of jobs alone."},
        },
    },
}
