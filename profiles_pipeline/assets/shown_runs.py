"""Runs of the command line as Dagster shows its own: with their steps, their events and how they ended.

Dagster executes nothing of them: they have ended before they are written down here.
"""

import logging
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import dagster as dg
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.events import (
    AssetObservationData,
    DagsterEvent,
    DagsterEventBatchMetadata,
    DagsterEventType,
    EventSpecificData,
    JobCanceledData,
    JobFailureData,
    StepMaterializationData,
    generate_event_batch_id,
)
from dagster._core.execution.plan.objects import StepFailureData, StepSuccessData
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster_shared.error import SerializableErrorInfo

from profiles_pipeline.assets.assets import SEQ_NO_TAG, op_name
from profiles_pipeline.assets.instance import MODULE
from profiles_pipeline.assets.partitioning import tags_of
from profiles_pipeline.report import RunRecord

AssetEvent = dg.AssetMaterialization | dg.AssetObservation | dg.AssetCheckEvaluation

_TYPES = {
    dg.AssetMaterialization: DagsterEventType.ASSET_MATERIALIZATION,
    dg.AssetObservation: DagsterEventType.ASSET_OBSERVATION,
    dg.AssetCheckEvaluation: DagsterEventType.ASSET_CHECK_EVALUATION,
}


def run_id(name: str) -> str:
    """Return the id under which Dagster knows a run of the command line. Raises ValueError when its name is no UUID."""
    return str(uuid.UUID(hex=name))


@dataclass(frozen=True)
class ShownRun:
    """A run that Dagster knows. Its events are to be told in the order in which they happened."""

    instance: dg.DagsterInstance
    run: dg.DagsterRun

    def start(self, record: RunRecord, remark: str) -> None:
        """Tell that the run has started."""
        at = datetime.fromisoformat(record.started_at).timestamp()
        self._tell(DagsterEventType.RUN_START, at, message=f"profiles run, seq_no {record.seq_no}{remark}")

    def step(self, key: dg.AssetKey, ended: datetime, seconds: float, events: Collection[AssetEvent]) -> None:
        """Tell that the step of an asset has succeeded, and what came of it."""
        step, end = op_name(key), ended.timestamp()
        self._tell(DagsterEventType.STEP_START, end - seconds, step=step)
        batch, left = generate_event_batch_id(), len(events)  # type: ignore[no-untyped-call]
        for event in events:
            left -= 1
            self.event(event, ended, step, DagsterEventBatchMetadata(batch, left == 0))
        self._tell(DagsterEventType.STEP_SUCCESS, end, StepSuccessData(seconds * 1000.0), step=step)  # type: ignore[no-untyped-call]

    def event(
        self, event: AssetEvent, at: datetime, step: str | None = None, batch: DagsterEventBatchMetadata | None = None
    ) -> None:
        """Tell what became known of an asset."""
        content: EventSpecificData = event  # type: ignore[assignment]
        if isinstance(event, dg.AssetMaterialization):
            content = StepMaterializationData(event)
        elif isinstance(event, dg.AssetObservation):
            content = AssetObservationData(event)
        self._tell(_TYPES[type(event)], at.timestamp(), content, step=step, batch=batch)

    def end(self, record: RunRecord) -> None:
        """Tell how the run has ended."""
        end = datetime.fromisoformat(record.ended_at).timestamp()
        if record.interrupted:
            self._tell(DagsterEventType.RUN_CANCELED, end, JobCanceledData(None), message="The run was interrupted.")
        elif record.failure is not None:
            error = SerializableErrorInfo(record.failure, [], None)
            if record.failed is not None:
                step, failure = op_name(dg.AssetKey(list(record.failed))), StepFailureData(error, None)  # type: ignore[no-untyped-call]
                self._tell(DagsterEventType.STEP_START, end, step=step)
                said = "The model could not be built."
                self._tell(DagsterEventType.STEP_FAILURE, end, failure, step=step, message=said)
            self._tell(DagsterEventType.RUN_FAILURE, end, JobFailureData(error), message="The run failed.")
        else:
            self._tell(DagsterEventType.RUN_SUCCESS, end, message=f"seq_no {record.seq_no} is done.")

    def _tell(
        self,
        event: DagsterEventType,
        at: float,
        content: EventSpecificData | None = None,
        *,
        step: str | None = None,
        message: str | None = None,
        batch: DagsterEventBatchMetadata | None = None,
    ) -> None:
        told = DagsterEvent(event.value, self.run.job_name, event_specific_data=content, message=message, step_key=step)
        failed = event in (DagsterEventType.STEP_FAILURE, DagsterEventType.RUN_FAILURE)
        level = logging.ERROR if failed else logging.INFO
        self.instance.report_dagster_event(told, self.run.run_id, level, batch_metadata=batch, timestamp=at)


def known_run(instance: dg.DagsterInstance, name: str) -> ShownRun | None:
    """Return a run of the command line that Dagster has been told of and whose end it does not know."""
    try:
        run = instance.get_run_by_id(run_id(name))
    except ValueError:
        return None
    return ShownRun(instance, run) if run is not None and not run.is_finished else None


def start_run(
    instance: dg.DagsterInstance, record: RunRecord, job: dg.JobDefinition, keys: Collection[dg.AssetKey]
) -> ShownRun:
    """Make a run known that has built these assets, or failed to; return it.

    Args:
        instance: where it is to be known.
        record: what it was.
        job: the job that builds everything.
        keys: the assets; those that the job does not have are left out.
    """
    selected = frozenset(keys) & frozenset(job.asset_layer.executable_asset_keys)
    tags = {
        SEQ_NO_TAG: str(record.seq_no),
        "profiles/end_time": record.end,
        "profiles/target": record.target,
        "profiles/command": "profiles run",
        "dagster/max_retries": "0",  # it is not for Dagster to try again
        **tags_of(record.partitions),
    }
    name = run_id(record.run)
    if selected:
        part = job.get_subset(asset_selection=selected)
        run = instance.create_run_for_job(
            part, run_id=name, tags=tags, asset_selection=selected, remote_job_origin=_origin(job)
        )
    else:
        run = _run_without_steps(instance, name, tags, job)
    shown = ShownRun(instance, run)
    shown.start(record, "" if selected else ": nothing had to be built")
    return shown


def _origin(job: dg.JobDefinition) -> RemoteJobOrigin:
    """Return where the servers that `profiles dev` starts find a job: its page and the timeline show the run then."""
    location = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name=MODULE), MODULE)
    return RemoteJobOrigin(RemoteRepositoryOrigin(location, SINGLETON_REPOSITORY_NAME), job.name)


def _run_without_steps(
    instance: dg.DagsterInstance, name: str, tags: Mapping[str, str], job: dg.JobDefinition
) -> dg.DagsterRun:
    """Return a new run that plans nothing: checks that are planned and not made would count as skipped."""
    return instance.create_run(
        job_name=job.name,
        run_id=name,
        run_config={},
        status=None,
        tags=tags,
        root_run_id=None,
        parent_run_id=None,
        step_keys_to_execute=None,
        execution_plan_snapshot=None,
        job_snapshot=None,
        parent_job_snapshot=None,
        asset_selection=None,
        asset_check_selection=None,
        resolved_op_selection=None,
        op_selection=None,
        remote_job_origin=_origin(job),
        job_code_origin=None,
        asset_graph=job.asset_layer.asset_graph,
    )
