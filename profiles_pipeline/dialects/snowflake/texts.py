"""Rewrites of texts and patterns."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from profiles_pipeline.dialects.patterns import members_of
from profiles_pipeline.dialects.rewriting import Rewrite
from profiles_pipeline.dialects.rewriting import call as _call
from profiles_pipeline.dialects.spoken import refuse
from profiles_pipeline.sql import build

_NONE_OF = re.compile(r"\[\^((?:\\p\{\w+\})+)\]")


def _match(node: exp.Expr) -> exp.Expr:
    """REGEXP_MATCHES(x, p): anywhere in the text, while REGEXP_LIKE wants all of it to match."""
    pattern, flags = node.expression, node.args.get("flag")
    if isinstance(pattern, exp.Literal) and (classes := _NONE_OF.fullmatch(pattern.name)):
        without = _call("TRANSLATE", node.this, exp.Literal.string(members_of(classes[1])), exp.Literal.string(""))
        return build("LENGTH(:without) > 0", without=without)
    rest = [exp.Literal.number(number) for number in (1, 1, 0)]
    found = _call("REGEXP_INSTR", node.this, pattern, *([*rest, flags] if flags is not None else []))
    return exp.GT(this=found, expression=exp.Literal.number(0))


def _full_match(node: exp.Expr) -> exp.Expr:
    """REGEXP_FULL_MATCH(x, p): all of the text."""
    flags = node.args.get("options") or node.args.get("flag")
    return _call("REGEXP_LIKE", node.this, node.expression, *([flags] if flags is not None else []))


def _replaced(node: exp.Expr) -> exp.Expr:
    """REGEXP_REPLACE(x, p, r, 'g'): of every match, or of the first."""
    flags = node.args.get("modifiers")
    given = flags.name if isinstance(flags, exp.Literal) else ""
    parts = [node.this, node.expression, node.args.get("replacement") or exp.Literal.string("")]
    others = given.replace("g", "")
    if "g" not in given or others:
        parts += [exp.Literal.number(1), exp.Literal.number(0 if "g" in given else 1)]
    if others:
        parts.append(exp.Literal.string(others))
    return _call("REGEXP_REPLACE", *parts)


def _extracted(node: exp.Expr) -> exp.Expr:
    """REGEXP_EXTRACT(x, p, n): an empty text where nothing matches."""
    number = node.args.get("group") or exp.Literal.number(0)
    flags = node.args.get("parameters")
    given = flags.name if isinstance(flags, exp.Literal) else ""
    whole = number.name == "0"
    rest = [exp.Literal.number(1), exp.Literal.number(1), exp.Literal.string(given if whole else given + "e")]
    found = _call("REGEXP_SUBSTR", node.this, node.expression, *rest, *([] if whole else [number]))
    return build("IFF(:x IS NULL, NULL, COALESCE(:found, ''))", x=node.this, found=found)


def _plain(node: exp.Expr) -> exp.Expr:
    """ENCODE(x), the bytes of a text, is the text where bytes are wanted."""
    return node.this if isinstance(node, exp.Encode) else node


def _every_match(node: exp.Expr) -> exp.Expr:
    """REGEXP_EXTRACT_ALL(x, p, n): a list."""
    number = node.args.get("group")
    if number is None or number.name == "0":
        return _call("REGEXP_SUBSTR_ALL", node.this, node.expression)
    rest = [exp.Literal.number(1), exp.Literal.number(1), exp.Literal.string("e"), number]
    return _call("REGEXP_SUBSTR_ALL", node.this, node.expression, *rest)


def _similar(node: exp.Expr) -> exp.Expr:
    """JARO_WINKLER_SIMILARITY(x, y) * 100: here it is from 0 to 100, of whole numbers, and of any case."""
    found = node.this if isinstance(node, exp.Mul) else node
    if not isinstance(found, exp.JarowinklerSimilarity):
        return node
    if found is not node:
        return _call("JAROWINKLER_SIMILARITY", found.this, found.expression)
    sides = (found.this, found.expression)
    percents = isinstance(node.parent, exp.Mul) and node.arg_key == "this" and node.parent.expression.name == "100"
    if not percents or not all(isinstance(side, exp.Upper | exp.Lower) for side in sides):
        refuse("Snowflake", "JARO_WINKLER_SIMILARITY but of a hundredth, in any case")
    return node


def _decoded(node: exp.Expr) -> exp.Expr:
    """DECODE(FROM_BASE64(x)): a text."""
    given = node.this.unnest()
    if isinstance(given, exp.Anonymous) and given.name == "BASE64_DECODE_BINARY":
        return _call("BASE64_DECODE_STRING", *given.expressions)
    refuse("Snowflake", "DECODE of what is not in base 64")


CALLS: dict[str, Callable[[list[exp.Expr]], exp.Expr | None]] = {
    "STRLEN": lambda a: _call("OCTET_LENGTH", *a),
}

REWRITES: tuple[Rewrite, ...] = (
    Rewrite("REGEXP_MATCHES", "REGEXP_INSTR, or what TRANSLATE leaves", (exp.RegexpLike,), _match),
    Rewrite("REGEXP_FULL_MATCH", "REGEXP_LIKE, which is anchored", (exp.RegexpFullMatch,), _full_match),
    Rewrite("SIMILAR TO", "REGEXP_LIKE, which is anchored", (exp.SimilarTo,), _full_match),
    Rewrite("REGEXP_REPLACE", "the same, of every match unless told otherwise", (exp.RegexpReplace,), _replaced),
    Rewrite("REGEXP_EXTRACT_ALL", "REGEXP_SUBSTR_ALL", (exp.RegexpExtractAll,), _every_match),
    Rewrite("TO_BASE64", "BASE64_ENCODE", (exp.ToBase64,), lambda n: _call("BASE64_ENCODE", _plain(n.this))),
    Rewrite("REGEXP_EXTRACT", "REGEXP_SUBSTR", (exp.RegexpExtract,), _extracted),
    Rewrite(
        "JARO_WINKLER_SIMILARITY * 100",
        "JAROWINKLER_SIMILARITY",
        (exp.JarowinklerSimilarity, exp.Mul),
        _similar,
    ),
    Rewrite(
        "FROM_BASE64",
        "BASE64_DECODE_BINARY",
        (exp.FromBase64,),
        lambda node: _call("BASE64_DECODE_BINARY", node.this),
    ),
    Rewrite("DECODE of FROM_BASE64", "BASE64_DECODE_STRING", (exp.Decode,), _decoded),
)
