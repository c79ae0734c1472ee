"""Writes trees as the SQL text of one dialect: stable, indented, keywords in upper case."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import ClassVar

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ErrorLevel, ParseError
from sqlglot.generator import Generator
from sqlglot.generators.duckdb import DuckDBGenerator

from profiles_pipeline.dialects.capabilities import capabilities
from profiles_pipeline.dialects.folding import fitted, upper_case
from profiles_pipeline.dialects.kinds import is_time
from profiles_pipeline.dialects.spoken import Spoken, spoken, unknown_calls
from profiles_pipeline.errors import WarehouseError
from profiles_pipeline.sql import copied, nodes_of

Value = str | int | float | Decimal | datetime | date | bool | None

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


_MORE_KEYWORDS = frozenset(
    [
        "anti",
        "asc",
        "asof",
        "at",
        "authorization",
        "binary",
        "by",
        "check",
        "collation",
        "concurrently",
        "create",
        "cross",
        "desc",
        "describe",
        "end",
        "false",
        "freeze",
        "full",
        "glob",
        "group",
        "ilike",
        "in",
        "inner",
        "is",
        "isnull",
        "join",
        "lambda",
        "lateral",
        "left",
        "like",
        "natural",
        "notnull",
        "outer",
        "overlaps",
        "pivot",
        "pivot_longer",
        "pivot_wider",
        "positional",
        "qualify",
        "right",
        "semi",
        "show",
        "similar",
        "summarize",
        "tablesample",
        "true",
        "unpack",
        "unpivot",
        "verbose",
    ]
)
"""Words that DuckDB 2.0 does not take for a column somewhere in a query, beyond those sqlglot knows."""


class _DuckDB(DuckDBGenerator):
    """DuckDB from 2.0 reads ``lambda x: ...`` and refuses the arrow; columns named as keywords are quoted."""

    RESERVED_KEYWORDS = DuckDBGenerator.RESERVED_KEYWORDS | _MORE_KEYWORDS

    def lambda_sql(self, expression: exp.Lambda, arrow_sep: str = "->", wrap: bool = True) -> str:
        expression.set("colon", True)
        return super().lambda_sql(expression, arrow_sep, wrap)


class _Plain(_DuckDB):
    """Text to be read again: an arrow within a call could be a lambda, a function is none."""

    TRANSFORMS: ClassVar = {
        **_DuckDB.TRANSFORMS,
        exp.JSONExtract: lambda self, node: self.func("JSON_EXTRACT", node.this, node.expression),
        exp.JSONExtractScalar: lambda self, node: self.func("JSON_EXTRACT_STRING", node.this, node.expression),
    }

    def parsejson_sql(self, expression: exp.ParseJSON) -> str:
        """Write what gives NULL for a text that is no document as the cast that it is, not as a test and a cast."""
        if not expression.args.get("safe"):
            return super().parsejson_sql(expression)
        return f"TRY_CAST(CAST({self.sql(expression, 'this')} AS TEXT) AS JSON)"


def render(tree: exp.Expr, dialect: str, pretty: bool = True) -> str:
    """Return the SQL text of `tree` in the dialect of that capability record. The same tree gives the same text.

    Raises:
        WarehouseError: of something for which nothing stands there, as far as that is known here.
    """
    engine = spoken(dialect)
    generator = _generator(dialect, pretty, ErrorLevel.IGNORE)
    if engine is None or (isinstance(tree, exp.Table) and engine.keeps_relations):
        return generator.generate(copied(tree), copy=False)
    made = engine.rewrite(copied(tree) if isinstance(tree, exp.Table) else _canonical(tree, engine))
    if isinstance(tree, exp.Create) and (said := _said_of(tree)):
        made.set("properties", exp.Properties(expressions=said))
    text = generator.generate(made, copy=False)
    if engine.calls is not None:
        _refuse(text, generator.unsupported_messages, engine, dialect)
    return text


def _said_of(tree: exp.Create) -> list[exp.Expr]:
    """Return what is said of a relation, where the canonical dialect has no word for it and its engine has."""
    found = tree.args.get("properties") or exp.Properties()
    said: list[exp.Expr] = [each.copy() for each in found.find_all(exp.CopyGrantsProperty, exp.TransientProperty)]
    if any(isinstance(each, exp.TransientProperty) for each in said):
        said.append(exp.Property(this=exp.var("DATA_RETENTION_TIME_IN_DAYS"), value=exp.Literal.number(0)))
    return said


def _refuse(text: str, unsupported_messages: list[str], engine: Spoken, dialect: str) -> None:
    """Refuse what an engine that nobody asks does not know."""
    for said in unsupported_messages:
        raise WarehouseError(f"cannot be said in {engine.people_say}: {said}", text)
    try:
        Dialect.get_or_raise(dialect).parse(text)
    except ParseError as error:
        told = error.errors[0].get("description") if error.errors else error
        raise WarehouseError(f"cannot be said in {engine.people_say}: {told}", text) from error
    for name in unknown_calls(text, dialect, engine.calls or frozenset()):
        raise WarehouseError(f"cannot be said in {engine.people_say}: nothing there stands for {name}", text)


class Texts:
    """The SQL texts of trees that are not changed any more, each written once and laid out for people."""

    def __init__(self, dialect: str) -> None:
        """Write in the dialect of that capability record."""
        self.dialect = dialect
        self._written: dict[int, tuple[exp.Expr, str]] = {}

    def __call__(self, tree: exp.Expr) -> str:
        """Return the text of a tree."""
        if id(tree) not in self._written:  # trees that are held are not taken for others
            self._written[id(tree)] = tree, render(tree, self.dialect)
        return self._written[id(tree)][1]


def unsupported(tree: exp.Expr, dialect: str) -> tuple[str, ...]:
    """Return what of `tree` the dialect cannot say, as sentences; empty when all of it can be said."""
    generator = _generator(dialect, False, ErrorLevel.IGNORE)
    generator.generate(tree)
    return tuple(dict.fromkeys(generator.unsupported_messages))


def identifier(name: str, dialect: str) -> str:
    """Return `name` quoted for the dialect, so that it keeps its spelling; where names without quotes are in upper
    case, it is too."""
    return exp.to_identifier(spelled(name, dialect), quoted=True).sql(dialect=capabilities(dialect).sqlglot_dialect)


def spelled(name: str, dialect: str) -> str:
    """Return what a relation or column is called that was made under `name`."""
    able = capabilities(dialect)
    folded = upper_case(name) if able.identifier_case == "upper" else name
    return folded if spoken(dialect) is None else fitted(folded, able.max_identifier_length)


def literal(value: Value, dialect: str) -> str:
    """Return the SQL literal of a Python value. A datetime with a time zone is converted to UTC first."""
    return render(literal_tree(value), dialect, pretty=False)


def literal_tree(value: Value) -> exp.Expr:
    """Return the tree of a literal: times as casts of ISO texts, in UTC and without a zone."""
    if isinstance(value, datetime):
        moment = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return exp.cast(exp.Literal.string(moment.isoformat(sep=" ")), exp.DType.TIMESTAMP)
    if isinstance(value, date):
        return exp.cast(exp.Literal.string(value.isoformat()), exp.DType.DATE)
    if isinstance(value, bool) or value is None:
        return exp.convert(value)
    if isinstance(value, str):
        return exp.Literal.string(value)
    return _number(value)


def _number(value: int | float | Decimal) -> exp.Expr:
    text = str(value)
    if not re.fullmatch(r"-?[0-9.]+([eE][+-]?[0-9]+)?", text):
        return exp.cast(exp.Literal.string(text), exp.DType.DOUBLE)
    number = exp.Literal.number(text.removeprefix("-"))
    tree: exp.Expr = exp.Neg(this=number) if text.startswith("-") else number
    return exp.cast(tree, exp.DType.DOUBLE) if isinstance(value, float) and "e" not in text.lower() else tree


def _canonical(tree: exp.Expr, engine: Spoken) -> exp.Expr:
    """Return what DuckDB is given: what it does not have is spelled out in what it has."""
    text = _Plain(dialect="duckdb", unsupported_level=ErrorLevel.IGNORE).generate(copied(tree), copy=False)
    try:
        (canonical,) = Dialect.get_or_raise("duckdb").parse(text)
    except ParseError as error:
        told = error.errors[0].get("description") if error.errors else error
        raise WarehouseError(f"cannot be said in {engine.people_say}: {told}", text) from error
    assert canonical is not None
    for node in nodes_of(canonical, exp.UnixToTime):
        if is_time(node.this):  # EPOCH_MS has two meanings, of which the parser knows one
            node.replace(exp.Anonymous(this="EPOCH_MS", expressions=[node.this]))
    return canonical


def helper_statements(dialect: str, schema: str) -> tuple[str, ...]:
    """Return what has to be run once in a schema before rendered SQL can be: functions that it calls."""
    engine = spoken(dialect)
    return () if engine is None else engine.helpers(schema)


def canonical_type(name: str, dialect: str) -> str:
    """Return a type, as a warehouse names it, in the spelling of the canonical dialect."""
    engine = spoken(dialect)
    return name if engine is None else engine.canonical_type(name)


def _generator(dialect: str, pretty: bool, level: ErrorLevel) -> Generator:
    engine = spoken(dialect)
    text = _DuckDB if engine is None else engine.text
    return text(dialect=capabilities(dialect).sqlglot_dialect, pretty=pretty, unsupported_level=level)
