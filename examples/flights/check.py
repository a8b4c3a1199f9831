"""What the rows must say, computed straight from the table by pandas, against what pyairtable reads back."""

from __future__ import annotations

import time
from typing import Any

import pandas as pd
from pyairtable import Api

from contract.settings import Settings

_COUNTS = {
    "Flights Processed": ("run", "size"),
    "Flights Cancelled": ("cancelled", "sum"),
    "Flights Delayed": ("delayed", "sum"),
    "Distance": ("distance", "sum"),
    "Air Time": ("air_time", "sum"),
    "First Departure": ("departed", "min"),
    "Last Departure": ("departed", "max"),
    "Start Time": ("scheduled", "min"),
    "End Time": ("scheduled", "max"),
}
_MAY_BE_EMPTY = ("Air Time", "First Departure", "Last Departure")
_IGNORED = frozenset({"Last Updated", "Duration", "Job", "Client Run Results"})
"""Not in the table of flights: when it was folded, formulas, and links, which are checked by themselves."""

_WINDOW_S = 1.1
"""Airtable's window of 5 calls, and a margin."""

Rows = dict[str, dict[str, Any]]


def expected(table: pd.DataFrame) -> tuple[Rows, Rows]:
    """Job rows and client rows, by Run ID, as Airtable is to show them: every field but those ignored."""
    jobs = {str(run): _fields(line) | {"Run ID": run, "Job Type": "flights"} for run, line in _totals(table, ["run"]).iterrows()}
    clients: Rows = {}
    for (run, carrier), line in _totals(table, ["run", "carrier"]).iterrows():
        clients[f"{run}-{carrier}"] = _fields(line) | {"Run ID": f"{run}-{carrier}", "Client ID": carrier}
    carriers = table.groupby("run")["carrier"].nunique()
    for run, fields in jobs.items():
        fields |= {"Clients Processed": int(carriers[run]), "Clients With Errors": 0, "Success Rate": 1}
    return jobs, clients


def _totals(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    groups = table.groupby(keys)
    totals = pd.DataFrame({name: groups.size() if how == "size" else groups[column].agg(how) for name, (column, how) in _COUNTS.items()})
    totals["measured"] = groups["air_time"].count()
    return totals


def _fields(line: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {"Status": "Completed"}
    for name in _COUNTS:
        value = line[name]
        if name in _MAY_BE_EMPTY and (value is pd.NaT or (name == "Air Time" and not line["measured"])):
            continue
        fields[name] = value.strftime("%Y-%m-%dT%H:%M:%S.000Z") if isinstance(value, pd.Timestamp) else int(value)
    return fields


def read_back(settings: Settings) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """All records of both tables, with plain pyairtable. It knows nothing of our limiter, so it waits and spaces its calls."""
    assert settings.airtable_token is not None
    assert settings.airtable_base_id is not None
    api = Api(settings.airtable_token.get_secret_value(), endpoint_url=settings.airtable_url, timeout=(5, 30))
    time.sleep(_WINDOW_S)
    return _all(api, settings.airtable_base_id, "Job Tracking"), _all(api, settings.airtable_base_id, "Client Run Results")


def _all(api: Api, base_id: str, table: str) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    for page in api.table(base_id, table).iterate(page_size=100):
        records += [dict(record) for record in page]
        time.sleep(_WINDOW_S / 4)
    return records


def mismatches(table: pd.DataFrame, job_records: list[dict[str, Any]], client_records: list[dict[str, Any]]) -> list[str]:
    """Every difference, as a sentence."""
    jobs, clients = expected(table)
    found = _compare(jobs, job_records) + _compare(clients, client_records)
    job_ids = {record["fields"]["Run ID"]: record["id"] for record in job_records}
    for record in client_records:
        run = record["fields"]["Run ID"][:13]
        if record["fields"].get("Job") != [job_ids.get(run)]:
            found.append(f"{record['fields']['Run ID']}: linked to {record['fields'].get('Job')}, not to its job")
    return found


def _compare(wanted: Rows, records: list[dict[str, Any]]) -> list[str]:
    found: list[str] = []
    seen: set[str] = set()
    for record in records:
        fields = {name: value for name, value in record["fields"].items() if name not in _IGNORED}
        key = str(fields.get("Run ID"))
        if key in seen or key not in wanted:
            found.append(f"{key}: {'twice' if key in seen else 'not expected'}")
        seen.add(key)
        must = wanted.get(key, {})
        # Airtable leaves empty values out of a record, and zero is none of them.
        found += [
            f"{key}: {name} is {fields.get(name)!r}, not {must.get(name)!r}"
            for name in fields.keys() | must.keys()
            if fields.get(name) != must.get(name)
        ]
    return found + [f"{key}: missing" for key in wanted.keys() - seen]
