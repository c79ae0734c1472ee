"""JSON, structs and maps of the canonical dialect in PostgreSQL: JSONB."""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline.dialects.postgres.helpers import called
from profiles_pipeline.dialects.postgres.words import cast_to, function
from profiles_pipeline.sql import build


def json_text(node: exp.Expr) -> exp.Expr:
    """x ->> '$.a': the value behind a path as text."""
    steps = _steps(node.expression)
    if steps is None:
        return _operator(_found(node), "#>>", [])
    return _operator(node.this, "#>>", steps)


def _found(node: exp.Expr) -> exp.Expr:
    """Return what a path leads to that is computed, or has more than fields and positions."""
    path = node.expression
    text = exp.Literal.string(path.sql("duckdb").strip("'")) if isinstance(path, exp.JSONPath) else path
    return function(
        "JSONB_PATH_QUERY_FIRST", document(node.this), exp.Cast(this=text, to=exp.DataType.build("jsonpath", udt=True))
    )


def json_value(node: exp.Expr) -> exp.Expr:
    """x -> '$.a': the value behind a path."""
    steps = _steps(node.expression)
    return _found(node) if steps is None else _operator(node.this, "#>", steps)


def _operator(value: exp.Expr, operator: str, steps: list[exp.Expr]) -> exp.Expr:
    if not steps:
        kind = exp.JSONBExtractScalar if operator == "#>>" else exp.JSONBExtract
        return exp.Paren(this=kind(this=document(value), expression=exp.Literal.string("{}")))
    name = "JSONB_EXTRACT_PATH_TEXT" if operator == "#>>" else "JSONB_EXTRACT_PATH"
    return function(name, document(value), *steps)


def document(value: exp.Expr) -> exp.Expr:
    """Return a JSON document, a text that is none being NULL."""
    return value if is_json(value) else cast_to(value, "JSONB")


def is_json(value: exp.Expr) -> bool:
    """True for what is a document by the look of it."""
    value = value.unnest()
    if isinstance(value, exp.Anonymous):
        return value.name.upper() in _JSON_CALLS
    return isinstance(value, exp.Cast) and bool(value.args["to"].is_type("jsonb"))


_JSON_CALLS = (
    *("JSONB_EXTRACT_PATH", "JSONB_PATH_QUERY_FIRST", "JSONB_BUILD_OBJECT", "JSONB_BUILD_ARRAY", "JSONB_STRIP_NULLS"),
    *("TO_JSONB", "PROFILES_JSON", "PROFILES_TO_JSON", "PROFILES_MAP"),
    *("PROFILES_MAP_FROM_ENTRIES",),
)


def list_of_json(document: exp.Expr, kind: exp.DataType) -> exp.Expr:
    """CAST(j AS t[]) of a JSON array."""
    item = exp.cast(exp.column("item"), kind.expressions[0].copy())
    elements = build("SELECT item FROM JSONB_ARRAY_ELEMENTS_TEXT(:d) AS items(item)", d=document)
    assert isinstance(elements, exp.Select)
    listed = function("ARRAY", elements.select(item, append=False))
    return exp.Case(ifs=[exp.If(this=build("JSONB_TYPEOF(:d) = 'array'", d=document), true=listed)])


def _steps(path: exp.Expr) -> list[exp.Expr] | None:
    """Return the steps of a path, as texts; None for one with more than fields and positions."""
    if isinstance(path, exp.Literal):
        return [exp.Literal.string(path.name)]
    if not isinstance(path, exp.JSONPath):
        return None
    found: list[exp.Expr] = []
    for part in path.expressions:
        if isinstance(part, exp.JSONPathRoot):
            continue
        if not isinstance(part, exp.JSONPathKey | exp.JSONPathSubscript) or not isinstance(part.this, str | int):
            return None
        found.append(exp.Literal.string(str(part.this)))
    return found


def json_object(node: exp.Expr) -> exp.Expr:
    """JSON_OBJECT(key, value, ...)."""
    pairs = [part for pair in node.expressions for part in (pair.this, _json_part(pair.expression))]
    return function("JSONB_BUILD_OBJECT", *pairs)


def struct(node: exp.Expr) -> exp.Expr:
    """A struct: a JSON object, unless what is around it is rewritten with it."""
    above = node.parent
    if isinstance(above, exp.Max | exp.Min):
        return node
    parts = []
    for field in node.expressions:
        if not isinstance(field, exp.PropertyEQ):
            return node
        parts += [exp.Literal.string(field.this.name), _json_part(field.expression)]
    return function("JSONB_BUILD_OBJECT", *parts)


def as_json(node: exp.Expr) -> exp.Expr:
    """TO_JSON(x)."""
    if is_json(node):
        return node
    given = cast_to(node, "TEXT") if isinstance(node, exp.Null) else _json_part(node)
    return called("to_json", given) if given is node or not is_json(given) else given


def _json_part(node: exp.Expr) -> exp.Expr:
    """Return a value as it stands in a document: times as they are written elsewhere."""
    if isinstance(node, exp.Literal):
        return cast_to(node, "TEXT") if node.is_string else node
    if isinstance(node, exp.Null | exp.Boolean) or is_json(node):
        return node
    return called("to_json", node)


def map_of(node: exp.Expr) -> exp.Expr:
    """MAP(keys, values): a JSON object."""
    keys, values = node.args.get("keys"), node.args.get("values")
    return node if keys is None or values is None else called("map", keys, values)


def json_array(node: exp.Expr) -> exp.Expr:
    """JSON_ARRAY(value, ...)."""
    return function("JSONB_BUILD_ARRAY", *map(_json_part, node.expressions))


def element(node: exp.Expr) -> exp.Expr:
    """x[n] of anything but a column stands in brackets, or it would be read as of a part of x; m['k'] is a text."""
    (key,) = node.expressions if len(node.expressions) == 1 else (None,)
    if is_json(node.this) and isinstance(key, exp.Literal) and key.is_string:
        return function("JSONB_EXTRACT_PATH_TEXT", node.this, key)
    if not isinstance(node.this, exp.Column | exp.Paren):
        node.set("this", exp.Paren(this=node.this))
    return node
