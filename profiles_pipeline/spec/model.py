"""The shape of a project in its newest form: what every dialect is lifted to, and nothing else.

Values only. Each mapping forbids unknown keys; each object knows its place in the YAML through `span`, and each text
that holds SQL or a template is a `Text`, which knows its own place.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, field_validator, model_validator
from pydantic_core import PydanticCustomError, core_schema

from profiles_pipeline.errors import Span
from profiles_pipeline.namesakes import Namesakes
from profiles_pipeline.spec.placed import PlacedMap, WrittenFloat, WrittenInt


class Text(str):
    """A string of the YAML that remembers where it begins.

    Attributes:
        span: place of the first character of the content (for a block scalar, the line after ``|``).
        block: True for a literal block scalar, whose lines map one to one to lines of the file.
        turns: for another text over several lines, offset of what begins a line, and that line and column.
    """

    span: Span | None
    block: bool
    turns: tuple[tuple[int, int, int], ...] = ()

    def __new__(cls, value: object = "", span: Span | None = None, block: bool = False) -> Text:
        """Return `value` as a text that stands at `span`."""
        text = super().__new__(cls, value)
        text.span = span
        text.block = block
        return text

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Accept a Text as it is and any other scalar as its text."""
        return core_schema.no_info_plain_validator_function(cls._validate)

    @classmethod
    def _validate(cls, value: object) -> Text:
        if isinstance(value, Text):
            return value
        if isinstance(value, bool):
            return cls(str(value).lower())
        if isinstance(value, WrittenInt | WrittenFloat):
            return cls(value.text, value.span)
        if isinstance(value, str | int | float):
            return cls(value)
        raise ValueError("expected a text")


class Spec(BaseModel):
    """Base of all parts of a project: frozen, strict about keys, placed."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, arbitrary_types_allowed=True)

    span: Annotated[Span | None, Field(exclude=True, repr=False)] = None

    @model_validator(mode="before")
    @classmethod
    def _remember_place(cls, value: object) -> object:
        if not isinstance(value, PlacedMap):
            return value
        if "span" in value:
            raise PydanticCustomError("reserved_key", "span")
        return {**value, "span": value.span}


EnableStatus = Literal["good_to_have", "must_have", "only_if_necessary", "disabled"]
OutputType = Literal["table", "view", "ephemeral", "column", "none"]


class Materialization(Spec):
    """How a model is kept."""

    output_type: OutputType | None = None
    run_type: Literal["discrete", "incremental", "interactive"] | None = None
    enable_status: EnableStatus | None = None


class Hooks(Spec):
    """SQL run before and after a model."""

    pre_run: Text | None = None
    post_run: Text | None = None


class SqlSelection(Spec):
    """A column of a model, as used by id type filters and cohort filters."""

    select: Text
    from_: Annotated[Text, Field(alias="from")]
    where: Text | None = None


class IdFilter(Spec):
    """One include or exclude rule of an id type; exactly one of value, regex and sql is set."""

    type: Literal["include", "exclude"]
    value: Text | None = None
    regex: Text | None = None
    sql: SqlSelection | None = None


class IdTypeSpec(Spec):
    """A class of identifiers. `maximum_edges` maps an id type to the cap on edges to it."""

    name: Text
    extends: Text | None = None
    filters: tuple[IdFilter, ...] = ()
    maximum_edges: dict[str, int] = Field(default_factory=dict)


class UsingId(Spec):
    """A feature view keyed by an id type."""

    id: Text
    name: Text | None = None


class FeatureSelection(Spec):
    """Which features of a model a view takes."""

    from_: Annotated[Text, Field(alias="from")]
    include: tuple[Text, ...] = (Text("*"),)
    exclude: tuple[Text, ...] = ()


class FeatureViewsSpec(Spec):
    """The feature views of an entity or a cohort."""

    name: Text | None = None
    using_ids: tuple[UsingId, ...] = ()
    features: tuple[FeatureSelection, ...] = ()
    materialization: Materialization = Materialization()
    hooks: Hooks = Hooks()


class DefaultIdStitcher(Spec):
    """Options of the stitcher that exists when an entity names none."""

    materialization: Materialization = Materialization()
    incremental_timedelta: Text | None = None
    time_grain: Text | None = None
    validity_time: Text | None = None


class EntitySpec(Spec):
    """A kind of thing that is profiled."""

    name: Text
    id_column_name: Text | None = None
    id_stitcher: Text | None = None
    id_types: tuple[Text, ...] = ()
    default_id_stitcher: DefaultIdStitcher = DefaultIdStitcher()
    feature_views: FeatureViewsSpec = FeatureViewsSpec()
    hooks: Hooks = Hooks()
    description: Text | None = None


class PackageOverride(Spec):
    """Enable status set from outside on models of a package."""

    requested_enable_status: EnableStatus
    models: tuple[Text, ...] = ()


class PackageSpec(Spec):
    """Another project whose models are used here. `inputs_map` maps its inputs to ours, None switches one off."""

    name: Text
    url: Text
    inputs_map: Annotated[dict[str, Text | None], Field(alias="inputsMap")] = Field(default_factory=dict)
    mappings: dict[str, Text | None] = Field(default_factory=dict)
    """Model paths of the package that paths of this project replace (the oldest dialect)."""
    overrides: tuple[PackageOverride, ...] = ()


class IdStitcherRules(Spec):
    """The table of manual rules."""

    enabled: bool = False
    table_name: Text = Text("id_stitch_rules")
    priority: Literal["exclude", "include"] = "exclude"


class Tag(Spec):
    """A name that vars may carry."""

    name: Text
    description: Text | None = None


class IdSpec(Spec):
    """An identifier on the rows of an input or a SQL model."""

    select: Text
    type: Text
    entity: Text | None = None
    to_default_stitcher: bool = True
    as_col: Text | None = None


class ContractColumn(Spec):
    """A column promised by a contract."""

    name: Text
    datatype: Text | None = None
    is_optional: bool = False


class ContractSpec(Spec):
    """What consumers may rely on."""

    is_optional: bool = False
    is_event_stream: bool = False
    is_append_only: bool = False
    with_entity_ids: tuple[Text, ...] = ()
    with_columns: tuple[ContractColumn, ...] = ()


class SourceMetadata(Spec):
    """Where an input came from; shown, never used."""

    role: Text | None = None
    category: Text | None = None


class InputSpec(Spec):
    """A source of rows. Exactly one of table, view, csv and s3 is set."""

    name: Text
    table: Text | None = None
    view: Text | None = None
    csv: Text | None = None
    s3: Text | None = None
    occurred_at_col: Text | None = None
    ids: tuple[IdSpec, ...] = ()
    row_identifier: tuple[Text, ...] = ()
    where: Text | None = None
    contract: ContractSpec = ContractSpec()
    source_metadata: SourceMetadata = SourceMetadata()
    description: Text | None = None


class WindowSpec(Spec):
    """A window of a var."""

    partition_by: tuple[Text, ...] = ()
    order_by: tuple[Text, ...] = ()
    frame_clause: Text | None = None


class VarSpec(Spec):
    """What entity vars and input vars share."""

    name: Text
    select: Text | None = None
    from_: Annotated[Text | None, Field(alias="from")] = None
    where: Text | None = None
    window: WindowSpec | None = None
    default_value: Text | None = None
    description: Text | None = None
    column_data_type: Text | None = None


class EntityVarSpec(VarSpec):
    """One value per entity."""

    is_feature: bool = True
    tags: tuple[Text, ...] = ()
    time_grain: Text | None = None
    merge: Text | None = None
    merge_where: Text | None = None
    materialization: Materialization = Materialization()
    dependencies: tuple[Text, ...] = ()
    vartable_group: Text | None = None


class InputVarSpec(VarSpec):
    """One value per row of an input."""


class VarItem(Spec):
    """An entry of a var group; exactly one of the two is set."""

    entity_var: EntityVarSpec | None = None
    input_var: InputVarSpec | None = None


class VarGroupSpec(Spec):
    """Vars of one entity or cohort; exactly one of entity_key and entity_cohort is set."""

    name: Text
    entity_key: Text | None = None
    entity_cohort: Text | None = None
    time_grain: Text | None = None
    vars: tuple[VarItem, ...] = ()
    vartable_group: Text | None = None
    bare_names: bool = False
    """True when the group comes from a dialect in which SQL text names other vars without a template."""


class MacroSpec(Spec):
    """A named piece of template text."""

    name: Text
    inputs: tuple[Text, ...] = ()
    value: Text


class EdgeSource(Spec):
    """A model whose id pairs are edges; `ids` overrides its own."""

    from_: Annotated[Text, Field(alias="from")]
    ids: tuple[IdSpec, ...] = ()


class CommonModelSpec(Spec):
    """Keys that every model spec may have."""

    materialization: Materialization = Materialization()
    contract: ContractSpec | None = None
    time_grain: Text | None = None
    retention_period: Text | None = None
    validity_time: Text | None = None


class IdStitcherSpec(CommonModelSpec):
    """Identity stitching of one entity."""

    entity_key: Text
    edge_sources: tuple[EdgeSource, ...] = ()
    main_id_type: Text | None = None
    incremental_timedelta: Text | None = None
    max_iterations: int | None = None
    log_direct_edge_info: bool = False
    log_node_metadata: bool = False
    exclude_id_types: tuple[Text, ...] = ()


class FeatureSpec(Spec):
    """A named feature with words about it."""

    name: Text
    description: Text | None = None


class FeatureTableSpec(CommonModelSpec):
    """A table with one row per entity and chosen features; no `features` means all features of the entity."""

    entity_key: Text | None = None
    entity_cohort: Text | None = None
    features: tuple[Text, ...] | None = None


class SqlTemplateSpec(CommonModelSpec):
    """A free SQL model; exactly one of single_sql and multi_sql is set."""

    single_sql: Text | None = None
    multi_sql: Text | None = None
    occurred_at_col: Text | None = None
    ids: tuple[IdSpec, ...] = ()
    entity_key: Text | None = None
    entity_cohort: Text | None = None
    features: tuple[FeatureSpec, ...] = ()


class ColumnUnionSpec(CommonModelSpec):
    """The rows of several sources, as far as their columns go together."""

    inputs: tuple[Text, ...]
    occurred_at_col: Text | None = None
    ids: tuple[IdSpec, ...] = ()


class CohortFilter(Spec):
    """One step of a filter pipeline; exactly one of value and sql is set."""

    type: Literal["include", "exclude"]
    value: Text | None = None
    sql: SqlSelection | None = None


class FilterNode(Spec):
    """A tree of conditions; exactly one field is set."""

    expression: Text | None = None
    AND: tuple[FilterNode, ...] = ()
    OR: tuple[FilterNode, ...] = ()


class CohortSpec(CommonModelSpec):
    """A subset of an entity."""

    extends: Text | None = None
    entity_key: Text | None = None
    filter_pipeline: tuple[CohortFilter, ...] = ()
    filter_expression: FilterNode | None = None
    feature_views: FeatureViewsSpec = FeatureViewsSpec()


class FeatureViewModelSpec(CommonModelSpec):
    """A feature view declared as a model."""

    entity_key: Text | None = None
    entity_cohort: Text | None = None
    using_ids: tuple[UsingId, ...] = ()
    features: tuple[FeatureSelection, ...] = ()


class SessionSourceSpec(Spec):
    """Rows that are events of sessions. `columns` says what stands for columns of facts that the rows do not have."""

    from_: Annotated[Text, Field(alias="from")]
    event_id: Text | None = None
    event: Text | None = None
    anonymous_id: Text | None = None
    user_id: Text | None = None
    columns: dict[str, Text] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _read_path(cls, value: object) -> object:
        return {"from": value} if isinstance(value, Text) else value


class SessionFactSpec(Spec):
    """What is computed from the events of each session."""

    name: Text
    select: Text = Text("count(*)")
    where: Text | None = None


class SessionsSpec(Spec):
    """Sessions: what somebody did without a pause longer than `timeout`.

    `stages` are the steps of a funnel, in order: name and the condition of an event that reaches it. A day on which
    somebody has more than `max_events_per_day` events is left out of their sessions. With `compat` the
    relations are those of the published dbt project, by anonymous and user ids instead of the main id, and `rounding`
    says whether minutes are those that have passed, or whole ones only, as that project counts them on BigQuery.
    """

    entity_key: Text | None = None
    from_: Annotated[tuple[SessionSourceSpec, ...], Field(alias="from")]
    event_id: Text | None = None
    event: Text = Text("event")
    timeout: Text = Text("30m")
    max_duration: Text | None = None
    max_events_per_day: int | None = None
    repeats_within: Text = Text("30d")
    flow_events: int = 5
    facts: tuple[SessionFactSpec, ...] = ()
    stages: dict[str, Text] = Field(default_factory=dict)
    compat: bool = False
    rounding: Literal["none", "whole_minutes"] = "none"
    anonymous_id: Text = Text("anonymous_id")
    user_id: Text = Text("user_id")
    materialization: Materialization = Materialization()
    validity_time: Text | None = None

    @field_validator("from_", mode="before")
    @classmethod
    def _read_single(cls, value: object) -> object:
        return (value,) if isinstance(value, Text | PlacedMap) else value


class UnsupportedModelSpec(Spec):
    """A model type that is known but not computed; its keys are kept as they are."""

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)

    entity_key: Text | None = None
    materialization: Materialization = Materialization()


ModelBody = (
    IdStitcherSpec
    | FeatureTableSpec
    | SqlTemplateSpec
    | ColumnUnionSpec
    | CohortSpec
    | FeatureViewModelSpec
    | SessionsSpec
    | UnsupportedModelSpec
)


def _known_keys(spec: type[Spec]) -> set[str]:
    own = {field.alias or name for name, field in spec.model_fields.items()}
    return own.union(*(_known_keys(child) for child in spec.__subclasses__()))


SESSIONS = "sessions"
"""The model type that other tools do not know; it may stand in pipeline.yaml."""

MODEL_BODIES: dict[str, type[Spec]] = {
    "id_stitcher": IdStitcherSpec,
    "id_collator": IdStitcherSpec,
    "feature_table_model": FeatureTableSpec,
    "sql_template": SqlTemplateSpec,
    "common_column_union": ColumnUnionSpec,
    "entity_cohort": CohortSpec,
    "feature_view": FeatureViewModelSpec,
    SESSIONS: SessionsSpec,
}

UNSUPPORTED_MODEL_TYPES = frozenset(
    {
        "python_model", "propensity", "training_model", "prediction_model", "attribution", "llm_model",
        "llm_prompt_response", "llm_email_gen", "campaign_attribution_scores", "pyplot",
        "report_model", "profiles_tutorial", "audit_id_stitcher",
    }
)  # fmt: skip


class ModelSpec(Spec):
    """A named model. `body` is the spec of its type."""

    name: Text
    model_type: str
    hooks: Hooks = Hooks()
    body: ModelBody


class Optimizations(Spec):
    """The incumbent's tuning keys: read, and honoured where they change what a user sees."""

    enable_input_columns_filtering: bool | None = None
    main_id_addition_approach: Text | None = None
    bundle_input_vars: bool | None = None
    bundle_entity_vars: bool | None = None
    bundle_entity_vars_strategy: Text | None = None


class ProjectSpec(Spec):
    """A whole project, all files together, in its newest form."""

    name: Text
    folder: str
    """Absolute path of the project folder."""
    schema_version: int
    connection: Text | None = None
    model_folders: tuple[Text, ...] = ()
    entities: tuple[EntitySpec, ...] = ()
    id_types: tuple[IdTypeSpec, ...] = ()
    packages: tuple[PackageSpec, ...] = ()
    python_requirements: tuple[Text, ...] = ()
    retention_period: Text | None = None
    default_time_grain: Text | None = None
    carry_forward_privileges: bool = False
    id_stitcher_rules: IdStitcherRules = IdStitcherRules()
    tags: tuple[Tag, ...] = ()
    inputs: tuple[InputSpec, ...] = ()
    models: tuple[ModelSpec, ...] = ()
    var_groups: tuple[VarGroupSpec, ...] = ()
    macros: tuple[MacroSpec, ...] = ()
    optimizations: Optimizations = Optimizations()
    aliases: dict[str, str] = Field(default_factory=dict)
    """Path -> path it means; from the input maps of packages."""
    statuses: dict[str, str] = Field(default_factory=dict)
    """Path -> enable status, set from outside on models and vars of packages."""
    namesakes: Namesakes = Namesakes()
    """What is meant by names that cohorts of several entities have."""
    package_folders: tuple[str, ...] = ()
    """Folders of the packages merged into this project."""


KNOWN_KEYS = frozenset(_known_keys(Spec))
"""Every key that the newest form of the format has anywhere."""
