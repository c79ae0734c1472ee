"""What Dagster shows about a model that was built: one rendering for runs and for reports."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from profiles_pipeline import lineage
from profiles_pipeline.assets.specs import rekeyed_lineage
from profiles_pipeline.assets.translator import ModelProps, lineage_value
from profiles_pipeline.errors import Check
from profiles_pipeline.funnels import ReachedStage, drawing
from profiles_pipeline.report import InputSeen, Record, asset_path
from profiles_pipeline.resolve.model import Project

SQL_LIMIT = 50_000
"""Characters of SQL that are kept with an event; the rest stays in the file."""


@dataclass(frozen=True)
class Described:
    """A model as the project describes it, for what is said of it once it is built.

    `renamed` maps the usual key of each model of the project to the key it has.
    """

    project: Project
    model: ModelProps
    renamed: Mapping[dg.AssetKey, dg.AssetKey] = field(default_factory=dict)


def of_record(record: Record, project_folder: Path, described: Described | None) -> dict[str, dg.MetadataValue]:
    """Return the metadata of a materialization, the same whoever built it.

    Where the project no longer describes the model as it was built, there are no descriptions and no lineage.
    """
    words = {f.name: f.description for f in described.model.features} if described else {}
    columns = [dg.TableColumn(name, kind, description=words.get(name)) for name, kind in record.columns]
    found: dict[str, dg.MetadataValue] = {
        "dagster/column_schema": dg.MetadataValue.table_schema(dg.TableSchema(columns)),
        "profiles/material": dg.MetadataValue.text(record.material),
        "profiles/relation": dg.MetadataValue.text(record.relation),
        "profiles/seq_no": dg.MetadataValue.int(record.seq_no),
        "profiles/end_time": dg.MetadataValue.timestamp(datetime.fromisoformat(record.end)),
        "profiles/seconds": dg.MetadataValue.float(round(record.seconds, 3)),
        "profiles/reused": dg.MetadataValue.bool(record.reused),
        "profiles/run": dg.MetadataValue.text(record.run),
        "profiles/event": dg.MetadataValue.text(record.identity),
    }
    if record.view:
        found["dagster/relation_identifier"] = dg.MetadataValue.text(record.view)
    origins = built_lineage(described, [name for name, _ in record.columns]) if described else None
    if origins and origins.deps_by_column:
        found["dagster/column_lineage"] = dg.MetadataValue.column_lineage(origins)
    if record.begin:
        found["profiles/begin_time"] = dg.MetadataValue.timestamp(datetime.fromisoformat(record.begin))
    counts = {"dagster/row_count": record.rows, "profiles/bytes_scanned": record.bytes_scanned}
    found |= {name: dg.MetadataValue.int(count) for name, count in counts.items() if count is not None}
    if record.defined_in:
        file, line = record.defined_in
        found["profiles/defined_in"] = dg.MetadataValue.path(f"{project_folder / file}:{line}")
    if record.action:
        found["profiles/action"] = dg.MetadataValue.text(f"{record.action}: {record.reason}")
    if record.strategies:
        found["profiles/strategies"] = _strategies(record.strategies)
    if record.funnel:
        found |= _funnel(record)
    if record.sql_file:
        found |= _sql(project_folder / record.sql_file)
    return found


_BRIEF = ("profiles/material", "profiles/seq_no", "profiles/end_time", "profiles/run")


def brief(found: Mapping[str, dg.MetadataValue]) -> dict[str, dg.MetadataValue]:
    """Return of the metadata of a materialization what tells for which other one it stands."""
    return {name: found[name] for name in _BRIEF if name in found}


def built_events(
    record: Record,
    project_folder: Path,
    described: Described | None,
    renamed: Mapping[dg.AssetKey, dg.AssetKey] = {},
) -> list[dg.AssetMaterialization | dg.AssetCheckEvaluation]:
    """Return what there is to tell of a built model: its materializations, and the outcome of each of its checks.

    There is one materialization for each partition that it stands for; the last one has all that is said of it.
    """
    usual = dg.AssetKey(list(record.key))
    key = renamed.get(usual, usual)
    said = of_record(record, project_folder, described)
    said["profiles/built_at"] = dg.MetadataValue.timestamp(datetime.fromisoformat(record.built_at))
    keys = record.partitions or (None,)
    built = [
        dg.AssetMaterialization(
            asset_key=key,
            description=f"Built by {record.run}",
            metadata=said if partition == keys[-1] else brief(said),
            partition=partition,
            tags=version_tags(record, renamed) | _outside_tags(described),
        )
        for partition in keys
    ]
    checks = [
        dg.AssetCheckEvaluation(
            asset_key=key,
            check_name=check.name,
            passed=check.broken == 0,
            severity=severity_of(check),
            description=check.description,
            metadata=of_check(check),
        )
        for check in record.checks
    ]
    return [*built, *checks]


def observation(seen: InputSeen) -> dg.AssetObservation:
    """Return what there is to say of an input that was looked at."""
    return observed(dg.AssetKey(list(seen.key)), of_input(seen), seen.version)


def observed(key: dg.AssetKey, said: Mapping[str, dg.MetadataValue], version: str | None) -> dg.AssetObservation:
    """Return an observation of an input, with the version of its rows if it is known."""
    return dg.AssetObservation(key, metadata=said, tags={DATA_VERSION_TAG: version} if version else None)


def of_input(seen: InputSeen) -> dict[str, dg.MetadataValue]:
    """Return the metadata of an observation."""
    columns = [dg.TableColumn(name, kind) for name, kind in seen.columns]
    return {
        "dagster/row_count": dg.MetadataValue.int(seen.rows),
        "dagster/column_schema": dg.MetadataValue.table_schema(dg.TableSchema(columns)),
        "dagster/relation_identifier": dg.MetadataValue.text(seen.table),
        "profiles/read_from": dg.MetadataValue.text(seen.origin),
        "profiles/rows_of_the_future": dg.MetadataValue.int(seen.ahead),
        "profiles/rows_before_1971": dg.MetadataValue.int(seen.early),
    }


def built_lineage(described: Described, columns: Sequence[str]) -> dg.TableColumnLineage:
    """Return the lineage of a model whose columns are known, those that were passed on untouched included."""
    model = described.model
    written = {name.lower(): name for name in columns}
    known = {written.get(name.lower(), name): sources for name, sources in (model.lineage or {}).items()}
    others = {
        name: tuple((asset_path(described.project, s.path), s.column) for s in sources)
        for name, sources in lineage.passed_on(model.model, known, columns).items()
    }
    return rekeyed_lineage(lineage_value(known | others), described.renamed)


def _strategies(strategies: Sequence[tuple[str, str, str]]) -> dg.MetadataValue:
    """Return how each var was brought up to date, as a table."""
    names = ("var", "brought up to date by", "because")
    columns = dg.TableSchema([dg.TableColumn(name, "string") for name in names])
    return dg.MetadataValue.table([dg.TableRecord(dict(zip(names, row, strict=True))) for row in strategies], columns)


def _funnel(record: Record) -> dict[str, dg.MetadataValue]:
    """Return a funnel as a picture and as a table."""
    stages = [ReachedStage(*stage) for stage in record.funnel]
    picture = base64.b64encode(drawing(record.key[-1], stages).encode()).decode()
    names = ("stage", "sessions", "visitors", "mean_seconds")
    kinds = ("string", "int", "int", "float")
    columns = dg.TableSchema([dg.TableColumn(name, kind) for name, kind in zip(names, kinds, strict=True)])
    rows = [dg.TableRecord(dict(zip(names, stage, strict=True))) for stage in record.funnel]
    return {
        "profiles/funnel": dg.MetadataValue.md(f"![funnel](data:image/svg+xml;base64,{picture})"),
        "profiles/stages": dg.MetadataValue.table(rows, columns),
    }


def _sql(file: Path) -> dict[str, dg.MetadataValue]:
    where = {"profiles/sql_file": dg.MetadataValue.path(str(file))}
    if not file.is_file():
        return where  # type: ignore[return-value]
    text = shortened(file.read_text(encoding="utf-8"), file)
    return {"profiles/sql": dg.MetadataValue.md(f"```sql\n{text}\n```"), **where}


def shortened(text: str, file: Path) -> str:
    """Return SQL text cut at a line end when it is too long to be kept with an event."""
    if len(text) <= SQL_LIMIT:
        return text.strip()
    kept = text[:SQL_LIMIT].rpartition("\n")[0]
    return f"{kept}\n-- {len(text) - len(kept)} more characters in {file}"


def severity_of(check: Check) -> dg.AssetCheckSeverity:
    """Return how bad it is when a check does not pass."""
    return dg.AssetCheckSeverity.ERROR if check.severity == "error" else dg.AssetCheckSeverity.WARN


def of_check(check: Check) -> Mapping[str, dg.MetadataValue]:
    """Return the metadata of a check's outcome."""
    return {"profiles/broken_rows": dg.MetadataValue.int(check.broken)}


def _outside_tags(described: Described | None) -> dict[str, str]:
    """Return the tags that Dagster itself would have written for tables that are nobody's asset."""
    keys = [key.to_user_string() for key in described.model.outside] if described else []
    return {f"dagster/input_data_version/{key}": "INITIAL" for key in keys} | {
        f"dagster/input_event_pointer/{key}": "NULL" for key in keys
    }


def version_tags(record: Record, renamed: Mapping[dg.AssetKey, dg.AssetKey] = {}) -> dict[str, str]:
    """Return the tags by which Dagster tells whether a materialization is up to date.

    They are those that Dagster itself would have written, had a run of its own built the model. Inputs come from
    outside and have the version that Dagster takes for granted.
    """
    tags = {
        "dagster/code_version": record.code_version,
        "dagster/data_version": record.material,
        "dagster/data_version_is_user_provided": "true",
    }
    for path, version in record.inputs:
        usual = dg.AssetKey(list(path))
        key = renamed.get(usual, usual).to_user_string()
        tags[f"dagster/input_data_version/{key}"] = version or "INITIAL"
        tags[f"dagster/input_event_pointer/{key}"] = "NULL"
    return tags
