"""Each command of `runtally` is shown to people: by its own help, and in the README or the docs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import COMMANDS, Command, build_app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_a_command_is_documented(command: Command) -> None:
    shown = re.compile(rf"runtally {re.escape(command.name)}(?![\w-])")
    assert any(shown.search(page.read_text("utf-8")) for page in PAGES), f"no page shows `runtally {command.name}`"
    helped = CliRunner().invoke(build_app([command.name]), [command.name, "--help"])
    assert helped.exit_code == 0, helped.output
    assert "Usage" in helped.output
