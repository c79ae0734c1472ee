"""The time context of a Dagster run, and the work of one of its steps. Knows the engine; imports no Dagster.

All steps of a run work in one time context, and so does a re-execution of what failed. A run that leaves out something
upstream works in the newest context that has it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NoReturn

from profiles_pipeline import compiled, freshness, plan, report, run, time_contexts
from profiles_pipeline.errors import Problem, fail
from profiles_pipeline.partitions import Partitions, shown
from profiles_pipeline.plan import Request
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.registry import SeqNo
from profiles_pipeline.resolve.model import Input
from profiles_pipeline.run import Built, Session
from profiles_pipeline.stages import Plan, Promote


@dataclass(frozen=True)
class Scope:
    """What a Dagster run builds.

    Attributes:
        invocation: its name in the registry; a run and its re-executions share it.
        building: paths of the models it builds.
        asked: paths of the models that the first run of the invocation was to build.
        settled: number of the time context that an earlier step of this run has settled on.
        first: number of the time context of the first run of the invocation.
        end: end of the window, where the run or the user says it.
        labels: path -> asset key as users type it.
        since: a run that builds only a part goes on in no context that ends before or at this moment.
        beside: models that the run builds although it is not for them, with what needs them; see `beside`.
        grained: those of them that have partitions of their own.
    """

    invocation: str
    building: frozenset[str]
    asked: frozenset[str]
    settled: int | None
    first: int | None
    end: datetime | None
    labels: Mapping[str, str]
    since: datetime | None = None
    beside: frozenset[str] = frozenset()
    grained: frozenset[str] = frozenset()


def settle(session: Session, scope: Scope) -> SeqNo:
    """Return the time context to work in; a new one is recorded.

    Raises:
        ProjectError: something upstream that the run does not build has not been built in any fitting context.
    """
    known = session.registry.seq_nos(session.project.name)
    if scope.settled is not None:
        return next(s for s in known if s.number == scope.settled)
    needed = left_out(session.project, scope)
    fitting = candidates(known, scope, needed)
    missing = {s.number: needed - built_in(session, s) for s in fitting}
    found = next((s for s in fitting if not missing[s.number]), None)
    if found is not None:
        return found
    if needed:
        _fail_missing(scope, min(missing.values(), key=len, default=needed))
    end = scope.end or datetime.now(UTC).replace(microsecond=0)
    made = session.registry.new_seq_no(session.project.name, None, end, scope.invocation)
    time_contexts.record_coarser(session, time_contexts.window_of(session, made))
    return made


def candidates(known: tuple[SeqNo, ...], scope: Scope, needed: frozenset[str]) -> list[SeqNo]:
    """Return the contexts a run may continue, best first: all of them have no lower bound."""
    whole = [s for s in known if s.begin is None and (scope.since is None or s.end > scope.since)]
    unfinished = [s for s in whole if s.number == scope.first and s.is_run and not s.complete]
    if scope.end is not None:
        # A partition may have been open when the first run began: what that has left behind is all there is.
        return [s for s in whole if s.end == scope.end] + (unfinished if needed and scope.since else [])
    whole = [s for s in whole if s.is_run]
    return unfinished + (whole if needed else [])


def left_out(project: ProfilesProject, scope: Scope) -> frozenset[str]:
    """Return the models upstream of a run's that it does not build itself."""
    upstream = project.graph.with_upstream(scope.building & project.graph.models.keys()) - scope.building
    upstream -= scope.beside
    return frozenset(path for path in upstream if not isinstance(project.graph.models[path], Input))


def beside(project: ProfilesProject, partitions: Partitions, building: frozenset[str]) -> frozenset[str]:
    """Return the models that a run builds although it is not for them.

    A run for the partitions of the project builds whatever has partitions of its own, and needs to be built anew. A run
    for models that have partitions of their own builds all that they are made from: it works in a window of its own.
    """
    upstream = frozenset(project.graph.with_upstream(building & project.graph.models.keys())) - building
    if any(map(partitions.has_own, building)) and not any(map(partitions.is_main, building)):
        return upstream
    return frozenset(filter(partitions.has_own, upstream))


def widened(scope: Scope, read: ProfilesProject, present: ProfilesProject) -> Scope:
    """Return the scope of a run that also builds what only the columns of the sources show to be needed.

    A name that stands bare can turn out to be a var once they are known. The part of a var table that has it is no
    asset: definitions are made without a look at the warehouse.

    Args:
        scope: what the run builds.
        read: the project as it was read, of whose models the assets are made.
        present: the same project as its sources allow it.
    """
    foreseen, needed = (
        frozenset(project.graph.with_upstream(scope.building & project.graph.models.keys()))
        for project in (read, present)
    )
    return replace(scope, beside=scope.beside | (needed - foreseen))


def built_in(session: Session, seq_no: SeqNo) -> frozenset[str]:
    """Return the models that are complete in a time context as they are defined now."""
    complete = {kept.name for kept in session.registry.kept(session.project.name)}
    names = plan.material_names(session.project, time_contexts.window_of(session, seq_no))
    return frozenset(path for path, name in names.items() if name in complete)


def _fail_missing(scope: Scope, missing: frozenset[str]) -> NoReturn:
    absent = ", ".join(f"'{scope.labels[path]}'" for path in sorted(missing))
    wanted = ", ".join(f"'{scope.labels[path]}'" for path in sorted(scope.building))
    selection = " or ".join(f'+key:"{scope.labels[path]}"' for path in sorted(scope.building))
    where = "as they are defined now" + (f" for {scope.end:%Y-%m-%dT%H:%M:%SZ}" if scope.end else "")
    message = f"{wanted} cannot be built alone: no run has built {absent} {where}"
    fail("missing-upstream", message, hint=f"build what is upstream as well; select {selection}")


# --- the work of a step -------------------------------------------------------------------------------------------


def rehearse_once(session: Session, seq_no: SeqNo, scope: Scope) -> tuple[Problem, ...]:
    """Rehearse all a run is going to build before anything of its context is built; return warnings.

    Raises:
        ProjectError: with every model and var that would fail.
    """
    if built_in(session, seq_no) & scope.building:
        return ()
    building = tuple(scope.building & session.project.graph.models.keys())
    return run.rehearsed(session, run.make_plan(session, seq_no, Request(building)))


def why_left_out(session: Session, path: str) -> str:
    """Return what to say of a model that cannot be built this time."""
    reasons = {item.path: item.reason for item in session.project.disabled}
    return f"left out: {reasons.get(path, 'what it is made from cannot be built')}"


def plan_model(session: Session, seq_no: SeqNo, path: str, beside: frozenset[str] = frozenset()) -> Plan:
    """Return the plan that builds or reuses one model, with those of `beside` that it needs, and promotes nothing."""
    graph = session.project.graph
    needed = graph.with_upstream(beside & frozenset(graph.with_upstream([path])))
    wanted = tuple(p for p in graph.models if p == path or (p in needed and not isinstance(graph.models[p], Input)))
    own = {material.name for material in session.registry.materials(seq_no.number) if material.model_path == path}
    whole = run.make_plan(session, seq_no, Request(wanted, only=True), freshness.outdated(session, seq_no) & own)
    return replace(whole, stages=tuple(stage for stage in whole.stages if not isinstance(stage, Promote)))


def build(session: Session, planned: Plan, path: str) -> tuple[Built, tuple[Built, ...]]:
    """Execute the plan of one model, its SQL left in the output folder; return it, and what was built beside it.

    Raises:
        RunError: the warehouse refused, or a check found broken rows.
    """
    files = compiled.write(planned, session.project, session.output, session.texts, "run")
    built = [item for item in run.execute(session, planned, files).built if item.own]
    beside = tuple(item for item in built if item.model.path != path and not item.reused)
    return next(item for item in built if item.model.path == path), beside


def record(
    session: Session,
    built: Built,
    seq_no: SeqNo,
    scope: Scope,
    partitions: Partitions | None = None,
) -> report.Record:
    """Return what there is to say about a model that was just built, and the partition that it stands for."""
    window = time_contexts.window_of(session, seq_no)
    end = built.as_of or window.end
    found = shown(partitions, built.model.path, end, end) if partitions else ()
    return report.record(session.project, built, window, scope.invocation, tuple(p.key for p in found))


def promote(session: Session, seq_no: SeqNo, scope: Scope) -> Promote | None:
    """Repoint the views once all models of the run are built; return what was done, None when some are missing.

    A re-execution that continues the context of the first run repoints the views of that run as well.
    """
    wanted = scope.building | (scope.asked if seq_no.number == scope.first else frozenset())
    wanted |= scope.grained
    wanted &= session.project.graph.models.keys()
    if wanted - built_in(session, seq_no):
        return None
    window = time_contexts.window_of(session, seq_no)
    stage = plan.promotion(session.project, time_contexts.remembered(session), window, wanted)
    run.promote(session, Plan(window, session.output.schema, (stage,)), stage)
    session.registry.complete(seq_no.number)
    return stage
