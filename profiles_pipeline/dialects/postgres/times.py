"""What is said of times in the canonical dialect, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from profiles_pipeline.dialects.postgres.formats import time_format
from profiles_pipeline.dialects.postgres.helpers import called
from profiles_pipeline.dialects.postgres.parsing import strptime_pattern
from profiles_pipeline.dialects.postgres.words import cast_to, function
from profiles_pipeline.dialects.spoken import refuse
from profiles_pipeline.sql import build

_TRUNCATED = ("microsecond", "millisecond", "second", "minute", "hour")


def date_difference(node: exp.Expr) -> exp.Expr:
    """DATE_DIFF(unit, a, b) counts the boundaries of the unit between a and b."""
    unit = str(node.args["unit"].name).lower().removesuffix("s")
    later, earlier = node.this, node.expression
    if unit == "day":
        return cast_to(exp.Paren(this=build("CAST(:b AS DATE) - CAST(:a AS DATE)", a=earlier, b=later)), "BIGINT")
    if unit in _TRUNCATED:
        per = {"microsecond": "0.000001", "millisecond": "0.001", "second": "1", "minute": "60", "hour": "3600"}[unit]
        parts = [
            build(f"EXTRACT(EPOCH FROM DATE_TRUNC('{unit}', CAST(:x AS TIMESTAMP)))", x=x) for x in (later, earlier)
        ]
        difference = exp.Paren(this=exp.Sub(this=parts[0], expression=parts[1]))
        return cast_to(exp.Div(this=difference, expression=exp.Literal.number(per)), "BIGINT")
    if unit == "week":
        mondays = [build("CAST(DATE_TRUNC('week', CAST(:x AS TIMESTAMP)) AS DATE)", x=x) for x in (later, earlier)]
        days = exp.Paren(this=exp.Sub(this=mondays[0], expression=mondays[1]))
        return cast_to(exp.Div(this=days, expression=exp.Literal.number(7)), "BIGINT")
    years = "EXTRACT(YEAR FROM CAST(:b AS TIMESTAMP)) - EXTRACT(YEAR FROM CAST(:a AS TIMESTAMP))"
    if unit == "year":
        return cast_to(exp.Paren(this=build(years, a=earlier, b=later)), "BIGINT")
    part, count = {"quarter": ("QUARTER", 4), "month": ("MONTH", 12)}.get(unit, (None, 0))
    if part is None:
        return node
    months = (
        f"({years}) * {count} + EXTRACT({part} FROM CAST(:b AS TIMESTAMP)) - EXTRACT({part} FROM CAST(:a AS TIMESTAMP))"
    )
    return cast_to(exp.Paren(this=build(months, a=earlier, b=later)), "BIGINT")


def truncated_time(node: exp.Expr) -> exp.Expr:
    """DATE_TRUNC(unit, x): of a TIMESTAMP."""
    node.set("this", cast_to(node.this, "TIMESTAMP"))
    return node


def extract_part(node: exp.Expr) -> exp.Expr:
    """EXTRACT(part FROM x): a whole number but of seconds."""
    part = {"DAYOFWEEK": "DOW", "WEEKDAY": "DOW", "DAYOFYEAR": "DOY", "WEEKOFYEAR": "WEEK"}.get(node.name.upper())
    if part is not None:
        node.set("this", exp.var(part))
    if node.name.upper() in ("EPOCH", "JULIAN"):
        return node
    if node.name.upper().removesuffix("S") in ("SECOND", "MILLISECOND"):
        return cast_to(function("FLOOR", node.copy()), "BIGINT")
    if isinstance(node.parent, exp.Cast):
        return node
    return cast_to(node.copy(), "BIGINT")


def part_of_time(part: str) -> Callable[[exp.Expr], exp.Expr]:
    """Return what reads a part of a time as a whole number."""
    read = f"EXTRACT({part} FROM CAST(:x AS TIMESTAMP))"
    return lambda node: cast_to(build(f"FLOOR({read})" if part == "SECOND" else read, x=node.this), "BIGINT")


def interval(node: exp.Expr) -> exp.Expr:
    """INTERVAL of a computed length: a product."""
    unit = node.args.get("unit")
    if unit is None or node.this is None or isinstance(node.this, exp.Literal):
        return node
    return exp.Paren(this=build(f"(:x) * CAST('1 {unit.name.lower()}' AS INTERVAL)", x=node.this))


def time_text(node: exp.Expr) -> exp.Expr:
    """STRFTIME(x, format)."""
    given = node.args["format"]
    wanted = time_format(given.name) if isinstance(given, exp.Literal) else None
    if wanted is None:
        refuse("PostgreSQL", f"the format of times {given.name}")
    return function("TO_CHAR", cast_to(node.this, "TIMESTAMP"), exp.Literal.string(wanted))


def time_of_text(node: exp.Expr) -> exp.Expr:
    """STRPTIME(x, format): an error for a text that is no time."""
    return _parsed(node.this, node.args["format"], strict=True)


def tried_time(args: list[exp.Expr]) -> exp.Expr:
    """TRY_STRPTIME(x, format): NULL for a text that is no time."""
    return _parsed(args[0], args[1], strict=False)


def _parsed(text: exp.Expr, given: exp.Expr, strict: bool) -> exp.Expr:
    found = strptime_pattern(given.name) if isinstance(given, exp.Literal) else None
    if found is None:
        refuse("PostgreSQL", f"the format of times {given.name}")
    literals = map(exp.Literal.string, found)
    return called("strptime", cast_to(text, "TEXT"), *literals, exp.convert(strict))


def unix_time(node: exp.Expr) -> exp.Expr:
    """MAKE_TIMESTAMP and its kin: a number of units since 1970."""
    scale = node.args.get("scale")
    if scale is None or not scale.is_int:
        return node
    unit = {0: "second", 3: "millisecond", 6: "microsecond"}.get(int(scale.name))
    if unit is None:
        return node
    return exp.Paren(this=build(f"CAST('1970-01-01' AS TIMESTAMP) + :x * CAST('1 {unit}' AS INTERVAL)", x=node.this))


def date_of_parts(node: exp.Expr) -> exp.Expr:
    """DATE_FROM_PARTS(y, m, d)."""
    return function("MAKE_DATE", *(cast_to(node.args[part], "INT") for part in ("year", "month", "day")))


def sliced(node: exp.Expr) -> exp.Expr:
    """TIME_BUCKET(w, x): from the Monday on that it is counted from elsewhere; months have no one length."""
    width = node.this.unnest()
    unit = width.args.get("unit") if isinstance(width, exp.Interval) else None
    if unit is None or unit.name.upper().removesuffix("S") in ("MONTH", "QUARTER", "YEAR"):
        refuse("PostgreSQL", "TIME_BUCKET of months")
    origin = cast_to(exp.Literal.string("2000-01-03"), "TIMESTAMP")
    return function("DATE_BIN", node.this, cast_to(node.expression, "TIMESTAMP"), origin)


def epoch(node: exp.Expr) -> exp.Expr:
    """EPOCH(x): seconds since 1970."""
    return cast_to(build("EXTRACT(EPOCH FROM CAST(:x AS TIMESTAMP))", x=node.this), "DOUBLE PRECISION")


def epoch_in(per_second: int) -> Callable[[list[exp.Expr]], exp.Expr]:
    """Return what counts units since 1970, so many a second."""

    def rewrite(args: list[exp.Expr]) -> exp.Expr:
        seconds = build(f"EXTRACT(EPOCH FROM CAST(:x AS TIMESTAMP)) * {per_second}", x=args[0])
        return cast_to(exp.Paren(this=seconds), "BIGINT")

    return rewrite
