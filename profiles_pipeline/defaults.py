"""Whether the texts that stand in for missing values can be of the type of the values."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from profiles_pipeline import versions
from profiles_pipeline.dialects import render
from profiles_pipeline.errors import Problem, WarehouseError
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import VarTable
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.warehouse.base import Warehouse

_ANY_TEXT = frozenset({"VARCHAR", "JSON", "NULL", '"NULL"'})
"""Types of which every text is a value, as far as defaults go."""


def unfit_defaults(project: ProfilesProject, model: VarTable, rows: exp.Table, stage: Warehouse) -> Iterator[Problem]:
    """Yield a problem for each var whose default is a text that is no value of the var's type.

    A warehouse notices it only where a value is missing.

    Args:
        project: the project.
        model: the table of the vars.
        rows: the table as built, with or without rows.
        stage: where it is.
    """
    query = render(exp.select("*").from_(rows), stage.dialect)
    types = {column.name.lower(): column.type for column in stage.describe(query)}
    reader = Reader(project.project, versions.ANY_TIME)
    for var in model.vars:
        kind = types.get(var.name.lower(), "VARCHAR")
        if var.spec.default_value is None or kind in _ANY_TEXT:
            continue
        default = reader.default_of(var)
        if not isinstance(default, exp.Literal) or not default.is_string:
            continue
        try:
            stage.scalar(f"SELECT CAST({render(default, stage.dialect)} AS {kind})")
        except WarehouseError:
            message = f"default_value {var.spec.default_value} of var '{var.name}' is no {kind}, which its values are"
            hint = "cast the values to text, or write a default of their type"
            yield Problem("wrong-type", message, var.spec.default_value.span or var.spec.span, hint)
