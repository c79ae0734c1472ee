"""Lists of the canonical dialect in PostgreSQL: arrays."""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline.dialects.postgres.words import function
from profiles_pipeline.sql import build


def listed(node: exp.Expr) -> exp.Expr:
    """LIST_TRANSFORM and LIST_FILTER: a query over the items, in their order."""
    body = node.expression
    if not isinstance(body, exp.Lambda):
        return node
    item, *position = [parameter.name for parameter in body.expressions]
    number = position[0] if position else f"{item}_position"
    inside = exp.to_identifier(item, quoted=True), exp.to_identifier(number, quoted=True)
    value: exp.Expr = exp.column(inside[0].copy()) if isinstance(node, exp.ArrayFilter) else body.this
    query = exp.select(value).from_(
        exp.Unnest(
            expressions=[node.this.copy()],
            alias=exp.TableAlias(this=exp.to_identifier("items", quoted=True), columns=list(inside)),
            offset=True,
        )
    )
    if isinstance(node, exp.ArrayFilter):
        query = query.where(body.this)
    query = query.order_by(exp.column(inside[1].copy()))
    chosen = exp.Case(ifs=[exp.If(this=build(":x IS NOT NULL", x=node.this), true=function("ARRAY", query))])
    return chosen


_LISTS = (
    *("ARRAY", "STRING_TO_ARRAY", "REGEXP_SPLIT_TO_ARRAY", "ARRAY_APPEND", "ARRAY_REMOVE", "PROFILES_UNITED"),
    *("PROFILES_LIST_SORT", "PROFILES_LIST_DISTINCT", "PROFILES_LIST_SLICE", "PROFILES_REGEXP_EXTRACT_ALL"),
    *("PROFILES_JSON_KEYS", "PROFILES_STR_SPLIT"),
)


def is_list(node: exp.Expr) -> bool:
    """True for what is a list by the look of it."""
    node = node.unnest()
    if isinstance(node, exp.Coalesce | exp.Filter):
        return is_list(node.this)
    if isinstance(node, exp.Anonymous):
        return node.name.upper() in _LISTS
    return isinstance(node, exp.ArrayAgg | exp.Array)


def empty_array(node: exp.Expr) -> exp.Expr:
    """The empty list has the type of what is around it."""
    return node if node.expressions else exp.Literal.string("{}")
