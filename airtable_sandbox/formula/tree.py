"""The nodes of a parsed formula, and the error for text that is none."""

from __future__ import annotations

from dataclasses import dataclass


class FormulaInvalid(ValueError):
    """The text is no formula: it does not parse, calls an unknown function, or passes the wrong number of arguments."""


@dataclass(frozen=True)
class Literal:
    value: str | float


@dataclass(frozen=True)
class FieldRef:
    """A field by name or by ID."""

    name: str


@dataclass(frozen=True)
class Negation:
    operand: Node


@dataclass(frozen=True)
class Operation:
    """`operator` is one of = != < <= > >= & + - * /."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Call:
    """`function` is in upper case and known; the number of arguments has been checked."""

    function: str
    arguments: tuple[Node, ...]


Node = Literal | FieldRef | Negation | Operation | Call


def fields_of(node: Node) -> list[str]:
    """The fields that a formula names, in order of appearance, each once."""
    if isinstance(node, FieldRef):
        return [node.name]
    if isinstance(node, Negation):
        return fields_of(node.operand)
    children = node.arguments if isinstance(node, Call) else (node.left, node.right) if isinstance(node, Operation) else ()
    return list(dict.fromkeys(name for child in children for name in fields_of(child)))
