"""Cuts var tables into parts, where models in between need some of their vars to make rows for others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from profiles_pipeline.enable import Node
from profiles_pipeline.names import VAR_TABLE
from profiles_pipeline.resolve.model import Model, Project, VarTable
from profiles_pipeline.resolve.readings import VarKey

Reach = Mapping[Node, Mapping[str, int]]
"""Node -> path of a var table, or of a cohort for all of its var tables -> the highest part that the node needs."""


def cut_in_parts(
    project: Project, needs: Mapping[Node, set[Node]], order: list[Node]
) -> tuple[dict[str, Model], dict[VarKey, str]]:
    """Return the models with var tables cut into their parts, and the part in which each var is first found.

    Args:
        project: a resolved project.
        needs: node -> nodes it depends on.
        order: the nodes, each after those it depends on.
    """
    return _cut(project, *_parts(project, needs, order))


def _parts(project: Project, fine: Mapping[Node, set[Node]], order: list[Node]) -> tuple[dict[VarKey, int], Reach]:
    """Return for every var the number of the part of its var table in which it is first computed.

    A var that needs vars of its own cohort only through other tables must come one part later than those.
    """
    own_tables = ((cohort, name) for cohort, own in project.entity_vars.items() for name in own)
    tables: dict[Node, str] = {key: f"{key[0]}/{VAR_TABLE}" for key in own_tables}  # one may be left out for its errors
    for path, model in project.models.items():
        if isinstance(model, VarTable):
            tables |= {(model.cohort, var.name.lower()): path for var in model.vars}
    reach: dict[Node, dict[str, int]] = {}
    parts: dict[VarKey, int] = {}
    for node in order:
        needs: dict[str, int] = {}
        for parent in fine.get(node, ()):
            for table, part in reach[parent].items():
                needs[table] = max(part, needs.get(table, 0))
        if isinstance(node, tuple):
            part, own = 0, tables[node]
            for parent in fine[node]:
                inside = reach[parent].get(node[0])
                if isinstance(parent, tuple) and tables[parent] == own:
                    part = max(part, parts[parent])
                elif inside is not None:
                    part = max(part, inside + 1)
            parts[node] = part
            needs |= {key: max(part, needs.get(key, 0)) for key in (own, node[0])}
        reach[node] = needs
    return parts, reach


def _last_part(project: Project, model: VarTable, parts: Mapping[VarKey, int], reach: Reach) -> int:
    """Return the number of the part in which a var table has all its vars, and those that are joined to it."""
    numbers = [parts[model.cohort, v.name.lower()] for v in model.vars]
    for path in model.coarser:
        other = project.models[path]
        assert isinstance(other, VarTable)
        numbers += [reach[model.cohort, v.name.lower()].get(model.path, -1) + 1 for v in other.vars]
    return max([*numbers, _needed_above(model, reach) + 1])


def _needed_above(model: VarTable, reach: Reach) -> int:
    """Return the number of the last part that the table it inherits needs itself; -1 when that needs none."""
    return reach[model.inherited].get(model.path, -1) if model.inherited is not None else -1


def _cut(project: Project, parts: Mapping[VarKey, int], reach: Reach) -> tuple[dict[str, Model], dict[VarKey, str]]:
    """Return the models with var tables cut into their parts, and the part in which each var is first found."""
    models: dict[str, Model] = {}
    homes: dict[VarKey, str] = {}
    for path, model in project.models.items():
        if not isinstance(model, VarTable):
            models[path] = model
            continue
        last, needed_above = _last_part(project, model, parts, reach), _needed_above(model, reach)
        previous = None
        used = {parts[model.cohort, v.name.lower()] for v in model.vars} | {last}
        for number in sorted(used):
            here = path if number == last else f"{path}/part_{number + 1}"
            mine = tuple(v for v in model.vars if parts[model.cohort, v.name.lower()] == number)
            models[here] = replace(
                model,
                path=here,
                name=model.name if number == last else f"{model.name}_part_{number + 1}",
                vars=mine,
                previous=previous,
                inherited=model.inherited if number > needed_above else None,
                coarser=model.coarser if number == last else (),
            )
            homes |= {(model.cohort, v.name.lower()): here for v in mine}
            previous = here
    return models, homes
