"""Rewrites of what is read from and made of JSON, lists, structs and maps: JSON, ARRAY and STRUCT."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from profiles_pipeline.dialects.kinds import is_plain, is_text, steps_of
from profiles_pipeline.dialects.over_group import where_it_holds
from profiles_pipeline.dialects.rewriting import Rewrite, call, inside_filter
from profiles_pipeline.dialects.spoken import refuse
from profiles_pipeline.sql import build


def document(value: exp.Expr) -> exp.Expr:
    """Return a document, a text being parsed."""
    return exp.ParseJSON(this=value) if is_text(value) else value.unnest()


def _path(path: exp.Expr) -> str | None:
    steps = steps_of(path)
    if steps is None:
        return None
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else _key(step) for step in steps)


def _key(name: str) -> str:
    return f".{name}" if is_plain(name) else f'."{name}"'


def _value(node: exp.Expr) -> exp.Expr:
    """x -> '$.a': what a path leads to."""
    path = _path(node.expression)
    if path is None:
        refuse("BigQuery", "a path with wildcards")
    return call("JSON_QUERY", document(node.this), exp.Literal.string(path))


def _text(node: exp.Expr) -> exp.Expr:
    """x ->> '$.a': a text as it is, an object or a list in its text; NULL of the document's null."""
    path = _path(node.expression)
    if path is None:
        refuse("BigQuery", "a path with wildcards")
    given = exp.Literal.string(path)
    nested = call("TO_JSON_STRING", call("JSON_QUERY", document(node.this.copy()), given.copy()))
    return build(
        "COALESCE(:scalar, NULLIF(:nested, 'null'))",
        scalar=call("JSON_VALUE", document(node.this), given),
        nested=nested,
    )


def _kind(value: exp.Expr) -> exp.Expr:
    """JSON_TYPE(x): the kind of a value as the canonical dialect calls it."""
    kind = call("JSON_TYPE", document(value))
    return build("CASE :k WHEN 'string' THEN 'VARCHAR' WHEN 'number' THEN 'DOUBLE' ELSE UPPER(:k) END", k=kind)


def _listed(node: exp.Expr) -> exp.Expr:
    """ARRAY_AGG(x ORDER BY k) with or without FILTER; lists have no NULLs in them here."""
    where = node.expression.this if isinstance(node, exp.Filter) else None
    made = node.this if where is not None else node
    if not isinstance(made, exp.ArrayAgg) or inside_filter(node) or isinstance(node.parent, exp.IgnoreNulls):
        return node
    order = made.this if isinstance(made.this, exp.Order) else None
    holder = order if order is not None else made
    value = holder.this
    if isinstance(value, exp.Distinct):
        if where is not None:
            value.set("expressions", [where_it_holds(where, item) for item in value.expressions])
        if order is not None:
            _ordered_by_itself(order, value.expressions[0])
    else:
        if where is not None:
            holder.set("this", where_it_holds(where, value))
        if order is not None:
            order.set("expressions", [key for each in order.expressions for key in keys_of(each)])
    return exp.IgnoreNulls(this=made)


def _ordered_by_itself(order: exp.Expr, value: exp.Expr) -> None:
    """Let distinct values be ordered by themselves, which is all that they can be; there is no NULL among them."""
    down = bool(order.expressions[0].args.get("desc"))
    order.set("expressions", [exp.Ordered(this=value.copy(), desc=down, nulls_first=not down)])


def keys_of(key: exp.Expr) -> list[exp.Expr]:
    """Return the keys of an order in an aggregate, that say by themselves at which end NULL is."""
    down, first = bool(key.args.get("desc")), bool(key.args.get("nulls_first"))
    end = exp.Ordered(this=build(":k IS NULL", k=key.this), desc=first, nulls_first=not first)
    return [end, exp.Ordered(this=key.this.copy(), desc=down, nulls_first=not down)]


def _joined(node: exp.Expr) -> exp.Expr:
    """LISTAGG(x, s ORDER BY k): there is no NULL among what is joined."""
    order = node.find(exp.Order)
    for key in order.expressions if order is not None else ():
        key.set("nulls_first", not key.args.get("desc"))
    return node


def _element(node: exp.Expr) -> exp.Expr:
    """l[1]: NULL where there is none."""
    if len(node.expressions) != 1 or isinstance(node.expressions[0], exp.Slice):
        refuse("BigQuery", "a part in brackets")
    index = node.expressions[0]
    if (isinstance(index, exp.Literal) and index.is_string) or node.args.get("safe"):
        return node
    place = build(":i - 1", i=index) if node.args.get("offset") else index
    return exp.Bracket(this=node.this, expressions=[place], offset=0, safe=True)


def _of_items(node: exp.Expr) -> exp.Expr:
    """LIST_TRANSFORM, LIST_FILTER: queries over the items, in their order."""
    function = node.expression
    if not isinstance(function, exp.Lambda) or len(function.expressions) != 1:
        refuse("BigQuery", "a function of items and their places")
    item = function.expressions[0]
    is_filter = isinstance(node, exp.ArrayFilter)
    said = exp.select(exp.column(item.copy()) if is_filter else function.this)
    rows = exp.Unnest(
        expressions=[node.this], alias=exp.TableAlias(columns=[item.copy()]), offset=exp.to_identifier("place")
    )
    said = said.from_(rows).order_by("place")
    if is_filter:
        said = said.where(function.this)
    return call("ARRAY", said)


def _sorted(node: exp.Expr) -> exp.Expr:
    rows = exp.Unnest(expressions=[node.this], alias=exp.TableAlias(columns=[exp.to_identifier("item")]))
    key = exp.Ordered(this=exp.column("item"), nulls_first=True)
    return call("ARRAY", exp.select("item").from_(rows).order_by(key))


def _map(node: exp.Expr) -> exp.Expr:
    keys, values = node.args.get("keys"), node.args.get("values")
    return node if keys is None or values is None else call("JSON_OBJECT", keys, values)


def _object(node: exp.Expr) -> exp.Expr:
    return call("JSON_OBJECT", *(part for pair in node.expressions for part in (pair.this, pair.expression)))


def _without_nulls(args: list[exp.Expr]) -> exp.Expr | None:
    """JSON_MERGE_PATCH('{}', o): an object without the keys whose values are NULL."""
    if args[0].name != "{}":
        return None
    lists = exp.Kwarg(this=exp.var("include_arrays"), expression=exp.false())
    return call("JSON_STRIP_NULLS", args[1], lists)


def _field(node: exp.Expr) -> exp.Expr:
    return exp.Dot(this=node.this, expression=exp.to_identifier(node.expression.name, quoted=True))


CALLS: dict[str, Callable[[list[exp.Expr]], exp.Expr | None]] = {
    "JSON_TYPE": lambda a: _kind(a[0]),
    "JSON_VALUE": lambda a: call("JSON_QUERY", document(a[0]), a[1]),
    "JSON_VALID": lambda a: build(":x IS NOT NULL", x=call("SAFE.PARSE_JSON", exp.cast(a[0], "TEXT"))),
    "JSON_ARRAY_LENGTH": lambda a: (
        call("ARRAY_LENGTH", call("JSON_QUERY_ARRAY", document(a[0]))) if len(a) == 1 else None
    ),
    "JSON_MERGE_PATCH": _without_nulls,
    "ROW": lambda a: call("STRUCT", *a),
    "LIST_SLICE": lambda a: build("ARRAY_SLICE(:l, :a - 1, :b - 1)", l=a[0], a=a[1], b=a[2]) if len(a) == 3 else None,
}

REWRITES: tuple[Rewrite, ...] = (
    Rewrite("ARRAY_AGG", "the same, without NULLs", (exp.Filter, exp.ArrayAgg), _listed),
    Rewrite("STRING_AGG", "the same, NULLs being left out", (exp.GroupConcat,), _joined),
    Rewrite("JSON paths", "JSON_QUERY", (exp.JSONExtract,), _value),
    Rewrite("JSON paths to texts", "JSON_VALUE, or JSON_QUERY in its text", (exp.JSONExtractScalar,), _text),
    Rewrite("JSON_TYPE", "JSON_TYPE, with other names", (exp.JSONType,), lambda node: _kind(node.this)),
    Rewrite("JSON_OBJECT", "JSON_OBJECT", (exp.JSONObject,), _object),
    Rewrite("JSON_ARRAY", "JSON_ARRAY", (exp.JSONArray,), lambda n: call("JSON_ARRAY", *n.expressions)),
    Rewrite("elements of lists", "SAFE_OFFSET", (exp.Bracket,), _element),
    Rewrite("fields of structs", "a dot", (exp.StructExtract,), _field),
    Rewrite("maps of two lists", "JSON_OBJECT", (exp.Map, exp.VarMap), _map),
    Rewrite("LIST_TRANSFORM, LIST_FILTER", "queries over the items", (exp.Transform, exp.ArrayFilter), _of_items),
    Rewrite("LIST_SORT", "a query over the items", (exp.SortArray,), _sorted),
    Rewrite("LENGTH of lists", "ARRAY_LENGTH", (exp.ArraySize,), lambda node: call("ARRAY_LENGTH", node.this)),
)
