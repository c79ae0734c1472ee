"""Rewrites of what is read from and made of JSON, lists, structs and maps: VARIANT, ARRAY, STRUCT and MAP."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect

from profiles_pipeline.dialects.kinds import is_plain, is_text, steps_of
from profiles_pipeline.dialects.rewriting import Rewrite, call
from profiles_pipeline.dialects.spoken import refuse
from profiles_pipeline.sql import build


def document(value: exp.Expr) -> exp.Expr:
    """Return a document, a text being parsed; a column may be either, and goes by way of text."""
    if isinstance(value.unnest(), exp.Column):
        return call("TRY_PARSE_JSON", exp.cast(value.unnest(), "TEXT"))
    return exp.ParseJSON(this=value) if is_text(value) else value.unnest()


def _path(path: exp.Expr) -> str | None:
    steps = steps_of(path)
    if steps is None:
        return None
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else _key(step) for step in steps)


def _key(name: str) -> str:
    return f".{name}" if is_plain(name) else f'["{name}"]'


def _got(node: exp.Expr, kind: str) -> exp.Expr:
    path = _path(node.expression)
    if path is None:
        refuse("Databricks SQL", "a path with wildcards")
    if path == "$" and isinstance(node.this.unnest(), exp.Column):
        return exp.cast(node.this, "TEXT") if kind == "string" else node.this
    return call("TRY_VARIANT_GET", document(node.this), exp.Literal.string(path), exp.Literal.string(kind))


def _scalar(args: list[exp.Expr]) -> exp.Expr | None:
    """JSON_VALUE(x, '$.a'): a value as a document."""
    path = exp.maybe_parse(f"'{args[1].name}'") if isinstance(args[1], exp.Literal) else None
    steps = Dialect.get_or_raise("duckdb").to_json_path(path) if path is not None else None
    return _got(exp.JSONExtract(this=args[0], expression=steps), "variant") if steps is not None else None


def _items(value: exp.Expr) -> exp.Expr:
    """Return a document as a list of documents; NULL where it is none."""
    return exp.TryCast(this=document(value), to=exp.DataType.build("ARRAY<VARIANT>", dialect="databricks"))


def _made_document(value: exp.Expr) -> exp.Expr:
    """TO_JSON(x): of structs, maps and lists an object or a list, else the value."""
    nested = exp.Struct | exp.Map | exp.MapFromEntries | exp.Array | exp.Transform
    if isinstance(value.unnest(), nested) or (isinstance(value, exp.Anonymous) and value.name in _NESTED):
        return call("TO_VARIANT_OBJECT", value)
    return exp.cast(value, "VARIANT", dialect="databricks")


_NESTED = ("MAP_FROM_ARRAYS", "MAP_FROM_ENTRIES", "STRUCT")


def _object(node: exp.Expr) -> exp.Expr:
    fields = [part for pair in node.expressions for part in (pair.this, pair.expression)]
    return call("TO_VARIANT_OBJECT", call("NAMED_STRUCT", *fields))


def _kind(value: exp.Expr) -> exp.Expr:
    """JSON_TYPE(x): the kind of a value as the canonical dialect calls it."""
    return build(
        """
        CASE WHEN :k LIKE 'OBJECT<%' THEN 'OBJECT' WHEN :k LIKE 'ARRAY<%' THEN 'ARRAY' WHEN :k = 'STRING' THEN 'VARCHAR'
        WHEN :k LIKE 'DECIMAL(%' THEN 'DOUBLE' WHEN :k = 'VOID' THEN 'NULL' ELSE :k END
        """,
        k=call("SCHEMA_OF_VARIANT", document(value)),
    )


def _element(node: exp.Expr) -> exp.Expr:
    """l[1]: NULL where there is none."""
    if len(node.expressions) != 1 or isinstance(node.expressions[0], exp.Slice):
        refuse("Databricks SQL", "a part in brackets")
    index = node.expressions[0]
    if isinstance(index, exp.Literal) and index.is_string:
        return node
    offset = node.args.get("offset") or 0
    place = exp.Literal.number(int(index.name)) if isinstance(index, exp.Literal) else index
    if offset:
        place = build(":i - 1", i=place)
    return call("GET", node.this, place)


def _field(node: exp.Expr) -> exp.Expr:
    """STRUCT_EXTRACT(s, 'k')."""
    return exp.Dot(this=node.this, expression=exp.to_identifier(node.expression.name, quoted=True))


def _map(node: exp.Expr) -> exp.Expr:
    keys, values = node.args.get("keys"), node.args.get("values")
    return node if keys is None or values is None else call("MAP_FROM_ARRAYS", keys, values)


def listed(node: exp.Expr) -> exp.Expr:
    """ARRAY_AGG(x ORDER BY k) with or without FILTER: NULLs are among the values, and of no rows it is NULL.

    COLLECT_LIST leaves NULLs out and promises no order: it collects structs, which are sorted by their first fields.
    """
    where = node.expression if isinstance(node, exp.Filter) else None
    made = node.this if where is not None else node
    if not isinstance(made, exp.ArrayAgg) or isinstance(node.parent, exp.Filter | exp.Window):
        return node
    keys: list[exp.Expr] = []
    value = made.this
    if isinstance(value, exp.Order):
        keys, value = value.expressions, value.this
    distinct = isinstance(value, exp.Distinct)
    if distinct:
        value = value.expressions[0]
        keys = [key for key in keys if key.this == value] if len(keys) == 1 else keys
    down = bool(keys and keys[0].args.get("desc"))
    if any(bool(key.args.get("desc")) != down for key in keys) or (distinct and any(k.this != value for k in keys)):
        refuse("Databricks SQL", "a list in an order that goes both up and down")
    fields: list[exp.Expr] = []
    for number, key in enumerate(keys):
        first = bool(key.args.get("nulls_first")) != down  # among structs NULL is the smallest
        last = build(":k IS NOT NULL" if first else ":k IS NULL", k=key.this)
        fields += [exp.alias_(last, f"last_{number}"), exp.alias_(key.this.copy(), f"key_{number}")]
    collected: exp.Expr = call("STRUCT", *fields, exp.alias_(value.copy(), "value"))
    collected = call("COLLECT_LIST", exp.Distinct(expressions=[collected]) if distinct else collected)
    if where is not None:
        collected = exp.Filter(this=collected, expression=where.copy())
    if keys:
        collected = call("ARRAY_SORT", collected)
        collected = call("REVERSE", collected) if down else collected
    item = exp.Lambda(this=exp.column("value", "item"), expressions=[exp.to_identifier("item")])
    return build("CASE WHEN SIZE(:l) > 0 THEN :t END", l=collected, t=call("TRANSFORM", collected, item))


def joined(node: exp.Expr) -> exp.Expr:
    """STRING_AGG(DISTINCT x, s ORDER BY x), within a FILTER or not: the items of a set, sorted.

    Spark stops at a LISTAGG of distinct values beside other aggregates of distinct values.
    """
    where = node.expression if isinstance(node, exp.Filter) else None
    made = node.this if where is not None else node
    if not isinstance(made, exp.GroupConcat) or (where is None and isinstance(node.parent, exp.Filter | exp.Window)):
        return node
    order = made.this if isinstance(made.this, exp.Order) else None
    distinct = order.this if order is not None else made.this
    if not isinstance(distinct, exp.Distinct) or len(distinct.expressions) != 1:
        return node
    (value,) = distinct.expressions
    aggregates: list[exp.Expr] = [call("COLLECT_SET", value.copy()), exp.Count(this=value.copy(), big_int=True)]
    if where is not None:
        aggregates = [exp.Filter(this=each, expression=where.copy()) for each in aggregates]
    collected, number = aggregates
    items = call("ARRAY_SORT", collected)
    if order is not None and order.expressions[0].args.get("desc"):
        items = call("REVERSE", items)
    text = exp.Lambda(this=exp.cast(exp.column("item"), "TEXT"), expressions=[exp.to_identifier("item")])
    texts = call("ARRAY_JOIN", call("TRANSFORM", items, text), made.args.get("separator") or exp.Literal.string(","))
    return build("CASE WHEN :n > 0 THEN :t END", n=number, t=texts)


def _flattened(lateral: exp.Expr) -> exp.Expr:
    """LATERAL (SELECT ... FROM JSON_EACH(x)): a row for each element of a document."""
    query = lateral.this
    select = query.this if isinstance(query, exp.Subquery) else None
    source = select.args["from_"].this if isinstance(select, exp.Select) and select.args.get("from_") else None
    given = source.this if isinstance(source, exp.Table) else None
    if not isinstance(given, exp.Anonymous) or given.name.upper() != "JSON_EACH" or len(given.expressions) != 1:
        return lateral
    assert isinstance(select, exp.Select)
    if {item.alias.upper() for item in select.expressions} != _COLUMNS:
        return lateral
    elements = call("VARIANT_EXPLODE", document(given.expressions[0]))
    said = build(
        """
        SELECT 1 AS SEQ, "key" AS "KEY", CAST("key" AS TEXT) AS PATH, CASE WHEN "key" IS NULL THEN "pos" END AS INDEX,
            "value" AS VALUE, :document AS THIS
        FROM :elements AS element
        """,
        document=document(given.expressions[0].copy()),
        elements=exp.Table(this=elements),
    )
    lateral.set("this", exp.Subquery(this=said))
    return lateral


_COLUMNS = {"SEQ", "KEY", "PATH", "INDEX", "VALUE", "THIS"}

CALLS: dict[str, Callable[[list[exp.Expr]], exp.Expr | None]] = {
    "JSON_TYPE": lambda a: _kind(a[0]),
    "TO_JSON": lambda a: _made_document(a[0]) if len(a) == 1 else None,
    "JSON_VALID": lambda a: build("TRY_PARSE_JSON(:x) IS NOT NULL", x=exp.cast(a[0], "TEXT")),
    "JSON_VALUE": _scalar,
    "JSON_ARRAY_LENGTH": lambda a: call("SIZE", _items(a[0])) if len(a) == 1 else None,
    "ROW": lambda a: call("STRUCT", *a),
    "LIST_SLICE": lambda a: build("SLICE(:l, :a, :b - :a + 1)", l=a[0], a=a[1], b=a[2]) if len(a) == 3 else None,
    "LIST_CONTAINS": lambda a: call("ARRAY_CONTAINS", *a),
    "LIST_COUNT": lambda a: build("SIZE(FILTER(:l, LAMBDA x : x IS NOT NULL))", l=a[0]),
    "ARRAY_EXTRACT": lambda a: build("GET(:l, :n - 1)", l=a[0], n=a[1]),
}

REWRITES: tuple[Rewrite, ...] = (
    Rewrite("ARRAY_AGG", "COLLECT_LIST of structs, sorted", (exp.Filter, exp.ArrayAgg), listed),
    Rewrite("STRING_AGG of distinct values", "ARRAY_JOIN of a sorted set", (exp.Filter, exp.GroupConcat), joined),
    Rewrite("JSON paths", "TRY_VARIANT_GET", (exp.JSONExtract,), lambda node: _got(node, "variant")),
    Rewrite("JSON paths to texts", "TRY_VARIANT_GET", (exp.JSONExtractScalar,), lambda node: _got(node, "string")),
    Rewrite("JSON_TYPE", "SCHEMA_OF_VARIANT", (exp.JSONType,), lambda node: _kind(node.this)),
    Rewrite("JSON_OBJECT", "TO_VARIANT_OBJECT of a struct", (exp.JSONObject,), _object),
    Rewrite(
        "JSON_ARRAY",
        "TO_VARIANT_OBJECT of a list",
        (exp.JSONArray,),
        lambda n: call("TO_VARIANT_OBJECT", call("ARRAY", *n.expressions)),
    ),
    Rewrite("elements of lists", "GET", (exp.Bracket,), _element),
    Rewrite("fields of structs", "a dot", (exp.StructExtract,), _field),
    Rewrite("maps of two lists", "MAP_FROM_ARRAYS", (exp.Map, exp.VarMap), _map),
    Rewrite("LENGTH of lists", "SIZE", (exp.ArraySize,), lambda node: call("SIZE", node.this)),
    Rewrite("elements of documents", "LATERAL over VARIANT_EXPLODE", (exp.Lateral,), _flattened),
)
