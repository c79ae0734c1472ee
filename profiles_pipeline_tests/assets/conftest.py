"""Projects to show in Dagster, and what their warehouse holds."""

from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from profiles_pipeline import run
from profiles_pipeline.assets import build_definitions
from profiles_pipeline.assets.partitioning import tags_of
from profiles_pipeline.connections import embedded
from profiles_pipeline.examples import copy_example
from profiles_pipeline.project import ProfilesProject

END_TIME = "2023-11-08T00:00:00Z"
AT_END_TIME = {"resources": {"profiles": {"config": {"end_time": END_TIME}}}}

Query = Callable[[str], list[tuple[object, ...]]]


NO_PARTITIONS = "partitions: false\n"


def materialize(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    *keys: str,
    run_config: dict[str, object] | None = None,
    partitions: str = "",
) -> dg.ExecuteInProcessResult:
    """Materialize the assets of the given keys, all of the project when there are none; for a partition, or A...B."""
    selection = [dg.AssetKey(key.split("/")) for key in keys]
    job = definitions.resolve_job_def("profiles_run")
    if not job.asset_layer.executable_asset_keys.issuperset(selection):
        job = definitions.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        instance=instance,
        run_config=run_config,
        asset_selection=selection or None,
        raise_on_error=False,
        tags=tags_of(partitions.split("...")) if partitions else None,
    )


def settled_in(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> int:
    """The time context in which a run has worked."""
    found = instance.get_run_by_id(result.run_id)
    assert found is not None
    return int(found.tags["profiles/seq_no"])


def failure_texts(result: dg.ExecuteInProcessResult) -> str:
    """What the failed steps of a run say."""
    failures = [event.step_failure_data for event in result.filter_events(lambda e: e.is_step_failure)]
    return "\n".join(str(f.error.to_string()) + str(f.user_failure_data) for f in failures if f.error)


@pytest.fixture
def quickstart(tmp_path: Path) -> Path:
    """The quickstart project without partitions."""
    folder = tmp_path / "quickstart"
    copy_example("quickstart", folder)
    (folder / "pipeline.yaml").write_text(NO_PARTITIONS, encoding="utf-8")
    return folder


@pytest.fixture
def definitions(quickstart: Path) -> dg.Definitions:
    return build_definitions(quickstart)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as found:
        yield found


@pytest.fixture
def query(quickstart: Path) -> Query:
    """Run a query on the warehouse of the quickstart project."""

    def rows(sql: str) -> list[tuple[object, ...]]:
        with run.open_session(ProfilesProject.load(quickstart), embedded(quickstart), "test") as session:
            return session.warehouse.query(sql).rows

    return rows
