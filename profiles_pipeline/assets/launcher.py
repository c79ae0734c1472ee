"""Launches runs in the code server, and knows when they have gone with it."""

import dagster as dg
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster_shared.serdes import deserialize_value


class GrpcServerRunLauncher(DefaultRunLauncher):
    """Like Dagster's default: a run is a process beside the code server, where the DuckDB file is.

    A run that was killed together with its code server is told as failed once the server is back, so that Dagster can
    try it again; by itself Dagster would take it to be at work for ever. Needs `run_monitoring` in dagster.yaml, and a
    server started with ``dagster api grpc``: what ``dagster code-server`` starts anew on every reload knows only of its
    own runs.
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        """True: it can be told whether a run is still at work."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Return whether a run is at work, as its code server says; while that cannot be reached, it counts as such."""
        client = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]
        if client is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "it has ended, or is about to begin")
        try:
            answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id))
        except DagsterUserCodeUnreachableError as error:
            return CheckRunHealthResult(WorkerStatus.RUNNING, f"the code server cannot be reached: {error}")
        if deserialize_value(answer, CanCancelExecutionResult).can_cancel:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, "its code server was started anew and knows nothing of it")
