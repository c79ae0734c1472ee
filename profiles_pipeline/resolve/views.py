"""The feature views of an entity or a cohort: one keyed by main id always, one per id type asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from profiles_pipeline.names import FEATURE_VIEW
from profiles_pipeline.resolve.declared import Declared
from profiles_pipeline.resolve.features import Features, selected_features
from profiles_pipeline.resolve.lookup import find_cohort
from profiles_pipeline.resolve.model import Cohort, Entity, FeatureView, Model
from profiles_pipeline.spec.model import (
    CohortSpec,
    FeatureSelection,
    FeatureViewModelSpec,
    FeatureViewsSpec,
    Text,
    UsingId,
)


def with_feature_views(declared: Declared, features: Features) -> dict[str, Model]:
    """Return the models and the feature views of entities, of cohorts and of models of their own."""
    found = dict(features.models)
    for cohort, spec in _shown(declared, features.models):
        entity = declared.entities[cohort.entity]
        base = _narrowed(declared, features, _main_view(cohort, spec, entity), spec.features)
        prefix = "" if cohort.parent is None else f"{cohort.name}_"
        for view in (base, *_by_id(base, spec.using_ids, prefix, entity)):
            _add(declared, found, view)
    for path, model, body in declared.specs_of(FeatureViewModelSpec):
        cohort_path = find_cohort(declared, found, body.entity_key, body.entity_cohort, model)
        shown = found.get(cohort_path or "")
        if not isinstance(shown, Cohort):
            declared.broken.add(path)
            continue
        base = FeatureView(path=path, name=str(model.name), span=model.span, cohort=shown.path)
        base = _narrowed(declared, features, base, body.features)
        for view in (base, *_by_id(base, body.using_ids, f"{model.name}_", declared.entities[shown.entity])):
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
        view = replace(view, id_type=declared.id_type_named(Text(view.id_type, view.span), view.span))
        cohort = models[view.cohort]
        entity = declared.entities[cohort.entity] if isinstance(cohort, Cohort) else None
        if entity and entity.id_types and view.id_type in declared.id_types and view.id_type not in entity.id_types:
            message = f"'{view.name}' shows ids of type '{view.id_type}', which entity '{entity.name}' does not list"
            hint = f"its id types are {', '.join(entity.id_types)}"
            declared.problems.warn("unlisted-id-type", message, view.span, hint=hint)
    models[view.path] = view


def _main_view(cohort: Cohort, spec: FeatureViewsSpec, entity: Entity) -> FeatureView:
    """Return the view of a cohort by main id, with all its features."""
    default = f"{entity.name if cohort.parent is None else cohort.name}_{FEATURE_VIEW}"
    return FeatureView(
        path=f"{cohort.path}/{FEATURE_VIEW}",
        name=str(spec.name or default),
        span=spec.span or cohort.span,
        description=f"All features of {cohort.name}, one row per {entity.id_column}.",
        cohort=cohort.path,
    )


def _narrowed(
    declared: Declared, features: Features, view: FeatureView, selection: tuple[FeatureSelection, ...]
) -> FeatureView:
    """Return a view with the features selected, where any selection is made."""
    if not selection:
        return view
    name = Text(view.name, view.span)
    return replace(view, features=selected_features(declared, features, view.cohort, name, selection))


def _by_id(base: FeatureView, using: tuple[UsingId, ...], prefix: str, entity: Entity) -> list[FeatureView]:
    views = []
    for item in using:
        by_main_id = entity.names_main_id(item.id)
        views.append(
            FeatureView(
                path=f"{base.path}/using_{item.id.lower()}",
                name=str(item.name or f"{prefix}feature_view_with_{item.id}"),
                span=item.span or base.span,
                description=f"All features, one row per {item.id}.",
                cohort=base.cohort,
                id_type=None if by_main_id else str(item.id),
                base=None if by_main_id else base.path,
                features=base.features if by_main_id else None,
            )
        )
    return views
