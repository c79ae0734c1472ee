"""Rewrites of what is read from and made of JSON, lists and structs: VARIANT, ARRAY and OBJECT."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from profiles_pipeline.dialects.kinds import is_plain, is_text, steps_of
from profiles_pipeline.dialects.over_group import belongs_to_window
from profiles_pipeline.dialects.rewriting import Rewrite
from profiles_pipeline.dialects.rewriting import call as _call
from profiles_pipeline.sql import build


def _path(path: exp.Expr) -> str | None:
    """Return a path as GET_PATH takes it; None for one with more than fields and positions."""
    steps = steps_of(path)
    if steps is None:
        return None
    found = ""
    for step in steps:
        key = f"[{step}]" if isinstance(step, int) else _key(step)
        found += key if key.startswith("[") or not found else f".{key}"
    return found


def _key(name: str) -> str:
    return name if is_plain(name) else '["' + name.replace('"', '\\"') + '"]'


def _value(node: exp.Expr) -> exp.Expr:
    """x -> '$.a': what a path leads to."""
    path = _path(node.expression)
    if path is None:
        return node
    document = _document(node.this)
    return _call("GET_PATH", document, exp.Literal.string(path)) if path else document


def _text(node: exp.Expr) -> exp.Expr:
    """x ->> '$.a': the same as text."""
    found = _value(node)
    return node if found is node else exp.cast(found, "TEXT")


def _document(value: exp.Expr) -> exp.Expr:
    """Return a document, a text being parsed."""
    return exp.ParseJSON(this=value) if is_text(value) else value.unnest()


def _field(node: exp.Expr) -> exp.Expr:
    """x[1].k, (x).k: a field of an object."""
    if not isinstance(node.expression, exp.Identifier):
        return node
    return _call("GET_PATH", node.this.unnest(), exp.Literal.string(_key(node.expression.name)))


def _struct(node: exp.Expr) -> exp.Expr:
    """{'k': v}: an object; one that is compared is rewritten with what compares it."""
    if belongs_to_window(node):
        return node
    parts = []
    for field in node.expressions:
        if not isinstance(field, exp.PropertyEQ):
            return node
        parts += [exp.Literal.string(field.this.name), field.expression]
    return _call("OBJECT_CONSTRUCT_KEEP_NULL", *parts)


def _map(node: exp.Expr) -> exp.Expr:
    """MAP(keys, values): an object."""
    keys, values = node.args.get("keys"), node.args.get("values")
    return node if keys is None or values is None else _call("ARRAYS_TO_OBJECT", keys, values)


def _object(node: exp.Expr) -> exp.Expr:
    pairs = [part for pair in node.expressions for part in (pair.this, pair.expression)]
    return _call("OBJECT_CONSTRUCT_KEEP_NULL", *pairs)


def _array(node: exp.Expr) -> exp.Expr:
    """[a, b]: the empty list is written so that its type is known."""
    if not node.expressions:
        return exp.cast(exp.ParseJSON(this=exp.Literal.string("[]")), "ARRAY")
    return _call("ARRAY_CONSTRUCT", *node.expressions)


def _kind(args: list[exp.Expr]) -> exp.Expr:
    """JSON_TYPE(x): the kind of a value as the canonical dialect calls it."""
    kind = _call("TYPEOF", _document(args[0]))
    said = [exp.Literal.string(name) for pair in _KINDS.items() for name in pair]
    return _call("DECODE", kind, *said, kind.copy())


_KINDS = {"INTEGER": "BIGINT", "DECIMAL": "DOUBLE", "NULL_VALUE": "NULL"}


def _typeof(node: exp.Expr) -> exp.Expr:
    """TYPEOF(x): of a value in a VARIANT, which has one whatever the column is."""
    return _call("TYPEOF", exp.ToVariant(this=node.this))


def is_list(node: exp.Expr) -> bool:
    """Tell whether a tree is known to give a list."""
    node = node.unnest()
    if isinstance(node, exp.WithinGroup):
        node = node.this
    if isinstance(node, exp.Anonymous):
        return node.name.upper() in ("ARRAY_CONSTRUCT", "ARRAY_SLICE", "REGEXP_SUBSTR_ALL")
    return isinstance(
        node, exp.ArrayAgg | exp.SortArray | exp.ArrayFilter | exp.Transform | exp.RegexpExtractAll | exp.ArrayDistinct
    )


def _length(node: exp.Expr) -> exp.Expr:
    """LENGTH(l): of a list."""
    return _call("ARRAY_SIZE", node.this) if is_list(node.this) else node


def _without_nulls(args: list[exp.Expr]) -> exp.Expr | None:
    """JSON_MERGE_PATCH('{}', o): an object without the keys whose values are NULL."""
    made = args[1]
    if args[0].name != "{}" or not isinstance(made, exp.Anonymous) or made.name != "OBJECT_CONSTRUCT_KEEP_NULL":
        return None
    return _call("OBJECT_CONSTRUCT", *made.expressions)


def _document_of(args: list[exp.Expr]) -> exp.Expr:
    """TO_JSON(x): a document; of all columns an object."""
    row = args[0]
    columns = row.expressions[0] if isinstance(row, exp.Anonymous) and row.name.upper() == "STRUCT_PACK" else None
    if isinstance(columns, exp.Columns):
        return _call("OBJECT_CONSTRUCT_KEEP_NULL", columns.this)
    return exp.ToVariant(this=row)


CALLS: dict[str, Callable[[list[exp.Expr]], exp.Expr | None]] = {
    "JSON_TYPE": _kind,
    "TO_JSON": _document_of,
    "JSON_MERGE_PATCH": _without_nulls,
    "ARRAY_EXTRACT": lambda a: build("GET(:l, :n - 1)", l=a[0], n=a[1]),
    "JSON_CONTAINS": lambda a: _call("ARRAY_CONTAINS", a[1], exp.cast(a[0], "ARRAY")),
    "JSON_VALID": lambda a: build("TRY_PARSE_JSON(:x) IS NOT NULL", x=exp.cast(a[0], "TEXT")),
    "JSON_ARRAY_LENGTH": lambda a: _call("ARRAY_SIZE", _document(a[0])),
    "LIST_CONTAINS": lambda a: _call("ARRAY_CONTAINS", exp.ToVariant(this=a[1]), a[0]),
    "ARRAY_CONTAINS": lambda a: _call("ARRAY_CONTAINS", exp.ToVariant(this=a[1]), a[0]),
    "LIST_SLICE": lambda a: build("ARRAY_SLICE(:l, :a - 1, :b)", l=a[0], a=a[1], b=a[2]) if len(a) == 3 else None,
    "LIST_POSITION": lambda a: build("ARRAY_POSITION(TO_VARIANT(:x), :l) + 1", x=a[1], l=a[0]),
}

REWRITES: tuple[Rewrite, ...] = (
    Rewrite("JSON paths", "GET_PATH", (exp.JSONExtract,), _value),
    Rewrite("JSON paths to texts", "GET_PATH, cast to VARCHAR", (exp.JSONExtractScalar,), _text),
    Rewrite("fields of structs", "GET_PATH", (exp.Dot,), _field),
    Rewrite("LENGTH of lists", "ARRAY_SIZE", (exp.Length,), _length),
    Rewrite("structs", "OBJECT_CONSTRUCT_KEEP_NULL", (exp.Struct,), _struct),
    Rewrite("maps of two lists", "ARRAYS_TO_OBJECT", (exp.Map, exp.VarMap), _map),
    Rewrite("JSON_OBJECT", "OBJECT_CONSTRUCT_KEEP_NULL", (exp.JSONObject,), _object),
    Rewrite("lists", "ARRAY_CONSTRUCT", (exp.Array,), _array),
    Rewrite("JSON_ARRAY", "ARRAY_CONSTRUCT", (exp.JSONArray,), lambda n: _call("ARRAY_CONSTRUCT", *n.expressions)),
    Rewrite("JSON_TYPE", "TYPEOF, with other names", (exp.JSONType,), lambda n: _kind([n.this])),
    Rewrite("TYPEOF", "TYPEOF of a VARIANT", (exp.Typeof,), _typeof),
)
