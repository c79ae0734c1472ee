"""A project as a graph for people: what depends on what, and how columns flow from source tables to results."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from profiles_pipeline import lineage, plan, versions
from profiles_pipeline.enable import Disabled
from profiles_pipeline.lineage import ColumnLineage
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.queries.listing import type_name
from profiles_pipeline.resolve.model import Input, Model
from profiles_pipeline.resolve.reader import Reader

Direction = Literal["both", "upstream", "downstream"]


@dataclass(frozen=True, slots=True)
class Box:
    """A model in the graph, or a warehouse table that SQL reads without an input in between.

    Attributes:
        path: of the model; the name of such a table.
        type: as in YAML where YAML has one; empty for what is disabled.
        relation: where its rows are read: the source table of an input; None without a plain name.
        disabled: why it is left out; None for what is built.
    """

    path: str
    type: str
    relation: str | None
    disabled: str | None = None


@dataclass(frozen=True, slots=True)
class ColumnFlow:
    """A column of one model that decides a column of another."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Arrow:
    """`target` reads `source`. `columns` are what is known of the columns; empty where only rows count."""

    source: str
    target: str
    columns: tuple[ColumnFlow, ...] = ()


@dataclass(frozen=True)
class Dag:
    """Boxes in build order, and the arrows between them in the order of their targets."""

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]

    def sources_of(self, path: str) -> tuple[Arrow, ...]:
        """Return the arrows that end at a box."""
        return tuple(arrow for arrow in self.arrows if arrow.target == path)

    def targets_of(self, path: str) -> tuple[Arrow, ...]:
        """Return the arrows that begin at a box."""
        return tuple(arrow for arrow in self.arrows if arrow.source == path)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which part of the graph to show: some models with what is upstream or downstream of them, or everything."""

    models: tuple[str, ...] | None = None
    direction: Direction = "both"
    include_disabled: bool = False


def dependencies(project: ProfilesProject, schema: str, selection: Selection = Selection()) -> Dag:
    """Return the models of a project and which reads which.

    Raises:
        ProjectError: a selected model does not exist.
    """
    chosen = _chosen(project, selection)
    arrows = [Arrow(p, path) for path, parents in project.graph.parents.items() for p in parents]
    left_out = _disabled_boxes(project.disabled) if selection.include_disabled else ()
    return _with_tables(_dag(project, schema, chosen, arrows, left_out), project, selection)


def dataflow(project: ProfilesProject, schema: str, selection: Selection = Selection()) -> Dag:
    """Return the same graph with, on every arrow, the columns of its source that decide columns of its target.

    Raises:
        ProjectError: a selected model does not exist.
    """
    chosen = _chosen(project, selection)
    compilation = versions.symbolic(project.graph, Reader(project.project, versions.ANY_TIME, bound=False))
    columns = lineage.column_lineage(compilation)
    arrows = [
        Arrow(parent, path, _between(parent, columns[path]))
        for path, parents in project.graph.parents.items()
        for parent in parents
    ]
    left_out = _disabled_boxes(project.disabled) if selection.include_disabled else ()
    return _with_tables(_dag(project, schema, chosen, arrows, left_out), project, selection)


def _between(parent: str, columns: ColumnLineage) -> tuple[ColumnFlow, ...]:
    return tuple(
        ColumnFlow(source.column, name)
        for name, sources in columns.items()
        for source in sources
        if source.path == parent
    )


def _dag(
    project: ProfilesProject, schema: str, chosen: Collection[str], arrows: Iterable[Arrow], left_out: Iterable[Box]
) -> Dag:
    boxes = [_box(model, schema) for path, model in project.graph.models.items() if path in chosen]
    return Dag((*boxes, *left_out), tuple(a for a in arrows if a.source in chosen and a.target in chosen))


def _with_tables(dag: Dag, project: ProfilesProject, selection: Selection) -> Dag:
    """Return the graph with the tables that models in it read without an input in between."""
    if selection.direction == "downstream":
        return dag
    found = project.graph.models if selection.models is None else map(project.graph.find, selection.models)
    shown = project.graph.with_upstream(found)
    arrows = [Arrow(name, path) for path, names in project.tables.items() for name in names if path in shown]
    tables = (Box(name, "table", None) for name in dict.fromkeys(arrow.source for arrow in arrows))
    return Dag((*tables, *dag.boxes), (*arrows, *dag.arrows))


def _box(model: Model, schema: str) -> Box:
    if isinstance(model, Input):
        return Box(model.path, type_name(model), str(model.table))
    return Box(model.path, type_name(model), f"{schema}.{model.name}" if plan.has_plain_name(model) else None)


def _disabled_boxes(disabled: Iterable[Disabled]) -> tuple[Box, ...]:
    return tuple(Box(item.path, "", None, item.reason) for item in disabled)


def _chosen(project: ProfilesProject, selection: Selection) -> Collection[str]:
    """Return the paths of the models to show."""
    if selection.models is None:
        return project.graph.models.keys()
    found = [project.graph.find(path) for path in selection.models]
    chosen = set(found)
    if selection.direction != "downstream":
        chosen |= project.graph.with_upstream(found)
    if selection.direction != "upstream":
        chosen |= _with_downstream(found, project.graph.parents)
    return chosen


def _with_downstream(paths: Iterable[str], parents: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Return the paths and everything that reads them, directly or not. `parents` is in build order."""
    found = set(paths)
    for path, read in parents.items():
        if found.intersection(read):
            found.add(path)
    return found
