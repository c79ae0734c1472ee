"""What is known of the type of an expression when nothing is known of the tables: a coarse kind, or None."""

from __future__ import annotations

from typing import Literal

from sqlglot import exp
from sqlglot.optimizer.annotate_types import annotate_types

Kind = Literal["json", "list", "text", "number", "boolean", "date", "timestamp", "time", "null"]

_JSON_TYPES = {exp.DType.JSON, exp.DType.VARIANT, exp.DType.OBJECT, exp.DType.STRUCT, exp.DType.MAP, exp.DType.SUPER}
_JSON_NODES = (exp.JSONExtract, exp.ParseJSON, exp.JSONObject)
_TEXT_NODES = (exp.JSONExtractScalar, exp.Right, exp.Left, exp.Pad, exp.ToChar)
_TIMES: set[Kind | None] = {"date", "timestamp"}
_SAME_AS_FIRST = (
    exp.Paren, exp.Max, exp.Min, exp.AnyValue, exp.FirstValue, exp.LastValue, exp.NthValue, exp.Lag, exp.Lead,
    exp.Window, exp.Filter, exp.IgnoreNulls, exp.RespectNulls,
)  # fmt: skip
_FLATTENED = {"value", "this"}


def annotate(tree: exp.Expr, source: str) -> exp.Expr:
    """Return `tree` with the types the source dialect gives its nodes; columns stay unknown, except those that
    unpacked JSON yields."""
    for select in tree.find_all(exp.Select):
        _mark_unpacked(select)
    return annotate_types(tree, dialect=source)


def kind(node: exp.Expr | None) -> Kind | None:
    """Return the kind of value that `node` surely has, or None."""
    if isinstance(node, _SAME_AS_FIRST):
        return kind(node.this)
    if isinstance(node, exp.Coalesce) and (found := {kind(item) for item in (node.this, *node.expressions)}) & _TIMES:
        return "timestamp" if "timestamp" in found else "date"
    if isinstance(node, _JSON_NODES) or (isinstance(node, exp.Column) and node.meta.get("unpacked")):
        return "json"
    if isinstance(node, exp.Bracket | exp.GetExtract):
        return "json" if kind(node.this) == "json" else None
    if isinstance(node, exp.Sub) and "date" in {kind(node.left), kind(node.right)}:
        return "date" if kind(node.right) == "number" or isinstance(node.right, exp.Interval) else None
    if isinstance(node, _TEXT_NODES):
        return "text"
    if node is None or node.type is None:
        return None
    return _of_type(node.type)


def typed(node: exp.Expr, dtype: exp.DType) -> exp.Expr:
    """Return `node`, known to be of that type."""
    node.type = dtype
    return node


def _of_type(dtype: exp.DataType) -> Kind | None:
    this = dtype.this
    if this in _JSON_TYPES:
        return "json"
    if this in {exp.DType.ARRAY, exp.DType.LIST}:
        return "list"
    if this in exp.DataType.TEXT_TYPES:
        return "text"
    if this in exp.DataType.NUMERIC_TYPES:
        return "number"
    if this in {exp.DType.DATE, exp.DType.DATE32}:
        return "date"
    if this in {exp.DType.TIME, exp.DType.TIMETZ}:
        return "time"
    if this in exp.DataType.TEMPORAL_TYPES:
        return "timestamp"
    return {exp.DType.BOOLEAN: "boolean", exp.DType.NULL: "null"}.get(this)  # type: ignore[return-value]


def _mark_unpacked(select: exp.Select) -> None:
    sources = [join.this for join in select.args.get("joins") or []]
    if select.args.get("from_"):
        sources.append(select.args["from_"].this)
    names = {
        source.alias.lower()
        for source in sources
        if isinstance(source, exp.Lateral | exp.TableFromRows) and isinstance(source.this, exp.Explode)
    }
    if not names:
        return
    for column in select.find_all(exp.Column):
        if column.name.lower() in _FLATTENED and (column.table.lower() in names or not column.table):
            column.meta["unpacked"] = True
