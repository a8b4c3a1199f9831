"""`runtally runs` and `runtally run show ID`: the rows as Redis holds them, live."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.reading import STYLES, as_json, reading, shown
from contract import run_id
from contract.registry import Registry
from contract.status import Status, map_status
from worker.rows import ClientRow, JobRow, Row, text

_EXIT_NONE = 1

run = typer.Typer(no_args_is_help=True)


def runs(
    status: Annotated[list[str] | None, typer.Option(help="Only runs of this status; may be given again.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 20,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the runs with the latest events, newest first."""
    wanted: list[Status] = [map_status(word)[0] for word in status or ()]
    with reading() as (reader, _):
        jobs = reader.latest(limit, wanted)
    if json:
        for job in jobs:
            typer.echo(as_json(job))
        return
    if not jobs:
        typer.echo("no runs yet")
        return
    table = Table("Run ID", "Type", "Status", "Clients", "Errors", "Start (UTC)", "Last event", box=None, pad_edge=False)
    for job in jobs:
        clients = sum(job.clients.values())
        done = clients - job.clients.get(Status.RUNNING, 0)
        table.add_row(
            job.run,
            escape(job.job_type or ""),
            coloured(job.status),
            f"{done}/{clients}",
            shown(job.with_errors) if job.with_errors else "",
            shown(job.start),
            shown(job.end),
        )
    Console().print(table)


@run.callback()
def _run() -> None:
    """Look at one run."""


@run.command()
def show(
    run_id_: Annotated[str, typer.Argument(metavar="ID", help="A run ID, in any known format, with or without a client.")],
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line: the job, then its clients.")] = False,
) -> None:
    """Show one run: its totals, and its clients. With a client in the ID: that client's row."""
    wanted = run_id.require(run_id.convert(run_id_))
    assert wanted.base is not None
    with reading() as (reader, registry):
        job = reader.job(wanted.base)
        clients = reader.clients(wanted.base)
    if wanted.client is not None:
        clients = [row for row in clients if row.client == wanted.client]
    if job is None or (wanted.client is not None and not clients):
        typer.echo(f"no row for {wanted.standard}: was it emitted to this Redis, and within the retention?", err=True)
        raise typer.Exit(_EXIT_NONE)
    if json:
        for row in (job, *clients) if wanted.client is None else clients:
            typer.echo(as_json(row))
        return
    console = Console()
    console.print(details(job if wanted.client is None else clients[0], registry))
    if wanted.client is None and clients:
        console.print(client_table(clients, registry))


def coloured(status: Status) -> str:
    """A status with its colour, for rich."""
    return f"[{STYLES[status]}]{status}[/]"


def details(row: Row, registry: Registry) -> Table:
    """One row, a line a value."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_row("Run ID", escape(row.row_id))
    table.add_row("Status", coloured(row.status))
    if isinstance(row, JobRow):
        table.add_row("Job Type", escape(row.job_type or ""))
        counts = ", ".join(f"{number} {status}" for status, number in row.clients.items())
        table.add_row("Clients", counts)
        metrics = row.metrics
    else:
        metrics = registry.effective(row.metrics)
    table.add_row("Start (UTC)", shown(row.start))
    table.add_row("Last event", shown(row.end))
    for name, value in metrics.items():
        table.add_row(name, escape(shown(value)))
    if isinstance(row, ClientRow):
        for reason, number in row.skips.items():
            table.add_row(f"Skipped: {escape(reason)}", shown(number))
    for label, name in (("System Notes", "notes"), ("Error Details", "errors"), ("Progress Log", "progress")):
        if lines := text(row, name):
            table.add_row(label, escape(lines))
    return table


def client_table(clients: list[ClientRow], registry: Registry) -> Table:
    """The clients of a run; the metrics that fit are those that are counted in work."""
    names = [metric.name for metric in registry.metrics if metric.work and any(metric.name in row.metrics for row in clients)][:3]
    table = Table("Client", "Status", *names, "Errors", "Last event", box=None, pad_edge=False, title="Clients", title_justify="left")
    for row in clients:
        values = [shown(row.metrics.get(name)) for name in names]
        table.add_row(escape(row.name or row.client), coloured(row.status), *values, shown(row.metrics.get("Errors")), shown(row.end))
    return table
