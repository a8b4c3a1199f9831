"""The machine-readable contract, for those who build on it: `python -m producers.gateway.contracts` writes docs/contracts anew."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from contract.asyncapi import asyncapi
from contract.event_schemas import event_schema
from contract.events import EventType
from contract.settings import load_settings
from contract.status import Status
from producers.gateway.app import create_gateway

FOLDER = Path("docs/contracts")


def contracts() -> dict[str, str]:
    """File below docs/contracts -> its text. The same text each time, for the same code."""
    schemas = {f"events/{kind.value}.json": _complete(kind) for kind in EventType}
    found = {"asyncapi.json": asyncapi(), "openapi.json": openapi(), **schemas}
    return {name: json.dumps(found[name], indent=2, ensure_ascii=False) + "\n" for name in sorted(found)}


def openapi() -> dict[str, Any]:
    """The document that the gateway serves at /openapi.json."""
    return create_gateway(load_settings(_env_file=None), _NoJobs()).openapi()


def write(folder: Path) -> None:
    """Write the files, and remove those of types that are no more."""
    texts = contracts()
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    for path in folder.rglob("*.json"):
        if path.relative_to(folder).as_posix() not in texts:
            path.unlink()


def _complete(kind: EventType) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:runtally:event:{kind.value}",
        **event_schema(kind),
    }


class _NoJobs:
    """No job is read while the document is made."""

    def job(self, run: str) -> dict[str, Any] | None:
        raise NotImplementedError

    def latest(self, most: int, statuses: Sequence[Status]) -> list[dict[str, Any]]:
        raise NotImplementedError

    def announced(self, run: str, job_type: str, stream: int | None) -> dict[str, Any]:
        raise NotImplementedError


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
