"""What `up` tells: lines for people, or one JSON object a line for programs."""

from __future__ import annotations

import json
import shlex

from rich.console import Console

from cli.up.services import FLOWER_USER
from cli.up.stack import Links


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
            lines.append(("Flower", f"{links.flower}  user {FLOWER_USER}, password {links.flower_password}"))
        if links.sandbox:
            lines.append(("Airtable sandbox", links.sandbox))
        lines.append(("For other programs", f"set -a; . {shlex.quote(str(links.environment_file))}; set +a"))
        # Not a rich table: it would break links where the terminal is narrow.
        shown = [f"  {name:<20}{value}" for name, value in lines]
        self.console.print("\n".join(["", "Runtally is running. Ctrl-C ends it.", *shown, ""]), markup=False, soft_wrap=True)

    def demo_ended(self, ok: bool) -> None:
        """The demo has shown its own summary to people."""
        if self.as_json:
            self.event("demo", ok=ok)

    def event(self, event: str, **facts: object) -> None:
        """One JSON line on standard output."""
        print(json.dumps({"event": event, **facts}), flush=True)  # noqa: T201  # the command's output
