"""Where rows come from: inputs and SQL models, and the models of types that are not computed."""

from __future__ import annotations

from collections.abc import Mapping

from profiles_pipeline.resolve.declared import Declared
from profiles_pipeline.resolve.lookup import find_cohort
from profiles_pipeline.resolve.model import Input, Model, RowId, SqlModel, Unsupported
from profiles_pipeline.resolve.row_ids import RowIds
from profiles_pipeline.spec.model import InputSpec, SqlTemplateSpec, Text, UnsupportedModelSpec


def inputs_of(declared: Declared, ids: RowIds) -> dict[str, Model]:
    """Return the inputs by path."""
    inputs = (_input(spec, ids.read(spec.ids)) for spec in declared.spec.inputs)
    return {found.path: found for found in inputs}


def _input(spec: InputSpec, ids: tuple[RowId, ...]) -> Input:
    columns = spec.contract.with_columns
    return Input(
        path=f"inputs/{spec.name.lower()}",
        name=str(spec.name),
        span=spec.span,
        description=spec.description,
        table=_table(spec),
        ids=ids,
        occurred_at=spec.occurred_at_col,
        where=spec.where,
        is_optional=spec.contract.is_optional,
        csv=spec.csv,
        column_types=tuple((column.name.lower(), column.datatype) for column in columns if column.datatype),
        required_columns=tuple(column.name for column in columns if not column.is_optional),
        optional_columns=frozenset(column.name.strip('"').lower() for column in columns if column.is_optional),
    )


def _table(spec: InputSpec) -> Text:
    """Return the table or address an input is read from; the file's name when it is written down in the project."""
    return spec.table or spec.view or spec.s3 or spec.csv or spec.name


def with_sql_models(declared: Declared, ids: RowIds, models: Mapping[str, Model]) -> dict[str, Model]:
    """Return the models and those written in SQL."""
    found = dict(models)
    for path, model, body in declared.specs_of(SqlTemplateSpec):
        cohort = find_cohort(declared, found, body.entity_key, body.entity_cohort, model) if body.features else None
        if cohort is None:
            declared.broken.add(*(f"var/{f.name}" for f in body.features))
        output = body.materialization.output_type
        found[path] = SqlModel(
            path=path,
            name=str(model.name),
            span=model.span,
            spec=body,
            output=output if output in ("table", "view") else ("table" if body.multi_sql else "ephemeral"),
            ids=ids.read(body.ids),
            occurred_at=body.occurred_at_col,
            cohort=cohort,
        )
    return found


def with_unsupported_models(declared: Declared, models: Mapping[str, Model]) -> dict[str, Model]:
    """Return the models and those of types that are known but not computed."""
    unsupported = {
        path: Unsupported(path=path, name=str(model.name), span=model.span, model_type=model.model_type)
        for path, model, _ in declared.specs_of(UnsupportedModelSpec)
    }
    return {**models, **unsupported}
