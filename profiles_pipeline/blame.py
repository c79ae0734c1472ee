"""Finds out whose fault it is when a statement that computes many vars fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlglot import exp

from profiles_pipeline.compile import SolveComponents, Statement, Step
from profiles_pipeline.dialects import render
from profiles_pipeline.errors import Span, WarehouseError
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import InputVarTable, Model, SqlModel, VarTable
from profiles_pipeline.spec.model import VarSpec
from profiles_pipeline.warehouse.base import Warehouse


class StepError(WarehouseError):
    """A step of a script failed; `step` is the one."""

    def __init__(self, step: Step, error: WarehouseError) -> None:
        super().__init__(str(error), error.statement)
        self.step = step
        for note in getattr(error, "__notes__", ()):
            self.add_note(note)


def culprits(step: Step, warehouse: Warehouse, same: Callable[[WarehouseError], bool]) -> dict[str, WarehouseError]:
    """Return the vars of a failed step that fail by themselves as well, with what the warehouse says of each.

    Args:
        step: the step.
        warehouse: where to try the vars one by one.
        same: tells whether an error is of the kind looked for.
    """
    if isinstance(step, SolveComponents) or not step.vars:
        return {}
    found = {}
    for name in step.vars:
        try:
            warehouse.execute(render(_alone(step, name), warehouse.dialect, pretty=False))
        except WarehouseError as error:
            if same(error):
                found[name] = error
    return found


def _alone(step: Statement, name: str) -> exp.Expr:
    """Return the statement with every var but `name` replaced by NULL, as a query whose result nobody keeps."""
    others = {n.lower() for n in step.vars} - {name.lower()}
    copy = step.tree.copy()
    for aliased in list(copy.find_all(exp.Alias)):
        if aliased.alias.lower() in others and isinstance(aliased.parent, exp.Select):
            aliased.set("this", exp.Null())
    return copy.expression if isinstance(copy, exp.Create) else copy


def place_of_var(project: ProfilesProject, model: Model, name: str) -> Span | None:
    """Return where the text of a var stands."""
    spec: VarSpec
    if isinstance(model, VarTable):
        spec = project.project.entity_vars[model.cohort][name.lower()].spec
    elif isinstance(model, InputVarTable):
        spec = project.project.input_vars[model.source][name.lower()].spec
    else:
        return model.span
    return getattr(spec.select, "span", None) or spec.span


def place_of_model(model: Model) -> Span | None:
    """Return where the text of a model stands."""
    if isinstance(model, SqlModel):
        text = model.spec.single_sql or model.spec.multi_sql
        return getattr(text, "span", None) or model.span
    return model.span


def places(project: ProfilesProject, model: Model, names: Iterable[str]) -> Span | None:
    """Return where the first of some vars stands; the model's place when there is none."""
    return next((place_of_var(project, model, name) for name in names), place_of_model(model))
