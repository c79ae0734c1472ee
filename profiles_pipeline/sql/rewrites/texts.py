"""Texts: Snowflake turns any value into a text where one is needed."""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline.sql.build import build
from profiles_pipeline.sql.kinds import kind, typed
from profiles_pipeline.sql.rewrites.row import ANY, Rewrite, cast
from profiles_pipeline.sql.rewrites.semi_structured import scalar

_TEXT_FUNCTIONS = (
    exp.Left, exp.Right, exp.Pad, exp.Substring, exp.Upper, exp.Lower, exp.Trim, exp.Length, exp.Replace, exp.Reverse,
    exp.Split, exp.SplitPart, exp.StartsWith, exp.EndsWith, exp.Contains, exp.Like, exp.ILike, exp.RegexpLike,
    exp.RegexpFullMatch, exp.RegexpExtract, exp.RegexpReplace, exp.RegexpCount, exp.Initcap, exp.StrPosition,
    exp.Translate, exp.SHA, exp.SHA2, exp.MD5, exp.Repeat, exp.Strtok, exp.ToBase64,
)  # fmt: skip
_NO_VALUE = {"", "-", "n/a", "na", "nan", "nil", "none", "null", "undefined"}
_TEXT_READERS = (
    exp.Concat, exp.ConcatWs, exp.DPipe, exp.TsOrDsToDate, exp.StrToTime, exp.ToNumber, exp.ToDouble, exp.ToBoolean,
)  # fmt: skip


def as_text(node: exp.Expr) -> exp.Expr:
    """Return `node` as a text: unchanged when it surely is one."""
    found = kind(node)
    if found == "json":
        return scalar(node)
    sure = found in {"text", "null", "list"} or (isinstance(node, exp.Literal) and node.is_string)
    return node if sure else cast(node, exp.DType.VARCHAR)


def _text_operand(node: exp.Expr) -> exp.Expr:
    operand = node.this
    replacement = as_text(operand)
    if replacement is not operand:
        node.set("this", replacement)
    return node


def _joined(node: exp.Expr) -> exp.Expr:
    for operand in [child for child in node.iter_expressions() if kind(child) == "json"]:
        operand.replace(scalar(operand.copy()))
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
        if kind(operand) is None and not isinstance(operand, exp.Literal):
            operand.replace(cast(operand.copy(), exp.DType.VARCHAR))
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


def _url_parts(node: exp.Expr) -> exp.Expr:
    return typed(build(_URL_PARTS, url=as_text(node.this)), exp.DType.JSON)


ROWS: tuple[Rewrite, ...] = (
    Rewrite("beside-blank", ANY, "duckdb", (exp.EQ, exp.NEQ, exp.In, exp.Nullif, exp.Coalesce), _beside_blank),
    *(Rewrite("sized-text", s, "duckdb", (exp.Cast, exp.TryCast), _cut) for s in ("snowflake", "redshift")),
    Rewrite("on-or-off", "snowflake", "duckdb", (exp.Cast, exp.TryCast), _switch),
    Rewrite("similar-to", ANY, "duckdb", (exp.SimilarTo,), _similar),
    Rewrite("parse-url", "snowflake", "duckdb", (exp.ParseUrl,), _url_parts),
    Rewrite("text-of-value", "snowflake", "duckdb", _TEXT_FUNCTIONS, _text_operand),
    Rewrite("json-as-text", "snowflake", "duckdb", _TEXT_READERS, _joined),
    Rewrite("regexp-substr-null", "snowflake", "duckdb", (exp.RegexpExtract,), _no_match_is_null),
)
