"""What a project declares, found by its names: id types, entities and models as written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from profiles_pipeline.errors import Broken, Problems, Span, did_you_mean
from profiles_pipeline.names import VAR_TABLE, normalise_path
from profiles_pipeline.resolve.id_types import id_types_of
from profiles_pipeline.resolve.model import Entity, IdType
from profiles_pipeline.spec.model import EntitySpec, IdStitcherSpec, ModelSpec, ProjectSpec, Text

MAIN_ID_TYPES = frozenset({"rudder_id", "main_id"})
"""Names of id types that mean the main id of the entity."""

Body = TypeVar("Body")


@dataclass(frozen=True, slots=True)
class Declared:
    """What a project declares, and where it is told what is wrong with it.

    Attributes:
        model_specs: path -> model as written.
        id_types: name -> id type.
        entities: lower-case name -> entity.
    """

    spec: ProjectSpec
    problems: Problems
    model_specs: Mapping[str, ModelSpec]
    id_types: Mapping[str, IdType]
    entities: Mapping[str, Entity]

    @property
    def broken(self) -> Broken:
        """What is declared but cannot be used."""
        return self.problems.broken

    def specs_of(self, body: type[Body]) -> list[tuple[str, ModelSpec, Body]]:
        """Return path, model and body of every model as written whose body is of this type."""
        return [(path, model, model.body) for path, model in self.model_specs.items() if isinstance(model.body, body)]

    def path(self, reference: str) -> str:
        """Return the path that a reference means."""
        path = normalise_path(reference)
        entity = path.removeprefix("entity/").removesuffix(f"/{VAR_TABLE}")
        if path == f"entity/{entity}/{VAR_TABLE}" and entity in self.entities:
            return f"{entity}/all/{VAR_TABLE}"
        return self.spec.aliases.get(path, path)

    def entity_named(self, name: str, span: Span | None) -> Entity | None:
        """Return the entity of a name; when there is none, that is told."""
        entity = self.entities.get(name.lower())
        if entity is None and f"entity/{name}" not in self.broken:
            known = [e.name for e in self.entities.values()]
            place = text_span(name, span)
            self.problems.error("unknown-entity", f"there is no entity '{name}'", place, hint=did_you_mean(name, known))
        return entity

    def check_id_type(self, name: Text, span: Span | None) -> None:
        """Tell it when there is no id type of that name."""
        if name in self.id_types or name in MAIN_ID_TYPES or f"id_type/{name}" in self.broken:
            return
        hint = did_you_mean(name, list(self.id_types))
        place = text_span(name, span)
        self.problems.error("unknown-id-type", f"id type '{name}' not in project id types", place, hint=hint)


def declared_in(spec: ProjectSpec, problems: Problems) -> Declared:
    """Return what a project declares; what is wrong with its id types and entities is added to `problems`."""
    model_specs = {f"models/{model.name.lower()}": model for model in spec.models}
    declared = Declared(spec, problems, model_specs, id_types_of(spec, problems), entities={})
    entities: dict[str, Entity] = {}
    for entity in spec.entities:
        entities.setdefault(entity.name.lower(), _entity(declared, entity))  # a second one of the name is told already
    return replace(declared, entities=entities)


def default_stitcher(entity: str) -> str:
    """Return the path of the stitcher that an entity has when it names none."""
    return f"models/{entity.lower()}_default_id_stitcher"


def text_span(text: str | None, fallback: Span | None = None) -> Span | None:
    """Return the place of a text, or the fallback when it has none."""
    return getattr(text, "span", None) or fallback


def _entity(declared: Declared, spec: EntitySpec) -> Entity:
    stitcher = normalise_path(spec.id_stitcher) if spec.id_stitcher else default_stitcher(spec.name)
    written = declared.model_specs.get(stitcher)
    column = f"{spec.name.lower()}_main_id"
    if written is not None and isinstance(written.body, IdStitcherSpec) and written.body.main_id_type == "main_id":
        column = "main_id"
    for id_type in spec.id_types:
        declared.check_id_type(id_type, spec.span)
    return Entity(
        name=str(spec.name),
        id_column=spec.id_column_name or column,
        id_types=tuple(str(t) for t in spec.id_types),
        stitcher=stitcher,
        span=spec.span,
        description=spec.description,
    )
