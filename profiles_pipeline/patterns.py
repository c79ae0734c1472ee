"""Tries the regular expressions of id type filters, so that a wrong one is told where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from profiles_pipeline.dialects import literal
from profiles_pipeline.errors import Problems, WarehouseError
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import IdType, Model, Stitcher
from profiles_pipeline.spec.model import IdFilter
from profiles_pipeline.warehouse.connect import connect_duckdb
from profiles_pipeline.warehouse.settings import MEMORY, DuckDBSettings


def without_wrong_patterns(project: ProfilesProject, problems: Problems) -> ProfilesProject:
    """Return the project without the filters whose regex is none, so that the rest can be tried; each is a problem."""
    wrong = _wrong(project, problems)
    if not wrong:
        return project

    def kept(id_type: IdType) -> IdType:
        return replace(id_type, filters=tuple(rule for rule in id_type.filters if rule not in wrong))

    def mended(models: Mapping[str, Model]) -> dict[str, Model]:
        return {
            path: replace(model, id_types=tuple(map(kept, model.id_types))) if isinstance(model, Stitcher) else model
            for path, model in models.items()
        }

    resolved = replace(
        project.project,
        models=mended(project.project.models),
        id_types={name: kept(id_type) for name, id_type in project.project.id_types.items()},
    )
    ordered = replace(project.graph, project=resolved, models=mended(project.graph.models))
    return replace(project, project=resolved, graph=ordered)


def _wrong(project: ProfilesProject, problems: Problems) -> list[IdFilter]:
    types = project.project.id_types
    filters = [(name, rule, rule.regex) for name, id_type in types.items() for rule in id_type.filters if rule.regex]
    wrong: list[IdFilter] = []
    if not filters:
        return wrong
    stage_settings = DuckDBSettings(path=MEMORY, base=project.folder)
    with connect_duckdb(stage_settings, purpose="rehearsal", confined=True) as stage:
        for name, rule, regex in filters:
            try:
                stage.execute(f"SELECT REGEXP_FULL_MATCH('', {literal(str(regex), 'duckdb')})")
            except WarehouseError as error:
                message = f"the regex of a filter of id type '{name}' is not valid: {str(error).partition(': ')[2]}"
                problems.error("wrong-value", message, regex.span or rule.span)
                wrong.append(rule)
    return wrong
