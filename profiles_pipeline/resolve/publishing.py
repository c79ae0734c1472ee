"""Publishers: what each publishes, of whom, under which key, and where to. Values only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from profiles_pipeline import durations
from profiles_pipeline.destinations import DESTINATIONS, Destination, Option, Property
from profiles_pipeline.destinations.contract import Sink
from profiles_pipeline.errors import Problems, Span, did_you_mean
from profiles_pipeline.names import FEATURE_VIEW, safe_identifier
from profiles_pipeline.resolve.features import features_in
from profiles_pipeline.resolve.model import Cohort, Entity, FeatureTable, FeatureView, Input, Project
from profiles_pipeline.spec.model import Text
from profiles_pipeline.spec.publishing import DestinationSpec, GuardsSpec, PublisherSpec

OWN_COLUMNS = ("row_hash", "published_at", "main_id", "deleted_at")
"""Columns of every published table beside the key and the properties."""

_NEEDED = (
    "main_id_before", "changed_columns", "by_hand", "nothing",
    "publish_key", "publish_op", "publish_reason",
)  # fmt: skip
"""Names that columns have while a publication is made; no property can be called so."""

DECIMALS = 6
"""How many decimals of floating point numbers count where nothing is said of it."""

FanOut = Literal["all", "latest", "oldest"]
Deletes = Literal["hard", "soft", "keep"]


@dataclass(frozen=True, slots=True)
class Publisher:
    """What is published.

    Attributes:
        name: also that of its table.
        path: ``publish/<name>``.
        span: where it is declared.
        source: path of the feature view or feature table whose columns are published.
        entity: of whom.
        key: column of the source that is the key, or type of the ids that are.
        stitcher: path of the id graph, where the key is a type of ids that the source has not; else None.
        cohort: path of the cohort whose members alone are published.
        properties: what is published.
        decimals: column -> how many decimals count, where that is said; else `DECIMALS` of floating point numbers,
            and all of others.
        keep_changes: how long changes are kept that have arrived; None for ever.
        options: what holds of the destination.
    """

    name: str
    path: str
    span: Span | None
    source: str
    entity: Entity
    destination: Destination
    key: str
    stitcher: str | None
    cohort: str | None
    fan_out: FanOut
    properties: tuple[Property, ...]
    decimals: Mapping[str, int]
    deletes: Deletes
    keep_changes: timedelta | None
    guards: GuardsSpec
    options: Mapping[str, object]

    @property
    def parents(self) -> tuple[str, ...]:
        """Paths of the models that it reads."""
        return tuple(dict.fromkeys(path for path in (self.source, self.stitcher, self.cohort) if path))

    @property
    def sink(self) -> Sink:
        """Where changes go once its table is written."""
        needed = self.destination.sink_needs
        return self.destination.sink if needed is None or self.options[needed] else "table"

    @property
    def key_column(self) -> str:
        """The key column of its table."""
        return self.destination.contract.key.column or self.key


def publishers_of(specs: Iterable[PublisherSpec], project: Project, problems: Problems) -> tuple[Publisher, ...]:
    """Return the publishers of a project that are sound; what is wrong with the others is added to `problems`."""
    found: dict[str, Publisher] = {}
    taken = {model.name.lower() for model in project.models.values() if not isinstance(model, Input)}
    for spec in specs:
        name, span = spec.name.lower(), spec.name.span or spec.span
        if safe_identifier(spec.name) != spec.name or not spec.name:
            hint = "letters, digits and _: it is the name of a table"
            problems.error("bad-publisher-name", f"a publisher cannot be called '{spec.name}'", span, hint=hint)
        elif name in found or name in taken:
            other = "publisher" if name in found else "model"
            problems.error("name-clash", f"there is a {other} '{spec.name}' already", span, hint="choose another name")
        elif (publisher := _Resolving(spec, project, problems).publisher()) is not None:
            found[name] = publisher
    return tuple(found.values())


@dataclass(frozen=True)
class _Resolving:
    """Finds what the declaration of one publisher refers to."""

    spec: PublisherSpec
    project: Project
    problems: Problems

    def publisher(self) -> Publisher | None:
        before = len(self.problems.found)
        source = self._source()
        if source is None:
            return None
        owner = self.project.models[source.cohort]
        assert isinstance(owner, Cohort)
        entity = self.project.entities[owner.entity]
        columns = self._columns(source, entity)
        key, stitcher = self._key(source, entity, columns)
        properties, decimals = self._properties(columns, entity, source)
        destination = DESTINATIONS[self.spec.destination.type]
        key_column = destination.contract.key.column or key
        cohort = self._cohort(entity)
        options = self._options(self.spec.destination, destination)
        beside = destination.beside(options) if destination.beside else ()
        self._check_names(properties, key_column, (key_column, *beside) if destination.beside else ())
        if len(self.problems.found) > before:
            return None
        name = str(self.spec.name)
        return Publisher(
            name=name,
            path=f"publish/{name}",
            span=self.spec.name.span or self.spec.span,
            source=source.path,
            entity=entity,
            destination=destination,
            key=key,
            stitcher=stitcher,
            cohort=cohort,
            fan_out=self.spec.fan_out,
            properties=properties,
            decimals=decimals,
            deletes=self.spec.deletes,
            keep_changes=self.spec.keep_changes,
            guards=self.spec.guards,
            options=options,
        )

    def _source(self) -> FeatureView | FeatureTable | None:
        path = self.project.meant(self.spec.from_)
        model = self.project.models.get(path)
        if isinstance(model, Cohort):
            model = self.project.models.get(f"{path}/{FEATURE_VIEW}")
        if isinstance(model, FeatureView | FeatureTable):
            return model
        if path not in self.project.broken and path not in self.project.left_out:
            shown = [p for p, m in self.project.models.items() if isinstance(m, FeatureView | FeatureTable | Cohort)]
            what = f"'{self.spec.from_}' has no features to publish" if model else f"there is no '{self.spec.from_}'"
            hint = did_you_mean(path, shown) or "name a feature view, a feature table or a cohort"
            self.problems.error("unknown-model", what, self.spec.from_.span, hint=hint)
        return None

    def _columns(self, source: FeatureView | FeatureTable, entity: Entity) -> dict[str, str]:
        """Return lower-case name -> name of the columns of the source; the main id stands first."""
        base = self.project.models.get(source.base or "") if isinstance(source, FeatureView) else None
        shown = base if isinstance(base, FeatureView) else source
        features = features_in(self.project).of(shown.cohort).values() if shown.features is None else shown.features
        own = [source.id_type] if isinstance(source, FeatureView) and source.id_type else []
        return {name.lower(): name for name in (entity.id_column, *own, *features)}

    def _key(
        self, source: FeatureView | FeatureTable, entity: Entity, columns: Mapping[str, str]
    ) -> tuple[str, str | None]:
        """Return the key, and the path of the id graph where it is needed to find it."""
        by_id = source.id_type if isinstance(source, FeatureView) else None
        given = self.spec.key
        if given is None:
            return by_id or entity.id_column, None
        if given.lower() in columns:
            return columns[given.lower()], None
        id_types = {name.lower(): name for name in entity.id_types or self.project.id_types}
        if given.lower() in id_types and by_id is None:
            return id_types[given.lower()], entity.stitcher
        known = [*columns.values(), *(id_types.values() if by_id is None else ())]
        hint = did_you_mean(given, known) or f"an id type or a column of '{source.path}'"
        self.problems.error(
            "unknown-key-column", f"'{given}' is no id and no column of '{source.path}'", given.span, hint=hint
        )
        return given, None

    def _properties(
        self, columns: Mapping[str, str], entity: Entity, source: FeatureView | FeatureTable
    ) -> tuple[tuple[Property, ...], dict[str, int]]:
        stated, counted = self.spec.properties, self.spec.decimals
        if stated is None:
            keys = {
                entity.id_column.lower(),
                *([source.id_type.lower()] if isinstance(source, FeatureView) and source.id_type else []),
            }
            names = [name for lower, name in columns.items() if lower not in keys]
            return tuple(Property(n, n) for n in names), {} if counted is None else dict.fromkeys(names, counted)
        found, decimals = [], {}
        for name, item in stated.items():
            column = columns.get(item.column.lower())
            if column is None:
                hint = did_you_mean(item.column, list(columns.values())) or f"a feature of '{source.path}'"
                message = f"property '{name}' is no column of '{source.path}': '{item.column}'"
                self.problems.error("unknown-property", message, item.column.span or item.span, hint=hint)
                continue
            found.append(Property(name, column))
            of_column = counted if item.decimals is None else item.decimals
            if of_column is not None:
                decimals[column] = of_column
        return tuple(found), decimals

    def _check_names(self, properties: Iterable[Property], key_column: str, beside: Iterable[str]) -> None:
        """Check that no two columns have one name, in the table or where the destination has the properties.

        Args:
            properties: what is published.
            key_column: that of the table.
            beside: names that stand in one row with those of the properties at the destination.
        """
        names: dict[str, str] = {}
        columns = {
            **dict.fromkeys(_NEEDED, "a name that publishing needs for itself"),
            **dict.fromkeys(OWN_COLUMNS, "a column of every published table already"),
            key_column.lower(): "the key already",
        }
        reserved = {name.lower() for name in beside}
        for item in properties:
            lower = item.name.lower()
            place = self.spec.span
            if lower in names:
                message = f"properties '{names[lower]}' and '{item.name}' of '{self.spec.name}' differ in case only"
                self.problems.error("property-clash", message, place, hint="many destinations take them for one")
            elif item.column.lower() in columns:
                message = f"column '{item.column}' of '{self.spec.name}' is {columns[item.column.lower()]}"
                self.problems.error(
                    "property-clash", message, place, hint="leave it out, or give the feature another name"
                )
            elif lower in reserved:
                where = self.spec.destination.type
                message = f"{where} gets a column '{item.name}' of '{self.spec.name}' beside the properties already"
                hint = f"give the property another name: {{another_name: {item.column}}}"
                self.problems.error("property-clash", message, place, hint=hint)
            names[lower] = item.name
            columns[item.column.lower()] = f"property '{item.name}' already"
        limit = DESTINATIONS[self.spec.destination.type].contract.most_properties
        if limit is not None and len(names) > limit:
            message = (
                f"'{self.spec.name}' has {len(names):,} properties, and {self.spec.destination.type} takes {limit:,}"
            )
            self.problems.error("too-many-properties", message, self.spec.span, hint="list those that are needed")

    def _cohort(self, entity: Entity) -> str | None:
        if self.spec.cohort is None:
            return None
        path = self.project.meant(self.spec.cohort)
        model = self.project.models.get(path)
        if isinstance(model, Cohort) and self.project.entities[model.entity] == entity:
            return path
        if path not in self.project.broken:
            own = [
                p
                for p, m in self.project.models.items()
                if isinstance(m, Cohort) and self.project.entities[m.entity] == entity
            ]
            message = f"there is no cohort '{self.spec.cohort}' of {entity.name}"
            self.problems.error("unknown-model", message, self.spec.cohort.span, hint=did_you_mean(path, own))
        return None

    def _options(self, spec: DestinationSpec, destination: Destination) -> dict[str, object]:
        """Return what holds of a destination: what is said, and what holds where nothing is."""
        for name in spec.options.keys() - destination.options.keys():
            hint = did_you_mean(name, list(destination.options)) or f"{destination.name} has no options"
            self.problems.error(
                "unknown-key", f"unknown key '{name}' of {destination.name}", spec.options.key_span(name), hint=hint
            )
        found = {}
        for name, option in destination.options.items():
            if name in spec.options:
                found[name] = self._option(name, option, spec.options[name], spec.options.value_span(name))
            elif option.required:
                message = f"key '{name}' is missing in the destination of '{self.spec.name}'"
                self.problems.error("missing-key", message, spec.span or self.spec.span)
            else:
                found[name] = option.default if option.kind != "duration" else durations.duration(str(option.default))
        wrong = destination.fault(found) if None not in found.values() else None
        if wrong is not None and len(found) == len(destination.options):
            self.problems.error("wrong-value", wrong, spec.span or self.spec.span)
        return found

    def _option(self, name: str, option: Option, given: object, span: Span | None) -> object:
        value, expected = _read(option, given)
        if value is None:
            self.problems.error("wrong-value", f"'{name}' must be {expected}", span)
        return value


def _read(option: Option, given: object) -> tuple[object, str]:
    """Return the value of an option, None if it is none, and what it has to be."""
    match option.kind:
        case "count":
            is_count = isinstance(given, int) and not isinstance(given, bool) and given > 0
            return (int(given) if is_count and isinstance(given, int) else None), "a whole number from 1 on"
        case "duration":
            return durations.duration(str(given)) or None, durations.EXPECTED
        case "texts":
            listed = tuple(_texts(given))
            fits = listed and (not option.among or set(listed) <= set(option.among))
            return (listed if fits else None), f"a list of {', '.join(option.among) or 'texts'}"
        case _:
            text = str(Text._validate(given)) if isinstance(given, str | int | float) else ""
            is_known = bool(text) and (not option.among or text in option.among)
            return (text if is_known else None), f"one of {', '.join(option.among)}" if option.among else "a text"


def _texts(given: object) -> Iterator[str]:
    for item in given if isinstance(given, list | tuple) else [given]:
        yield str(item)
