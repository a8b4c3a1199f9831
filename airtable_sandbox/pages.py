"""The page for people: who may see it, and which page an address means.

It needs no token, so it answers only who asks from this machine by a name of this machine: the second keeps other sites from
reading it through the visitor's own browser.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import Scope

from airtable_sandbox.errors import ApiError
from airtable_sandbox.http_request import query_of
from airtable_sandbox.page_html import Sheet, overview, table_page
from airtable_sandbox.record_reader import RecordReader
from airtable_sandbox.workspace import Workspace

ROWS_A_PAGE = 50
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
_STYLE = Path(__file__).with_name("style.css").read_text(encoding="utf-8")


def page(workspace: Workspace, path: list[str], scope: Scope) -> Response:
    """The page of this address, or 403, 404, 405."""
    if not _from_here(scope):
        return PlainTextResponse("This page is for the machine that the sandbox runs on.", 403, _HEADERS)
    if scope["method"] not in {"GET", "HEAD"}:
        return PlainTextResponse("This page only reads.", 405, _HEADERS | {"allow": "GET, HEAD"})
    try:
        return _page(workspace, path, dict(query_of(scope)))
    except ApiError:
        return PlainTextResponse("There is no such page.", 404, _HEADERS)


def _page(workspace: Workspace, path: list[str], query: dict[str, str]) -> Response:
    match path:
        case []:
            catalog = workspace.catalog.current()
            counts = {table.id: workspace.rows.count(table.id) for base in catalog.bases for table in base.tables}
            return HTMLResponse(overview(catalog, counts), headers=_HEADERS)
        case ["style.css"]:
            return Response(_STYLE, media_type="text/css", headers=_HEADERS)
        case ["bases", base, table]:
            return HTMLResponse(_table(workspace, base, table, query), headers=_HEADERS)
        case _:
            return PlainTextResponse("There is no such page.", 404, _HEADERS)


def _table(workspace: Workspace, base_id: str, name_or_id: str, query: dict[str, str]) -> str:
    base, table = workspace.base(base_id), workspace.table(base_id, name_or_id)
    records = workspace.rows.count(table.id)
    pages = max(1, -(-records // ROWS_A_PAGE))
    asked = query.get("page", "1")
    number = min(max(int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else 1, 1), pages)
    newest = workspace.rows.ids(table.id, newest_first=True, limit=ROWS_A_PAGE, skip=(number - 1) * ROWS_A_PAGE)
    rows = workspace.rows.get_many(newest)
    reader = RecordReader(workspace, table)
    reader.begin(rows)
    return table_page(base, table, reader, rows, Sheet(number, pages, records, query.get("refresh") == "1"))


def _from_here(scope: Scope) -> bool:
    named = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    try:
        host = urlsplit(f"//{named}").hostname
    except ValueError:
        return False
    return _is_loopback((scope["client"] or ("", 0))[0]) and (host == "localhost" or _is_loopback(host or ""))


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
