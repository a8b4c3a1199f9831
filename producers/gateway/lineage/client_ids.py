"""Client IDs for OpenLineage's jobs: readable, legal, and different for different jobs of one run.

Four kinds of text, none of which can be mistaken for another: a name without `@` for a child in its root's namespace,
`name@namespace` for a child from elsewhere, the namespace for the root itself, and for whatever is no legal ID, or would read as
another kind, a text with `~` and 16 digits of a digest of namespace and name behind it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from hashlib import sha256

from contract.run_id_value import client_fault

_DIGITS = 16
_SHOWN = 120
_coded = re.compile(rf"~[0-9a-f]{{{_DIGITS}}}$").search
_odd = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def child_client(parts: Sequence[str], namespace: str, home: str) -> str:
    """The client ID of a job that has a parent. `parts`: its name, and what else tells it from others; `home`: its root's namespace."""
    name = "#".join(parts)
    text = name if namespace == home else f"{name}@{namespace}"
    plain = "@" not in name and name != home and not (len(parts) > 1 and any("#" in part for part in parts))
    return text if plain and _is_legal(text) else _code(text, [namespace, *parts])


def own_client(namespace: str) -> str:
    """The client ID under which a job without a parent counts for itself."""
    return namespace if "@" not in namespace and _is_legal(namespace) else _code(namespace, [namespace])


def _is_legal(text: str) -> bool:
    return not client_fault(text) and text == text.strip() and not _coded(text)


def _code(text: str, identity: Sequence[str]) -> str:
    digest = sha256(json.dumps(identity).encode()).hexdigest()[:_DIGITS]
    return f"{_odd.sub('_', text)[:_SHOWN].strip()}~{digest}"
