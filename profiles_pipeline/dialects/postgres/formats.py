"""Formats of times and patterns of texts as PostgreSQL writes them."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from itertools import groupby

_TIMES = {
    "Y": "YYYY",
    "y": "YY",
    "m": "MM",
    "d": "DD",
    "H": "HH24",
    "I": "HH12",
    "M": "MI",
    "S": "SS",
    "f": "US",
    "g": "MS",
    "p": "AM",
    "b": "Mon",
    "B": "FMMonth",
    "a": "Dy",
    "A": "FMDay",
    "j": "DDD",
    "u": "ID",
    "V": "IW",
    "G": "IYYY",
    "-d": "FMDD",
    "-m": "FMMM",
    "-H": "FMHH24",
    "-I": "FMHH12",
    "-M": "FMMI",
    "-S": "FMSS",
    "-j": "FMDDD",
}
_PARTS = re.compile(r"%(-?[A-Za-z%])|([A-Za-z]+)|([^%A-Za-z]+)")
_CLASS = re.compile(r"\\p\{(\w+)\}|\\p(\w)")


def time_format(pattern: str) -> str | None:
    """Return a format of strftime as one of TO_CHAR; None for one that TO_CHAR does not know."""
    found = []
    for part, letters, rest in _PARTS.findall(pattern):
        if part == "%":
            found.append("%")
        elif part:
            if part not in _TIMES:
                return None
            found.append(_TIMES[part])
        elif letters:
            found.append(f'"{letters}"')
        else:
            found.append(rest.replace('"', r"\""))
    return "".join(found)


def pattern_of(regex: str) -> str:
    r"""Return a regular expression with the characters in the place of classes such as ``\p{Cc}``.

    A class stands within brackets or by itself.
    """
    found, position, inside = [], 0, False
    for match in _CLASS.finditer(regex):
        before = regex[position : match.start()]
        for index, character in enumerate(before):
            if character in "[]" and not before[:index].endswith("\\"):
                inside = character == "["
        members = _members(match[1] or match[2])
        found += [before, members if inside else f"[{members}]"]
        position = match.end()
    return "".join([*found, regex[position:]])


@lru_cache
def _members(category: str) -> str:
    """Return the ranges of the characters of a Unicode category, as they stand within brackets."""
    ranges = ((low, high) for kind, low, high in _categories() if kind.startswith(category))
    return "".join(_code(low) if low == high else f"{_code(low)}-{_code(high)}" for low, high in _joined(ranges))


@cache
def _categories() -> tuple[tuple[str, int, int], ...]:
    """Return the category of every character but the first, as (category, first, last) of characters in a row."""
    found, low = [], 1
    for kind, run in groupby(map(unicodedata.category, map(chr, range(1, sys.maxunicode + 1)))):
        high = low + sum(1 for _ in run) - 1
        found.append((kind, low, high))
        low = high + 1
    return tuple(found)


def _joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return ranges, those that touch as one."""
    found: list[tuple[int, int]] = []
    for low, high in ranges:
        if found and found[-1][1] == low - 1:
            found[-1] = found[-1][0], high
        else:
            found.append((low, high))
    return found


def _code(number: int) -> str:
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
