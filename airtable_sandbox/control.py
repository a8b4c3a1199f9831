"""The control routes below /_sandbox: faults, counters, limits, and what people do by hand in Airtable."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from airtable_sandbox import errors
from airtable_sandbox.faults import Fault
from airtable_sandbox.formula_fields import add_formula_field
from airtable_sandbox.gate import Gate
from airtable_sandbox.ids import is_id, new_id
from airtable_sandbox.limits import Limits
from airtable_sandbox.routes import Answer
from airtable_sandbox.schema import Base


def control(gate: Gate, method: str, path: list[str], body: dict[str, Any]) -> Answer:
    """Carries out a control call; its answers are our own, in the shape of Airtable's."""
    try:
        return Answer(200, _controlled(gate, method, path, body))
    except errors.ApiError as refused:
        return Answer(refused.status, refused.body)
    except (TypeError, ValueError) as wrong:
        return Answer(422, {"error": {"type": "INVALID_CONTROL_REQUEST", "message": str(wrong)}})


def _controlled(gate: Gate, method: str, path: list[str], body: dict[str, Any]) -> dict[str, Any]:
    if path[:1] == ["bases"]:
        return _by_hand(gate, method, path[1:], body)
    match method, path:
        case "GET", ["counters"]:
            return gate.counters.as_json(gate.limiter.lockouts)
        case "DELETE", ["counters"]:
            gate.counters.reset()
            gate.limiter.lockouts = 0
        case "POST", ["faults"]:
            gate.faults.add(Fault(**body))
        case "GET", ["faults"]:
            return {"faults": gate.faults.as_json()}
        case "DELETE", ["faults"]:
            gate.faults.clear()
        case "PATCH", ["limits"]:
            gate.limiter.limits = _changed(gate.limiter.limits, body)
            return asdict(gate.limiter.limits)
        case "DELETE", ["limits"]:
            gate.limiter.reset()
        case _:
            raise errors.not_found()
    return {}


def _changed(limits: Limits, body: dict[str, Any]) -> Limits:
    """Raises TypeError for a limit that there is none of, ValueError for a value that is no number above zero."""
    for name, value in body.items():
        unlimited = name == "calls_per_month" and value is None
        if not unlimited and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
            raise ValueError(f"{name} must be a number from 0")
    return replace(limits, **body)


def _by_hand(gate: Gate, method: str, path: list[str], body: dict[str, Any]) -> dict[str, Any]:
    workspace = gate.workspace
    match method, path:
        case "POST", []:
            return _add_base(gate, body)
        case "POST", [base, "tables", table, "formula-fields"]:
            return add_formula_field(workspace, workspace.table(base, table), body).as_json()
        case "DELETE", [base, "tables", table, "records"]:
            with workspace.storage.transaction():
                return {"deleted": workspace.rows.delete_all(workspace.table(base, table).id)}
        case _:
            raise errors.not_found()


def _add_base(gate: Gate, body: dict[str, Any]) -> dict[str, Any]:
    base_id = body.get("id") or new_id("app")
    if not is_id(base_id, "app"):
        raise ValueError("id must be app and 14 letters and digits")
    if gate.workspace.catalog.current().find(base_id):
        raise ValueError(f"base {base_id} exists")
    with gate.workspace.storage.transaction():
        gate.workspace.catalog.add_base(Base(base_id, str(body.get("name") or "Untitled base")))
    return {"id": base_id}
