"""A client of the control routes, for tests and scripts in this process or another."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote, urlsplit

from airtable_sandbox.workspace import FIRST_BASE_ID


class Remote:
    """Controls the sandbox at `url`. Every method raises RuntimeError when the sandbox refuses, OSError when it is away."""

    def __init__(self, url: str, token: str, base_id: str = FIRST_BASE_ID, timeout_s: float = 10.0) -> None:
        self.url = url
        self.token = token
        self.base_id = base_id
        self._timeout_s = timeout_s

    @property
    def human_url(self) -> str:
        """An `endpoint_url` for pyairtable whose calls are not limited, not counted and never struck by a fault."""
        return f"{self.url}/_sandbox"

    def fault(self, kind: str, **details: Any) -> None:
        """Adds a fault; `details` are the other fields of faults.Fault."""
        self._call("POST", "faults", {"kind": kind, **details})

    def faults(self) -> list[dict[str, Any]]:
        """The faults in force, each with `struck`, how often it has struck."""
        found: list[dict[str, Any]] = self._call("GET", "faults")["faults"]
        return found

    def clear_faults(self) -> None:
        self._call("DELETE", "faults")

    def counters(self) -> dict[str, Any]:
        """See counters.Counters.as_json."""
        return self._call("GET", "counters")

    def reset_counters(self) -> None:
        self._call("DELETE", "counters")

    def set_limits(self, **limits: float | None) -> None:
        """Changes limits by the names of limits.Limits, from the next call on."""
        self._call("PATCH", "limits", dict(limits))

    def reset_limits(self) -> None:
        """Ends every lockout and empties every window; the limits stay as they are."""
        self._call("DELETE", "limits")

    def add_base(self, name: str) -> str:
        """Returns the new base's ID."""
        return str(self._call("POST", "bases", {"name": name})["id"])

    def add_formula_field(self, table: str, name: str, formula: str, base_id: str | None = None) -> dict[str, Any]:
        """As a person does in Airtable's own window; returns the field."""
        path = f"bases/{base_id or self.base_id}/tables/{quote(table, safe='')}/formula-fields"
        return self._call("POST", path, {"name": name, "formula": formula})

    def delete_records(self, table: str, base_id: str | None = None) -> int:
        """Empties a table; returns how many records that were."""
        return int(self._call("DELETE", f"bases/{base_id or self.base_id}/tables/{quote(table, safe='')}/records")["deleted"])

    def records(self, table: str, base_id: str | None = None) -> list[dict[str, Any]]:
        """All records of a table, oldest first, past limits, counters and faults."""
        found: list[dict[str, Any]] = []
        body: dict[str, Any] = {}
        while True:
            page = self._call("POST", f"v0/{base_id or self.base_id}/{quote(table, safe='')}/listRecords", body)
            found += page["records"]
            if "offset" not in page:
                return found
            body = {"offset": page["offset"]}

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        address = urlsplit(self.url)
        connection = HTTPConnection(str(address.hostname), address.port, timeout=self._timeout_s)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, f"/_sandbox/{path}", content, {"Authorization": f"Bearer {self.token}"})
            reply = connection.getresponse()
            answer: dict[str, Any] = json.loads(reply.read())
        finally:
            connection.close()
        if reply.status != 200:
            raise RuntimeError(f"sandbox refused {method} {path}: {reply.status} {answer}")
        return answer
