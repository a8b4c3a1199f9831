"""Which faults there are. Found by reading, not importing: a module that does not import is a fault that fails, not a harness that does."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Fault:
    """`name`: its `NAME`. `module`: where its `run` is."""

    name: str
    module: str

    def answers_to(self, word: str) -> bool:
        """Whether a person may call it so: by its name, its file's name or its area, with `-` for `_` or not."""
        _, area, stem = self.module.split(".")
        return word.replace("-", "_") in (self.name.replace("-", "_"), area, stem)


def discover(folder: Path = FOLDER) -> list[Fault]:
    """All modules `<area>/<name>.py` with a `NAME` and a `run`, by area and name. One that does not parse counts, by its file's name."""
    found = []
    for path in sorted(folder.glob("*/*.py")):
        module = f"faults.{path.parent.name}.{path.stem}"
        try:
            tree = ast.parse(path.read_text())
        except (SyntaxError, ValueError):
            found.append(Fault(path.stem, module))
            continue
        name = _name(tree)
        if name is not None and any(isinstance(node, ast.FunctionDef) and node.name == "run" for node in tree.body):
            found.append(Fault(name, module))
    return found


def _name(tree: ast.Module) -> str | None:
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        if any(isinstance(target, ast.Name) and target.id == "NAME" for target in targets):
            value = getattr(node, "value", None)
            return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None
    return None
