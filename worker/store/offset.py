"""Offsets as Redis holds them: IDs of log entries, `<ms>-<n>`."""

from __future__ import annotations

import re

_OFFSET = re.compile(rb"[0-9]{1,19}-[0-9]{1,19}", re.ASCII).fullmatch


def is_offset(stored: bytes) -> bool:
    """Whether it is an offset at all: somebody may have written another word in its place."""
    return _OFFSET(stored) is not None
