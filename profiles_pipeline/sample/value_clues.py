"""Reads value expressions for clues: what each function, choice and path says about the columns in it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlglot import exp

from profiles_pipeline.sample.evidence import ELEMENT, STRONG, USUAL, Kind, Ledger, Slot
from profiles_pipeline.sample.relations import NOTHING, Alternatives, Relation, Scope, Value, mixed
from profiles_pipeline.sql.times import clock_type

NUMBER = re.compile(r"-?\d+(\.\d+)?")

Rule = Callable[[Any, exp.Expr, Scope], Value]
"""How a kind of expression is read: by a function of the reader, the expression, where it stands."""


class ValueClues(ABC):
    """Reads expressions in the scope of a query and writes what they give away into a ledger.

    `columns` says what a column means in a scope, `queries` what a query yields, `rules` how each kind of expression is
    read; what has no rule is read part by part.
    """

    def __init__(
        self,
        ledger: Ledger,
        columns: Callable[[exp.Column, Scope], Value],
        queries: Callable[[exp.Expr, Scope], Relation],
        rules: Mapping[type[exp.Expr], Rule],
    ) -> None:
        self.ledger = ledger
        self.columns = columns
        self.queries = queries
        self.rules = rules

    def value(self, node: exp.Expr | None, scope: Scope) -> Value:
        """Return what is known of an expression, after noting every clue in it."""
        if node is None:
            return NOTHING
        if clock_type(node) is not None:
            return Value(kind="timestamp", now=True)
        rule = next((self.rules[kind] for kind in type(node).__mro__ if kind in self.rules), ValueClues.children)
        return rule(self, node, scope)

    def children(self, node: exp.Expr, scope: Scope) -> Value:
        """Note the clues in the parts of an expression, of whose value nothing is known."""
        for child in node.iter_expressions():
            self.value(child, scope)
        return NOTHING

    def others(self, node: exp.Expr, scope: Scope, *, done: tuple[str, ...] = ("this",)) -> None:
        """Note the clues in the arguments of an expression but those that are named."""
        for child in node.iter_expressions():
            if child.arg_key not in done:
                self.value(child, scope)

    def branches(self, nodes: Iterable[exp.Expr | None], scope: Scope) -> Value:
        """Return the value of one of several expressions, which all have to be of one kind."""
        values = [self.value(node, scope) for node in nodes if node is not None]
        for found in values:
            for other in values:
                if found is not other and other.slots:
                    self.alike(found, other)
        return mixed(values)

    def alike(self, one: Value, other: Value) -> None:
        """Note that `other`, which has slots, has values of the kind of `one`."""
        if one.slots:
            self.ledger.related(one.slots, other.slots)
        elif isinstance(one.literal, str) and one.kind == "text":
            self.like_text(other.slots, one.literal)
        elif one.kind is not None:
            self.vote(other, one.kind)

    def number_inside(self, found: Value) -> None:
        """Note that a piece of a text is a number."""
        before, after = (text.replace("one", "1").replace("two", "2") for text in found.around)
        for slot in found.inside:
            self.ledger.of(slot).around_numbers[before, after] = None

    def element(self, found: Value) -> Value:
        """Return any element of an array; of the parts of a text a piece, with which the text may begin and end."""
        if found.parts:
            return Value(kind="text", inside=found.slots)
        return Value(self.ledger.member(found.slots, [ELEMENT])) if self.ledger.structs else self.step(found, [ELEMENT])

    def step(self, found: Value, steps: Iterable[str]) -> Value:
        """Return what lies inside a JSON value."""
        steps = tuple(steps)
        inner = tuple(Slot(s.table, s.column, (*s.path, *(step for step in steps))) for s in found.slots)
        for slot in inner:
            self.ledger.of(slot)
            self.ledger.vote([slot.whole], "json", STRONG)
        return Value(inner)

    def vote(self, found: Value, kind: Kind, weight: int = USUAL) -> None:
        """Note that a value is used as `kind`, unless it was turned into that on the way."""
        if found.kind != kind or kind == "text":
            self.ledger.vote(found.slots, kind, weight)

    @abstractmethod
    def condition(self, node: exp.Expr | None, scope: Scope) -> Alternatives:
        """Return the ways to make a condition true, after noting them."""

    @abstractmethod
    def like_text(self, slots: Iterable[Slot], literal: str) -> None:
        """Note that values are compared with a text."""


def kind_of_type(data_type: exp.DataType) -> Kind | None:
    """Return the kind of a SQL type."""
    if data_type.is_type(*exp.DataType.TEXT_TYPES):
        return "text"
    if data_type.is_type(*exp.DataType.NUMERIC_TYPES):
        return "number"
    if data_type.is_type("date", "date32"):
        return "date"
    if data_type.is_type(*exp.DataType.TEMPORAL_TYPES):
        return "timestamp"
    if data_type.is_type("boolean"):
        return "boolean"
    return "json" if data_type.is_type("variant", "object", "json", "array", "struct", "map", "super") else None
