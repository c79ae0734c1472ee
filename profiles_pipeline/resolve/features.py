"""The features of a cohort, from entity vars and from SQL models, and the tables of chosen ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from profiles_pipeline.errors import did_you_mean
from profiles_pipeline.names import normalise_path
from profiles_pipeline.resolve.declared import Declared, text_span
from profiles_pipeline.resolve.lookup import find_cohort
from profiles_pipeline.resolve.model import Cohort, FeatureModel, FeatureTable, Model, SqlModel
from profiles_pipeline.resolve.var_groups import EntityVars
from profiles_pipeline.spec.model import FeatureTableSpec, ModelSpec, UnsupportedModelSpec


@dataclass(frozen=True, slots=True)
class Features:
    """What the features of every cohort come from.

    Attributes:
        models: path -> model, all cohorts among them.
        entity_vars: path of a cohort -> lower-case name -> var, own vars only.
        of_models: path of a cohort -> the features that models add to it.
    """

    models: Mapping[str, Model]
    entity_vars: EntityVars
    of_models: Mapping[str, Sequence[FeatureModel]]

    def of(self, cohort: str) -> dict[str, str]:
        """Return lower-case name -> name of every feature of a cohort, inherited ones first."""
        parent = self._parent(cohort)
        features = self.of(parent) if parent else {}
        for var in self.entity_vars.get(cohort, {}).values():
            features.pop(var.name.lower(), None)
            if var.spec.is_feature:
                features[var.name.lower()] = var.name
        for extra in self.of_models.get(cohort, ()):
            features |= {c.lower(): c for c in extra.columns}
        return features

    def vars_of(self, cohort: str) -> dict[str, str]:
        """Return lower-case name -> name of every entity var of a cohort, whether it is a feature or not."""
        parent = self._parent(cohort)
        inherited = self.vars_of(parent) if parent else {}
        return inherited | {v.name.lower(): v.name for v in self.entity_vars.get(cohort, {}).values()}

    def _parent(self, cohort: str) -> str | None:
        model = self.models[cohort]
        assert isinstance(model, Cohort)
        return model.parent


def features_of_models(declared: Declared, models: Mapping[str, Model]) -> dict[str, tuple[FeatureModel, ...]]:
    """Return path of a cohort -> the features that SQL models add to it, and models that are not computed."""
    found: dict[str, tuple[FeatureModel, ...]] = {}
    for model in models.values():
        if isinstance(model, SqlModel) and model.cohort is not None:
            columns = tuple(str(feature.name) for feature in model.spec.features)
            found[model.cohort] = (*found.get(model.cohort, ()), FeatureModel(model.path, columns))
    for path, spec, body in declared.specs_of(UnsupportedModelSpec):
        entity = declared.entity_named(body.entity_key, spec.span) if body.entity_key else None
        if entity is not None:
            promised = FeatureModel(path, _promised_columns(body))
            found[entity.all_cohort] = (*found.get(entity.all_cohort, ()), promised)
    return found


def _promised_columns(body: UnsupportedModelSpec) -> tuple[str, ...]:
    """Return the names of the features that a model of an unsupported type would add to its entity."""
    extra = body.model_extra or {}
    named = [f.get("name") if isinstance(f, Mapping) else f for f in extra.get("features") or ()]
    outputs = _inside(extra, "prediction", "output_columns")
    named += [column.get("name") for column in outputs.values() if isinstance(column, Mapping)]
    for way in (("ml_config",), ("predict", "config")):
        named += _inside(extra, *way, "outputs", "column_names").values()
    return tuple(dict.fromkeys(str(name) for name in named if name))


def _inside(mapping: Mapping[str, object], *keys: str) -> Mapping[str, object]:
    """Return the mapping that `keys` lead to; an empty one when they lead to none."""
    for key in keys:
        inner = mapping.get(key)
        mapping = inner if isinstance(inner, Mapping) else {}
    return mapping


def check_feature_names(declared: Declared, features: Features) -> None:
    """Tell of every feature of a SQL model whose name another feature of the same cohort has."""
    for cohort, models in features.of_models.items():
        seen = {name: f"entity_var '{var.name}'" for name, var in features.entity_vars.get(cohort, {}).items()}
        for model in models:
            mine = f"a feature of '{model.path}'"
            for column in model.columns:
                other = seen.setdefault(column.lower(), mine)
                if other != mine:
                    message = f"feature '{column}' of '{model.path}' has the name of {other}"
                    place = features.models[model.path].span
                    declared.problems.error("duplicate-name", message, place, hint="rename one of them")


def with_feature_tables(declared: Declared, features: Features) -> dict[str, Model]:
    """Return the models and the tables of chosen features."""
    found = dict(features.models)
    for path, model, body in declared.specs_of(FeatureTableSpec):
        cohort = find_cohort(declared, found, body.entity_key, body.entity_cohort, model)
        if cohort is None or cohort not in found:
            declared.broken.add(path)
            continue
        chosen = _chosen(declared, features, cohort, model, body)
        found[path] = FeatureTable(path=path, name=str(model.name), span=model.span, cohort=cohort, features=chosen)
    return found


def _chosen(
    declared: Declared, features: Features, cohort: str, model: ModelSpec, body: FeatureTableSpec
) -> tuple[str, ...]:
    """Return the names of the columns of a feature table: those it lists, or all features of its cohort."""
    if body.features is None:
        return tuple(features.of(cohort).values())
    known = features.of(cohort) | features.vars_of(cohort)
    chosen = []
    for feature in body.features:
        name = normalise_path(feature).rpartition("/")[2]  # a name, or a path that ends in one
        if name in known:
            chosen.append(known[name])
        elif f"var/{feature}" not in declared.broken:
            message = f"feature '{feature}' of '{model.name}' is not a var of {cohort}"
            hint = did_you_mean(feature, list(known.values()))
            declared.problems.error("unknown-var", message, text_span(feature, model.span), hint=hint)
    return tuple(chosen)
