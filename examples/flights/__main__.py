"""`make flights`: emit, fold, flush, read back, compare; `--again` does it twice, and the second time must change nothing."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from airtable_sandbox import Remote
from cli.reading import reading
from cli.up.stack import Options, Stack
from cli.up.stop_signal import StopSignal
from contract.settings import Settings, load_settings
from examples.flights import check
from examples.flights.emit import emit
from examples.flights.table import load
from producers.publisher import Publisher

_METRICS = Path(__file__).with_name("metrics.toml")
_FOLD_S = 300.0
_FLUSH_S = 900.0
_WHOLE_ROWS = 365 + 5_432
"""Rows of the whole year. Of a few days, the last calls of a flush carry few rows: the bound on calls is for the year."""

_SHOWN = 3
"""Mismatches shown in full."""


def main() -> int:
    """The exit code: 0 only if nothing differs and the limit was never reached."""
    options = _options()
    console = Console(stderr=options.json, highlight=False)
    table = load()
    if options.days:
        table = table[table["run"].isin(sorted(table["run"].unique())[: options.days])].reset_index(drop=True)
    data_dir = options.data_dir
    shutil.rmtree(data_dir, ignore_errors=True)
    settings = load_settings(metrics_file=_METRICS, flush_interval_s=0, log_retention_s=3_600)
    with StopSignal() as stop, Stack(settings, Options(data_dir), stop, lambda text: console.print(text, markup=False)) as stack:
        with _tended(stack):
            rounds = [_round(stack.settings, table, console, number) for number in range(2 if options.again else 1)]
        console.print("stopping")
    for result in rounds:
        _show(console, result)
    if options.json:
        print(json.dumps(rounds))
    return 0 if all(result["ok"] for result in rounds) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make flights", description=__doc__)
    parser.add_argument("--again", action="store_true", help="emit everything twice, with the same identities")
    parser.add_argument("--days", type=int, default=0, help="only the first days of the year")
    parser.add_argument("--data-dir", type=Path, default=Path(".runtally/flights"), help="emptied first")
    parser.add_argument("--json", action="store_true", help="the figures as JSON on standard output")
    return parser.parse_args()


@contextmanager
def _tended(stack: Stack) -> Iterator[None]:
    """Look after the services while the main thread works."""
    done = threading.Event()

    def tend() -> None:
        while not done.wait(0.2):
            stack.tend()

    thread = threading.Thread(target=tend, name="tend", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _round(settings: Settings, table: pd.DataFrame, console: Console, number: int) -> dict[str, Any]:
    """Emit all, wait for fold and flush, read back, compare; the figures."""
    assert settings.airtable_token is not None
    remote = Remote(settings.airtable_url, settings.airtable_token.get_secret_value())
    remote.reset_counters()
    publisher = Publisher(settings)
    began = time.monotonic()
    with Progress(console=console) as progress, reading(settings) as (reader, _):
        before = reader.counters()
        emitting = progress.add_task("emit", total=len(table))
        events = emit(publisher, table, lambda flights: progress.advance(emitting, flights))
        undelivered = publisher.flush(timeout_s=60)
        emitted = time.monotonic()
        _wait(progress, "fold", _FOLD_S, reader.backlog)
        folded = time.monotonic()
        _wait(progress, "flush", _FLUSH_S, reader.dirty)
        flushed = time.monotonic()
        counters = _grown(before, reader.counters())
    publisher.close()
    calls = remote.counters()
    wrong = check.mismatches(table, *check.read_back(settings))
    rows = len(check.expected(table)[0]) + len(check.expected(table)[1])
    limit = round(1.15 * rows / 10)
    return {
        "round": number + 1,
        "events": events,
        "undelivered": undelivered,
        "emit_s": emitted - began,
        "fold_s": folded - began,
        "flush_s": flushed - began,
        "folded": counters.get("events", 0),
        "duplicates": counters.get("duplicates", 0),
        "events_per_s": events / (folded - began),
        "calls": calls["calls"],
        "calls_allowed": limit,
        "most_calls_in_a_second": calls["most_calls_in_one_s"],
        "rate_limited": calls["rate_limited"],
        "rows": rows,
        "mismatches": len(wrong),
        "first_mismatches": wrong[:_SHOWN],
        "ok": not wrong
        and not undelivered
        and (calls["calls"] <= limit or rows < _WHOLE_ROWS)
        and calls["most_calls_in_one_s"] <= 5
        and not calls["rate_limited"]
        and (number == 0 or not counters.get("events", 0)),
    }


def _wait(progress: Progress, name: str, limit_s: float, left: Callable[[], int]) -> None:
    """Until nothing is left, or it takes too long: the comparison then says what is missing."""
    most = left()
    task = progress.add_task(name, total=most or 1)
    deadline = time.monotonic() + limit_s
    while (now := left()) and time.monotonic() < deadline:
        most = max(most, now)
        progress.update(task, total=most, completed=most - now)
        time.sleep(0.05)
    progress.update(task, completed=most or 1)


def _grown(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    return {name: number - before.get(name, 0) for name, number in after.items()}


def _show(console: Console, result: dict[str, Any]) -> None:
    table = Table(title=f"Flights, round {result['round']}", title_justify="left", box=None, pad_edge=False, show_header=False)
    table.add_row("Events emitted", f"{result['events']:,}")
    table.add_row("Events folded, repeats dropped", f"{result['folded']:,}, {result['duplicates']:,}")
    table.add_row("Seconds to emitted, folded, flushed", " · ".join(f"{result[name]:.1f}" for name in ("emit_s", "fold_s", "flush_s")))
    table.add_row("Events a second, emit to folded", f"{result['events_per_s']:,.0f}")
    table.add_row("Airtable calls (at most)", f"{result['calls']:,} ({result['calls_allowed']:,})")
    table.add_row("Most calls in a second, 429s", f"{result['most_calls_in_a_second']}, {result['rate_limited']}")
    table.add_row("Rows", f"{result['rows']:,}")
    table.add_row("Mismatches", f"{result['mismatches']:,}")
    console.print(table)
    for line in result["first_mismatches"]:
        console.print(f"  {line}", markup=False)


if __name__ == "__main__":
    sys.exit(main())
