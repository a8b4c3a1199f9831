"""The fenced blocks of README.md and docs: what a reader may copy, and what the tests of this folder run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
FENCE = re.compile(
    r"^(?P<indent>[ >]*)(?P<fence>```+|~~~+)(?P<language>[^\n`]*)\n(?P<code>.*?)^(?P=indent)(?P=fence)[ ]*$", re.DOTALL | re.MULTILINE
)


class Block(NamedTuple):
    """A block: its page as a path from the root, the line of its fence, its language ("" for none), its text."""

    page: str
    line: int
    language: str
    code: str


def all_blocks() -> list[Block]:
    """Every block of every page, in order."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [block for page in pages for block in blocks_of(str(page.relative_to(ROOT)), page.read_text("utf-8"))]


def blocks_of(page: str, text: str) -> list[Block]:
    """The blocks of a page's text."""
    return [Block(page, text.count("\n", 0, found.start()) + 1, found["language"].strip(), found["code"]) for found in FENCE.finditer(text)]


def block(page: str, mark: str, language: str | None = None) -> str:
    """The text of the one block of a page (in that language) in which `mark` stands."""
    blocks = blocks_of(page, (ROOT / page).read_text("utf-8"))
    (found,) = [one.code for one in blocks if mark in one.code and language in (None, one.language)]
    return found


def console(code: str) -> list[tuple[str, str]]:
    """The commands of a console block, each with the output shown. A line that begins with four spaces continues a command."""
    told: list[tuple[str, str]] = []
    for line in code.splitlines(keepends=True):
        if line.startswith("$ "):
            told.append((line[2:], ""))
        else:
            command, output = told.pop()
            told.append((command + line, "") if line.startswith("    ") and not output else (command, output + line))
    return told
