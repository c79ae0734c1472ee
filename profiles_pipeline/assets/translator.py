"""Says what a model looks like in Dagster. The one class that users subclass."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import dagster as dg

from profiles_pipeline.assets.partitioning import definition_of
from profiles_pipeline.compile import Audit
from profiles_pipeline.errors import Span
from profiles_pipeline.names import safe_identifier
from profiles_pipeline.partitions import LENGTHS, Calendar
from profiles_pipeline.report import AssetPath
from profiles_pipeline.resolve.model import Model
from profiles_pipeline.resolve.publishing import Publisher

INPUTS_GROUP = "inputs"
PUBLISH_GROUP = "publish"
SHORTEST_FRESHNESS = timedelta(minutes=1)
"""Dagster looks at the age of assets no more often."""


@dataclass(frozen=True)
class Feature:
    """A column that the project describes."""

    name: str
    description: str | None = None


@dataclass(frozen=True)
class ModelProps:
    """Everything known about a model before it is built.

    Attributes:
        project: name of the project.
        folder: absolute path of the project folder.
        path: path of its asset, names as the project writes them.
        parents: paths of the assets that it is built from.
        model_type: such as ``id_stitcher``; ``input`` for what is only read.
        entity: name of its entity; None for a SQL model without one, and an input with ids of none or of several.
        fingerprint: hash of its compiled SQL and of everything upstream.
        relation: the name under which it is read: ``schema.name``; the table of an input.
        warehouse: such as ``duckdb``.
        kind: table or view; None for an input.
        features: its vars or features, in order.
        lineage: column -> the columns that decide it, each as asset path and column.
        audits: the checks that follow each build.
        calendars: the partitions of its asset and of those that it is built from, by path; none for an asset without.
        tables: tables of the warehouse that its SQL names without an input in between, as it writes them.
    """

    project: str
    folder: Path
    model: Model
    path: AssetPath
    parents: tuple[AssetPath, ...]
    model_type: str
    entity: str | None
    fingerprint: str
    relation: str
    warehouse: str
    kind: str | None
    features: tuple[Feature, ...] = ()
    lineage: Mapping[str, tuple[tuple[AssetPath, str], ...]] | None = None
    audits: tuple[Audit, ...] = ()
    calendars: Mapping[AssetPath, Calendar] = field(default_factory=dict)
    tables: tuple[str, ...] = ()

    @property
    def outside(self) -> tuple[dg.AssetKey, ...]:
        """Keys of the assets that stand for `tables`: the parts of the name of each, in lower case."""
        return tuple(dg.AssetKey([part.strip('"`').lower() for part in name.split(".")]) for name in self.tables)

    @property
    def calendar(self) -> Calendar | None:
        """Its partitions."""
        return self.calendars.get(self.path)

    @property
    def is_input(self) -> bool:
        """True for rows that come from outside, which Dagster shows and never builds."""
        return self.kind is None


@dataclass(frozen=True)
class PublisherProps:
    """What is known about a publisher.

    Attributes:
        project: name of the project.
        folder: absolute path of the project folder.
        parents: keys of the assets that it reads.
        relation: its table: ``schema.name``.
    """

    project: str
    folder: Path
    publisher: Publisher
    parents: tuple[dg.AssetKey, ...]
    relation: str


class ProfilesTranslator:
    """Turns a model into an asset spec.

    Override `get_asset_spec` to change keys, groups, tags, owners and the like. Keys may change freely: dependencies
    and column lineage between the models of a project follow the new keys by themselves.

    Example:
        .. code-block:: python

            class Prefixed(ProfilesTranslator):
                def get_asset_spec(self, model):
                    spec = super().get_asset_spec(model)
                    return spec.replace_attributes(key=spec.key.with_prefix("c360"), owners=["team:growth"])
    """

    def get_asset_spec(self, model: ModelProps) -> dg.AssetSpec:
        """Return the spec of a model."""
        tags = {"profiles/project": model.project, "profiles/model_type": model.model_type}
        if model.entity:
            tags["profiles/entity"] = model.entity
        group = model.entity or (INPUTS_GROUP if model.is_input else "models")
        return dg.AssetSpec(
            key=dg.AssetKey(list(model.path)),
            deps=[*(_dependency(model, parent) for parent in model.parents), *map(dg.AssetDep, model.outside)],
            description=describe(model),
            group_name=safe_identifier(group),
            kinds={model.warehouse, model.kind or "input"},
            tags={name: tag_value(value) for name, value in tags.items()},
            code_version=None if model.is_input else model.fingerprint[:16],
            partitions_def=definition_of(model.calendar) if model.calendar else None,
            freshness_policy=_freshness(model.model.validity),
            metadata=_metadata(model),
        )

    def get_publisher_spec(self, publisher: PublisherProps) -> dg.AssetSpec:
        """Return the spec of a publisher; its dependencies are the keys of the models that it reads."""
        declared = publisher.publisher
        metadata: dict[str, object] = {"dagster/relation_identifier": publisher.relation}
        if declared.span is not None:
            metadata["dagster/code_references"] = _reference(publisher.folder, declared.span)
        source, destination = declared.source, declared.destination.name
        listed = [f"- `{item.name}`" for item in declared.properties]
        return dg.AssetSpec(
            key=dg.AssetKey(["publish", declared.name]),
            deps=list(publisher.parents),
            description="\n".join([f"Publishes {source} to {destination}, one row per {declared.key}.", "", *listed]),
            group_name=PUBLISH_GROUP,
            kinds={destination},
            tags={"profiles/project": tag_value(publisher.project), "profiles/destination": tag_value(destination)},
            metadata=metadata,
        )


def _dependency(model: ModelProps, parent: AssetPath) -> dg.AssetDep:
    """Return a dependency. Between equal partitions, and where one side has none, Dagster knows what belongs together.

    A model is as of the end of its partition, and reads what was there then: of longer partitions the last one that had
    ended.
    """
    own, other = model.calendar, model.calendars.get(parent)
    key = dg.AssetKey(list(parent))
    if own is None or other is None or own == other:
        return dg.AssetDep(key)
    behind = 0 if LENGTHS[other.cadence] <= LENGTHS[own.cadence] else -1
    with warnings.catch_warnings():
        # Dagster calls this parameter beta; saying so once per dependency helps nobody.
        warnings.simplefilter("ignore", dg.BetaWarning)
        mapping = dg.TimeWindowPartitionMapping(behind, behind, allow_nonexistent_upstream_partitions=True)
    return dg.AssetDep(key, partition_mapping=mapping)


def _freshness(validity: timedelta | None) -> dg.FreshnessPolicy | None:
    """Return when a model counts as overdue: it may be half its validity time late, and has failed once it is twice
    as old."""
    if validity is None or validity < SHORTEST_FRESHNESS:
        return None
    return dg.FreshnessPolicy.time_window(fail_window=2 * validity, warn_window=1.5 * validity)


def describe(model: ModelProps) -> str:
    """Return the description of a model as Markdown: its own words and a list of its columns with theirs."""
    words = model.model.description or _default_description(model)
    listed = [_listed(feature) for feature in model.features]
    return "\n".join([words, "", *listed]) if listed else words


def _listed(feature: Feature) -> str:
    words = " ".join((feature.description or "").split())
    return f"- `{feature.name}`: {words}" if words else f"- `{feature.name}`"


def _default_description(model: ModelProps) -> str:
    return {
        "input": f"Rows of `{model.relation}`.",
        "sql_template": "SQL model.",
        "entity_cohort": f"A part of {model.entity}.",
        "feature_table_model": f"Chosen features of {model.entity}, one row each.",
        "feature_view": f"Features of {model.entity}, one row each.",
    }.get(model.model_type, f"{model.model_type} of {model.entity}.")


def tag_value(text: str) -> str:
    """Return `text` as Dagster accepts it for the value of a tag."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-.") else "_" for c in text)[:63]


def lineage_value(lineage: Mapping[str, tuple[tuple[AssetPath, str], ...]]) -> dg.TableColumnLineage:
    """Return column lineage in Dagster's form."""
    return dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(asset_key=dg.AssetKey(list(path)), column_name=name) for path, name in sources]
            for column, sources in lineage.items()
        }
    )


def _metadata(model: ModelProps) -> dict[str, object]:
    found: dict[str, object] = {"dagster/relation_identifier": model.relation}
    span = model.model.span
    if span is not None:
        found["dagster/code_references"] = _reference(model.folder, span)
    if model.lineage:
        found["dagster/column_lineage"] = lineage_value(model.lineage)
    return found


def _reference(folder: Path, span: Span) -> dg.CodeReferencesMetadataValue:
    with warnings.catch_warnings():
        # Dagster calls code references beta; saying so once per model helps nobody.
        warnings.simplefilter("ignore", dg.BetaWarning)
        place = dg.LocalFileCodeReference(
            file_path=str(folder / span.file), line_number=span.line, label=f"{span.file}:{span.line}"
        )
        return dg.CodeReferencesMetadataValue(code_references=[place])
