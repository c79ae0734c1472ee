"""Regular expressions for engines that know one group of a pattern only, or no Unicode classes."""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import lru_cache

_CLASS = re.compile(r"\\p\{(\w+)\}")


@lru_cache
def members_of(classes: str) -> str:
    """Return the characters of Unicode categories, written as ``\\p{Zs}\\p{Cc}``; NUL is in no text."""
    wanted = tuple(_CLASS.findall(classes))
    every = map(chr, range(1, sys.maxunicode + 1))
    return "".join(one for one in every if unicodedata.category(one).startswith(wanted))


def with_group(pattern: str, number: int) -> str | None:
    """Return a pattern in which only the group of a number is one; 0 stands for the whole match.

    None where there is no such group.
    """
    found, count, inside, position = [], 0, False, 0
    while position < len(pattern):
        character = pattern[position]
        step = 2 if character == "\\" else 1
        text = pattern[position : position + step]
        if character in "[]":
            inside = character == "["
        if character == "(" and not inside and pattern[position + 1 : position + 2] != "?":
            count += 1
            text = "(" if count == number else "(?:"
        found.append(text)
        position += step
    return "".join(found) if count >= number else None
