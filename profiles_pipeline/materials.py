"""Builds, checks and takes over materials: the tables and views that stand for the models of a window."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime

from sqlglot import exp

from profiles_pipeline import blame, compiled, freshness, observations, steps
from profiles_pipeline.compile import Audit, SolveComponents, Statement, Step
from profiles_pipeline.dialects import capabilities, render, spelled
from profiles_pipeline.errors import Check, WarehouseError
from profiles_pipeline.events import Built, Working
from profiles_pipeline.failures import check_failed
from profiles_pipeline.registry import Material
from profiles_pipeline.resolve.model import Input
from profiles_pipeline.resolve.session_models import SessionTable
from profiles_pipeline.session import Session
from profiles_pipeline.stages import AuditMaterial, BuildMaterial, Plan, ReuseMaterial
from profiles_pipeline.warehouse.base import Warehouse


def build_material(session: Session, stage: BuildMaterial) -> None:
    """Execute the script of a material in one transaction; it is not complete before its audits have passed.

    Where the making of tables cannot be taken back, only what is done to rows that are kept is one transaction. A run
    that ends before leaves them as they were, and the next one makes everything else anew.
    """
    warehouse, bound = session.warehouse, dict[str, exp.Expr]()
    if capabilities(warehouse.dialect).transactional_ddl:
        with session.registry.forgetting(stage.material), warehouse.keeping_views(session.output.schema):
            _make(session, stage, bound)
            _keep(session, stage, bound)
            _clear_away(warehouse, stage)
        return
    with session.registry.forgetting(stage.material):
        session.registry.let_go(stage.replaces)
    _make(session, stage, bound)
    if stage.increment is not None:
        with warehouse.transaction():
            _keep(session, stage, bound)
    _clear_away(warehouse, stage)


def _make(session: Session, stage: BuildMaterial, bound: dict[str, exp.Expr]) -> None:
    _drop_of_other_kind(session, stage)
    _take(session, stage, stage.script.steps, bound)


def _keep(session: Session, stage: BuildMaterial, bound: dict[str, exp.Expr]) -> None:
    """Change what is kept from run to run, and write down that it is as of this one."""
    _take(session, stage, stage.script.at_once, bound)
    if stage.increment is not None:
        session.registry.hold(session.project.name, stage.increment.held)


def _take(session: Session, stage: BuildMaterial, script: Iterable[Step], bound: dict[str, exp.Expr]) -> None:
    for step in script:
        session.observe(Working(stage.model, step.title))
        try:
            steps.take(session.warehouse, step, session.texts, bound=bound)
        except WarehouseError as error:
            raise blame.StepError(step, error) from error


def _clear_away(warehouse: Warehouse, stage: BuildMaterial) -> None:
    for name in filter(None, map(_temporary, stage.script.steps)):
        warehouse.execute(f"DROP TABLE IF EXISTS {render(exp.table_(name, quoted=True), warehouse.dialect)}")


def _drop_of_other_kind(session: Session, stage: BuildMaterial) -> None:
    """Drop tables that are to become views and views that are to become tables, which no warehouse replaces itself."""
    schema, warehouse = session.output.schema, session.warehouse
    whatever_reads_it = " CASCADE" if capabilities(warehouse.dialect).cascade_on_drop else ""
    made = [step.tree for step in stage.script.steps if isinstance(step, Statement) and not _temporary(step)]
    kinds = {spelled(t.this.name, warehouse.dialect): t.args["kind"] for t in made if isinstance(t, exp.Create)}
    for name in session.kinds.keys() & kinds.keys():
        if kinds[name] in ("VIEW", "TABLE") and kinds[name] != session.kinds[name]:
            table = render(exp.table_(name, db=schema, quoted=True), warehouse.dialect)
            warehouse.execute(f"DROP {session.kinds[name]} {table}{whatever_reads_it}")


def audit_material(session: Session, planned: Plan, stage: AuditMaterial, files: compiled.Files, began: float) -> Built:
    """Check a material, record it as complete and return it.

    Raises:
        RunError: a rule is broken.
    """
    warehouse = session.warehouse
    checks = tuple(_checked(warehouse, audit) for audit in stage.audits)
    relation = _relation(session, planned.schema, stage.material)
    if any(check.stops for check in checks):
        raise check_failed(checks, planned, stage, relation, files)
    rows = int(str(warehouse.scalar(render(stage.count, warehouse.dialect))))
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
        version=stage.version,
        how=stage.how,
    )
    with session.registry.forgetting(stage.material):
        session.registry.record(material)
    return Built(
        stage.model, stage.material, relation, stage.fingerprint, stage.kind, rows, seconds, False, material.sql_file,
        columns, checks, _is_own(planned, stage), _as_of(planned, stage), _versions(session, stage), stage.how,
        _funnel(session, stage, relation),
    )  # fmt: skip


def reused_material(session: Session, planned: Plan, stage: ReuseMaterial) -> Built:
    """Return a material that is taken over as it is."""
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
        versions=_versions(session, stage),
        how=stage.how,
        funnel=_funnel(session, stage, relation),
    )


def _checked(warehouse: Warehouse, audit: Audit) -> Check:
    broken = warehouse.scalar(render(audit.tree, warehouse.dialect))
    return Check(audit.name, audit.description, int(str(broken or 0)), audit.severity)


def _is_own(planned: Plan, stage: AuditMaterial | ReuseMaterial) -> bool:
    return stage.window.seq_no == planned.window.of(stage.model.time_grain).seq_no


def _as_of(planned: Plan, stage: AuditMaterial | ReuseMaterial) -> datetime | None:
    return stage.window.end if stage.window.end != planned.window.end else None


def _versions(session: Session, stage: AuditMaterial | ReuseMaterial) -> dict[str, str]:
    parents = session.project.graph.parents[stage.model.path]
    if not any(isinstance(session.project.graph.models[path], Input) for path in parents):
        return {}
    known = observations.versions_of(session.project, session.registry)
    return {path: known[path] for path in parents if path in known}


def _funnel(
    session: Session, stage: AuditMaterial | ReuseMaterial, relation: str
) -> tuple[tuple[str, int, int, float | None], ...]:
    """Return the stages of a funnel, which are few: name, sessions, visitors, mean seconds; nothing of other models."""
    if not isinstance(stage.model, SessionTable) or stage.model.kind != "funnel":
        return ()
    columns = "stage, sessions, visitors, mean_seconds"
    found = session.warehouse.query(f"SELECT {columns} FROM {relation} ORDER BY stage_number").rows
    return tuple((str(s), int(str(n)), int(str(v)), None if m is None else float(str(m))) for s, n, v, m in found)


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
