"""Splitting a JSON array into its elements' texts without reading them, so that one unreadable element costs only itself."""

from __future__ import annotations

import re

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{},]', re.DOTALL)


def split_array(text: bytes) -> list[bytes] | None:
    """The elements of a JSON array, as text, in order; None for what is no array, or whose brackets do not match.

    The elements may be any text: too deep, with broken escapes, of a size no parser likes. O(text), no recursion.
    """
    body = text.strip()
    if not (body.startswith(b"[") and body.endswith(b"]")):
        return None
    elements: list[bytes] = []
    depth = 0
    begin = 1
    for token in _TOKEN.finditer(body):
        mark = token.group()
        if mark in (b"[", b"{"):
            depth += 1
        elif mark in (b"]", b"}"):
            depth -= 1
            if depth == 0 and token.end() != len(body):
                return None
        elif mark == b"," and depth == 1:
            elements.append(body[begin : token.start()].strip())
            begin = token.end()
    if depth != 0:
        return None
    elements.append(body[begin:-1].strip())
    return [] if elements == [b""] else elements
