"""Dates and times: other warehouses cast texts on the way, DuckDB wants to be told; DATE stays DATE."""

from __future__ import annotations

import re

from sqlglot import exp
from sqlglot.dialects.snowflake import Snowflake

from profiles_pipeline.sql.build import build
from profiles_pipeline.sql.kinds import kind, typed
from profiles_pipeline.sql.monotone import MONTHS_PASSED
from profiles_pipeline.sql.rewrites.row import ANY, Rewrite, cast, function, named
from profiles_pipeline.sql.rewrites.semi_structured import scalar
from profiles_pipeline.sql.times import clock_type

_DIFFERENCES = (exp.DateDiff, exp.TimestampDiff, exp.DatetimeDiff, exp.TsOrDsDiff)
_SHIFTS = (
    exp.DateAdd, exp.DateSub, exp.TimestampAdd, exp.TimestampSub, exp.DatetimeAdd, exp.DatetimeSub, exp.TsOrDsAdd,
)  # fmt: skip
_TRUNCATIONS = (exp.DateTrunc, exp.TimestampTrunc, exp.DatetimeTrunc)
_PARTS = (
    exp.Year, exp.Quarter, exp.Month, exp.Week, exp.WeekOfYear, exp.Day, exp.DayOfMonth, exp.DayOfWeek,
    exp.DayOfWeekIso, exp.DayOfYear, exp.Dayname, exp.Monthname, exp.LastDay, exp.NextDay, exp.PreviousDay,
    exp.AddMonths, exp.TimeSlice, exp.YearOfWeek, exp.YearOfWeekIso, exp.Hour, exp.Minute, exp.Second,
)  # fmt: skip
_UNITS_OF_TRUNC = {
    "YYYY": "YEAR", "YYY": "YEAR", "YY": "YEAR", "Y": "YEAR", "MM": "MONTH", "MON": "MONTH", "Q": "QUARTER",
    "QTR": "QUARTER", "QTRS": "QUARTER", "YR": "YEAR", "YRS": "YEAR", "MONS": "MONTH", "HR": "HOUR", "HRS": "HOUR",
    "MIN": "MINUTE", "MINS": "MINUTE", "SEC": "SECOND", "SECS": "SECOND",
    "DD": "DAY", "DDD": "DAY", "D": "DAY", "J": "DAY", "WW": "WEEK", "IW": "WEEK", "W": "WEEK", "HH": "HOUR",
    "MI": "MINUTE",
}  # fmt: skip
_WORD = re.compile("[A-Za-z]+")
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between)
_DATE_UNITS = {"DAY", "WEEK", "MONTH", "QUARTER", "YEAR"}
_MICROSECONDS_IN = {
    "MICROSECOND": 1, "MILLISECOND": 10**3, "SECOND": 10**6, "MINUTE": 60 * 10**6, "HOUR": 3600 * 10**6,
    "DAY": 86400 * 10**6, "WEEK": 7 * 86400 * 10**6,
}  # fmt: skip
_PASSED = "((EPOCH_US(:end) - EPOCH_US(:start)) // :unit)"
_MONTHS_IN = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
# On a calendar whose months are all of 32 days, what passed is whole months and a rest, whatever day a month ends on.
_MONTHS_PASSED = """
    LIST_REDUCE(
      LIST_TRANSFORM([:start, :end], LAMBDA t :
        (12 * YEAR(t) + MONTH(t)) * 32 * 86400000000 + EPOCH_US(t) - EPOCH_US(DATE_TRUNC('MONTH', t))),
      LAMBDA s, e : (e - s) // (32 * 86400000000 * :months)
    )
"""
_AMERICAN = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(| .+)")
_MONTH_NAMES = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_NAMED_MONTH = re.compile(rf"(\d{{1,2}})-({'|'.join(_MONTH_NAMES)})-(\d{{4}})(| .+)", re.IGNORECASE)
_OFFSET = re.compile(r"\s*([+-]\d{2}):?(\d{2})$")


def moment(node: exp.Expr) -> exp.Expr:
    """Return `node` as a point in time: unchanged when it surely is one, cast to TIMESTAMP otherwise."""
    found = kind(node)
    if found in {"date", "timestamp", "time", "number"} or isinstance(node, exp.Null):
        return node
    return cast(scalar(node) if found == "json" else node, exp.DType.TIMESTAMP)


def on_a_day(node: exp.Expr) -> exp.Expr:
    """Return a time of day as a point in time, which DuckDB can format; anything else as it is."""
    return typed(build("DATE '1970-01-01' + :time", time=node), exp.DType.TIMESTAMP) if kind(node) == "time" else node


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


def _elapsed(node: exp.Expr) -> exp.Expr:
    """``timestampdiff(unit, start, end)`` of Databricks counts the whole units that passed, months by day and time."""
    start, end = (cast(moment(node.args[key]), exp.DType.TIMESTAMP) for key in ("expression", "this"))
    unit = node.text("unit").upper().removesuffix("S")
    if unit in _MICROSECONDS_IN:
        made = build(_PASSED, start=start, end=end, unit=exp.Literal.number(_MICROSECONDS_IN[unit]))
    elif unit in _MONTHS_IN:
        made = build(_MONTHS_PASSED, start=start, end=end, months=exp.Literal.number(_MONTHS_IN[unit]))
        made.meta[MONTHS_PASSED] = True
    else:
        return node
    return typed(made, exp.DType.BIGINT)


def _months_apart(node: exp.Expr) -> exp.Expr:
    """sqlglot writes a sum that a neighbour would tear apart."""
    return exp.Paren(this=_difference(node)) if isinstance(node.parent, exp.Binary | exp.Unary) else _difference(node)


def _days_later(node: exp.Expr) -> exp.Expr:
    """``x - 7``: numbers beside times count days."""
    days = node.expression
    if kind(days) != "number" or (isinstance(days, exp.Literal) and not days.is_int):
        return node
    if kind(node.this) == "date" and not isinstance(node.expression, exp.Literal | exp.Neg):
        node.set("expression", cast(node.expression, exp.DType.INT))
        return typed(node, exp.DType.DATE)
    if kind(node.this) != "timestamp":
        return node
    node.set("expression", function("TO_DAYS", cast(node.expression, exp.DType.INT)))
    return typed(node, exp.DType.TIMESTAMP)


def _shift(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.TsOrDsAdd) and node.return_type.this in (exp.DType.DATE, exp.DType.DATE32):
        return _date_again(node)
    was_date = kind(node.this) == "date"
    _put_moment(node, "this")
    unit = node.text("unit").upper() or "DAY"
    return _date_again(node) if was_date and unit in _DATE_UNITS else typed(node, exp.DType.TIMESTAMP)


def _truncation(node: exp.Expr) -> exp.Expr:
    unit = node.text("unit").upper()
    if unit in _UNITS_OF_TRUNC:
        node.set("unit", exp.var(_UNITS_OF_TRUNC[unit]))
    was_date = kind(node.this) == "date"
    _put_moment(node, "this")
    return _date_again(node) if was_date else typed(node, exp.DType.TIMESTAMP)


def _truncated_to_day(node: exp.Expr) -> exp.Expr:
    """``trunc(x, 'MM')`` of Databricks is a date, ``date_trunc('MONTH', x)`` a time."""
    return cast(_truncation(node), exp.DType.DATE)


def _date_again(node: exp.Expr) -> exp.Expr:
    return node if isinstance(node.parent, exp.Cast) else cast(node, exp.DType.DATE)


def _interval(node: exp.Expr) -> exp.Expr:
    interval = node.expression
    unit = interval.text("unit").upper() if isinstance(interval, exp.Interval) else ""
    return _date_again(node) if unit.removesuffix("S") in _DATE_UNITS and kind(node.this) == "date" else node


def _part(node: exp.Expr) -> exp.Expr:
    _put_moment(node, "this")
    return node


def _day_months_later(node: exp.Expr) -> exp.Expr:
    """``add_months(x, 1)`` of Databricks is a date, whatever x is."""
    return cast(_part(node), exp.DType.DATE)


def _extract(node: exp.Expr) -> exp.Expr:
    _put_moment(node, "expression")
    return node


def _whole_day(node: exp.Expr) -> exp.Expr:
    """``trunc(x)`` of a time is its day."""
    is_time = kind(node.this) in {"date", "timestamp"} or clock_type(node.this) is not None
    return node if node.args.get("decimals") or not is_time else cast(node.this, exp.DType.DATE)


def _unit_of_trunc(node: exp.Expr) -> exp.Expr:
    """``trunc(x, 'MM')``: a text is a unit of time."""
    unit = node.args.get("decimals")
    if not isinstance(unit, exp.Literal) or not unit.is_string:
        return _whole_day(node)
    return _truncation(exp.TimestampTrunc(this=node.this, unit=exp.var(unit.name.upper())))


def _span(node: exp.Expr) -> exp.Expr:
    """``interval '2 hours, 30 mm'``: DuckDB knows fewer short names of units, and no commas."""
    length, unit = node.this, node.args.get("unit")
    if isinstance(length, exp.Literal) and length.is_string:
        node.set("this", exp.Literal.string(_WORD.sub(lambda word: _unit(word[0]), length.name.replace(",", ""))))
    if isinstance(unit, exp.Var):
        node.set("unit", exp.var(_unit(unit.name)))
    return node


def _unit(name: str) -> str:
    return Snowflake.DATE_PART_MAPPING.get(name.upper(), name)


def _sunday_is_one(node: exp.Expr) -> exp.Expr:
    """DuckDB counts the days of the week from Sunday, which is 0 there."""
    if isinstance(node, exp.Extract) and node.name.upper() not in {"DAYOFWEEK", "DOW", "DW"}:
        return node
    day = _extract(node) if isinstance(node, exp.Extract) else _part(node)
    return typed(exp.Paren(this=exp.Add(this=day, expression=exp.Literal.number(1))), exp.DType.BIGINT)


def _monday_is_zero(node: exp.Expr) -> exp.Expr:
    if not named(node, "WEEKDAY") or len(node.expressions) != 1:
        return node
    day = function("ISODOW", moment(node.expressions[0]))
    return typed(exp.Paren(this=exp.Sub(this=day, expression=exp.Literal.number(1))), exp.DType.BIGINT)


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


def _american(node: exp.Expr) -> exp.Expr:
    """``'05/01/2024'::date`` is the first of May, and so is ``'01-MAY-2024'::date``."""
    if node.args["to"].this in exp.DataType.TEMPORAL_TYPES:
        node.set("this", year_first(node.this))
    return node


def year_first(node: exp.Expr) -> exp.Expr:
    """Return the literal of a day, ``05/01/2024`` or ``01-MAY-2024``, as ``2024-05-01``; anything else as it is."""
    text = node.name if isinstance(node, exp.Literal) and node.is_string else ""
    if match := _AMERICAN.fullmatch(text):
        month, day, year, time = match.groups()
    elif match := _NAMED_MONTH.fullmatch(text):
        day, name, year, time = match.groups()
        month = str(_MONTH_NAMES.index(name.upper()) + 1)
    else:
        return node
    return exp.Literal.string(f"{year}-{month:0>2}-{day:0>2}{time}")


def _difference_by_unit(node: exp.Expr) -> exp.Expr:
    """``date_diff(day, a, b)``: the unit comes first, as in DATEDIFF."""
    if node.this.name.upper().removesuffix("S") not in {*_DATE_UNITS, "HOUR", "MINUTE", "SECOND"}:
        return node
    last = node.args["unit"]
    later = exp.column(last.name) if isinstance(last, exp.Var) else last
    unit = exp.var(node.this.name.upper().removesuffix("S"))
    return _difference(exp.DateDiff(this=later, expression=node.expression, unit=unit))


def _time_of(node: exp.Expr) -> exp.Expr:
    """``time(x)``"""
    if node.this is None or node.args.get("zone"):
        return node
    return cast(scalar(node.this) if kind(node.this) == "json" else node.this, exp.DType.TIME)


def _date_of(node: exp.Expr) -> exp.Expr:
    return cast(node.expression, exp.DType.DATE) if node.name.upper() == "DATE" else node


def _clock_elsewhere(node: exp.Expr) -> exp.Expr:
    """``from_utc_timestamp(x, z)``, ``extract(hour from x at time zone z)``: what the clocks in z say."""
    node.set("this", cast(node.this, exp.DType.TIMESTAMPTZ))
    return typed(node, exp.DType.TIMESTAMP)


def _day_of_number(node: exp.Expr) -> exp.Expr:
    return cast(node, exp.DType.DATE)


def _zone_conversion(node: exp.Expr) -> exp.Expr:
    if not node.args.get("source_tz"):
        node.set("timestamp", cast(node.args["timestamp"], exp.DType.TIMESTAMPTZ))
    return typed(node, exp.DType.TIMESTAMP)


ROWS: tuple[Rewrite, ...] = (
    Rewrite("date-diff-by-unit", "snowflake", "duckdb", (exp.DateDiff,), _difference_by_unit),
    *(Rewrite("units-passed", s, "duckdb", (exp.TimestampDiff,), _elapsed) for s in ("databricks", "bigquery")),
    *(
        Rewrite("clock-elsewhere", source, "duckdb", (exp.AtTimeZone,), _clock_elsewhere)
        for source in ("databricks", "bigquery")
    ),
    Rewrite("day-of-number", ANY, "duckdb", (exp.DateFromUnixDate,), _day_of_number),
    Rewrite("months-between", ANY, "duckdb", (exp.MonthsBetween,), _months_apart),
    *(Rewrite("days-later", s, "duckdb", (exp.Add, exp.Sub), _days_later) for s in ("snowflake", "redshift")),
    Rewrite("date-difference", ANY, "duckdb", _DIFFERENCES, _difference),
    Rewrite("date-shift", ANY, "duckdb", _SHIFTS, _shift),
    Rewrite("trunc-to-date", "databricks", "duckdb", (exp.DateTrunc,), _truncated_to_day),
    Rewrite("date-truncation", ANY, "duckdb", _TRUNCATIONS, _truncation),
    *(Rewrite("date-interval", s, "duckdb", (exp.Add, exp.Sub), _interval) for s in ("snowflake", "databricks")),
    Rewrite("day-months-later", "databricks", "duckdb", (exp.AddMonths,), _day_months_later),
    Rewrite("date-part", ANY, "duckdb", _PARTS, _part),
    Rewrite("sunday-is-one", "bigquery", "duckdb", (exp.Extract,), _sunday_is_one),
    Rewrite("sunday-is-one", "databricks", "duckdb", (exp.DayOfWeek, exp.Extract), _sunday_is_one),
    Rewrite("monday-is-zero", "databricks", "duckdb", (exp.Anonymous,), _monday_is_zero),
    *(Rewrite("date-of", s, "duckdb", (exp.Extract,), _date_of) for s in ("snowflake", "bigquery")),
    Rewrite("date-part", ANY, "duckdb", (exp.Extract,), _extract),
    Rewrite("time-of", "snowflake", "duckdb", (exp.Time,), _time_of),
    Rewrite("datetime", "snowflake", "duckdb", (exp.Datetime,), lambda node: cast(node.this, exp.DType.TIMESTAMP)),
    Rewrite("date-part", ANY, "duckdb", (exp.TimeToStr,), _part),
    Rewrite("interval-parts", "snowflake", "duckdb", (exp.Interval,), _span),
    Rewrite("trunc-of-time", "snowflake", "duckdb", (exp.Trunc,), _whole_day),
    Rewrite("trunc-of-time", "redshift", "duckdb", (exp.Trunc,), _unit_of_trunc),
    Rewrite("date-comparison", ANY, "duckdb", _COMPARISONS, _comparison),
    Rewrite("month-first", "snowflake", "duckdb", (exp.Cast, exp.TryCast), _american),
    Rewrite("spaced-offset", ANY, "duckdb", (exp.Cast, exp.TryCast), _spaced_offset),
    Rewrite("convert-timezone", "snowflake", "duckdb", (exp.ConvertTimezone,), _zone_conversion),
)
