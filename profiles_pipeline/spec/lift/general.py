"""Steps that do not care about the dialect: empty keys, single values where lists are meant, spellings of one key."""

from __future__ import annotations

from collections.abc import Callable

from profiles_pipeline.spec.lift.rewrite import (
    Log,
    map_items,
    map_supported_models,
    map_texts_to_maps,
    model_type,
    rename,
)
from profiles_pipeline.spec.model import KNOWN_KEYS, MODEL_BODIES, Text
from profiles_pipeline.spec.placed import PlacedList, PlacedMap

_LISTS = frozenset(
    {
        "AND", "OR", "dependencies", "edge_sources", "entities", "exclude", "exclude_id_types", "features",
        "filter_pipeline", "filters", "id_types", "ids", "include", "inputs", "macro_folders", "macros",
        "model_folders", "models", "order_by", "overrides", "packages", "partition_by", "python_requirements",
        "row_identifier", "serve_traits", "tags", "using_ids", "var_groups", "vars", "with_columns",
        "with_entity_ids",
    }
)  # fmt: skip
_KEEPS_EMPTY = frozenset({"inputsMap", "inputs_map", "mappings"})
_STATUS_NAMES = {
    "requested_enable_status": "enable_status",
    "requestedEnableStatus": "enable_status",
    "enableStatus": "enable_status",
}
_MODEL_TYPES = {"cohort": "entity_cohort", "feature_views": "feature_view"}


def drop_empty_keys(project: PlacedMap, log: Log) -> PlacedMap:
    """A key without a value counts as not given, and so does an item of a list."""
    return _everywhere(project, _without_empty, log)


def single_to_list(project: PlacedMap, log: Log) -> PlacedMap:
    """A single value stands for a list of one wherever a list is meant."""
    return _everywhere(project, _with_lists, log)


def _everywhere(mapping: PlacedMap, change: Callable[[PlacedMap, Log], PlacedMap], log: Log) -> PlacedMap:
    """Apply `change` to `mapping` and to each mapping below it, except specs of models that are not computed here."""
    mapping = change(mapping, log)
    changed: dict[str, object] = {}
    foreign = "model_spec" in mapping and model_type(mapping) not in MODEL_BODIES
    for key, value in mapping.items():
        if key in _KEEPS_EMPTY or (foreign and key == "model_spec"):
            continue
        new = _below(value, change, log)
        if new is not value:
            changed[key] = new
    if not changed:
        return mapping
    result = mapping.copy()
    result.update(changed)
    return result


def _below(value: object, change: Callable[[PlacedMap, Log], PlacedMap], log: Log) -> object:
    if isinstance(value, PlacedMap):
        return _everywhere(value, change, log)
    if not isinstance(value, PlacedList):
        return value
    items = [_below(item, change, log) for item in value]
    if all(new is old for new, old in zip(items, value, strict=True)):
        return value
    result = PlacedList(value.span)
    for index, item in enumerate(items):
        result.add(item, value.span_at(index))
    return result


def _without_empty(mapping: PlacedMap, log: Log) -> PlacedMap:
    # An empty key that nobody knows is kept, so that it is reported: it may be a known one misspelt.
    empty = [key for key, value in mapping.items() if _is_empty(value) and key in KNOWN_KEYS]
    for key in empty:
        log.add(mapping.key_span(key), f"key '{key}' is empty and counts as not given")
    result = mapping.without(empty) if empty else mapping
    for key, value in mapping.items():
        if isinstance(value, PlacedList) and any(map(_is_empty, value)):
            items = PlacedList(value.span)
            for item, span in value.placed_items():
                if _is_empty(item):
                    log.add(span, f"an item of '{key}' is empty and counts as not given")
                else:
                    items.add(item, span)
            result = result.with_value(key, items)
    return result


def _is_empty(value: object) -> bool:
    """Whether nothing is said: no value, or a mapping whose known keys have none."""
    if isinstance(value, PlacedMap):
        return bool(value) and all(key in KNOWN_KEYS and _is_empty(inner) for key, inner in value.items())
    return value is None


def _with_lists(mapping: PlacedMap, log: Log) -> PlacedMap:
    for key in [key for key in mapping if key in _LISTS]:
        value = mapping[key]
        if isinstance(value, PlacedList):
            continue
        log.add(mapping.key_span(key), f"the single value under '{key}' became a list of one")
        items = PlacedList(mapping.value_span(key))
        items.add(value, mapping.value_span(key))
        mapping = mapping.with_value(key, items)
    return mapping


def model_type_names(project: PlacedMap, log: Log) -> PlacedMap:
    """`cohort` becomes `entity_cohort`, `feature_views` becomes `feature_view`."""

    def of_model(model: PlacedMap, log: Log) -> PlacedMap:
        kind = model.get("model_type")
        if not isinstance(kind, Text) or kind not in _MODEL_TYPES:
            return model
        log.add(model.value_span("model_type"), f"model type '{kind}' became '{_MODEL_TYPES[kind]}'")
        return model.with_value("model_type", Text(_MODEL_TYPES[kind], kind.span))

    return map_items(project, "models", of_model, log)


def enable_status(project: PlacedMap, log: Log) -> PlacedMap:
    """The spellings of `enable_status` become one, and `not_needed` becomes `only_if_necessary`."""

    def of_any(mapping: PlacedMap, log: Log) -> PlacedMap:
        materialization = mapping.get("materialization")
        if not isinstance(materialization, PlacedMap):
            return mapping
        new = rename(materialization, _STATUS_NAMES, log)
        status = new.get("enable_status")
        if status == "not_needed":
            log.add(new.value_span("enable_status"), "enable status 'not_needed' became 'only_if_necessary'")
            new = new.with_value("enable_status", Text("only_if_necessary", new.value_span("enable_status")))
        return mapping if new is materialization else mapping.with_value("materialization", new)

    return _everywhere(project, of_any, log)


def model_hooks(project: PlacedMap, log: Log) -> PlacedMap:
    """`hooks` inside a model_spec move to the model."""

    def of_model(model: PlacedMap, log: Log) -> PlacedMap:
        spec = model.get("model_spec")
        if model_type(model) not in MODEL_BODIES or not isinstance(spec, PlacedMap) or "hooks" not in spec:
            return model
        log.add(spec.key_span("hooks"), "key 'hooks' moved from the model_spec to the model")
        result = model.with_value("model_spec", spec.without(("hooks",)))
        if "hooks" not in model:
            result.put("hooks", spec["hooks"], spec.key_span("hooks"), spec.value_span("hooks"))
        return result

    return map_items(project, "models", of_model, log)


def contract_columns(project: PlacedMap, log: Log) -> PlacedMap:
    """In contract columns `type` becomes `datatype`, and a plain name becomes a column."""

    def of_column(column: PlacedMap, log: Log) -> PlacedMap:
        return rename(column, {"type": "datatype"}, log)

    def of_owner(owner: PlacedMap, log: Log) -> PlacedMap:
        contract = owner.get("contract")
        if not isinstance(contract, PlacedMap):
            return owner
        new = map_texts_to_maps(contract, "with_columns", "name", log, "column")
        new = map_items(new, "with_columns", of_column, log)
        return owner if new is contract else owner.with_value("contract", new)

    return map_supported_models(map_items(project, "inputs", of_owner, log), of_owner, log)
