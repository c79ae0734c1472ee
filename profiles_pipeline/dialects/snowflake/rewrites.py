"""What the canonical dialect says and Snowflake says otherwise: one table of small rewrites of trees.

They work on what DuckDB would be given, so that there is one dialect to come from: what a tree of another origin means
on DuckDB has been settled before.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from profiles_pipeline.dialects.rewriting import Rewrite, by_type, inside_filter, pairs_in_query, rewritten
from profiles_pipeline.dialects.rewriting import call as _call
from profiles_pipeline.dialects.snowflake import documents, rows, texts, times
from profiles_pipeline.dialects.snowflake.firsts import belongs_to_first, over_the_group
from profiles_pipeline.dialects.snowflake.types import present
from profiles_pipeline.sql import build, nodes_of


def in_snowflake(tree: exp.Expr) -> exp.Expr:
    """Return a tree of the canonical dialect as one for Snowflake. Changes the tree in place."""
    _fold_names(tree)
    return rewritten(tree, _BY_TYPE)


# --- names ----------------------------------------------------------------------------------------------------------


def folded(name: str) -> str:
    """Return a name as it is found without quotes."""
    return name.upper()


def _fold_names(tree: exp.Expr) -> None:
    """Spell names in upper case, which is how they are found without quotes.

    The names of a relation in a database are those that the server knows it by; keys of structs are values.
    """
    for name in nodes_of(tree, exp.Identifier):
        parent = name.parent
        if isinstance(parent, exp.Table) and parent.args.get("catalog") is not None and name.arg_key != "alias":
            continue
        if isinstance(parent, exp.Anonymous | exp.Placeholder | exp.DataType | exp.Collate | exp.PropertyEQ):
            continue
        if isinstance(parent, exp.Var) or (isinstance(parent, exp.Dot) and name.arg_key == "expression"):
            continue
        name.set("this", folded(name.name))
        name.set("quoted", True)


# --- aggregates -----------------------------------------------------------------------------------------------------


def _if(condition: exp.Expr, value: exp.Expr) -> exp.Expr:
    return _call("IFF", condition.copy(), value, exp.Null())


def _filtered(node: exp.Expr) -> exp.Expr:
    """An aggregate with FILTER: of values that are NULL where the filter does not hold."""
    if not isinstance(node, exp.Filter) or belongs_to_first(node):
        return node
    where: exp.Expr = node.expression.this
    inner: exp.Expr = node.this
    if isinstance(inner, exp.Count) and isinstance(inner.this, exp.Star):
        return exp.CountIf(this=where)
    if isinstance(inner, exp.WithinGroup) and isinstance(inner.this, exp.PercentileCont | exp.PercentileDisc):
        key = inner.expression.expressions[0]
        key.set("this", _if(where, key.this))
        return inner
    _narrow(inner.this if isinstance(inner, exp.WithinGroup) else inner, where)
    return inner


def _narrow(aggregate: exp.Expr, where: exp.Expr) -> None:
    """Let an aggregate see NULL where a condition does not hold."""
    if isinstance(aggregate, exp.ArgMax | exp.ArgMin):
        aggregate.set("expression", _if(where, aggregate.expression))
        return
    if isinstance(aggregate, exp.Anonymous):
        place, position = aggregate, 0
        place.expressions[position].replace(_if(where, place.expressions[position].copy()))
        return
    holder, value = aggregate, aggregate.this
    if isinstance(value, exp.Order):
        holder, value = value, value.this
    if isinstance(value, exp.Distinct):
        for key in holder.expressions if isinstance(holder, exp.Order) else ():
            if key.this in value.expressions:  # distinct values are ordered by themselves only
                key.set("this", _if(where, key.this))
        value.set("expressions", [_if(where, item) for item in value.expressions])
    elif isinstance(value, exp.Expr):
        holder.set("this", _if(where, value))


def _extreme(node: exp.Expr) -> exp.Expr:
    """ARG_MAX(v, k): rows without a value or a key do not count."""
    if node.args.get("count") is not None or belongs_to_first(node):
        return node
    node.set("expression", _if(build(":v IS NOT NULL", v=node.this), node.expression))
    return node


def _extreme_or_null(args: list[exp.Expr], name: str) -> exp.Expr | None:
    """ARG_MAX_NULL(v, k): rows without a key do not count."""
    return _call(name, *args) if len(args) == 2 else None


def _any(node: exp.Expr) -> exp.Expr:
    """ANY_VALUE(x) and FIRST(x): one that is not NULL."""
    if belongs_to_first(node) or isinstance(node.this, exp.HavingMax):
        return node
    return exp.Min(this=node.this)


def _average(node: exp.Expr) -> exp.Expr:
    """AVG(x): the sum, which is exact for decimals, by the number of values."""
    call = node.this if isinstance(node, exp.Filter) else node
    if not isinstance(call, exp.Avg) or (call is node and inside_filter(node)):
        return node
    if isinstance(node.parent, exp.Window):
        call.set("this", exp.cast(call.this, "DOUBLE"))
        return node
    value = call.this
    if isinstance(node, exp.Filter):
        where = node.expression.this
        if isinstance(value, exp.Distinct):
            value.set("expressions", [_if(where, item) for item in value.expressions])
        else:
            value = _if(where, value)
    total = exp.cast(exp.Sum(this=value.copy()), "DOUBLE")
    count = exp.Count(this=value.copy(), big_int=True)
    return exp.Paren(this=exp.Div(this=total, expression=_call("NULLIF", count, exp.Literal.number(0))))


def _quantile(node: exp.Expr) -> exp.Expr:
    """QUANTILE_CONT(x, q): PERCENTILE_CONT within the group."""
    part = node.expression
    if part is None or isinstance(node.parent, exp.WithinGroup):
        return node
    part = part.this if isinstance(part, exp.Order) else part
    order = exp.Order(expressions=[exp.Ordered(this=exp.cast(node.this, "DOUBLE"), nulls_first=False)])
    return exp.WithinGroup(this=type(node)(this=part), expression=order)


def _known(node: exp.Expr) -> exp.Expr:
    """MIN leaves NULL out by itself."""
    return node.this if isinstance(node.this, exp.Min | exp.Max) else node


def _chance(_: exp.Expr) -> exp.Expr:
    """RANDOM(): a part of 1, made of a whole number of 64 bits."""
    return exp.Paren(this=build("RANDOM() / CAST('18446744073709551616' AS DOUBLE) + 0.5"))


def _mode(node: exp.Expr) -> exp.Expr:
    if isinstance(node.this, exp.Order):
        node.set("this", node.this.this)
    return node


def _listed_in_order(node: exp.Expr) -> exp.Expr:
    """LIST_SORT(ARRAY_AGG(DISTINCT x)): sorted while it is made."""
    made = node.this
    if not isinstance(made, exp.ArrayAgg) or not isinstance(made.this, exp.Distinct) or node.expression is not None:
        return node
    if node.args.get("asc") is not None or len(made.this.expressions) != 1:
        return node
    key = exp.Ordered(this=made.this.expressions[0].copy(), nulls_first=False)
    return exp.WithinGroup(this=made, expression=exp.Order(expressions=[key]))


# --- queries --------------------------------------------------------------------------------------------------------


def _named_query(node: exp.Expr) -> exp.Expr:
    node.set("materialized", None)
    return node


def _numbered(node: exp.Expr) -> exp.Expr:
    """ROW_NUMBER() OVER (): in whatever order."""
    if isinstance(node.this, exp.RowNumber) and node.args.get("order") is None:
        node.set("order", exp.Order(expressions=[exp.Ordered(this=exp.Null())]))
    return node


# --- numbers --------------------------------------------------------------------------------------------------------


def _division(node: exp.Expr) -> exp.Expr:
    """a / b: of floating point numbers, since decimals keep six digits."""
    if not (isinstance(node.this, exp.Cast) and node.this.args["to"].is_type("double")):
        node.set("this", exp.cast(node.this.unnest() if isinstance(node.this, exp.Paren) else node.this, "DOUBLE"))
    return node


def _whole_division(node: exp.Expr) -> exp.Expr:
    divided = build("(:a - MOD(:a, :b)) / :b", a=node.this, b=node.expression)
    return exp.cast(divided, "BIGINT")


def _type(node: exp.Expr) -> exp.Expr:
    assert isinstance(node, exp.DataType)
    return present(node)


def _try_cast(node: exp.Expr) -> exp.Expr:
    """TRY_CAST(x AS t): only texts can be tried."""
    kind = node.args["to"]
    text = exp.cast(node.this, "TEXT")
    if kind.is_type("variant"):
        return _call("TRY_PARSE_JSON", text)
    if kind.is_type("text", "varchar"):
        return text
    return exp.TryCast(this=text, to=kind)


def _cast(node: exp.Expr) -> exp.Expr:
    """CAST of moments to times, and of texts to documents."""
    if not isinstance(node, exp.Cast) or isinstance(node, exp.TryCast):
        return node
    kind, value = node.args["to"], node.this
    if kind.is_type("variant") and documents.is_text(value):
        return exp.ParseJSON(this=value)
    if kind.is_type("timestamp", "timestampntz") and times.is_moment(value):
        node.set("this", times.in_utc(value))
    return node


def _attempt(node: exp.Expr) -> exp.Expr:
    """TRY(CAST(x AS t)) is TRY_CAST; nothing else can be tried."""
    if isinstance(node.this, exp.Cast):
        return _try_cast(exp.TryCast(this=node.this.this, to=node.this.args["to"]))
    return node


def _by_name(node: exp.Expr) -> exp.Expr:
    rewrite = _CALLS.get(node.name.upper())
    return (rewrite(node.expressions) if rewrite is not None else None) or node


_CALLS: dict[str, Callable[[list[exp.Expr]], exp.Expr | None]] = {
    **documents.CALLS,
    **texts.CALLS,
    **times.CALLS,
    "ARG_MAX_NULL": lambda args: _extreme_or_null(args, "MAX_BY"),
    "ARG_MIN_NULL": lambda args: _extreme_or_null(args, "MIN_BY"),
}

REWRITES: tuple[Rewrite, ...] = (
    Rewrite("types", "those of the same values; lists, structs and maps are semi-structured", (exp.DataType,), _type),
    Rewrite("AVG", "SUM by COUNT, as DOUBLE", (exp.Filter, exp.Avg), _average),
    Rewrite("ARG_MAX, ARG_MIN", "MAX_BY, MIN_BY of rows that have a value", (exp.ArgMax, exp.ArgMin), _extreme),
    Rewrite("FIRST, ANY_VALUE", "MIN", (exp.First, exp.AnyValue), _any),
    Rewrite("IGNORE NULLS of MIN", "MIN", (exp.IgnoreNulls,), _known),
    Rewrite(
        "QUANTILE_CONT, QUANTILE_DISC",
        "PERCENTILE_CONT, PERCENTILE_DISC",
        (exp.PercentileCont, exp.PercentileDisc),
        _quantile,
    ),
    Rewrite("RANDOM", "a part of 1", (exp.Rand,), _chance),
    Rewrite("MODE", "MODE; which one of several is not said", (exp.Mode,), _mode),
    Rewrite("FILTER", "IFF in the aggregate", (exp.Filter,), _filtered),
    Rewrite("LIST_SORT of distinct values", "WITHIN GROUP", (exp.SortArray,), _listed_in_order),
    Rewrite("MATERIALIZED", "nothing", (exp.CTE,), _named_query),
    Rewrite("ROW_NUMBER() OVER ()", "any order, said so", (exp.Window,), _numbered),
    Rewrite("division", "of DOUBLE", (exp.Div,), _division),
    Rewrite("whole division", "without the remainder", (exp.IntDiv,), _whole_division),
    Rewrite("pairs in a query", "a query with two columns", (exp.In,), pairs_in_query),
    *documents.REWRITES,
    *texts.REWRITES,
    *times.REWRITES,
    *rows.REWRITES,
    Rewrite("TRY_CAST", "TRY_CAST of a text", (exp.TryCast,), _try_cast),
    Rewrite("CAST", "moments in UTC; texts parsed to documents", (exp.Cast,), _cast),
    Rewrite("TRY of a cast", "TRY_CAST", (exp.Try,), _attempt),
    Rewrite("other functions", "by name", (exp.Anonymous,), _by_name),
    Rewrite("FIRST by an order, MAX of pairs", "FIRST_VALUE over the rows of the group", (exp.Select,), over_the_group),
)

_BY_TYPE = by_type(REWRITES)
