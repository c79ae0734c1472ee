"""Pure questions about trees: what they name, what they compute, what they depend on.

A symbolic identifier is a quoted identifier ``kind:rest`` such as ``"ref:inputs/orders"``; it stands for a relation, a
var or a row until it is substituted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeGuard

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect

from profiles_pipeline.names import safe_identifier
from profiles_pipeline.sql.build import put
from profiles_pipeline.sql.copying import copied
from profiles_pipeline.sql.kinds import choices
from profiles_pipeline.sql.times import clock_type
from profiles_pipeline.sql.walking import nodes_of

ROWS = "r"
"""What the FROM that a var is computed in calls the rows of its source."""

_SYMBOL = re.compile(r"([a-z][a-z_]*):.+", re.DOTALL)

_WINDOW_ONLY = (
    exp.FirstValue, exp.LastValue, exp.NthValue, exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist,
    exp.Ntile, exp.Lag, exp.Lead,
)  # fmt: skip
_WINDOW_ONLY_NAMES = frozenset({"RATIO_TO_REPORT", "CONDITIONAL_TRUE_EVENT", "CONDITIONAL_CHANGE_EVENT"})

_AGGREGATE_NAMES = frozenset(
    {
        "APPROX_TOP_K", "ARG_MAX", "ARG_MAX_NULL", "ARG_MIN", "ARG_MIN_NULL", "ARRAY_UNION_AGG", "BITAND_AGG",
        "BITMAP_CONSTRUCT_AGG", "BITOR_AGG", "BITXOR_AGG", "BIT_AND", "BIT_OR", "BIT_XOR", "BOOL_AND", "BOOL_OR",
        "COUNT_STAR", "ENTROPY", "EVERY", "FAVG", "FIRST", "FSUM", "GEOMEAN", "HASH_AGG", "HISTOGRAM", "HLL",
        "HLL_ACCUMULATE", "HLL_COMBINE", "HLL_ESTIMATE", "JSON_GROUP_ARRAY", "JSON_GROUP_OBJECT",
        "JSON_GROUP_STRUCTURE", "KURTOSIS", "KURTOSIS_POP", "LAST", "LIST", "LISTAGG", "LOGICAL_AND", "LOGICAL_OR",
        "MAD", "MAX_BY", "MIN_BY", "OBJECT_AGG", "PRODUCT", "QUANTILE", "QUANTILE_CONT", "QUANTILE_DISC",
        "REGR_AVGX", "REGR_AVGY", "REGR_COUNT", "REGR_INTERCEPT", "REGR_R2", "REGR_SLOPE", "REGR_SXX", "REGR_SXY",
        "REGR_SYY", "RESERVOIR_QUANTILE", "SEM", "SKEW", "SKEWNESS", "STRING_AGG", "SUMKAHAN",
    }
)  # fmt: skip
_NULL_ON_EMPTY_NAMES = frozenset({"ARG_MIN_NULL", "ARG_MAX_NULL", "QUANTILE_CONT", "QUANTILE_DISC"})

_RANDOM = (
    exp.Rand, exp.Randn, exp.Uuid, exp.Uniform, exp.Randstr, exp.Zipf, exp.Normal, exp.Seq1, exp.Seq2, exp.Seq4,
    exp.Seq8,
)  # fmt: skip
_RANDOM_NAMES = frozenset(
    {
        "RANDOM", "RAND", "RANDSTR", "UNIFORM", "UUID", "GEN_RANDOM_UUID", "GENERATE_UUID", "UUID_STRING", "SEQ1",
        "SEQ2", "SEQ4", "SEQ8", "NEXTVAL",
    }
)  # fmt: skip

_NULL_ON_EMPTY = (
    exp.Sum, exp.Min, exp.Max, exp.Avg, exp.AnyValue, exp.Median, exp.Mode, exp.ArgMin, exp.ArgMax, exp.Stddev,
    exp.StddevPop, exp.StddevSamp, exp.Variance, exp.VariancePop, exp.PercentileCont, exp.PercentileDisc, exp.Quantile,
    exp.ApproxQuantile, exp.LogicalOr, exp.LogicalAnd, exp.Corr, exp.CovarPop, exp.CovarSamp, exp.Kurtosis,
    exp.Skewness, exp.First, exp.Last, exp.BitwiseAndAgg, exp.BitwiseOrAgg, exp.BitwiseXorAgg,
)  # fmt: skip
_CALL_PARTS = (exp.Filter, exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls)
_STRICT = (
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE,
    exp.DPipe, exp.Like, exp.ILike, exp.RegexpLike, exp.Between, exp.Neg, exp.Not, exp.Paren, exp.Cast, exp.TryCast,
    exp.Abs, exp.Ceil, exp.Floor, exp.Round, exp.Trunc, exp.Sqrt, exp.Ln, exp.Exp, exp.Pow, exp.Sign, exp.Lower,
    exp.Upper, exp.Trim, exp.Length, exp.Substring, exp.Left, exp.Right, exp.Replace, exp.DateDiff, exp.TimestampDiff,
    exp.DatetimeDiff, exp.DateAdd, exp.DateSub, exp.TimestampAdd, exp.DateTrunc, exp.TimestampTrunc, exp.Extract,
    exp.TsOrDsToDate, exp.TimeToStr, exp.StrToTime, exp.SHA, exp.MD5, exp.ArraySize, exp.Filter, exp.WithinGroup,
    exp.IgnoreNulls, exp.RespectNulls,
)  # fmt: skip


def symbol_kind(name: str) -> str | None:
    """Return ``kind`` of a symbolic identifier ``kind:rest``, else None."""
    match = _SYMBOL.fullmatch(name)
    return match[1] if match else None


def split_symbol(name: str) -> tuple[str, str]:
    """Return ``kind`` and ``rest`` of a symbolic identifier ``kind:rest``; two empty texts for any other name."""
    kind = symbol_kind(name)
    return (kind, name.removeprefix(f"{kind}:")) if kind else ("", "")


def symbols(tree: exp.Expr) -> dict[str, frozenset[str]]:
    """Return the symbolic identifiers of `tree`, whole (``ref:inputs/x``), by their kind."""
    found: dict[str, set[str]] = {}
    for node in nodes_of(tree, exp.Identifier):
        kind = _symbolic(node) and symbol_kind(node.name)
        if kind:
            found.setdefault(kind, set()).add(node.name)
    return {kind: frozenset(names) for kind, names in found.items()}


def substitute(tree: exp.Expr, mapping: Mapping[str, exp.Expr]) -> exp.Expr:
    """Return a copy of `tree` with symbolic identifiers replaced by what `mapping` gives for them.

    A column takes any value expression (in brackets where needed); the qualifier of a column takes an identifier or
    the name of a table; a table takes a table or a query and keeps its alias. A table without an alias that is used as
    a qualifier, or that becomes a sub-query, gets one. Symbols without an entry stay.
    """
    root = exp.Tuple(expressions=[copied(tree)])
    for node in nodes_of(root, exp.Identifier):
        value = mapping.get(node.name) if _symbolic(node) else None
        parent = node.parent
        if value is None or parent is None:
            continue
        if isinstance(parent, exp.Column) and node.arg_key == "this" and not parent.args.get("table"):
            put(parent, copied(value))
        elif isinstance(parent, exp.Table):
            parent.replace(_relation(parent, value))
        else:
            node.replace(_qualifier(node.name, value))
    replaced: exp.Expr = root.expressions[0]
    return replaced.pop()


def column_names(tree: exp.Expr) -> frozenset[str]:
    """Return the unqualified columns that `tree` reads, as written. Symbols, parameters of lambdas and whatever
    stands inside sub-queries do not count."""
    bound = {param.name.lower() for node in nodes_of(tree, exp.Lambda) for param in node.expressions}
    return frozenset(
        column.name
        for column in nodes_of(tree, exp.Column)
        if isinstance(column.this, exp.Identifier)
        and not column.args.get("table")
        and not _symbolic(column.this)
        and column.name.lower() not in bound
        and not _inside_query(column, tree)
    )


def columns_of_rows(tree: exp.Expr) -> frozenset[str]:
    """Return the columns that an expression over the rows of one source reads: of ``a.b``, a field of a struct, ``a``,
    unless a table in the expression has that name."""
    tables = {table.alias_or_name.lower() for table in nodes_of(tree, exp.Table, exp.Subquery, exp.CTE)}
    roots = (column.parts[0] for column in nodes_of(tree, exp.Column) if column.args.get("table"))
    structs = {root.name for root in roots if not _symbolic(root) and root.name.lower() not in tables}
    return column_names(tree) | structs


def unqualified(tree: exp.Expr, name: str) -> exp.Expr:
    """Return `tree` with columns written ``name.column`` as just ``column``; sub-queries stay as they are.

    Changes the tree in place.
    """
    for column in nodes_of(tree, exp.Column):
        if column.table.lower() == name.lower() and not column.args.get("db") and not _inside_query(column, tree):
            column.set("table", None)
    return tree


def correlated(tree: exp.Expr, name: str) -> exp.Expr:
    """Return `tree` with the columns of the row at hand that its sub-queries read as columns of `ROWS`.

    These are written ``name.column``, where no table of the sub-query has that name, or are ``row:`` symbols. They stay
    as they are where the sub-query calls a table of its own `ROWS`. Changes the tree in place.
    """
    for column in nodes_of(tree, exp.Column):
        is_symbol = symbol_kind(column.name) == "row" and not column.table
        if not _inside_query(column, tree) or not (is_symbol or _belongs_to(column, name)):
            continue
        taken = _tables_in_sight(column, tree)
        if ROWS not in taken and (is_symbol or name.lower() not in taken):
            if not is_symbol:
                column.set("this", exp.to_identifier(f"row:{name}/{column.name}", quoted=True))
            column.set("table", exp.to_identifier(ROWS))
    return tree


def _belongs_to(column: exp.Column, name: str) -> bool:
    whose = column.table.lower() == name.lower() and not column.args.get("db")
    return whose and isinstance(column.this, exp.Identifier)


def _tables_in_sight(node: exp.Expr, root: exp.Expr) -> set[str]:
    """Return the lower-case names of the tables that the queries between `node` and `root` read."""
    found: set[str] = set()
    while node is not root and node.parent is not None:
        node = node.parent
        if isinstance(node, exp.Select):
            sources = [node.args.get("from_"), *node.args.get("joins", ()), *node.args.get("laterals", ())]
            tables = [s.this if isinstance(s, exp.From | exp.Join) else s for s in sources if s is not None]
            found |= {table.alias_or_name.lower().rpartition("/")[2] for table in tables}
    return found


def is_aggregate(tree: exp.Expr) -> bool:
    """Return whether `tree` has an aggregate that is not a window's function and not inside a sub-query."""
    return any(is_aggregate_call(node) and not _inside_query(node, tree) for node in tree.walk())


def unfamiliar_calls(tree: exp.Expr) -> tuple[str, ...]:
    """Return the names of the functions that `tree` calls and that nothing is known of, as written."""
    calls = nodes_of(tree, exp.Anonymous)
    return tuple(call.name for call in calls if call.name.upper() not in {*_AGGREGATE_NAMES, *_WINDOW_ONLY_NAMES})


def aggregate_names() -> frozenset[str]:
    """Return the names of the aggregates that are known, in lower case."""
    known = (name for cls in exp.ALL_FUNCTIONS if issubclass(cls, exp.AggFunc) for name in cls.sql_names())
    return frozenset(name.lower() for name in (*known, *_AGGREGATE_NAMES))


def function_names(dialect: str) -> frozenset[str]:
    """Return the names of the functions that a dialect is known to have, in lower case; syntax like CAST too."""
    parser = Dialect.get_or_raise(dialect).parser_class
    return frozenset(name.lower() for name in (*parser.FUNCTIONS, *parser.FUNCTION_PARSERS))


def needs_window(tree: exp.Expr) -> bool:
    """Return whether `tree` calls a function such as ``first_value`` or ``rank`` without a window."""
    return any(_is_window_only(node) and not _windowed(node) and not _inside_query(node, tree) for node in tree.walk())


def has_window(tree: exp.Expr) -> bool:
    """Return whether `tree` has a window, sub-queries aside."""
    return any(not _inside_query(node, tree) for node in nodes_of(tree, exp.Window))


def has_subquery(tree: exp.Expr) -> bool:
    """Return whether a query stands inside `tree`."""
    return any(node is not tree for node in nodes_of(tree, exp.Select, exp.SetOperation))


def written_name(table: exp.Table) -> str:
    """Return the name of a table as SQL text says it, quotes kept where they matter."""
    return ".".join(part.sql() for part in table.parts)


def external_tables(query: exp.Expr) -> tuple[exp.Table, ...]:
    """Return the tables of `query` that are neither symbolic nor common table expressions in sight nor functions."""
    return tuple(
        table
        for table in nodes_of(query, exp.Table)
        if isinstance(table.this, exp.Identifier) and not _symbolic(table.this) and not _names_cte(table)
    )


def is_deterministic(tree: exp.Expr) -> bool:
    """Return whether `tree` gives the same answer each time: it draws no random values and asks no clock."""
    return not any(
        isinstance(node, _RANDOM)
        or clock_type(node) is not None
        or (isinstance(node, exp.Anonymous) and node.name.upper() in _RANDOM_NAMES)
        for node in tree.walk()
    )


def null_on_empty(tree: exp.Expr) -> bool:
    """Return whether the aggregate expression is NULL over no rows for sure; False when it is not or may not be."""
    if isinstance(tree, (exp.Null, *_NULL_ON_EMPTY)):
        return True
    if isinstance(tree, exp.Coalesce | exp.Case | exp.If):
        return all(null_on_empty(result) for result in choices(tree))
    if isinstance(tree, exp.Nullif | exp.Filter | exp.WithinGroup):
        return null_on_empty(tree.this)
    if isinstance(tree, exp.Anonymous):
        return tree.name.upper() in _NULL_ON_EMPTY_NAMES
    return isinstance(tree, _STRICT) and any(null_on_empty(child) for child in tree.iter_expressions())


def _symbolic(node: exp.Expr | None) -> TypeGuard[exp.Identifier]:
    return isinstance(node, exp.Identifier) and bool(node.args.get("quoted")) and symbol_kind(node.name) is not None


def _relation(table: exp.Table, value: exp.Expr) -> exp.Expr:
    query = isinstance(value, exp.Select | exp.SetOperation)
    relation = exp.Subquery(this=copied(value)) if query else copied(value)
    for key, arg in table.args.items():
        if arg and key not in {"this", "db", "catalog"}:
            relation.set(key, arg)
    if query and not relation.args.get("alias"):
        relation.set("alias", exp.TableAlias(this=_qualifier(table.name, value)))
    return relation


def _qualifier(symbol: str, value: exp.Expr) -> exp.Identifier:
    if isinstance(value, exp.Identifier):
        return value.copy()
    if isinstance(value, exp.Table | exp.Subquery) and value.alias:
        return exp.to_identifier(value.alias, quoted=True)
    if isinstance(value, exp.Table | exp.Column) and isinstance(value.this, exp.Identifier):
        return value.this.copy()
    return exp.to_identifier(safe_identifier(symbol), quoted=True)


def _inside_query(node: exp.Expr, root: exp.Expr) -> bool:
    """Return whether a query lies between `node` and `root`; a root that is itself a query does not count."""
    parent = node.parent
    while parent is not None and node is not root:
        if isinstance(parent, exp.Query) and parent is not root:
            return True
        if parent is root:
            return False
        parent = parent.parent
    return False


def is_aggregate_call(node: exp.Expr) -> bool:
    """Return whether `node` itself calls an aggregate that is not a window's function."""
    known = isinstance(node, exp.AggFunc) and not isinstance(node, _WINDOW_ONLY)
    named = isinstance(node, exp.Anonymous | exp.AnonymousAggFunc) and node.name.upper() in _AGGREGATE_NAMES
    return (known or named) and not _windowed(node)


def _is_window_only(node: exp.Expr) -> bool:
    named = isinstance(node, exp.Anonymous) and node.name.upper() in _WINDOW_ONLY_NAMES
    return named or isinstance(node, _WINDOW_ONLY)


def _windowed(node: exp.Expr) -> bool:
    parent = node.parent
    while isinstance(parent, _CALL_PARTS) and node.arg_key == "this":
        node, parent = parent, parent.parent
    return isinstance(parent, exp.Window) and node.arg_key == "this"


def _names_cte(table: exp.Table) -> bool:
    if table.args.get("db"):
        return False
    name = table.name.lower()
    node: exp.Expr = table
    while (parent := node.parent) is not None:
        if isinstance(parent, exp.With):
            visible = parent.expressions if parent.args.get("recursive") else parent.expressions[: node.index]
        else:
            with_ = parent.args.get("with_")
            visible = with_.expressions if with_ is not None and with_ is not node else []
        if any(cte.alias.lower() == name for cte in visible):
            return True
        node = parent
    return False
