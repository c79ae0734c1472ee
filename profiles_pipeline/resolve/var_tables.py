"""The tables of vars that nobody writes down: one for every source, one or more for every cohort."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from profiles_pipeline.grains import GRAINS
from profiles_pipeline.names import VAR_TABLE
from profiles_pipeline.resolve.model import (
    Cohort,
    Entity,
    EntityVar,
    InputVarTable,
    Model,
    Source,
    VarTable,
)
from profiles_pipeline.resolve.var_groups import EntityVars, InputVars


def with_input_var_tables(models: Mapping[str, Model], input_vars: InputVars) -> dict[str, Model]:
    """Return the models and the var table of every source; the graph leaves out those that nobody reads."""
    tables = {
        f"{source.path}/{VAR_TABLE}": InputVarTable(
            path=f"{source.path}/{VAR_TABLE}",
            name=f"{source.name}_{VAR_TABLE}",
            span=source.span,
            description=f"Rows of {source.name} with a row id, main ids and input vars.",
            source=source.path,
            entities=tuple(dict.fromkeys(i.entity for i in source.ids)),
            vars=tuple(input_vars.get(source.path, {}).values()),
        )
        for source in models.values()
        if isinstance(source, Source)
    }
    return {**models, **tables}


def with_var_tables(
    models: Mapping[str, Model], entities: Mapping[str, Entity], entity_vars: EntityVars, default_grain: str
) -> dict[str, Model]:
    """Return the models and the var table of every cohort, each followed by those of coarser time grains."""
    found = dict(models)
    for cohort in models.values():
        if isinstance(cohort, Cohort):
            own = tuple(entity_vars.get(cohort.path, {}).values())
            table = _var_table(cohort, entities[cohort.entity], own, default_grain)
            found[table.path] = table
            for path in table.coarser:
                found[path] = _by_grain(table, own, path.removeprefix(f"{table.path}/"))
    return found


def _var_table(cohort: Cohort, entity: Entity, own: tuple[EntityVar, ...], default_grain: str) -> VarTable:
    path = f"{cohort.path}/{VAR_TABLE}"
    is_all = cohort.parent is None
    coarser = [grain for grain in GRAINS if grain != default_grain and any(v.time_grain == grain for v in own)]
    return VarTable(
        path=path,
        name=f"{entity.name}_{VAR_TABLE}" if is_all else f"{cohort.name}_{VAR_TABLE}",
        span=cohort.span,
        description=f"One row per member of {cohort.name}, one column per entity var.",
        cohort=cohort.path,
        vars=tuple(v for v in own if v.time_grain == default_grain),
        inherited=None if is_all else f"{cohort.parent}/{VAR_TABLE}",
        coarser=tuple(f"{path}/{grain}" for grain in coarser),
    )


def _by_grain(table: VarTable, variables: Iterable[EntityVar], grain: str) -> VarTable:
    """Return the table of those vars of a cohort that have a time grain coarser than its var table."""
    return replace(
        table,
        path=f"{table.path}/{grain}",
        name=f"{table.name}_{grain}",
        description=f"The entity vars of {table.cohort} with time grain {grain}, as of its last boundary.",
        time_grain=grain,
        vars=tuple(v for v in variables if v.time_grain == grain),
        inherited=None,
        coarser=(),
    )
