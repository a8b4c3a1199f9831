"""Tokens -> tree, by recursive descent. From loosest to tightest: comparison, `&`, `+ -`, `* /`, minus sign."""

from __future__ import annotations

from collections.abc import Callable

from airtable_sandbox.formula.functions import ARGUMENTS
from airtable_sandbox.formula.lexer import Token, tokens_of
from airtable_sandbox.formula.tree import Call, FieldRef, FormulaInvalid, Literal, Negation, Node, Operation

_LEVELS = (frozenset({"=", "!=", "<", "<=", ">", ">="}), frozenset("&"), frozenset("+-"), frozenset("*/"))
_DEPTH_LIMIT = 60  # nested parentheses and calls; far below Python's recursion limit


def parse(text: str) -> Node:
    """The tree of a formula. Raises FormulaInvalid for anything that is not exactly one formula."""
    parser = _Parser(tokens_of(text))
    node = parser.level(0)
    parser.expect("end")
    return node


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._position = 0
        self._depth = 0

    def _next(self) -> Token:
        token = self._tokens[self._position]
        self._position += 1
        return token

    def _take(self, symbols: frozenset[str]) -> str | None:
        token = self._tokens[self._position]
        if token.kind != "symbol" or token.text not in symbols:
            return None
        self._position += 1
        return token.text

    def expect(self, kind: str, text: str = "") -> None:
        token = self._next()
        if (token.kind, token.text) != (kind, text):
            raise FormulaInvalid("Invalid formula. Please check your formula text.")

    def level(self, level: int) -> Node:
        """One level of binary operators, all of them left-associative."""
        if level == len(_LEVELS):
            return self._signed()
        node = self.level(level + 1)
        while (operator := self._take(_LEVELS[level])) is not None:
            node = Operation(operator, node, self.level(level + 1))
        return node

    def _signed(self) -> Node:
        negative = False
        while (sign := self._take(frozenset("+-"))) is not None:
            negative ^= sign == "-"
        node = self._operand()
        return Negation(node) if negative else node

    def _operand(self) -> Node:
        token = self._next()
        if token.kind == "number":
            return Literal(float(token.text))
        if token.kind == "string":
            return Literal(token.text)
        if token.kind == "field":
            return FieldRef(token.text)
        if token.kind == "word":
            return self._call(token.text) if self._take(frozenset("(")) else FieldRef(token.text)
        if (token.kind, token.text) == ("symbol", "("):
            return self._nested(lambda: self._closed(self.level(0)))
        raise FormulaInvalid("Invalid formula. Please check your formula text.")

    def _closed(self, node: Node) -> Node:
        self.expect("symbol", ")")
        return node

    def _nested(self, inner: Callable[[], Node]) -> Node:
        self._depth += 1
        if self._depth > _DEPTH_LIMIT:
            raise FormulaInvalid("Invalid formula. It is nested too deeply.")
        node = inner()
        self._depth -= 1
        return node

    def _call(self, name: str) -> Node:
        function = name.upper()
        if function not in ARGUMENTS:
            raise FormulaInvalid(f"Unknown function names: {name.lower()}")
        return self._nested(lambda: self._closed(self._arguments(function)))

    def _arguments(self, function: str) -> Node:
        arguments: list[Node] = []
        token = self._tokens[self._position]
        if (token.kind, token.text) != ("symbol", ")"):
            arguments.append(self.level(0))
            while self._take(frozenset(",")):
                arguments.append(self.level(0))
        least, most = ARGUMENTS[function]
        if not least <= len(arguments) <= most:
            raise FormulaInvalid(f"Invalid arguments for function {function}")
        return Call(function, tuple(arguments))
