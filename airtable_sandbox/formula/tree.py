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
    names: dict[str, None] = {}
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, FieldRef):
            names[node.name] = None
        waiting += reversed(_children(node))
    return list(names)


def _children(node: Node) -> tuple[Node, ...]:
    match node:
        case Negation(operand):
            return (operand,)
        case Operation(_, left, right):
            return (left, right)
        case Call(_, arguments):
            return arguments
        case _:
            return ()
