"""One asset per publisher, downstream of what it publishes. Its guards are its checks."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from profiles_pipeline.assets.assets import RESOURCE_KEY, as_failure, check_result, op_name, pool_of, settled_on
from profiles_pipeline.assets.resource import ProfilesResource
from profiles_pipeline.assets.schedules import Scheduled
from profiles_pipeline.assets.translator import ProfilesTranslator, PublisherProps
from profiles_pipeline.connections import Output
from profiles_pipeline.errors import RunError
from profiles_pipeline.publish.delivery import SYNC_SUCCEEDED
from profiles_pipeline.publish.guards import guards_of
from profiles_pipeline.resolve.publishing import Publisher

if TYPE_CHECKING:
    from profiles_pipeline.publish.publishing import Outcome

Results = Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]


class PublishConfig(dg.Config):
    """What may be said of a publication in the launchpad: that it is right although a guard trips."""

    approve: bool = False


def publisher_assets(
    scheduled: Scheduled,
    output: Output | None = None,
    resource: ProfilesResource | None = None,
    translator: ProfilesTranslator | None = None,
    resource_key: str = RESOURCE_KEY,
) -> Sequence[dg.AssetsDefinition]:
    """Return the assets of the publishers of a project, given its other assets.

    Args:
        scheduled: the other assets.
        output: where the project is built; None leaves it to the resource at run time.
        resource: the resource that will be there, for names of relations.
        translator: says what publishers look like in Dagster.
        resource_key: key of the `ProfilesResource` that they need.
    """
    project = scheduled.project
    where = output or (resource or ProfilesResource()).output(project)
    said = translator or ProfilesTranslator()
    keys = {**scheduled.inputs, **scheduled.keys}
    made = []
    for publisher in project.publishers:
        parents = tuple(keys[path] for path in publisher.parents if path in keys)
        relation = f"{where.schema}.{publisher.name}"
        props = PublisherProps(project.name, project.folder, publisher, parents, relation)
        made.append(
            _asset(scheduled, publisher, said.get_publisher_spec(props), (output, pool_of(where), resource_key))
        )
    return made


def publish_job(publishers: Sequence[dg.AssetsDefinition], of: str) -> UnresolvedAssetJobDefinition:
    """Return the job that publishes and builds nothing, beside the one that builds, which is called `of`."""
    keys = [key for publisher in publishers for key in publisher.keys]
    words = "Publish what the last finished run has built, by every publisher."
    return dg.define_asset_job(f"{of}_publish", selection=dg.AssetSelection.assets(*keys), description=words)


def _asset(
    scheduled: Scheduled, publisher: Publisher, spec: dg.AssetSpec, place: tuple[Output | None, str, str]
) -> dg.AssetsDefinition:
    output, pool, resource_key = place
    checks = [dg.AssetCheckSpec(g.name, asset=spec.key, description=g.description) for g in guards_of(publisher)]
    if publisher.sink == "sync":
        checks.append(dg.AssetCheckSpec(SYNC_SUCCEEDED.name, asset=spec.key, description=SYNC_SUCCEEDED.description))

    @dg.multi_asset(
        name=op_name(spec.key),
        specs=[spec],
        check_specs=checks,
        pool=pool,
        required_resource_keys={resource_key},
    )
    def publish_profiles(context: dg.AssetExecutionContext, config: PublishConfig) -> Results:
        yield from _results(context, (scheduled, publisher, output, resource_key), spec, config.approve)

    return publish_profiles


def _results(
    context: dg.AssetExecutionContext,
    what: tuple[Scheduled, Publisher, Output | None, str],
    spec: dg.AssetSpec,
    approve: bool,
) -> Results:
    # Loads the engine, for runs only.
    from profiles_pipeline.publish.publishing import publish_in, with_what_follows  # noqa: PLC0415

    scheduled, publisher, output, resource_key = what
    profiles: ProfilesResource = getattr(context.resources, resource_key)
    purpose = f"publishing {publisher.name} in Dagster run {context.run.run_id[:8]}"
    seq_no = _built_here(context, scheduled, publisher)
    with as_failure(scheduled.project):
        try:
            with profiles.session(scheduled.project, output, purpose, context.log.info) as session:
                outcome = publish_in(session, publisher, approve=approve, seq_no=seq_no)
        except RunError as error:
            yield from (check_result(spec.key, check) for check in error.checks)
            raise
    outcome = with_what_follows(outcome)
    yield dg.MaterializeResult(
        asset_key=spec.key,
        metadata=metadata_of(outcome),
        check_results=[check_result(spec.key, check) for check in outcome.checks],
        data_version=dg.DataVersion(f"{outcome.relation} {outcome.published}"),
    )


def _built_here(context: dg.AssetExecutionContext, scheduled: Scheduled, publisher: Publisher) -> int | None:
    """Return the time context of this run where it has built what is published; else the plain views say which."""
    run = context.instance.get_run_by_id(context.run.run_id) or context.run
    ids = run.execution_plan_snapshot_id
    steps = context.instance.get_execution_plan_snapshot(ids).step_keys_to_execute if ids else ()
    built = op_name(scheduled.keys[publisher.source]) in steps
    return settled_on(run) if built else None


def metadata_of(outcome: "Outcome") -> Mapping[str, dg.MetadataValue]:
    """Return what there is to say of a publication."""
    counts = outcome.counts
    found: dict[str, dg.MetadataValue] = {
        f"profiles/{name}": dg.MetadataValue.int(getattr(counts, name))
        for name in ("inserted", "updated", "deleted", "unchanged", "rejected")
    }
    found["dagster/row_count"] = dg.MetadataValue.int(counts.inserted + counts.updated + counts.unchanged)
    found["profiles/seq_no"] = dg.MetadataValue.int(outcome.seq_no)
    found["profiles/publication"] = dg.MetadataValue.int(outcome.published)
    found["profiles/relation"] = dg.MetadataValue.text(outcome.relation)
    if outcome.delivered.files:
        found["profiles/files"] = dg.MetadataValue.md("\n".join(f"- `{file}`" for file in outcome.delivered.files))
    if outcome.delivered.batches:
        found["profiles/batches"] = dg.MetadataValue.int(outcome.delivered.batches)
        found["profiles/dead_letters"] = dg.MetadataValue.int(outcome.delivered.dead)
    if outcome.mapping:
        found["profiles/mapping"] = dg.MetadataValue.md(f"```sql\n{outcome.mapping}\n```")
    return found
