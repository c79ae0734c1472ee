"""The feature views of an entity or a cohort: one keyed by main id always, one per id type asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from profiles_pipeline.names import FEATURE_VIEW
from profiles_pipeline.resolve.declared import Declared
from profiles_pipeline.resolve.lookup import find_cohort
from profiles_pipeline.resolve.model import Cohort, Entity, FeatureView, Model
from profiles_pipeline.spec.model import (
    CohortSpec,
    FeatureViewModelSpec,
    FeatureViewsSpec,
    ModelSpec,
    Text,
    UsingId,
)


def with_feature_views(declared: Declared, models: Mapping[str, Model]) -> dict[str, Model]:
    """Return the models and the feature views of entities, of cohorts and of models of their own."""
    found = dict(models)
    for cohort, spec in _shown(declared, models):
        for view in _of_cohort(cohort, spec, declared.entities[cohort.entity]):
            _add(declared, found, view)
    for path, model, body in declared.specs_of(FeatureViewModelSpec):
        cohort_path = find_cohort(declared, found, body.entity_key, body.entity_cohort, model)
        shown = found.get(cohort_path or "")
        if not isinstance(shown, Cohort):
            declared.broken.add(path)
            continue
        for view in _of_model(path, model, body, shown, declared.entities[shown.entity]):
            _add(declared, found, view)
    return found


def _shown(declared: Declared, models: Mapping[str, Model]) -> Iterator[tuple[Cohort, FeatureViewsSpec]]:
    """Yield every cohort with what is said of its feature views: those of all instances first."""
    for entity in declared.spec.entities:
        cohort = models[declared.entities[entity.name.lower()].all_cohort]
        assert isinstance(cohort, Cohort)
        yield cohort, entity.feature_views
    for path, _, body in declared.specs_of(CohortSpec):
        written = models.get(path)
        if isinstance(written, Cohort):
            yield written, body.feature_views


def _add(declared: Declared, models: dict[str, Model], view: FeatureView) -> None:
    if view.id_type is not None:
        declared.check_id_type(Text(view.id_type, view.span), view.span)
        cohort = models[view.cohort]
        entity = declared.entities[cohort.entity] if isinstance(cohort, Cohort) else None
        if entity and entity.id_types and view.id_type in declared.id_types and view.id_type not in entity.id_types:
            message = f"'{view.name}' shows ids of type '{view.id_type}', which entity '{entity.name}' does not list"
            hint = f"its id types are {', '.join(entity.id_types)}"
            declared.problems.warn("unlisted-id-type", message, view.span, hint=hint)
    models[view.path] = view


def _of_cohort(cohort: Cohort, spec: FeatureViewsSpec, entity: Entity) -> list[FeatureView]:
    """Return the views of a cohort: the main-id view first."""
    is_all = cohort.parent is None
    default = f"{entity.name}_{FEATURE_VIEW}" if is_all else f"{cohort.name}_{FEATURE_VIEW}"
    base = FeatureView(
        path=f"{cohort.path}/{FEATURE_VIEW}",
        name=str(spec.name or default),
        span=spec.span or cohort.span,
        description=f"All features of {cohort.name}, one row per {entity.id_column}.",
        cohort=cohort.path,
        selection=spec.features,
    )
    prefix = "" if is_all else f"{cohort.name}_"
    return [base, *_by_id(base, spec.using_ids, prefix, entity)]


def _of_model(
    path: str, model: ModelSpec, body: FeatureViewModelSpec, cohort: Cohort, entity: Entity
) -> list[FeatureView]:
    """Return the views declared by a model of type feature_view."""
    base = FeatureView(path=path, name=str(model.name), span=model.span, cohort=cohort.path, selection=body.features)
    return [base, *_by_id(base, body.using_ids, f"{model.name}_", entity)]


def _by_id(base: FeatureView, using: tuple[UsingId, ...], prefix: str, entity: Entity) -> list[FeatureView]:
    views = []
    for item in using:
        by_main_id = item.id.lower() in (entity.id_column.lower(), "main_id")
        views.append(
            FeatureView(
                path=f"{base.path}/using_{item.id.lower()}",
                name=str(item.name or f"{prefix}feature_view_with_{item.id}"),
                span=item.span or base.span,
                description=f"All features, one row per {item.id}.",
                cohort=base.cohort,
                id_type=None if by_main_id else str(item.id),
                base=None if by_main_id else base.path,
                selection=base.selection if by_main_id else (),
            )
        )
    return views
