"""Executes a plan stage by stage, and goes on without what failed where that is asked for."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from itertools import chain

from sqlglot import exp

from profiles_pipeline import compiled, steps
from profiles_pipeline.dialects import capabilities, render, spelled
from profiles_pipeline.errors import RunError, WarehouseError, as_value
from profiles_pipeline.events import Built, Failed, Started, Working
from profiles_pipeline.failures import blaming, hook_failed
from profiles_pipeline.materials import audit_material, build_material, reused_material
from profiles_pipeline.session import Session
from profiles_pipeline.stages import AuditMaterial, BuildMaterial, EnsureSchema, Plan, Promote, ReuseMaterial, RunHook
from profiles_pipeline.tasks import Task, one_by_one, side_by_side, tasks_of, waits
from profiles_pipeline.warehouse.cost import bytes_scanned
from profiles_pipeline.warehouse.grants import keeping_grants
from profiles_pipeline.warehouse.views_in_place import can_show


@dataclass(frozen=True, slots=True)
class Executed:
    """What came of a plan: models built or reused, plain names promoted, and models that failed."""

    built: tuple[Built, ...]
    promoted: tuple[str, ...]
    failed: tuple[Failed, ...] = ()


def execute(
    session: Session, planned: Plan, files: compiled.Files, *, ignore_errors: bool = False, concurrency: int = 1
) -> Executed:
    """Execute a plan and return what came of it.

    Args:
        session: where.
        planned: what to do.
        files: where its SQL lies.
        ignore_errors: go on with what needs nothing that failed.
        concurrency: how many models are built at once; the observer of the session is then called by several threads.

    Raises:
        RunError: a model, a hook or a check failed; with `ignore_errors`, these are part of what is returned.
    """
    failed: dict[str, Failed] = {}
    built: dict[int, Built] = {}
    for stage in planned.stages:
        if isinstance(stage, EnsureSchema):
            session.warehouse.ensure_schema(stage.schema)
            session.registry.forget(planned.state.lost)
    with closing(_outcomes(session, planned, files, failed, ignore_errors, concurrency)) as outcomes:
        for number, outcome in outcomes:
            if isinstance(outcome, Failed):
                failed[outcome.model.path] = outcome
            elif outcome is not None:
                built[number] = outcome
            if outcome is not None:
                session.observe(outcome)
    in_order = tuple(built[number] for number in sorted(built))
    views = (stage for stage in planned.stages if isinstance(stage, Promote))
    promoted = [promote(session, planned, _without(stage, in_order) if failed else stage) for stage in views]
    return Executed(in_order, tuple(chain.from_iterable(promoted)), tuple(failed.values()))


def _outcomes(
    session: Session,
    planned: Plan,
    files: compiled.Files,
    failed: Mapping[str, Failed],
    ignore_errors: bool,
    concurrency: int,
) -> Generator[tuple[int, Built | Failed | None]]:
    """Yield the number of each task of a plan and what came of it: nothing where its model failed before."""

    def attempt(task: Task) -> Built | Failed | None:
        if task.model.path in failed:
            return None
        if not failed.keys().isdisjoint(session.project.graph.parents[task.model.path]):
            return Failed(task.model)
        try:
            return _taken(session, planned, task, files)
        except RunError as error:
            if not ignore_errors:
                raise
            return Failed(task.model, as_value(error))

    tasks = tasks_of(planned)
    if concurrency == 1:
        return one_by_one(tasks, attempt)
    # What is looked up once in a session is looked up before there are threads that would.
    _ = session.states, session.kinds, session.texts
    dialect, there = session.warehouse.dialect, {name.lower() for name in session.kinds}

    def drags_along(name: str) -> bool:
        return capabilities(dialect).cascade_on_drop and spelled(name, dialect).lower() in there

    order = waits(tasks, session.project.graph, drags_along)
    return side_by_side(tasks, order, attempt, concurrency, session.warehouse.interrupt)


def _taken(session: Session, planned: Plan, task: Task, files: compiled.Files) -> Built | None:
    """Take the stages of a model one after the other; return the model, which is complete then."""
    labels = {"project": session.project.name, "model": task.model.path, "seq_no": planned.window.seq_no}
    made: Built | None = None
    began = time.monotonic()
    with session.warehouse.labelled(**labels):
        for stage in task.stages:
            match stage:
                case RunHook():
                    run_hook(session, planned, stage, files)
                case BuildMaterial():
                    began = time.monotonic()
                    session.observe(Started(stage.model))
                    with blaming(session, planned, stage, files):
                        build_material(session, stage)
                case AuditMaterial():
                    with blaming(session, planned, stage, files):
                        made = audit_material(session, planned, stage, files, began)
                    made = replace(made, bytes_scanned=bytes_scanned(session.warehouse, labels))
                case ReuseMaterial():
                    made = reused_material(session, planned, stage)
    return made


def _without(stage: Promote, built: Iterable[Built]) -> Promote:
    """Return the views of what was built. All that a material reads was built before it."""
    complete = {item.material for item in built}
    return replace(stage, views=tuple(view for view in stage.views if view.material in complete))


def run_hook(session: Session, planned: Plan, stage: RunHook, files: compiled.Files) -> None:
    """Run the statements of a hook in one transaction.

    Raises:
        RunError: the warehouse refuses one of them, which is blamed on the hook's place in the YAML.
    """
    try:
        with session.warehouse.transaction():
            for statement in stage.statements:
                session.observe(Working(stage.model, statement.title))
                steps.take(session.warehouse, statement, session.texts)
    except WarehouseError as error:
        raise hook_failed(error, planned, stage, files) from error


def promote(session: Session, planned: Plan, stage: Promote) -> tuple[str, ...]:
    """Point every plain name at its new material, all of them or none; return those that were repointed."""
    if stage.stays_on is not None:
        return ()
    dialect, keep = session.warehouse.dialect, session.project.project.spec.carry_forward_privileges
    copied = exp.Properties(expressions=[exp.CopyGrantsProperty()])
    granted = keeping_grants(session.warehouse, planned.schema) if keep else nullcontext()
    there = session.warehouse.views(planned.schema) if capabilities(dialect).cascade_on_drop else frozenset()
    with session.warehouse.transaction(), granted:
        for view in stage.views:
            name = exp.table_(view.name, db=planned.schema, quoted=True)
            material = exp.table_(view.material, db=planned.schema, quoted=True)
            tree = exp.Create(this=name, kind="VIEW", replace=True, expression=exp.select("*").from_(material))
            if keep and capabilities(dialect).grants == "copied":
                tree.set("properties", copied.copy())
            in_place = spelled(view.name, dialect) in there and can_show(
                session.warehouse, planned.schema, view.name, view.material
            )
            session.warehouse.execute(_replacing(tree, dialect) if in_place else render(tree, dialect))
    return tuple(view.name for view in stage.views)


def _replacing(tree: exp.Create, dialect: str) -> str:
    """Return the statement that gives a view another query and leaves alone what others have built on it.

    Where `CREATE OR REPLACE` stands for dropping and making anew, that would go as well.
    """
    tree.set("replace", False)
    return f"CREATE OR REPLACE{render(tree, dialect).removeprefix('CREATE')}"
