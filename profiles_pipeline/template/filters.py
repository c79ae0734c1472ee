"""The filters and tests of the language. All are bounded: none writes much more than it was given."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import quote

from jinja2.runtime import Undefined

from profiles_pipeline.template.faults import RenderError
from profiles_pipeline.template.gotime import go_format
from profiles_pipeline.template.session import OUTPUT_LIMIT
from profiles_pipeline.template.values import Contract, moment_of


def is_nil(value: object) -> bool:
    """Return whether there is no such value; also true of a name nothing answers to."""
    return value is None or isinstance(value, Undefined)


def _default(value: object, other: object = "") -> object:
    return other if is_nil(value) or value is False or value == "" else value


def _text(value: object) -> str:
    if isinstance(value, list | tuple | dict | Contract):
        raise RenderError("template-runtime", "a list is not a text")
    return "" if value is None else str(value)


def _length(value: object) -> int:
    return len(value) if isinstance(value, str | list | tuple | dict) else len(_text(value))


def _bounded(size: int) -> None:
    if size > OUTPUT_LIMIT:
        raise RenderError("template-runtime", f"a text has more than {OUTPUT_LIMIT:,} characters")


def _join(value: object, separator: object = "") -> str:
    items = [_text(item) for item in (value if isinstance(value, list | tuple | dict) else _text(value))]
    between = _text(separator)
    _bounded(sum(map(len, items)) + len(between) * len(items))
    return between.join(items)


def _replace(value: object, old: object, new: object) -> str:
    text, search, other = _text(value), _text(old), _text(new)
    _bounded(len(text) + text.count(search) * len(other))
    return text.replace(search, other)


def _first(value: object) -> object:
    return value[0] if isinstance(value, str | list | tuple) and value else ""


def _last(value: object) -> object:
    return value[-1] if isinstance(value, str | list | tuple) and value else ""


def _split(value: object, separator: object = ",") -> list[str]:
    return _text(value).split(_text(separator))


def _integer(value: object) -> int:
    try:
        return int(float(_text(value)))
    except (ValueError, OverflowError):
        return 0


def _floating(value: object) -> float:
    try:
        return float(_text(value))
    except ValueError:
        return 0.0


def _date(value: object, layout: object) -> str:
    return go_format(moment_of(value), _text(layout))


def _same(value: object) -> object:
    return value


def _add(value: object, other: object) -> object:
    """Numbers are added, all else is joined."""
    if isinstance(value, int | float) and isinstance(other, int | float):
        return value + other
    joined = _text(value) + _text(other)
    _bounded(len(joined))
    return joined


def _padded(pad: Callable[[str, int], str]) -> Callable[[object, object], str]:
    def padded(value: object, width: object) -> str:
        _bounded(_integer(width))
        return pad(_text(value), _integer(width))

    return padded


def _slice(value: object, bounds: object) -> object:
    first, colon, last = _text(bounds).partition(":")
    if not colon:
        raise RenderError("template-runtime", f"'{_text(bounds)}' is no slice; write '1:3'")
    items = value if isinstance(value, list | tuple | str) else _text(value)
    return items[_integer(first) if first else None : _integer(last) if last else None]


def _float_format(value: object, places: object = -1) -> str:
    """Return a number with so many decimal places; with a negative number of them only where it has decimals."""
    number, digits = _floating(value), _integer(places)
    _bounded(abs(digits))
    return f"{number:.{abs(digits)}f}" if digits >= 0 or number != int(number) else str(int(number))


def _get_digit(value: object, place: object) -> object:
    text, position = _text(value), _integer(place)
    return int(text[-position]) if 0 < position <= len(text) and text.isdigit() else value


def _string_format(value: object, layout: object) -> str:
    text = _text(layout)
    match = re.fullmatch(r"([^%]*)%([-+0 ]*)(\d{0,3})((?:\.\d{1,2})?)([sdfvxX])([^%]*)", text)
    if match is None:
        raise RenderError("template-runtime", f"'{text}' is no format; write '%d', '%05d', '%.2f' or '%s'")
    before, flags, width, precision, kind, after = match.groups()
    of_kind = {"d": _integer, "x": _integer, "X": _integer, "f": _floating}.get(kind, _text)(value)
    layout = "%" + flags + width + precision + kind.replace("v", "s")
    return before + layout % of_kind + after


def _plural(value: object, endings: object = "s") -> str:
    one, comma, many = _text(endings).partition(",")
    count = _length(value) if isinstance(value, list | tuple | dict) else _floating(value)
    return (one if comma else "") if count == 1 else (many if comma else one)


def _yes_no(value: object, answers: object = "yes,no,maybe") -> str:
    yes, no, *maybe = [*_text(answers).split(","), ""]
    if is_nil(value):
        return (maybe[0] or no) if maybe else no
    return yes if value else no


def _truncate_words(value: object, size: object) -> str:
    words, kept = _text(value).split(), max(_integer(size), 0)
    return " ".join(words[:kept] if len(words) > kept else words) + (" ..." if len(words) > kept else "")


def _truncate_characters(value: object, size: object) -> str:
    text, kept = _text(value), max(_integer(size), 0)
    return text if len(text) <= kept else text[: max(kept - 3, 0)] + "..."[:kept]


FILTERS: Mapping[str, Callable[..., object]] = {
    "isnil": is_nil,
    "safe": _same,
    "default": _default,
    "default_if_none": lambda value, other="": other if is_nil(value) else value,
    "date": _date,
    "time": _date,
    "upper": lambda value: _text(value).upper(),
    "lower": lambda value: _text(value).lower(),
    "title": lambda value: _text(value).title(),
    "capfirst": lambda value: _text(value)[:1].upper() + _text(value)[1:],
    "trim": lambda value: _text(value).strip(),
    "length": _length,
    "join": _join,
    "replace": _replace,
    "cut": lambda value, part: _replace(value, part, ""),
    "split": _split,
    "first": _first,
    "last": _last,
    "integer": _integer,
    "int": _integer,
    "float": _floating,
    "string": _text,
    "add": _add,
    "addslashes": lambda value: re.sub(r"(['\"\\])", r"\\\1", _text(value)),
    "center": _padded(str.center),
    "ljust": _padded(str.ljust),
    "rjust": _padded(str.rjust),
    "divisibleby": lambda value, divisor: bool(_integer(divisor)) and _integer(value) % _integer(divisor) == 0,
    "floatformat": _float_format,
    "get_digit": _get_digit,
    "length_is": lambda value, size: _length(value) == _integer(size),
    "make_list": lambda value: list(_text(value)),
    "pluralize": _plural,
    "slice": _slice,
    "stringformat": _string_format,
    "truncatechars": _truncate_characters,
    "truncatewords": _truncate_words,
    "urlencode": lambda value: quote(_text(value), safe=""),
    "wordcount": lambda value: len(_text(value).split()),
    "yesno": _yes_no,
}

TESTS: Mapping[str, Callable[[object], bool]] = {
    "defined": lambda value: not isinstance(value, Undefined),
    "undefined": lambda value: isinstance(value, Undefined),
    "none": lambda value: value is None,
}
