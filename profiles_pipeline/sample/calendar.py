"""Conditions on parts of times, ``year(t) = 2024 and month(t) = 3``: what they ask for, and times that meet them."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from sqlglot import exp

from profiles_pipeline.sample.evidence import Scalar, Wish
from profiles_pipeline.sample.relations import ALWAYS, Alternatives, Value

Ints = npt.NDArray[np.int64]
HOUR = 3_600_000_000
"""Microseconds."""

_HOURS_OF_A_YEAR = 366 * 24
_YEARS = (1, 5, 30)
_PARTS = ("year", "month", "day", "quarter", "hour")
_WRITTEN = re.compile(r"((?:19|20)\d\d)(?:[-/]?(\d\d))?(?:[-/]?(\d\d))?")
_REACH = 60


def parts_wished(node: exp.Expr, found: Value, literal: Scalar, mirrored: bool) -> Alternatives:
    """Return the ways to make a comparison of a part of a time with a literal true, as far as they are understood."""
    asked: list[tuple[str, tuple[float, ...]]] = []
    if found.part == "text":
        written = _WRITTEN.fullmatch(str(literal)) if isinstance(node, exp.EQ) else None
        groups = written.groups() if written is not None else ()
        asked = [(part, (float(n),)) for part, n in zip(_PARTS, groups, strict=False) if n is not None]
    elif found.part in _PARTS and re.fullmatch(r"\d+(\.0)?", str(literal)):
        numbers = _numbers(node, int(float(literal)), mirrored)
        asked = [(found.part, tuple(map(float, numbers)))] if numbers else []
    wishes = tuple(Wish(slot, numbers, part=part) for slot in found.calendar for part, numbers in asked)
    return (wishes,) if wishes else ALWAYS


def _numbers(node: exp.Expr, number: int, mirrored: bool) -> range:
    """Return numbers that a comparison with `number` lets through."""
    equal = int(isinstance(node, exp.GTE | exp.LTE))
    if isinstance(node, exp.LT | exp.LTE if mirrored else exp.GT | exp.GTE):
        return range(number + 1 - equal, number + _REACH)
    if isinstance(node, exp.GT | exp.GTE if mirrored else exp.LT | exp.LTE):
        return range(number - _REACH, number + equal)
    return range(number, number + 1 if isinstance(node, exp.EQ) else number)


def hours_in(wishes: Iterable[Wish], end: int) -> Ints:
    """Return hours before `end` all of whose moments have the parts that are asked for, in microseconds since 1970:
    of the last year if there are any, else of longer, and none when nothing is asked for."""
    wanted: list[Wish] = list(wishes)
    for years in _YEARS if wanted else ():
        hours = end // HOUR - np.arange(years * _HOURS_OF_A_YEAR)
        fits = np.ones(hours.size, dtype=bool)
        for wish in wanted:
            fits &= np.isin(_part(wish.part, hours), np.array(wish.values, dtype=float))
        if fits.any():
            return np.asarray(hours[fits] * HOUR, dtype=np.int64)
    return np.empty(0, dtype=np.int64)


def _part(part: str, hours: Ints) -> Ints:
    days, months = hours // 24, hours.astype("M8[h]").astype("M8[M]").astype(np.int64)
    numbers = {
        "year": months // 12 + 1970,
        "quarter": months % 12 // 3 + 1,
        "month": months % 12 + 1,
        "day": days - months.astype("M8[M]").astype("M8[D]").astype(np.int64) + 1,
        "hour": hours % 24,
    }
    return numbers[part]
