"""Steps for pb_project.yaml: keys that were renamed, dropped or written in another shape over the years."""

from __future__ import annotations

from profiles_pipeline.spec.lift.rewrite import (
    Log,
    drop,
    map_inside,
    map_items,
    map_models,
    map_texts_to_maps,
    maps_in,
    placed_list,
    placed_map,
    rename,
)
from profiles_pipeline.spec.model import Text
from profiles_pipeline.spec.placed import PlacedList, PlacedMap

_IGNORED = {
    "include_untimed": "rows without a time always take part",
    "rebase_incremental": "rebasing is an option of a run",
    "allow_beta": "every schema version is read",
    "time_to_live": "retention_period decides what is kept",
}


def project_key_names(project: PlacedMap, log: Log) -> PlacedMap:
    """`profile` becomes `connection`, `available_tags` becomes `tags`."""
    return rename(project, {"profile": "connection", "available_tags": "tags"}, log)


def ignored_project_keys(project: PlacedMap, log: Log) -> PlacedMap:
    """Keys that no longer mean anything are left out."""
    for key, reason in _IGNORED.items():
        project = drop(project, (key,), reason, log)
    return project


def tag_names(project: PlacedMap, log: Log) -> PlacedMap:
    """A tag that is a plain name becomes a tag with that name."""
    return map_texts_to_maps(project, "tags", "name", log)


def package_inputs(project: PlacedMap, log: Log) -> PlacedMap:
    """The word `nil` in `inputsMap` and `mappings` means none."""

    def of_map(mapping: PlacedMap, _: Log) -> PlacedMap:
        for key in [key for key, value in mapping.items() if value == "nil"]:
            mapping = mapping.with_value(key, None)
        return mapping

    def of_package(package: PlacedMap, log: Log) -> PlacedMap:
        return map_inside(map_inside(package, "inputsMap", of_map, log), "mappings", of_map, log)

    return map_items(project, "packages", of_package, log)


def package_overrides(project: PlacedMap, log: Log) -> PlacedMap:
    """`enable_status` of an override is its `requested_enable_status`, and `not_needed` means `only_if_necessary`."""

    def of_override(override: PlacedMap, log: Log) -> PlacedMap:
        override = rename(override, {"enable_status": "requested_enable_status"}, log)
        if override.get("requested_enable_status") == "not_needed":
            span = override.value_span("requested_enable_status")
            log.add(span, "enable status 'not_needed' became 'only_if_necessary'")
            return override.with_value("requested_enable_status", Text("only_if_necessary", span))
        return override

    def of_package(package: PlacedMap, log: Log) -> PlacedMap:
        return map_items(package, "overrides", of_override, log)

    return map_items(project, "packages", of_package, log)


def maximum_edges(project: PlacedMap, log: Log) -> PlacedMap:
    """The list of one-key mappings under `maximum_edges` becomes one mapping."""

    def of_id_type(id_type: PlacedMap, _: Log) -> PlacedMap:
        caps = id_type.get("maximum_edges")
        if not isinstance(caps, PlacedList):
            return id_type
        merged = PlacedMap(caps.span)
        for item in maps_in(id_type, "maximum_edges"):
            for key, value in item.items():
                merged.put(key, value, item.key_span(key), item.value_span(key))
        return id_type.with_value("maximum_edges", merged)

    return map_items(project, "id_types", of_id_type, log)


def blank_filter_values(project: PlacedMap, log: Log) -> PlacedMap:
    """A filter of an id type with an empty `value` means the blank text."""

    def of_filter(item: PlacedMap, log: Log) -> PlacedMap:
        if "value" not in item or item["value"] is not None:
            return item
        log.add(item.key_span("value"), "the empty value of a filter means the blank text")
        return item.with_value("value", Text("", item.value_span("value")))

    def of_id_type(id_type: PlacedMap, log: Log) -> PlacedMap:
        return map_items(id_type, "filters", of_filter, log)

    def of_entity(entity: PlacedMap, log: Log) -> PlacedMap:
        return map_items(entity, "id_types", of_id_type, log)

    return map_items(map_items(project, "id_types", of_id_type, log), "entities", of_entity, log)


def id_type_names(project: PlacedMap, log: Log) -> PlacedMap:
    """An id type that is a plain name becomes an id type with that name."""
    return map_texts_to_maps(project, "id_types", "name", log, "id type")


def serve_traits(project: PlacedMap, log: Log) -> PlacedMap:
    """`serve_traits` and `serve_traits_360` become the `using_ids` of `feature_views`."""

    def of_entity(entity: PlacedMap, log: Log) -> PlacedMap:
        for key in ("serve_traits", "serve_traits_360"):
            if key not in entity:
                continue
            log.add(entity.key_span(key), f"key '{key}' became 'feature_views.using_ids'")
            served = list(maps_in(entity, key))
            views = [
                view for item in served for view in (maps_in(item, "using_ids") if "using_ids" in item else [item])
            ]
            span = entity.key_span(key)
            entity = _with_views(entity.without((key,)), placed_list(span, views), log)
        return entity

    return map_items(project, "entities", of_entity, log)


def _with_views(entity: PlacedMap, views: PlacedList, log: Log) -> PlacedMap:
    if not isinstance(entity.get("feature_views"), PlacedMap):
        result = entity.copy()
        result.put("feature_views", placed_map(views.span, {"using_ids": views}), views.span, views.span)
        return result

    def add(feature_views: PlacedMap, _: Log) -> PlacedMap:
        old = feature_views.get("using_ids")
        return feature_views.with_value("using_ids", old.joined(views) if isinstance(old, PlacedList) else views)

    return map_inside(entity, "feature_views", add, log)


def using_ids(project: PlacedMap, log: Log) -> PlacedMap:
    """In every list of `using_ids`, `id_served` becomes `id` and a plain id type becomes a view of it."""

    def of_view(view: PlacedMap, log: Log) -> PlacedMap:
        return rename(view, {"id_served": "id"}, log)

    def of_views(views: PlacedMap, log: Log) -> PlacedMap:
        return map_items(map_texts_to_maps(views, "using_ids", "id", log, "id"), "using_ids", of_view, log)

    def of_owner(owner: PlacedMap, log: Log) -> PlacedMap:
        return map_inside(owner, "feature_views", of_views, log)

    project = map_items(project, "entities", of_owner, log)
    project = map_models(project, ("entity_cohort",), of_owner, log)
    return map_models(project, ("feature_view",), of_views, log)


def ids_of_one_entity(project: PlacedMap, log: Log) -> PlacedMap:
    """An id without an `entity` belongs to the only entity that lists its type, or to the only entity there is."""
    entities = list(maps_in(project, "entities"))
    owners: dict[str, list[object]] = {}
    for entity in entities:
        id_types = entity.get("id_types")
        for id_type in id_types if isinstance(id_types, PlacedList) else ():
            owners.setdefault(str(id_type).lower(), []).append(entity.get("name"))

    def of_id(item: PlacedMap, log: Log) -> PlacedMap:
        if "entity" in item:
            return item
        names = owners.get(str(item.get("type")).lower(), [])
        names = names or ([entities[0].get("name")] if len(entities) == 1 else [])
        if len(names) != 1 or not isinstance(names[0], Text):
            return item
        log.add(item.span, f"id '{item.get('type')}' belongs to entity '{names[0]}', the only one it can belong to")
        return item.with_value("entity", names[0])

    def of_source(source: PlacedMap, log: Log) -> PlacedMap:
        return map_items(source, "ids", of_id, log)

    def of_stitcher(spec: PlacedMap, log: Log) -> PlacedMap:
        return map_items(spec, "edge_sources", of_source, log)

    project = map_items(project, "inputs", of_source, log)
    project = map_models(project, ("sql_template",), of_source, log)
    return map_models(project, ("id_stitcher", "id_collator"), of_stitcher, log)
