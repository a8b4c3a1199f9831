"""`runtally verify`: are the rows true, and is Airtable what they say? With `--repair`, what is not is mended."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.reading import as_json
from contract import run_id
from contract.link import Link
from contract.registry import load_registry
from contract.settings import load_settings
from worker.verify import Finding, Mend, Options, Remark, Report, State
from worker.verify import verify as check

_EXIT_FINDINGS = 1
_REMARKS_SHOWN = 10

_MENDING = {
    Mend.RECOUNT: "counted anew by an event",
    Mend.REBUILD: "made anew from the log",
    Mend.WRITE: "written again by the flush",
    Mend.SEEK: "found or made by the flush",
    Mend.FORGET: "removed",
    Mend.BY_HAND: "by hand",
}


def verify(  # the options of a command
    run: Annotated[str | None, typer.Option("--run", metavar="ID", help="Check this run only.")] = None,
    airtable: Annotated[bool, typer.Option("--airtable/--no-airtable", help="Compare with Airtable, if a base is set.")] = True,
    replay: Annotated[bool, typer.Option("--replay", help="Fold the kept log anew and compare.")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended, by events and the flush.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line: findings, remarks, and a summary.")] = False,
) -> None:
    """Check that rows, log and Airtable agree. Exit code: 0 they do, 1 something is left to mend, 2 the check failed."""
    settings = load_settings()
    options = Options(None if run is None else run_id.require(run_id.convert(run)).base, airtable, replay, repair)
    link = Link(settings.redis_url.get_secret_value(), name="runtally-verify")
    link.open()
    try:
        report = check(settings, link, load_registry(settings.metrics_file), options, _progress())
    finally:
        link.close()
    if json:
        _tell_json(report)
    else:
        _tell(report, repair=repair)
    if report.left:
        raise typer.Exit(_EXIT_FINDINGS)


def _progress() -> Callable[[str], None]:
    """Progress goes to stderr: over itself in a terminal, else a line each."""
    terminal = sys.stderr.isatty()

    def show(text: str) -> None:
        sys.stderr.write(f"\r\x1b[K{text}\r" if terminal else f"{text}\n")
        sys.stderr.flush()

    return show


def _tell_json(report: Report) -> None:
    for finding in report.findings:
        typer.echo(as_json({"type": "finding", **asdict(finding)}))
    for remark in report.remarks:
        typer.echo(as_json({"type": "remark", **asdict(remark)}))
    typer.echo(as_json({"type": "summary", "findings": len(report.findings), "left": len(report.left), **report.counts}))


def _tell(report: Report, *, repair: bool) -> None:
    console = Console()
    if report.findings:
        console.print(_table(report.findings))
        for hint in dict.fromkeys(f"{finding.kind}: {finding.hint}" for finding in report.left if finding.hint):
            console.print(f"  {hint}", style="dim", markup=False)
    for line in _remarks(report.remarks):
        console.print(f"  {line}", style="dim", markup=False)
    console.print(_summary(report, repair=repair), markup=False)


def _table(findings: list[Finding]) -> Table:
    table = Table("Kind", "Run ID", "Client", "What", "There is", "Should be", "Mending", box=None, pad_edge=False)
    table.columns[1].no_wrap = table.columns[0].no_wrap = True
    for column in table.columns:
        column.overflow = "fold"
    for finding in findings:
        mending = str(finding.state) if finding.state is not State.OPEN else _MENDING[finding.mend]
        what = f"{finding.place}: {finding.what}"
        cells = (finding.kind, finding.run or "", finding.client or "", what, finding.found, finding.expected, mending)
        table.add_row(*(escape(str(cell)) for cell in cells))
    return table


def _remarks(remarks: list[Remark]) -> list[str]:
    """One line each; runs that share a reason stand together, the first of them by name."""
    lines = [remark.text for remark in remarks if remark.run is None]
    by_reason: dict[str, list[str]] = {}
    for remark in remarks:
        if remark.run is not None:
            by_reason.setdefault(remark.text, []).append(remark.run)
    for reason, runs in by_reason.items():
        more = f" and {len(runs) - _REMARKS_SHOWN:,} more" if len(runs) > _REMARKS_SHOWN else ""
        lines.append(f"not compared with the log ({reason}): {', '.join(runs[:_REMARKS_SHOWN])}{more}")
    return lines


def _summary(report: Report, *, repair: bool) -> str:
    counts = report.counts
    looked = f"{counts['runs']:,} runs, {counts['rows']:,} rows, {counts['records']:,} records in Airtable"
    looked += f", {counts['replayed']:,} runs folded anew" if counts["replayed"] else ""
    if not report.findings:
        return f"all is well: {looked}"
    if not repair:
        return f"{len(report.findings):,} findings: {looked}. `runtally verify --repair` mends what it can"
    done = len(report.findings) - len(report.left)
    way = "the fold and the flush do what was asked: check again"
    return f"{len(report.findings):,} findings, {done:,} mended or asked for, {len(report.left):,} left: {way}"
