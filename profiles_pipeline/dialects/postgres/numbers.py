"""Casts, numbers, types and hashes of the canonical dialect in PostgreSQL."""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline.dialects.postgres import parsing
from profiles_pipeline.dialects.postgres.documents import is_json, list_of_json
from profiles_pipeline.dialects.postgres.helpers import called
from profiles_pipeline.dialects.postgres.words import cast_to, function
from profiles_pipeline.sql import build


def sha1(node: exp.Expr) -> exp.Expr:
    """SHA1(x): by a function over the extension pgcrypto."""
    return called("sha1", cast_to(node.this, "TEXT"))


def try_cast(node: exp.Expr) -> exp.Expr:
    """TRY_CAST(x AS t): by a function that catches what the server says of a value."""
    kind = node.args["to"]
    if kind.is_type("array") and kind.expressions and is_json(node.this):
        return list_of_json(node.this, kind)
    if kind.is_type("text", "varchar"):
        return cast_to(node.this, "TEXT")
    if kind.is_type("json"):
        return called("json", cast_to(node.this, "TEXT"))
    if kind.this in _INTEGERS and (digits := _hexadecimal(node.this)) is not None:
        return called("from_hex", digits)
    return exp.cast(_read(cast_to(node.this, "TEXT"), kind), kind.copy())


def _read(text: exp.Expr, kind: exp.DataType) -> exp.Expr:
    """Return what a text is as a value of a type, NULL where it is none."""
    if (limits := parsing.limits(kind.this.name)) is not None:
        return called("try_integer", text, *map(exp.convert, limits))
    if kind.is_type("decimal"):
        width, scale = (int(size.name) for size in kind.expressions) if len(kind.expressions) == 2 else (18, 3)
        return called("try_decimal", text, exp.convert(width), exp.convert(scale))
    if kind.is_type("double", "float"):
        bounds = _DOUBLES if kind.is_type("double") else _FLOATS
        return called("try_double", text, *map(exp.Literal.number, bounds))
    if kind.is_type("boolean"):
        return called("try_boolean", text)
    if kind.is_type("date", "timestamp", "timestampntz"):
        return _time_of(text, kind, strict=False)
    begins = {exp.DType.TIMESTAMPTZ: parsing.MOMENT, exp.DType.TIME: parsing.TIME}.get(kind.this)
    if begins is not None:
        good = exp.RegexpLike(this=text.copy(), expression=exp.Literal.string(begins))
        text = exp.Case(ifs=[exp.If(this=good, true=text)])
    return called("try_cast", text, exp.cast(exp.Null(), kind.copy()))


_DOUBLES = ("2.5e-324", "1.797693134862315807e308")
_FLOATS = ("7.1e-46", "3.4028235677973366e38")
"""The sizes of numbers below which they are zero, and above which they are infinite."""


def _time_of(text: exp.Expr, kind: exp.DataType, strict: bool) -> exp.Expr:
    return called("to_date" if kind.is_type("date") else "to_timestamp", text, exp.convert(strict))


def _hexadecimal(node: exp.Expr) -> exp.Expr | None:
    """Return x of ``'0x' || x``, which is a number elsewhere."""
    node = node.unnest()
    node = node.this.unnest() if isinstance(node, exp.Cast) else node
    if not isinstance(node, exp.DPipe) or node.this.unnest().name != "0x":
        return None
    return cast_to(node.expression, "TEXT")


def hash_of(args: list[exp.Expr]) -> exp.Expr:
    """HASH(a, b): of each value, which tells apart what has any difference in its text; equal values may look unlike.

    Each place has a seed of its own, so that values that change places are seen.
    """
    seeds = [exp.Literal.number(seed) for seed in range(1, len(args) + 1)]
    parts: list[exp.Expr] = [
        exp.Coalesce(this=called("hash", arg, seed), expressions=[seed.copy()])
        for arg, seed in zip(args, seeds, strict=True)
    ]
    hashed = parts[0]
    for part in parts[1:]:
        hashed = exp.BitwiseXor(this=hashed, expression=part)
    return exp.Paren(this=hashed)


def _is_hash(node: exp.Expr) -> bool:
    inner = node.unnest()
    while isinstance(inner, exp.BitwiseXor):
        inner = inner.this
    return isinstance(inner, exp.Coalesce) and isinstance(inner.this, exp.Anonymous) and inner.this.name == _HASH.name


_HASH, _IS_TEXT = called("hash"), called("is_text")
_INTEGERS = (exp.DType.TINYINT, exp.DType.SMALLINT, exp.DType.INT, exp.DType.BIGINT, exp.DType.INT128)


def cast_of_text(node: exp.Expr) -> exp.Expr:
    """CAST of a text to an integer rounds what is none, to a time takes what is written as one; JSON is parsed."""
    if not isinstance(node, exp.Cast) or isinstance(node, exp.TryCast):
        return node
    kind, given = node.args["to"], node.this
    if kind.this is exp.DType.DECIMAL and (digits := _hexadecimal(given)) is not None:
        return called("from_hex_unsigned", digits)
    if kind.is_type("decimal") and _is_hash(given):
        assert isinstance(given, exp.Expr)
        return given  # sums of what has 64 bits are exact, and found faster than those of decimals
    if kind.is_type("array") and kind.expressions and is_json(node.this):
        return list_of_json(node.this, kind)
    if kind.this in _INTEGERS and _is_text(node.this):
        node.set("this", cast_to(node.this, "NUMERIC"))
    if kind.is_type("date", "timestamp", "timestampntz") and _is_text(node.this):
        node.set("this", _time_of(node.this, kind, strict=True))
    return _cast_of_any(node)


def _cast_of_any(node: exp.Cast) -> exp.Expr:
    """Return a cast to an integer or to a truth value of what may have a type that the server has no cast of."""
    kind, given = node.args["to"], node.this.unnest()
    if kind.is_type("boolean") and not isinstance(given, exp.Literal | exp.Null | exp.Boolean | exp.Predicate):
        return called("to_boolean", node.this)
    if kind.this not in _INTEGERS:
        return node
    if isinstance(given, exp.Predicate | exp.Connector | exp.Not | exp.Boolean):
        node.set("this", cast_to(node.this, "INT"))
    elif isinstance(given, exp.Column):
        node.set("this", called("to_bigint", node.this))
        return node.this if kind.is_type("bigint") else node
    return node


def _is_text(node: exp.Expr) -> bool:
    node = node.unnest()
    if isinstance(node, exp.Cast):
        return bool(node.args["to"].is_type("text", "varchar"))
    if isinstance(node, exp.Collate):
        return True
    if isinstance(node, exp.Anonymous):
        return node.name.upper() == "JSONB_EXTRACT_PATH_TEXT"
    return isinstance(node, exp.JSONBExtractScalar | exp.RegexpReplace | exp.Trim)


def json_type(node: exp.Expr) -> exp.Expr:
    """The type of JSON: JSONB, which can be compared."""
    if node.args.get("this") is exp.DType.JSON:
        return exp.DataType(this=exp.DType.JSONB, nested=False)
    if node.args.get("this") is exp.DType.UBIGINT:
        return exp.DataType.build("DECIMAL(20, 0)")
    if node.args.get("this") is exp.DType.INT128:
        return exp.DataType.build("DECIMAL(38, 0)")
    return node


def whole_division(node: exp.Expr) -> exp.Expr:
    """x // y: towards zero."""
    divided = function("DIV", cast_to(node.this, "NUMERIC"), cast_to(node.expression, "NUMERIC"))
    return cast_to(divided, "BIGINT")


def plain_division(node: exp.Expr) -> exp.Expr:
    """x / y: of zero an error, as it is elsewhere."""
    node.set("safe", False)
    return node


def sha2(node: exp.Expr) -> exp.Expr:
    """SHA256(x): of the bytes, in hexadecimal digits."""
    digest = build("SHA256(CONVERT_TO(CAST(:x AS TEXT), 'UTF8'))", x=node.this)
    return function("ENCODE", exp.Anonymous(this="SHA256", expressions=[digest.this]), exp.Literal.string("hex"))


_KINDS = {
    "text": "VARCHAR",
    "character varying": "VARCHAR",
    "boolean": "BOOLEAN",
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "real": "FLOAT",
    "double precision": "DOUBLE",
    "date": "DATE",
    "timestamp without time zone": "TIMESTAMP",
    "timestamp with time zone": "TIMESTAMP WITH TIME ZONE",
    "jsonb": "JSON",
    "bytea": "BLOB",
}


def rounded(node: exp.Expr) -> exp.Expr:
    """ROUND(x, n): halves go away from zero, whatever the type of x."""
    return called("round", node.this, cast_to(node.args.get("decimals") or exp.Literal.number(0), "INT"))


def truncated(node: exp.Expr) -> exp.Expr:
    """TRUNC(x, n): towards zero, whatever the type of x."""
    places = node.args.get("decimals")
    return node if places is None else called("trunc", node.this, cast_to(places, "INT"))


def typeof(node: exp.Expr) -> exp.Expr:
    """TYPEOF(x): in the canonical spelling, or ready to be compared with a type."""
    parent = node.parent
    if isinstance(parent, exp.EQ) and parent.expression.name == "VARCHAR":
        return called("is_text", node.this)
    asked = function("PG_TYPEOF", node.this)
    if isinstance(parent, exp.EQ) and isinstance(parent.expression, exp.Literal):
        # Types are compared by their numbers: their names would be looked up for every row.
        kinds: list[exp.Expr] = [
            exp.Cast(this=exp.Literal.string(name), to=exp.DataType.build("regtype", udt=True))
            for name, kind in _KINDS.items()
            if kind == parent.expression.name
        ]
        if kinds:
            return function("ANY_OF", asked, *kinds)
    asked = cast_to(asked, "TEXT")
    chosen = exp.Case(this=asked, default=exp.Literal.string("OTHER"))
    for name, kind in _KINDS.items():
        chosen = chosen.when(exp.Literal.string(name), exp.Literal.string(kind), copy=False)
    return chosen


def type_test(node: exp.Expr) -> exp.Expr:
    """TYPEOF(x) = 'VARCHAR', once its left side was rewritten."""
    asked = node.this
    if isinstance(asked, exp.Anonymous) and asked.name == "ANY_OF":
        return exp.In(this=asked.expressions[0], expressions=asked.expressions[1:])
    return asked if isinstance(asked, exp.Anonymous) and asked.name == _IS_TEXT.name else node


def logarithm(node: exp.Expr) -> exp.Expr:
    """LOG(b, x), and LOG(x), which is of base ten."""
    if node.expression is None:
        return node
    logs = [function("LN", cast_to(part, "DOUBLE PRECISION")) for part in (node.expression, node.this)]
    if node.this.name == "10":
        return function("LOG", cast_to(node.expression, "DOUBLE PRECISION"))
    return exp.Paren(this=exp.Div(this=logs[0], expression=logs[1]))


def attempt(node: exp.Expr) -> exp.Expr:
    """TRY of a cast is TRY_CAST; what else can be tried are texts in base 64."""
    if isinstance(node.this, exp.Cast):
        return try_cast(exp.TryCast(this=node.this.this, to=node.this.args["to"]))
    if isinstance(node.this, exp.Anonymous) and node.this.name == "CONVERT_FROM":
        decoded = node.this.expressions[0]
        if isinstance(decoded, exp.Anonymous) and decoded.name == "DECODE":
            return called("base64_text", decoded.expressions[0])
    return node
