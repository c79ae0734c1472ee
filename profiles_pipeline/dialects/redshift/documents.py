"""Rewrites of what is read from and made of JSON, lists, structs and maps: SUPER."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from profiles_pipeline.dialects.kinds import is_text, steps_of
from profiles_pipeline.dialects.over_group import belongs_to_window, where_it_holds
from profiles_pipeline.dialects.quantiles import finder
from profiles_pipeline.dialects.rewriting import Rewrite, call, inside_filter
from profiles_pipeline.dialects.spoken import refuse
from profiles_pipeline.sql import build

find = finder(within_group=True, extremes=True)


def document(value: exp.Expr) -> exp.Expr:
    """Return a document, a text being parsed."""
    return call("JSON_PARSE", value) if is_text(value) else value.unnest()


def _taken(node: exp.Expr) -> tuple[exp.Expr, tuple[str | int, ...]] | None:
    """Return what paths into one document begin with, and their steps; None for other paths."""
    steps: tuple[str | int, ...] = ()
    while isinstance(node, exp.JSONExtract | exp.JSONExtractScalar):
        own = steps_of(node.expression)
        if own is None:
            return None
        node, steps = node.this.unnest(), own + steps
    return node, steps


def _is_inner(node: exp.Expr) -> bool:
    above = node.parent
    while isinstance(above, exp.Paren):
        above = above.parent
    return isinstance(above, exp.JSONExtract | exp.JSONExtractScalar)


def _value(node: exp.Expr) -> exp.Expr:
    """x -> '$.a': what a path leads to, from a column on; from what is computed only texts can be taken."""
    if _is_inner(node):
        return node
    taken = _taken(node)
    if taken is None or not isinstance(taken[0], exp.Column):
        refuse("Redshift", "a document within what is computed")
    return _navigated(*taken)


def _navigated(column: exp.Expr, steps: tuple[str | int, ...]) -> exp.Expr:
    made = column
    for step in steps:
        if isinstance(step, int):
            made = exp.Bracket(this=made, expressions=[exp.Literal.number(step)])
        else:
            made = exp.Dot(this=made, expression=exp.to_identifier(step, quoted=True))
    return made


def _text(node: exp.Expr) -> exp.Expr:
    """x ->> '$.a': of a column by its steps, of a text by a function that gives an empty text of nothing."""
    if _is_inner(node):
        return node
    taken = _taken(node)
    if taken is not None and isinstance(taken[0], exp.Column):
        return exp.cast(_navigated(*taken), "TEXT")
    text = _text_of(taken[0]) if taken is not None else None
    if taken is None or text is None:
        refuse("Redshift", "a path with wildcards, or into what is computed")
    for step in taken[1]:
        given = exp.Literal.number(step) if isinstance(step, int) else exp.Literal.string(step)
        name = "JSON_EXTRACT_ARRAY_ELEMENT_TEXT" if isinstance(step, int) else "JSON_EXTRACT_PATH_TEXT"
        text = call("NULLIF", call(name, text, given, exp.true()), exp.Literal.string(""))
    return text


def _text_of(value: exp.Expr) -> exp.Expr | None:
    """Return the text of a document that is parsed from one."""
    if is_text(value):
        return value
    if isinstance(value, exp.Anonymous) and value.name == "JSON_PARSE":
        parsed: exp.Expr = value.expressions[0]
        return parsed
    if isinstance(value, exp.Case) and len(value.args["ifs"]) == 1 and value.args.get("default") is None:
        branch = value.args["ifs"][0]
        inner = _text_of(branch.args["true"])
        return None if inner is None else where_it_holds(branch.this, inner.copy())
    return None


def _kind(value: exp.Expr) -> exp.Expr:
    """JSON_TYPE(x): the kind of a value as the canonical dialect calls it."""
    kind = call("JSON_TYPEOF", document(value))
    return build("CASE :k WHEN 'string' THEN 'VARCHAR' WHEN 'number' THEN 'DOUBLE' ELSE UPPER(:k) END", k=kind)


def _struct(node: exp.Expr) -> exp.Expr:
    """{'k': v}: an object; one that is compared is rewritten with what compares it."""
    if belongs_to_window(node, find):
        return node
    parts = []
    for field in node.expressions:
        if not isinstance(field, exp.PropertyEQ):
            return node
        parts += [exp.Literal.string(field.this.name), field.expression]
    return call("OBJECT", *parts)


def _object(node: exp.Expr) -> exp.Expr:
    return call("OBJECT", *(part for pair in node.expressions for part in (pair.this, pair.expression)))


def _listed(node: exp.Expr) -> exp.Expr:
    """ARRAY_AGG(x ORDER BY k) with or without FILTER: the texts of values, joined and parsed; not of distinct ones."""
    where = node.expression.this if isinstance(node, exp.Filter) else None
    made = node.this if where is not None else node
    if not isinstance(made, exp.ArrayAgg) or inside_filter(node):
        return node
    order = made.this if isinstance(made.this, exp.Order) else None
    value = order.this if order is not None else made.this
    if isinstance(value, exp.Distinct):
        refuse("Redshift", "a list of distinct values")
    text = build("COALESCE(JSON_SERIALIZE(CAST(:x AS JSON)), 'null')", x=value)
    if where is not None:
        text = where_it_holds(where, text)
    joined: exp.Expr = call("LISTAGG", text, exp.Literal.string(","))
    if order is not None:
        joined = exp.WithinGroup(this=joined, expression=exp.Order(expressions=order.expressions))
    return build("JSON_PARSE('[' || :joined || ']')", joined=joined)


def _map(_: exp.Expr) -> exp.Expr:
    refuse("Redshift", "a map with computed keys")


CALLS: dict[str, Callable[[list[exp.Expr]], exp.Expr | None]] = {
    "JSON_TYPE": lambda a: _kind(a[0]),
    "TO_JSON": lambda a: exp.cast(a[0], "JSON") if len(a) == 1 else None,
    "JSON_VALID": lambda a: build("(IS_VALID_JSON(:x) OR IS_VALID_JSON_ARRAY(:x))", x=exp.cast(a[0], "TEXT")),
    "JSON_ARRAY_LENGTH": lambda a: call("GET_ARRAY_LENGTH", document(a[0])) if len(a) == 1 else None,
    "LIST_SLICE": lambda a: build("SUBARRAY(:l, :a - 1, :b - :a + 1)", l=a[0], a=a[1], b=a[2]) if len(a) == 3 else None,
}

REWRITES: tuple[Rewrite, ...] = (
    Rewrite("ARRAY_AGG", "LISTAGG of the texts of values, parsed", (exp.Filter, exp.ArrayAgg), _listed),
    Rewrite("JSON paths", "steps from a column on", (exp.JSONExtract,), _value),
    Rewrite("JSON paths to texts", "steps from a column on, JSON_EXTRACT_PATH_TEXT", (exp.JSONExtractScalar,), _text),
    Rewrite("JSON_TYPE", "JSON_TYPEOF, with other names", (exp.JSONType,), lambda node: _kind(node.this)),
    Rewrite("JSON(x)", "JSON_PARSE", (exp.ParseJSON,), lambda n: call("JSON_PARSE", n.this)),
    Rewrite("structs", "OBJECT", (exp.Struct,), _struct),
    Rewrite("JSON_OBJECT", "OBJECT", (exp.JSONObject,), _object),
    Rewrite("lists", "ARRAY", (exp.Array, exp.JSONArray), lambda node: call("ARRAY", *node.expressions)),
    Rewrite("maps", "nothing: they are refused", (exp.Map, exp.VarMap, exp.MapFromEntries), _map),
    Rewrite("LENGTH of lists", "GET_ARRAY_LENGTH", (exp.ArraySize,), lambda n: call("GET_ARRAY_LENGTH", n.this)),
)
