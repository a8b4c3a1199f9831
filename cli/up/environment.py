"""How the processes get their settings: all through the environment, so that no secret stands on a command line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

import contract
from contract.settings import Settings

_OURS = ("RUNTALLY_", "FLOWER_")


def settings_environment(settings: Settings) -> dict[str, str]:
    """The `RUNTALLY_` variables that make these settings anywhere: those that differ from their default, paths absolute."""
    variables = {}
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if value is None or value == field.default:
            continue
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        elif isinstance(value, Path):
            value = value.absolute()
        variables[f"RUNTALLY_{name.upper()}"] = str(value)
    return variables


def process_environment(settings: Settings) -> dict[str, str]:
    """The whole environment of one of our processes. Runs from any directory, also where Runtally is not installed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    root = str(Path(contract.__file__).parent.parent)
    paths = [root, *filter(None, [kept.get("PYTHONPATH")])]
    return {**kept, **settings_environment(settings), "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}


def write_environment_file(path: Path, variables: Mapping[str, str]) -> None:
    """`path`, readable by its owner only, with one `NAME='value'` a line: for `.env`, or `set -a; . FILE` in a shell."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines(f"{name}={_quoted(value)}\n" for name, value in variables.items())


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"
