"""Runs a project: reads it, plans, executes the plan, records what was built, promotes it.

The one place with effects besides the warehouse adapter. `profiles run` and the Dagster assets both call it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Literal

from sqlglot import exp

from profiles_pipeline import blame, compiled, freshness, plan, rehearse, rejection, steps, time_contexts
from profiles_pipeline.availability import available_part
from profiles_pipeline.compile import Audit, SolveComponents, Statement, Step
from profiles_pipeline.connections import Output
from profiles_pipeline.dialects import identifier, render
from profiles_pipeline.enable import Disabled
from profiles_pipeline.errors import Check, Problem, ProjectError, RunError, WarehouseError, at
from profiles_pipeline.plan import (
    AuditMaterial,
    BuildMaterial,
    EnsureSchema,
    Plan,
    Promote,
    Request,
    ReuseMaterial,
    RunHook,
)
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.registry import Material, Registry, SeqNo
from profiles_pipeline.resolve.model import RULES, Input, Model
from profiles_pipeline.warehouse.base import Warehouse
from profiles_pipeline.warehouse.connect import connect_duckdb
from profiles_pipeline.warehouse.lock import Holder
from profiles_pipeline.warehouse.settings import MEMORY
from profiles_pipeline.windows import Window


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked of a run.

    Attributes:
        seq_no: a time context to repeat or resume, ``latest``, ``new``, or None to let the run decide.
        invocation: name of the run for the registry; runs of the same invocation share a time context.
        ignore_model_errors: after an error go on with whatever does not depend on the model that failed.
    """

    request: Request = field(default_factory=Request)
    begin: datetime | None = None
    end: datetime | None = None
    seq_no: int | Literal["latest", "new"] | None = None
    invocation: str | None = None
    lock_timeout: float | None = None
    ignore_model_errors: bool = False


@dataclass(frozen=True, slots=True)
class Built:
    """A model that was built or reused.

    Attributes:
        rows: how many rows it has; None when nobody counted.
        seconds: wall time of building and checking it.
        sql_file: the SQL that was run, relative to the project folder.
        own: True when it is what the model stands for in this run; False for an earlier state of it, from which a
            model with a coarser time grain is made.
        as_of: the end of its window, where a time grain has moved that back; None when it is the end of the run's.
    """

    model: Model
    material: str
    relation: str
    fingerprint: str
    kind: str
    rows: int | None
    seconds: float
    reused: bool
    sql_file: str | None = None
    columns: tuple[tuple[str, str], ...] = ()
    checks: tuple[Check, ...] = ()
    own: bool = True
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """The run waits for another one to finish."""

    holder: Holder


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan is made; nothing has been built yet."""

    plan: Plan
    resumed: bool
    warnings: tuple[Problem, ...] = ()
    disabled: tuple[Disabled, ...] = ()


@dataclass(frozen=True, slots=True)
class Started:
    """A model is being built."""

    model: Model


@dataclass(frozen=True, slots=True)
class Working:
    """A model has reached this step."""

    model: Model
    title: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A model could not be built and the run goes on; without an error, something that it needs has failed."""

    model: Model
    error: RunError | None = None


Event = Waiting | Planned | Started | Working | Built | Failed
Observer = Callable[[Event], None]


@dataclass(frozen=True)
class Report:
    """What a run did.

    Attributes:
        window: its time context.
        built: every model built or reused, in order.
        promoted: plain names that now show the materials of this run.
        seconds: wall time, waiting for the lock not included.
        sql_folder: where the SQL of the run lies.
        stays_on: the later window that the plain names go on showing; None when they show this one.
        failed: models that could not be built, and those that need them, where errors of models are ignored.
    """

    window: Window
    built: tuple[Built, ...]
    promoted: tuple[str, ...]
    seconds: float
    sql_folder: Path
    stays_on: Window | None = None
    failed: tuple[Failed, ...] = ()


@dataclass(frozen=True, slots=True)
class Executed:
    """What came of a plan: models built or reused, plain names promoted, and models that failed."""

    built: tuple[Built, ...]
    promoted: tuple[str, ...]
    failed: tuple[Failed, ...] = ()


AtEnd = Callable[["Session", tuple[Built, ...]], None]
"""What to do with the models of a run before the warehouse is let go."""


@dataclass
class Session:
    """A project open on its warehouse."""

    project: ProfilesProject
    output: Output
    warehouse: Warehouse
    registry: Registry
    sources: plan.Sources
    observe: Observer
    started: float = field(default_factory=time.monotonic)

    @cached_property
    def states(self) -> Mapping[str, str]:
        """Input -> hash of the state it is in, the same from the first look to the end of the session."""
        return freshness.states_of_inputs(self.project, self.warehouse)


def run(
    project: ProfilesProject,
    output: Output,
    options: Options = Options(),
    observe: Observer = lambda _: None,
    at_end: AtEnd = lambda *_: None,
) -> Report:
    """Build what is asked for and return what was done.

    When errors of models are ignored, they are part of what is returned: whatever needs a model that failed is left
    out, the views of the others are repointed, and the time context stays unfinished so that it can be continued.

    Raises:
        ProjectError: the project does not fit its data, or the options make no sense; nothing was built or made.
        RunError: a model or a check failed; what was built before is kept for resuming, views stand as they were.
        LockTimeoutError: another run kept the warehouse for too long.
    """
    warnings = _rehearsed_in_memory(project, output, options)
    with open_session(project, output, "profiles run", observe, options.lock_timeout) as opened:
        seq_no, resumed = time_contexts.choose_seq_no(opened, options)
        session = time_contexts.with_what_it_needs(opened, seq_no)
        outdated = freshness.outdated(session, seq_no)
        planned = make_plan(session, seq_no, options.request, outdated)
        if warnings is None:
            warnings = () if options.ignore_model_errors else rehearsed(session, planned)
        session.registry.ensure()
        session.registry.forget(outdated)
        if not resumed:
            session.registry.record_seq_no(project.name, seq_no)
        time_contexts.record_coarser(session, planned.window)
        observe(Planned(planned, resumed, warnings, session.project.disabled))
        files = compiled.write(planned, session.project, output, session.warehouse.dialect, "run")
        done = execute(session, planned, files, ignore_errors=options.ignore_model_errors)
        if not done.failed:
            session.registry.complete(seq_no.number)
        at_end(session, done.built)
        seconds = time.monotonic() - session.started
        return Report(planned.window, done.built, done.promoted, seconds, files.folder, planned.stays_on, done.failed)


def _rehearsed_in_memory(project: ProfilesProject, output: Output, options: Options) -> tuple[Problem, ...] | None:
    """Return the warnings of a rehearsal, for a warehouse file that is yet to be made; None when there is one.

    A project that is wrong then leaves no empty file behind.
    """
    if output.settings.file is None or output.settings.file.exists() or options.ignore_model_errors:
        return None
    in_memory = replace(output, settings=replace(output.settings, path=MEMORY))
    with open_session(project, in_memory, "rehearsal") as opened:
        seq_no, _ = time_contexts.choose_seq_no(opened, options)
        session = time_contexts.with_what_it_needs(opened, seq_no)
        return rehearsed(session, make_plan(session, seq_no, options.request))


def rehearsed(session: Session, planned: Plan) -> tuple[Problem, ...]:
    """Rehearse a plan with all that is above it on empty tables; return warnings.

    Raises:
        ProjectError: with every model and var that would fail.
    """
    return rehearse.rehearse(session.project, rehearse.piece_of(planned), session.warehouse, session.sources)


@contextmanager
def open_session(
    project: ProfilesProject,
    output: Output,
    purpose: str,
    observe: Observer = lambda _: None,
    lock_timeout: float | None = None,
) -> Iterator[Session]:
    """Yield the project open on its warehouse, alone on it; waits for others first and says so."""

    def on_wait(holder: Holder) -> None:
        observe(Waiting(holder))

    settings = replace(output.settings, built_here=project.relation_names)
    with connect_duckdb(settings, purpose=purpose, lock_timeout=lock_timeout, on_wait=on_wait) as warehouse:
        registry = Registry(warehouse, output.schema, target=output.target, folder=str(project.folder))
        present = available_part(project, warehouse)
        yield Session(present, output, warehouse, registry, found_sources(warehouse), observe)


def found_sources(warehouse: Warehouse) -> plan.Sources:
    """Return sources as the warehouse finds them."""
    cache: dict[str, exp.Expr] = {}

    def find(table: str) -> exp.Expr:
        if table not in cache:
            cache[table] = plan.from_item(warehouse.source(table).sql)
        return cache[table].copy()

    def find_input(model: Input) -> exp.Expr:
        try:
            return find(str(model.table))
        except ProjectError as error:
            problems = [at(problem, model.table.span or model.span) for problem in error.problems]
            if model.path == RULES:
                hint = "profiles idstitch rules create makes it, without rules"
                problems = [replace(problem, hint=hint) for problem in problems]
            raise ProjectError(problems) from error

    return plan.Sources(
        of_input=find_input,
        of_table=lambda table: plan.renamed(find(plan.written_name(table)), table),
    )


def make_plan(session: Session, seq_no: SeqNo, request: Request, outdated: frozenset[str] = frozenset()) -> Plan:
    """Return the plan for a time context; materials that are outdated are built anew."""
    return plan.build(
        session.project,
        time_contexts.remembered(session).without(outdated),
        time_contexts.window_of(session, seq_no),
        session.sources,
        schema=session.output.schema,
        request=request,
    )


# --- executing ----------------------------------------------------------------------------------------------------


def execute(session: Session, planned: Plan, files: compiled.Files, *, ignore_errors: bool = False) -> Executed:
    """Execute a plan and return what came of it.

    Raises:
        RunError: a model, a hook or a check failed; with `ignore_errors`, these are part of what is returned.
    """
    built: list[Built] = []
    failed: dict[str, Failed] = {}
    promoted: tuple[str, ...] = ()
    began = time.monotonic()
    for stage in planned.stages:
        if isinstance(stage, EnsureSchema):
            schema = identifier(stage.schema, session.warehouse.dialect)
            session.warehouse.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        elif isinstance(stage, Promote):
            promoted = promote(session, planned, _without(stage, built) if failed else stage)
        elif _is_spared(session, stage.model, failed):
            continue
        else:
            began = time.monotonic() if isinstance(stage, BuildMaterial) else began
            try:
                made = _taken(session, planned, stage, files, began)
            except RunError as error:
                if not ignore_errors:
                    raise
                failed[stage.model.path] = Failed(stage.model, error)
                session.observe(failed[stage.model.path])
                continue
            if made is not None:
                built.append(made)
                session.observe(made)
    return Executed(tuple(built), promoted, tuple(failed.values()))


def _taken(
    session: Session,
    planned: Plan,
    stage: RunHook | BuildMaterial | AuditMaterial | ReuseMaterial,
    files: compiled.Files,
    began: float,
) -> Built | None:
    """Take one stage of a model; return the model once it is complete."""
    match stage:
        case RunHook():
            run_hook(session, planned, stage, files)
        case BuildMaterial():
            session.observe(Started(stage.model))
            with _blaming(session, planned, stage, files):
                build_material(session, stage)
        case AuditMaterial():
            with _blaming(session, planned, stage, files):
                return audit_material(session, planned, stage, files, began)
        case ReuseMaterial():
            return _reused(session, planned, stage)
    return None


def _is_spared(session: Session, model: Model, failed: dict[str, Failed]) -> bool:
    """True for a model that failed or needs one that did; one that is met for the first time is noted."""
    if model.path in failed:
        return True
    if failed.keys().isdisjoint(session.project.graph.parents[model.path]):
        return False
    failed[model.path] = Failed(model)
    session.observe(failed[model.path])
    return True


def _without(stage: Promote, built: Iterable[Built]) -> Promote:
    """Return the views of what was built. All that a material reads was built before it."""
    complete = {item.material for item in built}
    return replace(stage, views=tuple(view for view in stage.views if view.material in complete))


def run_hook(session: Session, planned: Plan, stage: RunHook, files: compiled.Files) -> None:
    """Run the statements of a hook in one transaction.

    Raises:
        RunError: the warehouse refuses one of them, which is blamed on the hook's place in the YAML.
    """
    hook = stage.hook
    try:
        with session.warehouse.transaction():
            for statement in stage.statements:
                session.observe(Working(stage.model, statement.title))
                steps.take(session.warehouse, statement)
    except WarehouseError as error:
        sql_file, seq_no = files.relative(stage.material), planned.window.seq_no
        problem = Problem(
            "hook-failed",
            f"{hook.when} of {hook.owner}: {error}",
            hook.text.span or stage.model.span,
            f"the SQL is in {sql_file}; mend the hook and run again, it continues with seq_no {seq_no}",
            "\n".join(getattr(error, "__notes__", ())) or None,
        )
        raise RunError(problem, stage.model.path, seq_no, sql_file) from error


def build_material(session: Session, stage: BuildMaterial) -> None:
    """Execute the script of a material in one transaction; it is not complete before its audits have passed."""
    warehouse = session.warehouse
    temporary = [name for step in stage.script.steps if (name := _temporary(step))]
    with session.registry.forgetting(stage.material):
        for step in stage.script.steps:
            session.observe(Working(stage.model, step.title))
            try:
                steps.take(warehouse, step)
            except WarehouseError as error:
                raise blame.StepError(step, error) from error
        for name in temporary:
            warehouse.execute(f"DROP TABLE IF EXISTS {identifier(name, warehouse.dialect)}")


def audit_material(session: Session, planned: Plan, stage: AuditMaterial, files: compiled.Files, began: float) -> Built:
    """Check a material, record it as complete and return it.

    Raises:
        RunError: a rule is broken.
    """
    warehouse = session.warehouse
    checks = tuple(_checked(warehouse, audit) for audit in stage.audits)
    broken = [check for check in checks if not check.passed]
    if broken:
        message = "; ".join(f"{c.description} Broken by {c.broken} rows ({c.name})" for c in broken)
        hint = f"look into {_relation(session, planned.schema, stage.material)}; the views still show the run before"
        problem = Problem("check-failed", f"{stage.model.path}: {message}", stage.model.span, hint)
        raise RunError(problem, stage.model.path, planned.window.seq_no, files.relative(stage.material), checks)
    rows = int(str(warehouse.scalar(render(stage.count, warehouse.dialect))))
    relation = _relation(session, planned.schema, stage.material)
    columns = tuple((c.name, c.type) for c in warehouse.describe(f"SELECT * FROM {relation}"))
    seconds = time.monotonic() - began
    material = Material(
        name=stage.material,
        model_path=stage.model.path,
        model_name=stage.model.name,
        model_type=type(stage.model).__name__,
        fingerprint=stage.fingerprint,
        seq_no=stage.window.seq_no,
        begin=stage.window.begin,
        end=stage.window.end,
        kind=stage.kind,
        entity=getattr(stage.model, "entity", None),
        row_count=rows,
        seconds=seconds,
        sql_file=files.relative(stage.material),
        checks=tuple(c.name for c in checks),
        sources=freshness.states_behind(session, stage.model.path),
    )
    with session.registry.forgetting(stage.material):
        session.registry.record(material)
    return Built(
        stage.model, stage.material, relation, stage.fingerprint, stage.kind, rows, seconds, False, material.sql_file,
        columns, checks, _is_own(planned, stage), _as_of(planned, stage),
    )  # fmt: skip


def _is_own(planned: Plan, stage: AuditMaterial | ReuseMaterial) -> bool:
    return stage.window.seq_no == planned.window.of(stage.model.time_grain).seq_no


def _as_of(planned: Plan, stage: AuditMaterial | ReuseMaterial) -> datetime | None:
    return stage.window.end if stage.window.end != planned.window.end else None


def _checked(warehouse: Warehouse, audit: Audit) -> Check:
    broken = warehouse.scalar(render(audit.tree, warehouse.dialect))
    return Check(audit.name, audit.description, int(str(broken or 0)))


def promote(session: Session, planned: Plan, stage: Promote) -> tuple[str, ...]:
    """Point every plain name at its new material, all of them or none; return those that were repointed."""
    if stage.stays_on is not None:
        return ()
    dialect = session.warehouse.dialect
    with session.warehouse.transaction():
        for view in stage.views:
            name = exp.table_(view.name, db=planned.schema, quoted=True)
            material = exp.table_(view.material, db=planned.schema, quoted=True)
            tree = exp.Create(this=name, kind="VIEW", replace=True, expression=exp.select("*").from_(material))
            session.warehouse.execute(render(tree, dialect))
    return tuple(view.name for view in stage.views)


def _reused(session: Session, planned: Plan, stage: ReuseMaterial) -> Built:
    kept = {m.name: m for m in session.registry.materials(stage.window.seq_no)}[stage.material]
    relation = _relation(session, planned.schema, stage.material)
    columns = tuple((c.name, c.type) for c in session.warehouse.describe(f"SELECT * FROM {relation}"))
    return Built(
        stage.model,
        stage.material,
        relation,
        kept.fingerprint,
        kept.kind,
        kept.row_count,
        0.0,
        True,
        kept.sql_file,
        columns,
        own=_is_own(planned, stage),
        as_of=_as_of(planned, stage),
    )


def _temporary(step: Step) -> str | None:
    if isinstance(step, SolveComponents):
        return step.result.name
    if not isinstance(step, Statement):
        return None
    tree = step.tree
    properties = tree.args.get("properties") if isinstance(tree, exp.Create) else None
    is_temporary = properties is not None and properties.find(exp.TemporaryProperty) is not None
    return tree.this.name if is_temporary else None


def _relation(session: Session, schema: str, name: str) -> str:
    return render(exp.table_(name, db=schema, quoted=True), session.warehouse.dialect)


@contextmanager
def _blaming(
    session: Session, planned: Plan, stage: BuildMaterial | AuditMaterial, files: compiled.Files
) -> Iterator[None]:
    """Turn what the warehouse says about a statement into a RunError that names the model, its place and its SQL."""
    try:
        yield
    except WarehouseError as error:
        sql_file = files.relative(stage.material)
        guilty: list[str] = []
        if isinstance(error, blame.StepError):
            kind = str(error).partition(":")[0]
            guilty = list(blame.culprits(error.step, session.warehouse, same=lambda own: str(own).startswith(kind)))
        named = f" (var {', '.join(guilty)})" if guilty else ""
        notes = "\n".join(getattr(error, "__notes__", ()))
        problem = Problem(
            "warehouse-error",
            f"{stage.model.path}{named}: {error}",
            rejection.place_of_refusal(session.project, stage.model, guilty, str(error)),
            f"the SQL is in {files.place(stage.material, error.statement, notes)}; mend the cause and run again, "
            f"it continues with seq_no {planned.window.seq_no}",
            notes or None,
        )
        raise RunError(problem, stage.model.path, planned.window.seq_no, sql_file) from error
