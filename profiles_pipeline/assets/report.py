"""Reads what runs without Dagster have left behind into the project's Dagster instance.

    python -m profiles_pipeline.assets.report <project_folder>

A run that has ended becomes known as a run; what a run has built that was killed becomes known without one. Files are
removed one after the other when all of their entries are in; only one reporter works at a time. A reporter that dies
leaves its files to the next one, which passes over what has been reported already.
"""

import functools
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from profiles_pipeline import report
from profiles_pipeline.assets import metadata
from profiles_pipeline.assets.definitions_builder import JOB_NAME, build_definitions
from profiles_pipeline.assets.instance import open_instance
from profiles_pipeline.assets.shown_runs import ShownRun, known_run, run_id, start_run
from profiles_pipeline.assets.specs import describe_models
from profiles_pipeline.connections import embedded
from profiles_pipeline.errors import ProjectError
from profiles_pipeline.project import ProfilesProject

REJECTED = ".rejected"


def report_pending(project_folder: Path) -> int:
    """Report every pending entry to the project's instance and remove its file; return how many models were new.

    A file that cannot be read is kept under another name and said so.
    """
    if not report.pending(project_folder):
        return 0
    with open_instance(project_folder, "reporting runs to Dagster") as instance:
        files = list(_readable(report.pending(project_folder)))
        reporter = Reporter(instance, project_folder, [entry for _, entries in files for entry in entries])
        new = 0
        for file, entries in files:
            new += sum(map(reporter.tell, entries))
            file.unlink()
        return new


def _readable(files: Iterable[Path]) -> Iterator[tuple[Path, list[report.Entry]]]:
    for file in files:
        try:
            entries = list(report.read(file))
        except ValueError as error:
            _say(f"{error}; kept as {file.name}{REJECTED}")
            file.rename(f"{file}{REJECTED}")
        else:
            yield file, entries


@dataclass(frozen=True, eq=False)
class Reporter:
    """Tells the instance of a project what its runs have left behind: `entries`, one after the other."""

    instance: dg.DagsterInstance
    folder: Path
    entries: Sequence[report.Entry]

    def tell(self, entry: report.Entry) -> bool:
        """Report an entry; True for a model that the instance did not know to be built."""
        shown = known_run(self.instance, entry.run) or self._started(entry.run)
        if isinstance(entry, report.Record):
            return self._tell_built(entry, shown)
        if isinstance(entry, report.InputSeen):
            seen = metadata.observation(entry)
            if shown is None:
                self.instance.report_runless_asset_event(seen)
            else:
                shown.event(seen, datetime.fromisoformat(entry.seen_at))
        elif shown is not None:
            shown.end(entry)
        return False

    def _started(self, name: str) -> ShownRun | None:
        """Make a run known; return None for one that is known, that has not ended, or whose project is gone."""
        record = next((e for e in self.entries if isinstance(e, report.RunRecord) and e.run == name), None)
        if record is None or self.instance.get_run_by_id(run_id(name)) is not None:
            return None
        built = [e for e in self.entries if isinstance(e, report.Record) and e.run == name]
        job = self.job(built[0].dialect if built else None)
        if job is None:
            return None
        paths = [e.key for e in built if not _is_known(self.instance, e)]
        paths += [record.failed] if record.failed else []
        return start_run(self.instance, record, job, [dg.AssetKey(list(path)) for path in paths])

    def _tell_built(self, record: report.Record, shown: ShownRun | None) -> bool:
        if _is_known(self.instance, record):
            return False
        events = metadata.built_events(record, self.folder, self._described(record))
        key = dg.AssetKey(list(record.key))
        if shown is None or key not in (shown.run.asset_selection or ()):
            for event in events:
                self.instance.report_runless_asset_event(event)
        else:
            shown.step(key, datetime.fromisoformat(record.built_at), record.seconds, events)
        return True

    def _described(self, record: report.Record) -> metadata.Described | None:
        """Return the model of a record as the project describes it; None when it has changed since."""
        found = self.models(record.dialect).get(record.key)
        built_so = found is not None and found.model.fingerprint.startswith(record.code_version)
        return found if built_so else None

    @functools.cache  # noqa: B019 - there is one reporter in a process, and it is there to the end
    def project(self, dialect: str | None) -> ProfilesProject | None:
        """Return the project in a dialect, or in that which is found out; None when it cannot be read any more."""
        try:
            return ProfilesProject.load(self.folder, source_dialect=dialect)
        except ProjectError:
            return None

    @functools.cache  # noqa: B019
    def models(self, dialect: str) -> Mapping[report.AssetPath, metadata.Described]:
        """Return what the project describes, by path of the asset."""
        project = self.project(dialect)
        if project is None:
            return {}
        models = describe_models(project, embedded(self.folder))
        return {model.path: metadata.Described(project.project, model) for model in models}

    @functools.cache  # noqa: B019
    def job(self, dialect: str | None) -> dg.JobDefinition | None:
        """Return the job that builds all of the project; None when it cannot be read any more."""
        project = self.project(dialect)
        if project is None:
            return None
        return build_definitions(project, output=embedded(self.folder)).resolve_job_def(JOB_NAME)


def _is_known(instance: dg.DagsterInstance, record: report.Record) -> bool:
    """True when the instance knows the event, or for a material that was reused, the material and its partitions."""
    key = dg.AssetKey(list(record.key))
    latest = instance.get_latest_materialization_event(key)
    if latest is None or latest.asset_materialization is None:
        return False
    shown = latest.asset_materialization.metadata
    field, wanted = ("profiles/material", record.material) if record.reused else ("profiles/event", record.identity)
    if record.reused and not instance.get_materialized_partitions(key).issuperset(record.partitions):
        return False
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
