"""The id stitchers: those that are written down, and one for every entity that names none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from profiles_pipeline.names import normalise_path
from profiles_pipeline.resolve.declared import Declared, default_stitcher, text_span
from profiles_pipeline.resolve.lookup import find_source, tell_unknown_model
from profiles_pipeline.resolve.model import (
    RULES,
    EdgeSource,
    Entity,
    IdType,
    Input,
    Model,
    RowId,
    Rules,
    SqlModel,
    Stitcher,
)
from profiles_pipeline.resolve.row_ids import RowIds
from profiles_pipeline.spec.model import IdStitcherSpec, ModelSpec


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A stitcher to be: its entity and what may be read for it; `model` None when nobody has written it down."""

    path: str
    name: str
    entity: Entity
    sources: list[EdgeSource]
    model: ModelSpec | None = None


def with_stitchers(declared: Declared, ids: RowIds, models: Mapping[str, Model]) -> dict[str, Model]:
    """Return the models and the id stitchers, with the table of manual rules where the project has one."""
    found = dict(models)
    for path, model, body in declared.specs_of(IdStitcherSpec):
        entity = declared.entity_named(body.entity_key, model.span) or _first_owner(declared, path)
        if entity is None:
            declared.broken.add(path)
            continue
        owner = _owner(declared, path, model, entity)
        sources = _edge_sources(declared, ids, found, body)
        if model.model_type == "id_collator" and not body.edge_sources:
            sources = _carriers(found, owner)
        found |= _built(declared, ids, _Wanted(path, str(model.name), owner, sources, model))
    for entity in declared.entities.values():
        if entity.stitcher in found or entity.stitcher in declared.model_specs:
            continue
        is_default = entity.stitcher == default_stitcher(entity.name)
        named = next(e.id_stitcher for e in declared.spec.entities if e.name.lower() == entity.name.lower())
        if named and not is_default and normalise_path(named) == entity.stitcher:
            tell_unknown_model(declared, found, named, entity.span, "id_stitcher of an entity")
        name = f"{entity.name}_default_id_stitcher" if is_default else entity.stitcher.rpartition("/")[2]
        found |= _built(declared, ids, _Wanted(entity.stitcher, name, entity, _carriers(found, entity)))
    return found


def _first_owner(declared: Declared, path: str) -> Entity | None:
    return next((entity for entity in declared.entities.values() if entity.stitcher == path), None)


def _owner(declared: Declared, path: str, model: ModelSpec, entity: Entity) -> Entity:
    """Return the entity whose graph a stitcher makes: the one that names it; warn when there is none."""
    owners = [e for e in declared.entities.values() if e.stitcher == path]
    if not owners:
        declared.problems.warn(
            "unlinked-stitcher",
            f"id stitcher '{model.name}' is not used: entity '{entity.name}' does not name it",
            model.span,
            hint=f"add 'id_stitcher: models/{model.name}' to the entity in the project file",
        )
    return entity if entity in owners or not owners else owners[0]


def _edge_sources(
    declared: Declared, ids: RowIds, models: Mapping[str, Model], body: IdStitcherSpec
) -> list[EdgeSource]:
    """Return the edge sources that a stitcher names, each with the ids given there, or else with its own."""
    left_out = {str(name).lower() for name in body.exclude_id_types}

    def counted(found: tuple[RowId, ...]) -> tuple[RowId, ...]:
        return tuple(i for i in found if (i.id_type or "").lower() not in left_out)

    sources = [
        EdgeSource(source.path, counted(ids.read(edge.ids) or getattr(source, "ids", ())))
        for edge in body.edge_sources
        if (source := find_source(declared, models, edge.from_, edge.span)) is not None
    ]
    ids.are_lost |= len(sources) < len(body.edge_sources)
    return sources


def _carriers(models: Mapping[str, Model], entity: Entity) -> list[EdgeSource]:
    """Return everything that carries ids of an entity, as far as they are for the default stitcher."""
    return [
        EdgeSource(m.path, tuple(i for i in m.ids if i.to_default_stitcher))
        for m in models.values()
        if isinstance(m, Input | SqlModel) and any(i.entity == entity.name.lower() for i in m.ids)
    ]


def _built(declared: Declared, ids: RowIds, wanted: _Wanted) -> dict[str, Model]:
    """Return a stitcher by its path, after the rules it obeys; nothing when there is nothing to stitch."""
    key = wanted.entity.name.lower()
    sharing = tuple(k for k, e in declared.entities.items() if e.stitcher == wanted.path) or (key,)
    mine = tuple(
        EdgeSource(s.path, ids_of_entity)
        for s in sorted(wanted.sources, key=lambda s: s.path)  # our own order: moving an input changes nothing
        if (ids_of_entity := tuple(i for i in s.ids if i.entity in sharing and i.id_type))
    )
    if not mine:
        _tell_no_edges(declared, ids, wanted)
        return {}
    used = sorted({i.id_type for s in mine for i in s.ids if i.id_type})
    rules = _rules(declared, sharing, used)
    stitcher = _stitcher(declared, wanted, mine, used, rules)
    return {RULES: _rules_table(declared), wanted.path: stitcher} if rules else {wanted.path: stitcher}


def _stitcher(
    declared: Declared, wanted: _Wanted, sources: tuple[EdgeSource, ...], id_types: list[str], rules: Rules | None
) -> Stitcher:
    entity, model = wanted.entity, wanted.model
    body = model.body if model else None
    return Stitcher(
        path=wanted.path,
        name=wanted.name,
        span=model.span if model else entity.span,
        description=f"Identity graph of entity {entity.name}: which ids are one and the same {entity.name}.",
        entity=entity.name.lower(),
        id_column=entity.id_column,
        sources=sources,
        id_types=tuple(declared.id_types.get(t, IdType(t)) for t in id_types),
        rules=rules,
        as_table=isinstance(body, IdStitcherSpec) and body.materialization.output_type == "table",
        log_direct_edge_info=isinstance(body, IdStitcherSpec) and body.log_direct_edge_info,
        log_node_metadata=isinstance(body, IdStitcherSpec) and body.log_node_metadata,
    )


def _rules(declared: Declared, entities: tuple[str, ...], used: Iterable[str]) -> Rules | None:
    """Return the rules of a stitcher; None when the project has none."""
    spec = declared.spec.id_stitcher_rules
    if not spec.enabled:
        return None
    known = {t for e in entities for t in declared.entities[e].id_types if t in declared.id_types}
    return Rules(RULES, spec.priority, entities, tuple(sorted({*used, *known})))


def _rules_table(declared: Declared) -> Input:
    spec = declared.spec.id_stitcher_rules
    return Input(
        path=RULES,
        name=str(spec.table_name).rpartition(".")[2].strip('"'),
        span=text_span(spec.table_name, spec.span),
        description="Manual rules: ids and edges to leave out of the identity graphs, or to add.",
        table=spec.table_name,
    )


def _tell_no_edges(declared: Declared, ids: RowIds, wanted: _Wanted) -> None:
    """Tell that a stitcher has nothing to stitch, unless that follows from what could not be read."""
    problems, broken, entity = declared.problems, declared.broken, wanted.entity
    gone = broken.anything or any(name.startswith(("inputs/", "models/")) for name in broken.names)
    broken.add(wanted.path)
    if gone or ids.are_lost:
        return
    if missing := [p for p in problems.warnings if p.code == "missing-model-folder"]:
        problems.found += [replace(problem, severity="error") for problem in missing]
        return
    message = f"nothing carries ids of entity '{entity.name}'"
    hint = f"give an input 'ids' with 'entity: {entity.name}'"
    place = wanted.model.span if wanted.model else entity.span
    edges = getattr(wanted.model.body, "edge_sources", ()) if wanted.model else ()
    if edges:
        message = f"no edge source of id stitcher '{wanted.name}' carries ids of entity '{entity.name}'"
        hint = f"give '{edges[0].from_}' 'ids' with 'entity: {entity.name}', or name a source that has some"
        place = text_span(edges[0].from_, edges[0].span)
    elif not declared.spec.inputs:
        folders = ", ".join(f"'{name}'" for name in declared.spec.model_folders) or "empty"
        message += ": the project has no inputs at all"
        hint = f"they belong into YAML files in the model_folders, which are {folders}"
    problems.error("no-edge-source", message, place, hint=hint)
