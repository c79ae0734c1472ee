"""Units of time: which there are, and what DuckDB calls them."""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline.errors import did_you_mean, fail
from profiles_pipeline.sql.rewrites.row import ANY, Rewrite, cast
from profiles_pipeline.sql.rewrites.temporal import moment

_UNITS = {
    "year", "y", "yy", "yyy", "yyyy", "yr", "years", "yrs", "isoyear", "quarter", "q", "qtr", "qtrs", "quarters",
    "month", "mm", "mon", "mons", "months", "week", "w", "wk", "weeks", "weekofyear", "woy", "wy", "isoweek", "iw",
    "ww", "day", "d", "dd", "ddd", "j", "days", "dayofmonth", "hour", "h", "hh", "hr", "hours", "hrs", "minute", "m",
    "mi", "min", "minutes", "mins", "second", "s", "sec", "seconds", "secs", "millisecond", "ms", "msec",
    "milliseconds", "milliseconds_of_second", "microsecond", "us", "usec", "microseconds", "nanosecond", "ns", "nsec",
    "nanosec", "nsecond", "nanoseconds", "nanosecs", "nseconds", "decade", "decades", "century", "centuries",
    "millennium", "c",
}  # fmt: skip
_PARTS = _UNITS | {
    "dayofweek", "weekday", "dow", "dw", "dayofweekiso", "dayofweek_iso", "weekday_iso", "dow_iso", "dw_iso",
    "isodow", "dayofyear", "yearday", "doy", "dy", "weekiso", "week_iso", "weekofyeariso", "weekofyear_iso",
    "yearofweek", "yearofweekiso", "date", "time", "datetime", "epoch", "epoch_second", "epoch_seconds",
    "epoch_millisecond", "epoch_milliseconds", "epoch_microsecond", "epoch_microseconds", "epoch_nanosecond",
    "epoch_nanoseconds", "era", "timezone", "tz", "timezone_hour", "tzh", "timezone_minute", "tzm", "julian",
}  # fmt: skip
_NAMES = {
    "DAYOFWEEKISO": "ISODOW", "DAYOFWEEK_ISO": "ISODOW", "WEEKDAY_ISO": "ISODOW", "DOW_ISO": "ISODOW",
    "DW_ISO": "ISODOW", "WEEKISO": "WEEK", "WEEK_ISO": "WEEK", "WEEKOFYEARISO": "WEEK", "WEEKOFYEAR_ISO": "WEEK",
    "ISOWEEK": "WEEK", "YEAROFWEEK": "ISOYEAR", "YEAROFWEEKISO": "ISOYEAR", "EPOCH": "EPOCH_SECOND",
}  # fmt: skip
_WEEKS = {"SUNDAY": "%U", "MONDAY": "%W"}
_WITH_UNITS = (
    exp.DateDiff, exp.TimestampDiff, exp.DatetimeDiff, exp.TsOrDsDiff, exp.DateAdd, exp.DateSub, exp.TimestampAdd,
    exp.TimestampSub, exp.DatetimeAdd, exp.DatetimeSub, exp.TsOrDsAdd, exp.DateTrunc, exp.TimestampTrunc,
    exp.DatetimeTrunc, exp.LastDay, exp.TimeSlice, exp.Interval,
)  # fmt: skip


def _known(node: exp.Expr) -> exp.Expr:
    unit = node.args.get("unit")
    if isinstance(node, exp.DateDiff) and node.this.name.lower() in _UNITS:
        return node  # date_diff(day, a, b): what looks like the unit is a column
    if isinstance(unit, exp.Var) or (isinstance(unit, exp.Literal) and unit.is_string):
        _refuse_unknown(unit.name, _UNITS)
    return node


def _part(node: exp.Expr) -> exp.Expr:
    part = node.this
    if isinstance(part, exp.Var) or (isinstance(part, exp.Literal) and part.is_string):
        _refuse_unknown(part.name, _PARTS)
        if meant := _NAMES.get(part.name.upper()):
            node.set("this", exp.var(meant))
    return node


def _refuse_unknown(name: str, known: set[str]) -> None:
    if name.lower() not in known:
        fail("unknown-unit", f"'{name.lower()}' is not a unit of time", hint=did_you_mean(name.lower(), sorted(known)))


def _week_of_year(node: exp.Expr) -> exp.Expr:
    """``extract(week from x)``: from the first Sunday on, or the first of the day that is told; before it is week 0."""
    part = node.this
    day = part.this.name.upper() if isinstance(part, exp.WeekStart) else "SUNDAY"
    if (isinstance(part, exp.Var) and part.name.upper() != "WEEK") or day not in _WEEKS:
        return node
    shown = exp.TimeToStr(this=moment(node.expression), format=exp.Literal.string(_WEEKS[day]))
    return cast(shown, exp.DType.BIGINT)


ROWS: tuple[Rewrite, ...] = (
    Rewrite("week-of-year", "bigquery", "duckdb", (exp.Extract,), _week_of_year),
    Rewrite("unit-of-time", ANY, "duckdb", _WITH_UNITS, _known),
    Rewrite("unit-of-time", ANY, "duckdb", (exp.Extract,), _part),
)
