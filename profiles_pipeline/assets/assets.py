"""One asset per model, each with an op of its own, so that a failure stops only what depends on it."""

import hashlib
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from profiles_pipeline import report
from profiles_pipeline.assets import metadata
from profiles_pipeline.assets.partitioning import Covered, covered_by
from profiles_pipeline.assets.resource import ProfilesResource
from profiles_pipeline.assets.schedules import Scheduled
from profiles_pipeline.assets.specs import describe_models, may_be_left_out, translated
from profiles_pipeline.assets.translator import ModelProps, ProfilesTranslator
from profiles_pipeline.connections import Output
from profiles_pipeline.errors import Check, LockTimeoutError, ProfilesError, RunError, fail
from profiles_pipeline.names import safe_identifier
from profiles_pipeline.partitions import Partitions, partitions_of
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import Input
from profiles_pipeline.warehouse.settings import DuckDBSettings

if TYPE_CHECKING:
    from profiles_pipeline.assets.context import Scope
    from profiles_pipeline.events import Built
    from profiles_pipeline.registry import SeqNo
    from profiles_pipeline.session import Session
    from profiles_pipeline.stages import Promote

RESOURCE_KEY = "profiles"
SEQ_NO_TAG = "profiles/seq_no"
SETTLED_BY_TAG = "profiles/seq_no_settled_by"

Results = Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]


@dataclass(frozen=True)
class Target:
    """What the ops of one project share.

    Attributes:
        output: where to build; None leaves it to the resource.
        keys: path of a model -> its asset key.
        steps: name of an op -> path of its model.
        doubtful: paths of models that a run may leave out.
        partitions: those of the project; None for one without.
    """

    project: ProfilesProject
    output: Output | None
    pool: str
    resource_key: str
    keys: Mapping[str, dg.AssetKey]
    steps: Mapping[str, str]
    doubtful: frozenset[str] = frozenset()
    partitions: Partitions | None = None

    @property
    def renamed(self) -> Mapping[dg.AssetKey, dg.AssetKey]:
        """Usual key of a model -> its key."""
        project = self.project.project
        return {dg.AssetKey(list(report.asset_path(project, path))): key for path, key in self.keys.items()}


def build_assets(
    project: ProfilesProject,
    *,
    output: Output | None = None,
    resource: ProfilesResource | None = None,
    translator: ProfilesTranslator | None = None,
    resource_key: str = RESOURCE_KEY,
) -> Sequence[dg.AssetsDefinition | dg.AssetSpec]:
    """Return the assets of a project: an observable one for each input, an executable one for every other model.

    An input whose rows are a file of the project is a spec alone.

    Args:
        project: the project.
        output: where to build; None leaves it to the resource at run time.
        resource: the resource that will be there, for names of relations; the default one when not given.
        translator: says what models look like in Dagster.
        resource_key: key of the `ProfilesResource` that the assets need.

    Raises:
        ProjectError: the connection of the project does not exist.
    """
    return assets_of(project, output, resource, translator, resource_key)[0]


def assets_of(
    project: ProfilesProject,
    output: Output | None = None,
    resource: ProfilesResource | None = None,
    translator: ProfilesTranslator | None = None,
    resource_key: str = RESOURCE_KEY,
) -> tuple[Sequence[dg.AssetsDefinition | dg.AssetSpec], Scheduled]:
    """Return the assets of a project as `build_assets` does, and what schedules need to know of them."""
    where = output or (resource or ProfilesResource()).output(project)
    partitions = partitions_of(project, datetime.now(UTC))
    pairs = translated(describe_models(project, where, partitions), translator or ProfilesTranslator())
    target = Target(
        project=project,
        output=output,
        pool=pool_of(where),
        resource_key=resource_key,
        keys={model.model.path: spec.key for model, spec in pairs},
        steps={op_name(spec.key): model.model.path for model, spec in pairs if not model.is_input},
        doubtful=may_be_left_out(project),
        partitions=partitions,
    )
    built = {path: target.keys[path] for path in target.steps.values()}
    assets = [_asset(target, model, spec) for model, spec in pairs]
    inputs = {path: key for path, key in target.keys.items() if path not in built}
    return assets, Scheduled(project, built, partitions, target.doubtful, inputs)


def pool_of(output: Output) -> str:
    """Return the pool of everything that writes to the same DuckDB file, or to the same schema of a server."""
    if not isinstance(output.settings, DuckDBSettings):
        place = hashlib.sha256(f"{output.settings.place} {output.schema}".encode()).hexdigest()[:8]
        return f"profiles_{output.settings.dialect}_{safe_identifier(output.schema)}_{place}"
    file = output.settings.file
    name = hashlib.sha256(str(file).encode()).hexdigest()[:8] if file else "memory"
    return f"profiles_duckdb_{safe_identifier(file.stem) if file else 'in'}_{name}"


def op_name(key: dg.AssetKey) -> str:
    """Return the name of the op of an asset: stable, and different for different keys."""
    text = "__".join(key.path)
    name = safe_identifier(text)
    plain = name == text and not any("__" in part for part in key.path)
    return name if plain else f"{name}_{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _asset(target: Target, model: ModelProps, spec: dg.AssetSpec) -> dg.AssetsDefinition | dg.AssetSpec:
    if not model.is_input:
        return _model_asset(target, model, spec)
    return _input_asset(target, model.model, spec) if report.is_observable(model.model) else spec


def _input_asset(target: Target, model: Input, spec: dg.AssetSpec) -> dg.AssetsDefinition:
    def observe_input(context: dg.AssetExecutionContext) -> Iterator[dg.ObserveResult]:
        profiles: ProfilesResource = getattr(context.resources, target.resource_key)
        purpose = f"looking at {spec.key.to_user_string()} in Dagster run {context.run.run_id[:8]}"
        with (
            as_failure(target.project),
            profiles.session(target.project, target.output, purpose, context.log.info) as s,
        ):
            seen = report.input_seen(s, model, f"dagster:{context.run.run_id}")
        version = dg.DataVersion(seen.version) if seen.version else None
        yield dg.ObserveResult(asset_key=spec.key, metadata=metadata.of_input(seen), data_version=version)

    with warnings.catch_warnings():
        # Dagster calls observable assets beta; saying so once per input helps nobody.
        warnings.simplefilter("ignore", dg.BetaWarning)
        made: dg.AssetsDefinition = dg.multi_observable_source_asset(
            name=op_name(spec.key), specs=[spec], required_resource_keys={target.resource_key}
        )(observe_input)
    return made


def _model_asset(target: Target, model: ModelProps, spec: dg.AssetSpec) -> dg.AssetsDefinition:
    checks = [
        dg.AssetCheckSpec(a.name, asset=spec.key, description=a.description, blocking=a.severity == "error")
        for a in model.audits
    ]

    @dg.multi_asset(
        name=op_name(spec.key),
        specs=[spec],
        check_specs=checks,
        pool=target.pool,
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys={target.resource_key},
        can_subset=model.model.path in target.doubtful,  # then none of its outputs has to be there
    )
    def build_model(context: dg.AssetExecutionContext) -> Results:
        yield from _results(context, target, model, spec)

    return build_model


def _results(context: dg.AssetExecutionContext, target: Target, model: ModelProps, spec: dg.AssetSpec) -> Results:
    from profiles_pipeline import retention, time_contexts  # noqa: PLC0415 - loads the engine, for runs only
    from profiles_pipeline.assets import context as work  # noqa: PLC0415 - loads the engine, for runs only

    profiles: ProfilesResource = getattr(context.resources, target.resource_key)
    purpose = f"building {spec.key.to_user_string()} in Dagster run {context.run.run_id[:8]}"
    project = target.project
    with as_failure(project), profiles.session(project, target.output, purpose, context.log.info) as opened:
        opened.registry.ensure()
        scope = work.widened(_scope(context, target, profiles), project, opened.project)
        seq_no = work.settle(opened, scope)
        _remember(context, seq_no)
        session = time_contexts.with_what_it_needs(opened, seq_no)
        if model.model.path not in session.project.graph.models:
            context.log.info(work.why_left_out(session, model.model.path))
            return
        for warning in work.rehearse_once(session, seq_no, scope):
            context.log.warning(warning.render())
        planned = work.plan_model(session, seq_no, model.model.path, scope.beside)
        try:
            built, beside = work.build(session, planned, model.model.path)
        except RunError as error:
            yield from (check_result(spec.key, outcome) for outcome in error.checks)
            raise
        _observe_inputs(context, target, session, built)
        promoted = work.promote(session, seq_no, scope)
        record = work.record(session, built, seq_no, scope)
        for item in beside:
            _tell_built_beside(context, target, work.record(session, item, seq_no, scope, target.partitions))
        retired = retention.retire(session) if promoted else None
    if promoted:
        context.log.info(_said_of(promoted))
    if retired and retired.problem:
        context.log.warning(retired.problem)
    if retired and retired.materials:
        context.log.info(f"dropped {len(retired.materials)} relations of earlier runs: {', '.join(retired.materials)}")
    yield _result(context, target, model, spec, record)


def _tell_built_beside(context: dg.AssetExecutionContext, target: Target, record: report.Record) -> None:
    """Tell that a model for which the run was not was built because others needed it."""
    for event in metadata.built_events(record, target.project.folder, None, target.renamed):
        if isinstance(event, dg.AssetMaterialization):
            context.log_event(event)
        else:
            context.instance.report_runless_asset_event(event)


def _said_of(promoted: "Promote") -> str:
    if promoted.stays_on is None:
        return f"views repointed: {', '.join(view.name for view in promoted.views)}"
    later = promoted.stays_on
    return f"the plain views stay on seq_no {later.seq_no}, as of {later.end:%Y-%m-%dT%H:%M:%SZ}, which is later"


def _observe_inputs(context: dg.AssetExecutionContext, target: Target, session: "Session", built: "Built") -> None:
    """Tell what the inputs of a model hold, unless an earlier step of the run has told it."""
    for model in report.inputs_behind(session, [built]):
        key = target.keys[model.path]
        latest = context.instance.fetch_observations(key, limit=1).records
        if latest and latest[0].run_id == context.run.run_id:
            continue
        with suppress(ProfilesError):  # the model is built: what cannot be counted must not make it a failure
            seen = report.input_seen(session, model, f"dagster:{context.run.run_id}")
            session.registry.note_input_rows(session.project.name, model.path, seen.rows)
            context.log_event(metadata.observed(key, metadata.of_input(seen), seen.version))


def _result(
    context: dg.AssetExecutionContext, target: Target, model: ModelProps, spec: dg.AssetSpec, record: report.Record
) -> dg.MaterializeResult[None]:
    described = metadata.Described(target.project.project, model, target.renamed)
    found = metadata.of_record(record, target.project.folder, described)
    covered = covered_by(context.run.tags, model.calendar) if model.calendar else None
    if covered is not None and len(covered.keys) > 1:
        # Every partition has an event of its own, and the SQL in each of them would be most of what Dagster stores.
        context.add_asset_metadata(found, spec.key, covered.last.key)
        found = metadata.brief(found)
    checks = {c.name: c for c in record.checks}
    passed = [checks.get(a.name, Check(a.name, a.description, 0, a.severity)) for a in model.audits]
    return dg.MaterializeResult(
        asset_key=spec.key,
        metadata=found,
        check_results=[check_result(spec.key, c) for c in passed],
        data_version=dg.DataVersion(record.material),
    )


def check_result(key: dg.AssetKey, check: Check) -> dg.AssetCheckResult:
    """Return the outcome of a check of an asset."""
    return dg.AssetCheckResult(
        passed=check.passed,
        asset_key=key,
        check_name=check.name,
        severity=metadata.severity_of(check),
        description=check.description,
        metadata=metadata.of_check(check),
    )


# --- the run ------------------------------------------------------------------------------------------------------


def _scope(context: dg.AssetExecutionContext, target: Target, profiles: ProfilesResource) -> "Scope":
    from profiles_pipeline.assets.context import Scope, beside  # noqa: PLC0415 - loads the engine, for runs only

    run = context.instance.get_run_by_id(context.run.run_id) or context.run
    first = context.instance.get_run_by_id(run.root_run_id) if run.root_run_id else None
    building, now = _models_of(context, target, run), datetime.now(UTC)
    covered, parts = _covered(target, run, building), target.partitions
    others = beside(target.project, parts, building) if parts else frozenset()
    settled = settled_on(run)  # once it is, the run stays with that, even if its partition ends meanwhile
    return Scope(
        invocation=f"dagster:{run.root_run_id or run.run_id}",
        building=building,
        asked=_models_of(context, target, first or run),
        settled=settled,
        first=settled_on(first or run),
        end=covered.end(profiles.end, now) if covered and settled is None else profiles.end,
        since=covered.last.begin if covered else None,
        beside=others,
        grained=frozenset(filter(parts.has_own, others)) if parts else frozenset(),
        labels={path: key.to_user_string() for path, key in target.keys.items()},
    )


def _covered(target: Target, run: dg.DagsterRun, building: Iterable[str]) -> Covered | None:
    """Return the partitions that a run is for; None for one that builds nothing that has any.

    Raises:
        ProjectError: the run does not say which.
    """
    if target.partitions is None:
        return None
    calendars = {calendar for path in building if (calendar := target.partitions.of_models.get(path)) is not None}
    if not calendars:
        return None
    main = target.partitions.main
    calendar = main if main in calendars else next(iter(calendars))
    found = covered_by(run.tags, calendar)
    if found is None:
        hint = "choose one or a range; `partitions: false` in pipeline.yaml does without"
        fail("no-partition", "the run says no partition to build", hint=hint)
    return found


def _models_of(context: dg.AssetExecutionContext, target: Target, run: dg.DagsterRun) -> frozenset[str]:
    """Return the models of this project that a run is to build."""
    planned = run.execution_plan_snapshot_id
    steps = context.instance.get_execution_plan_snapshot(planned).step_keys_to_execute if planned else target.steps
    return frozenset(target.steps[step] for step in steps if step in target.steps)


def settled_on(run: dg.DagsterRun) -> int | None:
    """Return the time context that a run itself has settled on; a re-execution inherits the tags of the run before."""
    own = run.tags.get(SETTLED_BY_TAG) == run.run_id
    return int(run.tags[SEQ_NO_TAG]) if own else None


def _remember(context: dg.AssetExecutionContext, seq_no: "SeqNo") -> None:
    tags = {SEQ_NO_TAG: str(seq_no.number), SETTLED_BY_TAG: context.run.run_id}
    if not tags.items() <= context.run.tags.items():
        context.instance.add_run_tags(context.run.run_id, tags)


@contextmanager
def as_failure(project: ProfilesProject) -> Iterator[None]:
    """Turn the errors of the engine into a Failure with their text; only waiting for others is worth another try."""
    try:
        yield
    except RunError as error:
        raise dg.Failure(str(error), _places(error, project.folder), allow_retries=False) from error
    except LockTimeoutError as error:
        raise dg.Failure(str(error), allow_retries=True) from error
    except ProfilesError as error:
        raise dg.Failure(str(error), allow_retries=False) from error


def _places(error: RunError, folder: Path) -> dict[str, dg.MetadataValue]:
    found: dict[str, dg.MetadataValue] = {"profiles/seq_no": dg.MetadataValue.int(error.seq_no)}
    span = error.problem.span
    if span:
        found["profiles/defined_in"] = dg.MetadataValue.path(f"{folder / span.file}:{span.line}")
    if error.sql_file:
        found["profiles/sql_file"] = dg.MetadataValue.path(str(folder / error.sql_file))
    return found
