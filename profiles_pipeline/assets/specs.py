"""From a project to asset specs: pure, touches no warehouse."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import dagster as dg

from profiles_pipeline import lineage, versions
from profiles_pipeline.assets.translator import Feature, ModelProps, ProfilesTranslator
from profiles_pipeline.compile import Compilation, compile_model
from profiles_pipeline.compile.guards import ANY_BEFORE, NO_COUNT, guards
from profiles_pipeline.connections import Output
from profiles_pipeline.partitions import Calendar, Partitions, partitions_of
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.report import AssetPath, asset_path
from profiles_pipeline.resolve.model import (
    Cohort,
    ColumnUnion,
    FeatureTable,
    FeatureView,
    Input,
    InputVarTable,
    Model,
    Project,
    SqlModel,
    Stitcher,
    VarTable,
)
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.resolve.session_models import SessionTable
from profiles_pipeline.spec.model import SESSIONS, VarSpec

MODEL_TYPES: Mapping[type[Model], str] = {
    Input: "input",
    SqlModel: "sql_template",
    ColumnUnion: "common_column_union",
    Stitcher: "id_stitcher",
    InputVarTable: "input_var_table",
    Cohort: "entity_cohort",
    VarTable: "entity_var_table",
    FeatureTable: "feature_table_model",
    FeatureView: "feature_view",
    SessionTable: SESSIONS,
}


def build_asset_specs(
    project: ProfilesProject, output: Output, translator: ProfilesTranslator | None = None
) -> Sequence[dg.AssetSpec]:
    """Return one spec per model in build order, those of inputs among them."""
    models = describe_models(project, output, partitions_of(project, datetime.now(UTC)))
    return tuple(spec for _, spec in translated(models, translator or ProfilesTranslator()))


def translated(
    models: Sequence[ModelProps], translator: ProfilesTranslator
) -> Sequence[tuple[ModelProps, dg.AssetSpec]]:
    """Return each model with its spec; what refers to models by their usual keys follows the translator's keys."""
    specs = [translator.get_asset_spec(model) for model in models]
    renamed = {dg.AssetKey(list(m.path)): spec.key for m, spec in zip(models, specs, strict=True)}
    return tuple((m, _rekeyed(spec, renamed)) for m, spec in zip(models, specs, strict=True))


def rekeyed_lineage(found: dg.TableColumnLineage, renamed: Mapping[dg.AssetKey, dg.AssetKey]) -> dg.TableColumnLineage:
    """Return column lineage with the keys of models replaced by those that the translator gave them."""
    return dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(renamed.get(d.asset_key, d.asset_key), d.column_name) for d in deps]
            for column, deps in found.deps_by_column.items()
        }
    )


def _rekeyed(spec: dg.AssetSpec, renamed: Mapping[dg.AssetKey, dg.AssetKey]) -> dg.AssetSpec:
    deps = [
        dg.AssetDep(renamed.get(d.asset_key, d.asset_key), partition_mapping=d.partition_mapping) for d in spec.deps
    ]
    metadata = {
        name: rekeyed_lineage(value, renamed) if isinstance(value, dg.TableColumnLineage) else value
        for name, value in spec.metadata.items()
    }
    return spec.replace_attributes(deps=deps, metadata=metadata)


def describe_models(
    project: ProfilesProject, output: Output, partitions: Partitions | None = None
) -> Sequence[ModelProps]:
    """Return what is known of every model before it is built, in build order."""
    of_models = partitions.of_models if partitions else {}
    calendars = {asset_path(project.project, path): calendar for path, calendar in of_models.items()}
    compilation = versions.symbolic(project.graph, Reader(project.project, versions.ANY_TIME, bound=False))
    columns = lineage.column_lineage(compilation)
    described = (_described(project, output, compilation, path, columns[path]) for path in project.graph.models)
    return tuple(replace(model, calendars=_of_family(model, calendars)) for model in described)


def _of_family(model: ModelProps, calendars: Mapping[AssetPath, Calendar]) -> Mapping[AssetPath, Calendar]:
    return {path: calendars[path] for path in (model.path, *model.parents) if path in calendars}


def _described(
    project: ProfilesProject, output: Output, c: Compilation, path: str, columns: lineage.ColumnLineage
) -> ModelProps:
    model = project.graph.models[path]
    script = compile_model(c, model)
    return ModelProps(
        project=project.name,
        folder=project.folder,
        model=model,
        path=asset_path(project.project, path),
        parents=tuple(asset_path(project.project, parent) for parent in project.graph.parents[path]),
        model_type=MODEL_TYPES[type(model)],
        entity=_entity_name(project.project, model),
        fingerprint=project.fingerprints[path],
        relation=str(model.table) if isinstance(model, Input) else f"{output.schema}.{model.name}",
        warehouse=output.settings.dialect,
        kind=script.kind if script else None,
        features=_features(project.project, model, columns),
        lineage={
            name: tuple((asset_path(project.project, s.path), s.column) for s in sources)
            for name, sources in columns.items()
        },
        tables=project.tables.get(path, ()),
        audits=(*script.audits, *guards(c, project.pipeline.checks, model, NO_COUNT, ANY_BEFORE)) if script else (),
    )


def may_be_left_out(project: ProfilesProject) -> frozenset[str]:
    """Return the models that a run leaves out when an optional input or an earlier state is missing."""
    models = project.graph.models
    doubtful = {path for path, model in models.items() if isinstance(model, Input) and model.is_optional}
    doubtful |= {path for path, refs in project.graph.past.items() if any(ref.is_needed for ref in refs)}
    for path in models:
        if doubtful & set(project.graph.parents[path]):
            doubtful.add(path)
    return frozenset(doubtful)


def _entity_name(project: Project, model: Model) -> str | None:
    key = _entity_key(project, model)
    return project.entities[key].name if key is not None else None


def _entity_key(project: Project, model: Model) -> str | None:
    key = None
    match model:
        case Input():
            owners = {row_id.entity for row_id in model.ids}
            key = owners.pop() if len(owners) == 1 else None
        case Stitcher() | Cohort():
            key = model.entity
        case VarTable() | FeatureTable() | FeatureView():
            key = _entity_key(project, project.models[model.cohort])
        case SessionTable():
            key = model.sessions.entity
        case InputVarTable() if model.entities:
            key = model.entities[0]
        case SqlModel() if model.cohort:
            key = _entity_key(project, project.models[model.cohort])
        case SqlModel() if model.ids:
            key = model.ids[0].entity
    return key


def _features(project: Project, model: Model, columns: Iterable[str]) -> tuple[Feature, ...]:
    match model:
        case VarTable() | InputVarTable():
            return tuple(Feature(var.name, _words(var.spec)) for var in model.vars)
        case FeatureTable():
            return tuple(Feature(name, _words(_var(project, model.cohort, name))) for name in model.features)
        case FeatureView():
            found = ((name, _var(project, model.cohort, name)) for name in columns)
            return tuple(Feature(name, _words(var)) for name, var in found if var is not None)
        case SqlModel():
            return tuple(Feature(str(f.name), f.description) for f in model.spec.features)
    return ()


def _var(project: Project, cohort: str, name: str) -> VarSpec | None:
    """Return the spec of a var, looked for in a cohort and then in those it extends; None for a SQL model's feature."""
    model = project.models.get(cohort)
    while isinstance(model, Cohort):
        var = project.entity_vars.get(model.path, {}).get(name.lower())
        if var is not None:
            return var.spec
        model = project.models.get(model.parent or "")
    return None


def _words(spec: VarSpec | None) -> str | None:
    return spec.description if spec else None
