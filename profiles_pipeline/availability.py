"""What of a project's sources is there: the project is cut down to what can run on them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from profiles_pipeline import versions
from profiles_pipeline.errors import ProjectError, Span, WarehouseError
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import RULES, EntityVar, Input, InputVar, Project
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.warehouse.base import Warehouse


def available_part(project: ProfilesProject, warehouse: Warehouse) -> ProfilesProject:
    """Return the project without the inputs, columns and whatever needs them that may be missing and are.

    Raises:
        ProjectError: a must-have would be left out.
    """
    present = project.without(missing_inputs(project, warehouse))
    present = present.with_columns(columns_to_know(present, warehouse))
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
        columns = _columns(model, warehouse) if model.optional_columns else None
        if columns is not None and (absent := model.optional_columns - columns):
            missing[model.path] = absent
    return missing


def columns_to_know(project: ProfilesProject, warehouse: Warehouse) -> dict[str, frozenset[str]]:
    """Return path -> lower-case columns of the inputs on which it depends what a name means that stands bare.

    Old dialects have no other way to name a var, so that a name is a var where the table has no such column.
    """
    reader = Reader(project.project, versions.ANY_TIME, bound=False)
    found = {}
    for model in _tables(project):
        in_doubt = any(used & names for used, names in _bare_names(project.project, reader, model))
        columns = _columns(model, warehouse) if in_doubt else None
        if columns is not None:
            found[model.path] = columns
    return found


def vars_by_bare_name(project: ProfilesProject) -> dict[Span, frozenset[str]]:
    """Return, for each var over an input whose columns are known, the lower-case names that mean vars in it.

    Args:
        project: a project of an old dialect, as its sources allow it.
    """
    resolved = project.project
    reader = Reader(resolved, versions.ANY_TIME, bound=False)
    every: list[EntityVar | InputVar] = [var for own in resolved.entity_vars.values() for var in own.values()]
    every += [var for own in resolved.input_vars.values() for var in own.values()]
    over_known = (var for var in every if var.bare_names and var.source in resolved.columns)
    return {place: frozenset(reader.visible_bare_names(var)) for var in over_known if (place := var.spec.span)}


def _bare_names(project: Project, reader: Reader, model: Input) -> Iterator[tuple[frozenset[str], AbstractSet[str]]]:
    """Yield, for each var over an input in an old dialect, the columns it seems to use and the vars it might mean."""
    own = project.input_vars.get(model.path, {})
    for input_var in own.values():
        if input_var.bare_names:
            yield reader.input_var(input_var).columns - own.keys(), reader.vars_by_name(input_var).keys()
    for of_cohort in project.entity_vars.values():
        for var in of_cohort.values():
            if var.bare_names and var.source == model.path:
                yield reader.entity_var(var).columns - own.keys(), reader.vars_by_name(var).keys()


def _contents(project: ProfilesProject, warehouse: Warehouse) -> dict[str, str]:
    """Return path -> hash of the rows of the inputs that mean something by themselves: the manual rules.

    A rule that is added or taken back changes what the graph means, like a filter in the project does.
    """
    model = project.graph.models.get(RULES)
    if not isinstance(model, Input) or not _is_there(model, warehouse):
        return {}
    rows = warehouse.query(warehouse.source(str(model.table)).select).rows
    return {RULES: hashlib.sha256("\n".join(sorted(map(repr, rows))).encode()).hexdigest()}


def _tables(project: ProfilesProject) -> Iterator[Input]:
    for model in project.graph.models.values():
        if isinstance(model, Input) and model.csv is None:
            yield model


def _columns(model: Input, warehouse: Warehouse) -> frozenset[str] | None:
    """Return the lower-case names of the columns of a table; None when there is no table that can be read."""
    try:
        columns = warehouse.describe(warehouse.source(str(model.table)).select)
    except (ProjectError, WarehouseError):
        return None  # the rehearsal tells it, at its place and with all the rest
    return frozenset(column.name.lower() for column in columns)


def _is_there(model: Input, warehouse: Warehouse) -> bool:
    try:
        warehouse.source(str(model.table))
    except ProjectError as error:
        # What is there and cannot be read is told by the rehearsal.
        return any(problem.code == "unreadable-source" for problem in error.problems)
    return True
