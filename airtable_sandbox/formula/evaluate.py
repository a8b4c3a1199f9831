"""Tree -> value, for one record."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from airtable_sandbox.formula.functions import FUNCTIONS
from airtable_sandbox.formula.tree import Call, FieldRef, Literal, Negation, Node, Operation
from airtable_sandbox.formula.values import FormulaFailed, Value, as_number, as_text, compare, keeps, of_day

_HOLDS: dict[str, Callable[[int], bool]] = {
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}


@dataclass(frozen=True)
class Scope:
    """What a formula can see of the record it is evaluated for."""

    record_id: str
    created: datetime
    lookup: Callable[[str], Value]  # field name or ID -> value


def evaluate(node: Node, scope: Scope) -> Value:
    """The value. Raises FormulaFailed where Airtable shows #ERROR!, and whatever `scope.lookup` raises."""
    if isinstance(node, Literal):
        return node.value
    if isinstance(node, FieldRef):
        return scope.lookup(node.name)
    if isinstance(node, Negation):
        return -as_number(evaluate(node.operand, scope))
    if isinstance(node, Operation):
        return _operations(node, scope)
    return _call(node, scope)


def _operations(node: Operation, scope: Scope) -> Value:
    """A chain such as 1+1+…+1 leans to the left; it is walked, not recursed into, however long it is."""
    chain: list[Operation] = []
    first: Node = node
    while isinstance(first, Operation):
        chain.append(first)
        first = first.left
    value = evaluate(first, scope)
    for link in reversed(chain):
        value = _operation(link.operator, value, evaluate(link.right, scope))
    return value


def _operation(operator: str, left: Value, right: Value) -> Value:
    if operator == "&":
        return as_text(left) + as_text(right)
    if operator in "+-*/":
        return _arithmetic(operator, as_number(left), as_number(right))
    order = compare(left, right)
    if operator in {"=", "!="}:
        return (order == 0) == (operator == "=")
    return order is not None and _HOLDS[operator](order)


def _arithmetic(operator: str, left: float, right: float) -> float:
    if operator == "/":
        return left / right if right else math.nan
    results = {"+": left + right, "-": left - right, "*": left * right}
    return results[operator]


def _call(node: Call, scope: Scope) -> Value:
    if node.function in _SPECIAL:
        return _SPECIAL[node.function](node.arguments, scope)
    values = [evaluate(argument, scope) for argument in node.arguments]
    try:
        return FUNCTIONS[node.function][2](*values)
    except (ArithmeticError, ValueError) as failed:  # no number of characters, digits or the like
        raise FormulaFailed(str(failed)) from failed


def _if(arguments: tuple[Node, ...], scope: Scope) -> Value:
    """Only the branch that is chosen is evaluated."""
    if keeps(evaluate(arguments[0], scope)):
        return evaluate(arguments[1], scope)
    return evaluate(arguments[2], scope) if len(arguments) == 3 else None


def _switch(arguments: tuple[Node, ...], scope: Scope) -> Value:
    subject, cases = evaluate(arguments[0], scope), arguments[1:]
    for at in range(0, len(cases) - 1, 2):
        if compare(subject, evaluate(cases[at], scope)) == 0:
            return evaluate(cases[at + 1], scope)
    return evaluate(cases[-1], scope) if len(cases) % 2 else None


def _fails(node: Node, scope: Scope) -> bool:
    try:
        value = evaluate(node, scope)
    except FormulaFailed:
        return True
    return isinstance(value, float) and math.isnan(value)


def _if_error(arguments: tuple[Node, ...], scope: Scope) -> Value:
    return evaluate(arguments[1 if _fails(arguments[0], scope) else 0], scope)


def _error(arguments: tuple[Node, ...], scope: Scope) -> Value:  # noqa: ARG001 - the shape of all of these
    raise FormulaFailed("ERROR()")


_SPECIAL: dict[str, Callable[[tuple[Node, ...], Scope], Value]] = {
    "CREATED_TIME": lambda _, scope: scope.created,
    "ERROR": _error,
    "IF": _if,
    "IFERROR": _if_error,
    "ISERROR": lambda arguments, scope: _fails(arguments[0], scope),
    "NOW": lambda *_: datetime.now(UTC),
    "RECORD_ID": lambda _, scope: scope.record_id,
    "SWITCH": _switch,
    "TODAY": lambda *_: of_day(datetime.now(UTC).date()),
}
