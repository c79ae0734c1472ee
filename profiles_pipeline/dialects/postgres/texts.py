"""What is done with texts in the canonical dialect, in PostgreSQL."""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline.dialects.kinds import whole_number
from profiles_pipeline.dialects.postgres.collation import by_bytes
from profiles_pipeline.dialects.postgres.formats import pattern_of
from profiles_pipeline.dialects.postgres.helpers import called
from profiles_pipeline.dialects.postgres.lists import is_list
from profiles_pipeline.dialects.postgres.words import cast_to, function
from profiles_pipeline.sql import build

_LETTERS = "und-x-icu"


def full_match(node: exp.Expr) -> exp.Expr:
    """REGEXP_FULL_MATCH and SIMILAR TO: a pattern from end to end."""
    flags = node.args.get("options") or node.args.get("flag")
    beginning = exp.Literal.string(f"{_embedded(flags)}^(?:")
    pattern = build(":b || :p || ')$'", b=beginning, p=plain_pattern(node.expression))
    return exp.Paren(this=exp.RegexpLike(this=node.this, expression=exp.Paren(this=pattern)))


def match_pattern(node: exp.Expr) -> exp.Expr:
    """REGEXP_MATCHES: with flags in the pattern."""
    pattern = plain_pattern(node.expression, node.args.get("flag"))
    grouped = pattern if isinstance(pattern, exp.Literal | exp.Column) else exp.Paren(this=pattern)
    return exp.RegexpLike(this=node.this, expression=grouped)


def plain_pattern(pattern: exp.Expr, flags: exp.Expr | None = None) -> exp.Expr:
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


def replaced(node: exp.Expr) -> exp.Expr:
    """REGEXP_REPLACE: the whole match is another mark."""
    replacement = node.args.get("replacement")
    if isinstance(replacement, exp.Literal):
        replacement.set("this", replacement.name.replace("\\0", "\\&"))
    node.set("expression", plain_pattern(node.expression))
    return node


def contains(node: exp.Expr) -> exp.Expr:
    """CONTAINS(x, y)."""
    return exp.Paren(this=build("STRPOS(:x, :y) > 0", x=node.this, y=node.expression))


def other_case(node: exp.Expr) -> exp.Expr:
    """LOWER and UPPER know all letters by a collation of ICU; the text goes on being compared by its bytes."""
    lettered = exp.Collate(this=cast_to(node.this, "TEXT"), expression=exp.to_identifier(_LETTERS, quoted=True))
    node.set("this", lettered)
    return by_bytes(node.copy())


def any_case(node: exp.Expr) -> exp.Expr:
    """ILIKE: LIKE of both in small letters."""
    sides = (other_case(exp.Lower(this=side)) for side in (node.this, node.expression))
    made = exp.Like(**dict(zip(("this", "expression"), sides, strict=True)), negate=node.args.get("negate"))
    return like(made) if not isinstance(node.parent, exp.Escape) else made


def like(node: exp.Expr) -> exp.Expr:
    """LIKE without ESCAPE: a backslash is a character like any other."""
    pattern = node.expression
    if isinstance(node.parent, exp.Escape) or (isinstance(pattern, exp.Literal) and "\\" not in pattern.name):
        return node
    return exp.Escape(this=node.copy(), expression=exp.Literal.string(""))


def part_of_text(node: exp.Expr) -> exp.Expr:
    """SUBSTRING(x, n, m): a place before the first counts from the end."""
    given = [part for part in (node.args.get("start"), node.args.get("length")) if part is not None]
    known = [whole_number(part) for part in given]
    if all(number is not None and number >= 0 for number in known):
        return node
    numbers = (cast_to(part, "BIGINT") for part in given)
    return called("substring", cast_to(node.this, "TEXT"), *numbers)


def words_of_lists(node: exp.Expr) -> exp.Expr:
    """CONCAT_WS(s, l): the items of a list are words of their own."""
    separator, *given = node.expressions
    joined = [function("ARRAY_TO_STRING", g, separator.copy()) if is_list(g) else g for g in given]
    node.set("expressions", [separator, *joined])
    return node


def length_of(node: exp.Expr) -> exp.Expr:
    """LENGTH(x), of lists too."""
    return function("CARDINALITY", node.this) if is_list(node.this) else node


def base64(node: exp.Expr) -> exp.Expr:
    """TO_BASE64(x): without ends of lines."""
    return build("REPLACE(:encoded, CHR(10), '')", encoded=function("ENCODE", node.this, exp.Literal.string("base64")))


def repeated(node: exp.Expr) -> exp.Expr:
    """REPEAT(x, n)."""
    return function("REPEAT", cast_to(node.this, "TEXT"), cast_to(node.args["times"], "INT"))


def hexadecimal(node: exp.Expr) -> exp.Expr:
    """HEX(x): of the bytes of a text."""
    encoded = function("CONVERT_TO", node.this, exp.Literal.string("UTF8"))
    return exp.Upper(this=function("ENCODE", encoded, exp.Literal.string("hex")))


def extracted(node: exp.Expr, name: str = "regexp_extract") -> exp.Expr:
    """REGEXP_EXTRACT and REGEXP_EXTRACT_ALL, with the number of a group."""
    number = node.args.get("group") or exp.Literal.number(0)
    pattern = plain_pattern(node.expression, node.args.get("parameters"))
    return called(name, cast_to(node.this, "TEXT"), pattern, number)
