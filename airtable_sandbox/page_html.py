"""The page's markup. Every text that comes from the data file passes through `_safe`."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape as _safe
from urllib.parse import quote

from airtable_sandbox.page_text import NUMERIC, cell_text
from airtable_sandbox.record_reader import RecordReader
from airtable_sandbox.rows import Row
from airtable_sandbox.schema import Base, Catalog, Field, Table

REFRESH_S = 5


@dataclass(frozen=True)
class Sheet:
    """One page of a table: which, of how many, and whether it reloads itself."""

    number: int
    pages: int
    records: int
    refresh: bool

    def address(self, base: Base, table: Table, number: int, refresh: bool) -> str:
        return f"/bases/{base.id}/{quote(table.id)}?page={number}" + ("&amp;refresh=1" if refresh else "")


def overview(catalog: Catalog, counts: dict[str, int]) -> str:
    """All bases and their tables; `counts` maps table IDs to numbers of records."""
    bases = "".join(_base(base, counts) for base in catalog.bases)
    intro = "<h1>Airtable sandbox</h1><p class=soft>A local stand-in for Airtable. This page only reads.</p>"
    return _document("Airtable sandbox", intro + bases, refresh=False)


def table_page(base: Base, table: Table, reader: RecordReader, rows: list[Row], sheet: Sheet) -> str:
    """The records of one sheet, newest first. `reader` must have begun `rows`."""
    noun = "record" if sheet.records == 1 else "records"
    head = f"<h1>{_safe(table.name)}</h1><p class=soft>{sheet.records:,} {noun}, newest first; times are UTC</p>"
    body = _grid(table, reader, rows) if rows else "<p>No records yet.</p>"
    content = f'<nav aria-label=Place><a href="/">All tables</a></nav>{head}{_turns(base, table, sheet)}{body}'
    return _document(f"{table.name} · {base.name}", content, sheet.refresh)


def _base(base: Base, counts: dict[str, int]) -> str:
    tables = "".join(
        f'<li><a href="/bases/{base.id}/{table.id}"><bdi>{_safe(table.name)}</bdi></a><span class=soft>{counts[table.id]:,}</span></li>'
        for table in base.tables
    )
    return f"<h2><bdi>{_safe(base.name)}</bdi> <small class=soft>{base.id}</small></h2>" + (
        f"<ul class=tables>{tables}</ul>" if tables else "<p class=soft>No tables yet.</p>"
    )


def _turns(base: Base, table: Table, sheet: Sheet) -> str:
    links: list[str] = []
    if sheet.number > 1:
        links.append(f'<a rel=prev href="{sheet.address(base, table, sheet.number - 1, sheet.refresh)}">Newer</a>')
    if sheet.number < sheet.pages:
        links.append(f'<a rel=next href="{sheet.address(base, table, sheet.number + 1, sheet.refresh)}">Older</a>')
    if sheet.pages > 1:
        links.append(f"<span class=soft>page {sheet.number} of {sheet.pages}</span>")
    other = "Stop refreshing" if sheet.refresh else f"Refresh every {REFRESH_S} s"
    links.append(f'<a href="{sheet.address(base, table, sheet.number, not sheet.refresh)}">{other}</a>')
    return f"<nav aria-label=Pages>{''.join(links)}</nav>"


def _grid(table: Table, reader: RecordReader, rows: list[Row]) -> str:
    heads = "".join(f"<th scope=col>{_safe(field.name)}</th>" for field in table.fields)
    lines = "".join(f"<tr>{''.join(_cell(reader, row, field, field is table.primary) for field in table.fields)}</tr>" for row in rows)
    return (
        f'<div class=sheet id=records tabindex=0 role=region aria-label="Records of {_safe(table.name)}">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _cell(reader: RecordReader, row: Row, field: Field, primary: bool) -> str:
    text = _safe(cell_text(reader, row, field))
    if primary:
        return f"<th scope=row><div>{text}</div></th>"
    if field.type in NUMERIC:
        return f"<td class=number>{text}</td>"
    if field.type == "singleSelect" and text:
        return f"<td class=pill><span>{text}</span></td>"
    return f"<td><div>{text}</div></td>"


def _document(title: str, content: str, refresh: bool) -> str:
    again = f'<meta http-equiv=refresh content="{REFRESH_S}">' if refresh else ""
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"{again}<title>{_safe(title)}</title><link rel=stylesheet href=/style.css></head>"
        f"<body><a class=skip href=#content>Skip to the content</a><main id=content>{content}</main></body></html>"
    )
