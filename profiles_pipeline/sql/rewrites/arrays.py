"""Arrays: Snowflake's are untyped and count from 0, DuckDB's are typed lists and count from 1."""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline.sql.build import build
from profiles_pipeline.sql.kinds import collected, kind, typed
from profiles_pipeline.sql.rewrites.row import Rewrite, aggregate_of, cast, function, named
from profiles_pipeline.sql.rewrites.semi_structured import parsed_json, scalar, scalar_of, to_json

_LIST_FUNCTIONS = (
    exp.ArrayToString, exp.ArrayDistinct, exp.ArrayConcat, exp.ArrayAppend, exp.ArrayPrepend, exp.ArrayCompact,
    exp.ArraySlice, exp.ArrayMin, exp.ArrayMax, exp.ArrayIntersect, exp.ArrayExcept, exp.ArrayOverlaps, exp.SortArray,
    exp.ArrayPosition, exp.Flatten,
)  # fmt: skip
_TOP = """
    LIST_SLICE(
      LIST_SORT(
        LIST_TRANSFORM(MAP_ENTRIES(HISTOGRAM(:x)), LAMBDA entry : {'count': entry.value, 'value': entry.key}), 'DESC'
      ),
      1,
      :n
    )
"""
_TOP_SUMS = """
    LIST_TRANSFORM([LIST({'value': [:x], 'weight': :weight})], LAMBDA rows :
      LIST_TRANSFORM(
        LIST_SLICE(
          LIST_SORT(
            LIST_TRANSFORM(
              LIST_DISTINCT(LIST_TRANSFORM(rows, LAMBDA r : r['value'])),
              LAMBDA v : {
                'less': -LIST_SUM(LIST_TRANSFORM(LIST_FILTER(rows, LAMBDA r : r['value'] = v), LAMBDA r : r['weight'])),
                'value': v
              }
            )
          ),
          1,
          :n
        ),
        LAMBDA s : {'value': s['value'][1], 'sum': -s['less']}
      )
    )[1]
"""
_TOP_PAIRS = f"TO_JSON(LIST_TRANSFORM({_TOP}, LAMBDA pair : JSON_ARRAY(pair['value'], pair['count'])))"
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)
_ENDS: dict[type[exp.Expr], str] = {exp.FirstValue: "FIRST", exp.LastValue: "LAST", exp.Last: "LAST"}
_COLLECTORS = (exp.ArrayAgg, exp.ArrayUniqueAgg, exp.ArrayUnionAgg, exp.WithinGroup, exp.Filter, exp.Window)


def _size(node: exp.Expr) -> exp.Expr:
    if kind(node.this) == "list":
        return node
    size = "CASE WHEN JSON_TYPE(:array) = 'ARRAY' THEN JSON_ARRAY_LENGTH(:array) END"
    return typed(build(size, array=parsed_json(node.this)), exp.DType.BIGINT)


def _contains(node: exp.Expr) -> exp.Expr:
    array, value = node.this, node.expression
    if isinstance(array, exp.Literal):  # the order of Databricks
        array, value = value, array
    array = _of_column(array)
    if kind(array) == "json":
        return function("JSON_CONTAINS", array, to_json(value), dtype=exp.DType.BOOLEAN)
    return function("LIST_CONTAINS", array, value, dtype=exp.DType.BOOLEAN)


def _of_column(array: exp.Expr) -> exp.Expr:
    """Return a column as JSON: it holds lists, or texts of arrays. Vars hold lists."""
    if not isinstance(array, exp.Column):
        return array
    unknown = kind(array) is None and not array.name.startswith("var:")
    return cast(array, exp.DType.JSON) if unknown or kind(array) == "text" else array


def _list_operands(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.ArrayToString):
        node.set("this", _of_column(node.this))
    for operand in [child for child in node.iter_expressions() if kind(child) == "json"]:
        operand.replace(texts_of(operand.copy()))
    return node


def texts_of(array: exp.Expr) -> exp.Expr:
    """Return a JSON array as the list of the texts of its elements."""
    path = exp.JSONPath(expressions=[exp.JSONPathRoot(), exp.JSONPathSubscript(this=exp.JSONPathWildcard())])
    return typed(exp.JSONExtractScalar(this=array, expression=path, only_json_types=False), exp.DType.ARRAY)


def _index(node: exp.Expr) -> exp.Expr:
    index = _counted_from_zero(node.expressions[0]) if len(node.expressions) == 1 else None
    if isinstance(index, exp.Literal) and index is not node.expressions[0]:
        return exp.Bracket(this=node.this, expressions=[exp.Literal.number(int(index.name) + 1)], offset=1)
    if index is None or isinstance(index, exp.Literal | exp.Slice) or node.args.get("offset"):
        return node
    if kind(node.this) == "json":
        position = function("CONCAT", exp.Literal.string("$["), index, exp.Literal.string("]"))
        return function("JSON_EXTRACT", node.this, position, dtype=exp.DType.JSON)
    moved = exp.Add(this=exp.Paren(this=index) if isinstance(index, exp.Binary) else index, expression=_one())
    return exp.Bracket(this=node.this, expressions=[moved], offset=1)


def _counted_from_zero(index: exp.Expr) -> exp.Expr:
    """Return the position that ``OFFSET(i)``, ``SAFE_OFFSET(i)`` and ``ORDINAL(i)`` of BigQuery mean."""
    if not named(index, "OFFSET", "SAFE_OFFSET", "ORDINAL", "SAFE_ORDINAL"):
        return index
    position: exp.Expr = index.expressions[0]
    return position if "OFFSET" in index.name.upper() else exp.Sub(this=position, expression=_one())


def _one() -> exp.Expr:
    return exp.Literal.number(1)


def _collected(node: exp.Expr) -> exp.Expr:
    """NULLs are left out, no rows give an empty list, and distinct values are sorted so that the result is stable."""
    aggregate = aggregate_of(node)
    if not isinstance(aggregate, exp.ArrayAgg | exp.ArrayUniqueAgg | exp.ArrayUnionAgg):
        return node
    value, holds_json = aggregate.this, kind(collected(aggregate)) == "json"
    if holds_json and isinstance(aggregate, exp.ArrayUnionAgg):
        value = exp.Cast(this=value, to=exp.DataType.build("JSON[]", dialect="duckdb"))
    if isinstance(aggregate, exp.ArrayUniqueAgg):
        value = exp.Distinct(expressions=[value])
    if isinstance(value, exp.Distinct) and not _is_sorted(aggregate):
        value = exp.Order(this=value, expressions=[exp.Ordered(this=value.expressions[0].copy(), nulls_first=False)])
    call = exp.ArrayAgg(this=value)
    whole = _replaced(node, aggregate, call)
    kept = _without_nulls(whole, call)
    if isinstance(aggregate, exp.ArrayUnionAgg):
        kept = function("LIST_SORT", function("LIST_DISTINCT", function("FLATTEN", kept)))
    whole = typed(exp.Coalesce(this=kept, expressions=[exp.Array(expressions=[])]), exp.DType.ARRAY)
    return to_json(whole) if holds_json else whole


def _is_sorted(aggregate: exp.Expr) -> bool:
    return isinstance(aggregate.parent, exp.WithinGroup) or isinstance(aggregate.this, exp.Order)


def _replaced(whole: exp.Expr, old: exp.Expr, new: exp.Expr) -> exp.Expr:
    if whole is old:
        return new
    old.replace(new)
    return whole


def _without_nulls(whole: exp.Expr, call: exp.Expr) -> exp.Expr:
    value = call.this
    while isinstance(value, exp.Distinct | exp.Order | exp.Limit):
        value = value.expressions[0] if isinstance(value, exp.Distinct) else value.this
    present = exp.Not(this=exp.Is(this=value.copy(), expression=exp.null()))
    node = whole
    while not isinstance(node, exp.Filter) and node is not call:
        node = node.this
    if isinstance(node, exp.Filter):
        condition = node.expression.this
        node.expression.set("this", exp.and_(condition, present))
        return whole
    inner = call
    while inner is not whole and isinstance(inner.parent, exp.WithinGroup):
        inner = inner.parent
    filtered = exp.Filter(this=exp.null(), expression=exp.Where(this=present))
    result = filtered if inner is whole else whole
    if inner is not whole:
        inner.replace(filtered)
    filtered.set("this", inner)
    return result


def _first_few(node: exp.Expr) -> exp.Expr:
    """``array_agg(x ignore nulls order by y limit 1)``: DuckDB sorts inside the call but does not stop early."""
    aggregate = aggregate_of(node)
    limit = aggregate.this if isinstance(aggregate, exp.ArrayAgg) else None
    if not isinstance(limit, exp.Limit):
        return node
    call: exp.Expr = exp.ArrayAgg(this=limit.this)
    if isinstance(node, exp.IgnoreNulls):
        call = _without_nulls(call, call)
    whole = function("LIST_SLICE", call, _one(), limit.expression, dtype=exp.DType.ARRAY)
    return to_json(whole) if kind(collected(call)) == "json" else whole


def _present(node: exp.Expr) -> exp.Expr:
    """``array_agg(distinct x ignore nulls)``: a condition of its own, to which others can be added."""
    call = node.this
    if not isinstance(call, exp.ArrayAgg):
        return node
    if isinstance(call.this, exp.Distinct):
        key = exp.Ordered(this=call.this.expressions[0].copy(), nulls_first=False)
        call.set("this", exp.Order(this=call.this, expressions=[key]))
    return _without_nulls(call, call)


def _joined_lists(node: exp.Expr) -> exp.Expr:
    """``array_concat_agg(x order by y)``: lists that are NULL are left out, and FILTER belongs to the aggregate."""
    if isinstance(node.this, exp.Limit):
        return node
    call = exp.ArrayAgg(this=node.this)
    return function("FLATTEN", _without_nulls(call, call), dtype=exp.DType.ARRAY)


def _first_few_joined(node: exp.Expr) -> exp.Expr:
    """``string_agg(x, ',' order by y limit 1)``"""
    limit = node.this
    if not isinstance(limit, exp.Limit):
        return node
    call = exp.ArrayAgg(this=limit.this)
    few = function("LIST_SLICE", _without_nulls(call, call), _one(), limit.expression)
    separator = node.args.get("separator") or exp.Literal.string(",")
    return function("ARRAY_TO_STRING", few, separator, dtype=exp.DType.VARCHAR)


def _most_frequent(node: exp.Expr) -> exp.Expr:
    """``approx_top_count(x, 2)``: exact, and of values that are equally frequent the greater ones."""
    return build(_TOP, x=node.this, n=node.expression)


def _greatest_sums(node: exp.Expr) -> exp.Expr:
    """``approx_top_sum(x, weight, 2)``: exact, and of values with equal sums the lesser ones; values may be NULL."""
    return build(_TOP_SUMS, x=node.this, weight=node.expression, n=node.args["count"])


def _over_elements(node: exp.Expr) -> exp.Expr:
    """``filter(v:a, x -> x > 1)``: elements of JSON are compared and computed with as what they hold."""
    body = node.expression
    if kind(node.this) != "json" or not isinstance(body, exp.Lambda) or len(body.expressions) != 1:
        return node
    name = body.expressions[0].name.lower()
    for use in [found for found in body.this.find_all(exp.Identifier) if found.name.lower() == name]:
        beside = use.parent
        if use.find_ancestor(exp.Lambda) is not body or isinstance(beside, exp.JSONExtract | exp.JSONExtractScalar):
            continue
        numeric = isinstance(beside, _ARITHMETIC) or (
            isinstance(beside, exp.Binary) and "number" in (kind(beside.this), kind(beside.expression))
        )
        use.replace(scalar_of(use.copy(), exp.DType.DOUBLE) if numeric else scalar(use.copy()))
    node.set("this", exp.Cast(this=node.this, to=exp.DataType.build("JSON[]", dialect="duckdb")))
    return function("TO_JSON", node, dtype=exp.DType.JSON)


def _most_frequent_pairs(node: exp.Expr) -> exp.Expr:
    """``approx_top_k(x, 2)``: pairs of a value and how often it is there."""
    count = node.expression or exp.Literal.number(1)
    return typed(build(_TOP_PAIRS, x=node.this, n=count), exp.DType.JSON)


def _of_present(node: exp.Expr) -> exp.Expr:
    """``last(x, true)``, where it is an aggregate and no window"""
    call = node.this
    name = _ENDS.get(type(call))
    if name is None or isinstance(node.parent, exp.Window):
        return node
    present = exp.Not(this=exp.Is(this=call.this.copy(), expression=exp.null()))
    return exp.Filter(this=function(name, call.this), expression=exp.Where(this=present))


def _array_literal(node: exp.Expr) -> exp.Expr:
    if kind(node) == "json":
        return cast(function("JSON_ARRAY", *node.expressions), exp.DType.JSON)
    return node


ROWS: tuple[Rewrite, ...] = (
    Rewrite("mixed-array", "snowflake", "duckdb", (exp.Array,), _array_literal),
    Rewrite("array-size", "snowflake", "duckdb", (exp.ArraySize,), _size),
    Rewrite("array-contains", "snowflake", "duckdb", (exp.ArrayContains,), _contains),
    Rewrite("json-as-list", "snowflake", "duckdb", _LIST_FUNCTIONS, _list_operands),
    Rewrite("array-index", "snowflake", "duckdb", (exp.Bracket,), _index),
    Rewrite("array-agg-limit", "snowflake", "duckdb", (exp.IgnoreNulls, exp.ArrayAgg), _first_few),
    *(Rewrite("array-agg", source, "duckdb", _COLLECTORS, _collected) for source in ("snowflake", "databricks")),
    Rewrite("string-agg-limit", "bigquery", "duckdb", (exp.GroupConcat,), _first_few_joined),
    Rewrite("lists-joined", "bigquery", "duckdb", (exp.ArrayConcatAgg,), _joined_lists),
    Rewrite("top-sum", "bigquery", "duckdb", (exp.ApproxTopSum,), _greatest_sums),
    Rewrite("top-count", "bigquery", "duckdb", (exp.ApproxTopK,), _most_frequent),
    Rewrite("lambda-over-json", "snowflake", "duckdb", (exp.ArrayFilter, exp.Transform), _over_elements),
    Rewrite("top-count", "snowflake", "duckdb", (exp.ApproxTopK,), _most_frequent_pairs),
    Rewrite("last-of-present", "databricks", "duckdb", (exp.IgnoreNulls,), _of_present),
    Rewrite("array-agg-limit", "bigquery", "duckdb", (exp.IgnoreNulls, exp.ArrayAgg), _first_few),
    Rewrite("present-only", "bigquery", "duckdb", (exp.IgnoreNulls,), _present),
)
