"""The cohorts: all instances of every entity, and those that are written down."""

from __future__ import annotations

from collections.abc import Mapping

from profiles_pipeline.names import normalise_path
from profiles_pipeline.resolve.declared import Declared
from profiles_pipeline.resolve.lookup import tell_unknown_model
from profiles_pipeline.resolve.model import Cohort, Model
from profiles_pipeline.spec.model import CohortSpec, ModelSpec

Pending = dict[str, tuple[ModelSpec, CohortSpec]]
"""Path -> cohort as written, for those that are still to be resolved."""


def with_cohorts(declared: Declared, models: Mapping[str, Model]) -> dict[str, Model]:
    """Return the models and the cohorts, each after the one that it extends."""
    found = dict(models)
    for entity in declared.entities.values():
        found[entity.all_cohort] = Cohort(
            path=entity.all_cohort,
            name=f"{entity.name}_all",
            span=entity.span,
            description=f"Every {entity.name}: the distinct main ids of the identity graph.",
            entity=entity.name.lower(),
        )
    pending: Pending = {path: (model, body) for path, model, body in declared.specs_of(CohortSpec)}
    while pending:
        ready = [path for path, (_, body) in pending.items() if _parent(declared, body) not in pending]
        if not ready:
            circle = _circle(declared, pending)
            message = f"cohorts extend each other in a circle: {' -> '.join([*circle, circle[0]])}"
            declared.problems.error("cycle", message, pending[circle[0]][0].span)
            declared.broken.add(*circle)
            pending = {path: cohort for path, cohort in pending.items() if path not in circle}
        for path in ready:
            model, body = pending.pop(path)
            parent = found.get(_parent(declared, body) or "")
            if isinstance(parent, Cohort):
                found[path] = _cohort(path, model, body, parent)
            else:
                _tell_no_parent(declared, found, model, body)
                declared.broken.add(path)
    return found


def _parent(declared: Declared, body: CohortSpec) -> str | None:
    """Return the path of the cohort that a cohort extends; None when it does not say."""
    if body.extends:
        return normalise_path(body.extends)
    key = body.entity_key or (next(iter(declared.entities)) if len(declared.entities) == 1 else None)
    return f"{key.lower()}/all" if key else None


def _circle(declared: Declared, pending: Pending) -> list[str]:
    """Return the first cohorts among these that extend each other in a circle."""
    walked = [next(iter(pending))]
    while (parent := _parent(declared, pending[walked[-1]][1])) not in walked:
        assert parent is not None
        walked.append(parent)
    return walked[walked.index(parent) :]


def _cohort(path: str, model: ModelSpec, body: CohortSpec, parent: Cohort) -> Cohort:
    return Cohort(
        path=path,
        name=str(model.name),
        span=model.span,
        entity=parent.entity,
        parent=parent.path,
        pipeline=body.filter_pipeline,
        expression=body.filter_expression,
        as_table=body.materialization.output_type != "view",
    )


def _tell_no_parent(declared: Declared, models: Mapping[str, Model], model: ModelSpec, body: CohortSpec) -> None:
    if body.extends:
        tell_unknown_model(declared, models, body.extends, model.span, "cohort to extend")
    elif body.entity_key:
        declared.entity_named(body.entity_key, model.span)
    elif not declared.broken.anything:
        message = f"entity_cohort '{model.name}' says neither extends nor entity_key"
        declared.problems.error("missing-key", message, model.span, hint="add 'extends: <entity>/all'")
