"""The header of every Lua script is true: it names the keys and arguments the body uses, and no others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(path for package in ("worker", "producers") for path in (ROOT / package).rglob("*.lua"))

SLOT = re.compile(r"\b(KEYS|ARGV)\[(\d+)(\.{2,3})?\]")


def split(path: Path) -> tuple[str, str]:
    """Header (the comment lines at the top, without a shebang) and body, comments removed from the body."""
    lines = path.read_text().splitlines()
    start = 1 if lines[0].startswith("#!") else 0
    end = next(n for n, line in enumerate(lines[start:], start) if not line.startswith("--"))
    body = "\n".join(line.split("--", 1)[0] for line in lines[end:])
    return "\n".join(lines[start:end]), body


def slots(text: str) -> set[str]:
    return {f"{kind}[{number}]" for kind, number, _ in SLOT.findall(text)}


def open_ended(header: str, kind: str) -> bool:
    """True when the header says `KEYS[3..]`: any number from the third on."""
    return any(found == kind and dots for found, _, dots in SLOT.findall(header))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_the_header_names_what_the_body_uses_and_nothing_else(path: Path) -> None:
    header, body = split(path)
    named, used = slots(header), slots(body)
    for kind in ("KEYS", "ARGV"):
        computed = bool(re.search(rf"\b{kind}\[\s*[^\d\s]|#{kind}\b|unpack\(\s*{kind}\s*[,)]|\bpairs\(\s*{kind}\b", body))
        assert computed == open_ended(header, kind), f"{kind}[n..] stands in the header if and only if the body walks {kind}"
        exact = {slot for slot in named if slot.startswith(kind)} - {
            f"{kind}[{number}]" for found, number, dots in SLOT.findall(header) if found == kind and dots
        }
        literal = {slot for slot in used if slot.startswith(kind)}
        assert exact <= literal, f"named and never used: {sorted(exact - literal)}"
        assert literal <= {slot for slot in named if slot.startswith(kind)}, f"used and not named: {sorted(literal - named)}"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_the_header_says_what_it_does_returns_costs_and_whether_a_retry_is_safe(path: Path) -> None:
    header, _ = split(path)
    assert header.startswith(f"-- {path.stem}: "), "the first line is `-- <name>: what it does`"
    assert "Returns" in header
    assert re.search(r"O\([^)]+\)", header), "complexity"
    assert re.search(r"(?i)\b(un)?safe to retry|not safe to retry", header), "retry safety"


def test_there_are_scripts_to_check() -> None:
    assert SCRIPTS
