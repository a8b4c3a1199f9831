"""The members of a payload that we know: found under any of their names, checked by type, with all faults told at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from contract.errors import ValueRejected
from contract.shown import shown
from contract.values import to_text

T = TypeVar("T")


class Members:
    """Names are paths with dots (`resource.id`). What is null or absent is None; so is what is faulty, with its fault kept."""

    def __init__(self, body: dict[str, Any]) -> None:
        self._body = body
        self.faults: list[dict[str, str]] = []
        """`field` and `reason` of each."""

    def fault(self, name: str, reason: str) -> None:
        """Keep a fault."""
        self.faults.append({"field": name, "reason": reason})

    def read(self, as_type: Callable[[Any], T], *names: str) -> T | None:
        """The value in the type. Two names that are both there have to say the same."""
        found: dict[str, T] = {}
        for name in names:
            value = self._at(name)
            if value is None:
                continue
            try:
                found[name] = as_type(value)
            except ValueRejected as error:
                self.fault(name, str(error))
        first = next(iter(found), None)
        if first is None:
            return None
        for name, other in found.items():
            if other != found[first]:
                self.fault(name, f"contradicts {first}")
        return found[first]

    def text(self, *names: str) -> str | None:
        """A text without space around it; one that is blank is as good as absent, since that is what an empty template variable gives."""
        return self.read(_text, *names) or None

    def _at(self, path: str) -> Any:
        value: Any = self._body
        seen = ""
        for name in path.split("."):
            if value is None:
                return None
            if not isinstance(value, dict):
                if not any(fault["field"] == seen for fault in self.faults):
                    self.fault(seen, f"is no JSON object: {shown(value)}")
                return None
            seen = f"{seen}.{name}" if seen else name
            value = value.get(name)
        return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueRejected(f"is no text: {shown(value)}")
    return to_text(value) if value.strip() else ""
