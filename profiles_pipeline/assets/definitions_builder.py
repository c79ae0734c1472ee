"""A whole code location out of one project."""

from pathlib import Path

import dagster as dg

from profiles_pipeline.assets.assets import RESOURCE_KEY, assets_of
from profiles_pipeline.assets.publishing import publish_job, publisher_assets
from profiles_pipeline.assets.resource import ProfilesResource
from profiles_pipeline.assets.schedules import build_schedules, job_of
from profiles_pipeline.assets.sensor import Watched, build_sensor
from profiles_pipeline.assets.translator import ProfilesTranslator
from profiles_pipeline.connections import Output, stated_dialect
from profiles_pipeline.project import ProfilesProject

JOB_NAME = "profiles_run"
DEFAULT_RESOURCE = ProfilesResource()
"""One for all projects, so that the definitions of several can be merged."""


def build_definitions(
    project: ProfilesProject | str | Path,
    *,
    output: Output | None = None,
    translator: ProfilesTranslator | None = None,
    resource: ProfilesResource | None = None,
    executor: dg.ExecutorDefinition | None = dg.in_process_executor,
    job_name: str = JOB_NAME,
) -> dg.Definitions:
    """Return the definitions of a project: assets, checks, a job that builds all, schedules, a sensor, the resource.

    A project with publishers has an asset for each, and a job for them alone: what builds all publishes nothing.

    No warehouse is touched.

    Args:
        project: a project or its folder.
        output: where to build; the resource finds it when not given.
        translator: says what models look like in Dagster.
        resource: where and for which moment to build; may still be configured per run.
        executor: one process by default, because one DuckDB file takes one writer; None leaves the choice to
            definitions that these are merged with.
        job_name: name of the job; projects in one code location need a name each, and a translator each that keeps
            their keys apart.

    Raises:
        ProjectError: the project is wrong, or its connection does not exist.

    Example:
        A team's own assets beside those of a project, in one code location:

        .. code-block:: python

            @dg.asset(deps=[dg.AssetKey(["models", "user_profile"])])
            def newsletter(duckdb: ProfilesDuckDBResource):
                with duckdb.get_connection() as connection:
                    return connection.sql("select * from profiles.user_profile").fetchall()

            ours = dg.Definitions(
                assets=[newsletter],
                resources={"duckdb": ProfilesDuckDBResource(database="c360/.profiles/warehouse.duckdb")},
            )
            defs = dg.Definitions.merge(build_definitions("c360"), ours)
    """
    profiles = resource or DEFAULT_RESOURCE
    loaded = project if isinstance(project, ProfilesProject) else _loaded(Path(project).expanduser(), output, profiles)
    assets, scheduled = assets_of(loaded, output, profiles, translator)
    job = job_of(scheduled, job_name, scheduled.keys, f"Build every model of {loaded.name}.")
    publishers = publisher_assets(scheduled, output, profiles, translator)
    publishing = [publish_job(publishers, job_name)] if publishers else []
    sensor = build_sensor(Watched(scheduled, output, profiles), job_name)
    return dg.Definitions(
        assets=[*assets, *publishers],
        jobs=[job, *publishing],
        schedules=build_schedules(scheduled, job),
        sensors=[sensor] if sensor is not None else [],
        resources={RESOURCE_KEY: profiles},
        executor=executor,
    )


def _loaded(folder: Path, output: Output | None, profiles: ProfilesResource) -> ProfilesProject:
    """Return the project in a folder, in the dialect that its place says."""
    if output is not None:
        return ProfilesProject.load(folder, source_dialect=output.dialect)
    siteconfig = Path(profiles.siteconfig).expanduser() if profiles.siteconfig else None
    return ProfilesProject.load(folder, source_dialect=stated_dialect(folder, siteconfig, profiles.target))
