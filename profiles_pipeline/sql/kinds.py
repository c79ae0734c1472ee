"""What is known of the type of an expression when nothing is known of the tables: a coarse kind, or None."""

from __future__ import annotations

from typing import Literal

from sqlglot import exp
from sqlglot.optimizer.annotate_types import annotate_types

Kind = Literal["json", "list", "text", "number", "boolean", "date", "timestamp", "time", "null"]

_TYPES: dict[Kind, set[exp.DType]] = {
    "json": {
        exp.DType.JSON, exp.DType.VARIANT, exp.DType.OBJECT, exp.DType.STRUCT, exp.DType.MAP, exp.DType.SUPER,
    },
    "list": {exp.DType.ARRAY, exp.DType.LIST},
    "text": exp.DataType.TEXT_TYPES,
    "number": exp.DataType.NUMERIC_TYPES,
    "date": {exp.DType.DATE, exp.DType.DATE32},
    "time": {exp.DType.TIME, exp.DType.TIMETZ},
    "timestamp": exp.DataType.TEMPORAL_TYPES,
    "boolean": {exp.DType.BOOLEAN},
    "null": {exp.DType.NULL},
}  # fmt: skip
_JSON_NODES = (exp.JSONExtract, exp.ParseJSON, exp.JSONObject)
_TEXT_NODES = (exp.JSONExtractScalar, exp.Right, exp.Left, exp.Pad, exp.ToChar)
_NUMBER_NODES = (exp.Mul, exp.Div, exp.IntDiv, exp.Mod)
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
    if node is None:
        return None
    if isinstance(node, _SAME_AS_FIRST):
        return kind(node.this)
    if isinstance(node, exp.Sub):
        return _of_difference(node)
    if isinstance(node, exp.Bracket | exp.GetExtract):
        return "json" if kind(node.this) == "json" else None
    return _of_choice(node) or _of_node(node) or (_of_type(node.type) if node.type is not None else None)


def _of_node(node: exp.Expr) -> Kind | None:
    if isinstance(node, _JSON_NODES) or (isinstance(node, exp.Column) and node.meta.get("unpacked")):
        return "json"
    if isinstance(node, _NUMBER_NODES):
        return "number"
    return "text" if isinstance(node, _TEXT_NODES) else None


def choices(node: exp.Expr) -> list[exp.Expr]:
    """Return the expressions one of which is the value of ``COALESCE``, ``CASE`` or ``IF``; none for other nodes."""
    if isinstance(node, exp.Coalesce):
        found = [node.this, *node.expressions]
    elif isinstance(node, exp.Case):
        found = [*(branch.args.get("true") for branch in node.args["ifs"]), node.args.get("default")]
    elif isinstance(node, exp.If):
        found = [node.args.get("true"), node.args.get("false")]
    else:
        found = []
    return [branch for branch in found if branch is not None]


def _of_choice(node: exp.Expr) -> Kind | None:
    kinds = {kind(branch) for branch in choices(node)} - {"null"}
    if kinds == {"json"}:
        return "json"
    return "timestamp" if "timestamp" in kinds else "date" if "date" in kinds else None


def _of_difference(node: exp.Sub) -> Kind | None:
    kinds = {kind(node.this), kind(node.expression)}
    if "date" in kinds:
        days = kind(node.expression) == "number" or isinstance(node.expression, exp.Interval)
        return "date" if days else "number" if kinds == {"date"} else None
    return _of_type(node.type) if node.type is not None else None


def typed(node: exp.Expr, dtype: exp.DType) -> exp.Expr:
    """Return `node`, known to be of that type."""
    node.type = dtype
    return node


def _of_type(dtype: exp.DataType) -> Kind | None:
    return next((kind for kind, types in _TYPES.items() if dtype.this in types), None)


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
