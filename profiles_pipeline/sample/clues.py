"""Reads conditions for clues, and for the values that rows need so that they hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import reduce

from sqlglot import exp

from profiles_pipeline.sample.calendar import parts_wished
from profiles_pipeline.sample.evidence import USUAL, WEAK, Ledger, Scalar, Slot, Wish
from profiles_pipeline.sample.patterns import like_examples, similar_regex
from profiles_pipeline.sample.pieces import is_text
from profiles_pipeline.sample.relations import ALWAYS, Alternatives, Relation, Scope, Value, both
from profiles_pipeline.sample.value_clues import NUMBER, Rule, ValueClues
from profiles_pipeline.sample.value_rules import VALUE_RULES
from profiles_pipeline.sample.value_rules.plain import query
from profiles_pipeline.sql.rewrites.texts import says_nothing

_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}([ T]\d{1,2}:\d{2}.*)?")
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.EqualNull)
_REGEXES = (exp.RegexpLike, exp.RegexpILike, exp.SimilarTo)
_LIKES = (exp.Like, exp.ILike, exp.Contains, exp.StartsWith, exp.EndsWith, *_REGEXES)
_MOST_WAYS = 12
_LONGEST = 64


class Clues(ValueClues):
    """Reads expressions in the scope of a query, conditions among them."""

    def __init__(
        self,
        ledger: Ledger,
        columns: Callable[[exp.Column, Scope], Value],
        queries: Callable[[exp.Expr, Scope], Relation],
    ) -> None:
        super().__init__(ledger, columns, queries, RULES)
        self._wished: dict[int, Alternatives] = {}

    def condition(self, node: exp.Expr | None, scope: Scope) -> Alternatives:
        """Return the ways to make a condition true, and note them with what the scope's rows have in common."""
        if node is None:
            return ALWAYS
        found = self.ways(node, scope)
        for way in both(scope.alternatives, found):
            self.ledger.recipe(way)
        return found

    def ways(self, node: exp.Expr, scope: Scope) -> Alternatives:
        """Return the ways to make a condition true, as far as they are understood."""
        match node:
            case exp.Paren():
                return self.ways(node.this, scope)
            case exp.And():
                return both(self.ways(node.this, scope), self.ways(node.expression, scope))
            case exp.Or():
                left, right = self.ways(node.this, scope), self.ways(node.expression, scope)
                return tuple(dict.fromkeys((*left, *right)))[:_MOST_WAYS]
            case exp.Not():
                return self._negated(node.this, scope)
            case exp.Column() | exp.Cast() | exp.JSONExtract() | exp.ToBoolean():
                return self._flag(node, scope, True)
        found = self.value(node, scope)
        return self._wished.pop(id(node), ALWAYS) if found.kind == "boolean" else ALWAYS

    def _negated(self, node: exp.Expr, scope: Scope) -> Alternatives:
        inner = node.unnest()
        if isinstance(inner, exp.Column):
            return self._flag(inner, scope, False)
        if isinstance(inner, exp.Is) and isinstance(inner.expression, exp.Null):
            return _wishes(self.value(inner.this, scope).slots, ())
        if isinstance(inner, exp.In | exp.Exists):
            self._taken_away(inner, scope)
        self.ways(inner, scope)
        return ALWAYS

    def _taken_away(self, node: exp.Expr, scope: Scope) -> None:
        """Note that rows count only when a sub-query does not have them."""
        for table in node.find_all(exp.Table):
            self.ledger.partial |= self.queries(table, scope).tables()

    def _flag(self, node: exp.Expr, scope: Scope, wanted: bool) -> Alternatives:
        found = self.value(node, scope)
        if found.literal is not None:
            return ALWAYS
        self.vote(found, "boolean")
        return _wishes(found.slots, (wanted,))

    def _logic(self, node: exp.Expr, scope: Scope) -> Value:
        self.condition(node, scope)
        return Value(kind="boolean")

    def _done(self, node: exp.Expr, ways: Alternatives = ALWAYS) -> Value:
        self._wished[id(node)] = ways
        return Value(kind="boolean")

    def _comparison(self, node: exp.Expr, scope: Scope) -> Value:
        left, right = self.value(node.this, scope), self.value(node.expression, scope)
        if isinstance(node.expression, exp.All):  # how NOT IN is read
            self._taken_away(node.expression, scope)
            right = query(self, node.expression.this.unnest(), scope)
            self.ledger.equal(left.slots, right.slots)
            return self._done(node)
        for found, other, mirrored in ((left, right, False), (right, left, True)):
            if other.literal is not None and (found.calendar or found.inside or found.measured):
                return self._done(node, self._of_part(node, found, other.literal, mirrored))
        if isinstance(node, exp.EQ) and not left.total and not right.total:
            self.matched(left, right)
        if bool(left.slots) is bool(right.slots):
            self.ledger.related(left.slots, right.slots)
            return self._done(node)
        found, other, mirrored = (left, right, False) if left.slots else (right, left, True)
        if other.now and isinstance(node, (exp.LT, exp.LTE) if mirrored else (exp.GT, exp.GTE)):
            for slot in found.slots:
                self.ledger.of(slot).future = True
        if other.literal is None:
            if other.kind is not None:
                self.vote(found, other.kind, WEAK if other.kind == "text" else USUAL)
            return self._done(node)
        return self._done(node, self._compared(node, found, other.literal, mirrored))

    def matched(self, one: Value, other: Value) -> None:
        """Note that rows are matched by two values: they come from one pool, or are among the choices of one."""
        self.ledger.equal(one.slots, other.slots)
        for found, choices in ((one, other.choices), (other, one.choices)):
            for literal in choices if found.slots else ():
                self._compared(exp.EQ(), found, literal, False)

    def _of_part(self, node: exp.Expr, found: Value, literal: Scalar, mirrored: bool) -> Alternatives:
        """Note what a part of a time, a piece of a text or its length must be."""
        if found.calendar:
            return parts_wished(node, found, literal, mirrored)
        return self._of_text(found, literal) if isinstance(node, exp.EQ) else ALWAYS

    def _of_text(self, found: Value, literal: Scalar) -> Alternatives:
        if found.measured and isinstance(literal, float) and 0 < literal <= _LONGEST:
            for slot in found.measured:
                self.ledger.of(slot).regexes[f"[A-Z0-9]{{{literal:.0f}}}"] = None
        if not found.inside or not isinstance(literal, str):
            return ALWAYS
        before, after = found.around
        self.like_text(found.inside, whole := before + literal + after)
        return _wishes(found.inside, (whole,))

    def _compared(self, node: exp.Expr, found: Value, literal: Scalar, mirrored: bool) -> Alternatives:
        """Note a comparison with a literal."""
        if isinstance(literal, bool):
            self.vote(found, "boolean")
            return _wishes(found.slots, (literal,) if isinstance(node, exp.EQ) else (not literal,))
        if isinstance(literal, float):
            return self._compared_with_number(node, found, literal, mirrored)
        self.like_text(found.slots, literal)
        if isinstance(node, exp.EQ | exp.NullSafeEQ | exp.EqualNull):
            return _wishes(found.slots, (literal,))
        return _wishes(found.slots, ()) if isinstance(node, exp.NEQ) else ALWAYS

    def _compared_with_number(self, node: exp.Expr, found: Value, number: float, mirrored: bool) -> Alternatives:
        if found.kind == "timestamp":
            return ALWAYS
        self.vote(found, "number")
        if isinstance(node, exp.EQ | exp.NEQ) and not found.total:
            for slot in found.slots:
                self.ledger.of(slot).literals[number] = None
            return _wishes(found.slots, (number,)) if isinstance(node, exp.EQ) else ALWAYS
        bound = number / 4 if found.total else number
        for slot in found.slots:
            self.ledger.of(slot).bounds[bound] = None
        less = isinstance(node, exp.LT | exp.LTE) is not mirrored
        edge = (bound,) if isinstance(node, exp.LTE | exp.GTE) and bound.is_integer() and not found.total else ()
        return _wishes(found.slots, (*edge, _below(bound) if less else _above(bound)))

    def like_text(self, slots: Iterable[Slot], literal: str) -> None:
        """Note that values are compared with a text."""
        for slot in slots:
            clues = self.ledger.of(slot)
            if literal.strip():
                clues.literals[literal] = None
            if says_nothing(literal):
                clues.blank = True  # only a text can be compared with it
        if _DATE.fullmatch(literal):
            self.ledger.vote(slots, "timestamp", WEAK)
        elif not NUMBER.fullmatch(literal):
            self.ledger.vote(slots, "text", WEAK if says_nothing(literal) else USUAL)

    def _between(self, node: exp.Expr, scope: Scope) -> Value:
        found = self.value(node.this, scope)
        bounds = [self.value(node.args[key], scope) for key in ("low", "high")]
        if found.calendar:
            ways = (
                parts_wished(side, found, bound.literal, False)
                for side, bound in zip((exp.GTE(), exp.LTE()), bounds, strict=True)
                if bound.literal is not None
            )
            return self._done(node, reduce(both, ways, ALWAYS))
        for bound in bounds:
            if found.slots and bound.literal is not None:
                self._compared(exp.GTE(), found, bound.literal, False)
            elif found.slots:
                self.alike(bound, found)
        low, high = (bound.literal for bound in bounds)
        if isinstance(low, float) and isinstance(high, float) and found.kind != "timestamp":
            return self._done(node, _wishes(found.slots, ((low + high) / 2, low)))
        return self._done(node)

    def _in(self, node: exp.Expr, scope: Scope) -> Value:
        found = self.value(node.this, scope)
        if node.args.get("query") is not None:
            self.matched(found, query(self, node.args["query"].unnest(), scope))
            return self._done(node)
        literals: list[Scalar] = []
        ways: Alternatives = ()
        for item in node.expressions:
            other = self.value(item, scope)
            if other.literal is not None and (found.calendar or found.inside or found.measured):
                ways += self._of_part(exp.EQ(), found, other.literal, False)
            elif other.literal is not None and found.slots:
                self._compared(exp.EQ(), found, other.literal, False)
                literals.append(other.literal)
            elif found.slots:
                self.alike(other, found)
        return self._done(node, _wishes(found.slots, tuple(literals)) if literals else ways[:_MOST_WAYS] or ALWAYS)

    def _like(self, node: exp.Expr, scope: Scope) -> Value:
        found = self.value(node.this, scope)
        self.vote(found, "text")
        patterns = [str(n.this) for n in node.expression.find_all(exp.Literal, exp.RawString) if is_text(n)]
        self.others(node, scope)
        if isinstance(node, exp.SimilarTo):
            patterns = [similar_regex(pattern) for pattern in patterns]
        if isinstance(node, _REGEXES):
            for slot in found.slots:
                self.ledger.of(slot).regexes.update(dict.fromkeys(patterns))
            return self._done(node)
        before = "%" if isinstance(node, exp.Contains | exp.EndsWith) else ""
        after = "%" if isinstance(node, exp.Contains | exp.StartsWith) else ""
        patterns = [before + pattern + after for pattern in patterns]
        if found.inside:
            patterns = [found.around[0] + pattern + found.around[1] for pattern in patterns]
        slots = found.slots or found.inside
        for slot in slots:
            self.ledger.of(slot).likes.update(dict.fromkeys(patterns))
        examples = tuple(text for pattern in patterns for text in like_examples(pattern))
        return self._done(node, _wishes(slots, examples))

    def _is(self, node: exp.Expr, scope: Scope) -> Value:
        found = self.value(node.this, scope)
        if isinstance(node.expression, exp.Boolean):
            self.vote(found, "boolean")
            return self._done(node, _wishes(found.slots, (bool(node.expression.this),)))
        for slot in found.slots:
            self.ledger.of(slot).nullable = True
        return self._done(node, (tuple(Wish(slot, missing=True) for slot in found.slots),))


RULES: Mapping[type[exp.Expr], Rule] = {
    **VALUE_RULES,
    exp.And: Clues._logic,
    exp.Or: Clues._logic,
    exp.Not: Clues._logic,
    exp.Between: Clues._between,
    exp.In: Clues._in,
    exp.Is: Clues._is,
    **dict.fromkeys(_COMPARISONS, Clues._comparison),
    **dict.fromkeys(_LIKES, Clues._like),
}


def _wishes(slots: tuple[Slot, ...], values: tuple[Scalar, ...]) -> Alternatives:
    return (tuple(Wish(slot, values) for slot in slots),) if slots else ALWAYS


def _above(bound: float) -> float:
    return bound * 1.5 + 1 if bound >= 0 else bound / 2


def _below(bound: float) -> float:
    return bound / 2 if bound > 1 else bound - 1
