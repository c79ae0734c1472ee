"""Rewrites of texts and patterns, which are read as those of PCRE."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from profiles_pipeline.dialects.kinds import whole_number
from profiles_pipeline.dialects.likes import like, place_from_start
from profiles_pipeline.dialects.patterns import members_of, with_group
from profiles_pipeline.dialects.rewriting import Rewrite, call
from profiles_pipeline.dialects.spoken import refuse
from profiles_pipeline.sql import build

_NONE_OF = re.compile(r"\[\^((?:\\p\{\w+\})+)\]")
_PCRE = "p"


def pattern_of(pattern: exp.Expr, flags: exp.Expr | None, before: str = "", after: str = "") -> exp.Expr:
    """Return a pattern with its flags and something around it; of the flags only `i` and `s` change a match."""
    kept = "".join(flag for flag in (flags.name if flags is not None else "") if flag in "is")
    head = (f"(?{kept})" if kept else "") + before
    if isinstance(pattern, exp.Literal):
        return exp.Literal.string(head + pattern.name + after)
    if not head and not after:
        return pattern
    return exp.Paren(this=build(":h || :p || :a", h=exp.Literal.string(head), p=pattern, a=exp.Literal.string(after)))


def _found(text: exp.Expr, pattern: exp.Expr) -> exp.Expr:
    rest = [exp.Literal.number(number) for number in (1, 1, 0)]
    place = call("REGEXP_INSTR", text, pattern, *rest, exp.Literal.string(_PCRE))
    return exp.Paren(this=exp.GT(this=place, expression=exp.Literal.number(0)))


def _match(node: exp.Expr) -> exp.Expr:
    """REGEXP_MATCHES(x, p); what none of some Unicode classes is, is what is left without their characters."""
    pattern = node.expression
    if isinstance(pattern, exp.Literal) and (classes := _NONE_OF.fullmatch(pattern.name)):
        without = call("TRANSLATE", node.this, exp.Literal.string(members_of(classes[1])), exp.Literal.string(""))
        return exp.Paren(this=build("LENGTH(:without) > 0", without=without))
    return _found(node.this, pattern_of(pattern, node.args.get("flag")))


def _full_match(node: exp.Expr) -> exp.Expr:
    flags = node.args.get("options") or node.args.get("flag")
    return _found(node.this, pattern_of(node.expression, flags, "^(?:", r")\z"))


def _replaced(node: exp.Expr) -> exp.Expr:
    """REGEXP_REPLACE(x, p, r, 'g'): of every match, by a text without groups; nothing else can be said."""
    flags, given = node.args.get("modifiers"), node.args.get("replacement") or exp.Literal.string("")
    plain = isinstance(given, exp.Literal) and not re.search(r"[\\$]", given.name)
    if not plain or not isinstance(flags, exp.Literal) or "g" not in flags.name:
        refuse("Redshift", "REGEXP_REPLACE of the first match alone, or with groups")
    first = exp.Literal.number(1)
    return call(
        "REGEXP_REPLACE", node.this, pattern_of(node.expression, flags), given, first, exp.Literal.string(_PCRE)
    )


def _extracted(node: exp.Expr) -> exp.Expr:
    """REGEXP_EXTRACT(x, p, n): an empty text where nothing matches, which is what is found here too."""
    number, pattern = node.args.get("group"), node.expression
    wanted = int(number.name) if number is not None and number.is_int else 0
    single = with_group(pattern.name, wanted) if isinstance(pattern, exp.Literal) else None
    if single is None:
        refuse("Redshift", "REGEXP_EXTRACT with a computed pattern or group")
    given = pattern_of(exp.Literal.string(single), node.args.get("parameters"))
    ones = [exp.Literal.number(1), exp.Literal.number(1)]
    return call("REGEXP_SUBSTR", node.this, given, *ones, exp.Literal.string(_PCRE + ("e" if wanted else "")))


def _words(node: exp.Expr) -> exp.Expr:
    """CONCAT_WS(s, a, b): each that is not NULL behind a separator, without the first of these."""
    separator, *given = node.expressions
    parts = [build("COALESCE(:s || CAST(:x AS TEXT), '')", s=separator, x=each) for each in given]
    joined = parts[0]
    for part in parts[1:]:
        joined = exp.DPipe(this=joined, expression=part)
    return build("SUBSTRING(:joined, LENGTH(:s) + 1)", joined=joined, s=separator)


def _joined(node: exp.Expr) -> exp.Expr:
    """LISTAGG(x, s ORDER BY k): the order stands within the group."""
    value, separator = node.this, node.args.get("separator") or exp.Literal.string(",")
    order = value if isinstance(value, exp.Order) else None
    if order is not None:
        value = order.this
    if isinstance(value, exp.Distinct):
        inner = value.expressions[0]
        if isinstance(inner, exp.Order):
            order, inner = inner, inner.this
        value = exp.Distinct(expressions=[inner])
    if isinstance(separator, exp.Order):
        order, separator = separator, separator.this
    listed = call("LISTAGG", value, separator)
    if order is None:
        return listed
    return exp.WithinGroup(this=listed, expression=exp.Order(expressions=order.expressions))


def _logarithm(node: exp.Expr) -> exp.Expr:
    """LOG(b, x): LOG is that of 10."""
    if node.args.get("expression") is None:
        return call("LOG", node.this)
    if node.this.name == "10":
        return call("LOG", node.expression)
    return build("(LN(:x) / LN(:b))", x=node.expression, b=node.this)


def _part(node: exp.Expr) -> exp.Expr:
    """SUBSTRING(x, n, m): a place before the first counts from the end."""
    start = node.args.get("start")
    known = None if start is None else whole_number(start)
    if start is None or (known is not None and known >= 0):
        return node
    node.set("start", place_from_start(node, start))
    return node


REWRITES: tuple[Rewrite, ...] = (
    Rewrite("REGEXP_MATCHES", "REGEXP_INSTR, or what TRANSLATE leaves", (exp.RegexpLike,), _match),
    Rewrite(
        "REGEXP_FULL_MATCH, SIMILAR TO",
        "REGEXP_INSTR from end to end",
        (exp.RegexpFullMatch, exp.SimilarTo),
        _full_match,
    ),
    Rewrite("REGEXP_REPLACE", "the same, of every match", (exp.RegexpReplace,), _replaced),
    Rewrite("REGEXP_EXTRACT", "REGEXP_SUBSTR of one group", (exp.RegexpExtract,), _extracted),
    Rewrite("LIKE, ILIKE", "the same, backslashes doubled", (exp.Like, exp.ILike), like),
    Rewrite("SUBSTRING from the end", "by the length of the text", (exp.Substring,), _part),
    Rewrite("CONCAT_WS", "texts behind separators", (exp.ConcatWs,), _words),
    Rewrite("STRING_AGG", "LISTAGG within the group", (exp.GroupConcat,), _joined),
    Rewrite("CONTAINS", "STRPOS", (exp.Contains,), lambda n: build("(STRPOS(:x, :y) > 0)", x=n.this, y=n.expression)),
    Rewrite(
        "STR_SPLIT", "SPLIT_TO_ARRAY", (exp.Split,), lambda node: call("SPLIT_TO_ARRAY", node.this, node.expression)
    ),
    Rewrite("LOG of a base", "LOG, or a quotient of LN", (exp.Log,), _logarithm),
)

CALLS: dict[str, Callable[[list[exp.Expr]], exp.Expr | None]] = {
    "STRLEN": lambda a: call("OCTET_LENGTH", *a),
}
