"""The store's Lua scripts by name."""

from __future__ import annotations

from pathlib import Path

from contract import scripts
from contract.scripts import Argument

__all__ = ["Argument", "Script"]

_FOLDER = Path(__file__).parent / "lua"


class Script(scripts.Script):
    """One verb of the store: `worker/store/lua/<name>.lua`. Raises FileNotFoundError for a name that has no file."""

    def __init__(self, name: str) -> None:
        super().__init__(_FOLDER / f"{name}.lua")
