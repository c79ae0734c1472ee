"""The order in which what can run of a project can be built."""

from __future__ import annotations

import graphlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from profiles_pipeline.detours import without_circular_edges, without_false_circles
from profiles_pipeline.enable import Node, enabled_part
from profiles_pipeline.errors import Problem, Problems
from profiles_pipeline.graph.circles import circle_problem, find_circles
from profiles_pipeline.graph.dependencies import read_dependencies
from profiles_pipeline.graph.model import Graph
from profiles_pipeline.graph.parts import cut_in_parts
from profiles_pipeline.names import VAR_TABLE
from profiles_pipeline.resolve.model import Cohort, Input, InputVarTable, Model, Project, VarTable
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.resolve.readings import VarKey
from profiles_pipeline.resolve.row_texts import without_row_texts


def build(
    project: Project,
    reader: Reader,
    problems: Problems,
    unavailable: Mapping[Node, str] | None = None,
    faulty: Collection[Node] = (),
) -> Graph:
    """Return the graph of what can run of the project.

    Reads every text once; what cannot be read, unknown references, cycles and must-haves that cannot run are added to
    `problems`, and the graph is without what needs them. With errors it is fit for further checks only.

    Args:
        project: a resolved project.
        reader: reads its texts.
        problems: where problems are added.
        unavailable: model or var -> reason, for what is known to be missing.
        faulty: models and vars that are known to be wrong.
    """
    found = read_dependencies(project, reader, problems)
    if found.broken_row_texts:
        rest = replace(project, models=without_row_texts(project.models, found.broken_row_texts))
        return build(rest, reader.of(rest), problems, unavailable, faulty)
    fine = dict(found.needs)
    through_tables = without_false_circles(fine, found.detours)
    project = without_circular_edges(project, fine, problems)
    broken = _broken(project, fine, {*faulty, *found.broken, *find_circles(project, fine, problems)})
    fine = {node: set() if node in broken else parents for node, parents in fine.items()}
    if filters := found.broken_filters | _filtered_by(project, _below(broken, fine)):
        rest = with_open_cohorts(project, filters)
        return build(rest, reader.of(rest), problems, unavailable, faulty)
    needs = {node: parents - found.optional.get(node, set()) for node, parents in fine.items()}
    left_out = {**(unavailable or {}), **dict.fromkeys(broken, "there is something wrong with it")}
    # A must-have that falls with something broken has nothing wrong of its own.
    enabled, disabled = enabled_part(project, needs, left_out, Problems() if broken else problems)
    if disabled:
        graph = build(without_input_vars(enabled, found.broken_input_vars), reader.of(enabled), problems)
        doubtful = graph.doubtful | {path for path in _below(broken, fine) if path in graph.models}
        return replace(graph, disabled=(*disabled, *graph.disabled), doubtful=doubtful)
    if found.broken_input_vars:
        return build(without_input_vars(project, found.broken_input_vars), reader, problems)
    order = list(graphlib.TopologicalSorter(fine).static_order())
    models, homes = cut_in_parts(project, fine, order)
    past = {path: tuple(sorted(refs)) for path, refs in found.past.items() if path in models}
    try:  # a part has all vars that can be computed by then: what these need can close a circle too
        graph = replace(_ordered(project, models, homes, fine), past=past, through_tables=through_tables)
        problems.found += _same_names(graph)
        return graph
    except graphlib.CycleError as error:
        problems.found.append(circle_problem(project, error.args[1]))
        return Graph(project, {}, {}, {})


def _broken(project: Project, fine: Mapping[Node, set[Node]], wrong: Iterable[Node]) -> set[Node]:
    """Return what is wrong, what is needed and not there, and the vars of the var tables among these."""
    broken = {*wrong, *(node for parents in fine.values() for node in parents if node not in fine)}
    tables = (project.models.get(node) for node in broken if isinstance(node, str))
    vars_ = [var for table in tables if isinstance(table, VarTable) for var in table.vars]
    return broken | {(var.cohort, var.name.lower()) for var in vars_}


def _below(broken: set[Node], fine: Mapping[Node, set[Node]]) -> set[str]:
    """Return the models that need something broken, through whatever; tables of vars are sound without it."""
    below: set[Node] = set(broken)
    for node in graphlib.TopologicalSorter(fine).static_order():
        if fine.get(node, set()) & below:
            below.add(node)
    return {node for node in below if isinstance(node, str) and not node.endswith(f"/{VAR_TABLE}")}


def without_input_vars(project: Project, names: Iterable[VarKey]) -> Project:
    """Return the project without some input vars, given as path of the source and name in lower case."""
    gone = set(names)
    if not gone:
        return project
    input_vars = {
        source: {name: var for name, var in own.items() if (source, name) not in gone}
        for source, own in project.input_vars.items()
    }
    models = {
        path: replace(model, vars=tuple(v for v in model.vars if (v.source, v.name.lower()) not in gone))
        if isinstance(model, InputVarTable)
        else model
        for path, model in project.models.items()
    }
    return replace(project, models=models, input_vars=input_vars)


def _filtered_by(project: Project, paths: Collection[str]) -> set[str]:
    """Return those of the paths that are cohorts with filters of their own."""
    found = ((path, project.models.get(path)) for path in paths)
    return {path for path, model in found if isinstance(model, Cohort) and model.is_filtered}


def with_open_cohorts(project: Project, paths: Collection[str]) -> Project:
    """Return the project in which these cohorts have no filters of their own."""
    if not paths:
        return project

    def opened(model: Model) -> Model:
        if isinstance(model, Cohort) and model.path in paths:
            return replace(model, pipeline=(), expression=None)
        return model

    return replace(project, models={path: opened(model) for path, model in project.models.items()})


def _ordered(
    project: Project, models: Mapping[str, Model], homes: Mapping[VarKey, str], fine: Mapping[Node, set[Node]]
) -> Graph:
    """Return the graph of models, from what its models and vars need.

    Raises:
        graphlib.CycleError: var tables depend on each other.
    """

    def home(node: Node) -> str:
        return homes[node] if isinstance(node, tuple) else node

    parents: dict[str, set[str]] = {}
    for path, model in models.items():
        if isinstance(model, VarTable):
            needs = {n for v in model.vars for n in map(home, fine[model.cohort, v.name.lower()])}
            needs |= {p for p in (model.cohort, model.previous, model.inherited, *model.coarser) if p}
            parents[path] = needs - {path}
        else:
            parents[path] = {home(n) for n in fine[path]} - {path}
    models = _in_use(models, parents)
    sorter = graphlib.TopologicalSorter({p: _in_order(parents[p], models) for p in models})
    order = list(sorter.static_order())
    rank = {path: i for i, path in enumerate(order)}
    return Graph(
        project=project,
        models={path: models[path] for path in order},
        parents={path: tuple(sorted(parents[path], key=rank.__getitem__)) for path in order},
        var_homes=homes,
    )


def _in_use(models: Mapping[str, Model], parents: Mapping[str, set[str]]) -> dict[str, Model]:
    """Return the models without var tables of sources that have no input vars and no reader."""
    read = set().union(*parents.values())
    return {
        path: model
        for path, model in models.items()
        if not isinstance(model, InputVarTable) or model.vars or path in read
    }


def _in_order(paths: set[str], models: Mapping[str, Model]) -> list[str]:
    return [path for path in models if path in paths]


def _same_names(graph: Graph) -> Iterator[Problem]:
    """Yield a problem for each var table of a source whose relation has the name of another's."""
    named = {m.name.lower(): m for m in graph.models.values() if not isinstance(m, Input | InputVarTable)}
    for model in graph.models.values():
        if isinstance(model, InputVarTable):
            other = named.setdefault(model.name.lower(), model)
            if other is not model:
                message = f"'{model.path}' and '{other.path}' would both be named '{model.name}'"
                yield Problem("duplicate-name", message, model.span, "rename one of the two, or the source of its rows")
