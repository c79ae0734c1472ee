"""Rewrites of texts and patterns, which are Java's."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from profiles_pipeline.dialects.kinds import whole_number
from profiles_pipeline.dialects.likes import like
from profiles_pipeline.dialects.rewriting import Rewrite, call
from profiles_pipeline.dialects.spoken import refuse
from profiles_pipeline.sql import build

_GROUP = re.compile(r"\\(\d)")


def pattern_of(pattern: exp.Expr, flags: exp.Expr | None, before: str = "", after: str = "") -> exp.Expr:
    """Return a pattern with its flags and something around it; of the flags only `i` and `s` change a match."""
    kept = "".join(flag for flag in (flags.name if flags is not None else "") if flag in "is")
    head = (f"(?{kept})" if kept else "") + before
    if isinstance(pattern, exp.Literal):
        return exp.Literal.string(head + pattern.name + after)
    if not head and not after:
        return pattern
    return call("CONCAT", exp.Literal.string(head), pattern, exp.Literal.string(after))


def _match(node: exp.Expr) -> exp.Expr:
    """REGEXP_MATCHES(x, p): anywhere in the text."""
    return exp.RegexpLike(this=node.this, expression=pattern_of(node.expression, node.args.get("flag")))


def _full_match(node: exp.Expr) -> exp.Expr:
    """REGEXP_FULL_MATCH(x, p) and SIMILAR TO: all of the text."""
    flags = node.args.get("options") or node.args.get("flag")
    return exp.RegexpLike(this=node.this, expression=pattern_of(node.expression, flags, "^(?:", r")\z"))


def _replaced(node: exp.Expr) -> exp.Expr:
    """REGEXP_REPLACE(x, p, r, 'g'): of every match; groups are written with a dollar."""
    flags, given = node.args.get("modifiers"), node.args.get("replacement") or exp.Literal.string("")
    if not isinstance(given, exp.Literal) or not isinstance(flags, exp.Literal) or "g" not in flags.name:
        refuse("Databricks SQL", "REGEXP_REPLACE of the first match alone, or by what is computed")
    replacement = _GROUP.sub(r"$\1", given.name.replace("$", r"\$"))
    return call("REGEXP_REPLACE", node.this, pattern_of(node.expression, flags), exp.Literal.string(replacement))


def _extracted(name: str) -> Callable[[exp.Expr], exp.Expr]:
    """REGEXP_EXTRACT(x, p, n): the first group is another engine's default."""

    def said(node: exp.Expr) -> exp.Expr:
        number = node.args.get("group") or exp.Literal.number(0)
        return call(name, node.this, pattern_of(node.expression, node.args.get("parameters")), number)

    return said


def _part(node: exp.Expr) -> exp.Expr:
    """SUBSTRING(x, n, m): there is a place before the first, which here is the first itself."""
    start, length = node.args.get("start"), node.args.get("length")
    known = None if start is None else whole_number(start)
    if start is not None and length is not None and not known:
        node.set("length", build("CASE WHEN :n = 0 THEN :m - 1 ELSE :m END", n=start, m=length))
    return node


CALLS: dict[str, Callable[[list[exp.Expr]], exp.Expr | None]] = {
    "STRLEN": lambda a: call("OCTET_LENGTH", *a),
    "URL_DECODE": lambda a: build("URL_DECODE(REPLACE(:x, '+', '%2B'))", x=a[0]),
}

REWRITES: tuple[Rewrite, ...] = (
    Rewrite("LIKE, ILIKE", "the same, backslashes doubled", (exp.Like, exp.ILike), like),
    Rewrite("SUBSTRING before the first place", "the same, one shorter", (exp.Substring,), _part),
    Rewrite("REGEXP_MATCHES", "RLIKE", (exp.RegexpLike,), _match),
    Rewrite(
        "REGEXP_FULL_MATCH, SIMILAR TO", "RLIKE from end to end", (exp.RegexpFullMatch, exp.SimilarTo), _full_match
    ),
    Rewrite("REGEXP_REPLACE", "the same, of every match", (exp.RegexpReplace,), _replaced),
    Rewrite(
        "REGEXP_EXTRACT", "the same, with the number of the group", (exp.RegexpExtract,), _extracted("REGEXP_EXTRACT")
    ),
    Rewrite(
        "REGEXP_EXTRACT_ALL",
        "the same, with the number of the group",
        (exp.RegexpExtractAll,),
        _extracted("REGEXP_EXTRACT_ALL"),
    ),
    Rewrite("STR_SPLIT_REGEX", "SPLIT", (exp.RegexpSplit,), lambda node: call("SPLIT", node.this, node.expression)),
)
