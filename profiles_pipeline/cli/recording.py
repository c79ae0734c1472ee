"""Leaves behind what a run of the command line does, for the project's Dagster instance; see `report`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

from profiles_pipeline import report, run
from profiles_pipeline.connections import Output
from profiles_pipeline.errors import ProfilesError, RunError
from profiles_pipeline.partitions import Partitions, partitions_of, shown
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.windows import Window

Outcome = run.Report | ProfilesError | KeyboardInterrupt


@dataclass(frozen=True)
class Recorder:
    """Writes down one run.

    Attributes:
        project: the project as it was read.
        name: a UUID in hexadecimal digits.
        asked: keys of the first and the last partition that it was asked for.
        odd: the inputs that have rows of the future, or from before 1971.
    """

    project: ProfilesProject
    output: Output
    name: str
    started: datetime
    asked: tuple[str, str] | None = None
    odd: list[report.InputSeen] = field(default_factory=list)

    @cached_property
    def partitions(self) -> Partitions | None:
        """The partitions of the project."""
        return partitions_of(self.project, self.started)

    def built(self, event: run.Built, planned: run.Planned) -> None:
        """Write down a model as soon as it is built, so that no crash can lose it."""
        if event.own:
            window = planned.plan.window
            keys = self._shown(event.model.path, event.as_of or window.end, window)
            report.append(self.project.folder, report.record(planned.project, event, window, self.name, keys))

    def inputs(self, session: run.Session, built: tuple[run.Built, ...]) -> None:
        """Write down the inputs that were read."""
        for model in report.inputs_behind(session, built):
            with suppress(ProfilesError):  # all is built: what cannot be counted must not make the run a failure
                seen = report.input_seen(session, model, self.name)
                session.registry.note_input_rows(session.project.name, model.path, seen.rows)
                report.append(self.project.folder, seen)
                if seen.ahead or seen.early:
                    self.odd.append(seen)

    def ended(self, outcome: Outcome, window: Window) -> None:
        """Write down how the run has ended."""
        error = outcome if isinstance(outcome, ProfilesError) else None
        if isinstance(outcome, run.Report):
            error = next((item.error for item in outcome.failed if item.error is not None), None)
        failed = report.asset_path(self.project.project, error.model) if isinstance(error, RunError) else None
        record = report.RunRecord(
            run=self.name,
            started_at=self.started.isoformat(),
            ended_at=datetime.now(UTC).isoformat(),
            seq_no=window.seq_no,
            end=window.end.isoformat(),
            target=self.output.target,
            failure=str(error) if error is not None else None,
            failed=failed,
            interrupted=isinstance(outcome, KeyboardInterrupt),
            partitions=self._of_run(window),
        )
        report.append(self.project.folder, record)

    def _shown(self, path: str, end: datetime, window: Window) -> tuple[str, ...]:
        """Return the keys of the partitions that a material stands for."""
        if self.partitions is None or window.begin is not None:
            return ()
        return tuple(p.key for p in shown(self.partitions, path, end, self.started, self.asked))

    def _of_run(self, window: Window) -> tuple[str, ...]:
        found = self.partitions
        path = next((path for path in found.of_models if found.is_main(path)), None) if found else None
        keys = self._shown(path, window.end, window) if path is not None else ()
        return (keys[0], keys[-1]) if keys else ()
