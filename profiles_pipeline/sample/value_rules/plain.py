"""What columns, literals, casts and functions of no special field say about the columns in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlglot import exp

from profiles_pipeline.sample.evidence import ELEMENT, STRONG, USUAL, WEAK, Kind
from profiles_pipeline.sample.relations import NOTHING, Scope, Value, mixed
from profiles_pipeline.sample.value_clues import NUMBER, Rule, ValueClues, kind_of_type
from profiles_pipeline.sample.value_rules.times import epoch
from profiles_pipeline.sql.rewrites.formats import is_number_format
from profiles_pipeline.versions import ANY_TIME

_SAME = (
    exp.Paren, exp.Max, exp.Min, exp.AnyValue, exp.FirstValue, exp.LastValue, exp.NthValue, exp.Lag, exp.Lead,
    exp.IgnoreNulls, exp.RespectNulls, exp.Mode, exp.Filter, exp.WithinGroup, exp.Ordered, exp.ArgMax, exp.ArgMin,
    exp.Alias, exp.First, exp.Last, exp.HavingMax, exp.Order, exp.Collate, exp.Kwarg, exp.AtTimeZone,
)  # fmt: skip
_TO_NUMBER = (
    exp.ToNumber, exp.ToDouble, exp.Int64, exp.Float64, exp.LaxInt64, exp.LaxFloat64, exp.ParseNumeric,
    exp.ParseBignumeric, exp.Nanvl,
)  # fmt: skip
_TO_BOOLEAN = (exp.ToBoolean, exp.JSONBool, exp.LaxBool)
_ARRAY_LENGTHS = ("JSON_ARRAY_LENGTH", "GET_ARRAY_LENGTH", "IS_VALID_JSON_ARRAY")
_NOW = ANY_TIME.strftime("%Y-%m-%d")
_TIME_NAMES = frozenset({
    "TO_TIMESTAMP", "TO_TIMESTAMP_NTZ", "TO_TIMESTAMP_LTZ", "TO_TIMESTAMP_TZ", "TRY_TO_TIMESTAMP",
    "TRY_TO_TIMESTAMP_NTZ", "TRY_TO_TIMESTAMP_TZ", "DATE", "TIMESTAMP", "DATE_FORMAT", "UNIX_TIMESTAMP", "DAYNAME",
    "TRY_TO_DATE", "TIME_SLICE",
})  # fmt: skip
_OF_MAPS = frozenset({"MAP_VALUES", "MAP_ENTRIES", "MAP_CONTAINS_KEY", "MAP_FILTER"})


def _column(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    assert isinstance(node, exp.Column)
    return reader.columns(node, scope)


def query(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    """Return the value of a query that stands in the place of one: its first column's."""
    relation = reader.queries(node, scope)
    return next((relation.value(name) for name in relation.columns), NOTHING)


def _literal(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    del reader, scope
    if isinstance(node, exp.Boolean):
        return Value(kind="boolean", literal=bool(node.this))
    if node.is_string and str(node.this).startswith(_NOW):
        return Value(kind="timestamp", now=True)
    if node.is_string:
        return Value(kind="text", literal=str(node.this))
    return Value(kind="number", literal=float(node.this)) if NUMBER.fullmatch(str(node.this)) else NOTHING


def _same(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    if isinstance(node, exp.Filter):
        reader.condition(node.expression.this, scope)
    else:
        reader.others(node, scope)
    found = reader.value(node.this, scope)
    if isinstance(node, exp.WithinGroup) and isinstance(node.this, exp.PercentileCont | exp.PercentileDisc):
        for ordered in node.find_all(exp.Ordered):
            reader.vote(reader.value(ordered.this, scope), "number")
        return Value(kind="number")
    return found


def _window(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    reader.others(node, scope)
    return reader.value(node.this, scope)


def _distinct(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    return mixed([reader.value(child, scope) for child in node.expressions])


def _named(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    values = [reader.value(child, scope) for child in node.expressions]
    name = str(node.name).upper()
    if name in _TIME_NAMES and values:
        if values[0].kind == "number" or (len(values) > 1 and values[1].kind == "number"):
            return epoch(reader, values[0], node)
        reader.vote(values[0], "timestamp")
        return Value(values[0].slots, "timestamp", values[0].literal, now=values[0].now)
    if name == "FROM_UNIXTIME" and values:
        return epoch(reader, values[0], node)
    if name == "FORMAT_NUMBER" and values:
        reader.vote(values[0], "number")
    if name in (*_ARRAY_LENGTHS, "JSON_EXTRACT_ARRAY_ELEMENT_TEXT") and values:
        element = reader.step(values[0], [ELEMENT])
        return Value(kind="number") if name in _ARRAY_LENGTHS else element
    for place, found in enumerate(values):
        if name in _OF_MAPS and place == 0:
            reader.ledger.vote(found.slots, "map", STRONG)
        if name == "HAVERSINE":
            _coordinate(reader, found, 90.0 if place % 2 == 0 else 180.0)
    return Value(kind="number") if name == "HAVERSINE" else NOTHING


def _point(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    """``st_point(longitude, latitude)``."""
    _coordinate(reader, reader.value(node.this, scope), 180.0)
    _coordinate(reader, reader.value(node.expression, scope), 90.0)
    return NOTHING


def _coordinate(reader: ValueClues, found: Value, most: float) -> None:
    reader.vote(found, "number")
    for slot in found.slots:
        reader.ledger.of(slot).most = most


def _cast(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    found = reader.value(node.this, scope)
    to = kind_of_type(node.args["to"])
    if to == "text":
        return replace(found, kind="text", now=False)
    if to == "json":
        return found
    if to == "number":
        reader.number_inside(found)
    if to == "number" and found.kind != "text":
        reader.vote(found, "number", WEAK if isinstance(node.this, exp.Column) else USUAL)
    elif to is not None:
        reader.vote(found, to, WEAK if to == "number" else USUAL)
    kind: Kind | None = "timestamp" if to == "date" else to
    return Value(found.slots, kind, found.literal, found.total, found.now)


def _to_boolean(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    found = reader.value(node.this, scope)
    reader.vote(found, "boolean", WEAK)
    return Value(found.slots, "boolean")


def _to_text(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    found = reader.value(node.this, scope)
    fmt = node.args.get("format")
    if fmt is None or not fmt.is_string:
        return Value(found.slots, "text")
    if is_number_format(fmt.name):
        reader.vote(found, "number")
        return Value(kind="text")
    reader.vote(found, "timestamp")
    return Value(kind="text", calendar=found.slots, part="text")


def _to_number(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    found = reader.value(node.this, scope)
    reader.vote(found, "number", WEAK)
    reader.number_inside(found)
    return Value(found.slots, "number", total=found.total)


RULES: Mapping[type[exp.Expr], Rule] = {
    exp.Column: _column,
    exp.Literal: _literal,
    exp.Boolean: _literal,
    exp.Window: _window,
    exp.Distinct: _distinct,
    exp.Anonymous: _named,
    exp.Cast: _cast,
    **dict.fromkeys(_TO_BOOLEAN, _to_boolean),
    exp.ToChar: _to_text,
    exp.StPoint: _point,
    exp.NetFunc: _same,
    exp.Query: query,
    exp.Select: query,
    exp.SetOperation: query,
    exp.Subquery: query,
    **dict.fromkeys(_SAME, _same),
    **dict.fromkeys(_TO_NUMBER, _to_number),
}
