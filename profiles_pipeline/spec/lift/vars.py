"""Steps for vars and macros: out of the feature table into groups of their own, under their newest names."""

from __future__ import annotations

from profiles_pipeline.spec.lift.oldest import plain_path
from profiles_pipeline.spec.lift.rewrite import (
    Log,
    drop,
    extended,
    map_inside,
    map_items,
    map_models,
    map_supported_models,
    maps_in,
    older_than,
    rename,
)
from profiles_pipeline.spec.model import Text
from profiles_pipeline.spec.placed import PlacedList, PlacedMap

_SCHEMA_OF_TEMPLATES = 60
_LINEAR = "compatibility_mode"


def var_kind_names(project: PlacedMap, log: Log) -> PlacedMap:
    """`entityvar` becomes `entity_var`, `inputvar` becomes `input_var`."""

    def of_item(item: PlacedMap, log: Log) -> PlacedMap:
        return rename(item, {"entityvar": "entity_var", "inputvar": "input_var"}, log)

    def of_owner(owner: PlacedMap, log: Log) -> PlacedMap:
        return map_items(owner, "vars", of_item, log)

    project = map_items(project, "var_groups", of_owner, log)
    return map_models(project, ("feature_table_model",), of_owner, log)


def local_macros(project: PlacedMap, log: Log) -> PlacedMap:
    """Macros inside a model_spec become macros of the project; one that exists with the same text is not repeated."""
    known = {str(macro.get("name")): macro for macro in maps_in(project, "macros")}
    added: list[PlacedMap] = []

    def of_spec(spec: PlacedMap, log: Log) -> PlacedMap:
        for macro in maps_in(spec, "macros"):
            name = str(macro.get("name"))
            if name in known and dict(known[name]) == dict(macro):
                log.add(macro.span, f"macro '{name}' of a model is the same as the project's")
                continue
            log.add(macro.span, f"macro '{name}' became a macro of the project")
            known.setdefault(name, macro)
            added.append(macro)
        return spec.without(("macros",)) if "macros" in spec else spec

    return extended(map_supported_models(project, of_spec, log), "macros", added)


def inline_vars_to_groups(project: PlacedMap, log: Log) -> PlacedMap:
    """Vars inside a feature table become a var group of its entity or cohort.

    When the table lists its features, vars that it does not list become helpers.
    """
    groups: list[PlacedMap] = []

    def of_model(model: PlacedMap, log: Log) -> PlacedMap:
        spec = model.get("model_spec")
        if model.get("model_type") != "feature_table_model" or not isinstance(spec, PlacedMap) or "vars" not in spec:
            return model
        table = f"the vars of feature table '{model.get('name')}'"
        log.add(spec.key_span("vars"), f"{table} became a var group; those not listed as features are helpers")
        groups.append(_group(model, spec, log, bare_names=older_than(project, _SCHEMA_OF_TEMPLATES)))
        if _LINEAR in spec:
            log.add(spec.key_span(_LINEAR), f"key '{_LINEAR}' became bare names in the var group")
        return model.with_value("model_spec", spec.without(("vars", _LINEAR)))

    project = map_items(project, "models", of_model, log)
    return extended(project, "var_groups", groups)


def _group(model: PlacedMap, spec: PlacedMap, log: Log, bare_names: bool) -> PlacedMap:
    span = spec.key_span("vars")
    group = PlacedMap(span)
    group.put("name", Text(f"{model.get('name')}_vars", model.value_span("name")), model.key_span("name"))
    for key in ("entity_key", "entity_cohort", "vars"):
        if key in spec:
            group.put(key, spec[key], spec.key_span(key), spec.value_span(key))
    if bare_names or _LINEAR in spec:
        group.put("bare_names", True)
    features = spec.get("features")
    if not isinstance(features, PlacedList):
        return group
    stored = {str(name).lower() for name in features}

    def of_var(var: PlacedMap, _: Log) -> PlacedMap:
        if "is_feature" in var or str(var.get("name")).lower() in stored:
            return var
        return var.with_value("is_feature", False)

    def of_item(item: PlacedMap, log: Log) -> PlacedMap:
        return map_inside(item, "entity_var", of_var, log)

    return map_items(group, "vars", of_item, log)


def linear_vars(project: PlacedMap, log: Log) -> PlacedMap:
    """Vars that list their `dependencies` name each other without templates, so the group has bare names."""

    def of_group(group: PlacedMap, log: Log) -> PlacedMap:
        bodies = [body for item in maps_in(group, "vars") for body in item.values() if isinstance(body, PlacedMap)]
        if "bare_names" in group or not any("dependencies" in body for body in bodies):
            return group
        log.add(group.span, f"var group '{group.get('name')}' lists dependencies, so its SQL has bare names")
        result = group.copy()
        result.put("bare_names", True)
        return result

    def of_spec(spec: PlacedMap, log: Log) -> PlacedMap:
        return drop(spec, (_LINEAR,), "the order of vars follows from what they mention", log)

    return map_models(map_items(project, "var_groups", of_group, log), ("feature_table_model",), of_spec, log)


def var_keys(project: PlacedMap, log: Log) -> PlacedMap:
    """In vars `default` becomes `default_value`, and older forms of `from` become paths."""

    def of_var(var: PlacedMap, log: Log) -> PlacedMap:
        var = rename(var, {"default": "default_value"}, log)
        source = var.get("from")
        path = plain_path(source, var.value_span("from"), log)
        return var if path is source else var.with_value("from", path)

    def of_item(item: PlacedMap, log: Log) -> PlacedMap:
        return map_inside(map_inside(item, "entity_var", of_var, log), "input_var", of_var, log)

    def of_group(group: PlacedMap, log: Log) -> PlacedMap:
        return map_items(group, "vars", of_item, log)

    return map_items(project, "var_groups", of_group, log)


def feature_names(project: PlacedMap, log: Log) -> PlacedMap:
    """A feature table lists names; an entry with a `name` becomes that name."""

    def of_spec(spec: PlacedMap, _: Log) -> PlacedMap:
        features = spec.get("features")
        if not isinstance(features, PlacedList) or not any(isinstance(item, PlacedMap) for item in features):
            return spec
        names = PlacedList(features.span)
        for item, span in features.placed_items():
            named = isinstance(item, PlacedMap) and "name" in item
            names.add(item["name"] if named and isinstance(item, PlacedMap) else item, span)
        return spec.with_value("features", names)

    return map_models(project, ("feature_table_model",), of_spec, log)
