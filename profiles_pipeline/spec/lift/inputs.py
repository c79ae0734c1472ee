"""Steps for inputs: one level of keys, and keys that never meant anything."""

from __future__ import annotations

from profiles_pipeline.spec.lift.rewrite import Log, drop, map_items, maps_in, older_than
from profiles_pipeline.spec.placed import PlacedMap

_IGNORED = {
    "remapping": "it never had a value",
    "columns": "all columns of the source are there",
    "entity_key": "the ids say which entities an input belongs to",
    "time_to_live": "retention_period decides what is kept",
}
_SCHEMA_OF_OPT_OUT = 49


def app_defaults(project: PlacedMap, log: Log) -> PlacedMap:
    """The keys under `app_defaults` move to the input itself; keys directly on the input win."""

    def of_input(item: PlacedMap, log: Log) -> PlacedMap:
        defaults = item.get("app_defaults")
        if not isinstance(defaults, PlacedMap):
            return item
        result = item.without(("app_defaults",))
        for key, value in defaults.items():
            if key in result:
                log.add(defaults.key_span(key), f"key '{key}' under 'app_defaults' yields to the one on the input")
            else:
                result.put(key, value, defaults.key_span(key), defaults.value_span(key))
        return result

    return map_items(project, "inputs", of_input, log)


def ignored_input_keys(project: PlacedMap, log: Log) -> PlacedMap:
    """Keys of an input that mean nothing are left out."""

    def of_input(item: PlacedMap, log: Log) -> PlacedMap:
        for key, reason in _IGNORED.items():
            item = drop(item, (key,), reason, log)
        return item

    return map_items(project, "inputs", of_input, log)


def default_stitcher_opt_in(project: PlacedMap, log: Log) -> PlacedMap:
    """Before schema 49 an id took part in the default stitcher only when it said so.

    Applies where at least one id of the inputs says so; otherwise nothing would be stitched at all.
    """
    sources = list(maps_in(project, "inputs"))
    chosen = any(item.get("to_default_stitcher") is True for source in sources for item in maps_in(source, "ids"))
    if not chosen or not older_than(project, _SCHEMA_OF_OPT_OUT):
        return project

    def of_id(item: PlacedMap, log: Log) -> PlacedMap:
        if "to_default_stitcher" in item:
            return item
        log.add(item.span, f"id '{item.get('type')}' does not take part in the default stitcher")
        return item.with_value("to_default_stitcher", False)

    def of_input(item: PlacedMap, log: Log) -> PlacedMap:
        return map_items(item, "ids", of_id, log)

    return map_items(project, "inputs", of_input, log)
