"""Walks every text of a project and notes in a ledger what it says about the tables from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from sqlglot import exp
from sqlglot.errors import SqlglotError

from profiles_pipeline import graph, versions
from profiles_pipeline.compile.csv_rows import csv_rows
from profiles_pipeline.errors import ProjectError
from profiles_pipeline.project import ProfilesProject
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
    RowId,
    SqlModel,
    Stitcher,
    VarTable,
)
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.resolve.readings import ReadVar, VarKey
from profiles_pipeline.sample.evidence import STRONG, IdForm, IdUse, Kind, Ledger, Slot
from profiles_pipeline.sample.naming import theme_of
from profiles_pipeline.sample.pieces import MAILBOX, inside_form, outside_form
from profiles_pipeline.sample.reading import QueryReader
from profiles_pipeline.sample.relations import NOTHING, Column, Relation, Scope, Value, both
from profiles_pipeline.sample.value_clues import kind_of_type
from profiles_pipeline.sample.words import PERSONAL
from profiles_pipeline.spec.model import InputSpec

_WITH_STRUCTS = ("bigquery", "databricks", "redshift")
"""Dialects in which ``a.b`` may be a field of a column."""

_HASHES = (exp.MD5, exp.MD5Digest, exp.SHA, exp.SHA2)
_JOINED = (exp.DPipe, exp.Concat, exp.ConcatWs)


def read_project(project: ProfilesProject) -> Ledger:
    """Return everything the texts of a project give away.

    They are read twice: what one text says of a table helps to understand another. So a name that stands bare in an
    old dialect is a var at first, and a column once another text has said that some table has a column of that name.
    """
    ledger = Ledger(structs=project.project.source_dialect in _WITH_STRUCTS)
    for certain in (False, True):
        ledger.certain = certain
        ProjectTexts(project, ledger).read()
    return ledger


class ProjectTexts:
    """The texts of one project. What is asked for is read once and remembered."""

    def __init__(self, project: ProfilesProject, ledger: Ledger) -> None:
        named = frozenset(name for columns in ledger.columns.values() for name in columns)
        self.project = replace(project.project, columns=dict.fromkeys(project.project.models, named))
        self.ledger = ledger
        # Read in the dialect it is written in, so that nothing is rewritten before it is looked at.
        self.reader = Reader(self.project, versions.ANY_TIME, target=self.project.source_dialect, bound=False)
        self.queries = QueryReader(ledger, self._symbol, self._var_named)
        self._relations: dict[str, Relation] = {}
        self._vars: dict[tuple[str, str, str], Value] = {}
        self._busy: set[object] = set()

    def read(self) -> None:
        """Read every text."""
        for model in self.project.models.values():
            self._relation(model)
            if isinstance(model, Cohort):
                self._filters(model)
            if isinstance(model, Stitcher):
                self._id_filters(model)
        for inputs in self.project.input_vars.values():
            for input_var in inputs.values():
                self._input_var(input_var)
        for own in self.project.entity_vars.values():
            for var in own.values():
                self._entity_var(var)

    # --- models -------------------------------------------------------------------------------------------------

    def _symbol(self, symbol: str) -> Relation:
        kind, _, name = symbol.partition(":")
        if kind == "rows":
            name = next((p for p in (f"inputs/{name}", f"models/{name}") if p in self.project.models), name)
        try:
            found = graph.locate(self.project, name)
        except ProjectError:
            return Relation(self.ledger)
        path = found if isinstance(found, str) else f"{found[0]}/var_table"
        model = self.project.models.get(path)
        return self._relation(model) if model is not None else Relation(self.ledger)

    def _relation(self, model: Model) -> Relation:
        if model.path not in self._relations:
            if model.path in self._busy:
                return Relation(self.ledger)
            self._busy.add(model.path)
            try:
                self._relations[model.path] = self._read_model(model)
            except ProjectError:  # a disabled model may be wrong; it reads nothing then
                self._relations[model.path] = Relation(self.ledger)
            self._busy.discard(model.path)
        return self._relations[model.path]

    def _read_model(self, model: Model) -> Relation:
        match model:
            case Input():
                return self._input(model)
            case SqlModel():
                return self._sql_model(model)
            case InputVarTable():
                return self._relation(self.project.models[model.source])
            case Stitcher():
                names = ("main_id", model.id_column.lower(), "other_id", "other_id_type")
                times = dict.fromkeys(("valid_at", "first_seen_at"), Value(kind="timestamp"))
                return Relation(self.ledger, {**dict.fromkeys(names, Value(kind="text")), **times})
            case Cohort() | VarTable() | FeatureTable() | FeatureView():
                return self._features(model.path if isinstance(model, Cohort) else model.cohort)
        return Relation(self.ledger)

    def _input(self, model: Input) -> Relation:
        spec = self._spec_of(model)
        if spec is not None and spec.csv:
            return Relation(self.ledger, self._written_down(model))
        base = self.queries.outside(str(model.table))
        scope = Scope(items={model.name.lower(): base})
        for column in spec.contract.with_columns if spec is not None else ():
            slot = self.ledger.column(base.table or "", str(column.name).strip('"'))
            kind = self._declared(column.datatype, model.path) if column.datatype else None
            if kind is not None:
                self.ledger.vote([slot], kind, STRONG)
        self._row_ids(model, model.ids, scope)
        if model.occurred_at:
            self._occurred_at(model.occurred_at, model.path, scope)
            self.ledger.timed |= base.tables()
        if model.where is not None:
            tree = self.reader.expression(model.where, model.path, "where").tree
            base.alternatives = self.queries.clues.condition(tree, scope)
        return Relation(self.ledger, self._added(model), (base,), alternatives=base.alternatives)

    def _written_down(self, model: Input) -> dict[str, Column]:
        """Return the columns of a CSV file of the project."""
        rows = csv_rows(self.reader, model).find(exp.Values)
        assert rows is not None
        cells = zip(*(row.expressions for row in rows.expressions), strict=True)
        read = ([self.queries.clues.value(cell, Scope()).literal for cell in column] for column in cells)
        choices = (tuple(dict.fromkeys(v for v in column if v is not None)) for column in read)
        names = (column.name.lower() for column in rows.args["alias"].columns)
        return {name: Value(choices=found) for name, found in zip(names, choices, strict=True)}

    def _spec_of(self, model: Input) -> InputSpec | None:
        return next((s for s in self.project.spec.inputs if s.name.lower() == model.name.lower()), None)

    def _declared(self, data_type: str, this: str) -> Kind | None:
        name = self.reader.render(data_type, this).text.strip()
        try:
            return kind_of_type(exp.DataType.build(name, dialect=self.project.source_dialect))
        except SqlglotError:
            return None  # a word of the author's own says nothing

    def _occurred_at(self, text: str, path: str, scope: Scope) -> None:
        found = self.queries.clues.value(self.reader.expression(text, path, "occurred_at_col").tree, scope)
        self.queries.clues.vote(found, "timestamp")
        for slot in found.slots:
            self.ledger.of(slot).occurred_at = True

    def _sql_model(self, model: SqlModel) -> Relation:
        spec = model.spec
        if spec.single_sql is not None:
            found = self.queries.query(self.reader.query(spec.single_sql, model.path).tree)
        else:
            found, made = Relation(self.ledger), Scope()
            for reading in self.reader.statements(spec.multi_sql or "", model.path):
                created = isinstance(reading.tree, exp.Create)
                tree = reading.tree.expression if created else reading.tree
                if isinstance(tree, exp.Query):
                    found = self.queries.query(tree, made)
                if created:  # later statements may read it
                    made.ctes[reading.tree.this.name.lower()] = found
        scope = Scope(items={model.name.lower(): found})
        self._row_ids(model, model.ids, scope)
        if model.occurred_at:
            self._occurred_at(model.occurred_at, model.path, scope)
        return Relation(self.ledger, self._added(model), (found,), alternatives=found.alternatives)

    def _added(self, model: Input | SqlModel) -> dict[str, Column]:
        """Return the columns that the var table of a source has on top of its own."""
        columns: dict[str, Column] = {"input_row_id": Value(kind="text"), "main_id": NOTHING}
        columns |= {self.project.entities[i.entity].id_column.lower(): NOTHING for i in model.ids}
        for name, var in self.project.input_vars.get(model.path, {}).items():
            columns[name] = partial(self._input_var, var)
        return columns

    def _features(self, cohort_path: str) -> Relation:
        """Return the features of a cohort, those of the cohorts it comes from included."""
        columns: dict[str, Column] = {"main_id": NOTHING, "valid_at": Value(kind="timestamp")}
        cohort = self.project.models.get(cohort_path)
        while isinstance(cohort, Cohort):
            columns.setdefault(self.project.entities[cohort.entity].id_column.lower(), NOTHING)
            for name, var in self.project.entity_vars.get(cohort.path, {}).items():
                columns.setdefault(name, partial(self._entity_var, var))
            for feature_model in self.project.feature_models.get(cohort.path, ()):
                for name in feature_model.columns:
                    columns.setdefault(name.lower(), partial(self._column_of, feature_model.path, name))
            cohort = self.project.models.get(cohort.parent or "")
        return Relation(self.ledger, columns)

    def _column_of(self, path: str, name: str) -> Value:
        return self._relation(self.project.models[path]).value(name)

    def _row_ids(self, model: Model, ids: tuple[RowId, ...], scope: Scope) -> None:
        for row_id in ids:
            tree = self.reader.expression(row_id.select, model.path, "id").tree
            found = self.queries.clues.value(tree, scope)
            for slot, use in self._uses(row_id, tree, found, scope) if row_id.id_type is not None else ():
                self.ledger.of(slot).ids[use] = None

    def _uses(self, row_id: RowId, tree: exp.Expr, found: Value, scope: Scope) -> Iterator[tuple[Slot, IdUse]]:
        """Yield the columns by which an id tells who it is: it is their value, a piece of it or made of it."""
        use, hashed = IdUse(row_id.entity, str(row_id.id_type)), tree.find(*_HASHES) is not None
        if found.slots and not hashed:
            yield from ((slot, use) for slot in found.slots)
            return
        if found.inside and not hashed:
            form = inside_form(found.around, tree)
            yield from ((slot, replace(use, share="sound", form=form)) for slot in found.inside)
            return
        slots, columns = found.slots, {column.name.lower(): column for column in tree.find_all(exp.Column)}
        if not slots and columns and (len(columns) == 1 or tree.find(*_HASHES, *_JOINED) is not None):
            telling = [column for name, column in columns.items() if theme_of(name) not in PERSONAL]
            inner = tree.find(exp.JSONExtract, exp.JSONExtractScalar) if len(columns) == 1 else None
            slots = self.queries.clues.value(inner or [*telling, *columns.values()][0], scope).slots
        made = IdForm(MAILBOX) if "'@" in row_id.select else outside_form(tree)
        if made is not None and len(columns) == 1 and not hashed:
            yield from ((slot, replace(use, share="sound", form=made)) for slot in slots)
        elif made is None or hashed:
            yield from ((slot, IdUse(row_id.entity, slot.column, "sound")) for slot in slots)

    def _id_filters(self, model: Stitcher) -> None:
        for id_type in model.id_types:
            for rule in id_type.filters:
                if rule.sql is None:
                    continue
                source = self._symbol(f"ref:{rule.sql.from_}")
                tree = self.reader.expression(rule.sql.select, model.path).tree
                use = IdUse(model.entity, id_type.name, "few" if rule.type == "exclude" else "all")
                for slot in self.queries.clues.value(tree, Scope(items={"rows": source})).slots:
                    clues = self.ledger.of(slot)
                    clues.ids = {use: None, **clues.ids} if use.share == "few" else {**clues.ids, use: None}

    def _filters(self, model: Cohort) -> None:
        scope = Scope(items={"members": self._features(model.parent or model.path)})
        for text in filter_texts(model):
            self.queries.clues.condition(self.reader.expression(text, model.path, "filter").tree, scope)
        for item in model.pipeline:
            if item.sql is not None:
                self.queries.query(self.reader.query(sql_filter_text(item), model.path).tree)

    # --- vars ---------------------------------------------------------------------------------------------------

    def _var_named(self, target: str) -> Value:
        key: VarKey = self.reader.var_key(target)
        var = self.project.entity_vars.get(key[0], {}).get(key[1])
        if var is not None:
            return self._entity_var(var) or NOTHING
        features = self.project.feature_models.get(key[0], ())
        path = next((m.path for m in features if key[1] in map(str.lower, m.columns)), None)
        return self._column_of(path, key[1]) if path is not None else NOTHING

    def _entity_var(self, var: EntityVar) -> Value | None:
        source = self.project.models.get(var.source) if var.source is not None else None
        return self._var(("entity", var.cohort, var.name.lower()), lambda: self.reader.entity_var(var), source)

    def _input_var(self, var: InputVar) -> Value | None:
        source = self.project.models[var.source]
        return self._var(("input", var.source, var.name.lower()), lambda: self.reader.input_var(var), source)

    def _var(self, key: tuple[str, str, str], read: Callable[[], ReadVar], source: Model | None) -> Value | None:
        """Return the value of a var; None while it is being read, when its name means a column of the source."""
        if key in self._busy:
            return None
        if key not in self._vars:
            self._busy.add(key)
            try:
                self._vars[key] = self._read_var(read(), source)
            except ProjectError:  # a disabled var may be wrong; it reads nothing then
                self._vars[key] = NOTHING
            self._busy.discard(key)
        return self._vars[key]

    def _read_var(self, var: ReadVar, source: Model | None) -> Value:
        clues = self.queries.clues
        rows = self._relation(source) if source is not None else Relation(self.ledger)
        scope = Scope(items={source.name.lower() if source is not None else "": rows}, alternatives=rows.alternatives)
        if var.where is not None:
            scope.alternatives = both(rows.alternatives, clues.condition(var.where, scope))
        found = clues.value(var.select, scope)
        for tree in _parts(var):
            clues.value(tree, scope)
        default = clues.value(var.default, scope)
        if default.kind is not None and var.default is not None and not isinstance(var.default, exp.Null):
            self.ledger.vote(found.slots, default.kind, 1)
        return found


def _parts(var: ReadVar) -> Iterator[exp.Expr]:
    if var.window is not None:
        yield from var.window.partition_by
        yield from var.window.order_by
