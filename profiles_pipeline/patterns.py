"""Tries the regular expressions of id type filters, so that a wrong one is told where it stands."""

from __future__ import annotations

from dataclasses import replace

from profiles_pipeline.dialects import literal
from profiles_pipeline.errors import Problems, WarehouseError
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import IdType, Stitcher
from profiles_pipeline.spec.model import IdFilter
from profiles_pipeline.warehouse.connect import connect_duckdb
from profiles_pipeline.warehouse.settings import MEMORY, DuckDBSettings


def without_wrong_patterns(project: ProfilesProject, problems: Problems) -> ProfilesProject:
    """Return the project without the filters whose regex is none, so that the rest can be tried; each is a problem."""
    stitchers = {path: model for path, model in project.graph.models.items() if isinstance(model, Stitcher)}
    types = {id_type.name: id_type for model in stitchers.values() for id_type in model.id_types}
    wrong = _wrong(project, types, problems)
    if not wrong:
        return project
    models = {
        path: replace(model, id_types=tuple(_kept(id_type, wrong) for id_type in model.id_types))
        for path, model in stitchers.items()
    }
    return replace(project, graph=replace(project.graph, models={**project.graph.models, **models}))


def _wrong(project: ProfilesProject, types: dict[str, IdType], problems: Problems) -> list[IdFilter]:
    filters = [(name, rule, rule.regex) for name, id_type in types.items() for rule in id_type.filters if rule.regex]
    wrong: list[IdFilter] = []
    if not filters:
        return wrong
    with connect_duckdb(DuckDBSettings(path=MEMORY, base=project.folder), purpose="rehearsal") as stage:
        for name, rule, regex in filters:
            try:
                stage.execute(f"SELECT REGEXP_FULL_MATCH('', {literal(str(regex), 'duckdb')})")
            except WarehouseError as error:
                message = f"the regex of a filter of id type '{name}' is not valid: {str(error).partition(': ')[2]}"
                problems.error("wrong-value", message, regex.span or rule.span)
                wrong.append(rule)
    return wrong


def _kept(id_type: IdType, wrong: list[IdFilter]) -> IdType:
    return replace(id_type, filters=tuple(rule for rule in id_type.filters if rule not in wrong))
