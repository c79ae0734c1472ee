"""Everything that is known of a project without looking at its rows, as one document: project, entities, models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from profiles_pipeline.connections import Output
from profiles_pipeline.names import VAR_TABLE
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.queries.listing import ModelRow, list_disabled, list_models
from profiles_pipeline.resolve.model import (
    Cohort,
    Entity,
    FeatureTable,
    FeatureView,
    IdType,
    Input,
    InputVarTable,
    Model,
    RowId,
    SqlModel,
    Stitcher,
    VarTable,
)
from profiles_pipeline.spec.model import IdFilter

Document = dict[str, object]


def details(project: ProfilesProject, output: Output) -> Document:
    """Return what a project is, what its entities are, and what each of its models is made of.

    Keys: ``project``, ``id_types``, ``entities``, ``models``. Values are texts, numbers, truth values, None, and lists
    and mappings of these.
    """
    return {
        "project": _project(project, output),
        "id_types": [_id_type(item) for item in project.project.id_types.values()],
        "entities": [_entity(entity) for entity in project.project.entities.values()],
        "models": [
            *(_model(project, row) for row in list_models(project, output.schema)),
            *({"path_ref": row.path, "enable_status": "disabled", "reason": row.status.reason}
              for row in list_disabled(project)),
        ],
    }  # fmt: skip


def _project(project: ProfilesProject, output: Output) -> Document:
    spec, file = project.project.spec, output.settings.file
    return {
        "name": project.name,
        "folder": str(project.folder),
        "schema_version": spec.schema_version,
        "connection": _text(spec.connection),
        "target": output.target,
        "warehouse": str(file or Path(":memory:")),
        "schema": output.schema,
        "dialect": project.project.source_dialect,
        "read_as_other_dialects": [
            f"{problem.span}: {problem.message.partition(';')[0]}"
            for problem in project.warnings
            if problem.code == "other-dialect"
        ],
        "packages": [str(package.name) for package in spec.packages],
        "retention_period": _text(spec.retention_period),
        "rewritten_from_older_dialects": len(project.notes),
    }


def _id_type(item: IdType) -> Document:
    return {
        "name": item.name,
        "filters": [{rule.type: _matched(rule)} for rule in item.filters],
        "maximum_edges": dict(item.maximum_edges),
    }


def _matched(rule: IdFilter) -> str | None:
    """Return what a filter matches: a value, which may be the empty text, a pattern or an expression."""
    written = (rule.value, rule.regex, rule.sql.select if rule.sql else None)
    return _text(next((text for text in written if text is not None), None))


def _entity(entity: Entity) -> Document:
    return {
        "name": entity.name,
        "description": entity.description,
        "id_column_name": entity.id_column,
        "id_model_ref": entity.stitcher,
        "id_types": list(entity.id_types),
        "path_ref": f"entity/{entity.name.lower()}",
        "default_cohort_path_ref": entity.all_cohort,
    }


def _model(project: ProfilesProject, row: ModelRow) -> Document:
    model = project.graph.models[row.path]
    general: Document = {
        "path_ref": row.path,
        "name": row.name,
        "model_type": row.type,
        "description": row.description,
        "output_type": row.output,
        "relation": row.relation,
        "enable_status": row.status.state,
        "time_grain": row.time_grain,
        "hash": project.fingerprints.get(row.path),
        "dependencies": list(row.reads),
        "defined_at": str(row.span) if row.span else None,
    }
    return {key: value for key, value in {**general, **_own(project, model)}.items() if value not in (None, [], {})}


def _own(project: ProfilesProject, model: Model) -> Mapping[str, object]:
    """Return what only models of a kind have."""
    return next((tell(project, model) for kind, tell in _TELLERS.items() if isinstance(model, kind)), {})


def _input(_: ProfilesProject, model: Input) -> Document:
    return {
        "occurred_at_col": _text(model.occurred_at),
        "where": _text(model.where),
        "is_optional": model.is_optional,
        "ids": _ids(model.ids),
        "columns": [str(column) for column in model.required_columns],
    }


def _sql_model(_: ProfilesProject, model: SqlModel) -> Document:
    features = [str(feature.name) for feature in model.spec.features]
    return {"occurred_at_col": _text(model.occurred_at), "ids": _ids(model.ids), "features": features}


def _stitcher(_: ProfilesProject, model: Stitcher) -> Document:
    types = [item.name for item in model.id_types]
    return {"entity": model.entity, "id_column_name": model.id_column, "id_types": types}


def _rows(_: ProfilesProject, model: InputVarTable) -> Document:
    return {"entities": list(model.entities), "input_vars": [str(var.name) for var in model.vars]}


def _cohort(_: ProfilesProject, model: Cohort) -> Document:
    return {"entity": model.entity, "extends": model.parent}


def _var_table(project: ProfilesProject, model: VarTable) -> Document:
    return {"cohort": model.cohort, "vars": [_var(project, model, str(var.name)) for var in model.vars]}


def _feature_table(_: ProfilesProject, model: FeatureTable) -> Document:
    return {"cohort": model.cohort, "features": list(model.features)}


def _feature_view(_: ProfilesProject, model: FeatureView) -> Document:
    return {"cohort": model.cohort, "using_id": model.id_type or "main id"}


_TELLERS: Mapping[type[Model], Callable[[ProfilesProject, Any], Document]] = {
    Input: _input,
    SqlModel: _sql_model,
    Stitcher: _stitcher,
    InputVarTable: _rows,
    Cohort: _cohort,
    VarTable: _var_table,
    FeatureTable: _feature_table,
    FeatureView: _feature_view,
}


def _var(project: ProfilesProject, table: VarTable, name: str) -> Document:
    var = project.project.entity_vars[table.cohort][name.lower()]
    spec = var.spec
    found: Document = {
        "name": name,
        "path_ref": f"{table.cohort.removesuffix(f'/{VAR_TABLE}')}/{name.lower()}",
        "select": _text(spec.select),
        "from": var.source,
        "where": _text(spec.where),
        "is_feature": spec.is_feature,
        "description": _text(spec.description),
    }
    return {key: value for key, value in found.items() if value is not None}


def _ids(ids: Iterable[RowId]) -> list[Document]:
    return [{"select": str(i.select), "type": i.id_type or "main id", "entity": i.entity} for i in ids]


def _text(value: object) -> str | None:
    return None if value is None else str(value)
