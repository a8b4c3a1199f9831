"""`runtally exec -- CMD`: a command of cron or a shell as a tracked run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.child import Ended, Forwarding, run_child
from cli.tail import Tail
from contract.errors import AlreadyRunning, StoreUnavailable
from contract.logs import configure_logs, is_secret_name, redactor
from contract.settings import Settings
from producers.default import publisher
from producers.exclusive import Exclusive
from producers.exclusive import exclusive as lock_for
from producers.runs.run_ids import TakenId, take_run_id
from producers.runs.work import Terms, Work

_TRY_LATER = 75
"""EX_TEMPFAIL of sysexits.h: not now, another time."""

_TAIL_LINES = 20


def exec_(  # noqa: PLR0913  # the options of a command
    command: Annotated[list[str], typer.Argument(metavar="-- CMD ARGS…", help="The command and its arguments.")],
    *,
    job_type: Annotated[str | None, typer.Option(help="What the job is called; the command's name if left out.")] = None,
    client: Annotated[str | None, typer.Option(help="Whose run it is. With --run-id: this client's part of that job.")] = None,
    stream: Annotated[int | None, typer.Option(help="The job's stream.")] = None,
    run_id: Annotated[str | None, typer.Option(help="Continue this run, rather than begin one.")] = None,
    exclusive: Annotated[bool, typer.Option("--exclusive", help="Not while it runs for this client, else stream, else at all.")] = False,
    if_unavailable: Annotated[
        Literal["refuse", "proceed"], typer.Option(help="With --exclusive: what to do when Redis cannot be asked.")
    ] = "refuse",
    tail_lines: Annotated[
        int, typer.Option(min=0, max=50, help="Last lines of output in the notes; 0: output is not looked at.")
    ] = _TAIL_LINES,
) -> None:
    """Run a command as a tracked run: its output passes through, its exit code is passed on, RUNTALLY_RUN_ID tells it its run.

    Exit code 75: it runs already, or Redis cannot be asked (--exclusive). 127, 126: it cannot be started. 128 + n: ended by signal n.
    """
    forwarding = Forwarding()
    settings = publisher().settings
    configure_logs(settings)
    terms = Terms(job_type or Path(command[0]).name, run_id, client, stream)
    taken = take_run_id(settings) if run_id is None else TakenId(run_id, "", True)
    work = terms.work(publisher(), taken.run_id, taken.origin or None)
    lock = _locked(terms, work, if_unavailable) if exclusive else None
    try:
        ended = _run(command, work, forwarding, settings, tail_lines)
    finally:
        if lock is not None:
            lock.__exit__(None, None, None)
    raise typer.Exit(ended.code)


def _locked(terms: Terms, work: Work, if_unavailable: Literal["refuse", "proceed"]) -> Exclusive:
    stream = terms.stream if terms.client is None else None
    lock = lock_for(terms.job_type or "", stream=stream, client=terms.client, run_id=work.run_id, if_unavailable=if_unavailable)
    try:
        return lock.__enter__()
    except (AlreadyRunning, StoreUnavailable) as refused:
        typer.echo(f"runtally: {refused}", err=True)
        raise typer.Exit(_TRY_LATER) from None


def _run(command: list[str], work: Work, forwarding: Forwarding, settings: Settings, tail_lines: int) -> Ended:
    environment = {**os.environ, "RUNTALLY_RUN_ID": work.run_id}
    hidden = redactor(settings, *(value for name, value in os.environ.items() if is_secret_name(name)))
    tail = Tail(tail_lines, hidden.text) if tail_lines else None
    with work:
        ended = run_child(command, environment, forwarding, tail)
        for name in forwarding.passed_on:
            work.note(f"{name} was passed on to the command")
        for line in tail.lines() if tail is not None else ():
            work.note(f"> {line}")
        if ended.code:
            work.fail(ended.reason)
        else:
            work.note(ended.reason)
    return ended
