"""The features of a cohort, from entity vars and from SQL models, and those that tables and views choose of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from profiles_pipeline.errors import did_you_mean
from profiles_pipeline.names import FEATURE_VIEW, VAR_TABLE, normalise_path
from profiles_pipeline.resolve.declared import Declared, text_span
from profiles_pipeline.resolve.lookup import find_cohort, tell_unknown_model
from profiles_pipeline.resolve.model import Cohort, FeatureModel, FeatureTable, Model, Project, SqlModel
from profiles_pipeline.resolve.var_groups import EntityVars
from profiles_pipeline.spec.model import FeatureSelection, FeatureTableSpec, ModelSpec, Text, UnsupportedModelSpec


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

    def choosable(self, cohort: str) -> dict[str, str]:
        """Return lower-case name -> name of all that can be chosen by its name: features, and vars that are none."""
        return self.of(cohort) | self.vars_of(cohort)

    def lineage(self, cohort: str) -> list[str]:
        """Return the path of a cohort and of those that it extends, from the nearest on."""
        parent = self._parent(cohort)
        return [cohort, *(self.lineage(parent) if parent else ())]

    def given_by(self, path: str, cohort: str) -> dict[str, str] | None:
        """Return lower-case name -> name of the features of a cohort that a model gives; None when it gives none.

        A cohort gives its features to those that extend it; a feature table and a model give their columns.
        """
        lineage = self.lineage(cohort)
        if path in lineage:
            return self.of(path)
        model = self.models.get(path)
        if isinstance(model, FeatureTable) and model.cohort in lineage:
            return {name.lower(): name for name in model.features}
        giving = (m for member in lineage for m in self.of_models.get(member, ()) if m.path == path)
        return next(({c.lower(): c for c in m.columns} for m in giving), None)

    def _parent(self, cohort: str) -> str | None:
        model = self.models[cohort]
        assert isinstance(model, Cohort)
        return model.parent


def features_in(project: Project) -> Features:
    """Return what the features of a project come from."""
    return Features(project.models, project.entity_vars, project.feature_models)


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
    known = features.choosable(cohort)
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


def selected_features(
    declared: Declared, features: Features, cohort: str, view: Text, selection: Sequence[FeatureSelection]
) -> tuple[str, ...]:
    """Return the names of the features that a view takes: of each model that it names those included, not excluded.

    All features of a cohort are those of its vars and of its models, save models that the view names for themselves.
    """
    lineage = features.lineage(cohort)
    sources = [_feature_source(declared, choice.from_) for choice in selection]
    models = [model for member in lineage for model in features.of_models.get(member, ())]
    apart = {column.lower() for model in models if model.path in sources for column in model.columns}
    chosen: set[str] = set()
    for choice, source in zip(selection, sources, strict=True):
        given = features.given_by(source, cohort)
        if given is None:
            _tell_no_features(declared, features, cohort, view, choice.from_)
            continue
        _check_names(declared, given, view, choice)
        included = {name.lower() for name in choice.include}
        if "*" in included:
            included |= given.keys() - apart if source in lineage else given.keys()
        chosen |= included - {name.lower() for name in choice.exclude}
    return tuple(name for key, name in features.choosable(cohort).items() if key in chosen)


def _feature_source(declared: Declared, reference: Text) -> str:
    """Return the path of the model that has the features meant: an entity stands for all of its instances."""
    path = declared.path(reference).removeprefix("entity/")
    path = path.removesuffix(f"/{VAR_TABLE}").removesuffix(f"/{FEATURE_VIEW}")
    entity = declared.entities.get(path)
    return entity.all_cohort if entity else path


def _check_names(declared: Declared, given: Mapping[str, str], view: Text, choice: FeatureSelection) -> None:
    for name in (*choice.include, *choice.exclude):
        if name != "*" and name.lower() not in given and f"var/{name}" not in declared.broken:
            message = f"feature '{name}' of '{view}' is not a feature of {choice.from_}"
            hint = did_you_mean(name, list(given.values()))
            declared.problems.error("unknown-var", message, text_span(name, view.span), hint=hint)


def _tell_no_features(declared: Declared, features: Features, cohort: str, view: Text, reference: Text) -> None:
    path = _feature_source(declared, reference)
    if path not in features.models and path not in declared.model_specs:
        tell_unknown_model(declared, features.models, reference, view.span, "features of a view")
    elif not declared.broken.bears(path):
        message = f"'{reference}' gives {cohort} no features, so '{view}' cannot take any from it"
        hint = f"they come from '{cohort}', cohorts that it extends, feature tables, and models that list 'features'"
        declared.problems.error("no-features", message, text_span(reference, view.span), hint=hint)
