"""The few moves every lifting step is made of: rename, drop, map over a list, each leaving the original untouched."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from profiles_pipeline.errors import Span
from profiles_pipeline.spec.model import MODEL_BODIES, Text
from profiles_pipeline.spec.placed import PlacedList, PlacedMap


@dataclass(frozen=True, slots=True)
class Note:
    """Something that was read as if it had been written in the newest form.

    Attributes:
        span: where it stands in the file.
        message: what it was taken for, in one sentence without a final stop.
        is_doubt: whether it stays as it is, and its author should look whether that is meant.
    """

    span: Span
    message: str
    is_doubt: bool = False

    def __str__(self) -> str:
        return f"{self.span}: {self.message}"


@dataclass
class Log:
    """The notes of one step."""

    notes: list[Note] = field(default_factory=list)

    def add(self, span: Span, message: str) -> None:
        """Add a note."""
        self.notes.append(Note(span, message))

    def doubt(self, span: Span, message: str) -> None:
        """Add a note of something that stays although it may mean something else."""
        self.notes.append(Note(span, message, is_doubt=True))


Rewrite = Callable[[PlacedMap, Log], PlacedMap]
"""Takes a mapping and returns it, or a changed copy of it, adding a note for each change."""


def map_items(mapping: PlacedMap, key: str, rewrite: Rewrite, log: Log) -> PlacedMap:
    """Apply `rewrite` to each mapping in the list under `key`."""
    items = mapping.get(key)
    if not isinstance(items, PlacedList):
        return mapping
    result = PlacedList(items.span)
    changed = False
    for item, span in items.placed_items():
        new = rewrite(item, log) if isinstance(item, PlacedMap) else item
        changed = changed or new is not item
        result.add(new, span)
    return mapping.with_value(key, result) if changed else mapping


def map_inside(mapping: PlacedMap, key: str, rewrite: Rewrite, log: Log) -> PlacedMap:
    """Apply `rewrite` to the mapping under `key`."""
    inner = mapping.get(key)
    if not isinstance(inner, PlacedMap):
        return mapping
    new = rewrite(inner, log)
    return mapping if new is inner else mapping.with_value(key, new)


def map_models(project: PlacedMap, types: Collection[str], rewrite: Rewrite, log: Log) -> PlacedMap:
    """Apply `rewrite` to the model_spec of each model of one of `types`."""

    def of_model(model: PlacedMap, log: Log) -> PlacedMap:
        return map_inside(model, "model_spec", rewrite, log) if model_type(model) in types else model

    return map_items(project, "models", of_model, log)


def model_type(model: PlacedMap) -> str:
    """Return the type of a model as written; empty when it is missing or no text."""
    kind = model.get("model_type")
    return kind if isinstance(kind, Text) else ""


def map_supported_models(project: PlacedMap, rewrite: Rewrite, log: Log) -> PlacedMap:
    """Apply `rewrite` to the model_spec of each model whose type is computed here."""
    return map_models(project, MODEL_BODIES, rewrite, log)


def map_texts_to_maps(mapping: PlacedMap, key: str, name: str, log: Log, note: str | None = None) -> PlacedMap:
    """Turn each plain text in the list under `key` into a mapping with the text under `name`."""
    items = mapping.get(key)
    if not isinstance(items, PlacedList) or not any(isinstance(item, Text) for item in items):
        return mapping
    result = PlacedList(items.span)
    for item, span in items.placed_items():
        if not isinstance(item, Text):
            result.add(item, span)
            continue
        if note:
            log.add(span, f"{note} '{item}' became '{name}: {item}'")
        result.add(placed_map(span, {name: item}), span)
    return mapping.with_value(key, result)


def rename(mapping: PlacedMap, names: Mapping[str, str], log: Log) -> PlacedMap:
    """Give old keys their new names; where the new key is there already it wins and the old one goes."""
    present = [old for old in names if old in mapping]
    for old in present:
        new = names[old]
        if new in mapping:
            log.add(mapping.key_span(old), f"key '{old}' is left out because '{new}' is given too")
            mapping = mapping.without((old,))
        else:
            log.add(mapping.key_span(old), f"key '{old}' became '{new}'")
            mapping = mapping.renamed({old: new})
    return mapping


def drop(mapping: PlacedMap, keys: Collection[str], reason: str, log: Log) -> PlacedMap:
    """Leave out keys that no longer mean anything."""
    present = [key for key in keys if key in mapping]
    for key in present:
        log.add(mapping.key_span(key), f"key '{key}' is ignored: {reason}")
    return mapping.without(present) if present else mapping


def placed_map(span: Span, values: Mapping[str, object]) -> PlacedMap:
    """Return a mapping that stands at `span`; values that know their place keep it."""
    result = PlacedMap(span)
    for key, value in values.items():
        result.put(key, value, span, getattr(value, "span", None) or span)
    return result


def placed_list(span: Span, items: Collection[object]) -> PlacedList:
    """Return a list that stands at `span`; items that know their place keep it."""
    result = PlacedList(span)
    for item in items:
        result.add(item, getattr(item, "span", None) or span)
    return result


def extended(mapping: PlacedMap, key: str, items: Collection[object]) -> PlacedMap:
    """Return `mapping` with `items` added at the end of the list under `key`, which need not exist."""
    if not items:
        return mapping
    old = mapping.get(key)
    before = old if isinstance(old, PlacedList) else PlacedList(mapping.key_span(key))
    return mapping.with_value(key, before.joined(placed_list(before.span, items)))


def maps_in(mapping: PlacedMap, key: str) -> Iterator[PlacedMap]:
    """Yield the mappings in the list under `key`; a single mapping counts as a list of one."""
    items = mapping.get(key)
    if isinstance(items, PlacedMap):
        yield items
    elif isinstance(items, PlacedList):
        yield from (item for item in items if isinstance(item, PlacedMap))


def schema_version(project: PlacedMap) -> int | None:
    """Return the project's schema version, or None when it is missing or not a whole number."""
    version = project.get("schema_version")
    return int(version) if isinstance(version, int) and not isinstance(version, bool) else None


def older_than(project: PlacedMap, version: int) -> bool:
    """Whether the project is written for a schema before `version`; unknown counts as new."""
    own = schema_version(project)
    return own is not None and own < version
