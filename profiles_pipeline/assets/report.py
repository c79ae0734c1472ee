"""Reads what runs without Dagster have left behind into the project's Dagster instance.

    python -m profiles_pipeline.assets.report <project_folder>

Files are read one after the other and removed when all of their records are in; only one reporter works at a time. A
reporter that dies leaves its file to the next one, which passes over what has been reported already.
"""

import functools
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from profiles_pipeline import report
from profiles_pipeline.assets import metadata
from profiles_pipeline.assets.instance import open_instance
from profiles_pipeline.assets.specs import describe_models
from profiles_pipeline.connections import embedded
from profiles_pipeline.errors import ProjectError
from profiles_pipeline.project import ProfilesProject

REJECTED = ".rejected"

Models = Callable[[str], Mapping[report.AssetPath, metadata.Described]]
"""SQL dialect of a project -> what it describes, by path of the asset."""


def report_pending(project_folder: Path) -> int:
    """Report every pending record to the project's instance and remove its file; return how many were new.

    A file that cannot be read is kept under another name and said so.
    """
    if not report.pending(project_folder):
        return 0
    models = functools.cache(lambda dialect: _models(project_folder, dialect))
    with open_instance(project_folder, "reporting runs to Dagster") as instance:
        return sum(_report_file(instance, file, project_folder, models) for file in report.pending(project_folder))


def _report_file(instance: dg.DagsterInstance, file: Path, project_folder: Path, models: Models) -> int:
    try:
        records = list(report.read(file))
    except ValueError as error:
        _say(f"{error}; kept as {file.name}{REJECTED}")
        file.rename(f"{file}{REJECTED}")
        return 0
    new = [record for record in records if not _is_known(instance, record)]
    for record in new:
        report_record(instance, record, project_folder, _described(models, record))
    file.unlink()
    return len(new)


def _described(models: Models, record: report.Record) -> metadata.Described | None:
    """Return the model of a record as the project describes it; None when it has changed since."""
    found = models(record.dialect).get(record.key)
    built_so = found is not None and found.model.fingerprint.startswith(record.code_version)
    return found if built_so else None


def _models(project_folder: Path, dialect: str) -> Mapping[report.AssetPath, metadata.Described]:
    """Return what a project describes, by path of the asset; nothing when it cannot be read any more."""
    try:
        project = ProfilesProject.load(project_folder, source_dialect=dialect)
    except ProjectError:
        return {}
    models = describe_models(project, embedded(project_folder))
    return {model.path: metadata.Described(project.project, model) for model in models}


def report_record(
    instance: dg.DagsterInstance, record: report.Record, project_folder: Path, described: metadata.Described | None
) -> None:
    """Report one built model: its materialization and the outcome of each of its checks."""
    key = dg.AssetKey(list(record.key))
    shown = metadata.of_record(record, project_folder, described)
    shown["profiles/built_at"] = dg.MetadataValue.timestamp(datetime.fromisoformat(record.built_at))
    instance.report_runless_asset_event(
        dg.AssetMaterialization(
            asset_key=key,
            description=f"Built by {record.run}",
            metadata=shown,
            tags=metadata.version_tags(record),
        )
    )
    for check in record.checks:
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=key,
                check_name=check.name,
                passed=check.broken == 0,
                severity=dg.AssetCheckSeverity.ERROR,
                description=check.description,
                metadata=metadata.of_check(check),
            )
        )


def _is_known(instance: dg.DagsterInstance, record: report.Record) -> bool:
    """True when the instance knows the event, or for a material that was reused, the material."""
    latest = instance.get_latest_materialization_event(dg.AssetKey(list(record.key)))
    if latest is None or latest.asset_materialization is None:
        return False
    shown = latest.asset_materialization.metadata
    field, wanted = ("profiles/material", record.material) if record.reused else ("profiles/event", record.identity)
    return field in shown and shown[field].value == wanted


def _say(text: str) -> None:
    print(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}", flush=True)


def main() -> int:
    """Report the pending records of the project named on the command line."""
    if len(sys.argv) != 2:
        print(f"usage: python -m {report.REPORTER} <project_folder>", file=sys.stderr)
        return 2
    count = report_pending(Path(sys.argv[1]).resolve())
    _say(f"reported {count} models")
    return 0


if __name__ == "__main__":
    sys.exit(main())
