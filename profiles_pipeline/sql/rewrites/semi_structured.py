"""Semi-structured values: Snowflake's VARIANT and OBJECT are JSON in DuckDB."""

from __future__ import annotations

from contextlib import suppress

from sqlglot import exp
from sqlglot.errors import ParseError

from profiles_pipeline.errors import fail
from profiles_pipeline.sql.kinds import is_map, is_text_of_path, kind, leads_on, typed
from profiles_pipeline.sql.rewrites.row import Rewrite, cast, function, named

WITH_PATHS = ("snowflake", "databricks", "redshift")
"""Dialects with paths into semi-structured values."""

_WHOLE = (
    exp.DType.VARIANT, exp.DType.JSON, exp.DType.OBJECT, exp.DType.ARRAY, exp.DType.STRUCT, exp.DType.MAP,
    exp.DType.SUPER,
)  # fmt: skip
_OF_NUMBERS = ("UBIGINT", "BIGINT", "HUGEINT", "DOUBLE")
_ACCESSORS: dict[str, tuple[exp.DataType, tuple[str, ...]]] = {
    "AS_CHAR": (exp.DataType.build("TEXT"), ("VARCHAR",)),
    "AS_VARCHAR": (exp.DataType.build("TEXT"), ("VARCHAR",)),
    "AS_INTEGER": (exp.DataType.build("BIGINT"), _OF_NUMBERS),
    "AS_NUMBER": (exp.DataType.build("DECIMAL(38, 0)"), _OF_NUMBERS),
    "AS_DECIMAL": (exp.DataType.build("DECIMAL(38, 0)"), _OF_NUMBERS),
    "AS_DOUBLE": (exp.DataType.build("DOUBLE"), _OF_NUMBERS),
    "AS_REAL": (exp.DataType.build("DOUBLE"), _OF_NUMBERS),
    "AS_BOOLEAN": (exp.DataType.build("BOOLEAN"), ("BOOLEAN",)),
    "AS_DATE": (exp.DataType.build("DATE"), ("VARCHAR",)),
    "AS_TIMESTAMP_NTZ": (exp.DataType.build("TIMESTAMP"), ("VARCHAR",)),
}
"""What each accessor returns, and the types of JSON values that hold such; JSON holds times as texts."""


def scalar(node: exp.Expr) -> exp.Expr:
    """Return the text of a JSON value: strings without quotes, JSON null as NULL."""
    if isinstance(node, exp.Paren):
        return scalar(node.this)
    if isinstance(node, exp.JSONExtract):
        made = exp.JSONExtractScalar(this=node.this, expression=node.expression, only_json_types=False)
    else:
        made = exp.JSONExtractScalar(this=node, expression=_path())
    return typed(made, exp.DType.VARCHAR)


def scalar_of(node: exp.Expr, dtype: exp.DType) -> exp.Expr:
    """Return a JSON value as a value of that type."""
    return cast(scalar(node), dtype)


def _path(*keys: str | int) -> exp.JSONPath:
    steps: list[exp.Expr] = [exp.JSONPathRoot()]
    for key in keys:
        steps.append(exp.JSONPathSubscript(this=key) if isinstance(key, int) else exp.JSONPathKey(this=key))
    return exp.JSONPath(expressions=steps)


def _cast_of_json(node: exp.Expr) -> exp.Expr:
    operand: exp.Expr = node.this
    to: exp.DataType = node.args["to"]
    untyped = to.this in _WHOLE and not to.expressions
    if kind(operand) == "json":
        if untyped:
            return operand
        if to.this in {exp.DType.VARCHAR, exp.DType.TEXT} and not to.expressions:
            return scalar(operand)
        node.set("this", scalar(operand))
    elif untyped:
        whole = to.this in {exp.DType.ARRAY} or isinstance(node.parent, exp.ArrayContains | exp.ArrayPosition)
        return operand if whole or isinstance(node.parent, exp.Cast) else to_json(operand)
    return node


def to_json(node: exp.Expr) -> exp.Expr:
    """Return a value as JSON: an element, not a parsed text."""
    return node if kind(node) == "json" else function("TO_JSON", node, dtype=exp.DType.JSON)


def parsed_json(node: exp.Expr) -> exp.Expr:
    """Return a container as JSON: lists are converted, texts are parsed."""
    return node if kind(node) == "json" else cast(node, exp.DType.JSON)


def _field(node: exp.Expr) -> exp.Expr:
    """``json_parse(x).a``: a path into a SUPER value."""
    if kind(node.this) != "json" or not isinstance(node.expression, exp.Identifier):
        return node
    return typed(exp.JSONExtract(this=node.this, expression=_path(node.expression.name)), exp.DType.JSON)


def _field_of_text(node: exp.Expr) -> exp.Expr:
    """``x['k'].a``, ``x[0].a``: what is taken out of the text of a map or an array is a text, too."""
    if not isinstance(node.this, exp.JSONExtractScalar) or not isinstance(node.expression, exp.Identifier):
        return node
    return scalar(exp.JSONExtract(this=node.this, expression=_path(node.expression.name)))


def _key(node: exp.Expr) -> exp.Expr:
    if is_map(node.this):
        return node
    keys = node.expressions if isinstance(node, exp.Bracket) else [node.expression]
    key = keys[0] if len(keys) == 1 else None
    if not isinstance(key, exp.Literal) or not (key.is_string or _holds_json(node)):
        return node
    step = key.name if key.is_string else int(key.name)
    as_text = kind(node) == "text" or isinstance(node.this, exp.JSONExtractScalar)
    made = typed(exp.JSONExtract(this=node.this, expression=_path(step)), exp.DType.JSON)
    return scalar(made) if as_text else made


def _holds_json(node: exp.Expr) -> bool:
    """Tell whether what ``c[0]`` is an element of is JSON: by its kind, or since ``c[0]:a`` asks for more inside."""
    if kind(node.this) == "json" or isinstance(node.this, exp.JSONExtractScalar):
        return True
    return kind(node.this) != "list" and isinstance(node.this, exp.Column | exp.Bracket) and leads_on(node)


def _get_of_list(node: exp.Expr) -> exp.Expr:
    return node if kind(node.this) == "json" else exp.Bracket(this=node.this, expressions=[node.expression])


def _parsed_again(node: exp.Expr) -> exp.Expr:
    """``parse_json(v)`` parses the text of v."""
    if kind(node.this) == "json":
        node.set("this", scalar(node.this))
    return node


def _object(node: exp.Expr) -> exp.Expr:
    pairs = node.expressions
    if not all(isinstance(pair, exp.PropertyEQ) for pair in pairs):
        return node
    members = [part for pair in pairs for part in (_member_name(pair.this), pair.expression)]
    plain = function("JSON_OBJECT", *members, dtype=exp.DType.JSON)
    return function("JSON_MERGE_PATCH", exp.Literal.string("{}"), plain, dtype=exp.DType.JSON)


def _whole_row(node: exp.Expr) -> exp.Expr:
    """``object_construct(*)`` leaves out what is NULL, ``object_construct_keep_null(*)`` does not."""
    star = node.this if isinstance(node, exp.StarMap) else node.expressions[0] if len(node.expressions) == 1 else None
    if not isinstance(star, exp.Expr) or not star.is_star:
        return node
    row = function("TO_JSON", function("STRUCT_PACK", exp.Columns(this=star, unpack=True)), dtype=exp.DType.JSON)
    kept = isinstance(node, exp.JSONObject)
    return row if kept else function("JSON_MERGE_PATCH", exp.Literal.string("{}"), row, dtype=exp.DType.JSON)


def _member_name(name: exp.Expr) -> exp.Expr:
    return exp.Literal.string(name.name) if isinstance(name, exp.Identifier) else name


def _object_insert(node: exp.Expr) -> exp.Expr:
    added = function("JSON_OBJECT", node.args["key"], node.args["value"], dtype=exp.DType.JSON)
    return function("JSON_MERGE_PATCH", parsed_json(node.this), added, dtype=exp.DType.JSON)


def _type_of_json(node: exp.Expr) -> exp.Expr:
    if kind(node.this) != "json":
        return node
    names = {"UBIGINT": "INTEGER", "BIGINT": "INTEGER", "DOUBLE": "DECIMAL", "NULL": "NULL_VALUE"}
    found = function("JSON_TYPE", node.this)
    case = exp.Case(this=found)
    for name, shown in names.items():
        case = case.when(exp.Literal.string(name), exp.Literal.string(shown))
    return case.else_(found.copy())


def _accessor(node: exp.Expr) -> exp.Expr:
    """``as_integer(v)`` is NULL where v holds no number, ``as_decimal(v, 10, 2)`` has digits behind the point."""
    if not named(node, *_ACCESSORS):
        return node
    value, *sizes = node.expressions
    to, holding = _ACCESSORS[node.name.upper()]
    if sizes:
        to = to.copy()
        to.set("expressions", [exp.DataTypeParam(this=size) for size in sizes])
    condition = exp.In(this=function("JSON_TYPE", value.copy()), expressions=list(map(exp.Literal.string, holding)))
    return typed(exp.Case().when(condition, exp.TryCast(this=scalar(value), to=to.copy())), to.this)


def _null_is_no_json(node: exp.Expr) -> exp.Expr:
    """``json_query(x, '$.a')`` of a text is NULL where JSON says null; of JSON it is that null."""
    if kind(node.this) == "json":
        return node
    return typed(exp.Nullif(this=node, expression=exp.Literal.string("null")), exp.DType.JSON)


def _rooted_path(node: exp.Expr) -> exp.Expr:
    """``json_extract_scalar(x, '$.a')``: the dollar is the root, not a key."""
    steps = node.expression.expressions if isinstance(node.expression, exp.JSONPath) else []
    if len(steps) > 1 and isinstance(steps[1], exp.JSONPathKey) and steps[1].this == "$":
        steps[1].pop()
    return node


def _listed_element(node: exp.Expr) -> exp.Expr:
    if not named(node, "JSON_EXTRACT_ARRAY_ELEMENT_TEXT") or not isinstance(node.expressions[1], exp.Literal):
        return node
    path = _path(int(node.expressions[1].name))
    made = exp.JSONExtractScalar(this=node.expressions[0], expression=path, only_json_types=False)
    return typed(made, exp.DType.VARCHAR)


def _valid(node: exp.Expr) -> exp.Expr:
    return function("JSON_VALID", *node.expressions, dtype=exp.DType.BOOLEAN) if named(node, "IS_VALID_JSON") else node


def _blank_is_null(node: exp.Expr) -> exp.Expr:
    """``parse_json('')`` is NULL."""
    text = node.this
    if node.args.get("safe") or kind(text) == "json" or (isinstance(text, exp.Literal) and text.name.strip()):
        return node
    written = exp.Trim(this=cast(text.copy(), exp.DType.VARCHAR))
    return typed(exp.Case().when(exp.NEQ(this=written, expression=exp.Literal.string("")), node), exp.DType.JSON)


def _text_of_path(node: exp.Expr) -> exp.Expr:
    return scalar(node) if is_text_of_path(node) else node


def _typed_json(node: exp.Expr) -> exp.Expr:
    """``from_json(x, 'array<struct<a:int>>')``: the second text is a type; what does not fit it is left out or NULL."""
    if not isinstance(node.expression, exp.Literal):
        return node
    text = exp.TryCast(this=node.this, to=exp.DataType(this=exp.DType.JSON))
    return exp.TryCast(this=text, to=schema_type(node.expression.name))


def schema_type(text: str) -> exp.DataType:
    """Return the type that a text such as ``array<int>`` or ``a INT, b STRING`` describes.

    Raises:
        ProjectError: the text describes no type.
    """
    for written in (text, f"STRUCT<{text}>"):
        with suppress(ParseError):
            read = exp.DataType.build(written, dialect="databricks")
            if read.this != exp.DType.STRUCT or read.expressions:
                return read
    fail("sql-untranslatable", f"'{text}' of from_json is not a type", hint="for example 'a INT, b ARRAY<STRING>'")


ROWS: tuple[Rewrite, ...] = (
    *(Rewrite("json-key", source, "duckdb", (exp.Bracket, exp.GetExtract), _key) for source in WITH_PATHS),
    *(Rewrite("cast-of-json", source, "duckdb", (exp.Cast, exp.TryCast), _cast_of_json) for source in WITH_PATHS),
    Rewrite("json-field", "redshift", "duckdb", (exp.Dot,), _field),
    Rewrite("json-field", "databricks", "duckdb", (exp.Dot,), _field_of_text),
    Rewrite("text-of-path", "databricks", "duckdb", (exp.JSONExtract,), _text_of_path),
    Rewrite("null-is-no-json", "bigquery", "duckdb", (exp.JSONExtract,), _null_is_no_json),
    Rewrite("rooted-path", "snowflake", "duckdb", (exp.JSONExtract, exp.JSONExtractScalar), _rooted_path),
    *(Rewrite("listed-element", s, "duckdb", (exp.Anonymous,), _listed_element) for s in ("snowflake", "redshift")),
    *(Rewrite("valid-json", s, "duckdb", (exp.Anonymous,), _valid) for s in ("snowflake", "redshift")),
    *(Rewrite("from-json", s, "duckdb", (exp.FromJson,), _typed_json) for s in ("snowflake", "databricks")),
    Rewrite("json-parsed-again", "snowflake", "duckdb", (exp.ParseJSON,), _parsed_again),
    Rewrite("blank-json", "snowflake", "duckdb", (exp.ParseJSON,), _blank_is_null),
    Rewrite("get-of-list", "snowflake", "duckdb", (exp.GetExtract,), _get_of_list),
    Rewrite("to-variant", "snowflake", "duckdb", (exp.ToVariant,), lambda node: to_json(node.this)),
    Rewrite("object-construct", "snowflake", "duckdb", (exp.Struct,), _object),
    Rewrite("object-of-row", "snowflake", "duckdb", (exp.StarMap, exp.JSONObject), _whole_row),
    Rewrite("object-insert", "snowflake", "duckdb", (exp.ObjectInsert,), _object_insert),
    Rewrite("typeof-json", "snowflake", "duckdb", (exp.Typeof,), _type_of_json),
    Rewrite("json-accessor", "snowflake", "duckdb", (exp.Anonymous,), _accessor),
)
