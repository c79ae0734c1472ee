"""What the canonical dialect says and PostgreSQL says otherwise: one table of small rewrites of trees.

They work on what DuckDB would be given, so that there is one dialect to come from: what a tree of another origin means
on DuckDB has been settled before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from profiles_pipeline.dialects.postgres.formats import pattern_of, time_format
from profiles_pipeline.dialects.postgres.helpers import called
from profiles_pipeline.sql import build, nodes_of

BYTES = "C"
"""The collation by which texts are compared as they are elsewhere: byte by byte."""

_LETTERS = "und-x-icu"


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Says a construct of the canonical dialect in PostgreSQL.

    Attributes:
        what: the construct, for people.
        how: what stands for it.
        nodes: the node types to look at.
        apply: returns the replacement of a node, or the node itself; its children were rewritten before.
    """

    what: str
    how: str
    nodes: tuple[type[exp.Expr], ...]
    apply: Callable[[exp.Expr], exp.Expr]


def in_postgres(tree: exp.Expr) -> exp.Expr:
    """Return a tree of the canonical dialect as one for PostgreSQL. Changes the tree in place."""
    _tell_documents_apart(tree)
    _fold_names(tree)
    root = tree
    for node in reversed(nodes_of(tree, exp.Expr)):
        made = _rewritten(node)
        if node is root:
            root = made
        elif made is not node and node.parent is not None and node.arg_key is not None:
            node.parent.set(node.arg_key, made, node.index)
    return root


_OF_DOCUMENTS = frozenset(["atom", "fullkey", "id", "json", "key", "parent", "path", "rowid", "type", "value"])
"""The columns of JSON_EACH and JSON_TREE."""


def _tell_documents_apart(tree: exp.Expr) -> None:
    """Give the elements of a document a name of their own: here it would hide a table of that name around the query."""
    for table in nodes_of(tree, exp.Table):
        select = table.find_ancestor(exp.Select)
        if not isinstance(table.this, exp.Anonymous) or not table.alias or select is None:
            continue
        if table.this.name.upper() in ("JSON_EACH", "JSON_TREE"):
            name, inside = table.alias, {id(column) for column in nodes_of(table, exp.Column)}
            for column in nodes_of(select, exp.Column):
                if column.table == name and column.name.lower() in _OF_DOCUMENTS and id(column) not in inside:
                    column.set("table", exp.to_identifier(f"{name}_elements"))
            table.args["alias"].set("this", exp.to_identifier(f"{name}_elements"))


def _rewritten(node: exp.Expr) -> exp.Expr:
    made = node
    for rewrite in _BY_TYPE.get(type(node), ()):
        if not isinstance(made, rewrite.nodes):
            break
        made = rewrite.apply(made)
    return made


# --- names ----------------------------------------------------------------------------------------------------------


def _fold_names(tree: exp.Expr) -> None:
    """Spell names of columns and aliases in lower case: the canonical dialect compares them without regard to it."""
    tables = {table.name for table in nodes_of(tree, exp.Table) if table.this.args.get("quoted")}
    for name in nodes_of(tree, exp.Identifier):
        parent = name.parent
        is_relation = isinstance(parent, exp.Table) or (isinstance(parent, exp.Schema) and name.arg_key == "this")
        if is_relation and name.args.get("quoted"):
            continue
        if isinstance(parent, exp.Column) and name.arg_key == "table" and name.name in tables:
            continue
        if isinstance(parent, exp.Anonymous | exp.Placeholder | exp.DataType | exp.Collate):
            continue
        name.set("this", name.name.lower())
        name.set("quoted", True)


# --- calls ----------------------------------------------------------------------------------------------------------


def _call(name: str, *args: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(args))


def _cast(node: exp.Expr, kind: str) -> exp.Expr:
    return exp.cast(node, kind, copy=False)


def _inside_filter(node: exp.Expr) -> bool:
    return isinstance(node.parent, exp.Filter) and node.arg_key == "this"


def _first_of(value: exp.Expr, keys: list[exp.Expr], where: exp.Expr | None) -> exp.Expr:
    """Return the first of the values of a group by an order."""
    listed: exp.Expr = exp.ArrayAgg(this=exp.Order(this=value, expressions=keys) if keys else value)
    if where is not None:
        listed = exp.Filter(this=listed, expression=exp.Where(this=where))
    return exp.Bracket(this=exp.Paren(this=listed), expressions=[exp.Literal.number(1)], offset=1)


def _extreme(node: exp.Expr) -> exp.Expr:
    """ARG_MAX(v, k), within a FILTER or not: rows without a value or a key do not count."""
    call = node.this if isinstance(node, exp.Filter) else node
    if not isinstance(call, exp.ArgMax | exp.ArgMin) or (call is node and _inside_filter(node)):
        return node
    if call.args.get("count") is not None:
        return node
    value, key = call.this, call.expression
    known = [build(":x IS NOT NULL", x=value), build(":x IS NOT NULL", x=key)]
    keys = [exp.Ordered(this=key.copy(), desc=isinstance(call, exp.ArgMax), nulls_first=False)]
    where = [node.expression.this] if isinstance(node, exp.Filter) else []
    return _first_of(value.copy(), list(keys), exp.and_(*where, *known, copy=False))


def _first(node: exp.Expr) -> exp.Expr:
    """FIRST(v ORDER BY k) and ANY_VALUE(v), within a FILTER or not."""
    if isinstance(node.parent, exp.Filter | exp.IgnoreNulls | exp.RespectNulls) and node.arg_key == "this":
        return node
    call = node
    while isinstance(call, exp.Filter | exp.IgnoreNulls | exp.RespectNulls):
        call = call.this
    if not isinstance(call, exp.First | exp.AnyValue) or isinstance(call.this, exp.HavingMax):
        return node
    keys = list(call.this.expressions) if isinstance(call.this, exp.Order) else []
    value = call.this.this if isinstance(call.this, exp.Order) else call.this
    tests = [node.expression.this] if isinstance(node, exp.Filter) else []
    if isinstance(call, exp.AnyValue):
        tests.append(build(":x IS NOT NULL", x=value))
    return _first_of(value, keys, exp.and_(*tests, copy=False) if tests else None)


def _largest_pair(node: exp.Expr) -> exp.Expr:
    """STRUCT_EXTRACT(MAX({'k': k, 'v': v}) FILTER (WHERE ...), 'v'): NULL is greater than any value."""
    if not isinstance(node, exp.StructExtract) or node.expression.name != "v":
        return node
    inner = node.this.this if isinstance(node.this, exp.Filter) else node.this
    if not isinstance(inner, exp.Max | exp.Min) or not isinstance(inner.this, exp.Struct):
        return node
    fields = [field.expression for field in inner.this.expressions]
    down = isinstance(inner, exp.Max)
    keys: list[exp.Expr] = [exp.Ordered(this=field.copy(), desc=down, nulls_first=down) for field in fields]
    where = node.this.expression.this if isinstance(node.this, exp.Filter) else None
    return _first_of(fields[-1], keys, where)


def _average(node: exp.Expr) -> exp.Expr:
    """AVG(x), within a FILTER or not: the sum, which is exact for decimals, by the number of values."""
    call = node.this if isinstance(node, exp.Filter) else node
    if not isinstance(call, exp.Avg) or (call is node and _inside_filter(node)):
        return node
    if isinstance(node.parent, exp.Window):
        call.set("this", _cast(call.this, "DOUBLE PRECISION"))
        return node

    def part(made: exp.Expr) -> exp.Expr:
        where = node.expression.copy() if isinstance(node, exp.Filter) else None
        return exp.Filter(this=made, expression=where) if where is not None else made

    total = _cast(part(exp.Sum(this=call.this.copy())), "DOUBLE PRECISION")
    count = part(exp.Count(this=call.this.copy(), big_int=True))
    quotient = exp.Div(this=total, expression=_call("NULLIF", count, exp.Literal.number(0)), typed=False, safe=False)
    return exp.Paren(this=quotient)


def _quantile(node: exp.Expr) -> exp.Expr:
    """MEDIAN(x) and QUANTILE_CONT(x, q), within a FILTER or not: by a function over the sorted values."""
    call = node.this if isinstance(node, exp.Filter) else node
    if not isinstance(call, exp.Median | exp.PercentileCont) or (call is node and _inside_filter(node)):
        return node
    part = exp.Literal.number("0.5") if isinstance(call, exp.Median) else call.expression
    if part is None or isinstance(node.parent, exp.WithinGroup):
        return node
    part = part.this if isinstance(part, exp.Order) else part
    if not isinstance(part, exp.Literal):
        return node
    distinct = isinstance(call.this, exp.Distinct)
    value = _cast(call.this.expressions[0] if distinct else call.this, "DOUBLE PRECISION")
    listed = exp.Order(
        this=exp.Distinct(expressions=[value]) if distinct else value, expressions=[exp.Ordered(this=value.copy())]
    )
    tests = [node.expression.this] if isinstance(node, exp.Filter) else []
    where = exp.and_(*tests, build(":x IS NOT NULL", x=value), copy=False)
    values = exp.Filter(this=exp.ArrayAgg(this=listed), expression=exp.Where(this=where))
    return called("quantile", values, part.copy())


def _mode(node: exp.Expr) -> exp.Expr:
    value = node.this
    if value is None:
        return node
    keys = list(value.expressions) if isinstance(value, exp.Order) else [exp.Ordered(this=value, nulls_first=False)]
    return exp.WithinGroup(this=exp.Mode(), expression=exp.Order(expressions=keys))


def _sha1(node: exp.Expr) -> exp.Expr:
    return called("sha1", _cast(node.this, "TEXT"))


_TRUNCATED = ("microsecond", "millisecond", "second", "minute", "hour")


def _date_difference(node: exp.Expr) -> exp.Expr:
    """DATE_DIFF(unit, a, b) counts the boundaries of the unit between a and b."""
    unit = str(node.args["unit"].name).lower().removesuffix("s")
    later, earlier = node.this, node.expression
    if unit == "day":
        return _cast(exp.Paren(this=build("CAST(:b AS DATE) - CAST(:a AS DATE)", a=earlier, b=later)), "BIGINT")
    if unit in _TRUNCATED:
        per = {"microsecond": "0.000001", "millisecond": "0.001", "second": "1", "minute": "60", "hour": "3600"}[unit]
        parts = [
            build(f"EXTRACT(EPOCH FROM DATE_TRUNC('{unit}', CAST(:x AS TIMESTAMP)))", x=x) for x in (later, earlier)
        ]
        difference = exp.Paren(this=exp.Sub(this=parts[0], expression=parts[1]))
        return _cast(exp.Div(this=difference, expression=exp.Literal.number(per)), "BIGINT")
    if unit == "week":
        mondays = [build("CAST(DATE_TRUNC('week', CAST(:x AS TIMESTAMP)) AS DATE)", x=x) for x in (later, earlier)]
        days = exp.Paren(this=exp.Sub(this=mondays[0], expression=mondays[1]))
        return _cast(exp.Div(this=days, expression=exp.Literal.number(7)), "BIGINT")
    years = "EXTRACT(YEAR FROM CAST(:b AS TIMESTAMP)) - EXTRACT(YEAR FROM CAST(:a AS TIMESTAMP))"
    if unit == "year":
        return _cast(exp.Paren(this=build(years, a=earlier, b=later)), "BIGINT")
    part, count = {"quarter": ("QUARTER", 4), "month": ("MONTH", 12)}.get(unit, (None, 0))
    if part is None:
        return node
    months = (
        f"({years}) * {count} + EXTRACT({part} FROM CAST(:b AS TIMESTAMP)) - EXTRACT({part} FROM CAST(:a AS TIMESTAMP))"
    )
    return _cast(exp.Paren(this=build(months, a=earlier, b=later)), "BIGINT")


def _truncated_time(node: exp.Expr) -> exp.Expr:
    node.set("this", _cast(node.this, "TIMESTAMP"))
    return node


def _extract(node: exp.Expr) -> exp.Expr:
    part = {"DAYOFWEEK": "DOW", "WEEKDAY": "DOW", "DAYOFYEAR": "DOY", "WEEKOFYEAR": "WEEK"}.get(node.name.upper())
    if part is not None:
        node.set("this", exp.var(part))
    if node.name.upper() in ("EPOCH", "SECOND", "JULIAN"):
        return node
    if isinstance(node.parent, exp.Cast):
        return node
    return _cast(node.copy(), "BIGINT")


def _try_cast(node: exp.Expr) -> exp.Expr:
    """TRY_CAST(x AS t): by a function that catches what the server says of a value."""
    kind = node.args["to"]
    if kind.is_type("array") and kind.expressions and _is_json(node.this):
        return _list_of_json(node.this, kind)
    if kind.is_type("text", "varchar"):
        return _cast(node.this, "TEXT")
    if kind.is_type("json"):
        return called("json", _cast(node.this, "TEXT"))
    if kind.this in _INTEGERS and (digits := _hexadecimal(node.this)) is not None:
        return called("from_hex", digits)
    tried = called("try_cast", _cast(node.this, "TEXT"), exp.cast(exp.Null(), kind.copy()))
    return exp.cast(tried, kind.copy())


def _hexadecimal(node: exp.Expr) -> exp.Expr | None:
    """Return x of ``'0x' || x``, which is a number elsewhere."""
    node = node.unnest()
    node = node.this.unnest() if isinstance(node, exp.Cast) else node
    if not isinstance(node, exp.DPipe) or node.this.unnest().name != "0x":
        return None
    return _cast(node.expression, "TEXT")


_HASH = "HASHTEXTEXTENDED"


def _hash(args: list[exp.Expr]) -> exp.Expr:
    """HASH(a, b): of the text of each value, which tells apart what has any difference; equal values may look unlike.

    Each place has a seed of its own, so that values that change places are seen.
    """
    parts = [
        build(f"COALESCE({_HASH}(CAST(:x AS TEXT), {seed}), {seed})", x=arg) for seed, arg in enumerate(args, start=1)
    ]
    hashed = parts[0]
    for part in parts[1:]:
        hashed = exp.BitwiseXor(this=hashed, expression=part)
    return exp.Paren(this=hashed)


def _is_hash(node: exp.Expr) -> bool:
    inner = node.unnest()
    while isinstance(inner, exp.BitwiseXor):
        inner = inner.this
    return isinstance(inner, exp.Coalesce) and isinstance(inner.this, exp.Anonymous) and inner.this.name == _HASH


def _united(node: exp.Expr) -> exp.Expr:
    """FLATTEN(ARRAY_AGG(l)), within a FILTER or not: an aggregate of the schema."""
    listed = node.this.this if isinstance(node.this, exp.Filter) else node.this
    if not isinstance(listed, exp.ArrayAgg):
        return node
    joined = called("united", listed.this)
    if not isinstance(node.this, exp.Filter):
        return joined
    return exp.Filter(this=joined, expression=node.this.expression)


_INTEGERS = (exp.DType.TINYINT, exp.DType.SMALLINT, exp.DType.INT, exp.DType.BIGINT, exp.DType.INT128)


def _cast_of_text(node: exp.Expr) -> exp.Expr:
    """CAST of a text to an integer rounds what is none; JSON is parsed."""
    if not isinstance(node, exp.Cast) or isinstance(node, exp.TryCast):
        return node
    kind, given = node.args["to"], node.this
    if kind.this is exp.DType.DECIMAL and (digits := _hexadecimal(given)) is not None:
        return called("from_hex_unsigned", digits)
    if kind.is_type("decimal") and _is_hash(given):
        assert isinstance(given, exp.Expr)
        return given  # sums of what has 64 bits are exact, and found faster than those of decimals
    if kind.is_type("array") and kind.expressions and _is_json(node.this):
        return _list_of_json(node.this, kind)
    if kind.this in _INTEGERS and _is_text(node.this):
        node.set("this", _cast(node.this, "NUMERIC"))
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


def _json_text(node: exp.Expr) -> exp.Expr:
    """x ->> '$.a': the value behind a path as text."""
    steps = _steps(node.expression)
    if steps is None:
        return _operator(_found(node), "#>>", [])
    return _operator(node.this, "#>>", steps)


def _found(node: exp.Expr) -> exp.Expr:
    """Return what a path leads to that is computed, or has more than fields and positions."""
    path = node.expression
    text = exp.Literal.string(path.sql("duckdb").strip("'")) if isinstance(path, exp.JSONPath) else path
    return _call(
        "JSONB_PATH_QUERY_FIRST", _document(node.this), exp.Cast(this=text, to=exp.DataType.build("jsonpath", udt=True))
    )


def _json_value(node: exp.Expr) -> exp.Expr:
    steps = _steps(node.expression)
    return _found(node) if steps is None else _operator(node.this, "#>", steps)


def _operator(value: exp.Expr, operator: str, steps: list[exp.Expr]) -> exp.Expr:
    if not steps:
        kind = exp.JSONBExtractScalar if operator == "#>>" else exp.JSONBExtract
        return exp.Paren(this=kind(this=_document(value), expression=exp.Literal.string("{}")))
    name = "JSONB_EXTRACT_PATH_TEXT" if operator == "#>>" else "JSONB_EXTRACT_PATH"
    return _call(name, _document(value), *steps)


def _document(value: exp.Expr) -> exp.Expr:
    """Return a JSON document, a text that is none being NULL."""
    return value if _is_json(value) else _cast(value, "JSONB")


def _is_json(value: exp.Expr) -> bool:
    value = value.unnest()
    if isinstance(value, exp.Anonymous):
        return value.name.upper() in _JSON_CALLS
    return isinstance(value, exp.Cast) and bool(value.args["to"].is_type("jsonb"))


_JSON_CALLS = (
    *("JSONB_EXTRACT_PATH", "JSONB_PATH_QUERY_FIRST", "JSONB_BUILD_OBJECT", "JSONB_BUILD_ARRAY", "JSONB_STRIP_NULLS"),
    *("TO_JSONB", "PROFILES_JSON", "PROFILES_TO_JSON", "PROFILES_MAP"),
    *("PROFILES_MAP_FROM_ENTRIES",),
)


def _list_of_json(document: exp.Expr, kind: exp.DataType) -> exp.Expr:
    """CAST(j AS t[]) of a JSON array."""
    item = exp.cast(exp.column("item"), kind.expressions[0].copy())
    elements = build("SELECT item FROM JSONB_ARRAY_ELEMENTS_TEXT(:d) AS items(item)", d=document)
    assert isinstance(elements, exp.Select)
    listed = _call("ARRAY", elements.select(item, append=False))
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


def _json_type(node: exp.Expr) -> exp.Expr:
    """The type of JSON: JSONB, which can be compared."""
    if node.args.get("this") is exp.DType.JSON:
        return exp.DataType(this=exp.DType.JSONB, nested=False)
    if node.args.get("this") is exp.DType.UBIGINT:
        return exp.DataType.build("DECIMAL(20, 0)")
    if node.args.get("this") is exp.DType.INT128:
        return exp.DataType.build("DECIMAL(38, 0)")
    return node


def _pairs_in_query(node: exp.Expr) -> exp.Expr:
    """(a, b) IN (SELECT (x, y) ...): the query has two columns."""
    query = node.args.get("query")
    if query is None or not isinstance(node.this, exp.Tuple):
        return node
    for select in query.find_all(exp.Select):
        if len(select.expressions) == 1 and isinstance(select.expressions[0], exp.Tuple):
            select.set("expressions", select.expressions[0].expressions)
    return node


def _whole_division(node: exp.Expr) -> exp.Expr:
    divided = _call("DIV", _cast(node.this, "NUMERIC"), _cast(node.expression, "NUMERIC"))
    return _cast(divided, "BIGINT")


def _division(node: exp.Expr) -> exp.Expr:
    node.set("safe", False)
    return node


def _full_match(node: exp.Expr) -> exp.Expr:
    flags = node.args.get("options") or node.args.get("flag")
    beginning = exp.Literal.string(f"{_embedded(flags)}^(?:")
    pattern = build(":b || :p || ')$'", b=beginning, p=_plain_pattern(node.expression))
    return exp.Paren(this=exp.RegexpLike(this=node.this, expression=exp.Paren(this=pattern)))


def _match(node: exp.Expr) -> exp.Expr:
    pattern = _plain_pattern(node.expression, node.args.get("flag"))
    grouped = pattern if isinstance(pattern, exp.Literal | exp.Column) else exp.Paren(this=pattern)
    return exp.RegexpLike(this=node.this, expression=grouped)


def _plain_pattern(pattern: exp.Expr, flags: exp.Expr | None = None) -> exp.Expr:
    """Return a pattern with its flags in it, and the characters that Unicode classes hold."""
    if isinstance(pattern, exp.Literal):
        return exp.Literal.string(_embedded(flags) + pattern_of(pattern.name))
    if not _embedded(flags):
        return pattern
    return exp.Paren(this=build(":f || :p", f=exp.Literal.string(_embedded(flags)), p=pattern))


def _embedded(flags: exp.Expr | None) -> str:
    """Return flags as a pattern begins with them; of those that are known only `i` and `s` change a match."""
    kept = "".join(flag for flag in (flags.name if flags is not None else "") if flag in "is")
    return f"(?{kept})" if kept else ""


def _replaced(node: exp.Expr) -> exp.Expr:
    """REGEXP_REPLACE: the whole match is another mark."""
    replacement = node.args.get("replacement")
    if isinstance(replacement, exp.Literal):
        replacement.set("this", replacement.name.replace("\\0", "\\&"))
    node.set("expression", _plain_pattern(node.expression))
    return node


def _sha2(node: exp.Expr) -> exp.Expr:
    digest = build("SHA256(CONVERT_TO(CAST(:x AS TEXT), 'UTF8'))", x=node.this)
    return _call("ENCODE", exp.Anonymous(this="SHA256", expressions=[digest.this]), exp.Literal.string("hex"))


def _contains(node: exp.Expr) -> exp.Expr:
    return exp.Paren(this=build("STRPOS(:x, :y) > 0", x=node.this, y=node.expression))


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


def _other_case(node: exp.Expr) -> exp.Expr:
    """LOWER and UPPER know all letters by a collation of ICU; the text goes on being compared by its bytes."""
    lettered = exp.Collate(this=_cast(node.this, "TEXT"), expression=exp.to_identifier(_LETTERS, quoted=True))
    node.set("this", lettered)
    return exp.Collate(this=node.copy(), expression=exp.to_identifier(BYTES, quoted=True))


def _rounded(node: exp.Expr) -> exp.Expr:
    """ROUND(x, n): halves go away from zero, whatever the type of x."""
    return called("round", node.this, _cast(node.args.get("decimals") or exp.Literal.number(0), "INT"))


def _joined_nulls(node: exp.Expr) -> exp.Expr:
    """a IS NOT DISTINCT FROM b between columns of a join: lists are equal where NULLs are, and can be hashed."""
    inside: exp.Expr | None = node
    while isinstance(inside, exp.And | exp.Paren | exp.NullSafeEQ):
        inside = inside.parent
    sides = (node.this, node.expression)
    if not isinstance(inside, exp.Join) or not all(isinstance(side, exp.Column) for side in sides):
        return node
    one, other = (exp.Array(expressions=[side]) for side in sides)
    return exp.EQ(this=one, expression=other)


def _typeof(node: exp.Expr) -> exp.Expr:
    asked = _cast(_call("PG_TYPEOF", node.this), "TEXT")
    parent = node.parent
    if isinstance(parent, exp.EQ) and isinstance(parent.expression, exp.Literal):
        names = [exp.Literal.string(name) for name, kind in _KINDS.items() if kind == parent.expression.name]
        if names:
            return _call("ANY_OF", asked, *names)
    chosen = exp.Case(this=asked, default=exp.Literal.string("OTHER"))
    for name, kind in _KINDS.items():
        chosen = chosen.when(exp.Literal.string(name), exp.Literal.string(kind), copy=False)
    return chosen


def _type_test(node: exp.Expr) -> exp.Expr:
    """TYPEOF(x) = 'VARCHAR', once its left side was rewritten."""
    asked = node.this
    if isinstance(asked, exp.Anonymous) and asked.name == "ANY_OF":
        return exp.In(this=asked.expressions[0], expressions=asked.expressions[1:])
    return node


def _listed(node: exp.Expr) -> exp.Expr:
    """LIST_TRANSFORM and LIST_FILTER: a query over the items, in their order."""
    body = node.expression
    if not isinstance(body, exp.Lambda):
        return node
    item, *position = [parameter.name for parameter in body.expressions]
    number = position[0] if position else f"{item}_position"
    inside = exp.to_identifier(item, quoted=True), exp.to_identifier(number, quoted=True)
    value: exp.Expr = exp.column(inside[0].copy()) if isinstance(node, exp.ArrayFilter) else body.this
    query = exp.select(value).from_(
        exp.Unnest(
            expressions=[node.this.copy()],
            alias=exp.TableAlias(this=exp.to_identifier("items", quoted=True), columns=list(inside)),
            offset=True,
        )
    )
    if isinstance(node, exp.ArrayFilter):
        query = query.where(body.this)
    query = query.order_by(exp.column(inside[1].copy()))
    chosen = exp.Case(ifs=[exp.If(this=build(":x IS NOT NULL", x=node.this), true=_call("ARRAY", query))])
    return chosen


def _json_object(node: exp.Expr) -> exp.Expr:
    pairs = [part for pair in node.expressions for part in (pair.this, _json_part(pair.expression))]
    return _call("JSONB_BUILD_OBJECT", *pairs)


def _struct(node: exp.Expr) -> exp.Expr:
    """A struct: a JSON object, unless what is around it is rewritten with it."""
    above = node.parent
    if isinstance(above, exp.Max | exp.Min):
        return node
    parts = []
    for field in node.expressions:
        if not isinstance(field, exp.PropertyEQ):
            return node
        parts += [exp.Literal.string(field.this.name), _json_part(field.expression)]
    return _call("JSONB_BUILD_OBJECT", *parts)


def _as_json(node: exp.Expr) -> exp.Expr:
    """TO_JSON(x)."""
    if _is_json(node):
        return node
    given = _cast(node, "TEXT") if isinstance(node, exp.Null) else _json_part(node)
    return called("to_json", given) if given is node or not _is_json(given) else given


def _json_part(node: exp.Expr) -> exp.Expr:
    """Return a value as it stands in a document: times as they are written elsewhere."""
    if isinstance(node, exp.Literal):
        return _cast(node, "TEXT") if node.is_string else node
    if isinstance(node, exp.Null | exp.Boolean) or _is_json(node):
        return node
    return called("to_json", node)


def _map(node: exp.Expr) -> exp.Expr:
    """MAP(keys, values): a JSON object."""
    keys, values = node.args.get("keys"), node.args.get("values")
    return node if keys is None or values is None else called("map", keys, values)


def _joined(node: exp.Expr) -> exp.Expr:
    """STRING_AGG(x, s ORDER BY k), within a FILTER or not: of texts; distinct values in the order of their own type."""
    call = node.this if isinstance(node, exp.Filter) else node
    if not isinstance(call, exp.GroupConcat) or (call is node and _inside_filter(node)):
        return node
    ordered = call.this if isinstance(call.this, exp.Order) else None
    value = ordered.this if ordered is not None else call.this
    separator = call.args.get("separator") or exp.Literal.string(",")
    if not isinstance(value, exp.Distinct) or ordered is None:
        inner = value.expressions[0] if isinstance(value, exp.Distinct) else value
        inner.replace(_cast(inner.copy(), "TEXT"))
        return node
    tests = [node.expression.this] if isinstance(node, exp.Filter) else []
    known = exp.and_(*tests, build(":x IS NOT NULL", x=value.expressions[0]), copy=False)
    listed = exp.Filter(this=exp.ArrayAgg(this=ordered), expression=exp.Where(this=known))
    return _call("ARRAY_TO_STRING", listed, separator)


_LISTS = (
    *("ARRAY", "STRING_TO_ARRAY", "REGEXP_SPLIT_TO_ARRAY", "ARRAY_APPEND", "ARRAY_REMOVE", "PROFILES_UNITED"),
    *("PROFILES_LIST_SORT", "PROFILES_LIST_DISTINCT", "PROFILES_LIST_SLICE", "PROFILES_REGEXP_EXTRACT_ALL"),
)


def _is_list(node: exp.Expr) -> bool:
    """True for what is a list by the look of it."""
    node = node.unnest()
    if isinstance(node, exp.Coalesce | exp.Filter):
        return _is_list(node.this)
    return isinstance(node, exp.ArrayAgg | exp.Array) or (isinstance(node, exp.Anonymous) and node.name in _LISTS)


def _words(node: exp.Expr) -> exp.Expr:
    """CONCAT_WS(s, l): the items of a list are words of their own."""
    separator, *given = node.expressions
    joined = [_call("ARRAY_TO_STRING", g, separator.copy()) if _is_list(g) else g for g in given]
    node.set("expressions", [separator, *joined])
    return node


def _length(node: exp.Expr) -> exp.Expr:
    return _call("CARDINALITY", node.this) if _is_list(node.this) else node


def _base64(node: exp.Expr) -> exp.Expr:
    """TO_BASE64(x): without ends of lines."""
    return build("REPLACE(:encoded, CHR(10), '')", encoded=_call("ENCODE", node.this, exp.Literal.string("base64")))


def _part_of_time(part: str) -> Callable[[exp.Expr], exp.Expr]:
    return lambda node: _cast(build(f"EXTRACT({part} FROM CAST(:x AS TIMESTAMP))", x=node.this), "BIGINT")


def _json_array(node: exp.Expr) -> exp.Expr:
    return _call("JSONB_BUILD_ARRAY", *map(_json_part, node.expressions))


def _array(node: exp.Expr) -> exp.Expr:
    """The empty list has the type of what is around it."""
    return node if node.expressions else exp.Literal.string("{}")


def _element(node: exp.Expr) -> exp.Expr:
    """x[n] of anything but a column stands in brackets, or it would be read as of a part of x; m['k'] is a text."""
    (key,) = node.expressions if len(node.expressions) == 1 else (None,)
    if _is_json(node.this) and isinstance(key, exp.Literal) and key.is_string:
        return _call("JSONB_EXTRACT_PATH_TEXT", node.this, key)
    if not isinstance(node.this, exp.Column | exp.Paren):
        node.set("this", exp.Paren(this=node.this))
    return node


def _interval(node: exp.Expr) -> exp.Expr:
    unit = node.args.get("unit")
    if unit is None or node.this is None or isinstance(node.this, exp.Literal):
        return node
    return exp.Paren(this=build(f"(:x) * CAST('1 {unit.name.lower()}' AS INTERVAL)", x=node.this))


def _extreme_or_null(node: exp.Expr) -> exp.Expr:
    """ARG_MAX_NULL(v, k), within a FILTER or not: rows without a key do not count."""
    call = node.this if isinstance(node, exp.Filter) else node
    if not isinstance(call, exp.Anonymous) or call.name.upper() not in ("ARG_MAX_NULL", "ARG_MIN_NULL"):
        return node
    if (call is node and _inside_filter(node)) or len(call.expressions) != 2:
        return node
    value, key = call.expressions
    where = [node.expression.this] if isinstance(node, exp.Filter) else []
    keys = exp.Ordered(this=key.copy(), desc="MAX" in call.name.upper(), nulls_first=False)
    return _first_of(value.copy(), [keys], exp.and_(*where, build(":x IS NOT NULL", x=key), copy=False))


def _approximate_count(node: exp.Expr) -> exp.Expr:
    return exp.Count(this=exp.Distinct(expressions=[node.this]), big_int=True)


def _logarithm(node: exp.Expr) -> exp.Expr:
    if node.expression is None:
        return node
    logs = [_call("LN", _cast(part, "DOUBLE PRECISION")) for part in (node.expression, node.this)]
    if node.this.name == "10":
        return _call("LOG", _cast(node.expression, "DOUBLE PRECISION"))
    return exp.Paren(this=exp.Div(this=logs[0], expression=logs[1]))


def _time_text(node: exp.Expr) -> exp.Expr:
    given = node.args["format"]
    wanted = time_format(given.name) if isinstance(given, exp.Literal) else None
    if wanted is None:
        return node
    return _call("TO_CHAR", _cast(node.this, "TIMESTAMP"), exp.Literal.string(wanted))


def _time_of_text(node: exp.Expr) -> exp.Expr:
    given = node.args["format"]
    wanted = time_format(given.name) if isinstance(given, exp.Literal) else None
    if wanted is None:
        return node
    return _cast(_call("TO_TIMESTAMP", _cast(node.this, "TEXT"), exp.Literal.string(wanted)), "TIMESTAMP")


def _tried_time(args: list[exp.Expr]) -> exp.Expr | None:
    wanted = time_format(args[1].name) if isinstance(args[1], exp.Literal) else None
    return None if wanted is None else called("try_strptime", _cast(args[0], "TEXT"), exp.Literal.string(wanted))


def _unix_time(node: exp.Expr) -> exp.Expr:
    scale = node.args.get("scale")
    if scale is None or not scale.is_int:
        return node
    unit = {0: "second", 3: "millisecond", 6: "microsecond"}.get(int(scale.name))
    if unit is None:
        return node
    return exp.Paren(this=build(f"CAST('1970-01-01' AS TIMESTAMP) + :x * CAST('1 {unit}' AS INTERVAL)", x=node.this))


def _epoch(node: exp.Expr) -> exp.Expr:
    return _cast(build("EXTRACT(EPOCH FROM CAST(:x AS TIMESTAMP))", x=node.this), "DOUBLE PRECISION")


def _epoch_in(per_second: int) -> Callable[[list[exp.Expr]], exp.Expr]:
    def rewrite(args: list[exp.Expr]) -> exp.Expr:
        seconds = build(f"EXTRACT(EPOCH FROM CAST(:x AS TIMESTAMP)) * {per_second}", x=args[0])
        return _cast(exp.Paren(this=seconds), "BIGINT")

    return rewrite


def _extracted(node: exp.Expr, name: str = "regexp_extract") -> exp.Expr:
    number = node.args.get("group") or exp.Literal.number(0)
    pattern = _plain_pattern(node.expression, node.args.get("parameters"))
    return called(name, _cast(node.this, "TEXT"), pattern, number)


def _attempt(node: exp.Expr) -> exp.Expr:
    """TRY(CAST(x AS t)) is TRY_CAST; nothing else can be tried."""
    if isinstance(node.this, exp.Cast):
        return _try_cast(exp.TryCast(this=node.this.this, to=node.this.args["to"]))
    return node


def _by_name(node: exp.Expr) -> exp.Expr:
    rewrite = _CALLS.get(node.name.upper())
    return (rewrite(node.expressions) if rewrite is not None else None) or node


_CALLS: dict[str, Callable[[list[exp.Expr]], exp.Expr | None]] = {
    "HASH": _hash,
    "JSON_TYPE": lambda a: called("json_type", *map(_document, a)),
    "LIST_COUNT": lambda a: _call("CARDINALITY", _call("ARRAY_REMOVE", a[0], exp.Null())),
    "ERROR": lambda a: called("error", *a),
    "MAP_FROM_ENTRIES": lambda a: called("map_from_entries", *a),
    "URL_DECODE": lambda a: called("url_decode", *a),
    "JSON_EACH": lambda a: called("json_each", _document(a[0])) if len(a) == 1 else None,
    "JSON_TREE": lambda a: called("json_tree", _document(a[0])) if len(a) == 1 else None,
    "JSON_VALID": lambda a: build(":x IS NOT NULL", x=called("json", _cast(a[0], "TEXT"))),
    "TO_JSON": lambda a: _as_json(a[0]) if len(a) == 1 else None,
    "JSON_ARRAY_LENGTH": lambda a: _call("JSONB_ARRAY_LENGTH", *map(_document, a)),
    "JSON_CONTAINS": lambda a: build(":x @> :y", x=_document(a[0]), y=_document(a[1])),
    "TRY_STRPTIME": _tried_time,
    "EPOCH_US": _epoch_in(1_000_000),
    "EPOCH_MS": _epoch_in(1_000),
    "LIST_SLICE": lambda a: called("list_slice", *a),
    "ARRAY_EXTRACT": lambda a: exp.Bracket(this=exp.Paren(this=a[0]), expressions=[a[1]], offset=1),
    "JSON_MERGE_PATCH": lambda a: _call("JSONB_STRIP_NULLS", _document(a[1])) if a[0].name == "{}" else None,
    "STRLEN": lambda a: _call("OCTET_LENGTH", *a),
    "LIST_CONTAINS": lambda a: exp.Paren(this=exp.EQ(this=a[1], expression=exp.Any(this=a[0]))),
    "ARRAY_CONTAINS": lambda a: exp.Paren(this=exp.EQ(this=a[1], expression=exp.Any(this=a[0]))),
}


def _named_subquery(node: exp.Expr) -> exp.Expr:
    """Give a query after FROM or JOIN a name, if it has none."""
    if isinstance(node.parent, exp.From | exp.Join) and not node.args.get("alias"):
        node.set("alias", exp.TableAlias(this=exp.to_identifier(f"rows_{node.depth}", quoted=True)))
    return node


REWRITES: tuple[Rewrite, ...] = (
    Rewrite("queries without a name", "a name", (exp.Subquery,), _named_subquery),
    Rewrite("ARG_MAX, ARG_MIN", "the first of an ordered ARRAY_AGG", (exp.Filter, exp.ArgMax, exp.ArgMin), _extreme),
    Rewrite(
        "FIRST, ANY_VALUE",
        "the first of an ARRAY_AGG",
        (exp.Filter, exp.IgnoreNulls, exp.RespectNulls, exp.First, exp.AnyValue),
        _first,
    ),
    Rewrite(
        "ARG_MAX_NULL, ARG_MIN_NULL", "the first of an ordered ARRAY_AGG", (exp.Filter, exp.Anonymous), _extreme_or_null
    ),
    Rewrite("APPROX_COUNT_DISTINCT", "COUNT(DISTINCT ...), which is exact", (exp.ApproxDistinct,), _approximate_count),
    Rewrite("elements of lists", "the same, in brackets", (exp.Bracket,), _element),
    Rewrite("intervals of computed lengths", "products with an interval", (exp.Interval,), _interval),
    Rewrite("JSON_TYPE", "a function of the schema", (exp.JSONType,), lambda n: called("json_type", _document(n.this))),
    Rewrite(
        "REGEXP_EXTRACT_ALL",
        "a function of the schema",
        (exp.RegexpExtractAll,),
        lambda node: _extracted(node, "regexp_extract_all"),
    ),
    Rewrite("MAX, MIN of structs", "the first of an ordered ARRAY_AGG", (exp.StructExtract,), _largest_pair),
    Rewrite("AVG", "SUM by COUNT, as DOUBLE PRECISION", (exp.Filter, exp.Avg), _average),
    Rewrite(
        "MEDIAN, QUANTILE_CONT",
        "a function of the schema over the sorted values",
        (exp.Filter, exp.Median, exp.PercentileCont),
        _quantile,
    ),
    Rewrite("MODE", "MODE within a group", (exp.Mode,), _mode),
    Rewrite("SHA1", "a function of the schema over the extension pgcrypto", (exp.SHA,), _sha1),
    Rewrite("DATE_DIFF", "differences of truncated times", (exp.DateDiff, exp.TimestampDiff), _date_difference),
    Rewrite("DATE_TRUNC", "of a TIMESTAMP, whatever it is given", (exp.TimestampTrunc, exp.DateTrunc), _truncated_time),
    Rewrite("EXTRACT", "an integer", (exp.Extract,), _extract),
    Rewrite("TRY_CAST", "a function of the schema", (exp.TryCast,), _try_cast),
    Rewrite("CAST of a text to an integer", "rounded by way of NUMERIC", (exp.Cast,), _cast_of_text),
    Rewrite("JSON paths to texts", "JSONB_EXTRACT_PATH_TEXT", (exp.JSONExtractScalar,), _json_text),
    Rewrite("JSON paths", "JSONB_EXTRACT_PATH", (exp.JSONExtract,), _json_value),
    Rewrite(
        "JSON",
        "JSONB, whose values can be compared; spacing and order of keys are its own",
        (exp.DataType,),
        _json_type,
    ),
    Rewrite("pairs in a query", "a query with two columns", (exp.In,), _pairs_in_query),
    Rewrite("whole division", "DIV", (exp.IntDiv,), _whole_division),
    Rewrite("division by zero", "an error, as it is on DuckDB", (exp.Div,), _division),
    Rewrite("REGEXP_FULL_MATCH", "a pattern from end to end", (exp.RegexpFullMatch,), _full_match),
    Rewrite("Unicode classes of patterns", "the characters that they hold", (exp.RegexpLike,), _match),
    Rewrite("SIMILAR TO", "a pattern from end to end", (exp.SimilarTo,), _full_match),
    Rewrite("REGEXP_REPLACE", "the same, with another mark for the whole match", (exp.RegexpReplace,), _replaced),
    Rewrite("SHA256", "SHA256 of the bytes, in hexadecimal digits", (exp.SHA2,), _sha2),
    Rewrite("REGEXP_EXTRACT", "a function of the schema", (exp.RegexpExtract,), _extracted),
    Rewrite("LOWER, UPPER", "by a collation of ICU", (exp.Lower, exp.Upper), _other_case),
    Rewrite("ROUND", "a function of the schema, for floating point numbers and decimals", (exp.Round,), _rounded),
    Rewrite("joins on what may be NULL", "comparisons of lists of one", (exp.NullSafeEQ,), _joined_nulls),
    Rewrite("TYPEOF", "PG_TYPEOF, in the canonical spelling", (exp.Typeof,), _typeof),
    Rewrite("tests of TYPEOF", "tests of PG_TYPEOF", (exp.EQ,), _type_test),
    Rewrite("LIST_TRANSFORM, LIST_FILTER", "queries over the items", (exp.Transform, exp.ArrayFilter), _listed),
    Rewrite("JSON_OBJECT", "JSONB_BUILD_OBJECT", (exp.JSONObject,), _json_object),
    Rewrite("JSON_ARRAY", "JSONB_BUILD_ARRAY", (exp.JSONArray,), _json_array),
    Rewrite(
        "MAP_FROM_ENTRIES",
        "a function of the schema",
        (exp.MapFromEntries,),
        lambda n: called("map_from_entries", n.this),
    ),
    Rewrite("MAP", "a function of the schema, which makes a JSON object", (exp.Map,), _map),
    Rewrite("STRING_AGG", "of texts; of distinct values ARRAY_TO_STRING", (exp.Filter, exp.GroupConcat), _joined),
    Rewrite("LENGTH of lists", "CARDINALITY", (exp.Length,), _length),
    Rewrite("TO_BASE64", "ENCODE", (exp.ToBase64,), _base64),
    Rewrite("ENCODE", "CONVERT_TO", (exp.Encode,), lambda n: _call("CONVERT_TO", n.this, exp.Literal.string("UTF8"))),
    Rewrite("ISODOW", "EXTRACT(ISODOW ...)", (exp.DayOfWeekIso,), _part_of_time("ISODOW")),
    Rewrite("QUARTER", "EXTRACT(QUARTER ...)", (exp.Quarter,), _part_of_time("QUARTER")),
    Rewrite(
        "ISINF",
        "a comparison",
        (exp.IsInf,),
        lambda n: exp.Paren(this=build("ABS(CAST(:x AS DOUBLE)) = CAST('Infinity' AS DOUBLE)", x=n.this)),
    ),
    Rewrite("CONCAT_WS of lists", "of what ARRAY_TO_STRING makes of them", (exp.ConcatWs,), _words),
    Rewrite("structs", "JSON objects", (exp.Struct,), _struct),
    Rewrite("the empty list", "a literal", (exp.Array,), _array),
    Rewrite("ARRAY_LENGTH", "CARDINALITY", (exp.ArraySize,), lambda node: _call("CARDINALITY", node.this)),
    Rewrite("LIST_SORT", "a function of the schema", (exp.SortArray,), lambda node: called("list_sort", node.this)),
    Rewrite(
        "LIST_DISTINCT", "a function of the schema", (exp.ArrayDistinct,), lambda n: called("list_distinct", n.this)
    ),
    Rewrite("JSON(x)", "a cast", (exp.ParseJSON,), lambda node: _cast(node.this, "JSONB")),
    Rewrite("LOG of a base", "LOG, or a quotient of LN", (exp.Log,), _logarithm),
    Rewrite("STRFTIME", "TO_CHAR", (exp.TimeToStr,), _time_text),
    Rewrite("STRPTIME", "TO_TIMESTAMP", (exp.StrToTime,), _time_of_text),
    Rewrite("MAKE_TIMESTAMP", "the beginning of 1970 and an interval", (exp.UnixToTime,), _unix_time),
    Rewrite("EPOCH", "EXTRACT(EPOCH ...)", (exp.TimeToUnix,), _epoch),
    Rewrite("TRY of a cast", "a function of the schema", (exp.Try,), _attempt),
    Rewrite(
        "DAYOFWEEK",
        "EXTRACT(DOW ...)",
        (exp.DayOfWeek,),
        lambda n: _cast(build("EXTRACT(DOW FROM :x)", x=n.this), "BIGINT"),
    ),
    Rewrite("STR_SPLIT", "STRING_TO_ARRAY", (exp.Split,), lambda n: _call("STRING_TO_ARRAY", n.this, n.expression)),
    Rewrite(
        "STR_SPLIT_REGEX",
        "REGEXP_SPLIT_TO_ARRAY",
        (exp.RegexpSplit,),
        lambda n: _call("REGEXP_SPLIT_TO_ARRAY", n.this, _plain_pattern(n.expression)),
    ),
    Rewrite(
        "ISNAN",
        "a comparison",
        (exp.IsNan,),
        lambda n: exp.Paren(this=build("CAST(:x AS DOUBLE) = CAST('NaN' AS DOUBLE)", x=n.this)),
    ),
    Rewrite(
        "TO_DAYS",
        "an interval",
        (exp.ToDays,),
        lambda n: exp.Paren(this=build("(:x) * CAST('1 day' AS INTERVAL)", x=n.this)),
    ),
    Rewrite("FLATTEN of what ARRAY_AGG lists", "an aggregate of the schema", (exp.Flatten,), _united),
    Rewrite("CONTAINS", "STRPOS", (exp.Contains,), _contains),
    Rewrite("other functions", "by name", (exp.Anonymous,), _by_name),
)

_BY_TYPE: dict[type[exp.Expr], tuple[Rewrite, ...]] = {
    kind: tuple(rewrite for rewrite in REWRITES if kind in rewrite.nodes)
    for kind in {kind for rewrite in REWRITES for kind in rewrite.nodes}
}
