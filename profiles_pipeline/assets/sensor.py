"""A sensor that looks at the inputs of a project and asks for the partitions that have changed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._core.storage.tags import SENSOR_NAME_TAG

from profiles_pipeline import observations
from profiles_pipeline.assets import metadata
from profiles_pipeline.assets.partitioning import tags_of
from profiles_pipeline.assets.requests import Asking, Cursor, Island, ask, changed_days
from profiles_pipeline.assets.resource import ProfilesResource
from profiles_pipeline.assets.schedules import Scheduled
from profiles_pipeline.connections import Output
from profiles_pipeline.errors import LockTimeoutError
from profiles_pipeline.observations import Change, Look, Observed
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import Input

WHY_TAG = "profiles/why"

WAIT_S = 10.0
"""Seconds that a tick waits for others to leave the warehouse; then the next tick tries again."""

Now = Callable[[], datetime]


@dataclass(frozen=True)
class Watched:
    """What a sensor looks at, and what it asks for.

    Attributes:
        scheduled: the assets of the project.
        output: where the project is built; None leaves it to the resource.
        now: what time it is.
    """

    scheduled: Scheduled
    output: Output | None
    resource: ProfilesResource
    now: Now = lambda: datetime.now(UTC)

    @property
    def project(self) -> ProfilesProject:
        """The project."""
        return self.scheduled.project

    @property
    def levels(self) -> Mapping[str, observations.Level]:
        """How closely to look at inputs, where the pipeline.yaml of the project says so."""
        stated = {name.lower(): found.changes for name, found in self.project.pipeline.inputs.items()}
        inputs = [model for model in self.project.graph.models.values() if isinstance(model, Input)]
        return {model.path: level for model in inputs if (level := stated.get(model.name.lower())) is not None}


def build_sensor(watched: Watched, job_name: str) -> dg.SensorDefinition | None:
    """Return the sensor of a project; None when its pipeline.yaml turns it off, or there is nothing to look at.

    It runs from the start when pipeline.yaml says so; otherwise somebody has to start it in the UI.

    Args:
        watched: what to look at.
        job_name: the job that builds everything.
    """
    stated = watched.project.pipeline.sensor
    if stated.enabled is False or not watched.scheduled.together:
        return None

    @dg.sensor(
        name=f"{job_name}_sensor",
        job_name=job_name,
        minimum_interval_seconds=max(1, round(stated.interval.total_seconds())),
        default_status=dg.DefaultSensorStatus.RUNNING if stated.enabled else dg.DefaultSensorStatus.STOPPED,
        description=f"Looks at the inputs of {watched.project.name} and asks for the partitions that have changed.",
    )
    def look_at_inputs(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return tick(context, watched, stated.at_most)

    return look_at_inputs


def tick(context: dg.SensorEvaluationContext, watched: Watched, at_most: int) -> dg.SensorResult:
    """Look at the inputs; return the runs to launch, what Dagster is to know of the inputs, and the new cursor.

    What a tick has seen is remembered in the warehouse, and the cursor says what of that is taken care of. So a tick
    that dies is repeated by the next one with the same requests.
    """
    unfinished = dg.RunsFilter(tags={SENSOR_NAME_TAG: context.sensor_name}, statuses=[*NOT_FINISHED_STATUSES])
    waiting = context.instance.get_runs_count(unfinished)
    if waiting:
        return dg.SensorResult(skip_reason=f"{waiting} runs that this sensor has asked for are still to finish")
    before = Cursor.of(context.cursor) if context.cursor else None
    output = watched.output or watched.resource.output(watched.project)
    try:
        with observations.observing(watched.project, output, lock_timeout=WAIT_S) as registry:
            seen = observations.look(watched.project, registry, watched.levels, watched.now())
            changes = observations.changes_since(watched.project, registry, before.look) if before else ()
    except LockTimeoutError as error:
        return dg.SensorResult(skip_reason=f"the inputs could not be looked at: {error}")
    for observed in seen.inputs:
        if observed.problem:
            context.log.warning(f"{observed.path} could not be looked at, and counts as unchanged: {observed.problem}")
    return _result(watched, seen, changes, before, at_most)


def _result(
    watched: Watched, seen: Look, changes: Iterable[Change], before: Cursor | None, at_most: int
) -> dg.SensorResult:
    changes = tuple(changes)
    asking = _asking(watched, seen, changes, before, at_most)
    versions = {o.path: o.sight.version for o in seen.inputs if o.sight is not None}
    news = [o for o in seen.inputs if o.sight and (before is None or before.versions.get(o.path) != o.sight.version)]
    requests = [_request(watched, island, changes) for island in asking.islands]
    return dg.SensorResult(
        run_requests=requests or None,
        skip_reason=None if requests else _why_nothing(seen, asking),
        cursor=Cursor(seen.number, asking.pending, versions).text(),
        asset_events=[
            _observation(watched.scheduled.inputs[o.path], o) for o in news if o.path in watched.scheduled.inputs
        ],
    )


def _asking(watched: Watched, seen: Look, changes: tuple[Change, ...], before: Cursor | None, at_most: int) -> Asking:
    """Return what to ask for. A sensor that has just been started asks for what is as of now, and for nothing older."""
    days = changed_days(changes, before.pending if before else {})
    if before is not None and not changes and not days:
        return Asking((), {})
    if watched.scheduled.calendar is None:
        return Asking((Island("", "", seen.number),), {})
    return ask(watched.scheduled.calendar, days, seen.number, watched.now(), at_most)


def _request(watched: Watched, island: Island, changes: Iterable[Change]) -> dg.RunRequest:
    tags = {WHY_TAG: _why(changes)}
    if watched.scheduled.calendar is None:
        return dg.RunRequest(run_key=f"@{island.look}", tags=tags)
    return dg.RunRequest(run_key=island.run_key, tags=tags | tags_of([island.first, island.last]))


def _why(changes: Iterable[Change]) -> str:
    """Return in few words what has happened, such as ``late rows in rsTracks``."""
    words = {"first": "first look at", "new": "new rows in", "late": "late rows in"}
    words |= {"corrected": "corrected rows in", "emptied": "days emptied in"}
    found = dict.fromkeys(f"{words[change.kind]} {change.input.rpartition('/')[2]}" for change in changes)
    return ", ".join(found) or "first look"


def _why_nothing(seen: Look, asking: Asking) -> str:
    if asking.pending:
        return f"{len(asking.pending)} days have changed of which there is no partition yet"
    missing = [observed.path for observed in seen.inputs if observed.problem]
    read = sum(observed.was_read for observed in seen.inputs)
    lacking = f"; {', '.join(missing)} could not be looked at" if missing else ""
    return f"nothing has changed in {len(seen.inputs)} inputs, of which {read} had to be read{lacking}"


def _observation(key: dg.AssetKey, observed: Observed) -> dg.AssetObservation:
    assert observed.sight is not None
    sight = observed.sight
    said: dict[str, dg.MetadataValue] = {
        "profiles/looked_at": dg.MetadataValue.text(observed.level),
        "profiles/why_so": dg.MetadataValue.text(observed.why),
        "profiles/changed_days": dg.MetadataValue.int(len(observed.changes)),
        "profiles/rows_of_the_future": dg.MetadataValue.int(sight.ahead),
        "profiles/rows_before_1971": dg.MetadataValue.int(sight.early),
    }
    if sight.level != "append":
        said["dagster/row_count"] = dg.MetadataValue.int(sight.rows + sight.ahead)
    if observed.blind:
        said["profiles/not_seen"] = dg.MetadataValue.text(observed.blind)
    return metadata.observed(key, said, sight.version)
