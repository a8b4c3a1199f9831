"""What `up` tells: lines for people, or one JSON object a line for programs."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from cli.up.services import FLOWER_USER
from cli.up.stack import Links

if TYPE_CHECKING:
    from cli.demo import DemoResult


class Screen:
    """With `as_json`, standard output carries nothing but JSON lines, each with `event`: step, ready, demo."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.console = Console(stderr=as_json, highlight=False)

    def step(self, text: str) -> None:
        """Something is being done, or has happened."""
        if self.as_json:
            self.event("step", text=text)
        else:
            self.console.print(text, markup=False, soft_wrap=True)

    def ready(self, links: Links) -> None:
        """Everything runs."""
        if self.as_json:
            flower = {"url": links.flower, "user": FLOWER_USER, "password": links.flower_password}
            self.event("ready", web=links.web, flower=flower, sandbox=links.sandbox, environment_file=str(links.environment_file))
            return
        lines = [("Dashboard", links.web)]
        if links.flower:
            lines += [("Flower", links.flower), ("", f"user {FLOWER_USER}, password {links.flower_password}")]
        if links.sandbox:
            lines.append(("Airtable sandbox", links.sandbox))
        lines.append(("For other programs", _sourced(links.environment_file)))
        self._block("Runtally is running. Ctrl-C ends it.", lines)

    def demo_ended(self, links: Links, result: DemoResult | None, *, stays: bool) -> None:
        """The demo has shown its own summary to people: tell them where to look on. `result` is None when it broke off."""
        if self.as_json:
            self.event("demo", ok=result is not None and result.ok, run_id=result.run_id if result else "")
        elif result is not None and stays:
            lines = [("Dashboard", links.web)]
            if links.sandbox:
                lines.append(("Its rows", f"{links.sandbox}  (the Airtable sandbox)"))
            lines.append(("In another terminal", _sourced(links.environment_file)))
            lines.append(("", f"{_command()} run show {result.run_id}"))
            self._block("It stays up to be looked at. Ctrl-C ends it.", lines)
        elif result is not None:
            self._block("All of it ends now; without --exit it stays up to be looked at.", [])

    def _block(self, headline: str, lines: list[tuple[str, str]]) -> None:
        # Not a rich table: it would break links where the terminal is narrow.
        shown = [f"  {name:<20}{value}" for name, value in lines]
        self.console.print("\n".join(["", headline, *shown, ""]), markup=False, soft_wrap=True)

    def event(self, event: str, **facts: object) -> None:
        """One JSON line on standard output."""
        print(json.dumps({"event": event, **facts}), flush=True)  # noqa: T201  # the command's output


def _sourced(environment_file: Path) -> str:
    """The shell's words for it, as short as they can be from here."""
    here = Path.cwd()
    near = environment_file.relative_to(here) if environment_file.is_relative_to(here) else environment_file
    return f"set -a; . {shlex.quote(str(near))}; set +a"


def _command() -> str:
    """How `runtally` was called here."""
    name = Path(sys.argv[0])
    return "runtally" if name.name != "runtally" or shutil.which("runtally") == str(name) else shlex.quote(str(name))
