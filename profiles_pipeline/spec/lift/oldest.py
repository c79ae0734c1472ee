"""Steps for projects of 2022: resources, id stitching inside the feature table, features with definitions inside."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeGuard

from profiles_pipeline.errors import Span
from profiles_pipeline.spec.lift.rewrite import (
    Log,
    extended,
    map_items,
    map_models,
    maps_in,
    older_than,
    placed_list,
    placed_map,
    rename,
)
from profiles_pipeline.spec.model import Text
from profiles_pipeline.spec.placed import PlacedList, PlacedMap

_CAMEL = {
    "resourceType": "resource_type",
    "resourceSpec": "resource_spec",
    "validityTime": "validity_time",
    "idStitching": "id_stitching",
    "timestampCol": "timestamp_col",
    "entityKey": "entity_key",
    "mainIdType": "main_id_type",
}
_VAR_KEYS = {"value": "select", "ref": "from", "filter": "where", "table": "from"}
_VAR_KINDS = {
    "tablevar": "entity_var",
    "tablefeature": "entity_var",
    "feature": "entity_var",
    "inputvar": "input_var",
}
_MACRO_CALL = re.compile(r"\bmacro\((\w+)\)")
_SCHEMA_OF_DEFAULT_STITCHERS = 37
_STORED = ("tablefeature", "feature")


def resources_to_models(project: PlacedMap, log: Log) -> PlacedMap:
    """`resources` (a list, or a mapping by name) become `models`."""
    resources = project.get("resources")
    if resources is None:
        return project
    log.add(project.key_span("resources"), "key 'resources' became 'models'")
    models = []
    for name, written in _named_resources(resources):
        resource = _snake_case(written, log)
        kind = str(resource.get("resource_type", ""))
        spec = resource.get("resource_spec")
        spec = spec.copy() if isinstance(spec, PlacedMap) else PlacedMap(resource.span)
        if "entity_key" in resource:
            spec.put("entity_key", resource["entity_key"], resource.key_span("entity_key"))
        model = PlacedMap(resource.span)
        model.put("name", name, name.span, name.span)
        snake_kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind).lower()
        kind_span = resource.value_span("resource_type")
        model.put("model_type", Text(snake_kind, kind_span), resource.key_span("resource_type"), kind_span)
        model.put("model_spec", spec, resource.key_span("resource_spec"), spec.span)
        models.append(model)
    return extended(project.without(("resources",)), "models", models)


def _named_resources(resources: object) -> list[tuple[Text, PlacedMap]]:
    if isinstance(resources, PlacedMap):
        pairs = [(Text(key, resources.key_span(key)), value) for key, value in resources.items()]
        return [(name, value) for name, value in pairs if isinstance(value, PlacedMap)]
    if isinstance(resources, PlacedList):
        maps = [item for item in resources if isinstance(item, PlacedMap)]
        return [(Text(item.get("name", ""), item.value_span("name")), item) for item in maps]
    return []


def _snake_case(mapping: PlacedMap, log: Log) -> PlacedMap:
    mapping = rename(mapping, _CAMEL, log)
    for key, value in list(mapping.items()):
        if isinstance(value, PlacedMap):
            mapping = mapping.with_value(key, _snake_case(value, log))
        elif isinstance(value, PlacedList):
            items = [_snake_case(item, log) if isinstance(item, PlacedMap) else item for item in value]
            mapping = mapping.with_value(key, placed_list(value.span, items))
    return mapping


def inline_id_stitching_to_models(project: PlacedMap, log: Log) -> PlacedMap:
    """An `id_stitching` mapping with `inputs` becomes inputs and an id stitcher that the feature table names."""
    inputs: list[PlacedMap] = []
    stitchers: list[PlacedMap] = []

    def of_model(model: PlacedMap, log: Log) -> PlacedMap:
        spec = model.get("model_spec")
        stitching = spec.get("id_stitching") if isinstance(spec, PlacedMap) else None
        if not isinstance(spec, PlacedMap) or not isinstance(stitching, PlacedMap) or "inputs" not in stitching:
            return model
        span = spec.key_span("id_stitching")
        name = f"{model.get('name', 'feature_table')}_id_stitcher"
        log.add(span, f"key 'id_stitching' became the id stitcher 'models/{name}' and its inputs")
        own = [_inline_input(item) for item in maps_in(stitching, "inputs")]
        inputs.extend(own)
        sources = [Text(f"inputs/{item.get('name', '')}", item.span) for item in own]
        stitchers.append(_stitcher(name, span, spec, stitching, [*sources, *_named_inputs(stitching, log)]))
        return model.with_value("model_spec", spec.with_value("id_stitching", Text(f"models/{name}", span)))

    project = map_items(project, "models", of_model, log)
    return extended(extended(project, "inputs", inputs), "models", stitchers)


def _inline_input(item: PlacedMap) -> PlacedMap:
    ref = item.get("ref")
    if not isinstance(ref, PlacedMap):
        return item
    result = item.without(("ref",))
    for key, value in ref.items():
        result.put(key, value, ref.key_span(key), ref.value_span(key))
    return result


def _named_inputs(stitching: PlacedMap, log: Log) -> list[object]:
    """Return the paths of the inputs that are only named, since they are declared elsewhere."""
    items = stitching["inputs"]
    named = [item for item in items if isinstance(item, Text)] if isinstance(items, PlacedList) else []
    paths = [item if "/" in item else Text(f"inputs/{item}", item.span) for item in named]
    return [plain_path(path, stitching.value_span("inputs"), log) for path in paths]


def _stitcher(name: str, span: Span, spec: PlacedMap, stitching: PlacedMap, sources: Sequence[object]) -> PlacedMap:
    body = PlacedMap(span)
    for source, key in ((spec, "entity_key"), (spec, "validity_time"), (stitching, "main_id_type")):
        if key in source:
            body.put(key, source[key], source.key_span(key), source.value_span(key))
    edges = [placed_map(span, {"from": source}) for source in sources]
    body.put("edge_sources", placed_list(span, edges), span)
    kind = Text("id_stitcher", span)
    return placed_map(span, {"name": Text(name, span), "model_type": kind, "model_spec": body})


def link_id_stitching(project: PlacedMap, log: Log) -> PlacedMap:
    """A feature table's `id_stitching: models/x` becomes its entity_key and the entity's `id_stitcher`."""
    links: dict[str, Text] = {}

    def of_spec(spec: PlacedMap, log: Log) -> PlacedMap:
        if "id_stitching" not in spec:
            return spec
        span = spec.key_span("id_stitching")
        path = _model_path(spec["id_stitching"], span)
        if path == "models/":  # it names no model
            return spec
        entity = spec.get("entity_key") or _entity_of_stitcher(project, path)
        spec = spec.without(("id_stitching",))
        if not isinstance(entity, Text):
            return spec
        log.add(span, f"key 'id_stitching' became 'entity_key: {entity}'")
        links.setdefault(entity, path)
        return spec if "entity_key" in spec else spec.with_value("entity_key", Text(entity, span))

    def of_entity(entity: PlacedMap, log: Log) -> PlacedMap:
        link = links.get(str(entity.get("name")))
        if link is None or "id_stitcher" in entity:
            return entity
        log.add(entity.span, f"entity '{entity.get('name')}' takes the stitcher of its feature table, '{link}'")
        result = entity.copy()
        result.put("id_stitcher", link, link.span, link.span)
        return result

    project = map_models(project, ("feature_table_model",), of_spec, log)
    return map_items(project, "entities", of_entity, log)


def _model_path(reference: object, span: Span) -> Text:
    if isinstance(reference, PlacedMap):
        reference = reference.get("model", "")
    text = str(reference)
    return Text(text if "/" in text else f"models/{text}", span)


def _entity_of_stitcher(project: PlacedMap, path: str) -> object:
    name = path.rsplit("/", 1)[-1].lower()
    for model in maps_in(project, "models"):
        spec = model.get("model_spec")
        if str(model.get("name")).lower() == name and isinstance(spec, PlacedMap) and "entity_key" in spec:
            return spec["entity_key"]
    entities = list(maps_in(project, "entities"))
    return entities[0].get("name") if len(entities) == 1 else None


def feature_objects_to_vars(project: PlacedMap, log: Log) -> PlacedMap:
    """Features that hold definitions (`tablevar`, `tablefeature`, `feature`, `inputvar`) become vars and names."""
    inputs = [(str(item.get("name")), str(item.get("table"))) for item in maps_in(project, "inputs")]
    named_by_table = {table: name for name, table in inputs} | {name: name for name, _ in inputs}

    def of_spec(spec: PlacedMap, log: Log) -> PlacedMap:
        features = spec.get("features")
        if not isinstance(features, PlacedList) or not any(map(_is_definition, features)):
            return spec
        names, defined, macros = PlacedList(features.span), [], []
        for item, span in features.placed_items():
            if not _is_definition(item):
                names.add(item, span)
                continue
            kind, value = next(iter(item.items()))
            body = value if isinstance(value, PlacedMap) else PlacedMap(span)
            if kind == "macro":
                macros.append(body)
                continue
            body = _with_input(body, named_by_table)
            defined.append(_var_item(kind, item.key_span(kind), body, log))
            if kind in _STORED and "name" in body:
                names.add(body["name"], body.value_span("name"))
        spec = extended(spec.with_value("features", names), "vars", defined)
        return extended(spec, "macros", macros)

    return map_models(project, ("feature_table_model",), of_spec, log)


def _is_definition(item: object) -> TypeGuard[PlacedMap]:
    return isinstance(item, PlacedMap) and len(item) == 1 and next(iter(item)) in {*_VAR_KINDS, "macro"}


def _var_item(kind: str, span: Span, body: PlacedMap, log: Log) -> PlacedMap:
    log.add(span, f"key '{kind}' became '{_VAR_KINDS[kind]}'")
    body = rename(body, _VAR_KEYS, log)
    for key in ("select", "where"):
        body = _with_macro_calls(body, key, log)
    if "from" in body:
        body = body.with_value("from", plain_path(body["from"], body.value_span("from"), log))
    return placed_map(span, {_VAR_KINDS[kind]: body})


def _with_input(body: PlacedMap, named_by_table: dict[str, str]) -> PlacedMap:
    """The `table` of a var is the name of an input, or of the table that an input reads."""
    source = body.get("table")
    if not isinstance(source, Text) or "/" in source:
        return body
    return body.with_value("table", Text(f"inputs/{named_by_table.get(source, source)}", source.span))


def _with_macro_calls(body: PlacedMap, key: str, log: Log) -> PlacedMap:
    """The call `macro(x)` of the very first dialect becomes the template `{{x()}}`."""
    text = body.get(key)
    if not isinstance(text, Text) or not _MACRO_CALL.search(text):
        return body
    log.add(body.value_span(key), f"calls of the form 'macro(x)' in '{key}' became '{{{{x()}}}}'")
    return body.with_value(key, Text(_MACRO_CALL.sub(r"{{\1()}}", text), text.span, text.block))


def plain_path(reference: object, span: Span, log: Log) -> object:
    """Return `inputs/x` for the older ways to name an input: `{input: x}` and `input/x`; anything else as it is."""
    if isinstance(reference, PlacedMap) and len(reference) == 1:
        kind, name = next(iter(reference.items()))
        if kind in ("input", "model"):
            log.add(span, f"'{kind}: {name}' became '{kind}s/{name}'")
            return Text(f"{kind}s/{name}", span)
    if isinstance(reference, Text) and re.match(r"(input|model)/", reference):
        folder, name = reference.split("/", 1)
        log.add(span, f"'{reference}' became '{folder}s/{name}'")
        return Text(f"{folder}s/{name}", reference.span)
    return reference


def entity_id_types_to_project(project: PlacedMap, log: Log) -> PlacedMap:
    """Id types written out inside an entity become project id types, and their names stay in the entity."""
    found: dict[str, PlacedMap] = {str(item.get("name")): item for item in maps_in(project, "id_types")}
    added: list[PlacedMap] = []

    def of_entity(entity: PlacedMap, log: Log) -> PlacedMap:
        id_types = entity.get("id_types")
        if not isinstance(id_types, PlacedList) or not any(isinstance(item, PlacedMap) for item in id_types):
            return entity
        names = PlacedList(id_types.span)
        for item, span in id_types.placed_items():
            if not isinstance(item, PlacedMap) or "name" not in item:
                names.add(item, span)
                continue
            names.add(item["name"], item.value_span("name"))
            if str(item["name"]) not in found:
                found[str(item["name"])] = item
                added.append(item)
                owner = f"id type '{item['name']}' of entity '{entity.get('name')}'"
                log.add(span, f"{owner} became an id type of the project")
        return entity.with_value("id_types", names)

    project = map_items(project, "entities", of_entity, log)
    return extended(project, "id_types", added)


def oldest_input_keys(project: PlacedMap, log: Log) -> PlacedMap:
    """`timestamp_col` becomes `occurred_at_col`, and `sql` of an id becomes `select`."""

    def of_id(item: PlacedMap, log: Log) -> PlacedMap:
        return rename(item, {"sql": "select"}, log)

    def of_source(source: PlacedMap, log: Log) -> PlacedMap:
        return map_items(rename(source, {"timestamp_col": "occurred_at_col"}, log), "ids", of_id, log)

    project = map_items(project, "inputs", of_source, log)
    return map_models(project, ("sql_template",), of_source, log)


def stitcher_of_its_entity(project: PlacedMap, log: Log) -> PlacedMap:
    """Before default stitchers existed the only stitcher of an entity was the one in use."""
    if not older_than(project, _SCHEMA_OF_DEFAULT_STITCHERS):
        return project
    stitchers: dict[str, list[Text]] = {}
    for model in maps_in(project, "models"):
        spec, name = model.get("model_spec"), model.get("name")
        if model.get("model_type") == "id_stitcher" and isinstance(spec, PlacedMap) and isinstance(name, Text):
            stitchers.setdefault(str(spec.get("entity_key")), []).append(name)

    def of_entity(entity: PlacedMap, log: Log) -> PlacedMap:
        own = stitchers.get(str(entity.get("name")), [])
        if "id_stitcher" in entity or len(own) != 1:
            return entity
        log.add(entity.span, f"entity '{entity.get('name')}' takes its only stitcher, 'models/{own[0]}'")
        return entity.with_value("id_stitcher", Text(f"models/{own[0]}", entity.span))

    return map_items(project, "entities", of_entity, log)


def oldest_project_keys(project: PlacedMap, log: Log) -> PlacedMap:
    """`macro_folders` join the `model_folders`; `gitUrl` becomes `url`, lists of `mappings` become mappings."""

    def of_package(package: PlacedMap, log: Log) -> PlacedMap:
        package = rename(package, {"gitUrl": "url", "git_url": "url", "inputs_map": "inputsMap"}, log)
        mappings = package.get("mappings")
        if not isinstance(mappings, PlacedList):
            return package
        merged = PlacedMap(mappings.span)
        for item in maps_in(package, "mappings"):
            for key, value in item.items():
                merged.put(key, value, item.key_span(key), item.value_span(key))
        log.add(package.key_span("mappings"), "the list under 'mappings' became one mapping")
        return package.with_value("mappings", merged)

    if isinstance(folders := project.get("macro_folders"), PlacedList):
        log.add(project.key_span("macro_folders"), "the folders under 'macro_folders' became 'model_folders'")
        known = list(project.get("model_folders") or ())  # type: ignore[call-overload]
        added = [folder for folder in folders if folder not in known]
        project = extended(project.without(("macro_folders",)), "model_folders", added)
    return map_items(project, "packages", of_package, log)
