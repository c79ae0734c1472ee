"""What is known of the type of an expression: a coarse kind, or None."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from sqlglot import exp

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
_ANY_OF: dict[Kind, exp.DType] = {
    "json": exp.DType.JSON, "list": exp.DType.ARRAY, "text": exp.DType.VARCHAR, "number": exp.DType.BIGDECIMAL,
    "boolean": exp.DType.BOOLEAN, "date": exp.DType.DATE, "timestamp": exp.DType.TIMESTAMP, "time": exp.DType.TIME,
    "null": exp.DType.NULL,
}  # fmt: skip
_JSON_NODES = (exp.JSONExtract, exp.ParseJSON, exp.JSONObject, exp.StarMap, exp.ObjectAgg, exp.ToVariant)
_COLLECTORS = (exp.ArrayAgg, exp.ArrayUniqueAgg, exp.ArrayUnionAgg)
_TEXT_NODES = (exp.JSONExtractScalar, exp.Right, exp.Left, exp.Pad, exp.ToChar)
_NUMBER_NODES = (exp.Mul, exp.Div, exp.IntDiv, exp.Mod)
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div)
MAPS = (exp.Map, exp.VarMap, exp.MapFromEntries, exp.StrToMap)
"""Calls that make a map: its elements have keys, but it is no JSON."""

_SAME_AS_FIRST = (
    exp.Paren, exp.Max, exp.Min, exp.AnyValue, exp.FirstValue, exp.LastValue, exp.NthValue, exp.Lag, exp.Lead,
    exp.Window, exp.Filter, exp.IgnoreNulls, exp.RespectNulls, exp.WithinGroup, exp.ArgMax, exp.ArgMin,
    exp.Mode, exp.First, exp.Last,
)  # fmt: skip


def kind(node: exp.Expr | None) -> Kind | None:
    """Return the kind of value that `node` surely has, or None."""
    if node is None or (isinstance(node, exp.Mul | exp.Div) and _is_length_of_time(node)):
        return None
    if isinstance(node, exp.Null):
        return "null"
    if isinstance(node, _SAME_AS_FIRST):
        return kind(node.this)
    if isinstance(node, exp.Add | exp.Sub):
        return _of_sum(node)
    if isinstance(node, exp.Bracket | exp.GetExtract):
        return _of_element(node)
    return _of_choice(node) or _of_node(node) or (_of_type(node.type) if node.type is not None else None)


def dtype(node: exp.Expr) -> exp.DType | None:
    """Return the type that `node` surely has, or None; any type of its kind when just that is known."""
    found = kind(node)
    if found in ("json", "list", "null") or found is None:
        return _ANY_OF.get(found) if found else None
    if found == "number" and is_float(node):
        return exp.DType.DOUBLE
    if found == "number" and _is_number_of_days(node):
        return exp.DType.BIGINT
    own = node.type.this if node.type is not None else None
    return own if own in _TYPES[found] and own not in exp.DataType.FLOAT_TYPES else _ANY_OF[found]


def is_float(node: exp.Expr) -> bool:
    """Return whether a value surely is a floating point number: a literal with a point is none."""
    if isinstance(node, exp.Cast | exp.Column):
        return node.type is not None and node.type.this in exp.DataType.FLOAT_TYPES
    if isinstance(node, (exp.Neg, *_SAME_AS_FIRST)):
        return is_float(node.this)
    if isinstance(node, _ARITHMETIC):  # what JSON holds is computed with as floating point numbers
        return any(is_float(part) or kind(part) == "json" for part in (node.this, node.expression))
    return any(is_float(part) for part in choices(node))


def _is_number_of_days(node: exp.Expr) -> bool:
    """Tell whether a number is the difference of two dates."""
    value = node.unnest()
    return isinstance(value, exp.Sub) and kind(value.this) == "date"


def _is_length_of_time(node: exp.Expr) -> bool:
    """Tell whether a value is an interval, or one multiplied: ``3 * interval '1 day'``."""
    value = node.unnest()
    if isinstance(value, exp.Mul | exp.Div):
        return _is_length_of_time(value.this) or _is_length_of_time(value.expression)
    return isinstance(value, exp.Interval)


def collected(node: exp.Expr) -> exp.Expr:
    """Return the value that an aggregate collects, without DISTINCT, order and limit."""
    value: exp.Expr = node.this
    while isinstance(value, exp.Distinct | exp.Order | exp.Limit):
        value = value.expressions[0] if isinstance(value, exp.Distinct) else value.this
    return value


def is_map(node: exp.Expr) -> bool:
    """Return whether `node` surely makes a map."""
    cast_to = node.args["to"].this if isinstance(node, exp.Cast) else None
    return isinstance(node, MAPS) or cast_to == exp.DType.MAP


def is_text_of_path(node: exp.Expr) -> bool:
    """Return whether `node` is ``x:a.b`` of Databricks and gives a text, as it does unless x is a VARIANT."""
    by_colon = node.args.get("variant_extract") and not node.args.get("requires_json")
    return bool(by_colon) and kind(node.this) != "json"


def leads_on(element: exp.Expr) -> bool:
    """Return whether something with a name is taken out of an element, as in ``c[0]:a``."""
    above = element.parent
    if element.arg_key != "this" or not isinstance(above, exp.Bracket):
        return element.arg_key == "this" and isinstance(above, exp.JSONExtract | exp.JSONExtractScalar | exp.Dot)
    return any(key.is_string for key in above.expressions) or leads_on(above)


def _of_node(node: exp.Expr) -> Kind | None:
    if isinstance(node, _JSON_NODES):
        return "text" if is_text_of_path(node) else "json"
    if isinstance(node, _COLLECTORS):
        return "json" if kind(collected(node)) == "json" else "list"
    if isinstance(node, exp.Array):
        kinds = {kind(item) for item in node.expressions} - {"null"}
        return "json" if "json" in kinds or (len(kinds) > 1 and None not in kinds) else "list"
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


def common_type(kinds: Collection[Kind | None]) -> exp.DType | None:
    """Return the type that JSON takes beside values of these kinds; None for a text."""
    others = set(kinds) - {"json", "null"}
    if others == {"number"}:
        return exp.DType.DOUBLE
    if others and others <= {"date", "timestamp"}:
        return exp.DType.TIMESTAMP
    return exp.DType.BOOLEAN if others == {"boolean"} else None


def beside_in_arithmetic(operands: Sequence[exp.Expr]) -> exp.DType:
    """Return the type that JSON takes among operands of an addition or its kin: a number, or a time plus a length."""
    if any(isinstance(operand, exp.Interval) for operand in operands):
        return exp.DType.TIMESTAMP
    days = any(kind(operand) in ("date", "timestamp") for operand in operands)
    return exp.DType.INT if days else exp.DType.DOUBLE


def _of_choice(node: exp.Expr) -> Kind | None:
    kinds = {kind(branch) for branch in choices(node)} - {"null"}
    if len(kinds) == 1:
        return kinds.pop()
    if "json" in kinds:
        beside = common_type(kinds)
        return _of_type(exp.DataType(this=beside)) if beside else "text" if kinds == {"json", "text"} else None
    return "timestamp" if "timestamp" in kinds else "date" if "date" in kinds else None


def _of_sum(node: exp.Add | exp.Sub) -> Kind | None:
    kinds = {kind(node.this), kind(node.expression)}
    if "json" in kinds:
        return _of_type(exp.DataType(this=beside_in_arithmetic([node.this, node.expression])))
    if "date" in kinds and isinstance(node, exp.Sub):
        days = kind(node.expression) == "number" or isinstance(node.expression, exp.Interval)
        return "date" if days else "number" if kinds == {"date"} else None
    return _of_type(node.type) if node.type is not None else None


def _of_element(node: exp.Bracket | exp.GetExtract) -> Kind | None:
    """Elements of JSON are JSON, and only JSON has elements with names; Databricks has them as texts."""
    if is_map(node.this):
        return None
    if node.type is not None and node.type.this == exp.DType.VARCHAR and kind(node.this) != "json":
        return "text"
    keys = node.expressions if isinstance(node, exp.Bracket) else [node.expression]
    by_name = len(keys) == 1 and isinstance(keys[0], exp.Literal) and keys[0].is_string
    return "json" if by_name or kind(node.this) == "json" else None


def typed(node: exp.Expr, dtype: exp.DType) -> exp.Expr:
    """Return `node`, known to be of that type."""
    node.type = dtype
    return node


def _of_type(dtype: exp.DataType) -> Kind | None:
    return next((kind for kind, types in _TYPES.items() if dtype.this in types), None)
