"""`runtally up`."""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cli.up.demo import DemoThread
    from cli.up.stack import Stack
    from cli.up.stop_signal import StopSignal

_TEND_S = 0.1
_INTERRUPTED = 130


def up(
    demo: Annotated[bool, typer.Option("--demo", help="Show it at work once everything runs.")] = False,
    exit_: Annotated[bool, typer.Option("--exit", help="End after the start, or after the demo; exit code 1 if that went wrong.")] = False,
    data_dir: Annotated[Path, typer.Option(help="Where data and logs are kept.")] = Path(".runtally"),
    workers: Annotated[int, typer.Option(help="How many worker processes.", min=1, max=64)] = 1,
    web_port: Annotated[int, typer.Option(help="Port of the dashboard; 0 takes a free one.", min=0, max=65_535)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Tell what happens as JSON, one object a line.")] = False,
) -> None:
    """Start everything and keep it running until Ctrl-C. What is not configured is embedded: Redis, Airtable."""
    from cli.up.screen import Screen
    from cli.up.stack import Options, Stack
    from cli.up.stop_signal import StopSignal
    from contract.settings import load_settings

    screen = Screen(as_json=as_json)
    settings = load_settings()
    show: DemoThread | None = None
    code = 0
    with StopSignal() as stop:
        try:
            with Stack(settings, Options(data_dir, workers, web_port), stop, screen.step) as stack:
                screen.ready(stack.links)
                if demo:
                    from cli.up.demo import DemoThread

                    show = DemoThread(stack.settings, screen.console, stop, partial(screen.demo_ended, stack.links, stays=not exit_))
                    show.start()
                code = _keep_running(stack, stop, show, until_done=exit_)
                screen.step("stopping")
        except KeyboardInterrupt:
            code = _INTERRUPTED
    screen.step("stopped")
    if show is not None and not show.complete and stop.requested:
        # Its events have nowhere to go any more: do not wait for them at the interpreter's exit.
        sys.stdout.flush()
        os._exit(_INTERRUPTED)
    raise typer.Exit(code)


def _keep_running(stack: Stack, stop: StopSignal, show: DemoThread | None, *, until_done: bool) -> int:
    """Look after the services until somebody wants them ended, or with `until_done` until the demo has ended. The exit code."""
    while not stop.requested:
        stack.tend()
        if until_done and not (show is not None and show.running):
            return 0 if show is None or show.ok else 1
        time.sleep(_TEND_S)
    return 0 if show is None or not until_done else _INTERRUPTED
