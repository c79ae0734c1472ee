"""The feature views of an entity or a cohort: one keyed by main id always, one per id type asked for."""

from __future__ import annotations

from collections.abc import Mapping

from profiles_pipeline.names import FEATURE_VIEW
from profiles_pipeline.resolve.model import Cohort, Entity, FeatureView, Model
from profiles_pipeline.spec.model import FeatureViewModelSpec, FeatureViewsSpec, ModelSpec, UsingId

__all__ = ["FeatureView", "FeatureViewsSpec", "of_cohort", "of_model"]


def of_cohort(cohort: Cohort, spec: FeatureViewsSpec, entity: Entity) -> list[FeatureView]:
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


def of_model(path: str, model: ModelSpec, cohort: Model, entities: Mapping[str, Entity]) -> list[FeatureView]:
    """Return the views declared by a model of type feature_view."""
    assert isinstance(cohort, Cohort)
    assert isinstance(model.body, FeatureViewModelSpec)
    base = FeatureView(
        path=path, name=str(model.name), span=model.span, cohort=cohort.path, selection=model.body.features
    )
    return [base, *_by_id(base, model.body.using_ids, f"{model.name}_", entities[cohort.entity])]


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
