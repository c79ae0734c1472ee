"""Functions that have no node of their own: each is written out in the functions of the target."""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase

from sqlglot import exp

from profiles_pipeline.sql.build import build
from profiles_pipeline.sql.kinds import typed
from profiles_pipeline.sql.rewrites.row import ANY, Rewrite

_JSON_TYPES = {
    "IS_OBJECT": "'OBJECT'",
    "IS_VARCHAR": "'VARCHAR'",
    "IS_CHAR": "'VARCHAR'",
    "IS_BOOLEAN": "'BOOLEAN'",
    "IS_INTEGER": "'UBIGINT', 'BIGINT', 'HUGEINT'",
    "IS_DECIMAL": "'UBIGINT', 'BIGINT', 'HUGEINT', 'DOUBLE'",
    "IS_DOUBLE": "'UBIGINT', 'BIGINT', 'HUGEINT', 'DOUBLE'",
    "IS_REAL": "'UBIGINT', 'BIGINT', 'HUGEINT', 'DOUBLE'",
}
_DECIMALS: dict[type[exp.Expr], str] = {exp.ParseNumeric: "38, 9", exp.ParseBignumeric: "38, 18"}
_CASTS = {
    "INT": exp.DType.BIGINT,
    "BIGINT": exp.DType.BIGINT,
    "FLOAT": exp.DType.DOUBLE,
    "DOUBLE": exp.DType.DOUBLE,
    "BOOLEAN": exp.DType.BOOLEAN,
}
_NUMBER_OF_BASE = "CASE WHEN :b = 16 THEN TRY_CAST('0x' || :a AS BIGINT) ELSE TRY_CAST(:a AS BIGINT) END"
_OTHER_BASE = """
    LIST_TRANSFORM(
      [LIST_REDUCE(
        LIST_TRANSFORM(
          REGEXP_EXTRACT_ALL(UPPER(CAST(:a AS TEXT)), '.'),
          LAMBDA c : CAST(STRPOS('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ', c) - 1 AS HUGEINT)
        ),
        LAMBDA n, c : n * :b + c
      )],
      LAMBDA n : CASE WHEN :c = 10 THEN CAST(n AS TEXT) ELSE TO_BASE(CAST(n AS BIGINT), :c) END
    )[1]
"""
_COMPARED = "CASE WHEN CAST(:a AS {0}) < CAST(:b AS {0}) THEN -1 WHEN :a = :b THEN 0 WHEN NOT :a = :b THEN 1 END"
_PART_OF_PARTS = """
    ARRAY_TO_STRING(
      LIST_SLICE(STR_SPLIT(:text, :mark), CASE WHEN :n < 0 THEN :n ELSE 1 END, CASE WHEN :n < 0 THEN -1 ELSE :n END),
      :mark
    )
"""
_COLLAPSED = "TRANSLATE(LEFT(w, 1) || REGEXP_REPLACE(w[2:], '[HW]', '', 'g'), :letters, '01230120022455012623010202')"
for _digit in "123456":
    _COLLAPSED = f"REGEXP_REPLACE({_COLLAPSED}, '{_digit}+', '{_digit}', 'g')"
_SOUND = f"""
    LIST_TRANSFORM([UPPER(REGEXP_REPLACE(CAST(:text AS TEXT), '[^A-Za-z]', '', 'g'))], LAMBDA w :
      CASE WHEN w = '' THEN '' ELSE LEFT(w, 1) || RPAD(LEFT(REPLACE(({_COLLAPSED})[2:], '0', ''), 3), 3, '0') END
    )[1]
"""
_LOGIC: dict[type[exp.Expr], str] = {
    exp.Xor: "CAST(:a AS BOOLEAN) <> CAST(:b AS BOOLEAN)",
    exp.Booland: "CAST(:a AS BOOLEAN) AND CAST(:b AS BOOLEAN)",
    exp.Boolor: "CAST(:a AS BOOLEAN) OR CAST(:b AS BOOLEAN)",
}
_JSON_CHECKS: dict[type[exp.Expr], str] = {exp.IsNullValue: "NULL", exp.IsArray: "ARRAY"}
_BINARY = (exp.Unhex, exp.FromBase64, exp.Encode, exp.MD5Digest)
_HALVES_OF_MD5: dict[type[exp.Expr], int] = {exp.MD5NumberUpper64: 1, exp.MD5NumberLower64: 17}
_JSON_ARRAY = "JSON_TYPE(TRY_CAST(:a AS JSON)) = 'ARRAY'"
_UNION = "LIST_TRANSFORM([:a || :b], LAMBDA l : LIST_FILTER(l, LAMBDA x, i : LIST_POSITION(l, x) = i))[1]"
_CALLS: dict[tuple[str, int], tuple[str, exp.DType]] = {
    ("ISNULL", 1): (":a IS NULL", exp.DType.BOOLEAN),
    ("ISNOTNULL", 1): (":a IS NOT NULL", exp.DType.BOOLEAN),
    ("ISNULL", 2): ("COALESCE(:a, :b)", exp.DType.UNKNOWN),
    ("EVERY", 1): ("BOOL_AND(:a)", exp.DType.BOOLEAN),
    ("MEAN", 1): ("AVG(:a)", exp.DType.DOUBLE),
    ("STD", 1): ("STDDEV(:a)", exp.DType.DOUBLE),
    ("TRY_AVG", 1): ("AVG(:a)", exp.DType.DOUBLE),
    ("TRY_SUM", 1): ("SUM(:a)", exp.DType.UNKNOWN),
    ("SOME", 1): ("BOOL_OR(:a)", exp.DType.BOOLEAN),
    ("FORALL", 2): ("LEN(LIST_FILTER(:a, :b)) = LEN(:a)", exp.DType.BOOLEAN),
    ("ARRAYS_OVERLAP", 2): ("LIST_HAS_ANY(:a, :b)", exp.DType.BOOLEAN),
    ("PMOD", 2): ("((:a % :b) + :b) % :b", exp.DType.UNKNOWN),
    ("BROUND", 1): ("ROUND_EVEN(:a, 0)", exp.DType.UNKNOWN),
    ("BROUND", 2): ("ROUND_EVEN(:a, :b)", exp.DType.UNKNOWN),
    ("CONV", 3): (_OTHER_BASE, exp.DType.VARCHAR),
    ("DLOG10", 1): ("LOG10(:a)", exp.DType.DOUBLE),
    ("IEEE_DIVIDE", 2): ("CAST(:a AS DOUBLE) / CAST(:b AS DOUBLE)", exp.DType.DOUBLE),
    ("POSITIVE", 1): ("+(:a)", exp.DType.UNKNOWN),
    ("DATE_CMP", 2): (_COMPARED.format("DATE"), exp.DType.INT),
    ("TIMESTAMP_CMP", 2): (_COMPARED.format("TIMESTAMP"), exp.DType.INT),
    ("INTERVAL_CMP", 2): (_COMPARED.format("INTERVAL"), exp.DType.INT),
    ("JSON_SERIALIZE", 1): ("CAST(:a AS TEXT)", exp.DType.VARCHAR),
    ("CAN_JSON_PARSE", 1): ("JSON_VALID(:a)", exp.DType.BOOLEAN),
    ("IS_VALID_JSON_ARRAY", 1): (
        f"CASE WHEN NOT :a IS NULL THEN COALESCE({_JSON_ARRAY}, FALSE) END",
        exp.DType.BOOLEAN,
    ),
    ("JSON_ARRAY_LENGTH", 2): (f"CASE WHEN NOT :b OR {_JSON_ARRAY} THEN JSON_ARRAY_LENGTH(:a) END", exp.DType.BIGINT),
    ("GET_ARRAY_LENGTH", 1): (f"CASE WHEN {_JSON_ARRAY} THEN JSON_ARRAY_LENGTH(:a) END", exp.DType.BIGINT),
    ("OCTET_LENGTH", 1): ("STRLEN(CAST(:a AS TEXT))", exp.DType.BIGINT),
    ("DATE_PART_YEAR", 1): ("YEAR(CAST(:a AS DATE))", exp.DType.INT),
    ("REPLICATE", 2): ("REPEAT(:a, :b)", exp.DType.VARCHAR),
    ("FORMAT_NUMBER", 2): ("FORMAT('{:,.' || CAST(:b AS TEXT) || 'f}', CAST(:a AS DOUBLE))", exp.DType.VARCHAR),
    ("ARRAY_UNION", 2): (_UNION, exp.DType.ARRAY),
    ("BTRIM", 1): ("TRIM(:a)", exp.DType.VARCHAR),
    ("BTRIM", 2): ("TRIM(:a, :b)", exp.DType.VARCHAR),
    ("FUNC_SHA1", 1): ("SHA1(:a)", exp.DType.VARCHAR),
    ("STRTOL", 2): (_NUMBER_OF_BASE, exp.DType.BIGINT),
    ("ELEMENT_AT", 2): ("LIST_EXTRACT(:a, :b)", exp.DType.UNKNOWN),
    ("AS_ARRAY", 1): ("CASE WHEN JSON_TYPE(:a) = 'ARRAY' THEN :a END", exp.DType.JSON),
    ("AS_OBJECT", 1): ("CASE WHEN JSON_TYPE(:a) = 'OBJECT' THEN :a END", exp.DType.JSON),
    ("TO_OBJECT", 1): ("CAST(:a AS JSON)", exp.DType.JSON),
    **{(name, 1): (f"JSON_TYPE(:a) IN ({found})", exp.DType.BOOLEAN) for name, found in _JSON_TYPES.items()},
    **{(name, 1): (f"CAST(:a AS {dtype.value})", dtype) for name, dtype in _CASTS.items()},
}
_WITHOUT = """
    LIST_REDUCE(
      LIST_CONCAT([CAST(:json AS TEXT)], [:keys]),
      LAMBDA made, name : JSON_MERGE_PATCH(made, JSON_OBJECT(name, NULL))
    )
"""
_ONLY = """
    LIST_REDUCE(
      LIST_CONCAT(['{}'], LIST_FILTER([:keys], LAMBDA name : JSON_EXISTS(:json, '$."' || name || '"'))),
      LAMBDA made, name : JSON_MERGE_PATCH(made, JSON_OBJECT(name, :json -> ('$."' || name || '"')))
    )
"""
_PICKED = {"OBJECT_DELETE": _WITHOUT, "OBJECT_PICK": _ONLY}


def _written_out(node: exp.Expr) -> exp.Expr:
    name = node.name.upper()
    if name in _PICKED and len(node.expressions) > 1:
        json, *keys = node.expressions
        return typed(build(f"CAST({_PICKED[name]} AS JSON)", json=json, keys=keys), exp.DType.JSON)
    text, dtype = _CALLS.get((name, len(node.expressions)), (None, None))
    if text is None or dtype is None:
        return node
    return typed(build(text, **dict(zip(ascii_lowercase, node.expressions, strict=False))), dtype)


def _parsed_decimal(node: exp.Expr) -> exp.Expr:
    """``parse_numeric('- 1,234.5')``: blanks and groups are left out."""
    bare = "REGEXP_REPLACE(CAST(:text AS TEXT), '[, ]', '', 'g')"
    return typed(build(f"CAST({bare} AS DECIMAL({_DECIMALS[type(node)]}))", text=node.this), exp.DType.DECIMAL)


def _instead_of_nan(node: exp.Expr) -> exp.Expr:
    """``nanvl(x, 0)``"""
    made = build(
        "CASE WHEN ISNAN(CAST(:a AS DOUBLE)) THEN :b ELSE CAST(:a AS DOUBLE) END", a=node.this, b=node.expression
    )
    return typed(made, exp.DType.DOUBLE)


def _base64_of_text(node: exp.Expr) -> exp.Expr:
    """``base64('x')``: DuckDB takes bytes, which a text has to be made."""
    binary = isinstance(node.this, _BINARY) or (node.this.type is not None and node.this.type.this == exp.DType.BINARY)
    return node if binary else typed(build("TO_BASE64(ENCODE(CAST(:a AS TEXT)))", a=node.this), exp.DType.VARCHAR)


def _bucket_of(node: exp.Expr) -> exp.Expr:
    made = build("LEN(LIST_FILTER(:bounds, LAMBDA bound : bound <= :x))", x=node.this, bounds=node.expression)
    return typed(made, exp.DType.BIGINT)


def _exists(node: exp.Expr) -> exp.Expr:
    """``exists(a, x -> x > 1)``"""
    if not isinstance(node.expression, exp.Lambda):
        return node
    return typed(build("LEN(LIST_FILTER(:a, :f)) > 0", a=node.this, f=node.expression), exp.DType.BOOLEAN)


def _any_of_group(node: exp.Expr) -> exp.Expr:
    """``any(x)`` is an aggregate where it is compared with nothing."""
    return node if isinstance(node.parent, exp.Binary) else exp.LogicalOr(this=node.this.unnest())


def _finished(node: exp.Expr) -> exp.Expr:
    """``aggregate(a, 0, (x, y) -> x + y, x -> x * 2)``: the last function is for the result."""
    finish = node.args.get("finish")
    if finish is None:
        return node
    node.set("finish", None)
    return build("LIST_TRANSFORM([:reduced], :finish)[1]", reduced=node, finish=finish)


def _part_of_parts(node: exp.Expr) -> exp.Expr:
    made = build(_PART_OF_PARTS, text=node.this, mark=node.args["delimiter"], n=node.args["count"])
    return typed(made, exp.DType.VARCHAR)


def _number_of_base(node: exp.Expr) -> exp.Expr:
    return typed(build(_NUMBER_OF_BASE, a=node.this, b=node.expression), exp.DType.BIGINT)


def _sound(node: exp.Expr) -> exp.Expr:
    """How a word sounds: its first letter and three digits, after Russell and Odell."""
    made = build(_SOUND, text=node.this, letters=exp.Literal.string(ascii_uppercase))
    return typed(made, exp.DType.VARCHAR)


def _logic(node: exp.Expr) -> exp.Expr:
    made = build(_LOGIC[type(node)], a=node.this, b=node.expression)
    return typed(exp.Paren(this=made), exp.DType.BOOLEAN)


def _half_of_md5(node: exp.Expr) -> exp.Expr:
    """``md5_number_lower64(x)``: the last 16 of the 32 digits as a number."""
    start = exp.Literal.number(_HALVES_OF_MD5[type(node)])
    made = build("CAST('0x' || SUBSTRING(MD5(:text), :start, 16) AS UBIGINT)", text=node.this, start=start)
    return typed(made, exp.DType.UBIGINT)


def _decoded(node: exp.Expr) -> exp.Expr:
    return typed(build("TRY(DECODE(FROM_BASE64(:text)))", text=node.this), exp.DType.VARCHAR)


def _json_check(node: exp.Expr) -> exp.Expr:
    found = build("JSON_TYPE(:a) = :name", a=node.this, name=exp.Literal.string(_JSON_CHECKS[type(node)]))
    return typed(found, exp.DType.BOOLEAN)


def _negated(node: exp.Expr) -> exp.Expr:
    return typed(build("(NOT CAST(:a AS BOOLEAN))", a=node.this), exp.DType.BOOLEAN)


ROWS: tuple[Rewrite, ...] = (
    Rewrite("call", ANY, "duckdb", (exp.Anonymous,), _written_out),
    Rewrite("parse-numeric", "bigquery", "duckdb", tuple(_DECIMALS), _parsed_decimal),
    Rewrite("nanvl", ANY, "duckdb", (exp.Nanvl,), _instead_of_nan),
    Rewrite("base64-of-text", "databricks", "duckdb", (exp.ToBase64,), _base64_of_text),
    Rewrite("range-bucket", "bigquery", "duckdb", (exp.RangeBucket,), _bucket_of),
    Rewrite("exists-in-array", "databricks", "duckdb", (exp.Exists,), _exists),
    Rewrite("any-of-group", "databricks", "duckdb", (exp.Any,), _any_of_group),
    Rewrite("reduce-finish", ANY, "duckdb", (exp.Reduce,), _finished),
    Rewrite("soundex", ANY, "duckdb", (exp.Soundex,), _sound),
    Rewrite("boolean-call", "snowflake", "duckdb", tuple(_LOGIC), _logic),
    Rewrite("boolean-call", "snowflake", "duckdb", (exp.Boolnot,), _negated),
    Rewrite("half-of-md5", "snowflake", "duckdb", tuple(_HALVES_OF_MD5), _half_of_md5),
    Rewrite("try-decode", "snowflake", "duckdb", (exp.TryBase64DecodeString,), _decoded),
    Rewrite("json-check", "snowflake", "duckdb", tuple(_JSON_CHECKS), _json_check),
    Rewrite("number-of-base", ANY, "duckdb", (exp.FromBase,), _number_of_base),
    Rewrite("substring-index", ANY, "duckdb", (exp.SubstringIndex,), _part_of_parts),
)
