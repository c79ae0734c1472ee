"""Takes back what reading does to forms that are still in use: a migrated project keeps the author's choice."""

from __future__ import annotations

from collections.abc import Mapping

from profiles_pipeline.errors import Span
from profiles_pipeline.spec.lift.rewrite import Log, map_items, maps_in
from profiles_pipeline.spec.placed import PlacedMap


def as_written(lifted: PlacedMap, read: Mapping[str, PlacedMap]) -> PlacedMap:
    """Return the project with the keys that stood under `app_defaults` there again."""
    groups = {
        item.span: item
        for root in read.values()
        for item in maps_in(root, "inputs")
        if isinstance(item.get("app_defaults"), PlacedMap)
    }

    def of_input(item: PlacedMap, _: Log) -> PlacedMap:
        written = groups.get(item.span)
        return item if written is None else _regrouped(item, written)

    return map_items(lifted, "inputs", of_input, Log())


def _regrouped(item: PlacedMap, written: PlacedMap) -> PlacedMap:
    defaults = written["app_defaults"]
    assert isinstance(defaults, PlacedMap)
    inside: set[Span] = {defaults.key_span(key) for key in defaults}
    group, result = PlacedMap(defaults.span), PlacedMap(item.span)
    for key, value in item.items():
        target = group if item.key_span(key) in inside else result
        target.put(key, value, item.key_span(key), item.value_span(key))
    result.put("app_defaults", group, written.key_span("app_defaults"), written.value_span("app_defaults"))
    return result
