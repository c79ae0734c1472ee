"""Finds what of a plan cannot be said in the dialect of an engine that is not asked, before anything is made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import cast

from sqlglot import exp

from profiles_pipeline import blame, rejection, stars
from profiles_pipeline.compile import Bind, SolveComponents, Step, UniteRows
from profiles_pipeline.dialects import render
from profiles_pipeline.errors import Problem, Problems, WarehouseError
from profiles_pipeline.identity import contraction_script
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import Model
from profiles_pipeline.stages import AuditMaterial, BuildMaterial, Plan, RunHook
from profiles_pipeline.warehouse.base import Warehouse

_HINT = "that is what the text comes to there: write it with other functions"


def refuse(project: ProfilesProject, planned: Plan, dialect: str) -> None:
    """Do nothing where all of a plan can be said in a dialect.

    Raises:
        ProjectError: with every model and var that cannot, and where they are written.
    """
    problems = Problems()
    for stage in planned.stages:
        match stage:
            case BuildMaterial():
                problems.found += _of_model(project, stage, dialect)
            case RunHook():
                problems.found += _of_trees(project, stage.model, _trees(stage.statements), dialect)
            case AuditMaterial():
                audits = (*(audit.tree for audit in stage.audits), stage.count)
                problems.found += _of_trees(project, stage.model, audits, dialect)
    problems.raise_errors()


def _of_model(project: ProfilesProject, stage: BuildMaterial, dialect: str) -> list[Problem]:
    """Return what cannot be said of the first step that cannot: those after it say much of it again."""
    asked = cast(Warehouse, _NobodyAsked(dialect))
    for step in stage.script.steps:
        for tree in _trees([step]):
            try:
                _say(tree, dialect)
            except WarehouseError as error:
                blamed = rejection.blamed(project, stage.model, step, error, asked, lambda _: ())
                return [replace(p, hint=p.hint or _HINT) for said in blamed.values() for p in said]
    return []


def _of_trees(project: ProfilesProject, model: Model, trees: Iterable[exp.Expr], dialect: str) -> list[Problem]:
    for tree in trees:
        try:
            _say(tree, dialect)
        except WarehouseError as error:
            return [Problem("sql-rejected", f"{model.path}: {error}", blame.places(project, model, ()))]
    return []


def _say(tree: exp.Expr, dialect: str) -> None:
    """Write a tree, as far as it can be written while the columns of what it reads are not known.

    Raises:
        WarehouseError: something in it cannot be said.
    """
    render(stars.taken_for_granted(tree, dialect), dialect, pretty=False)


def _trees(steps: Iterable[Step]) -> Iterator[exp.Expr]:
    for step in steps:
        match step:
            case SolveComponents():
                script = contraction_script(step)
                yield from (script.guard, *script.before, *script.rounds, script.left, script.check, *script.after)
            case UniteRows():
                yield from step.queries
            case Bind():
                yield step.query
            case _:
                yield step.tree


class _NobodyAsked:
    """Stands for a warehouse where statements are only written: what cannot be written is refused while it is."""

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect

    def execute(self, _: str) -> None:
        """Do nothing: what is written can be said."""
