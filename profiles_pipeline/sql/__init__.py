"""User SQL as trees: reading, translating, binding time, asking questions and building. Pure functions on sqlglot."""

from profiles_pipeline.sql.analysis import (
    ROWS,
    aggregate_names,
    column_names,
    columns_of_rows,
    correlated,
    external_tables,
    function_names,
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
    unqualified,
    written_name,
)
from profiles_pipeline.sql.build import build, wrapped
from profiles_pipeline.sql.columns import NOTHING as NOTHING_KNOWN
from profiles_pipeline.sql.columns import UNKNOWN as UNKNOWN_COLUMNS
from profiles_pipeline.sql.columns import Columns, Known, columns_of
from profiles_pipeline.sql.copying import canonical_text, copied
from profiles_pipeline.sql.kinds import dtype
from profiles_pipeline.sql.reading import (
    READ_AS,
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
from profiles_pipeline.sql.rewrites.row import STANDS_IN
from profiles_pipeline.sql.rewrites.texts import text_of
from profiles_pipeline.sql.rewrites.variants import beside
from profiles_pipeline.sql.signs import Sign, signs_in, signs_of_table
from profiles_pipeline.sql.signs import agreed as agreed_dialects
from profiles_pipeline.sql.signs import named as named_dialect
from profiles_pipeline.sql.times import bind_time
from profiles_pipeline.sql.walking import nodes_of, transformed

__all__ = [
    "NOTHING_KNOWN",
    "READ_AS",
    "ROWS",
    "STANDS_IN",
    "UNKNOWN_COLUMNS",
    "Columns",
    "Known",
    "Reading",
    "Sign",
    "aggregate_names",
    "agreed_dialects",
    "beside",
    "bind_time",
    "build",
    "canonical_text",
    "column_names",
    "columns_of",
    "columns_of_rows",
    "copied",
    "correlated",
    "default_frame",
    "dtype",
    "external_tables",
    "function_names",
    "has_subquery",
    "has_window",
    "is_aggregate",
    "is_aggregate_call",
    "is_deterministic",
    "named_dialect",
    "needs_window",
    "nodes_of",
    "null_on_empty",
    "parse_condition",
    "parse_expression",
    "parse_expressions",
    "parse_frame",
    "parse_order_by",
    "parse_query",
    "parse_statements",
    "signs_in",
    "signs_of_table",
    "split_symbol",
    "substitute",
    "symbol_kind",
    "symbols",
    "text_of",
    "transformed",
    "unfamiliar_calls",
    "unqualified",
    "wrapped",
    "written_name",
]
