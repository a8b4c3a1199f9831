"""Input as an enemy would choose it: client IDs, texts and numbers at and beyond their limits."""

from __future__ import annotations

from typing import Any

CLIENTS = (
    "=cmd()",
    "+1+1",
    "{}",
    "{p000}",
    "*",
    "a:b:c",
    "?[a-z]",
    "' OR 1=1 --",
    'quote"d',
    "back\\slash",
    "\u202egnp.exe",
    "שלום",
    "Jane",
    "jane",
    "e\u0301",
    "\u00e9",
    "\U0001f600",
    "<script>alert(1)</script>",
    "%s%n",
    "${HOME}",
    "-",
    "--flag",
    "250930-141522",
    "null",
    "1.0",
    "x" * 200,
)
"""Client IDs that may stand in a run ID, and must stand in Airtable verbatim."""

REFUSED_CLIENTS = ("", " ", "a\0b", "a\r\nb", "a\nb", "\x1b[31m", "\ud800", "x" * 201)
"""Client IDs that are refused by the call, since they can never count."""

TEXTS = ("=cmd|' /C calc'!A0", "NUL \0 here", "CR\r\nLF", "\u202eRTL", "\x1b[2J", "{}*:", "\ufeff", "a\u0000\u0001\u007fz", "ok")
"""Texts of one line or more. Control characters other than tab and line ends become spaces."""

COUNTS: tuple[tuple[Any, int | None], ...] = (
    (0, 0),
    (1, 1),
    (2**31, 2**31),
    (2**53 + 1, 2**53 + 1),
    (2**63 - 1, 2**63 - 1),
    ("1,234", 1234),
    (" 42 ", 42),
    ("9" * 18, 10**18 - 1),
    (1e15, 10**15),
    (2**63, None),
    (-1, None),
    (1.5, None),
    (1e300, None),
    (float("nan"), None),
    (float("-inf"), None),
    (True, None),
    (None, None),
    ("", None),
    ("=1+1", None),
    ("٣x", None),
    ("1" * 1_000, None),
    ([1], None),
    ({"a": {"b": [1]}}, None),
)
"""A value for a count, and what it adds: None when it is set aside."""
