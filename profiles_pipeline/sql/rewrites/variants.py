"""VARIANT among other values: JSON is compared, ordered and united as what it holds."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from profiles_pipeline.sql.build import build
from profiles_pipeline.sql.kinds import beside_in_arithmetic, choices, common_type, dtype, kind, typed
from profiles_pipeline.sql.rewrites.row import Rewrite, cast
from profiles_pipeline.sql.rewrites.semi_structured import WITH_PATHS, scalar, scalar_of, to_json

_COMPARISONS = (
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In, exp.Like, exp.ILike, exp.NullSafeEQ,
    exp.NullSafeNEQ,
)  # fmt: skip
_NUMBER_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In)
_ORDERINGS = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between)
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod)
_NUMERIC = (
    exp.Sum, exp.Avg, exp.Median, exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Variance, exp.VariancePop, exp.Abs,
    exp.Round, exp.Floor, exp.Ceil, exp.Sqrt, exp.Ln, exp.Pow, exp.Sign, exp.Neg,
)  # fmt: skip
_CHOICES = (exp.Coalesce, exp.Nullif, exp.Case, exp.If, exp.Nvl2, exp.DecodeCase, exp.Greatest, exp.Least)
_MIXED_CHOICES = (exp.Coalesce, exp.Case, exp.If, exp.Nvl2, exp.Greatest, exp.Least)
_LOGIC = (exp.And, exp.Or, exp.Not, exp.Where, exp.Having, exp.Qualify, exp.CountIf, exp.LogicalOr, exp.LogicalAnd)
_WINDOW_FUNCTIONS = (
    exp.FirstValue, exp.LastValue, exp.NthValue, exp.Lag, exp.Lead, exp.IgnoreNulls, exp.RespectNulls,
)  # fmt: skip
_UNIONS = (exp.Union, exp.Except, exp.Intersect)
_SORTABLE = """
    ROW(
      CASE WHEN JSON_TYPE(:value) IN ('BIGINT', 'UBIGINT', 'HUGEINT', 'DOUBLE') THEN CAST(:value AS DOUBLE) END,
      :value ->> '$'
    )
"""


def _operands(node: exp.Expr) -> list[list[exp.Expr]]:
    """Return the operands of a node in groups whose members stand beside each other: are compared, or are one value."""
    if isinstance(node, exp.DecodeCase):
        parts = node.expressions
        pairs, rest = parts[1:], parts[:1]
        results = [*pairs[1::2], *(pairs[-1:] if len(pairs) % 2 else [])]
        return [[*rest, *pairs[: len(pairs) // 2 * 2 : 2]], results]
    if isinstance(node, exp.Nvl2):
        return [[part for part in (node.args.get("true"), node.args.get("false")) if part is not None]]
    if isinstance(node, exp.Case) and node.this is not None:
        return [choices(node), [node.this, *(branch.this for branch in node.args["ifs"])]]
    return [choices(node) or list(node.iter_expressions())]


def _beside_scalars(node: exp.Expr) -> exp.Expr:
    for operands in _operands(node):
        _become_scalars(operands, isinstance(node, _ARITHMETIC))
    return node


def _become_scalars(operands: list[exp.Expr], in_arithmetic: bool) -> None:
    """Turn JSON into scalars where it stands beside what is not JSON, or in arithmetic."""
    values = [_value(operand) for operand in operands]
    kinds = {kind(value) for value in values}
    others = kinds - {"json", "null"}
    if "json" not in kinds or (not others and not in_arithmetic):
        return
    found = beside_in_arithmetic(values) if in_arithmetic else common_type(others)
    for value in values:
        if kind(value) == "json":
            made = scalar(value.copy()) if found is None else scalar_of(value.copy(), found)
            name = value.output_name if _is_projection(value) else ""
            value.replace(exp.alias_(made, name, quoted=True) if name else made)


def beside(value: exp.Expr, other: exp.Expr) -> exp.Expr:
    """Return a value as it is where it stands beside another: JSON as a scalar, unless the other is JSON too.

    Of a function of a window it is the argument that changes.
    """
    kinds = {kind(value), kind(other)}
    if kind(value) != "json" or kinds <= {"json", "null"}:
        return value
    if isinstance(value, _WINDOW_FUNCTIONS):
        inner = beside(value.this, other)
        value.set("this", inner)
        return typed(value, dtype(inner) or exp.DType.UNKNOWN)
    found = common_type(kinds)
    return scalar(value) if found is None else scalar_of(value, found)


def _value(operand: exp.Expr) -> exp.Expr:
    """Return what an operand stands for: of a query the value that it selects."""
    query = operand.this if isinstance(operand, exp.Any | exp.All) else operand
    query = query.unnest() if isinstance(query, exp.Subquery) else query
    if isinstance(query, exp.Select) and len(query.expressions) == 1 and not query.is_star:
        selected: exp.Expr = query.expressions[0]
        return selected.this if isinstance(selected, exp.Alias) else selected
    return operand


def _is_projection(value: exp.Expr) -> bool:
    return isinstance(value.parent, exp.Select) and value.arg_key == "expressions"


def _beside_scalars_in_union(node: exp.Expr) -> exp.Expr:
    """A column that is JSON in one of the united queries is JSON: VARIANT takes in any other type."""
    selects = list(_united(node))
    widths = {len(select.expressions) for select in selects}
    if len(widths) != 1 or any(select.is_star for select in selects):
        return node
    for column in zip(*(select.expressions for select in selects), strict=True):
        values = [item.unalias() for item in column]
        kinds = [kind(value) for value in values]
        if "json" not in kinds:
            continue
        for value, found in zip(values, kinds, strict=True):
            if found not in ("json", "null"):
                name = value.output_name if _is_projection(value) else ""
                made = to_json(value.copy())
                value.replace(exp.alias_(made, name, quoted=True) if name else made)
    return node


def _united(node: exp.Expr) -> Iterator[exp.Select]:
    if isinstance(node, exp.SetOperation):
        yield from _united(node.left)
        yield from _united(node.right)
    elif isinstance(node, exp.Subquery):
        yield from _united(node.this)
    elif isinstance(node, exp.Select):
        yield node


def sortable(node: exp.Expr) -> exp.Expr:
    """Return what a JSON value is ordered by: numbers by their value, all else by its text."""
    return build(_SORTABLE, value=node.this if isinstance(node, exp.Paren) else node)


def _in_order(node: exp.Expr) -> exp.Expr:
    """``order by v``; beside DISTINCT the key stays what is selected or collected, and so it does in unions."""
    holder = node.parent.parent if isinstance(node.parent, exp.Order) else None
    if kind(node.this) != "json" or isinstance(holder, exp.SetOperation):
        return node
    if isinstance(holder, exp.Select) and holder.args.get("distinct"):
        return node
    aggregate = holder.this if isinstance(holder, exp.WithinGroup) else holder
    if isinstance(aggregate, exp.PercentileCont):  # takes numbers alone
        return node
    value = node.parent if isinstance(aggregate, exp.AggFunc) and aggregate is holder else aggregate
    if not isinstance(getattr(value, "this", None), exp.Distinct):
        node.set("this", sortable(node.this))
    elif isinstance(aggregate, exp.GroupConcat):
        node.set("this", scalar(node.this))
    return node


def _compared(node: exp.Expr) -> exp.Expr:
    """``v < w``"""
    keys = [key for key in ("this", "expression", "low", "high") if isinstance(node.args.get(key), exp.Expr)]
    if all(kind(node.args[key]) == "json" for key in keys):
        for key in keys:
            node.set(key, sortable(node.args[key]))
    return node


def _extreme(node: exp.Expr) -> exp.Expr:
    """``max(v)``"""
    if kind(node.this) != "json" or isinstance(node.this, exp.Distinct) or node.expressions:
        return node
    found = exp.ArgMax if isinstance(node, exp.Max) else exp.ArgMin
    return typed(found(this=node.this, expression=sortable(node.this)), exp.DType.JSON)


def _numeric_operand(node: exp.Expr) -> exp.Expr:
    operand = node.this
    if kind(operand) == "json":
        node.set("this", scalar_of(operand, exp.DType.DOUBLE))
    elif kind(operand) == "text":
        node.set("this", cast(operand, exp.DType.DOUBLE))
    return node


def _text_beside_number(node: exp.Expr) -> exp.Expr:
    """``s > 5``: the text is read as a number; DuckDB does that for literals only."""
    operands = list(node.iter_expressions())
    kinds = {kind(_value(operand)) for operand in operands}
    if kinds == {"text", "number"}:
        for value in map(_value, operands):
            if kind(value) == "text" and not isinstance(value, exp.Literal) and not _is_projection(value):
                value.replace(cast(value.copy(), exp.DType.DOUBLE))
    return node


def _texts_beside_others(node: exp.Expr) -> exp.Expr:
    """``coalesce(s, 0)``, ``iff(c, s, t)``, ``s = true``: a text becomes what stands beside it."""
    for operands in _operands(node):
        values = [_value(operand) for operand in operands]
        others = {kind(value) for value in values} - {"text", "null"}
        if found := exp.DType.DATE if others == {"date"} else common_type(others):
            _texts_become(values, found)
    return node


def _texts_become(values: list[exp.Expr], found: exp.DType) -> None:
    """Cast the texts among some values; DuckDB reads literals as what stands beside them by itself."""
    for value in values:
        if kind(value) == "text" and not isinstance(value, exp.Literal) and not _is_projection(value):
            value.replace(cast(value.copy(), found))


def _arithmetic_on_text(node: exp.Expr) -> exp.Expr:
    kinds = {kind(node.this), kind(node.expression)}
    if "text" in kinds and kinds <= {"text", "number", None}:
        found = beside_in_arithmetic([node.this, node.expression])
        for operand in (node.this, node.expression):
            if kind(operand) == "text":
                operand.replace(cast(operand.copy(), found))
    return node


def _logic_operands(node: exp.Expr) -> exp.Expr:
    for operand in [child for child in node.iter_expressions() if kind(child) == "json"]:
        operand.replace(scalar_of(operand.copy(), exp.DType.BOOLEAN))
    return node


def _condition(node: exp.Expr) -> exp.Expr:
    """``iff(v, 1, 0)``, ``case when v then 1 end``"""
    compared = isinstance(node.parent, exp.Case) and node.parent.this is not None
    if kind(node.this) == "json" and not compared:
        node.set("this", scalar_of(node.this, exp.DType.BOOLEAN))
    return node


ROWS: tuple[Rewrite, ...] = (
    *(
        Rewrite("json-beside-scalars", source, "duckdb", (*_COMPARISONS, *_ARITHMETIC, *_CHOICES), _beside_scalars)
        for source in WITH_PATHS
    ),
    *(Rewrite("json-in-order", source, "duckdb", (exp.Ordered,), _in_order) for source in WITH_PATHS),
    *(Rewrite("json-compared", source, "duckdb", _ORDERINGS, _compared) for source in WITH_PATHS),
    *(Rewrite("extreme-json", source, "duckdb", (exp.Max, exp.Min), _extreme) for source in WITH_PATHS),
    *(Rewrite("json-in-union", source, "duckdb", _UNIONS, _beside_scalars_in_union) for source in WITH_PATHS),
    *(Rewrite("numbers-in-text", source, "duckdb", _NUMERIC, _numeric_operand) for source in WITH_PATHS),
    *(Rewrite("json-as-condition", source, "duckdb", _LOGIC, _logic_operands) for source in WITH_PATHS),
    *(Rewrite("json-as-condition", source, "duckdb", (exp.If,), _condition) for source in WITH_PATHS),
    Rewrite("text-beside-number", "snowflake", "duckdb", _NUMBER_COMPARISONS, _text_beside_number),
    Rewrite("text-beside-others", "snowflake", "duckdb", _MIXED_CHOICES, _texts_beside_others),
    Rewrite("text-beside-others", "databricks", "duckdb", (*_NUMBER_COMPARISONS, *_CHOICES), _texts_beside_others),
    *(
        Rewrite("arithmetic-on-text", source, "duckdb", _ARITHMETIC, _arithmetic_on_text)
        for source in ("snowflake", "databricks")
    ),
)
