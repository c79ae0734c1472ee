"""User SQL as trees: reading, translating, binding time, asking questions and building. Pure functions on sqlglot."""

from profiles_pipeline.sql.analysis import (
    aggregate_names,
    column_names,
    external_tables,
    has_subquery,
    has_window,
    is_aggregate,
    is_aggregate_call,
    is_deterministic,
    needs_window,
    null_on_empty,
    split_symbol,
    substitute,
    symbol_kind,
    symbols,
    unfamiliar_calls,
)
from profiles_pipeline.sql.build import build, wrapped
from profiles_pipeline.sql.copying import copied
from profiles_pipeline.sql.reading import (
    Reading,
    default_frame,
    parse_condition,
    parse_expression,
    parse_expressions,
    parse_frame,
    parse_order_by,
    parse_query,
    parse_statements,
)
from profiles_pipeline.sql.times import bind_time

__all__ = [
    "Reading",
    "aggregate_names",
    "bind_time",
    "build",
    "column_names",
    "copied",
    "default_frame",
    "external_tables",
    "has_subquery",
    "has_window",
    "is_aggregate",
    "is_aggregate_call",
    "is_deterministic",
    "needs_window",
    "null_on_empty",
    "parse_condition",
    "parse_expression",
    "parse_expressions",
    "parse_frame",
    "parse_order_by",
    "parse_query",
    "parse_statements",
    "split_symbol",
    "substitute",
    "symbol_kind",
    "symbols",
    "unfamiliar_calls",
    "wrapped",
]
