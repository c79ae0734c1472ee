"""Texts: Snowflake turns any value into a text where one is needed."""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline.sql.kinds import kind
from profiles_pipeline.sql.rewrites.row import Rewrite, cast
from profiles_pipeline.sql.rewrites.semi_structured import scalar

_TEXT_FUNCTIONS = (
    exp.Left, exp.Right, exp.Pad, exp.Substring, exp.Upper, exp.Lower, exp.Trim, exp.Length, exp.Replace, exp.Reverse,
    exp.Split, exp.SplitPart, exp.StartsWith, exp.EndsWith, exp.Contains, exp.Like, exp.ILike, exp.RegexpLike,
    exp.RegexpFullMatch, exp.RegexpExtract, exp.RegexpReplace, exp.RegexpCount, exp.Initcap, exp.StrPosition,
    exp.Translate, exp.SHA, exp.SHA2, exp.MD5, exp.Repeat, exp.Strtok, exp.ToBase64,
)  # fmt: skip
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


ROWS: tuple[Rewrite, ...] = (
    Rewrite("text-of-value", "snowflake", "duckdb", _TEXT_FUNCTIONS, _text_operand),
    Rewrite("json-as-text", "snowflake", "duckdb", _TEXT_READERS, _joined),
    Rewrite("regexp-substr-null", "snowflake", "duckdb", (exp.RegexpExtract,), _no_match_is_null),
)
