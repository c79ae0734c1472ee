"""Plain values that know where in a file they were written.

Knows nothing of YAML: a reader builds these, the lifting steps rewrite them, the model consumes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from profiles_pipeline.errors import Span

NOWHERE = Span("", 1, 1)


class WrittenInt(int):
    """A whole number that remembers how it was written."""

    text: str
    span: Span | None

    def __new__(cls, text: str, span: Span | None = None) -> WrittenInt:
        """Return the number that `text` spells."""
        number = super().__new__(cls, text)
        number.text = text
        number.span = span
        return number


class WrittenFloat(float):
    """A decimal number that remembers how it was written, so that ``1.50`` stays ``1.50`` in SQL."""

    text: str
    span: Span | None

    def __new__(cls, text: str, span: Span | None = None) -> WrittenFloat:
        """Return the number that `text` spells."""
        number = super().__new__(cls, text)
        number.text = text
        number.span = span
        return number


class Unreadable:
    """Stands for a value that could not be read, which is told already."""


class PlacedMap(dict[str, object]):
    """A mapping with the place of each key and each value.

    Attributes:
        span: where the mapping begins.
        key_spans: where each key stands.
        value_spans: where each value begins.
    """

    def __init__(self, span: Span = NOWHERE) -> None:
        super().__init__()
        self.span = span
        self.key_spans: dict[str, Span] = {}
        self.value_spans: dict[str, Span] = {}

    def put(self, key: str, value: object, key_span: Span | None = None, value_span: Span | None = None) -> None:
        """Set `key`, standing at `key_span`; places not given are those of the mapping."""
        self[key] = value
        self.key_spans[key] = key_span or self.span
        self.value_spans[key] = value_span or key_span or self.span

    def key_span(self, key: str) -> Span:
        """Return where `key` stands; the mapping's own place when it has none."""
        return self.key_spans.get(key, self.span)

    def value_span(self, key: str) -> Span:
        """Return where the value of `key` begins; the mapping's own place when it has none."""
        return self.value_spans.get(key, self.span)

    def copy(self) -> PlacedMap:
        """Return a mapping with the same keys, values and places."""
        return self.without(())

    def without(self, keys: Iterable[str]) -> PlacedMap:
        """Return a copy that lacks `keys`."""
        left_out = set(keys)
        result = PlacedMap(self.span)
        for key, value in self.items():
            if key not in left_out:
                result.put(key, value, self.key_span(key), self.value_span(key))
        return result

    def renamed(self, names: Mapping[str, str]) -> PlacedMap:
        """Return a copy whose keys carry their new names, in the same order and at the same places."""
        result = PlacedMap(self.span)
        for key, value in self.items():
            result.put(names.get(key, key), value, self.key_span(key), self.value_span(key))
        return result

    def with_value(self, key: str, value: object) -> PlacedMap:
        """Return a copy in which `key` has `value`; a key that existed keeps its place."""
        result = self.copy()
        result.put(key, value, self.key_span(key), self.value_span(key))
        return result


class PlacedList(list[object]):
    """A list with the place of each item.

    Attributes:
        span: where the list begins.
        spans: where each item begins.
    """

    def __init__(self, span: Span = NOWHERE) -> None:
        super().__init__()
        self.span = span
        self.spans: list[Span] = []

    def add(self, item: object, span: Span | None = None) -> None:
        """Append `item`, standing at `span` or at the list's own place."""
        self.append(item)
        self.spans.append(span or self.span)

    def span_at(self, index: int) -> Span:
        """Return where the item at `index` begins."""
        return self.spans[index] if index < len(self.spans) else self.span

    def placed_items(self) -> Iterable[tuple[object, Span]]:
        """Yield each item with its place."""
        for index, item in enumerate(self):
            yield item, self.span_at(index)

    def joined(self, other: PlacedList) -> PlacedList:
        """Return the items of this list followed by those of `other`."""
        result = PlacedList(self.span)
        for source in (self, other):
            for item, span in source.placed_items():
                result.add(item, span)
        return result
