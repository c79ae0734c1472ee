"""Schedules of a project: one for each validity time that its models state, or the one of its pipeline.yaml."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._utils.schedules import schedule_execution_time_iterator

from profiles_pipeline.assets.partitioning import tags_of
from profiles_pipeline.partitions import Calendar, Partitions
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.schedules import Due, Group, due, groups_of

END_TIME = "profiles/end_time"
LOOK_BACK = 50
"""How many materializations are looked through for the one that is as of the latest moment."""


@dataclass(frozen=True)
class Scheduled:
    """What schedules, and the sensor, need to know of the assets of a project.

    Attributes:
        keys: path of each model that can be built -> its asset key.
        partitions: the partitions of the project; None for one without.
        doubtful: paths of models that a run may leave out.
        inputs: path of each input -> its asset key.
    """

    project: ProfilesProject
    keys: Mapping[str, dg.AssetKey]
    partitions: Partitions | None
    doubtful: frozenset[str]
    inputs: Mapping[str, dg.AssetKey] = field(default_factory=dict)

    @property
    def calendar(self) -> Calendar | None:
        """The partitions of the project."""
        return self.partitions.main if self.partitions else None

    @property
    def together(self) -> frozenset[str]:
        """Paths of the models that one run can be for; those with partitions of their own are built beside them."""
        own = self.partitions.has_own if self.partitions else lambda _: False
        return frozenset(path for path in self.keys if not own(path))


def job_of(scheduled: Scheduled, name: str, models: Iterable[str], description: str) -> UnresolvedAssetJobDefinition:
    """Return the job that builds models and what they are made from."""
    upstream = scheduled.project.graph.with_upstream(models) & scheduled.together
    keys = [scheduled.keys[path] for path in scheduled.keys if path in upstream]
    return dg.define_asset_job(name, selection=dg.AssetSelection.assets(*keys), description=description)


def build_schedules(scheduled: Scheduled, whole: UnresolvedAssetJobDefinition) -> list[dg.ScheduleDefinition]:
    """Return the schedules of a project, with the jobs that they run; none if its pipeline.yaml turns them off.

    Args:
        scheduled: the assets of the project.
        whole: the job that builds everything, which is run where there is only one schedule.
    """
    stated = scheduled.project.pipeline.schedules
    if stated.enabled is False or not scheduled.together:
        return []
    groups = groups_of(scheduled.project, scheduled.calendar, scheduled.together)
    return [_schedule(scheduled, group, _job(scheduled, group, whole)) for group in groups]


def _job(scheduled: Scheduled, group: Group, whole: UnresolvedAssetJobDefinition) -> UnresolvedAssetJobDefinition:
    if not group.label:
        return whole
    description = f"Build the models of {scheduled.project.name} that are valid for {group.label}."
    return job_of(scheduled, f"{whole.name}_{group.label}", group.models, description)


def _schedule(scheduled: Scheduled, group: Group, job: UnresolvedAssetJobDefinition) -> dg.ScheduleDefinition:
    pipeline = scheduled.project.pipeline

    def evaluate(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        tick = context.scheduled_execution_time.astimezone(UTC)
        at_work = context.instance.get_runs(dg.RunsFilter(job_name=job.name, statuses=NOT_FINISHED_STATUSES), limit=1)
        if at_work:
            return dg.SkipReason(f"run {at_work[0].run_id[:8]} of an earlier tick has not ended yet")
        following = next(schedule_execution_time_iterator(tick.timestamp() + 1, group.cron, zone)).astimezone(UTC)
        last = built_as_of(context.instance, scheduled, group.models)
        found = due(scheduled.calendar, group.validity, last, tick, following)
        if not isinstance(found, Due):
            return dg.SkipReason(found.reason)
        return dg.RunRequest(run_key=tick.isoformat(), tags=tags_of([p.key for p in found.partitions]))

    zone = pipeline.partitions.timezone
    status = dg.DefaultScheduleStatus
    return dg.ScheduleDefinition(
        name=f"{job.name}_schedule",
        job=job,
        cron_schedule=group.cron,
        execution_timezone=zone,
        execution_fn=evaluate,
        default_status=status.RUNNING if pipeline.schedules.enabled else status.STOPPED,
        description=f"Bring up to date what is missing: {job.description}",
    )


def built_as_of(instance: dg.DagsterInstance, scheduled: Scheduled, models: Iterable[str]) -> datetime | None:
    """Return as of which moment all of these models were built last; None when one of them never was.

    Models that a run may leave out do not count, nor do those that follow a time grain.
    """
    counted = (frozenset(models) - scheduled.doubtful) & scheduled.together
    moments = [_as_of(instance, scheduled, path) for path in sorted(counted)]
    known = [moment for moment in moments if moment is not None]
    return min(known) if known and len(known) == len(moments) else None


def _as_of(instance: dg.DagsterInstance, scheduled: Scheduled, path: str) -> datetime | None:
    key = scheduled.keys[path]
    wanted: dg.AssetKey | dg.AssetRecordsFilter = key
    if scheduled.partitions is not None and path in scheduled.partitions.of_models:
        newest = max(instance.get_materialized_partitions(key), default=None)
        if newest is None:
            return None
        wanted = dg.AssetRecordsFilter(key, asset_partitions=[newest])
    # The latest one may be of a run that looked back: it is the one with the latest end that counts.
    found = instance.fetch_materializations(wanted, limit=LOOK_BACK).records
    built = [record.event_log_entry.asset_materialization for record in found]
    ends = [one.metadata[END_TIME].value for one in built if one is not None and END_TIME in one.metadata]
    return max((datetime.fromtimestamp(float(str(end)), UTC) for end in ends), default=None)
