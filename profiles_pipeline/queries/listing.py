"""The models of a project as rows for people: what each is, what it yields and what it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from profiles_pipeline import plan, versions
from profiles_pipeline.errors import Span
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import (
    Cohort,
    FeatureTable,
    FeatureView,
    Input,
    InputVarTable,
    Model,
    SqlModel,
    Stitcher,
    VarTable,
)

_TYPES: dict[type[Model], str] = {
    Input: "input",
    SqlModel: "sql_template",
    Stitcher: "id_stitcher",
    InputVarTable: "input_var_table",
    Cohort: "entity_cohort",
    VarTable: "entity_var_table",
    FeatureTable: "feature_table_model",
    FeatureView: "feature_view",
}


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model.

    Attributes:
        output: table, view or ephemeral; ``source`` for an input.
        relation: where its rows can be read after a run; the table an input stands for; None without a plain name.
        reads: paths of the models it reads, in build order.
        read_by: paths of the models that read it, in build order.
    """

    path: str
    name: str
    type: str
    output: str
    relation: str | None
    reads: tuple[str, ...]
    read_by: tuple[str, ...]
    description: str | None
    span: Span | None


def list_models(project: ProfilesProject, schema: str) -> tuple[ModelRow, ...]:
    """Return every model of the project in build order."""
    window = plan.Window(0, versions.ANY_TIME)
    planned = plan.build(project, plan.State(), window, plan.as_written(), schema=schema)
    kinds = {stage.model.path: stage.kind for stage in planned.stages if isinstance(stage, plan.AuditMaterial)}
    graph = project.graph
    return tuple(
        ModelRow(
            path=path,
            name=model.name,
            type=_TYPES[type(model)],
            output=_output(model, kinds),
            relation=_relation(model, schema),
            reads=graph.parents[path],
            read_by=tuple(other for other in graph.models if path in graph.parents[other]),
            description=model.description,
            span=model.span,
        )
        for path, model in graph.models.items()
    )


def type_name(model: Model) -> str:
    """Return the name of a model's type, as in YAML where YAML has one."""
    return _TYPES[type(model)]


def _output(model: Model, kinds: Mapping[str, str]) -> str:
    if isinstance(model, SqlModel):
        return model.output
    return kinds.get(model.path, "source")


def _relation(model: Model, schema: str) -> str | None:
    if isinstance(model, Input):
        return str(model.table)
    return f"{schema}.{model.name}" if plan.has_plain_name(model) else None
