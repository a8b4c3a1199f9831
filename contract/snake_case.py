"""A display name as its key."""

from __future__ import annotations

import re

_word_breaks = re.compile(r"[\W_]+")


def snake_case(name: str) -> str:
    """A display name as its key: `Apify API Costs` -> `apify_api_costs`. "" for a name without letters and digits."""
    return _word_breaks.sub("_", name).strip("_").lower()
