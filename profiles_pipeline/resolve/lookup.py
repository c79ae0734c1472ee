"""Finds the models that references mean, among those resolved so far. What is not found is told, with the nearest."""

from __future__ import annotations

from collections.abc import Mapping

from profiles_pipeline.errors import Span, did_you_mean
from profiles_pipeline.names import normalise_path
from profiles_pipeline.resolve.declared import Declared, text_span
from profiles_pipeline.resolve.model import Cohort, Model, Source
from profiles_pipeline.spec.model import CohortSpec, ModelSpec, Text, VarGroupSpec


def find_source(declared: Declared, models: Mapping[str, Model], reference: Text, span: Span | None) -> Model | None:
    """Return the model that a reference means; when there is none, that is told."""
    model = models.get(declared.path(reference))
    if model is None:
        tell_unknown_model(declared, models, reference, span, "source")
    return model


def find_cohort(
    declared: Declared,
    models: Mapping[str, Model],
    entity_key: Text | None,
    cohort: Text | None,
    owner: ModelSpec | VarGroupSpec,
) -> str | None:
    """Return the path of the cohort that `owner` is about, by its entity or by its path; what is wrong is told."""
    if entity_key is not None:
        entity = declared.entity_named(entity_key, owner.span)
        return entity.all_cohort if entity else None
    if cohort is None:
        message = f"'{owner.name}' says neither entity_key nor entity_cohort"
        declared.problems.error("missing-key", message, owner.span, hint="add 'entity_key: <entity>'")
        return None
    path = normalise_path(cohort)
    named = declared.model_specs.get(path)
    known = path in {e.all_cohort for e in declared.entities.values()} or (
        named is not None and isinstance(named.body, CohortSpec)
    )
    if not known:
        tell_unknown_model(declared, models, cohort, owner.span, "entity_cohort")
    return path if known else None


def tell_unknown_model(
    declared: Declared, models: Mapping[str, Model], reference: Text, span: Span | None, what: str
) -> None:
    """Tell that there is no model of that name, or only one of another kind, unless it is known to be broken."""
    path = normalise_path(reference)
    if declared.broken.bears(declared.path(reference)):
        return
    if path in models or path in declared.model_specs:
        _tell_other_kind(declared, models, reference, text_span(reference, span), what)
        return
    kind = "unknown-input" if path.startswith("inputs/") else "unknown-model"
    known = [*models, *declared.model_specs]
    hint = did_you_mean(path, [_as_written(declared, models, k) for k in known])
    message = f"no model found for '{reference}' ({what})"
    declared.problems.error(kind, message, text_span(reference, span), hint=hint)


def _tell_other_kind(
    declared: Declared, models: Mapping[str, Model], reference: Text, place: Span | None, what: str
) -> None:
    path = normalise_path(reference)
    own = declared.model_specs.get(path)
    kind = f"of type {own.model_type}" if own else "an input"
    message = f"'{reference}' is {kind}, which cannot be used as {what}"
    if "cohort" in what:
        whole = {entity.all_cohort for entity in declared.entities.values()}
        fit = {*whole, *(k for k, model in models.items() if isinstance(model, Cohort))}
    else:
        fit = {k for k, model in models.items() if isinstance(model, Source)}
    hint = did_you_mean(path, sorted(_as_written(declared, models, k) for k in fit))
    declared.problems.error("wrong-type", message, place, hint=hint)


def _as_written(declared: Declared, models: Mapping[str, Model], path: str) -> str:
    """Return a path with the model's name in the author's case."""
    head, _, _ = path.rpartition("/")
    spec = declared.model_specs.get(path)
    model = models.get(path)
    name = str(spec.name) if spec else (model.name if model else "")
    return f"{head}/{name}" if path == f"{head}/{name.lower()}" else path
