"""`runtally emit TYPE` and `runtally emit -`: events from shells, one by options or many as JSON lines."""

from __future__ import annotations

import json as json_format
import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

from cli.delivery import Delivery, Outcome
from cli.event_check import check
from contract import run_id as run_ids
from contract.errors import EventRejected, RuntallyError
from contract.events import EventType
from contract.logs import configure_logs
from contract.registry import Registry, load_registry
from contract.settings import Settings, load_settings

_EXIT_REFUSED = 1
_TRY_LATER = 75
"""EX_TEMPFAIL of sysexits.h: not now, another time."""

_STDIN = "-"


def emit(  # noqa: PLR0913  # the options of a command
    type: Annotated[str, typer.Argument(metavar="TYPE", help="Such as client.metrics.updated; - for JSON lines from stdin.")],
    *,
    run_id: Annotated[str | None, typer.Option(help="The run; RUNTALLY_RUN_ID if left out. job.started makes one and prints it.")] = None,
    client: Annotated[str | None, typer.Option(help="The client, for the types that begin with client.")] = None,
    client_name: Annotated[str | None, typer.Option(help="The client's name.")] = None,
    job_type: Annotated[str | None, typer.Option(help="What the job is called.")] = None,
    stream: Annotated[int | None, typer.Option(help="The job's stream.")] = None,
    metric: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="An observation. May be given again.")] = None,
    total: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A total so far. May be given again.")] = None,
    skip: Annotated[list[str] | None, typer.Option(metavar="REASON=N", help="Leads skipped, by reason. May be given again.")] = None,
    status: Annotated[str | None, typer.Option(help="How it ended: Completed, Failed, No Leads To Score.")] = None,
    success: Annotated[bool | None, typer.Option("--success/--failure", help="How it ended, with a completion.")] = None,
    note: Annotated[str | None, typer.Option(help="A line for the system notes.")] = None,
    error: Annotated[str | None, typer.Option(help="A line for the error details; with metrics it counts as an error.")] = None,
    progress: Annotated[str | None, typer.Option(metavar="OPERATION=STATE", help="A line for the progress log.")] = None,
    id: Annotated[str | None, typer.Option(help="The event's own ID: of repeats with the same one, one counts.")] = None,
    time: Annotated[str | None, typer.Option(help="When it happened, such as 2025-09-30T14:15:22Z; now if left out.")] = None,
    timeout_s: Annotated[float, typer.Option(min=0, help="How long to wait for the delivery.")] = 5.0,
    spool: Annotated[bool, typer.Option("--spool/--no-spool", help="Whether what is not delivered then waits on this host's disk.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Tell what became of it as one JSON object.")] = False,
) -> None:
    """Emit an event, or many, and wait until they are delivered. All are checked before they are sent.

    Exit code 0: delivered, or in the spool. 1: some lines were refused, the others count. 2: refused. 75: not delivered, and not kept.
    """
    options = {
        "client_name": client_name,
        "job_type": job_type,
        "stream": stream,
        **_counted(type, metric, total, skip, error),
        "status": status,
        "success": success,
        "note": note,
        "error": error,
        "progress": _progress(progress),
        "id": id,
        "time": time,
    }
    options = {name: value for name, value in options.items() if value is not None}
    settings = load_settings()
    configure_logs(settings)
    registry = load_registry(settings.metrics_file)
    place = {"run_id": run_id or _given_run(type, settings), "client_id": client}
    if type == _STDIN and options:
        raise EventRejected(f"with - each line says everything itself, but for run ID and client: leave out {', '.join(sorted(options))}")
    refused, begun = 0, None
    with Delivery(settings, timeout_s=timeout_s, spool=spool) as delivery:
        if type == _STDIN:
            refused = _send_lines(delivery, place, registry)
        else:
            begun = delivery.send(check({"type": type, **_placed(place), **options}, registry))
    _tell(delivery.outcome, begun, type, refused, json=json)


def _given_run(kind: str, settings: Settings) -> str | None:
    """The run that `runtally exec` has told; of it the job, for a job's events. A job that begins is another one."""
    if settings.run_id is None or kind == EventType.JOB_STARTED:
        return None
    return run_ids.require(settings.run_id).base if kind.startswith("job.") else settings.run_id


def _send_lines(delivery: Delivery, place: dict[str, str | None], registry: Registry) -> int:
    """Send each line of stdin as it comes; how many were refused. A line without a run ID belongs to the job that began last."""
    refused = 0
    for number, line in enumerate(sys.stdin.buffer, 1):
        if not line.strip():
            continue
        try:
            fields = _fields(line)
            row_id = delivery.send(check({**_left_out(fields, place), **fields}, registry))
            if fields["type"] == EventType.JOB_STARTED:
                place = {**place, "run_id": row_id}
        except RuntallyError as error:
            refused += 1
            typer.echo(f"runtally: line {number}: {error}", err=True)
    return refused


def _left_out(fields: dict[str, Any], place: dict[str, str | None]) -> dict[str, str]:
    """What stands in for what a line leaves out: of a job's events no client, of its start nothing."""
    kind = fields.get("type")
    if not (isinstance(kind, str) and kind.startswith("job.")):
        return _placed(place)
    run_id = place["run_id"]
    return {} if run_id is None or kind == EventType.JOB_STARTED else {"run_id": run_ids.require(run_id).base or run_id}


def _fields(line: bytes) -> dict[str, Any]:
    try:
        fields = json_format.loads(line)
    except ValueError as error:
        raise EventRejected(f"it is no JSON: {error}") from None
    if not isinstance(fields, dict):
        raise EventRejected(
            'a line is a JSON object, such as {"type": "client.metrics.updated", "client_id": "a", "metrics": {"errors": 1}}'
        )
    return fields


def _placed(place: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in place.items() if value is not None}


def _counted(
    kind: str, metric: list[str] | None, total: list[str] | None, skip: list[str] | None, error: str | None
) -> dict[str, dict[str, Any] | None]:
    """Metrics, totals and skips. As with `skip` and `error` of a client run, leads skipped and errors are counted too, unless told."""
    metrics: dict[str, Any] = _pairs("--metric", metric)
    totals, skips = _pairs("--total", total), _pairs("--skip", skip)
    if skips and "leads_skipped" not in {**metrics, **totals}:
        metrics["leads_skipped"] = sum(int(number) for number in skips.values() if number.isdecimal())
    if error is not None and kind == EventType.METRICS_UPDATED:
        metrics.setdefault("errors", 1)
    return {"metrics": metrics or None, "totals": totals or None, "skips": skips or None}


def _pairs(option: str, texts: list[str] | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise EventRejected(f"{option} {text}: write it as NAME=VALUE")
        if name.strip() in found:
            raise EventRejected(f"{option} {name.strip()} is given twice: emit two events, or their sum")
        found[name.strip()] = value.strip()
    return found


def _progress(text: str | None) -> dict[str, str] | None:
    if text is None:
        return None
    operation, equals, state = text.partition("=")
    if not equals or not operation.strip():
        raise EventRejected(f"--progress {text}: write it as OPERATION=STATE, or OPERATION=STATE=TEXT")
    state, _, more = state.partition("=")
    return {"operation": operation.strip(), "state": state.strip(), "text": more.strip()}


def _tell(outcome: Outcome, row_id: str | None, kind: str, refused: int, *, json: bool) -> None:
    if json:
        run = {} if row_id is None else {"run_id": row_id}
        typer.echo(json_format.dumps({**run, **asdict(outcome), "refused": refused}))
    elif kind == EventType.JOB_STARTED and row_id is not None:
        typer.echo(run_ids.convert(row_id))
    if outcome.waiting:
        typer.echo(f"runtally: {outcome.waiting} events wait in the spool; the next process here that emits sends them", err=True)
    if outcome.lost:
        typer.echo(f"runtally: {outcome.lost} of {outcome.events} events were not delivered, and are not kept: emit them again", err=True)
        raise typer.Exit(_TRY_LATER)
    if refused:
        raise typer.Exit(_EXIT_REFUSED)
