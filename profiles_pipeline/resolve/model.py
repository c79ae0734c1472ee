"""A project whose references are resolved: every name points at a value that exists. Values only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Literal

from profiles_pipeline.errors import Broken, Span
from profiles_pipeline.grains import TICK
from profiles_pipeline.names import normalise_path
from profiles_pipeline.resolve.hooks import Hook
from profiles_pipeline.spec.model import (
    CohortFilter,
    EntityVarSpec,
    FilterNode,
    IdFilter,
    InputVarSpec,
    MacroSpec,
    ProjectSpec,
    SqlTemplateSpec,
    Text,
)
from profiles_pipeline.sql import Columns

RULES = "id_stitcher_rules"
"""Path of the input that holds the manual rules of all id stitchers."""

MAIN_ID_TYPES = frozenset({"rudder_id", "main_id"})
"""Names of id types that mean the main id of whatever entity."""

NameKind = Literal["entity", "cohort", "rows"]


@dataclass(frozen=True, slots=True)
class IdType:
    """A class of identifiers with the filters that decide which values count.

    `maximum_edges` are caps: to how many different ids of another type an id of this one may be tied.
    """

    name: str
    filters: tuple[IdFilter, ...] = ()
    maximum_edges: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Entity:
    """A kind of thing that is profiled; `id_column` names its main id in every output."""

    name: str
    id_column: str
    id_types: tuple[str, ...]
    stitcher: str
    """Path of its id stitcher."""
    span: Span | None = None
    description: str | None = None
    main_id_type: str | None = None
    """What the stitcher calls the type of its main ids, where it says so."""

    @property
    def all_cohort(self) -> str:
        """Path of the cohort of every instance."""
        return f"{self.name.lower()}/all"

    def names_main_id(self, id_type: str) -> bool:
        """Return whether a type of ids is no type like others, but means the main id of this entity."""
        own = {name.lower() for name in (self.id_column, self.main_id_type) if name}
        return id_type.lower() in MAIN_ID_TYPES | own


@dataclass(frozen=True, slots=True)
class RowId:
    """An identifier found on the rows of a source. `id_type` None means that the value already is a main id."""

    select: Text
    id_type: str | None
    entity: str
    to_default_stitcher: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """What every model has: a path (lower case), the base name of its relations, and a place in the YAML."""

    path: str
    name: str
    span: Span | None = None
    description: str | None = None
    time_grain: str = TICK
    """Boundary to which its time context is moved back."""
    validity: timedelta | None = None
    """For how long what it holds is good enough, where the author says it; it has no part in what is computed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source(Model):
    """Rows that vars may read: the identifiers on each, and when it happened."""

    ids: tuple[RowId, ...] = ()
    occurred_at: Text | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Input(Source):
    """Rows that come from outside."""

    table: Text
    where: Text | None = None
    is_optional: bool = False
    """True when the project can do without it."""
    csv: Text | None = None
    """File in the project that has the rows themselves; then there is no table."""
    column_types: tuple[tuple[str, str], ...] = ()
    """Lower-case column name and type, as far as the contract promises them."""
    required_columns: tuple[Text, ...] = ()
    """Names of columns that the contract says are there."""
    optional_columns: frozenset[str] = frozenset()
    """Lower-case names of columns that the contract says may be missing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SqlModel(Source):
    """A relation written in SQL by the user."""

    spec: SqlTemplateSpec
    output: Literal["table", "view", "ephemeral"]
    cohort: str | None = None
    """Path of the cohort whose features its columns are, if any."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnUnion(SqlModel):
    """The rows of several sources with the columns that all of them have. `united` are the paths of the sources."""

    united: tuple[str, ...]

    def of(self, united: Sequence[str]) -> ColumnUnion:
        """Return the union of only these sources."""
        return replace(self, united=tuple(united), spec=united_text(united))


def united_text(paths: Sequence[str]) -> SqlTemplateSpec:
    """Return the text of a model that has the rows of the models at `paths`."""
    selects = (f"select * from {{{{ this.DeRef('{path}') }}}}" for path in paths)
    return SqlTemplateSpec(single_sql=Text(" union all ".join(selects)))


@dataclass(frozen=True, slots=True)
class EdgeSource:
    """A source of edges and the ids that count on it."""

    path: str
    ids: tuple[RowId, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """The manual rules that an identity graph obeys.

    Attributes:
        path: path of the input that holds them.
        priority: which wins where an id is left out and an edge to it is added.
        entities: keys of the entities whose rules count.
        id_types: names of the id types that rules may name, ordered.
    """

    path: str
    priority: Literal["exclude", "include"]
    entities: tuple[str, ...]
    id_types: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stitcher(Model):
    """The identity graph of an entity."""

    entity: str
    id_column: str
    sources: tuple[EdgeSource, ...]
    id_types: tuple[IdType, ...]
    """Types of all ids on its sources, with filters; ordered by name."""
    rules: Rules | None = None
    as_table: bool = False
    """Whether the graph itself is a table; else it is a view of the mappings."""
    log_direct_edge_info: bool = False
    """Whether the graph says of each id with which others it was seen."""
    log_node_metadata: bool = False
    """Whether the graph says of each id where it was seen first."""


@dataclass(frozen=True, slots=True)
class InputVar:
    """A column added to the rows of a source."""

    name: str
    source: str
    entity: str
    spec: InputVarSpec
    bare_names: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class InputVarTable(Model):
    """The rows of a source with row id, main ids and input vars."""

    source: str
    entities: tuple[str, ...]
    vars: tuple[InputVar, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Cohort(Model):
    """A subset of an entity. `parent` None means all instances of it."""

    entity: str
    parent: str | None = None
    pipeline: tuple[CohortFilter, ...] = ()
    expression: FilterNode | None = None
    as_table: bool = True

    @property
    def is_filtered(self) -> bool:
        """Whether it has filters of its own."""
        return bool(self.pipeline) or self.expression is not None


@dataclass(frozen=True, slots=True)
class EntityVar:
    """One value per member of a cohort. `source` None means that it is computed from other vars alone."""

    name: str
    cohort: str
    entity: str
    source: str | None
    spec: EntityVarSpec
    bare_names: bool = False
    time_grain: str = TICK


@dataclass(frozen=True, kw_only=True, slots=True)
class VarTable(Model):
    """One row per member of a cohort, one column per var.

    A var table is built in one part unless a model in between reads some of its vars to make rows for others.
    Part k holds every var of parts 0 to k; the last part carries the plain path.
    """

    cohort: str
    vars: tuple[EntityVar, ...]
    """The cohort's own vars of this part, inherited ones not included."""
    previous: str | None = None
    """Path of the part before this one."""
    inherited: str | None = None
    """Path of the parent cohort's var table; None also for a part that this table needs itself."""
    coarser: tuple[str, ...] = ()
    """Paths of the tables of those vars of the cohort that have a coarser time grain; their columns are joined."""


@dataclass(frozen=True, slots=True)
class FeatureModel:
    """Features that a SQL model adds to a cohort."""

    path: str
    columns: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureTable(Model):
    """A table of chosen features of a cohort."""

    cohort: str
    features: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureView(Model):
    """A view of the features of a cohort, keyed by the main id or by an id type."""

    cohort: str
    id_type: str | None = None
    base: str | None = None
    """Path of the main-id view that a view by id type reads."""
    features: tuple[str, ...] | None = None
    """Names of those that the author chose; None for all that the cohort has."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unsupported(Model):
    """A model of a type that is known but not computed. It is always disabled, and what needs it with it."""

    model_type: str


@dataclass(frozen=True, slots=True)
class Project:
    """A project in which every reference has been found.

    Attributes:
        models: every model by path, sources first, in the order of declaration.
        entity_vars: cohort path -> lower-case name -> var, own vars only.
        input_vars: source path -> lower-case name -> var.
        names: lower-case global name in templates -> what it is.
        statuses: path -> enable status, where the author gives one.
        source_dialect: the dialect in which the project's SQL is written.
        left_out: paths of models that the author has written and that are not among `models`, for they cannot run.
        broken: what is declared but cannot be used.
    """

    spec: ProjectSpec
    entities: Mapping[str, Entity]
    id_types: Mapping[str, IdType]
    models: Mapping[str, Model]
    entity_vars: Mapping[str, Mapping[str, EntityVar]]
    input_vars: Mapping[str, Mapping[str, InputVar]]
    feature_models: Mapping[str, tuple[FeatureModel, ...]]
    names: Mapping[str, NameKind]
    macros: tuple[MacroSpec, ...]
    source_dialect: str = "snowflake"
    left_out: frozenset[str] = frozenset()
    statuses: Mapping[str, str] = field(default_factory=dict)
    broken: Broken = field(default_factory=Broken)
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Other spellings of model paths, such as ``entity/user/var_table``."""
    hooks: Mapping[str, tuple[Hook, ...]] = field(default_factory=dict)
    """Path -> what runs right before and after the model is built, in that order."""
    columns: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Path of a source -> lower-case names of its columns, as far as these have been looked up."""
    types: Mapping[str, Columns] = field(default_factory=dict)
    """Path of an input, or ``table:`` and the name of a table that only texts name -> types of its columns, as far as
    these have been looked up."""

    @property
    def name(self) -> str:
        """The project's name."""
        return str(self.spec.name)

    @property
    def untyped(self) -> Project:
        """The project by itself, whatever the types of its sources are."""
        return replace(self, types={}) if self.types else self

    def meant(self, path: str) -> str:
        """Return the path that a path in any spelling stands for, inputs that a package's are mapped to included."""
        wanted = normalise_path(path)
        head, slash, rest = wanted.removeprefix("inputs/").partition("/")
        mapped = self.aliases.get(f"inputs/{head}") if wanted.startswith("inputs/") else None
        return f"{mapped}{slash}{rest}" if mapped else self.aliases.get(wanted, wanted)
