"""Dates and times: other warehouses cast texts on the way, DuckDB wants to be told; DATE stays DATE."""

from __future__ import annotations

import re

from sqlglot import exp
from sqlglot.dialects.snowflake import Snowflake

from profiles_pipeline.sql.kinds import kind, typed
from profiles_pipeline.sql.rewrites.row import ANY, Rewrite, cast
from profiles_pipeline.sql.rewrites.semi_structured import scalar

_DIFFERENCES = (exp.DateDiff, exp.TimestampDiff, exp.DatetimeDiff, exp.TsOrDsDiff, exp.MonthsBetween)
_SHIFTS = (
    exp.DateAdd, exp.DateSub, exp.TimestampAdd, exp.TimestampSub, exp.DatetimeAdd, exp.DatetimeSub, exp.TsOrDsAdd,
)  # fmt: skip
_TRUNCATIONS = (exp.DateTrunc, exp.TimestampTrunc, exp.DatetimeTrunc)
_PARTS = (
    exp.Year, exp.Quarter, exp.Month, exp.Week, exp.WeekOfYear, exp.Day, exp.DayOfMonth, exp.DayOfWeek,
    exp.DayOfWeekIso, exp.DayOfYear, exp.Dayname, exp.Monthname, exp.LastDay, exp.NextDay, exp.PreviousDay,
    exp.AddMonths, exp.TimeSlice, exp.YearOfWeek, exp.YearOfWeekIso, exp.Hour, exp.Minute, exp.Second,
)  # fmt: skip
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between)
_DATE_UNITS = {"DAY", "WEEK", "MONTH", "QUARTER", "YEAR"}
_TIME_FORMAT = re.compile(r"[YMDHS]", re.IGNORECASE)
_OFFSET = re.compile(r"\s*([+-]\d{2}):?(\d{2})$")


def moment(node: exp.Expr) -> exp.Expr:
    """Return `node` as a point in time: unchanged when it surely is one, cast to TIMESTAMP otherwise."""
    found = kind(node)
    if found in {"date", "timestamp", "time", "number"} or isinstance(node, exp.Null):
        return node
    return cast(scalar(node) if found == "json" else node, exp.DType.TIMESTAMP)


def _put_moment(node: exp.Expr, key: str) -> None:
    operand = node.args.get(key)
    if operand is not None:
        replacement = moment(operand)
        if replacement is not operand:
            node.set(key, replacement)


def _difference(node: exp.Expr) -> exp.Expr:
    _put_moment(node, "this")
    _put_moment(node, "expression")
    return node


def _shift(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.TsOrDsAdd) and node.return_type.this in (exp.DType.DATE, exp.DType.DATE32):
        return _date_again(node)
    was_date = kind(node.this) == "date"
    _put_moment(node, "this")
    unit = node.text("unit").upper() or "DAY"
    return _date_again(node) if was_date and unit in _DATE_UNITS else typed(node, exp.DType.TIMESTAMP)


def _truncation(node: exp.Expr) -> exp.Expr:
    was_date = kind(node.this) == "date"
    _put_moment(node, "this")
    return _date_again(node) if was_date else typed(node, exp.DType.TIMESTAMP)


def _date_again(node: exp.Expr) -> exp.Expr:
    return node if isinstance(node.parent, exp.Cast) else cast(node, exp.DType.DATE)


def _interval(node: exp.Expr) -> exp.Expr:
    interval = node.expression
    unit = interval.text("unit").upper() if isinstance(interval, exp.Interval) else ""
    return _date_again(node) if unit.removesuffix("S") in _DATE_UNITS and kind(node.this) == "date" else node


def _part(node: exp.Expr) -> exp.Expr:
    _put_moment(node, "this")
    return node


def _extract(node: exp.Expr) -> exp.Expr:
    _put_moment(node, "expression")
    return node


def _formatted(node: exp.Expr) -> exp.Expr:
    """``to_char(x, 'YYYY-MM')``: the format tells that x is a time."""
    pattern = node.args.get("format")
    if kind(node.this) == "number" or not isinstance(pattern, exp.Literal) or not _TIME_FORMAT.search(pattern.name):
        return node
    made = exp.TimeToStr(this=moment(node.this), format=Snowflake().format_time(pattern))
    return typed(made, exp.DType.VARCHAR)


def _comparison(node: exp.Expr) -> exp.Expr:
    keys = [key for key in ("this", "expression", "low", "high") if node.args.get(key) is not None]
    kinds = [kind(node.args[key]) for key in keys]
    if not {"date", "timestamp"} & set(kinds):
        return node
    for key, found in zip(keys, kinds, strict=True):
        operand = node.args[key]
        if found in {None, "text"} and not isinstance(operand, exp.Literal | exp.Null | exp.Any | exp.All):
            node.set(key, cast(operand, exp.DType.TIMESTAMP))
    return node


def _spaced_offset(node: exp.Expr) -> exp.Expr:
    """DuckDB takes the zone offset of a literal only without a blank before it."""
    literal = node.this
    dtype = node.args["to"].this
    if not isinstance(literal, exp.Literal) or not literal.is_string or dtype not in exp.DataType.TEMPORAL_TYPES:
        return node
    match = _OFFSET.search(literal.name)
    if match and len(literal.name) > len("2024-01-01 00:00"):
        node.set("this", exp.Literal.string(f"{literal.name[: match.start()]}{match[1]}:{match[2]}"))
    return node


def _difference_by_unit(node: exp.Expr) -> exp.Expr:
    """``date_diff(day, a, b)``: the unit comes first, as in DATEDIFF."""
    if node.this.name.upper().removesuffix("S") not in {*_DATE_UNITS, "HOUR", "MINUTE", "SECOND"}:
        return node
    last = node.args["unit"]
    later = exp.column(last.name) if isinstance(last, exp.Var) else last
    unit = exp.var(node.this.name.upper().removesuffix("S"))
    return _difference(exp.DateDiff(this=later, expression=node.expression, unit=unit))


def _date_of(node: exp.Expr) -> exp.Expr:
    return cast(node.expression, exp.DType.DATE) if node.name.upper() == "DATE" else node


def _zone_conversion(node: exp.Expr) -> exp.Expr:
    if not node.args.get("source_tz"):
        node.set("timestamp", cast(node.args["timestamp"], exp.DType.TIMESTAMPTZ))
    return node


ROWS: tuple[Rewrite, ...] = (
    Rewrite("date-diff-by-unit", "snowflake", "duckdb", (exp.DateDiff,), _difference_by_unit),
    Rewrite("date-difference", ANY, "duckdb", _DIFFERENCES, _difference),
    Rewrite("date-shift", ANY, "duckdb", _SHIFTS, _shift),
    Rewrite("date-truncation", ANY, "duckdb", _TRUNCATIONS, _truncation),
    Rewrite("date-interval", "snowflake", "duckdb", (exp.Add, exp.Sub), _interval),
    Rewrite("date-part", ANY, "duckdb", _PARTS, _part),
    Rewrite("date-of", "bigquery", "duckdb", (exp.Extract,), _date_of),
    Rewrite("date-part", ANY, "duckdb", (exp.Extract,), _extract),
    Rewrite("datetime", "snowflake", "duckdb", (exp.Datetime,), lambda node: cast(node.this, exp.DType.TIMESTAMP)),
    Rewrite("date-format", "snowflake", "duckdb", (exp.ToChar,), _formatted),
    Rewrite("date-part", ANY, "duckdb", (exp.TimeToStr,), _part),
    Rewrite("date-comparison", ANY, "duckdb", _COMPARISONS, _comparison),
    Rewrite("spaced-offset", ANY, "duckdb", (exp.Cast, exp.TryCast), _spaced_offset),
    Rewrite("convert-timezone", "snowflake", "duckdb", (exp.ConvertTimezone,), _zone_conversion),
)
