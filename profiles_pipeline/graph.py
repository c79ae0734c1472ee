"""What depends on what, down to single vars, and the order that follows.

Dependencies come from reading the texts, never from the order of declaration. Var tables are cut into parts only
where a model in between needs some vars of a table to make rows for others of the same table.
"""

from __future__ import annotations

import graphlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TypeVar

from profiles_pipeline.detours import (
    Detour,
    columns_of_table,
    input_vars_behind,
    reads_var_table,
    without_false_circles,
)
from profiles_pipeline.enable import Disabled, enabled_part
from profiles_pipeline.errors import (
    TOO_DEEP,
    BrokenReferenceError,
    Problem,
    Problems,
    ProjectError,
    Span,
    at,
    did_you_mean,
    fail,
)
from profiles_pipeline.names import VAR_TABLE
from profiles_pipeline.resolve.model import (
    Cohort,
    EntityVar,
    FeatureTable,
    FeatureView,
    Input,
    InputVar,
    InputVarTable,
    Model,
    Project,
    SqlModel,
    Stitcher,
    Unsupported,
    VarTable,
)
from profiles_pipeline.resolve.past import PastRef
from profiles_pipeline.resolve.reader import Reader, Reading, VarKey
from profiles_pipeline.spec.model import CohortFilter, FilterNode, Text
from profiles_pipeline.sql.rights import means_nothing


@dataclass(frozen=True)
class Graph:
    """Models in the order in which they can be built.

    Attributes:
        models: path -> model, in build order; var tables already cut into parts.
        parents: path -> paths it reads, in build order.
        var_homes: var -> path of the first part of a var table that has it.
        disabled: what is left out, and why.
        doubtful: models that lack something that is wrong in itself; what is wrong with them may follow from that.
    """

    project: Project
    models: Mapping[str, Model]
    parents: Mapping[str, tuple[str, ...]]
    var_homes: Mapping[VarKey, str]
    disabled: tuple[Disabled, ...] = ()
    past: Mapping[str, tuple[PastRef, ...]] = field(default_factory=dict)
    """Path -> what the model asks of earlier windows, for models that do."""
    doubtful: frozenset[str] = frozenset()
    through_tables: frozenset[VarKey] = frozenset()
    """Entity vars that read the var table of their source; the others read the source itself."""

    def with_upstream(self, paths: Iterable[str]) -> frozenset[str]:
        """Return the given paths and everything they depend on, directly or not."""
        found: set[str] = set()
        todo = list(paths)
        while todo:
            path = todo.pop()
            if path not in found:
                found.add(path)
                todo += self.parents[path]
        return frozenset(found)

    def find(self, path: str, span: Span | None = None) -> str:
        """Return the path of the model that holds what `path` means; for a var, the var table part that has it.

        Raises:
            ProjectError: there is nothing of that name.
        """
        if path in self.models:  # parts of var tables among them, which the project does not know
            return path
        node = locate(self.project, path, span)
        return self.var_homes[node] if isinstance(node, tuple) else node


Node = str | VarKey
"""A model by its path, or a var by its key."""

Thing = TypeVar("Thing")


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
    found = _Dependencies(project, reader, problems)
    fine = found.all()
    through_tables = without_false_circles(fine, found.detours)
    broken = {*faulty, *found.broken, *_circles(project, fine, problems)}
    broken |= {node for parents in fine.values() for node in parents if node not in fine}
    tables = (project.models.get(node) for node in broken if isinstance(node, str))
    vars_ = [var for table in tables if isinstance(table, VarTable) for var in table.vars]
    broken |= {(var.cohort, var.name.lower()) for var in vars_}
    fine = {node: set() if node in broken else parents for node, parents in fine.items()}
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
    models, homes = _cut(project, *_parts(project, fine, order))
    past = {path: tuple(sorted(refs)) for path, refs in found.past.items() if path in models}
    try:  # a cohort inherits whole var tables: this can close a circle too
        graph = replace(_coarse(project, models, homes, fine), past=past, through_tables=through_tables)
        problems.found += _same_names(graph)
        return graph
    except graphlib.CycleError as error:
        problems.found.append(_cycle(project, error.args[1]))
        return Graph(project, {}, {}, {})


def _same_names(graph: Graph) -> Iterator[Problem]:
    """Yield a problem for each var table of a source whose relation has the name of another's."""
    named = {m.name.lower(): m for m in graph.models.values() if not isinstance(m, Input | InputVarTable)}
    for model in graph.models.values():
        if isinstance(model, InputVarTable):
            other = named.setdefault(model.name.lower(), model)
            if other is not model:
                message = f"'{model.path}' and '{other.path}' would both be named '{model.name}'"
                yield Problem("duplicate-name", message, model.span, "rename one of the two, or the source of its rows")


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


def _circles(project: Project, fine: Mapping[Node, set[Node]], problems: Problems) -> set[Node]:
    """Return the nodes that depend on themselves; each circle is added to `problems`."""
    found: set[Node] = set()
    while True:
        try:
            graphlib.TopologicalSorter({n: () if n in found else parents for n, parents in fine.items()}).prepare()
            return found
        except graphlib.CycleError as error:
            problems.found.append(_cycle(project, error.args[1]))
            found |= set(error.args[1])


def _below(broken: set[Node], fine: Mapping[Node, set[Node]]) -> set[str]:
    """Return the models that need something broken, through whatever; tables of vars are sound without it."""
    below: set[Node] = set(broken)
    for node in graphlib.TopologicalSorter(fine).static_order():
        if fine.get(node, set()) & below:
            below.add(node)
    return {node for node in below if isinstance(node, str) and not node.endswith(f"/{VAR_TABLE}")}


def locate(project: Project, path: str, span: Span | None = None) -> Node:
    """Return what a path means: a model's path, or the key of a var.

    Raises:
        ProjectError: there is nothing of that name.
    """
    if "?" in path:
        wanted = path.partition("?")[0]
        message = f"a past material of '{wanted}' is asked for, and there is none"
        hint = "guard it: {% if x.IsEnabled() %}, with dependency='optional'"
        raise ProjectError([Problem("no-past-material", message, span, hint)])
    wanted = project.meant(path)
    if wanted in project.models:
        return wanted
    bare = project.meant(wanted.removeprefix("entity/"))
    if bare in project.models:
        return bare
    head, _, last = bare.rpartition("/")
    if head in project.models and (head.endswith(f"/{VAR_TABLE}") or isinstance(project.models[head], Unsupported)):
        return head  # a column of an input's var table, or a child of a model that is not computed
    if last in project.input_vars.get(head, {}):
        return f"{head}/{VAR_TABLE}"
    for owner in (head, f"{head}/all"):
        if last in project.entity_vars.get(owner, {}):
            return owner, last
    if project.broken.bears(bare) or f"var/{last}" in project.broken:
        raise BrokenReferenceError
    known = [path for path in project.models if path.endswith(f"/{VAR_TABLE}") == wanted.endswith(f"/{VAR_TABLE}")]
    kind = "unknown-input" if wanted.startswith("inputs/") else "unknown-model"
    raise ProjectError([Problem(kind, f"there is no model '{path}'", span, did_you_mean(wanted, known))])


class _Dependencies:
    """Reads every text of a project and notes what each model and each var needs."""

    def __init__(self, project: Project, reader: Reader, problems: Problems) -> None:
        self.project = project
        self.reader = reader
        self.problems = problems
        self.optional: dict[Node, set[Node]] = {}
        self.detours: dict[VarKey, Detour] = {}
        """What the vars that read the var table of their source need when they read the source itself."""
        self.past: dict[str, set[PastRef]] = {}
        self.broken: set[Node] = set()
        self.broken_input_vars: set[VarKey] = set()
        self._failed = False

    def all(self) -> dict[Node, set[Node]]:
        needs: dict[Node, set[Node]] = {}
        for path, model in self.project.models.items():
            needs[path] = self._guarded(path, self._of_model_and_hooks, model)
        for own in self.project.entity_vars.values():
            for var in own.values():
                needs[var.cohort, var.name.lower()] = self._guarded((var.cohort, var.name.lower()), self._of_var, var)
        return needs

    def _guarded(self, node: Node, find: Callable[[Thing], Iterable[Node]], thing: Thing) -> set[Node]:
        """Return what a node needs; when something is wrong with it, that is noted and the node counts as broken."""
        self._failed = False
        span = thing.spec.span if isinstance(thing, EntityVar) else getattr(thing, "span", None)
        needs: set[Node] = set()
        with self._noting(span):
            needs.update(find(thing))
        if self._failed:
            self.broken.add(node)
        return needs

    @contextmanager
    def _noting(self, span: Span | None) -> Iterator[None]:
        """Add what is wrong inside to the problems, placed at `span` unless it has a place of its own, and go on."""
        try:
            yield
        except ProjectError as error:
            self.problems.found += [at(problem, span) for problem in error.problems]
            self._failed = True
        except RecursionError:
            self.problems.error("sql-syntax", TOO_DEEP, span)
            self._failed = True

    def _of_model(self, model: Model) -> Iterator[Node]:
        match model:
            case Input():
                yield from self._of_input(model)
            case SqlModel():
                yield from self._of_sql(model)
            case Stitcher():
                yield from (source.path for source in model.sources)
                yield from self._of_filters(model)
                if model.rules:
                    yield model.rules.path
            case InputVarTable():
                yield from self._of_input_var_table(model)
            case Cohort():
                yield from self._of_cohort(model)
            case VarTable():
                yield from ((model.cohort, var.name.lower()) for var in model.vars)
                yield from filter(None, (model.cohort, model.inherited, *model.coarser))
            case FeatureTable():
                yield model.cohort
                yield from (self._feature(model.cohort, name, model.span) for name in model.features)
            case FeatureView():
                yield from self._of_view(model)

    def _of_model_and_hooks(self, model: Model) -> Iterator[Node]:
        yield from self._of_model(model)
        yield from self._of_hooks(model)

    def _of_hooks(self, model: Model) -> Iterator[Node]:
        for hook in self.project.hooks.get(model.path, ()):
            with self._noting(hook.text.span):
                for reading in self.reader.statements(hook.text, model.path):
                    if means_nothing(reading.tree, self.reader.target):
                        statement = reading.tree.sql(self.project.source_dialect)
                        message = f"{hook.when} of {hook.owner}: '{statement}' is left out"
                        hint = f"{self.reader.target} has no roles, rights or sessions to alter"
                        self.problems.warn("hook-left-out", message, hook.text.span, hint=hint)
                    yield from (n for n in self._refs(reading, hook.text.span, model.path) if n != model.path)

    def _both_ways(self, model: Model, read: Callable[[Reader], Iterable[Reading]]) -> Iterator[Reading]:
        """Yield a text as it reads where nothing was built before; and as it reads later, where that can differ."""
        first = tuple(read(self.reader))
        yield from first
        if any(reading.past for reading in first):
            later = tuple(read(self.reader.with_past(lambda _: True)))
            yield from later
            for ref in frozenset().union(*(reading.past for reading in (*first, *later))):
                self.past.setdefault(model.path, set()).add(ref)

    def _refs(self, reading: Reading, span: Span | None, of: Node | None = None) -> Iterator[Node]:
        for path in sorted(reading.models - {"this"}):
            with self._noting(span) if path not in reading.optional else suppress(ProjectError):
                node = locate(self.project, path, reading.place(path) or span)
                if path in reading.optional and of is not None:
                    self.optional.setdefault(of, set()).add(node)
                yield node
        for past in sorted(reading.past):
            if self.project.meant(past.path) not in self.project.left_out:
                with self._noting(span):
                    locate(self.project, past.path, reading.place(past.address) or span)
        yield from (self._var(key) for key in sorted(reading.vars))

    def _var(self, key: VarKey) -> Node:
        """Return the node that provides a var: the var itself, or the SQL model whose feature it is."""
        cohort, name = key
        if name in self.project.entity_vars.get(cohort, {}):
            return key
        models = self.project.feature_models.get(cohort, ())
        return next(m.path for m in models if name in map(str.lower, m.columns))

    def _feature(self, cohort: str, name: str, span: Span | None) -> Node:
        return self._var(self.reader.var_key(f"{cohort}/{name}", span))

    def _of_input(self, model: Input) -> Iterator[Node]:
        texts = (*(row_id.select for row_id in model.ids), model.occurred_at, model.where)
        for text in filter(None, texts):
            with self._noting(text.span):
                yield from self._refs(self.reader.expression(text, model.path), text.span or model.span)

    def _of_sql(self, model: SqlModel) -> Iterator[Node]:
        place = getattr(model.spec.single_sql or model.spec.multi_sql, "span", None) or model.span
        single, several = model.spec.single_sql, model.spec.multi_sql or ""

        def read(reader: Reader) -> Iterable[Reading]:
            return (reader.query(single, model.path),) if single is not None else reader.statements(several, model.path)

        for reading in self._both_ways(model, read):
            yield from (n for n in self._refs(reading, place, model.path) if n != model.path)
        for row_id in model.ids:
            with self._noting(row_id.select.span):
                yield from self._refs(self.reader.expression(row_id.select, model.path), model.span)

    def _of_filters(self, model: Stitcher) -> Iterator[Node]:
        for id_type in model.id_types:
            for rule in id_type.filters:
                if rule.sql is not None:
                    with self._noting(rule.span):
                        yield locate(self.project, rule.sql.from_, rule.sql.from_.span)

    def _of_input_var_table(self, model: InputVarTable) -> Iterator[Node]:
        yield model.source
        yield from (self.project.entities[entity].stitcher for entity in model.entities)
        for var in model.vars:
            yield from self._of_input_var(var)

    def _of_input_var(self, var: InputVar) -> Iterator[Node]:
        """Yield what an input var needs; one that is wrong is left out, and its table is sound without it."""
        failed, self._failed = self._failed, False
        with self._noting(var.spec.span):
            read = self.reader.input_var(var)
            for path in sorted(read.models):
                with self._noting(var.spec.span):
                    yield locate(self.project, path, read.place(path))
            yield from (self._var(key) for key in sorted(read.vars))
        if self._failed:
            self.broken_input_vars.add((var.source, var.name.lower()))
            self.project.broken.add(f"var/{var.name}")
        self._failed = failed

    def _of_cohort(self, model: Cohort) -> Iterator[Node]:
        if model.parent is None:
            yield self.project.entities[model.entity].stitcher
            return
        yield model.parent
        for text in filter_texts(model):
            with self._noting(text.span):
                yield from self._refs(self.reader.expression(text, model.path, "filter"), text.span or model.span)
        for item in model.pipeline:
            if item.sql is not None:
                with self._noting(item.sql.span):
                    yield from self._of_listed(model, sql_filter_text(item), item.sql.span)

    def _of_listed(self, model: Cohort, text: str, span: Span | None) -> Iterator[Node]:
        for reading in self._both_ways(model, lambda reader: (reader.query(text, model.path),)):
            yield from self._refs(reading, span)

    def _of_view(self, model: FeatureView) -> Iterator[Node]:
        if model.id_type is not None:
            assert model.base is not None
            cohort = self.project.models[model.cohort]
            assert isinstance(cohort, Cohort)
            yield from (model.base, self.project.entities[cohort.entity].stitcher)
            return
        table = self.project.models[f"{model.cohort}/{VAR_TABLE}"]
        yield from (table.path, *(table.coarser if isinstance(table, VarTable) else ()))
        cohort_path: str | None = model.cohort
        while cohort_path is not None:
            yield from (m.path for m in self.project.feature_models.get(cohort_path, ()))
            cohort_model = self.project.models[cohort_path]
            cohort_path = cohort_model.parent if isinstance(cohort_model, Cohort) else None

    def _of_var(self, var: EntityVar) -> Iterator[Node]:
        read = self.reader.entity_var(var)
        yield var.cohort
        for path in sorted(read.models):
            with self._noting(var.spec.span):
                yield locate(self.project, path, read.place(path))
        for key in sorted(read.vars):
            owner = self.project.models[key[0]]
            if getattr(owner, "entity", var.entity) != var.entity:
                message = f"entity_var '{var.name}' of '{var.entity}' uses a var of another entity: {'/'.join(key)}"
                hint = f"bring it to {var.entity} with a SQL model that has the ids of both"
                fail("other-entity", message, var.spec.span, hint=hint)
            yield self._var(key)
        if var.source is not None:
            yield from self._of_source(var, read.columns)

    def _of_source(self, var: EntityVar, columns: frozenset[str]) -> Iterator[Node]:
        source = self.project.models.get(var.source or "")
        if source is None:
            raise BrokenReferenceError
        table = f"{source.path}/{VAR_TABLE}"
        if not isinstance(source, Input | SqlModel):
            yield source.path
        elif reads_var_table(self.project, self.reader, var, source, columns):
            yield table
            self.detours[var.cohort, var.name.lower()] = Detour(table, self._around(var, source, columns))
        else:
            yield source.path
            yield self.project.entities[var.entity].stitcher

    def _around(self, var: EntityVar, source: Input | SqlModel, columns: frozenset[str]) -> frozenset[Node] | None:
        """Return what a var needs to read its source itself; None when it uses what only the var table has."""
        behind = input_vars_behind(self.project, self.reader, source.path, columns)
        reads = {iv: self.reader.input_var(iv) for iv in behind}
        used = columns.union(*(read.columns for read in reads.values()))
        others = [read for iv, read in reads.items() if iv.entity != var.entity]
        if used & columns_of_table(self.project, source, var.entity):
            return None
        if any(read.vars or "main_id" in read.columns for read in others):
            return None
        needs: set[Node] = {source.path, self.project.entities[var.entity].stitcher}
        for read in reads.values():
            needs.update(locate(self.project, path) for path in read.models)
            needs.update(self._var(key) for key in read.vars)
        return frozenset(needs)


def filter_texts(cohort: Cohort) -> Iterator[Text]:
    """Yield every SQL condition of a cohort's own filters."""
    yield from (item.value for item in cohort.pipeline if item.value is not None)
    if cohort.expression is not None:
        yield from _leaves(cohort.expression)


def sql_filter_text(item: CohortFilter) -> str:
    """Return the query that lists the main ids an SQL filter keeps or drops."""
    assert item.sql is not None
    where = f" where {item.sql.where}" if item.sql.where else ""
    return f"select {item.sql.select} from {item.sql.from_}{where}"


def _leaves(node: FilterNode) -> Iterator[Text]:
    if node.expression is not None:
        yield node.expression
    for child in (*node.AND, *node.OR):
        yield from _leaves(child)


def _cycle(project: Project, nodes: list[Node]) -> Problem:
    shown = [n if isinstance(n, str) else "/".join(n) for n in nodes]
    first = nodes[0]
    if isinstance(first, tuple):
        span = project.entity_vars[first[0]][first[1]].spec.span
    else:
        span = project.models[first.partition("/part_")[0]].span
    message = f"these depend on each other in a circle: {' -> '.join(reversed(shown))}"
    return Problem("cycle", message, span, "break the circle by computing one of them from something else")


Reach = Mapping[Node, Mapping[str, int]]
"""Node -> path of a var table, or of a cohort for all of its var tables -> the highest part that the node needs."""


def _parts(project: Project, fine: Mapping[Node, set[Node]], order: list[Node]) -> tuple[dict[VarKey, int], Reach]:
    """Return for every var the number of the part of its var table in which it is first computed.

    A var that needs vars of its own cohort only through other tables must come one part later than those.
    """
    own_tables = ((cohort, name) for cohort, own in project.entity_vars.items() for name in own)
    tables: dict[Node, str] = {key: f"{key[0]}/{VAR_TABLE}" for key in own_tables}  # one may be left out for its errors
    for path, model in project.models.items():
        if isinstance(model, VarTable):
            tables |= {(model.cohort, var.name.lower()): path for var in model.vars}
    reach: dict[Node, dict[str, int]] = {}
    parts: dict[VarKey, int] = {}
    for node in order:
        needs: dict[str, int] = {}
        for parent in fine.get(node, ()):
            for table, part in reach[parent].items():
                needs[table] = max(part, needs.get(table, 0))
        if isinstance(node, tuple):
            part, own = 0, tables[node]
            for parent in fine[node]:
                inside = reach[parent].get(node[0])
                if isinstance(parent, tuple) and tables[parent] == own:
                    part = max(part, parts[parent])
                elif inside is not None:
                    part = max(part, inside + 1)
            parts[node] = part
            needs |= {key: max(part, needs.get(key, 0)) for key in (own, node[0])}
        reach[node] = needs
    return parts, reach


def _last_part(project: Project, model: VarTable, parts: Mapping[VarKey, int], reach: Reach) -> int:
    """Return the number of the part in which a var table has all its vars, and those that are joined to it."""
    numbers = [parts[model.cohort, v.name.lower()] for v in model.vars]
    for path in model.coarser:
        other = project.models[path]
        assert isinstance(other, VarTable)
        numbers += [reach[model.cohort, v.name.lower()].get(model.path, -1) + 1 for v in other.vars]
    return max(numbers, default=0)


def _cut(project: Project, parts: Mapping[VarKey, int], reach: Reach) -> tuple[dict[str, Model], dict[VarKey, str]]:
    """Return the models with var tables cut into their parts, and the part in which each var is first found."""
    models: dict[str, Model] = {}
    homes: dict[VarKey, str] = {}
    for path, model in project.models.items():
        if not isinstance(model, VarTable):
            models[path] = model
            continue
        last = _last_part(project, model, parts, reach)
        previous = None
        used = {parts[model.cohort, v.name.lower()] for v in model.vars} | {last}
        for number in sorted(used):
            here = path if number == last else f"{path}/part_{number + 1}"
            mine = tuple(v for v in model.vars if parts[model.cohort, v.name.lower()] == number)
            models[here] = replace(
                model,
                path=here,
                name=model.name if number == last else f"{model.name}_part_{number + 1}",
                vars=mine,
                previous=previous,
                coarser=model.coarser if number == last else (),
            )
            homes |= {(model.cohort, v.name.lower()): here for v in mine}
            previous = here
    return models, homes


def _coarse(
    project: Project, models: Mapping[str, Model], homes: Mapping[VarKey, str], fine: Mapping[Node, set[Node]]
) -> Graph:
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
