"""The vars of all groups: entity vars by their cohorts, input vars by their sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from profiles_pipeline.names import FEATURE_VIEW, VAR_TABLE
from profiles_pipeline.resolve.declared import Declared, text_span
from profiles_pipeline.resolve.grains import TimeGrains
from profiles_pipeline.resolve.lookup import find_cohort, find_source, tell_unknown_model
from profiles_pipeline.resolve.model import Cohort, EntityVar, InputVar, Model, Source
from profiles_pipeline.resolve.row_ids import RowIds
from profiles_pipeline.spec.model import (
    EntityVarSpec,
    FeatureTableSpec,
    FeatureViewModelSpec,
    InputVarSpec,
    VarGroupSpec,
)

EntityVars = Mapping[str, Mapping[str, EntityVar]]
"""Path of a cohort -> lower-case name -> var, own vars only."""

InputVars = Mapping[str, Mapping[str, InputVar]]
"""Path of a source -> lower-case name -> var."""


@dataclass(frozen=True, slots=True)
class _Group:
    """A var group with what its vars are resolved against."""

    declared: Declared
    models: Mapping[str, Model]
    grains: TimeGrains
    spec: VarGroupSpec
    cohort: Cohort


def vars_of_groups(declared: Declared, models: Mapping[str, Model], grains: TimeGrains) -> tuple[EntityVars, InputVars]:
    """Return the vars that can be used; the others are broken, and what is wrong with them is told."""
    entity_vars: dict[str, dict[str, EntityVar]] = {}
    input_vars: dict[str, dict[str, InputVar]] = {}
    for spec in declared.spec.var_groups:
        cohort_path = find_cohort(declared, models, spec.entity_key, spec.entity_cohort, spec)
        cohort = models.get(cohort_path or "")
        vars_ = [var for item in spec.vars for var in (item.entity_var, item.input_var) if var is not None]
        if not isinstance(cohort, Cohort):
            declared.broken.add(*(f"var/{var.name}" for var in vars_))
            continue
        group = _Group(declared, models, grains, spec, cohort)
        for var in vars_:
            usable = _entity_var(group, var) if isinstance(var, EntityVarSpec) else _input_var(group, var)
            if usable is None:
                declared.broken.add(f"var/{var.name}")
            elif isinstance(usable, EntityVar):
                entity_vars.setdefault(cohort.path, {})[usable.name.lower()] = usable
            else:
                input_vars.setdefault(usable.source, {})[usable.name.lower()] = usable
    return entity_vars, input_vars


def _entity_var(group: _Group, spec: EntityVarSpec) -> EntityVar | None:
    """Return an entity var; None when it cannot be used."""
    declared, cohort, name = group.declared, group.cohort, str(spec.name)
    source = _var_source(declared, group.models, spec) if spec.from_ else None
    if spec.from_ and source is None:
        declared.broken.add(f"var/{name}")
        source = declared.path(spec.from_)  # a source that is not there, so that the rest of it is checked
    if spec.select is None and spec.default_value is None:
        message = f"entity_var '{spec.name}' has neither select nor default_value"
        declared.problems.error("missing-key", message, spec.span, hint="add 'select:'")
        return None
    if spec.name.lower() in ("valid_at", declared.entities[cohort.entity].id_column.lower()):
        message = f"entity_var '{spec.name}' has the name of a column that every output has anyway"
        place = text_span(spec.name, spec.span)
        declared.problems.error("reserved-name", message, place, hint="give it another name")
        declared.broken.add(f"var/{spec.name}")
        name += " (reserved)"  # so that the rest of it is checked
    return EntityVar(
        name=name,
        cohort=cohort.path,
        entity=cohort.entity,
        source=source,
        spec=spec,
        bare_names=group.spec.bare_names,
        time_grain=group.grains.of_var(spec, group.spec),
    )


def _var_source(declared: Declared, models: Mapping[str, Model], spec: EntityVarSpec) -> str | None:
    """Return the path of what a var reads: a source, or a model keyed by main id that is added later on."""
    assert spec.from_ is not None
    path = declared.path(spec.from_)
    path = path.removeprefix("entity/") if path.endswith((VAR_TABLE, FEATURE_VIEW)) else path
    body = getattr(declared.model_specs.get(path), "body", None)
    made = isinstance(body, FeatureTableSpec | FeatureViewModelSpec)
    owner = path.removesuffix(f"/{VAR_TABLE}").removesuffix(f"/{FEATURE_VIEW}")
    if made or path in models or isinstance(models.get(owner), Cohort | Source):
        return path
    tell_unknown_model(declared, models, spec.from_, spec.span, "source")
    return None


def _input_var(group: _Group, spec: InputVarSpec) -> InputVar | None:
    """Return an input var; None when it cannot be used."""
    if spec.from_ is None or spec.select is None:
        missing = "from" if spec.from_ is None else "select"
        group.declared.problems.error("missing-key", f"input_var '{spec.name}' has no '{missing}'", spec.span)
        return None
    source = find_source(group.declared, group.models, spec.from_, spec.span)
    if source is None:
        return None
    return InputVar(str(spec.name), source.path, group.cohort.entity, spec, group.spec.bare_names)


def attached_vars(
    declared: Declared, ids: RowIds, models: Mapping[str, Model], entity_vars: EntityVars
) -> dict[str, dict[str, EntityVar]]:
    """Return the entity vars without those whose source carries no id of their entity; these are broken and told."""
    attached: dict[str, dict[str, EntityVar]] = {cohort: {} for cohort in entity_vars}
    for cohort, own in entity_vars.items():
        for name, var in own.items():
            carried = getattr(models.get(var.source or ""), "ids", None)
            if carried is None or any(i.entity == var.entity for i in carried):
                attached[cohort][name] = var
                continue
            declared.broken.add(f"var/{var.name}")
            if ids.are_lost:
                continue
            message = f"entity_var '{var.name}' reads '{var.source}', which carries no id of entity '{var.entity}'"
            place = text_span(var.spec.from_, var.spec.span)
            hint = "add 'ids' with that entity to the source"
            declared.problems.error("no-ids", message, place, hint=hint)
    return attached
