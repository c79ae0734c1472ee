"""Rewrites of texts and patterns, which are RE2's as in the canonical dialect."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from profiles_pipeline.dialects.kinds import whole_number
from profiles_pipeline.dialects.likes import like, place_from_start, with_backslashes
from profiles_pipeline.dialects.patterns import with_group
from profiles_pipeline.dialects.rewriting import Rewrite, call
from profiles_pipeline.dialects.spoken import refuse
from profiles_pipeline.sql import build


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
    return call("REGEXP_CONTAINS", node.this, pattern_of(node.expression, node.args.get("flag")))


def _full_match(node: exp.Expr) -> exp.Expr:
    flags = node.args.get("options") or node.args.get("flag")
    return call("REGEXP_CONTAINS", node.this, pattern_of(node.expression, flags, "^(?:", ")$"))


def _replaced(node: exp.Expr) -> exp.Expr:
    """REGEXP_REPLACE(x, p, r, 'g'): of every match; of the first alone it cannot be said."""
    flags, given = node.args.get("modifiers"), node.args.get("replacement") or exp.Literal.string("")
    if not isinstance(flags, exp.Literal) or "g" not in flags.name:
        refuse("BigQuery", "REGEXP_REPLACE of the first match alone")
    return call("REGEXP_REPLACE", node.this, pattern_of(node.expression, flags), given)


def _group_of(node: exp.Expr) -> exp.Expr | None:
    """Return the pattern with the group that is asked for as its only one."""
    number, pattern = node.args.get("group"), node.expression
    if not isinstance(pattern, exp.Literal) or not (number is None or number.is_int):
        return None
    single = with_group(pattern.name, int(number.name) if number is not None else 0)
    return None if single is None else pattern_of(exp.Literal.string(single), node.args.get("parameters"))


def _extracted(node: exp.Expr) -> exp.Expr:
    """REGEXP_EXTRACT(x, p, n): an empty text where nothing matches."""
    pattern = _group_of(node)
    if pattern is None:
        refuse("BigQuery", "REGEXP_EXTRACT with a computed pattern or group")
    found = call("REGEXP_EXTRACT", node.this, pattern)
    return build("CASE WHEN :x IS NOT NULL THEN COALESCE(:found, '') END", x=node.this, found=found)


def _every_match(node: exp.Expr) -> exp.Expr:
    pattern = _group_of(node)
    if pattern is None:
        refuse("BigQuery", "REGEXP_EXTRACT_ALL with a computed pattern or group")
    return call("REGEXP_EXTRACT_ALL", node.this, pattern)


def _split_part(node: exp.Expr) -> exp.Expr:
    """SPLIT_PART(x, s, n): an empty text where there is no such part; parts are not counted from the end."""
    number = node.args["part_index"]
    if number.find(exp.Neg):
        refuse("BigQuery", "SPLIT_PART from the end")
    split = exp.Split(this=node.this, expression=node.args["delimiter"])
    part = exp.Bracket(this=split, expressions=[build(":n - 1", n=number)], offset=0, safe=True)
    return build("CASE WHEN :x IS NOT NULL THEN COALESCE(:part, '') END", x=node.this, part=part)


def _split_by_pattern(node: exp.Expr) -> exp.Expr:
    """STR_SPLIT_REGEX(x, p): at a character that no text has, in the place of what matches."""
    mark = build("CHR(31)")
    return exp.Split(this=call("REGEXP_REPLACE", node.this, node.expression, mark), expression=mark.copy())


def _words(node: exp.Expr) -> exp.Expr:
    """CONCAT_WS(s, a, b): ARRAY_TO_STRING leaves NULLs out too."""
    separator, *given = node.expressions
    if len(given) == 1 and isinstance(given[0], exp.ArrayAgg | exp.Coalesce):
        return call("ARRAY_TO_STRING", given[0], separator)
    return call("ARRAY_TO_STRING", exp.Array(expressions=[exp.cast(each, "TEXT") for each in given]), separator)


def _hexadecimal(name: str) -> Callable[[exp.Expr], exp.Expr]:
    return lambda node: call("TO_HEX", call(name, node.this))


def _part(node: exp.Expr) -> exp.Expr:
    """SUBSTRING(x, n, m): what lies before the first character is part of the length."""
    start, length = node.args.get("start"), node.args.get("length")
    known = None if start is None else whole_number(start)
    if start is None or length is None or (known is not None and known > 0):
        return node
    place = place_from_start(node, start)
    node.set("start", build("GREATEST(:p, 1)", p=place))
    node.set("length", build("GREATEST(:m - GREATEST(1 - :p, 0), 0)", m=length, p=place))
    return node


REWRITES: tuple[Rewrite, ...] = (
    Rewrite("LIKE, ILIKE", "the same, backslashes doubled", (exp.Like, exp.ILike), like),
    Rewrite("ESCAPE", "backslashes in the pattern", (exp.Escape,), with_backslashes),
    Rewrite("SUBSTRING before the first place", "the same, shorter", (exp.Substring,), _part),
    Rewrite("REGEXP_MATCHES", "REGEXP_CONTAINS", (exp.RegexpLike,), _match),
    Rewrite(
        "REGEXP_FULL_MATCH, SIMILAR TO",
        "REGEXP_CONTAINS from end to end",
        (exp.RegexpFullMatch, exp.SimilarTo),
        _full_match,
    ),
    Rewrite("REGEXP_REPLACE", "the same, of every match", (exp.RegexpReplace,), _replaced),
    Rewrite("REGEXP_EXTRACT", "the same, of one group", (exp.RegexpExtract,), _extracted),
    Rewrite("REGEXP_EXTRACT_ALL", "the same, of one group", (exp.RegexpExtractAll,), _every_match),
    Rewrite("SPLIT_PART", "an element of SPLIT", (exp.SplitPart,), _split_part),
    Rewrite(
        "STR_SPLIT_REGEX",
        "SPLIT where REGEXP_REPLACE has put a mark",
        (exp.RegexpSplit,),
        _split_by_pattern,
    ),
    Rewrite("CONCAT_WS", "ARRAY_TO_STRING", (exp.ConcatWs,), _words),
    Rewrite("CONTAINS", "STRPOS", (exp.Contains,), lambda n: build("STRPOS(:x, :y) > 0", x=n.this, y=n.expression)),
    Rewrite("SHA1", "TO_HEX of it", (exp.SHA,), _hexadecimal("SHA1")),
    Rewrite("SHA256", "TO_HEX of it", (exp.SHA2,), _hexadecimal("SHA256")),
)
