"""Medians and quantiles for engines that have them over windows, of the rows of a group."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from profiles_pipeline.dialects.over_group import Finder, First, Windowed, first_of, over, where_it_holds
from profiles_pipeline.dialects.rewriting import call
from profiles_pipeline.sql import build


@dataclass(frozen=True, slots=True)
class Quantile:
    """The value below which a part of the values lies.

    Attributes:
        value: the values, NULL where they do not count.
        part: between 0 and 1.
        name: PERCENTILE_CONT, which lies between two values where it has to, or PERCENTILE_DISC.
        within_group: the values are written as an order of the group, else as the first argument.
    """

    value: exp.Expr
    part: exp.Expr
    name: str
    within_group: bool

    def window(self, group: list[exp.Expr]) -> exp.Expr:
        """Return the quantile over the rows of a group."""
        value = exp.cast(self.value.copy(), "DOUBLE") if self.name == "PERCENTILE_CONT" else self.value.copy()
        if not self.within_group:
            return over(call(self.name, value, self.part.copy()), group)
        order = exp.Order(expressions=[exp.Ordered(this=value)])
        return over(exp.WithinGroup(this=call(self.name, self.part.copy()), expression=order), group)


def finder(*, within_group: bool, extremes: bool) -> Finder:
    """Return what finds firsts and quantiles, and with `extremes` the value on the row with the greatest key too."""

    def find(node: exp.Expr) -> Windowed | None:
        where = node.expression.this if isinstance(node, exp.Filter) else None
        inner = node.this if isinstance(node, exp.Filter) else node
        if isinstance(inner.parent, exp.Window | exp.WithinGroup) or (inner is node and _is_filtered(node)):
            return None
        if isinstance(inner, exp.Median | exp.PercentileCont | exp.PercentileDisc):
            return _quantile(inner, where, within_group)
        found = first_of(node)
        if found is None and extremes and isinstance(inner, exp.ArgMax | exp.ArgMin) and not inner.args.get("count"):
            return _extreme(inner, where)
        return found

    return find


def _is_filtered(node: exp.Expr) -> bool:
    return isinstance(node.parent, exp.Filter) and node.arg_key == "this"


def _quantile(node: exp.Expr, where: exp.Expr | None, within_group: bool) -> Quantile:
    part = node.expression if not isinstance(node, exp.Median) else exp.Literal.number("0.5")
    part = part.this if isinstance(part, exp.Order) else part
    value = node.this.copy() if where is None else where_it_holds(where, node.this.copy())
    name = "PERCENTILE_DISC" if isinstance(node, exp.PercentileDisc) else "PERCENTILE_CONT"
    return Quantile(value, part, name, within_group)


def _extreme(node: exp.Expr, where: exp.Expr | None) -> First:
    """ARG_MAX(v, k): the value on the row with the greatest key, of the rows that have both."""
    known = build(":v IS NOT NULL AND :k IS NOT NULL", v=node.this, k=node.expression)
    down = isinstance(node, exp.ArgMax)
    key = exp.Ordered(this=node.expression.copy(), desc=down, nulls_first=False)
    return First(node.this, (key,), known if where is None else exp.and_(where.copy(), known))
