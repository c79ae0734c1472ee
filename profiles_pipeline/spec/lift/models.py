"""Steps for model specs: edge sources, filters of cohorts, features of SQL models and views."""

from __future__ import annotations

import re

from profiles_pipeline.spec.lift.oldest import plain_path
from profiles_pipeline.spec.lift.rewrite import (
    Log,
    map_inside,
    map_items,
    map_models,
    map_texts_to_maps,
    placed_list,
    placed_map,
    rename,
)
from profiles_pipeline.spec.model import Text
from profiles_pipeline.spec.placed import PlacedList, PlacedMap

_PLAIN_PATH = re.compile(r"(inputs|models|entity|packages)(/[\w$.-]+)+", re.IGNORECASE)


def edge_sources(project: PlacedMap, log: Log) -> PlacedMap:
    """An edge source that is a plain path, or `input: x`, becomes `from: inputs/x`."""

    def of_edge(edge: PlacedMap, log: Log) -> PlacedMap:
        path = plain_path(edge, edge.span, log)
        return edge if path is edge else placed_map(edge.span, {"from": path})

    def of_spec(spec: PlacedMap, log: Log) -> PlacedMap:
        sources = spec.get("edge_sources")
        if not isinstance(sources, PlacedList):
            return spec
        paths = PlacedList(sources.span)
        for item, span in sources.placed_items():
            paths.add(plain_path(item, span, log) if isinstance(item, Text) else item, span)
        spec = spec.with_value("edge_sources", paths)
        spec = map_texts_to_maps(spec, "edge_sources", "from", log, "edge source")
        return map_items(spec, "edge_sources", of_edge, log)

    return map_models(project, ("id_stitcher", "id_collator"), of_spec, log)


def filter_expression(project: PlacedMap, log: Log) -> PlacedMap:
    """A `filter_expression` becomes a tree of `AND`, `OR` and `expression`."""

    def of_spec(spec: PlacedMap, _: Log) -> PlacedMap:
        if "filter_expression" not in spec:
            return spec
        return spec.with_value("filter_expression", _filter_node(spec["filter_expression"]))

    return map_models(project, ("entity_cohort",), of_spec, log)


def _filter_node(value: object) -> object:
    if isinstance(value, Text):
        return placed_map(value.span, {"expression": value}) if value.span else value
    if not isinstance(value, PlacedMap):
        return value
    result = value
    for key in ("AND", "OR", "and", "or"):
        children = value.get(key)
        if isinstance(children, PlacedList):
            nodes = placed_list(children.span, [_filter_node(child) for child in children])
            result = result.with_value(key, nodes).renamed({key: key.upper()})
    return result


def cohort_sql_sources(project: PlacedMap, log: Log) -> PlacedMap:
    """In an SQL filter of a cohort a `from` that is a plain path becomes a template that reads the model."""

    def of_sql(selection: PlacedMap, log: Log) -> PlacedMap:
        source = selection.get("from")
        if not isinstance(source, Text) or not _PLAIN_PATH.fullmatch(source):
            return selection
        log.add(selection.value_span("from"), f"'{source}' became a DeRef of it")
        return selection.with_value("from", Text(f"{{{{ this.DeRef('{source}') }}}}", source.span))

    def of_filter(item: PlacedMap, log: Log) -> PlacedMap:
        return map_inside(item, "sql", of_sql, log)

    def of_spec(spec: PlacedMap, log: Log) -> PlacedMap:
        return map_items(spec, "filter_pipeline", of_filter, log)

    return map_models(project, ("entity_cohort",), of_spec, log)


def sql_features(project: PlacedMap, log: Log) -> PlacedMap:
    """A feature of a SQL model that is a plain name becomes a feature with that name."""

    def of_spec(spec: PlacedMap, log: Log) -> PlacedMap:
        return map_texts_to_maps(spec, "features", "name", log, "feature")

    return map_models(project, ("sql_template",), of_spec, log)


def feature_view_keys(project: PlacedMap, log: Log) -> PlacedMap:
    """In a feature view model `id_served` becomes `using_ids` and `feature_list` becomes `features`."""

    def of_spec(spec: PlacedMap, log: Log) -> PlacedMap:
        if isinstance(spec.get("id_served"), Text):
            span = spec.value_span("id_served")
            view = placed_map(span, {"id": spec["id_served"]})
            spec = rename(spec, {"id_served": "using_ids"}, log).with_value("using_ids", placed_list(span, [view]))
        if isinstance(spec.get("feature_list"), PlacedList):
            span = spec.value_span("feature_list")
            source = spec.get("entity_cohort") or f"{spec.get('entity_key')}/all"
            chosen = placed_map(span, {"from": Text(source, span), "include": spec["feature_list"]})
            spec = rename(spec, {"feature_list": "features"}, log).with_value("features", placed_list(span, [chosen]))
        return spec

    return map_models(project, ("feature_view",), of_spec, log)
