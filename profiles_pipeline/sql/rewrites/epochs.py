"""Numbers that count time since 1970, and texts and values that may hold such numbers."""

from __future__ import annotations

import re

from sqlglot import exp

from profiles_pipeline.sql.build import build
from profiles_pipeline.sql.kinds import kind, typed
from profiles_pipeline.sql.rewrites.row import ANY, Rewrite, cast, function, named
from profiles_pipeline.sql.rewrites.semi_structured import scalar
from profiles_pipeline.sql.rewrites.temporal import year_first

_ZONED = ("TO_TIMESTAMP_LTZ", "TO_TIMESTAMP_TZ", "TRY_TO_TIMESTAMP_LTZ", "TRY_TO_TIMESTAMP_TZ")
_UNZONED = ("TO_TIMESTAMP", "TO_TIMESTAMP_NTZ", "TRY_TO_TIMESTAMP", "TRY_TO_TIMESTAMP_NTZ")
_CAST_TO = {
    exp.DType.DATE: "TO_TIMESTAMP",
    exp.DType.TIMESTAMP: "TO_TIMESTAMP",
    exp.DType.TIMESTAMPNTZ: "TO_TIMESTAMP_NTZ",
    exp.DType.TIMESTAMPTZ: "TO_TIMESTAMP_TZ",
    exp.DType.TIMESTAMPLTZ: "TO_TIMESTAMP_LTZ",
}
_DIGITS = re.compile(r"\d+")
_PARSED = "COALESCE(TRY_CAST(:value AS TIMESTAMP), :epoch, CAST(CAST(:value AS TEXT) AS TIMESTAMP))"
_TRIED = "COALESCE(TRY_CAST(:value AS TIMESTAMP), :epoch)"
# The larger the number, the finer its unit: seconds, then thousandths, millionths and billionths of them.
_SECONDS = "TO_TIMESTAMP(:n / 1000 ** GREATEST(0, FLOOR(LOG10(GREATEST(1, ABS(:n)) / 31.536) / 3) - 2))"


def _timestamp_function(node: exp.Expr) -> exp.Expr:
    """``to_timestamp*(x)``, ``try_to_timestamp*(x)``: x is a time, a number of seconds, or a text of either."""
    if not named(node, *_ZONED, *_UNZONED) or len(node.expressions) != 1:
        return node
    return _timestamp(node.expressions[0], node.name.upper())


def _timestamp(operand: exp.Expr, name: str) -> exp.Expr:
    dtype = exp.DType.TIMESTAMPTZ if name in _ZONED else exp.DType.TIMESTAMP
    found = kind(operand)
    if found == "number":
        return _of_zone(function("TO_TIMESTAMP", operand), dtype)
    if found == "json":
        operand = scalar(operand)
    if isinstance(operand, exp.Literal):
        if operand.is_string and _DIGITS.fullmatch(operand.name):
            return _of_zone(_seconds(exp.Literal.number(operand.name)), dtype)
        return cast(year_first(operand), dtype)
    if found in {"date", "timestamp"}:
        return cast(operand, dtype)
    number = build("TRY_CAST(CAST(:value AS TEXT) AS DOUBLE)", value=operand)
    made = build(_TRIED if name.startswith("TRY") else _PARSED, value=operand, epoch=_of_zone(_seconds(number), dtype))
    for part in made.find_all(exp.Cast):
        if part.to.this == exp.DType.TIMESTAMP:
            part.set("to", exp.DataType(this=dtype))
    return typed(made, dtype)


def _day(node: exp.Expr) -> exp.Expr:
    """``to_date(x)``, ``try_to_date(x)`` of what surely is a text: of a time, or of a number of seconds."""
    if isinstance(node, exp.Anonymous):
        if not named(node, "TO_DATE", "DATE", "TRY_TO_DATE") or len(node.expressions) != 1:
            return node
        operand, prefix = node.expressions[0], "TRY_" if named(node, "TRY_TO_DATE") else ""
    else:
        operand, prefix = node.this, "TRY_" if node.args.get("safe") else ""
    if node.args.get("format") or kind(operand) not in {"text", "json"}:
        return node
    return cast(_timestamp(operand, f"{prefix}TO_TIMESTAMP"), exp.DType.DATE)


def _seconds(number: exp.Expr) -> exp.Expr:
    return build(_SECONDS, n=number)


def _of_zone(moment: exp.Expr, dtype: exp.DType) -> exp.Expr:
    zoned = dtype == exp.DType.TIMESTAMPTZ
    return typed(moment if zoned else exp.AtTimeZone(this=moment, zone=exp.Literal.string("UTC")), dtype)


def _epoch_in_text(node: exp.Expr) -> exp.Expr:
    """``to_timestamp('1714557600000')``: sqlglot takes a text for a number of seconds, whatever its size."""
    digits = node.this
    if not isinstance(digits, exp.Literal) or not digits.is_string or node.args.get("scale") is not None:
        return node
    target = node.args.get("target_type")
    zoned = isinstance(target, exp.DataType) and target.this in {exp.DType.TIMESTAMPTZ, exp.DType.TIMESTAMPLTZ}
    return _timestamp(digits, "TO_TIMESTAMP_TZ" if zoned else "TO_TIMESTAMP")


def _cast_of_epoch(node: exp.Expr) -> exp.Expr:
    """``v:at::timestamp``, ``'1714557600'::timestamp``: what JSON holds, and a text of digits, may be seconds."""
    operand, to = node.this, node.args["to"]
    digits = isinstance(operand, exp.Literal) and operand.is_string and _DIGITS.fullmatch(operand.name)
    if to.this not in _CAST_TO or to.expressions or not (digits or isinstance(operand, exp.JSONExtractScalar)):
        return node
    moment = _timestamp(operand, _CAST_TO[to.this])
    return cast(moment, exp.DType.DATE) if to.this == exp.DType.DATE else moment


def _automatic(node: exp.Expr) -> exp.Expr:
    """The format ``auto`` is none."""
    if not isinstance(node.args.get("format"), exp.Literal) or node.args["format"].name.lower() != "auto":
        return node
    return _timestamp(node.this, "TRY_TO_TIMESTAMP" if node.args.get("safe") else "TO_TIMESTAMP")


def _scaled(node: exp.Expr) -> exp.Expr:
    if node.args.get("scale") is None or kind(node.this) == "number":
        return node
    node.set("this", cast(scalar(node.this) if kind(node.this) == "json" else node.this, exp.DType.BIGINT))
    return node


def _to_epoch(node: exp.Expr) -> exp.Expr:
    """``unix_timestamp(x)``: with the usual format x may be a time as well as a text."""
    usual = node.text("format").replace("strict", "") == "%Y-%m-%d %H:%M:%S"
    seconds = function("EPOCH", cast(node.this, exp.DType.TIMESTAMP)) if usual else node
    return cast(build("FLOOR(:seconds)", seconds=seconds), exp.DType.BIGINT)


ROWS: tuple[Rewrite, ...] = (
    *(
        Rewrite("to-timestamp", source, "duckdb", (exp.Anonymous,), _timestamp_function)
        for source in ("snowflake", "databricks")
    ),
    Rewrite("day-of-epoch", "snowflake", "duckdb", (exp.Anonymous, exp.TsOrDsToDate), _day),
    Rewrite("epoch-in-text", "snowflake", "duckdb", (exp.UnixToTime,), _epoch_in_text),
    Rewrite("cast-of-epoch", "snowflake", "duckdb", (exp.Cast,), _cast_of_epoch),
    Rewrite("to-timestamp-auto", "snowflake", "duckdb", (exp.StrToTime,), _automatic),
    Rewrite("scaled-epoch", "snowflake", "duckdb", (exp.UnixToTime,), _scaled),
    Rewrite("unix-timestamp", ANY, "duckdb", (exp.StrToUnix,), _to_epoch),
)
