"""What a project declares, found by its names: id types, entities and models as written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from profiles_pipeline.errors import Broken, Problems, Span, did_you_mean
from profiles_pipeline.names import VAR_TABLE, normalise_path
from profiles_pipeline.resolve.id_types import id_types_of
from profiles_pipeline.resolve.model import MAIN_ID_TYPES, Entity, IdType
from profiles_pipeline.spec.model import EntitySpec, IdStitcherSpec, ModelSpec, ProjectSpec, Text, UnsupportedModelSpec

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

    def id_type_named(self, name: Text, span: Span | None) -> str:
        """Return the name of an id type as it is declared, in whatever case it is given; when there is none, that is
        told and the name comes back."""
        own = next((known for known in self.id_types if known.lower() == name.lower()), None)
        if own is None and name.lower() not in MAIN_ID_TYPES and f"id_type/{name}" not in self.broken:
            hint = did_you_mean(name, list(self.id_types))
            place = text_span(name, span)
            self.problems.error("unknown-id-type", f"id type '{name}' not in project id types", place, hint=hint)
        return own or str(name)


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
    stitcher = _stitcher(declared, spec)
    main_id_type = _main_id_type(declared, spec, declared.model_specs.get(stitcher))
    column = "main_id" if main_id_type == "main_id" else f"{spec.name.lower()}_main_id"
    return Entity(
        name=str(spec.name),
        id_column=spec.id_column_name or column,
        id_types=tuple(declared.id_type_named(t, spec.span) for t in spec.id_types),
        stitcher=stitcher,
        span=spec.span,
        description=spec.description,
        main_id_type=main_id_type,
    )


def _stitcher(declared: Declared, spec: EntitySpec) -> str:
    """Return the path of the stitcher of an entity; where something else is there, that is told, and another comes
    back: the one written for the entity, or else a default one."""
    name = spec.name.lower()
    path = normalise_path(spec.id_stitcher) if spec.id_stitcher else default_stitcher(name)
    model = declared.model_specs.get(path)
    if path not in {f"inputs/{source.name.lower()}" for source in declared.spec.inputs} and (
        model is None or isinstance(model.body, IdStitcherSpec | UnsupportedModelSpec)
    ):
        return path
    written = next((p for p, _, body in declared.specs_of(IdStitcherSpec) if body.entity_key.lower() == name), None)
    if f"{path} (2)" not in declared.model_specs:  # the stitcher meant may be the second of its name, which is told
        kind = f"of type {model.model_type}" if model else "an input"
        message = f"'{spec.id_stitcher or path}', the id_stitcher of entity '{spec.name}', is {kind}"
        if spec.id_stitcher is None:
            hint = "give that model another name"
        elif written is None:
            hint = "leave the key out to have a stitcher made"
        else:
            hint = f"did you mean 'models/{declared.model_specs[written].name}'?"
        place = spec.id_stitcher.span if spec.id_stitcher else model.span if model else None
        declared.problems.error("wrong-type", message, place or spec.span, hint=hint)
    return written or f"{default_stitcher(name)} (2)"


def _main_id_type(declared: Declared, entity: EntitySpec, stitcher: ModelSpec | None) -> str | None:
    """Return what a stitcher calls the type of its main ids; a type of ids that inputs carry cannot mean these too."""
    wanted = stitcher.body.main_id_type if stitcher and isinstance(stitcher.body, IdStitcherSpec) else None
    if stitcher is None or wanted is None:
        return None
    carried = (i for source in declared.spec.inputs for i in source.ids if i.type.lower() == wanted.lower())
    if wanted in MAIN_ID_TYPES or all((i.entity or entity.name).lower() != entity.name.lower() for i in carried):
        return str(wanted)
    message = f"main_id_type '{wanted}' of '{stitcher.name}' is left out: inputs carry ids of that type"
    hint = "give the main ids a type of their own, or leave the key out"
    declared.problems.warn("ambiguous-main-id-type", message, text_span(wanted, stitcher.span), hint=hint)
    return None
