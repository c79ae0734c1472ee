"""``format('%s-%05d', a, b)`` of BigQuery and ``format_string`` of Databricks: both take after C's printf."""

from __future__ import annotations

import re
from typing import NoReturn

from sqlglot import exp

from profiles_pipeline.errors import fail
from profiles_pipeline.sql.build import build
from profiles_pipeline.sql.kinds import kind, typed
from profiles_pipeline.sql.rewrites.row import Rewrite, cast, function, named

_ELEMENT = re.compile(r"%(?P<number>\d+\$)?(?P<flags>[-+ #0,']*)(?P<size>\d*(?:\.\d+)?)(?P<letter>[a-zA-Z%*])")
_INTEGERS = "dixXou"
_FLOATS = "eEfFgG"
_TEXTS = "stTbS"


def _formatted(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Anonymous):
        if not named(node, "PRINTF") or not node.expressions:
            return node
        pattern, values = node.expressions[0], node.expressions[1:]
    else:
        pattern, values = node.this, node.expressions
    if not isinstance(pattern, exp.Literal):
        _refuse(pattern.sql(), "only one written out as a text can be")
    shown: list[exp.Expr] = []

    def element(match: re.Match[str]) -> str:
        letter = match["letter"]
        if letter in "%n":
            return "%%" if letter == "%" else "\n"
        position = int(match["number"][:-1]) - 1 if match["number"] else len(shown)
        if position >= len(values):
            _refuse(f"'{pattern.name}'", "it needs more values than there are")
        value = _value(values[position], letter)
        if value is None:
            _refuse(f"'{pattern.name}'", f"'%{letter}' cannot be")
        shown.append(value)
        flags = match["flags"].replace("'", ",")
        return f"%{flags}{match['size']}{'s' if letter in _TEXTS else letter}"

    written = _ELEMENT.sub(element, pattern.name)
    if not shown:
        return exp.Literal.string(written.replace("%%", "%"))
    return function("PRINTF", exp.Literal.string(written), *shown, dtype=exp.DType.VARCHAR)


def _value(value: exp.Expr, letter: str) -> exp.Expr | None:
    """Return a value as DuckDB wants it for an element of a format, or None if it has no such element."""
    if letter in _INTEGERS:
        return cast(value, exp.DType.BIGINT)
    if letter in _FLOATS:
        return cast(value, exp.DType.DOUBLE)
    if letter not in _TEXTS:
        return None
    text = value if kind(value) == "text" else cast(value, exp.DType.VARCHAR)
    if letter == "T" and kind(value) == "text":
        return build("'\"' || :text || '\"'", text=text)
    return text


def _or_null(node: exp.Expr) -> exp.Expr:
    """Java writes NULL as a word instead of making the whole text NULL."""
    made = _formatted(node)
    for part in made.expressions[1:] if named(made, "PRINTF") and made is not node else ():
        if kind(part) == "text":
            part.replace(typed(build("COALESCE(:text, 'null')", text=part.copy()), exp.DType.VARCHAR))
    return made


def _refuse(pattern: str, why: str) -> NoReturn:
    fail("sql-untranslatable", f"the format {pattern} cannot be translated to duckdb: {why}")


ROWS: tuple[Rewrite, ...] = (
    Rewrite("printf", "bigquery", "duckdb", (exp.Format,), _formatted),
    Rewrite("printf", "databricks", "duckdb", (exp.Format, exp.Anonymous), _or_null),
)
