"""Resolves a ProjectSpec: finds what every reference points at and adds the models that nobody writes down.

Collects all problems before it gives up. Reads no file, renders no template, parses no SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from profiles_pipeline.errors import Problems
from profiles_pipeline.names import VAR_TABLE
from profiles_pipeline.resolve.cohorts import with_cohorts
from profiles_pipeline.resolve.declared import Declared, declared_in, default_stitcher
from profiles_pipeline.resolve.features import (
    Features,
    check_feature_names,
    features_of_models,
    with_feature_tables,
)
from profiles_pipeline.resolve.grains import TimeGrains
from profiles_pipeline.resolve.hooks import hooks_of
from profiles_pipeline.resolve.model import (
    Cohort,
    FeatureView,
    Input,
    Model,
    NameKind,
    Project,
    SqlModel,
    Stitcher,
    Unsupported,
)
from profiles_pipeline.resolve.relation_names import check_relation_names
from profiles_pipeline.resolve.reserved import reserved_names
from profiles_pipeline.resolve.row_ids import RowIds
from profiles_pipeline.resolve.session_models import SessionTable
from profiles_pipeline.resolve.sessions import statuses_of_sessions, with_sessions
from profiles_pipeline.resolve.sources import inputs_of, with_sql_models, with_unsupported_models
from profiles_pipeline.resolve.stitchers import with_stitchers
from profiles_pipeline.resolve.unions import with_column_unions
from profiles_pipeline.resolve.validity import check_retention, with_validity
from profiles_pipeline.resolve.var_groups import attached_vars, vars_of_groups
from profiles_pipeline.resolve.var_tables import with_input_var_tables, with_var_tables
from profiles_pipeline.resolve.views import with_feature_views
from profiles_pipeline.spec.model import Materialization, ModelSpec, ProjectSpec, Text


def resolve(spec: ProjectSpec, problems: Problems, source_dialect: str = "snowflake") -> Project:
    """Return the resolved project.

    Problems found are added to `problems`; the project returned is only fit for use when there are no errors.
    """
    grains = TimeGrains(spec, problems)
    declared = declared_in(spec, problems)
    ids = RowIds(declared)
    models = inputs_of(declared, ids)
    models = with_sql_models(declared, ids, models)
    models = with_column_unions(declared, ids, models)
    models = with_unsupported_models(declared, models)
    of_models = features_of_models(declared, models)
    models = with_stitchers(declared, ids, models)
    models = with_sessions(declared, models)
    models = with_cohorts(declared, models)
    written, input_vars = vars_of_groups(declared, models, grains)
    models = with_input_var_tables(models, input_vars)
    entity_vars = attached_vars(declared, ids, models, written)
    models = with_var_tables(models, declared.entities, entity_vars, grains.default)
    features = Features(models, entity_vars, of_models)
    check_feature_names(declared, features)
    models = with_feature_tables(declared, features)
    models = with_feature_views(declared, replace(features, models=models))
    models = with_validity(models, spec, _of_default_stitchers(declared, "validity_time"), problems)
    check_retention(spec, problems)
    check_relation_names(models.values(), problems)
    project = Project(
        spec=spec,
        entities=declared.entities,
        id_types=ids.types | dict(declared.id_types),
        models=grains.applied(models, _of_default_stitchers(declared, "time_grain")),
        entity_vars=entity_vars,
        input_vars=input_vars,
        feature_models=of_models,
        names=_names(declared, models),
        macros=spec.macros,
        source_dialect=source_dialect,
        statuses=_statuses(declared, models),
        broken=declared.broken,
        hooks=hooks_of(spec, models),
        aliases=spec.aliases | _other_paths(declared, models),
    )
    problems.found += reserved_names(project)
    return project


def _of_default_stitchers(declared: Declared, key: Literal["time_grain", "validity_time"]) -> dict[str, Text]:
    """Return path -> value of a key of the default stitchers for which it is stated."""
    stated: dict[str, Text | None] = {
        spec.name.lower(): getattr(spec.default_id_stitcher, key) for spec in declared.spec.entities
    }
    return {
        entity.stitcher: text
        for name, entity in declared.entities.items()
        if (text := stated.get(name)) is not None and entity.stitcher not in declared.model_specs
    }


def _names(declared: Declared, models: Mapping[str, Model]) -> Mapping[str, NameKind]:
    """Return lower-case global name in templates -> what it is."""
    names: dict[str, NameKind] = {}
    for model in models.values():
        if isinstance(model, Input | SqlModel | Stitcher | SessionTable | Unsupported):
            names.setdefault(model.name.lower(), "rows")
        elif isinstance(model, Cohort) and model.parent is not None:
            names[model.name.lower()] = "cohort"
    names |= dict.fromkeys(declared.spec.namesakes.names, "cohort")
    return names | dict.fromkeys(declared.entities, "entity")


def _statuses(declared: Declared, models: Mapping[str, Model]) -> dict[str, str]:
    """Return path -> enable status, where there is one; a stitcher that no entity names runs if it is needed."""
    linked = {entity.stitcher for entity in declared.entities.values()}
    unlinked = {path for path, model in models.items() if isinstance(model, Stitcher) and path not in linked}
    found: dict[str, str] = dict.fromkeys(unlinked, "only_if_necessary")
    for spec in declared.spec.entities:
        wanted = spec.default_id_stitcher.materialization.enable_status
        if wanted is not None and spec.name.lower() in declared.entities:
            found[default_stitcher(spec.name)] = wanted
    found |= {
        path: status for path, model in declared.model_specs.items() if (status := _enable_status(model)) is not None
    }
    return statuses_of_sessions(models.values(), found) | found | declared.spec.statuses


def _enable_status(model: ModelSpec) -> str | None:
    return getattr(model.body, "materialization", Materialization()).enable_status


def _other_paths(declared: Declared, models: Mapping[str, Model]) -> dict[str, str]:
    """Return other spelling of a path -> path: of var tables by their entity, of feature views by their names."""
    tables = {f"entity/{entity}/{VAR_TABLE}": f"{entity}/all/{VAR_TABLE}" for entity in declared.entities}
    views = [model for model in models.values() if isinstance(model, FeatureView)]
    added = {
        f"models/{own.lower()}": f"{entity}_"
        for of in declared.spec.namesakes.names.values()
        for entity, own in of.items()
    }
    named = {
        f"{view.path.partition('/using_')[0]}/{name}": view.path
        for view in views
        for name in (view.name.lower().removeprefix(added.get(view.cohort, "")), view.name.lower())
    }
    return tables | {other: path for other, path in named.items() if other not in models}
