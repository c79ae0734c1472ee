"""Executes a plan stage by stage, and goes on without what failed where that is asked for."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, replace

from sqlglot import exp

from profiles_pipeline import compiled, steps
from profiles_pipeline.dialects import capabilities, render, spelled
from profiles_pipeline.errors import RunError, WarehouseError, as_value
from profiles_pipeline.events import Built, Failed, Started, Working
from profiles_pipeline.failures import blaming, hook_failed
from profiles_pipeline.materials import audit_material, build_material, reused_material
from profiles_pipeline.plan import (
    AuditMaterial,
    BuildMaterial,
    EnsureSchema,
    Plan,
    Promote,
    ReuseMaterial,
    RunHook,
)
from profiles_pipeline.resolve.model import Model
from profiles_pipeline.session import Session
from profiles_pipeline.warehouse.base import Warehouse
from profiles_pipeline.warehouse.cost import bytes_scanned
from profiles_pipeline.warehouse.grants import keeping_grants


@dataclass(frozen=True, slots=True)
class Executed:
    """What came of a plan: models built or reused, plain names promoted, and models that failed."""

    built: tuple[Built, ...]
    promoted: tuple[str, ...]
    failed: tuple[Failed, ...] = ()


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
            session.warehouse.ensure_schema(stage.schema)
            session.registry.forget(planned.state.lost)
        elif isinstance(stage, Promote):
            promoted = promote(session, planned, _without(stage, built) if failed else stage)
        elif _is_spared(session, stage.model, failed):
            continue
        else:
            began = time.monotonic() if isinstance(stage, BuildMaterial) else began
            labels = {"project": session.project.name, "model": stage.model.path, "seq_no": planned.window.seq_no}
            try:
                with session.warehouse.labelled(**labels):
                    made = _taken(session, planned, stage, files, began)
                    if made is not None and not made.reused:
                        made = replace(made, bytes_scanned=bytes_scanned(session.warehouse, labels))
            except RunError as error:
                if not ignore_errors:
                    raise
                failed[stage.model.path] = Failed(stage.model, as_value(error))
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
            with blaming(session, planned, stage, files):
                build_material(session, stage)
        case AuditMaterial():
            with blaming(session, planned, stage, files):
                return audit_material(session, planned, stage, files, began)
        case ReuseMaterial():
            return reused_material(session, planned, stage)
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
            in_place = spelled(view.name, dialect) in there and _has_columns_of(session.warehouse, material, name)
            session.warehouse.execute(_replacing(tree, dialect) if in_place else render(tree, dialect))
    return tuple(view.name for view in stage.views)


def _has_columns_of(warehouse: Warehouse, relation: exp.Table, view: exp.Table) -> bool:
    """True when a relation begins with the columns of a view: then the view can show it and stay what it is."""
    new, old = (warehouse.describe(f"SELECT * FROM {render(each, warehouse.dialect)}") for each in (relation, view))
    return new[: len(old)] == old


def _replacing(tree: exp.Create, dialect: str) -> str:
    """Return the statement that gives a view another query and leaves alone what others have built on it.

    Where `CREATE OR REPLACE` stands for dropping and making anew, that would go as well.
    """
    tree.set("replace", False)
    return f"CREATE OR REPLACE{render(tree, dialect).removeprefix('CREATE')}"
