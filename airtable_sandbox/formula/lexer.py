"""Formula text -> tokens.

Strings stand in single or double quotes; a backslash takes the next character as it is, except that n, r and t mean the control
characters. A field stands in braces, with a backslash before a closing brace of its own, or bare when it is one word.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from airtable_sandbox.formula.tree import FormulaInvalid

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | (?P<field>\{(?:[^}\\]|\\.)*\})
    | (?P<word>[^\W\d]\w*)
    | (?P<symbol>!=|<=|>=|[=<>&+\-*/(),])
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_CONTROL = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True)
class Token:
    """`kind` is number, string, field, word, symbol or end; `text` has quotes, braces and escapes taken off."""

    kind: str
    text: str


def tokens_of(text: str) -> list[Token]:
    """All tokens, then one of kind `end`. Raises FormulaInvalid at the first character that starts none."""
    tokens: list[Token] = []
    position = 0
    end = len(text.rstrip())
    while position < end:
        found = _TOKEN.match(text, position)
        if found is None:
            raise FormulaInvalid("Invalid formula. Please check your formula text.")
        kind = str(found.lastgroup)
        tokens.append(Token(kind, _plain(kind, found[kind])))
        position = found.end()
    return [*tokens, Token("end", "")]


def _plain(kind: str, text: str) -> str:
    if kind == "string":
        return _ESCAPE.sub(lambda escape: _CONTROL.get(escape[1], escape[1]), text[1:-1])
    if kind == "field":
        return _ESCAPE.sub(r"\1", text[1:-1])
    return text


def with_field_ids(text: str, id_of: Callable[[str], str]) -> str:
    """The formula with each field written as its ID in braces, so that renaming the field does not break it."""
    tokens = [found for found in _TOKEN.finditer(text) if found.lastgroup]
    written: list[str] = []
    done = 0
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        called = after is not None and after["symbol"] == "("
        kind = str(token.lastgroup)
        if kind == "field" or (kind == "word" and not called):
            written.append(text[done : token.start(kind)] + "{" + id_of(_plain(kind, token[kind])) + "}")
            done = token.end()
    return "".join(written) + text[done:]
