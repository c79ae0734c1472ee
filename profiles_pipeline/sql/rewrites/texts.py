"""Texts: Snowflake turns any value into a text where one is needed."""

from __future__ import annotations

import re

from sqlglot import exp

from profiles_pipeline.sql.build import build
from profiles_pipeline.sql.kinds import collected, dtype, is_float, kind, typed
from profiles_pipeline.sql.rewrites.row import ANY, Rewrite, cast, function
from profiles_pipeline.sql.rewrites.semi_structured import scalar, to_json

_TEXT_FUNCTIONS = (
    exp.Left, exp.Right, exp.Pad, exp.Substring, exp.Upper, exp.Lower, exp.Trim, exp.Length, exp.Replace, exp.Reverse,
    exp.Split, exp.SplitPart, exp.StartsWith, exp.EndsWith, exp.Contains, exp.Like, exp.ILike, exp.RegexpLike,
    exp.RegexpFullMatch, exp.RegexpExtract, exp.RegexpReplace, exp.RegexpCount, exp.Initcap, exp.StrPosition,
    exp.Translate, exp.SHA, exp.SHA2, exp.MD5, exp.Repeat, exp.Strtok, exp.ToBase64,
)  # fmt: skip
_NO_VALUE = {"", "-", "n/a", "na", "nan", "nil", "none", "null", "undefined"}
_CAN_BE_BLANK = ("text", "json", "list", "null")
_JOINS = (exp.Concat, exp.ConcatWs, exp.DPipe)
_TEXT_READERS = (exp.TsOrDsToDate, exp.StrToTime, exp.ToNumber, exp.ToDouble, exp.ToBoolean)
_ZONED = {exp.DType.TIMESTAMPTZ, exp.DType.TIMESTAMPLTZ}
_FLOAT_TEXT = "REGEXP_REPLACE(CAST(:number AS TEXT), '[.]0$', '')"
_TIME_TEXT = "STRFTIME(:time, '%Y-%m-%d %H:%M:%S.%g')"
_ZONED_TEXT = "STRFTIME(CAST(:time AS TIMESTAMP), '%Y-%m-%d %H:%M:%S.%g +0000')"
_QUOTIENT = "CAST(:number AS DECIMAL(38, 6))"


def as_text(node: exp.Expr) -> exp.Expr:
    """Return `node` as a text: unchanged when it surely is one."""
    found = kind(node)
    if found in ("json", "timestamp", "list") or is_float(node) or _quotient(node):
        return text_of(node)
    sure = found in {"text", "null"} or (isinstance(node, exp.Literal) and node.is_string)
    return node if sure else cast(node, exp.DType.VARCHAR)


def text_of(node: exp.Expr) -> exp.Expr:
    """Return a value as the text that Snowflake makes of it."""
    if kind(node) == "list":
        return cast(to_json(node), exp.DType.VARCHAR)
    if kind(node) == "json":
        return scalar(node)
    if is_float(node):
        return typed(build(_FLOAT_TEXT, number=node), exp.DType.VARCHAR)
    if kind(node) == "timestamp":
        zoned = node.type is not None and node.type.this in _ZONED
        return typed(build(_ZONED_TEXT if zoned else _TIME_TEXT, time=node), exp.DType.VARCHAR)
    return cast(build(_QUOTIENT, number=node) if _quotient(node) else node, exp.DType.VARCHAR)


def _quotient(node: exp.Expr) -> bool:
    """Return whether a value is a number that came from dividing exact ones: it has six digits after the point."""
    if isinstance(node, exp.Paren):
        return _quotient(node.this)
    operands = (node.this, node.expression) if isinstance(node, exp.Div) else ()
    return bool(operands) and all(_is_exact(operand) for operand in operands)


def _is_exact(node: exp.Expr) -> bool:
    return kind(node) == "number" and dtype(node) in exp.DataType.INTEGER_TYPES


def _as_snowflake_writes(node: exp.Expr) -> exp.Expr:
    """``1.0::float::varchar`` is ``1``, ``ts::varchar`` has three digits after the second, ``(1/3)::varchar`` six."""
    to: exp.DataType = node.args["to"]
    if to.this not in exp.DataType.TEXT_TYPES or to.expressions or not isinstance(node.this, exp.Expr):
        return node
    operand = node.this
    peculiar = kind(operand) in ("timestamp", "list") or is_float(operand) or _quotient(operand)
    return text_of(operand) if peculiar else node


def _text_operand(node: exp.Expr) -> exp.Expr:
    operand = node.this
    replacement = as_text(operand)
    if replacement is not operand:
        node.set("this", replacement)
    return node


def _joined(node: exp.Expr) -> exp.Expr:
    """``x || y``; the elements of a list are what ``concat_ws`` joins, as in Databricks."""
    peculiar = ("json", "timestamp") if isinstance(node, exp.ConcatWs) else ("json", "timestamp", "list")
    for operand in list(node.iter_expressions()):
        if kind(operand) in peculiar or is_float(operand):
            operand.replace(text_of(operand.copy()))
    return node


def _null_joined(node: exp.Expr) -> exp.Expr:
    """``concat(x, NULL)`` is NULL."""
    node.set("coalesce", False)
    return node


def _read(node: exp.Expr) -> exp.Expr:
    for operand in [child for child in node.iter_expressions() if kind(child) == "json"]:
        operand.replace(scalar(operand.copy()))
    return node


def _listed(node: exp.Expr) -> exp.Expr:
    """``listagg(v)``"""
    value = collected(node)
    if kind(value) in ("json", "timestamp", "list") or is_float(value):
        value.replace(text_of(value.copy()))
    return node


def _plain_text(node: exp.Expr) -> exp.Expr:
    """``to_varchar(v)``"""
    return node if node.args.get("format") else text_of(node.this)


def _one_replaced(node: exp.Expr) -> exp.Expr:
    """``regexp_replace(x, p, r, 1, 2)``: the second match alone; DuckDB replaces the first or all."""
    count, start = node.args.get("occurrence"), node.args.get("position")
    if not isinstance(count, exp.Literal) or not count.is_int or int(count.name) < 2:
        return node
    text, new = as_text(node.this), node.args.get("replacement") or exp.Literal.string("")
    looked_at = text if start is None or start.name == "1" else exp.Substring(this=text.copy(), start=start.copy())
    flags = exp.Literal.string(node.text("modifiers"))
    made = build(_ONE_REPLACED, text=looked_at, pattern=node.expression, new=new, flags=flags, n=count)
    if looked_at is not text:
        made = build("LEFT(:text, :start - 1) || :made", text=text, start=start, made=made)
    return typed(build("CASE WHEN NOT :text IS NULL THEN :made END", text=text, made=made), exp.DType.VARCHAR)


def _dollar_groups(node: exp.Expr) -> exp.Expr:
    """``regexp_replace(s, '(a)(b)', '$2$1')``: groups the Java way, where a backslash takes away any meaning."""
    new = node.args.get("replacement")
    if isinstance(new, exp.Literal):
        node.set("replacement", exp.Literal.string(_JAVA_GROUP.sub(_re2_group, new.name)))
    return node


def _re2_group(match: re.Match[str]) -> str:
    written = match[0]
    if written[0] == "$":
        return f"\\{written[1]}"
    return "\\\\" if written == "\\\\" else written[1:]


def _padded(node: exp.Expr) -> exp.Expr:
    """``lpad(n, 5, '0')`` of a number"""
    if kind(node.this) == "number":
        node.set("this", cast(node.this, exp.DType.VARCHAR))
    return node


def _first_part(node: exp.Expr) -> exp.Expr:
    found = exp.RegexpExtract(this=node.this, expression=node.expression)
    return _no_match_is_null(found)


def _occurrence(node: exp.Expr) -> exp.Expr:
    """``instr(s, 'o', 1, 2)``: the second one; from a place below zero on they are looked for backwards."""
    start, count = node.args.get("position"), node.args.get("occurrence")
    backwards = isinstance(start, exp.Neg)
    if not backwards and (count is None or count.name == "1"):
        return node
    made = build(
        _PLACES,
        text=node.this,
        part=node.args["substr"],
        within=build("i <= LENGTH(:text) + :start + 1" if backwards else "i >= :start", **_given(node, backwards)),
        n=exp.Neg(this=count or exp.Literal.number(1)) if backwards else count,
    )
    return typed(made, exp.DType.BIGINT)


def _given(node: exp.Expr, backwards: bool) -> dict[str, exp.Expr]:
    start = {"start": node.args.get("position") or exp.Literal.number(1)}
    return {**start, "text": node.this} if backwards else start


def _normal(node: exp.Expr) -> exp.Expr:
    """``normalize(x)``, ``normalize_and_casefold(x)``: DuckDB has the form NFC, the default."""
    form = node.args.get("form")
    if isinstance(form, exp.Expr) and form.name.upper() != "NFC":
        return node
    made = function("NFC_NORMALIZE", node.this, dtype=exp.DType.VARCHAR)
    return typed(exp.Lower(this=made), exp.DType.VARCHAR) if node.args.get("is_casefold") else made


def _host(node: exp.Expr) -> exp.Expr:
    """``net.host(url)``, ``net.reg_domain(url)``: the list of public suffixes is not at hand, so what stands before a
    country is one where it is among the usual ones."""
    if isinstance(node.this, exp.Host):
        return typed(build(_HOST, url=node.this.this), exp.DType.VARCHAR)
    if isinstance(node.this, exp.RegDomain):
        return typed(build(_DOMAIN, url=node.this.this), exp.DType.VARCHAR)
    return node


def _no_match_is_null(node: exp.Expr) -> exp.Expr:
    whole = exp.Nullif(this=node, expression=exp.Literal.string(""))
    whole.type = exp.DType.VARCHAR
    return whole


def says_nothing(text: str) -> bool:
    """Tell whether a text is a way to write that there is no value: blank, ``null``, ``undefined`` and the like."""
    return text.strip().lower() in _NO_VALUE


def _beside_blank(node: exp.Expr) -> exp.Expr:
    """``x <> ''`` and ``x <> 'null'`` are only said of texts, whatever the column turns out to be."""
    operands = [node.this, *([node.expression] if node.args.get("expression") else []), *node.expressions]
    literals = (operand for operand in operands if isinstance(operand, exp.Literal) and operand.is_string)
    if not any(says_nothing(literal.name) for literal in literals):
        return node
    for operand in operands:
        if kind(operand) not in _CAN_BE_BLANK and not isinstance(operand, exp.Literal):
            operand.replace(text_of(operand.copy()))
    return typed(node, exp.DType.VARCHAR) if isinstance(node, exp.Nullif | exp.Coalesce) else node


def _similar(node: exp.Expr) -> exp.Expr:
    """The wildcards of LIKE among the signs of a regular expression, which is all DuckDB knows here."""
    pattern = node.expression
    if isinstance(pattern, exp.Literal):
        node.set("expression", exp.Literal.string(pattern.name.replace("%", ".*").replace("_", ".")))
    return node


def _cut(node: exp.Expr) -> exp.Expr:
    """``x::varchar(5)`` keeps the first five characters."""
    to: exp.DataType = node.args["to"]
    size = to.expressions[0].this if to.this in exp.DataType.TEXT_TYPES and to.expressions else None
    if not isinstance(size, exp.Literal):
        return node
    node.set("to", exp.DataType(this=exp.DType.VARCHAR))
    return typed(exp.Left(this=node, expression=size), exp.DType.VARCHAR)


def _switch(node: exp.Expr) -> exp.Expr:
    """``'on'::boolean``: DuckDB knows the other words for true and false."""
    literal = node.this
    if node.args["to"].this != exp.DType.BOOLEAN or not isinstance(literal, exp.Literal):
        return node
    known = {"on": "true", "off": "false"}.get(literal.name.strip().lower())
    if known is not None:
        node.set("this", exp.Literal.string(known))
    return node


_ONE_REPLACED = """
    ARRAY_TO_STRING(
      LIST_TRANSFORM(
        LIST_ZIP(REGEXP_SPLIT_TO_ARRAY(:text, :pattern, :flags), REGEXP_EXTRACT_ALL(:text, :pattern, 0, :flags)),
        LAMBDA part, i : part[1] || CASE WHEN i = :n THEN REGEXP_REPLACE(part[2], :pattern, :new, :flags)
                                         ELSE COALESCE(part[2], '') END
      ),
      ''
    )
"""
_URL_PARTS = """
    JSON_OBJECT(
      'scheme', NULLIF(REGEXP_EXTRACT(:url, '^([^:/?#]+):', 1), ''),
      'host', NULLIF(REGEXP_EXTRACT(:url, '^[^:/?#]+://([^:/?#]*)', 1), ''),
      'port', NULLIF(REGEXP_EXTRACT(:url, '^[^:/?#]+://[^:/?#]*:([0-9]+)', 1), ''),
      'path', NULLIF(REGEXP_EXTRACT(:url, '^[^:/?#]+://[^/?#]*/([^?#]*)', 1), ''),
      'query', NULLIF(REGEXP_EXTRACT(:url, '[?]([^#]*)', 1), ''),
      'fragment', NULLIF(REGEXP_EXTRACT(:url, '#(.*)', 1), ''),
      'parameters', TO_JSON(MAP_FROM_ENTRIES(LIST_TRANSFORM(
        LIST_FILTER(STR_SPLIT(REGEXP_EXTRACT(:url, '[?]([^#]*)', 1), '&'), LAMBDA p : p <> ''),
        LAMBDA p : ROW(SPLIT_PART(p, '=', 1), URL_DECODE(SPLIT_PART(p, '=', 2)))
      )))
    )
"""


_JAVA_GROUP = re.compile(r"\$[0-9]|\\.")
_HOST = "NULLIF(REGEXP_EXTRACT(:url, '^(?:[^:/?#]+:)?//(?:[^/?#@]*@)?([^:/?#]+)', 1), '')"
_AUTHORITY = "LOWER(REGEXP_EXTRACT(:url, '^(?:(?:[^:/?#]+:)?//)?(?:[^/?#@]*@)?([^:/?#]+)', 1))"
_SUFFIX = "(?:(?:ac|co|com|edu|gov|gob|ne|net|or|org)[.][a-z]{2}|[^.]+)"
_DOMAIN = f"NULLIF(REGEXP_EXTRACT({_AUTHORITY}, '([^.]+[.]{_SUFFIX})[.]?$', 1), '')"
_PLACES = """
    CASE WHEN NOT :text IS NULL AND NOT :part IS NULL THEN
      COALESCE(
        LIST_EXTRACT(
          LIST_FILTER(
            RANGE(1, LENGTH(:text) - LENGTH(:part) + 2),
            LAMBDA i : SUBSTRING(:text, i, LENGTH(:part)) = :part AND :within
          ),
          :n
        ),
        0
      )
    END
"""
_URL_PART = {
    "PROTOCOL": "^([^:/?#]+):",
    "HOST": "^[^:/?#]+://(?:[^/?#@]*@)?([^:/?#]*)",
    "PATH": "^[^:/?#]+://[^/?#]*([^?#]*)",
    "FILE": "^[^:/?#]+://[^/?#]*([^#]*)",
    "QUERY": "[?]([^#]*)",
    "REF": "#(.*)",
    "AUTHORITY": "^[^:/?#]+://([^/?#]*)",
    "USERINFO": "^[^:/?#]+://([^/?#@]*)@",
}
_PARAMETER = "NULLIF(REGEXP_EXTRACT(:url, '[?&]' || :key || '=([^&#]*)', 1), '')"


def _one_url_part(node: exp.Expr) -> exp.Expr:
    """``parse_url(u, 'HOST')``, ``parse_url(u, 'QUERY', 'utm_source')``"""
    part, key = node.args.get("part_to_extract"), node.args.get("key")
    pattern = _URL_PART.get(part.name) if isinstance(part, exp.Literal) else None
    if pattern is None:
        return node
    if key is not None:
        return typed(build(_PARAMETER, url=node.this, key=key), exp.DType.VARCHAR)
    found = build("REGEXP_EXTRACT(:url, :pattern, 1)", url=node.this, pattern=exp.Literal.string(pattern))
    return _no_match_is_null(found)


def _url_parts(node: exp.Expr) -> exp.Expr:
    return typed(build(_URL_PARTS, url=as_text(node.this)), exp.DType.JSON)


ROWS: tuple[Rewrite, ...] = (
    Rewrite("beside-blank", ANY, "duckdb", (exp.EQ, exp.NEQ, exp.In, exp.Nullif, exp.Coalesce), _beside_blank),
    *(Rewrite("sized-text", s, "duckdb", (exp.Cast, exp.TryCast), _cut) for s in ("snowflake", "redshift")),
    Rewrite("on-or-off", "snowflake", "duckdb", (exp.Cast, exp.TryCast), _switch),
    Rewrite("similar-to", ANY, "duckdb", (exp.SimilarTo,), _similar),
    Rewrite("parse-url", "databricks", "duckdb", (exp.ParseUrl,), _one_url_part),
    Rewrite("net-host", "bigquery", "duckdb", (exp.NetFunc,), _host),
    Rewrite("normal-form", "bigquery", "duckdb", (exp.Normalize,), _normal),
    Rewrite("nth-place", "bigquery", "duckdb", (exp.StrPosition,), _occurrence),
    Rewrite("java-groups", "databricks", "duckdb", (exp.RegexpReplace,), _dollar_groups),
    Rewrite("padded-number", "databricks", "duckdb", (exp.Pad,), _padded),
    Rewrite("regexp-substr-null", "databricks", "duckdb", (exp.RegexpSubstr,), _first_part),
    Rewrite("regexp-substr-null", "bigquery", "duckdb", (exp.RegexpExtract,), _no_match_is_null),
    Rewrite("parse-url", "snowflake", "duckdb", (exp.ParseUrl,), _url_parts),
    Rewrite("text-of-value", "snowflake", "duckdb", _TEXT_FUNCTIONS, _text_operand),
    Rewrite("json-as-text", "snowflake", "duckdb", _TEXT_READERS, _read),
    Rewrite("value-as-text", "snowflake", "duckdb", (exp.Cast, exp.TryCast), _as_snowflake_writes),
    Rewrite("value-as-text", "snowflake", "duckdb", _JOINS, _joined),
    Rewrite("null-joined", "redshift", "duckdb", (exp.Concat,), _null_joined),
    Rewrite("value-as-text", "snowflake", "duckdb", (exp.GroupConcat,), _listed),
    Rewrite("value-as-text", "snowflake", "duckdb", (exp.ToChar,), _plain_text),
    Rewrite("replace-one-match", "snowflake", "duckdb", (exp.RegexpReplace,), _one_replaced),
    Rewrite("regexp-substr-null", "snowflake", "duckdb", (exp.RegexpExtract,), _no_match_is_null),
)
