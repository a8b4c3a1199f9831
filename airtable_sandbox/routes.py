"""Which call means what: method and path -> the operation. Plain values in and out; no HTTP here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airtable_sandbox import errors, meta, reading, writing
from airtable_sandbox.list_query import as_parameters, list_query, truthy
from airtable_sandbox.schema import Table
from airtable_sandbox.workspace import Workspace

USER_ID = "usrRuntallySndbox"
SCOPES = ["data.records:read", "data.records:write", "schema.bases:read", "schema.bases:write"]


@dataclass(frozen=True)
class ApiRequest:
    """A call below /v0: `path` in decoded segments, `query` in order, `body` {} when there was none."""

    method: str
    path: list[str]
    query: list[tuple[str, str]] = field(default_factory=list)
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def base_id(self) -> str | None:
        """The base that the call counts against; None for calls about no base in particular."""
        if self.path[:2] == ["meta", "bases"]:
            return self.path[2] if len(self.path) > 2 else None
        return self.path[0] if self.path and self.path[0] != "meta" else None

    @property
    def endpoint(self) -> str:
        """Method and path with the identifiers taken out, for the counters."""
        if self.path[:1] == ["meta"]:
            shape = [part if part in {"meta", "whoami", "bases", "tables", "fields"} else "*" for part in self.path]
        else:
            shape = ["{base}", "{table}", "{record}"][: len(self.path)]
            if self.path[2:3] == ["listRecords"]:
                shape[2] = "listRecords"
        return f"{self.method} /v0/{'/'.join(shape)}"


@dataclass(frozen=True)
class Answer:
    """Status and body, and how many records were written."""

    status: int
    body: dict[str, Any]
    records_written: int = 0


def answer(workspace: Workspace, request: ApiRequest) -> Answer:
    """Carries the call out. Never raises ApiError: a refusal is an answer, with nothing applied."""
    try:
        return _meta(workspace, request) if request.path[:1] == ["meta"] else _records(workspace, request)
    except errors.ApiError as refused:
        return Answer(refused.status, refused.body)


def _meta(workspace: Workspace, request: ApiRequest) -> Answer:
    body = request.body
    shown: dict[str, Any]
    match request.method, request.path[1:]:
        case "GET", ["whoami"]:
            shown = {"id": USER_ID, "scopes": SCOPES}
        case "GET", ["bases"]:
            if any(key != "offset" for key, _ in request.query):
                raise errors.invalid_request()
            shown = meta.bases(workspace)
        case "GET", ["bases", base, "tables"]:
            shown = meta.tables(workspace.base(base))
        case "POST", ["bases", base, "tables"]:
            shown = meta.create_table(workspace, base, body)
        case "PATCH", ["bases", base, "tables", table]:
            shown = meta.update_table(workspace, workspace.table(base, table), body)
        case "POST", ["bases", base, "tables", table, "fields"]:
            shown = meta.create_field(workspace, workspace.table(base, table), body)
        case "PATCH", ["bases", base, "tables", table, "fields", field_id]:
            shown = meta.update_field(workspace, workspace.table(base, table), field_id, body)
        case _:
            raise errors.not_found()
    return Answer(200, shown)


def _records(workspace: Workspace, request: ApiRequest) -> Answer:
    match request.path:
        case [base, name]:
            return _table_call(workspace, workspace.table(base, name), request)
        case [base, name, "listRecords"] if request.method == "POST":
            query = list_query(as_parameters(request.query) | request.body)
            return Answer(200, reading.list_records(workspace, workspace.table(base, name), query))
        case [base, name, record_id]:
            return _record_call(workspace, workspace.table(base, name), record_id, request)
        case _:
            raise errors.not_found()


def _table_call(workspace: Workspace, table: Table, request: ApiRequest) -> Answer:
    match request.method:
        case "GET":
            return Answer(200, reading.list_records(workspace, table, list_query(as_parameters(request.query))))
        case "POST":
            return _written(writing.create(workspace, table, request.body))
        case "PATCH" | "PUT":
            return _written(writing.update_many(workspace, table, request.body, replace=request.method == "PUT"))
        case "DELETE":
            return _written(writing.delete_many(workspace, table, [value for key, value in request.query if key == "records[]"]))
        case _:
            raise errors.not_found()


def _record_call(workspace: Workspace, table: Table, record_id: str, request: ApiRequest) -> Answer:
    match request.method:
        case "GET":
            parameters = dict(request.query)
            if set(parameters) - {"cellFormat", "returnFieldsByFieldId"} or parameters.get("cellFormat", "json") != "json":
                raise errors.invalid_request()
            by_id = truthy(parameters.get("returnFieldsByFieldId"))
            return Answer(200, reading.get_record(workspace, record_id, table.base_id, by_id))
        case "PATCH" | "PUT":
            return _written(writing.update_one(workspace, table, record_id, request.body, replace=request.method == "PUT"))
        case "DELETE":
            return _written(writing.delete_one(workspace, table, record_id))
        case _:
            raise errors.not_found()


def _written(result: writing.Written) -> Answer:
    return Answer(200, result.body, result.records)
