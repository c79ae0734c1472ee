"""The filters and tests of the language. All are bounded: none writes much more than it was given."""

from __future__ import annotations

from collections.abc import Callable, Mapping

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
}

TESTS: Mapping[str, Callable[[object], bool]] = {
    "defined": lambda value: not isinstance(value, Undefined),
    "undefined": lambda value: isinstance(value, Undefined),
    "none": lambda value: value is None,
}
