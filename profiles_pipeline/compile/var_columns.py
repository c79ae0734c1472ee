"""Which columns a var table has, in which order, and which it takes over from other tables."""

from __future__ import annotations

from profiles_pipeline.compile.statement import Compilation
from profiles_pipeline.resolve.model import VarTable


def column_order(c: Compilation, model: VarTable) -> list[str]:
    """Return the names of the vars of a var table: inherited ones first, then its own in the order of declaration."""
    earlier = [name for names in taken_over(c, model).values() for name in names]
    declared = {name.lower(): n for n, name in enumerate(_declared(c, model))}
    return sorted(earlier + _added_names(c, model), key=lambda name: declared.get(name.lower(), -1))


def taken_over(c: Compilation, model: VarTable) -> dict[str, list[str]]:
    """Return path -> names of the vars that a var table takes over from the part before it and from its parent's table.

    The part before has those of the parent's table already, unless that table needs it.
    """
    paths = [path for path in (model.previous, model.inherited) if path is not None]
    if model.previous is not None and var_table(c, model.previous).inherited is not None:
        paths = [model.previous]
    taken = {name.lower() for name in _added_names(c, model)}
    found: dict[str, list[str]] = {}
    for path in paths:
        found[path] = [name for name in column_order(c, var_table(c, path)) if name.lower() not in taken]
        taken.update(map(str.lower, found[path]))
    return found


def var_table(c: Compilation, path: str) -> VarTable:
    """Return the var table, or the part of one, at a path."""
    model = c.graph.models[path]
    assert isinstance(model, VarTable)
    return model


def _added_names(c: Compilation, model: VarTable) -> list[str]:
    """Return the names of the vars that a var table adds: its own, and those that are joined to it."""
    added = {var.name.lower(): var.name for var in model.vars}
    added |= {name.lower(): name for name in _joined_names(c, model)}
    return list(added.values())


def _joined_names(c: Compilation, model: VarTable) -> list[str]:
    """Return the names of the vars of coarser time grain that are joined to a var table."""
    return [name for path in model.coarser for name in column_order(c, var_table(c, path))]


def _declared(c: Compilation, model: VarTable) -> list[str]:
    return [v.name for v in c.project.entity_vars.get(model.cohort, {}).values()]
