"""The models of a project as rows for people: what each is, what it yields and what it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from profiles_pipeline import plan, versions
from profiles_pipeline.compile import compile_model
from profiles_pipeline.errors import ProjectError, Span
from profiles_pipeline.grains import TICK
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import (
    Cohort,
    ColumnUnion,
    FeatureTable,
    FeatureView,
    Input,
    InputVarTable,
    Model,
    SqlModel,
    Stitcher,
    VarTable,
)
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.resolve.session_models import SessionTable
from profiles_pipeline.spec.model import SESSIONS

_TYPES: dict[type[Model], str] = {
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


EnableStatus = Literal["enabled", "maybe enabled", "disabled"]


@dataclass(frozen=True, slots=True)
class Status:
    """Whether a model will be built; `maybe enabled` hinges on an input that may be missing. `reason` says why not."""

    state: EnableStatus = "enabled"
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model.

    Attributes:
        output: table, view or ephemeral; ``source`` for an input.
        relation: where its rows can be read after a run; the table an input stands for; None without a plain name.
        reads: paths of the models it reads, in build order.
        read_by: paths of the models that read it, in build order.
        tables: warehouse tables that its SQL names itself.
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
    status: Status = Status()
    time_grain: str | None = None
    tables: tuple[str, ...] = ()


def list_models(project: ProfilesProject, schema: str) -> tuple[ModelRow, ...]:
    """Return every model of the project in build order."""
    compilation = versions.symbolic(project.graph, Reader(project.project, versions.ANY_TIME, bound=False))
    scripts = {path: compile_model(compilation, model) for path, model in project.graph.models.items()}
    kinds = {path: script.kind for path, script in scripts.items() if script is not None}
    graph, hinges = project.graph, _hinges(project)
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
            status=Status("maybe enabled", hinges[path]) if path in hinges else Status(),
            time_grain=None if model.time_grain == TICK else model.time_grain,
            tables=project.tables.get(path, ()),
        )
        for path, model in graph.models.items()
    )


def list_disabled(project: ProfilesProject) -> tuple[ModelRow, ...]:
    """Return a row for every model and var that is left out, with the reason."""
    types = {f"models/{model.name.lower()}": model.model_type for model in project.project.spec.models}
    return tuple(
        ModelRow(item.path, item.path.rpartition("/")[2], types.get(item.path, ""), "none", None, (), (), None, None,
                 Status("disabled", item.reason))
        for item in project.disabled
    )  # fmt: skip


def _hinges(project: ProfilesProject) -> dict[str, str]:
    """Return path -> reason of what would be left out if every optional input were missing."""
    optional = {
        path: "its contract says that it is optional: it is left out when its table is not there"
        for path, model in project.graph.models.items()
        if isinstance(model, Input) and model.is_optional
    }
    try:
        rest = project.without(optional)
    except ProjectError:  # a must-have needs one of them: a run without it would be refused, not reduced
        return optional
    reasons = optional | {item.path: item.reason.replace("is disabled", "may be left out") for item in rest.disabled}
    gone = [path for path in project.graph.models if path not in rest.graph.models]
    return {path: optional.get(path) or reasons.get(path, "nothing would read it") for path in gone}


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
