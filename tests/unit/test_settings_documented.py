"""The table of settings in docs/deploy.md says what contract/settings.py says, and each setting of Celery's stands in docs/design.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from contract.settings import Settings
from worker.celery import celery_settings

ROOT = Path(__file__).parents[2]
_UNITS = {"_per_s": "a second", "_s": "seconds", "_ms": "milliseconds", "_bytes": "bytes"}
_TYPES: dict[Any, str] = {int: "whole number", float: "number", bool: "true or false", str: "text", SecretStr: "secret", Path: "path"}


def kind_of(name: str, field: FieldInfo) -> str:
    """The type for people, in the unit that the name tells, and its range."""
    types = [kind for kind in get_args(field.annotation) if kind is not type(None)]
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{word}`" for word in get_args(field.annotation))
    if get_origin(field.annotation) is dict:
        return "JSON, secret"
    kind = _TYPES[types[0] if types else field.annotation]
    kind = next((unit for end, unit in _UNITS.items() if name.endswith(end)), kind)
    least, above, most = (next((getattr(m, a) for m in field.metadata if hasattr(m, a)), None) for a in ("ge", "gt", "le"))
    if least is not None:
        kind += f", {least:,} to {most:,}" if most is not None else f", {least:,} or more"
    return kind + (f", above {above:g}" if above is not None else "")


def default_of(field: FieldInfo) -> str:
    value = field.default
    if value is None or value is PydanticUndefined:
        return ""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:,}".removesuffix(".0") if isinstance(value, int | float) else f"`{value}`"


def table() -> list[str]:
    """The rows as they are to stand in docs/deploy.md: to be pasted there when the test fails."""
    return [
        f"| `RUNTALLY_{name.upper()}` | {kind_of(name, field)} | {default_of(field)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]


def test_the_table_of_settings_is_what_the_code_says() -> None:
    page = (ROOT / "docs/deploy.md").read_text("utf-8")
    written = [line for line in page.splitlines() if line.startswith("| `RUNTALLY_")]
    assert written == table(), "\n".join(["docs/deploy.md is to have:", *table()])


def test_each_setting_of_celerys_stands_in_the_design() -> None:
    (section,) = re.findall(r"^## Celery's settings\n(.*?)^## ", (ROOT / "docs/design.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
    told = set(re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))))
    ours = celery_settings()
    assert told == set(ours) | set(ours["broker_transport_options"])
