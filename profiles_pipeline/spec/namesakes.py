"""Tells cohorts apart that have one name, each of another entity: their names get the entity in front.

So do references to them under keys; those in templates are made out when these are rendered. What has its name alone
keeps it. From here on every model of a project has a name of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cached_property

from profiles_pipeline.errors import Problems, Span
from profiles_pipeline.names import normalise_path
from profiles_pipeline.namesakes import AmbiguousCohortError, Namesakes
from profiles_pipeline.spec.lift.rewrite import Log, Rewrite, map_inside, map_items, map_supported_models, maps_in
from profiles_pipeline.spec.model import Text
from profiles_pipeline.spec.placed import PlacedList, PlacedMap

_REFERENCES = ("extends", "entity_cohort", "from")
"""Keys under which the path of a cohort may stand."""

_Sharing = tuple[str, PlacedMap]
"""The entity of a cohort, in lower case, and the cohort, which is not the only one of its name."""

_LOG = Log()
"""Takes notes that nobody reads: what is done here is no older form of anything."""


def cohorts_told_apart(project: PlacedMap, problems: Problems) -> tuple[PlacedMap, Namesakes]:
    """Return the project in which cohorts of different entities have different names, and what shared names mean.

    Names that other models have already, and references that can mean several cohorts, are added to `problems`.
    """
    owners = _Owners(project)
    shared = {name: of for name in owners.cohorts if (of := owners.sharing(name))}
    if not shared:
        return project, Namesakes()
    own = dict(_own_names(owners, shared, problems))
    views = {cohort: renamed for of in shared.values() for cohort, renamed in _renamed_views(owners, of)}
    namesakes = Namesakes({name: {entity: str(own[id(c)]) for entity, c in of} for name, of in shared.items()})

    def of_cohort(model: PlacedMap, log: Log) -> PlacedMap:
        if id(model) not in own:
            return model
        view = views[id(model)]
        named = map_inside(model, "model_spec", lambda s, log: map_inside(s, "feature_views", view, log), log)
        return named.with_value("name", own[id(model)])

    references = _References(namesakes, problems)
    project = map_items(project, "models", of_cohort, _LOG)
    project = map_supported_models(project, references.within(owners.of), _LOG)
    project = map_items(project, "var_groups", references.within(owners.of), _LOG)
    project = map_items(project, "entities", references.within(lambda entity: _lower(entity.get("name"))), _LOG)
    return map_items(project, "id_types", references.within(lambda _: None), _LOG), namesakes


class _Owners:
    """Finds out about which entity the things of a project are."""

    def __init__(self, project: PlacedMap) -> None:
        self.models: dict[str, list[PlacedMap]] = {}
        for model in maps_in(project, "models"):
            self.models.setdefault(_lower(model.get("name")) or "", []).append(model)
        self.cohorts = {
            name: models
            for name, models in self.models.items()
            if name and all(model.get("model_type") == "entity_cohort" for model in models)
        }
        self.entities = {_lower(entity.get("name")): str(entity.get("name")) for entity in maps_in(project, "entities")}
        self._project = project

    def prefixed(self, entity: str, name: object) -> str:
        """Return a name with an entity, as that is declared, in front of it."""
        return f"{self.entities.get(entity, entity)}_{name}"

    def sharing(self, name: str) -> list[_Sharing]:
        """Return the cohorts of a name; none unless their entities are all known, and several."""
        found = [(entity, c) for c in self.cohorts[name] if (entity := self.of(_spec_of(c))) is not None]
        several = len({entity for entity, _ in found}) > 1
        return found if several and len(found) == len(self.cohorts[name]) else []

    def of(self, spec: PlacedMap, asked: Set[str] = frozenset()) -> str | None:
        """Return the entity of a var group or of what is written about a model, in lower case; None if not told."""
        paths = (spec.get("extends"), spec.get("entity_cohort"))
        named = (self._of_path(normalise_path(path), asked) for path in paths if isinstance(path, Text))
        return next(filter(None, named), None) or _lower(spec.get("entity_key")) or self._of_rows(spec)

    def _of_path(self, path: str, asked: Set[str]) -> str | None:
        """Return the entity of the cohort at a path; None when there is none, or several are meant."""
        kind, _, name = path.removeprefix("entity/").partition("/")
        if name == "all":
            return kind
        if kind != "models" or name in asked:
            return None
        if name in self.cohorts:
            found = {self.of(_spec_of(cohort), {*asked, name}) for cohort in self.cohorts[name]}
        else:
            prefixes = {name.removesuffix(f"_{other}"): other for other in self.cohorts if name.endswith(f"_{other}")}
            found = {entity for entity, other in prefixes.items() if self._has(other, entity, {*asked, name})}
        return found.pop() if len(found) == 1 else None

    def _has(self, name: str, entity: str, asked: Set[str]) -> bool:
        return any(self.of(_spec_of(cohort), asked) == entity for cohort in self.cohorts[name])

    def _of_rows(self, spec: PlacedMap) -> str | None:
        """Return the only entity of which all rows have ids: its own, or those that its vars read."""
        rows = [_entities_on(spec), *(self._carried.get(path, set()) for path in _sources(spec))]
        told = [entities for entities in rows if entities]
        common = set.intersection(*told) if told else set()
        return common.pop() if len(common) == 1 else None

    @cached_property
    def _carried(self) -> Mapping[str, set[str]]:
        """Path of a source -> entities that it has ids of."""
        inputs = {f"inputs/{_lower(item.get('name'))}": _entities_on(item) for item in maps_in(self._project, "inputs")}
        models = {f"models/{name}": _entities_on(_spec_of(found[0])) for name, found in self.models.items()}
        return inputs | models


def _own_names(owners: _Owners, shared: Mapping[str, list[_Sharing]], problems: Problems) -> Iterator[tuple[int, Text]]:
    """Yield the identity of each cohort that shares a name, and what it is called instead; tell of names taken."""
    taken = {name: models[0] for name, models in owners.models.items() if name not in shared}
    for name, cohorts in shared.items():
        for entity, cohort in cohorts:
            span, own = cohort.value_span("name"), owners.prefixed(entity, cohort["name"])
            other = taken.setdefault(own.lower(), cohort)
            if _lower(other.get("name")) != name:
                message = f"entity_cohort '{cohort['name']}' becomes '{own}', since another entity has one of its name"
                hint = f"that name is taken at {other.value_span('name')}: rename one of them"
                problems.error("duplicate-name", message, span, hint=hint)
                own += " (2)"
            yield id(cohort), Text(own, span)


def _renamed_views(owners: _Owners, cohorts: list[_Sharing]) -> Iterator[tuple[int, Rewrite]]:
    """Yield the identity of each cohort, and what puts its entity before names of views that the others have too."""
    named = [(entity, cohort, _names_of_views(cohort)) for entity, cohort in cohorts]
    counts = Counter(name for _, _, names in named for name in names)
    for entity, cohort, names in named:
        yield id(cohort), _renaming({n: owners.prefixed(entity, own) for n, own in names.items() if counts[n] > 1})


def _names_of_views(cohort: PlacedMap) -> dict[str, Text]:
    """Return lower-case name -> name of the feature views of a cohort, as far as they are given names."""
    views = _spec_of(cohort).get("feature_views")
    written = [views, *maps_in(views, "using_ids")] if isinstance(views, PlacedMap) else []
    return {name.lower(): name for view in written if isinstance(name := view.get("name"), Text)}


def _renaming(names: Mapping[str, str]) -> Rewrite:
    """Return what gives other names, by their lower-case names, to the feature views of a cohort."""

    def of_view(view: PlacedMap, _: Log) -> PlacedMap:
        name = names.get(_lower(view.get("name")) or "")
        return view if name is None else view.with_value("name", Text(name, view.value_span("name")))

    return lambda views, log: map_items(of_view(views, log), "using_ids", of_view, log)


@dataclass(frozen=True, slots=True)
class _References:
    """Puts the paths of cohorts in the place of those that their namesakes share with them."""

    namesakes: Namesakes
    problems: Problems

    def within(self, entity_of: Callable[[PlacedMap], str | None]) -> Rewrite:
        """Return what rewrites the references in a thing that is about this entity."""

        def rewrite(thing: PlacedMap, _: Log) -> PlacedMap:
            told = self._of_map(thing, entity_of(thing))
            if told.get("entity_cohort") != thing.get("entity_cohort"):  # then its key has told which is meant
                told = told.without(("entity_key",))
            return told

        return rewrite

    def _of_map(self, mapping: PlacedMap, entity: str | None) -> PlacedMap:
        result = mapping.copy()
        for key, value in mapping.items():
            if key in _REFERENCES and isinstance(value, Text):
                result[key] = self._meant(value, entity, mapping.value_span(key))
            elif isinstance(value, PlacedMap):
                result[key] = self._of_map(value, entity)
            elif isinstance(value, PlacedList):
                items = PlacedList(value.span)
                for item, span in value.placed_items():
                    items.add(self._of_map(item, entity) if isinstance(item, PlacedMap) else item, span)
                result[key] = items
        return result

    def _meant(self, reference: Text, entity: str | None, span: Span) -> Text:
        path = normalise_path(reference)
        try:
            meant = self.namesakes.path(path, entity)
        except AmbiguousCohortError as error:
            self.problems.error(error.code, str(error), span, hint=error.hint)
            self.problems.broken.add(path)
            return reference
        return reference if meant == path else Text(meant, span)


def _sources(spec: PlacedMap) -> Iterator[str]:
    """Yield the path of each source that a var of a group reads."""
    for item in maps_in(spec, "vars"):
        for var in item.values():
            if isinstance(var, PlacedMap) and isinstance(source := var.get("from"), Text):
                yield normalise_path(source)


def _spec_of(model: PlacedMap) -> PlacedMap:
    spec = model.get("model_spec")
    return spec if isinstance(spec, PlacedMap) else PlacedMap(model.span)


def _entities_on(rows: PlacedMap) -> set[str]:
    """Return the entities of the ids on rows, in lower case."""
    return {entity for row_id in maps_in(rows, "ids") if (entity := _lower(row_id.get("entity")))}


def _lower(value: object) -> str | None:
    return value.lower() if isinstance(value, Text) else None
