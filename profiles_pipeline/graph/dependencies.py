"""What every model and every var needs, from reading their texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

from profiles_pipeline.detours import Detour, columns_of_table, input_vars_behind, reads_var_table
from profiles_pipeline.enable import Node
from profiles_pipeline.errors import TOO_DEEP, BrokenReferenceError, Problems, ProjectError, Span, at, fail
from profiles_pipeline.graph.paths import locate
from profiles_pipeline.graph.row_order import row_order_problems
from profiles_pipeline.names import VAR_TABLE
from profiles_pipeline.resolve.cohort_filters import filter_texts, sql_filter_text
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
    Source,
    SqlModel,
    Stitcher,
    VarTable,
)
from profiles_pipeline.resolve.past import PastRef
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.resolve.readings import Reading, ReadVar, VarKey
from profiles_pipeline.resolve.row_texts import RowTexts
from profiles_pipeline.resolve.session_models import SessionTable, event_texts
from profiles_pipeline.spec.model import Text
from profiles_pipeline.sql.rights import why_left_out

Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What the models and vars of a project need.

    Attributes:
        needs: node -> nodes it depends on; of a broken one, those that could be read.
        optional: node -> those among them that it can do without.
        detours: what the vars that read the var table of their source need when they read the source itself.
        past: path -> what the model asks of earlier windows, for models that do.
        broken: nodes with something wrong in their texts.
        broken_input_vars: the same, as path of the source and name in lower case; their tables are sound without them.
        broken_filters: cohorts with something wrong in their filters; without these there is nothing wrong with them.
        broken_row_texts: the same of the texts that say what the rows of a source carry.
    """

    needs: Mapping[Node, set[Node]]
    optional: Mapping[Node, Set[Node]]
    detours: Mapping[VarKey, Detour]
    past: Mapping[str, Set[PastRef]]
    broken: Set[Node]
    broken_input_vars: Set[VarKey]
    broken_filters: Set[str]
    broken_row_texts: RowTexts


def read_dependencies(project: Project, reader: Reader, problems: Problems) -> Dependencies:
    """Return what each model and each var needs; reads every text once and adds what is wrong to `problems`."""
    return _Texts(project, reader, problems).all()


class _Texts:
    """The texts of a project, read one after the other, with what has been found in them so far."""

    def __init__(self, project: Project, reader: Reader, problems: Problems) -> None:
        self.project = project
        self.reader = reader
        self.problems = problems
        self.optional: dict[Node, set[Node]] = {}
        self.detours: dict[VarKey, Detour] = {}
        self.past: dict[str, set[PastRef]] = {}
        self.broken: set[Node] = set()
        self.broken_input_vars: set[VarKey] = set()
        self.broken_filters: set[str] = set()
        self.broken_row_texts: dict[str, set[str]] = {}
        self._failed = False

    def all(self) -> Dependencies:
        needs: dict[Node, set[Node]] = {}
        for path, model in self.project.models.items():
            needs[path] = self._guarded(path, self._of_model_and_hooks, model)
        for own in self.project.entity_vars.values():
            for var in own.values():
                needs[var.cohort, var.name.lower()] = self._guarded((var.cohort, var.name.lower()), self._of_var, var)
        found = (self.optional, self.detours, self.past, self.broken, self.broken_input_vars, self.broken_filters)
        return Dependencies(needs, *found, self.broken_row_texts)

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
            case SessionTable():
                yield from self._of_session_table(model)
            case Stitcher():
                yield from (source.path for source in model.sources)
                yield from self._of_filters(model)
                if model.rules:
                    yield model.rules.path
            case InputVarTable():
                yield from self._of_input_var_table(model)
            case VarTable():
                yield from ((model.cohort, var.name.lower()) for var in model.vars)
                yield from filter(None, (model.cohort, model.inherited, *model.coarser))
            case _:
                yield from self._of_output(model)

    def _of_output(self, model: Model) -> Iterator[Node]:
        match model:
            case Cohort():
                yield from self._of_cohort(model)
            case FeatureTable():
                yield from self._of_feature_table(model)
            case FeatureView():
                yield from self._of_view(model)

    def _of_model_and_hooks(self, model: Model) -> Iterator[Node]:
        yield from self._of_model(model)
        yield from self._of_hooks(model)

    def _of_hooks(self, model: Model) -> Iterator[Node]:
        for hook in self.project.hooks.get(model.path, ()):
            with self._noting(hook.text.span):
                for reading in self.reader.statements(hook.text, model.path):
                    self._tell_left_out(f"{hook.when} of {hook.owner}", reading, hook.text.span)
                    yield from (n for n in self._refs(reading, hook.text.span, model.path) if n != model.path)

    def _tell_left_out(self, of: str, reading: Reading, span: Span | None) -> None:
        """Warn of a statement that the warehouse has no use for."""
        if why := why_left_out(reading.tree, self.reader.target):
            statement = reading.tree.sql(self.project.source_dialect).replace('"ref:this"', "{{this}}")
            message, hint = f"{of}: '{statement}' is left out", f"{self.reader.target} {why}"
            self.problems.warn("statement-left-out", message, span, hint=hint)

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
        return self._of_row_texts(model, (*(row_id.select for row_id in model.ids), model.occurred_at, model.where))

    def _of_row_texts(self, model: Source, texts: Iterable[Text | None]) -> Iterator[Node]:
        """Yield what these texts of a source need; without one that is wrong the source is sound."""
        for text in filter(None, texts):
            failed, self._failed = self._failed, False
            with self._noting(text.span):
                yield from self._refs(self.reader.expression(text, model.path), text.span or model.span)
            if self._failed:
                self.broken_row_texts.setdefault(model.path, set()).add(text)
            self._failed = failed

    def _of_sql(self, model: SqlModel) -> Iterator[Node]:
        place = getattr(model.spec.single_sql or model.spec.multi_sql, "span", None) or model.span
        single, several = model.spec.single_sql, model.spec.multi_sql or ""

        def read(reader: Reader) -> Iterable[Reading]:
            return (reader.query(single, model.path),) if single is not None else reader.statements(several, model.path)

        for reading in self._both_ways(model, read):
            if single is None:
                self._tell_left_out(f"model '{model.name}'", reading, place)
            yield from (n for n in self._refs(reading, place, model.path) if n != model.path)
        yield from self._of_row_texts(model, (row_id.select for row_id in model.ids))

    def _of_session_table(self, model: SessionTable) -> Iterator[Node]:
        """Yield what sessions are made from. Their texts look at the columns of an event and nothing else."""
        yield from model.parents
        for text, this in event_texts(model):
            with self._noting(text.span):
                reading = self.reader.expression(text, this)
                if reading.models or reading.vars:
                    hint = "let a SQL model bring other things to the rows, and name that under 'from'"
                    fail("wrong-reference", f"'{text}' looks at more than its event", text.span, hint=hint)

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
            self._check_row_order(var, read)
            for path in sorted(read.models):
                with self._noting(var.spec.span):
                    yield locate(self.project, path, read.place(path))
            yield from (self._var(key) for key in sorted(read.vars))
        if self._failed:
            self.broken_input_vars.add((var.source, var.name.lower()))
            self.project.broken.add(f"var/{var.name}")
        self._failed = failed

    def _check_row_order(self, var: EntityVar | InputVar, read: ReadVar) -> None:
        for problem in row_order_problems(var, read, self.project.entities[var.entity].id_column):
            self.problems.found.append(problem)
            self._failed |= problem.severity == "error"

    def _of_cohort(self, model: Cohort) -> Iterator[Node]:
        if model.parent is None:
            yield self.project.entities[model.entity].stitcher
            return
        yield model.parent
        failed, self._failed = self._failed, False
        for text in filter_texts(model):
            with self._noting(text.span):
                yield from self._refs(self.reader.expression(text, model.path, "filter"), text.span or model.span)
        for item in model.pipeline:
            if item.sql is not None:
                with self._noting(item.sql.span):
                    yield from self._of_listed(model, sql_filter_text(item), item.sql.span)
        if self._failed:
            self.broken_filters.add(model.path)
        self._failed = failed

    def _of_listed(self, model: Cohort, text: str, span: Span | None) -> Iterator[Node]:
        for reading in self._both_ways(model, lambda reader: (reader.query(text, model.path),)):
            yield from self._refs(reading, span)

    def _of_feature_table(self, model: FeatureTable) -> Iterator[Node]:
        yield model.cohort
        for name in model.features:
            feature = self._feature(model.cohort, name, model.span)
            yield feature
            if not isinstance(feature, str) and feature[0] != model.cohort:  # inherited vars are in the cohort's table
                yield f"{model.cohort}/{VAR_TABLE}"

    def _of_view(self, model: FeatureView) -> Iterator[Node]:
        if model.id_type is not None:
            assert model.base is not None
            cohort = self.project.models[model.cohort]
            assert isinstance(cohort, Cohort)
            yield from (model.base, self.project.entities[cohort.entity].stitcher)
            return
        table = self.project.models[f"{model.cohort}/{VAR_TABLE}"]
        yield from (table.path, *(table.coarser if isinstance(table, VarTable) else ()))
        if model.features is not None:
            yield from (self._feature(model.cohort, name, model.span) for name in model.features)
            return
        cohort_path: str | None = model.cohort
        while cohort_path is not None:
            yield from (m.path for m in self.project.feature_models.get(cohort_path, ()))
            cohort_model = self.project.models[cohort_path]
            cohort_path = cohort_model.parent if isinstance(cohort_model, Cohort) else None

    def _of_var(self, var: EntityVar) -> Iterator[Node]:
        read = self.reader.entity_var(var)
        self._check_row_order(var, read)
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
        if not isinstance(source, Source):
            yield source.path
        elif reads_var_table(self.project, self.reader, var, source, columns):
            yield table
            self.detours[var.cohort, var.name.lower()] = Detour(table, self._around(var, source, columns))
        else:
            yield source.path
            yield self.project.entities[var.entity].stitcher

    def _around(self, var: EntityVar, source: Source, columns: frozenset[str]) -> frozenset[Node] | None:
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
