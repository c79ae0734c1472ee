"""Texts that satisfy a LIKE pattern or a regular expression."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Iterable, Sequence
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

Piece = tuple[object, Any]
"""An operation of a parsed regular expression and its argument, which has a shape of its own for each operation."""

_DOT = string.ascii_lowercase + string.digits
_NUMBERS = ("1", "2", "5", "12", "40", "99.5")
_CLASSES = {
    op.CATEGORY_DIGIT: string.digits,
    op.CATEGORY_WORD: string.ascii_letters + string.digits,
    op.CATEGORY_SPACE: " ",
    op.CATEGORY_NOT_DIGIT: string.ascii_lowercase,
    op.CATEGORY_NOT_WORD: "-",
    op.CATEGORY_NOT_SPACE: _DOT,
}
_POSIX = {
    "[:alpha:]": "a-zA-Z", "[:digit:]": "0-9", "[:alnum:]": "a-zA-Z0-9", "[:lower:]": "a-z", "[:upper:]": "A-Z",
    "[:space:]": r"\s", "[:punct:]": "._-",
}  # fmt: skip


def like_examples(pattern: str) -> tuple[str, ...]:
    """Return texts that match a LIKE pattern (``%`` any characters, ``_`` one)."""
    plain = pattern.replace("_", "a") if "%" not in pattern else pattern
    short = plain.replace("%", "")
    if "%" not in plain:
        return (plain,)
    scheme = short.removesuffix("://")
    if scheme in ("http", "https") and plain.startswith("http"):
        return tuple(f"{scheme}://example.com/{page}" for page in ("one", "two"))
    if short.startswith("@") or short == "@":
        return tuple(plain.replace("%", f"person{number}") for number in range(2))
    return tuple(dict.fromkeys((short, plain.replace("%", "one"), plain.replace("%", " two "))))


def like_matches(pattern: str, text: str) -> bool:
    """Tell whether a text matches a LIKE pattern, whatever the case."""
    parts = (".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern)
    return re.fullmatch("".join(parts), text, re.IGNORECASE | re.DOTALL) is not None


def similar_regex(pattern: str) -> str:
    """Return the regular expression that a pattern of SIMILAR TO stands for."""
    return re.sub(r"(?<!\\)[%_]", lambda match: ".*" if match[0] == "%" else ".", pattern)


def python_regex(pattern: str) -> str:
    """Return a warehouse's regular expression as Python writes it."""
    for name, characters in _POSIX.items():
        pattern = pattern.replace(name, characters)
    return pattern.replace("\\\\", "\\") if "\\\\" in pattern else pattern


def matches(pattern: str, text: str) -> bool:
    """Tell whether the whole text matches; a pattern that Python cannot read matches nothing."""
    try:
        return re.fullmatch(python_regex(pattern), text) is not None
    except re.error:
        return False


def regex_examples(pattern: str, count: int, seed: int = 0) -> tuple[str, ...]:
    """Return different texts the whole of which matches, as many as could be found, at most `count`."""
    rng = random.Random(f"{pattern}/{seed}")  # noqa: S311 - sample values, not secrets
    try:
        tree = parser.parse(python_regex(pattern))
    except re.error:
        return ()
    found: dict[str, None] = {}
    for _ in range(count * 4):
        text = _sequence(tree, rng)
        if text and matches(pattern, text):
            found[text] = None
        if len(found) >= count:
            break
    return tuple(found)


def around_group(pattern: str, group: int) -> tuple[str, str] | None:
    """Return texts that may stand before and after what a group of a regular expression matches, as short as they can
    be; blank ones for group 0. None when the expression has no such group at its top or cannot be read."""
    if group == 0:
        return "", ""
    rng = random.Random(pattern)  # noqa: S311 - sample values, not secrets
    try:
        items = [item for item in parser.parse(python_regex(pattern)) if not _may_be_absent(*item)]
    except re.error:
        return None
    place = next((n for n, (code, arg) in enumerate(items) if code is op.SUBPATTERN and arg[0] == group), None)
    return (_sequence(items[:place], rng), _sequence(items[place + 1 :], rng)) if place is not None else None


def first_match(pattern: str, group: int, text: str) -> str | None:
    """Return what a group of a regular expression takes out of a text."""
    try:
        found = re.search(python_regex(pattern), text)
    except re.error:
        return None
    return found[group] if found is not None and group <= len(found.groups()) else None


def _may_be_absent(code: object, argument: Any) -> bool:  # noqa: ANN401
    repeated = code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT)
    return repeated and argument[0] == 0


def _sequence(items: Iterable[Piece], rng: random.Random) -> str:
    return "".join(_piece(code, argument, rng) for code, argument in items)


def _piece(code: object, argument: Any, rng: random.Random) -> str:  # noqa: ANN401
    """Return a text for one piece of a parsed expression; anchors and look-arounds take no room."""
    found = ""
    match code:
        case op.LITERAL:
            found = chr(argument)
        case op.NOT_LITERAL:
            found = rng.choice([c for c in _DOT if c != chr(argument)])
        case op.ANY:
            found = rng.choice(_DOT)
        case op.IN:
            found = _one_of(argument, rng)
        case op.MAX_REPEAT | op.MIN_REPEAT | op.POSSESSIVE_REPEAT:
            low, high, inner = argument
            found = _repeated(low, high, inner, rng)
        case op.SUBPATTERN:
            found = _sequence(argument[-1], rng)
        case op.ATOMIC_GROUP:
            found = _sequence(argument, rng)
        case op.BRANCH:
            found = _sequence(rng.choice(argument[1]), rng)
    return found


def _repeated(low: int, high: int, inner: Iterable[Piece], rng: random.Random) -> str:
    open_ended = high > 64
    if open_ended and _of_number(inner):
        return rng.choice(_NUMBERS)
    most = min(high, low + (12 if open_ended else 4))
    least = max(low, min(most, 6)) if open_ended else low
    return "".join(_sequence(inner, rng) for _ in range(rng.randint(least, max(least, most))))


def _of_number(inner: Iterable[Piece]) -> bool:
    """Tell whether any number of these is meant to be a number: ``[0-9.]``."""
    match list(inner):
        case [(op.IN, parts)] if parts[0][0] is not op.NEGATE:
            characters = set("".join(_characters(code, argument) for code, argument in parts))
            return characters > set(string.digits) and characters <= set(string.digits + ".,")
    return False


def _one_of(parts: Sequence[Piece], rng: random.Random) -> str:
    negated = bool(parts) and parts[0][0] is op.NEGATE
    characters = "".join(_characters(code, argument) for code, argument in parts)
    if negated:
        characters = "".join(c for c in _DOT + "-" if c not in characters)
    return rng.choice(characters or _DOT)


def _characters(code: object, argument: Any) -> str:  # noqa: ANN401
    match code:
        case op.LITERAL:
            return chr(argument)
        case op.RANGE:
            low, high = argument
            return "".join(map(chr, range(low, min(high, 126) + 1)))
        case op.CATEGORY:
            return _CLASSES.get(argument, _DOT)
    return ""
