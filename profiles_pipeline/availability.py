"""What of a project's sources is there: the project is cut down to what can run on them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from profiles_pipeline.errors import ProjectError, WarehouseError
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import RULES, Input
from profiles_pipeline.warehouse.base import Warehouse


def available_part(project: ProfilesProject, warehouse: Warehouse) -> ProfilesProject:
    """Return the project without the inputs, columns and whatever needs them that may be missing and are.

    Raises:
        ProjectError: a must-have would be left out.
    """
    present = project.without(missing_inputs(project, warehouse))
    present = present.without(columns=missing_columns(present, warehouse))
    return present.with_contents(_contents(present, warehouse))


def missing_inputs(project: ProfilesProject, warehouse: Warehouse) -> dict[str, str]:
    """Return path -> reason of the inputs that need not be there and are not."""
    missing = {}
    for model in _tables(project):
        if model.is_optional and not _is_there(model, warehouse):
            missing[model.path] = f"its table '{model.table}' is not there, and its contract says that it is optional"
    return missing


def missing_columns(project: ProfilesProject, warehouse: Warehouse) -> dict[str, frozenset[str]]:
    """Return path -> lower-case columns that need not be there and are not. An input without a table is left out."""
    missing = {}
    for model in _tables(project):
        if model.optional_columns and _is_there(model, warehouse):
            try:
                columns = warehouse.describe(f"SELECT * FROM {warehouse.source(str(model.table)).sql}")
            except WarehouseError:
                continue  # the rehearsal tells it, at its place and with all the rest
            if absent := model.optional_columns - {column.name.lower() for column in columns}:
                missing[model.path] = absent
    return missing


def _contents(project: ProfilesProject, warehouse: Warehouse) -> dict[str, str]:
    """Return path -> hash of the rows of the inputs that mean something by themselves: the manual rules.

    A rule that is added or taken back changes what the graph means, like a filter in the project does.
    """
    model = project.graph.models.get(RULES)
    if not isinstance(model, Input) or not _is_there(model, warehouse):
        return {}
    rows = warehouse.query(f"SELECT * FROM {warehouse.source(str(model.table)).sql}").rows
    return {RULES: hashlib.sha256("\n".join(sorted(map(repr, rows))).encode()).hexdigest()}


def _tables(project: ProfilesProject) -> Iterator[Input]:
    for model in project.graph.models.values():
        if isinstance(model, Input) and model.csv is None:
            yield model


def _is_there(model: Input, warehouse: Warehouse) -> bool:
    try:
        warehouse.source(str(model.table))
    except ProjectError:
        return False
    return True
