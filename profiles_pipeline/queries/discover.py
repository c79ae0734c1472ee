"""What there is, in the project and in the registry and tables of its warehouse: one type of row per kind of thing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal

from profiles_pipeline import run
from profiles_pipeline.connections import Output
from profiles_pipeline.dialects import identifier
from profiles_pipeline.errors import ProjectError, WarehouseError, fail
from profiles_pipeline.names import VAR_TABLE
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.queries.listing import list_disabled, list_models
from profiles_pipeline.queries.reading import open_for_reading
from profiles_pipeline.registry import Entry
from profiles_pipeline.resolve.model import EntityVar, Input, Model, Project, SqlModel
from profiles_pipeline.spec.model import FeatureSpec

Kind = Literal["models", "entities", "features", "sources", "materials"]


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A model of the project, or one that only the registry still knows."""

    model: str
    type: str
    entity: str
    relation: str | None
    status: str
    source: str
    """Inputs it comes from."""
    seq_no: int | None
    rows: int | None
    built_at: datetime | None
    project: str
    description: str | None


@dataclass(frozen=True, slots=True)
class FoundEntity:
    """An entity; `members` as of the last run."""

    entity: str
    id_column: str
    id_types: str
    model: str
    """Its id stitcher."""
    features: int
    members: int | None
    description: str | None


@dataclass(frozen=True, slots=True)
class FoundFeature:
    """A feature; `type` is known once it has been built."""

    feature: str
    entity: str
    cohort: str
    type: str | None
    model: str
    """Where it is computed."""
    source: str
    tags: str
    description: str | None


@dataclass(frozen=True, slots=True)
class FoundSource:
    """An input, or a table that SQL names without one; `found` says where its rows are, None that they are nowhere."""

    source: str
    table: str
    found: str | None
    occurred_at: str
    id_types: str
    entity: str
    model: str
    """Models that read it."""
    description: str | None


@dataclass(frozen=True, slots=True)
class FoundMaterial:
    """A material of any project of the schema."""

    material: str
    model: str
    entity: str
    kind: str
    seq_no: int
    as_of: datetime
    rows: int | None
    seconds: float | None
    built_at: datetime
    project: str


Found = FoundModel | FoundEntity | FoundFeature | FoundSource | FoundMaterial

ROW_TYPES: Mapping[Kind, type[Found]] = {
    "models": FoundModel,
    "entities": FoundEntity,
    "features": FoundFeature,
    "sources": FoundSource,
    "materials": FoundMaterial,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for; None takes everything.

    Attributes:
        entity: name of an entity.
        model: part of a model's path.
        source: part of an input's path.
        keyword: part of anything that is said of a row.
    """

    entity: str | None = None
    model: str | None = None
    source: str | None = None
    keyword: str | None = None


def discover(
    project: ProfilesProject,
    output: Output,
    kind: Kind,
    wanted: Wanted = Wanted(),
    observe: run.Observer = lambda _: None,
    lock_timeout: float | None = None,
) -> tuple[Found, ...]:
    """Return everything of a kind that fits.

    Raises:
        ProjectError: the kind of thing has nothing to do with what it is asked for by.
        LockTimeoutError: a run kept the warehouse for too long.
    """
    known = {field.name for field in fields(ROW_TYPES[kind])}
    for name in ("entity", "model", "source"):
        if getattr(wanted, name) is not None and name not in known:
            fail("options-clash", f"{kind} cannot be looked for by {name}", hint=f"leave out --{name}")
    with open_for_reading(project, output, "profiles discover", observe, lock_timeout) as session:
        return tuple(row for row in _LISTS[kind](session) if _fits(row, wanted))


def _fits(row: Found, wanted: Wanted) -> bool:
    def has(name: str, part: str | None) -> bool:
        return part is None or part.lower() in str(getattr(row, name)).lower()

    own = getattr(row, "entity", "").lower().split(", ")
    said = " ".join(str(value) for field in fields(row) if (value := getattr(row, field.name)) is not None)
    return (
        (wanted.entity is None or wanted.entity.lower() in own)
        and has("model", wanted.model)
        and has("source", wanted.source)
        and (wanted.keyword is None or wanted.keyword.lower() in said.lower())
    )


# --- models and materials -----------------------------------------------------------------------------------------


def _models(session: run.Session) -> Iterator[FoundModel]:
    project, schema = session.project, session.output.schema
    last = {(entry.project or "", entry.material.model_path): entry for entry in session.registry.entries()}
    inputs = {path for path, model in project.graph.models.items() if isinstance(model, Input)}
    for row in list_models(project, schema):
        entry = last.pop((project.name, row.path), None)
        if row.path not in inputs:
            yield FoundModel(
                model=row.path,
                type=row.type,
                entity=_entity(project.project, project.graph.models[row.path]),
                relation=row.relation,
                status=row.status.state,
                source=", ".join(sorted(project.graph.with_upstream([row.path]) & inputs)),
                seq_no=entry.material.seq_no if entry else None,
                rows=entry.material.row_count if entry else None,
                built_at=entry.created if entry else None,
                project=project.name,
                description=row.description,
            )
    disabled = {row.path: f"disabled: {row.status.reason}" for row in list_disabled(project)}
    for path, status in disabled.items():
        yield _known_by_name(project.name, path, status, last.pop((project.name, path), None))
    for (name, path), entry in last.items():
        where = "no longer in the project" if name == project.name else "of another project"
        yield _known_by_name(name, path, where, entry)


def _known_by_name(project: str, path: str, status: str, entry: Entry | None) -> FoundModel:
    """Return a row for a model that the project does not build."""
    made = entry.material if entry else None
    return FoundModel(
        model=path,
        type=made.model_type if made else "",
        entity=(made.entity or "") if made else "",
        relation=None,
        status=status,
        source="",
        seq_no=made.seq_no if made else None,
        rows=made.row_count if made else None,
        built_at=entry.created if entry else None,
        project=project,
        description=None,
    )


def _materials(session: run.Session) -> Iterator[FoundMaterial]:
    project = session.project
    for entry in session.registry.entries():
        made = entry.material
        model = project.graph.models.get(made.model_path) if entry.project == project.name else None
        yield FoundMaterial(
            material=made.name,
            model=made.model_path,
            entity=_entity(project.project, model) if model else made.entity or "",
            kind=made.kind,
            seq_no=made.seq_no,
            as_of=made.end,
            rows=made.row_count,
            seconds=made.seconds,
            built_at=entry.created,
            project=entry.project or "",
        )


def _entity(project: Project, model: Model) -> str:
    """Return the names of the entities that a model is about, separated by commas."""
    cohort = project.models.get(getattr(model, "cohort", None) or "", model)
    key = getattr(cohort, "entity", None)
    keys = [key] if key else getattr(model, "entities", None) or [i.entity for i in getattr(model, "ids", ())]
    return ", ".join(dict.fromkeys(project.entities[key].name for key in keys))


# --- entities and features ----------------------------------------------------------------------------------------


def _entities(session: run.Session) -> Iterator[FoundEntity]:
    project = session.project.project
    counted = {e.material.model_path: e.material.row_count for e in session.registry.entries()
               if e.project == session.project.name}  # fmt: skip
    features = list(_features(session))
    for entity in project.entities.values():
        yield FoundEntity(
            entity=entity.name,
            id_column=entity.id_column,
            id_types=", ".join(entity.id_types),
            model=entity.stitcher,
            features=sum(f.entity == entity.name for f in features),
            members=counted.get(entity.all_cohort),
            description=entity.description,
        )


def _features(session: run.Session) -> Iterator[FoundFeature]:
    project, graph = session.project.project, session.project.graph
    types: dict[str, Mapping[str, str]] = {}

    def type_of(path: str, column: str) -> str | None:
        if path not in types:
            types[path] = _built_columns(session, graph.models[path])
        return types[path].get(column.lower())

    for cohort, own in project.entity_vars.items():
        for key, var in own.items():
            if var.spec.is_feature:
                path = graph.var_homes.get((cohort, key), f"{cohort}/{VAR_TABLE}")
                yield _feature_of_var(project, var, path, type_of(path, var.name))
    for cohort, models in project.feature_models.items():
        for model in models:
            words = {f.name.lower(): f.description for f in _declared(graph.models[model.path])}
            for column in model.columns:
                yield FoundFeature(
                    feature=column,
                    entity=_entity(project, project.models[cohort]),
                    cohort=cohort,
                    type=type_of(model.path, column),
                    model=model.path,
                    source=", ".join(graph.parents[model.path]),
                    tags="",
                    description=words.get(column.lower()),
                )


def _feature_of_var(project: Project, var: EntityVar, path: str, data_type: str | None) -> FoundFeature:
    return FoundFeature(
        feature=var.name,
        entity=project.entities[var.entity].name,
        cohort=var.cohort,
        type=data_type,
        model=path,
        source=var.source or "",
        tags=", ".join(var.spec.tags),
        description=var.spec.description,
    )


def _declared(model: Model) -> Sequence[FeatureSpec]:
    return model.spec.features if isinstance(model, SqlModel) else ()


def _built_columns(session: run.Session, model: Model) -> Mapping[str, str]:
    """Return lower-case column -> type of the newest material of a model; nothing when it was not built."""
    entries = [e.material for e in session.registry.entries() if e.project == session.project.name]
    name = next((m.name for m in reversed(entries) if m.model_path == model.path), None)
    if name is None:
        return {}
    dialect = session.warehouse.dialect
    relation = f"{identifier(session.output.schema, dialect)}.{identifier(name, dialect)}"
    try:
        return {c.name.lower(): c.type for c in session.warehouse.describe(f"SELECT * FROM {relation}")}
    except WarehouseError:  # a view over a source that has gone since
        return {}


# --- sources ------------------------------------------------------------------------------------------------------


def _sources(session: run.Session) -> Iterator[FoundSource]:
    project = session.project
    for path, model in project.graph.models.items():
        if isinstance(model, Input):
            yield FoundSource(
                source=path,
                table=str(model.table),
                found=_place(session, str(model.table)) if model.csv is None else str(model.csv),
                occurred_at=str(model.occurred_at or ""),
                id_types=", ".join(dict.fromkeys(i.id_type or "main id" for i in model.ids)),
                entity=_entity(project.project, model),
                model=", ".join(other for other, read in project.graph.parents.items() if path in read),
                description=model.description,
            )

    readers: dict[str, list[str]] = {}
    for path, tables in project.tables.items():
        for table in tables:
            readers.setdefault(table, []).append(path)
    for table, paths in readers.items():
        yield FoundSource("", table, _place(session, table), "", "", "", ", ".join(paths), None)


def _place(session: run.Session, table: str) -> str | None:
    """Return where the rows of a table are; None when they are nowhere."""
    try:
        return session.warehouse.source(table).origin
    except ProjectError:
        return None


_LISTS: Mapping[Kind, Callable[[run.Session], Iterator[Found]]] = {
    "models": _models,
    "entities": _entities,
    "features": _features,
    "sources": _sources,
    "materials": _materials,
}
