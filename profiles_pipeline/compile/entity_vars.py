"""Compiles a var table: one row per member of a cohort, one column per entity var.

Vars over one source are fused into one scan of it. A scan that needs other vars comes after the scans those need:
the table grows in phases, each a set of scans and then a fold that joins them and adds what follows from them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from sqlglot import exp

from profiles_pipeline import sql
from profiles_pipeline.compile import aggregates, join_vars
from profiles_pipeline.compile.audits import main_id_audits
from profiles_pipeline.compile.input_vars import (
    has_window,
    kind_of,
    over,
    row_expression,
    rows_with_vars,
    typed,
)
from profiles_pipeline.compile.rows import (
    PersonKey,
    alias,
    col,
    has_typed_ids,
    identified_rows,
    left_join,
    placed,
    quoted,
    timestamp,
)
from profiles_pipeline.compile.statement import (
    Audit,
    Compilation,
    Script,
    Statement,
    Step,
    beside,
    create,
    scratch,
)
from profiles_pipeline.compile.var_columns import column_order, taken_over, var_table
from profiles_pipeline.detours import columns_of_table, input_vars_behind
from profiles_pipeline.errors import fail
from profiles_pipeline.names import VAR_TABLE, safe_identifier
from profiles_pipeline.resolve.model import Cohort, EntityVar, InputVar, InputVarTable, Source, VarTable
from profiles_pipeline.resolve.readings import ReadVar, VarKey
from profiles_pipeline.sql import build


def compile_var_table(c: Compilation, model: VarTable) -> Script:
    """Return the script that makes a var table, or a part of one."""
    return finished(Growing(c, model, c.relation(model.path)))


def finished(table: Growing) -> Script:
    """Return the script of a var table once all its vars are computed."""
    while table.pending:
        table.phase()
    kind, made = table.made()
    audits = _audits(table.c, table.model, table.relation, table.id_column)
    return Script(kind, (*table.steps, *made), audits)


@dataclass(frozen=True, slots=True)
class Scan:
    """One pass over a source: the vars computed in it, and where they end up."""

    source: str
    vars: tuple[EntityVar, ...]
    result: exp.Table


class Growing:
    """A var table while it is compiled: the statements so far, and the query of the vars done so far."""

    def __init__(self, c: Compilation, model: VarTable, relation: exp.Table) -> None:
        self.c = c
        self.model = model
        self.relation = relation
        cohort = c.graph.models[model.cohort]
        assert isinstance(cohort, Cohort)
        self.cohort = cohort
        self.id_column = c.project.entities[cohort.entity].id_column
        self.names = {name.lower(): name for name in column_order(c, model)}
        self.steps: list[Step] = []
        self.shared: dict[str, exp.Expr | None] = {}
        self.rows: exp.Expr = self._with_coarser(self._base())
        self.read = {var.name.lower(): c.reader.entity_var(var) for var in model.vars}
        aggregates.refuse_many_values(model.vars, self.read, cohort.entity)
        self.pending = {var.name.lower(): var for var in model.vars}
        self.phases = 0
        self.brought: set[VarKey] = set()
        self.staged: dict[str, exp.Table] = {}

    def _base(self) -> exp.Expr:
        """Return the members of the cohort with the vars they have from the part before and from the parent cohort."""
        members = self.c.relation(self.model.cohort)
        earlier = taken_over(self.c, self.model)
        if not earlier:
            return build("SELECT :id FROM :members", id=self.id_column, members=members)
        query = exp.select(col(self.id_column, "m")).from_(_as(members, "m"))
        for name, (path, columns) in zip(("v", "i"), earlier.items(), strict=False):
            # Members as of an earlier boundary may have become somebody else since.
            kind = "left" if self.cohort.time_grain != var_table(self.c, path).time_grain else ""
            on = exp.EQ(this=col(self.id_column, name), expression=col(self.id_column, "m"))
            query = query.join(_as(self.c.relation(path), name), on=on, join_type=kind, copy=False)
            query = query.select(*(col(column, name) for column in columns), copy=False)
        return query

    def _with_coarser(self, rows: exp.Expr) -> exp.Expr:
        """Return the rows with the vars of coarser time grain; who was not yet known at their boundary has none."""
        if not self.model.coarser:
            return rows
        query = exp.select("b.*").from_(_as(rows, "b"))
        for number, path in enumerate(self.model.coarser):
            name = f"g{number}"
            on = exp.EQ(this=col(self.id_column, name), expression=col(self.id_column, "b"))
            query = query.join(_as(self.c.relation(path), name), on=on, join_type="left", copy=False)
            columns = [col(n, name) for n in column_order(self.c, var_table(self.c, path))]
            query = query.select(*columns, copy=False)
        return query

    def phase(self) -> None:
        """Compute every var that needs nothing pending; keep the result for the next phase if there is one."""
        self.phases += 1
        ready = [v for v in self.pending.values() if v.source is not None and not self._waits(v)]
        scans = self.scans(ready)
        for var in ready:
            del self.pending[var.name.lower()]
        derived = self._derivable()
        if not ready and not derived:
            names = ", ".join(var.name for var in self.pending.values())
            fail("cycle", f"these vars depend on each other in a circle: {names}", self.model.span)
        self._stage(scans, derived)
        self.rows = self._fold(scans, derived)

    def _stage(self, scans: list[Scan], derived: list[list[EntityVar]]) -> None:
        """Put the vars that later ones need on rows into a table of their own, once they can be computed."""
        on_rows = {key for name in self.pending for key in self.read[name].vars}
        needed = {name for cohort, name in on_rows if cohort == self.model.cohort and name in self.read}
        needed -= self.pending.keys() | self.staged.keys()
        if not needed:
            return
        behind = self._behind_values(needed)
        some = [replace(s, vars=tuple(v for v in s.vars if v.name.lower() in behind)) for s in scans]
        levels = [[v for v in level if v.name.lower() in behind] for level in derived]
        before = self.rows, self.brought
        folded = self._fold([scan for scan in some if scan.vars], [level for level in levels if level])
        self.rows, self.brought = before
        columns = [col(self.names[name]) for name in sorted(needed)]
        query = build("SELECT :id, :columns FROM :rows AS n", id=self.id_column, columns=columns, rows=folded)
        stage = scratch(self.relation, f"stage_{self.phases}")
        self.steps.append(Statement(create("temporary table", stage, query), "vars that others need on their rows"))
        self.staged |= dict.fromkeys(needed, stage)

    def _behind_values(self, names: Iterable[str]) -> set[str]:
        """Return vars of this table with all those that are needed beside them, not on rows, to compute them."""
        sources = {var.name.lower() for var in self.model.vars if var.source is not None}
        todo, found = list(names), set[str]()
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                read = self.read[name]
                if name not in sources or read.default is not None:
                    todo += [key[1] for key in read.vars if self._has(key) and key[1] in self.read]
        return found

    def _waits(self, var: EntityVar) -> bool:
        """True while a var that this one needs on rows is not yet in a table."""
        return any(key[0] == self.model.cohort and key[1] in self.pending for key in self.read[var.name.lower()].vars)

    def _derivable(self) -> list[list[EntityVar]]:
        """Take the vars without a source whose needs are met, in levels."""
        found: list[list[EntityVar]] = []
        while True:
            level = [v for v in self.pending.values() if v.source is None and not self._waits(v)]
            if not level:
                return found
            for var in level:
                del self.pending[var.name.lower()]
            found.append(level)

    def made(self) -> tuple[Literal["table", "view"], list[Step]]:
        """Return whether the var table is a table or a view, and the steps that make it of the rows."""
        query = build(
            "SELECT :id, :valid_at AS valid_at, :columns FROM :rows",
            id=self.id_column,
            valid_at=timestamp(self.c),
            columns=[col(name) for name in self.names.values()],
            rows=self.rows,
        )
        own = tuple(var.name for var in self.model.vars)
        return "table", [Statement(create("table", self.relation, query), f"{len(self.names)} vars joined", own)]

    # --- scans ----------------------------------------------------------------------------------------------

    def scans(self, ready: list[EntityVar]) -> list[Scan]:
        """Add the passes in which vars whose needs are met are computed: as few as can be."""
        scans: list[Scan] = []
        position = {name: n for n, name in enumerate(self.read)}
        self.shared = {v.name: self.shared_expression(v) for v in ready}
        for (source, through_table), group in groupby(sorted(ready, key=self._scan_key), key=self._scan_key):
            members = sorted(group, key=lambda v: position[v.name.lower()])
            fused = [v for v in members if self.shared[v.name] is not None]
            alone = [v for v in members if self.shared[v.name] is None]
            for number, variables in enumerate([fused, *([v] for v in alone)]):
                if variables:
                    suffix = f"_{number}" if number else ""
                    through = through_table and self._worth_the_table(source, variables)
                    name = f"{safe_identifier(source)}{'' if through_table else '_rows'}_{self.phases}{suffix}"
                    scans += self.scan(source, through, tuple(variables), scratch(self.relation, name))
        return scans

    def _scan_key(self, var: EntityVar) -> tuple[str, bool]:
        return str(var.source), (var.cohort, var.name.lower()) in self.c.graph.through_tables

    def _worth_the_table(self, source: str, variables: Iterable[EntityVar]) -> bool:
        """True unless these vars need nothing of a view that would compute windows for nothing."""
        table = self.input_var_table(source)
        own = {var.name.lower(): self.c.reader.input_var(var) for var in table.vars}
        if kind_of(self.c, table) == "table" or not any(map(has_window, own.values())):
            return True
        added = own.keys() | self.added_columns(source)
        return any(self.read[v.name.lower()].columns & added for v in variables)

    def added_columns(self, source: str) -> frozenset[str]:
        """Return what the var table of a source has and its rows with just this entity's main id have not."""
        model = self.c.graph.models[source]
        assert isinstance(model, Source)
        return columns_of_table(self.c.project, model, self.cohort.entity)

    def scan(self, source: str, through_table: bool, variables: tuple[EntityVar, ...], result: exp.Table) -> list[Scan]:
        """Add the pass over a source in which these vars are computed."""
        query = self.query_of_scan(source, through_table, variables)
        names = tuple(v.name for v in variables)
        title = f"{len(names)} vars in one scan of {source}" if len(names) > 1 else f"{names[0]} from {source}"
        self.steps.append(Statement(create("temporary table", result, query), title, names))
        return [Scan(source, variables, result)]

    def query_of_scan(self, source: str, through_table: bool, variables: tuple[EntityVar, ...]) -> exp.Expr:
        """Return the query of the values of vars over a source, by main id."""
        reads = [self.read[v.name.lower()] for v in variables]
        keys = frozenset().union(*(r.vars for r in reads))
        numbered = self.may_number(source, through_table, variables)
        key: PersonKey = "component" if numbered else "main_id"
        rows = self.rows_of(source, through_table, key, self._input_vars(source, through_table, variables))
        if keys:
            rows = self._with_vars(rows, keys, key)
        columns = [alias(value, v.name) for v in variables if (value := self.shared[v.name]) is not None]
        if not columns:
            return self._one_per_row(variables[0], rows)
        query = self.grouped(
            build("SELECT r.:id, :columns FROM :rows AS r", id=self.id_column, columns=columns, rows=rows)
        )
        return self._named(query, variables) if numbered else query

    def grouped(self, query: exp.Expr) -> exp.Select:
        """Return a query over rows with one row for each person who belongs here."""
        assert isinstance(query, exp.Select)
        known = build("r.:id IS NOT NULL", id=self.id_column)
        if self.cohort.parent is not None:  # not a join: the rows keep their columns to themselves
            members = self.c.relation(self.cohort.path)
            known = build("r.:id IN (SELECT :id FROM :members)", id=self.id_column, members=members)
        return query.where(known, copy=False).group_by(col(self.id_column, "r"), copy=False)

    def may_number(self, source: str, through_table: bool, variables: Iterable[EntityVar]) -> bool:
        """True when a scan can group by the number of the person instead of the main id, which no var may look at."""
        model = self.c.graph.models[source]
        if not isinstance(model, Source) or not has_typed_ids(model, self.cohort.entity):
            return False
        if self.cohort.parent is not None or any(self.shared[v.name] is None for v in variables):
            return False
        if through_table and kind_of(self.c, self.input_var_table(source)) == "table":
            return False
        looked_at = {column for v in variables for column in self.read[v.name.lower()].columns}
        inputs = [self.c.reader.input_var(var) for var in self._input_vars(source, through_table, variables)]
        texts = [tree for read in inputs for tree in (read.select, read.where) if tree is not None]
        looked_at |= {column.lower() for tree in texts for column in sql.column_names(tree)}
        if any("member" in sql.symbols(tree) for tree in texts):
            return False
        ids = {self.id_column.lower(), "main_id"} | self.added_columns(source)
        return not looked_at & ids and not any(read.vars for read in inputs)

    def _input_vars(self, source: str, through_table: bool, variables: Iterable[EntityVar]) -> tuple[InputVar, ...]:
        """Return the input vars that the rows of a scan have."""
        if through_table:
            return self.input_var_table(source).vars
        columns = frozenset().union(*(self.read[v.name.lower()].columns for v in variables))
        return input_vars_behind(self.c.project, self.c.reader, source, columns)

    def _named(self, numbered: exp.Expr, variables: Iterable[EntityVar]) -> exp.Expr:
        """Return the result of a scan by number with the main id in its place."""
        return build(
            "SELECT p.main_id AS :id, :columns FROM :numbered AS s JOIN :people AS p ON p.component = s.:id",
            id=self.id_column,
            columns=[col(v.name, "s") for v in variables],
            numbered=numbered,
            people=self._people(),
        )

    def input_var_table(self, source: str) -> InputVarTable:
        """Return the var table of a source."""
        table = self.c.graph.models[f"{source}/{VAR_TABLE}"]
        assert isinstance(table, InputVarTable)
        return table

    def rows_of(self, source: str, through_table: bool, key: PersonKey, input_vars: tuple[InputVar, ...]) -> exp.Expr:
        """Return the rows of a source with the main id or its number."""
        if through_table and key == "main_id":
            return self.c.relation(f"{source}/{VAR_TABLE}")
        if through_table or input_vars:  # no var looks at the main ids of other entities, which cost a join each
            table = replace(self.input_var_table(source), entities=(self.cohort.entity,), vars=input_vars)
            return rows_with_vars(self.c, table, key).subquery(copy=False)
        model = self.c.graph.models[source]
        if isinstance(model, Source):
            return identified_rows(self.c, model, [self.cohort.entity], key=key).subquery(copy=False)
        return self.c.relation(source)

    def _with_vars(self, rows: exp.Expr, keys: Iterable[VarKey], person: PersonKey) -> exp.Expr:
        """Return the rows with the vars they need, joined on whatever kind of person key the rows have."""

        def relation(key: VarKey) -> exp.Expr:
            found: exp.Expr
            if key[0] == self.model.cohort and self.c.graph.var_homes.get(key) == self.model.path:
                found = self.staged[key[1]]
            else:
                found = self._home(key)
            return found if person == "main_id" else self._by_number(found)

        return join_vars.joined(rows, self.id_column, keys, relation).subquery(copy=False)

    def _by_number(self, vars_: exp.Expr) -> exp.Expr:
        """Return a table of vars with the number of the person in place of the main id."""
        others = exp.Column(this=exp.Star(except_=[quoted(self.id_column)]), table=quoted("v"))
        query = build(
            "SELECT p.component AS :id, :others FROM :vars AS v JOIN :people AS p ON p.main_id = v.:id",
            id=self.id_column,
            others=[others],
            vars=vars_,
            people=self._people(),
        )
        return exp.Subquery(this=query)

    def _people(self) -> exp.Expr:
        """Return the main id of each component."""
        stitcher = self.c.project.entities[self.cohort.entity].stitcher
        return build(
            "SELECT DISTINCT component, main_id FROM :mappings",
            mappings=beside(self.c.relation(stitcher), "_mappings"),
        )

    def _expressions(self, var: EntityVar) -> tuple[exp.Expr, exp.Expr | None, ReadVar]:
        read = self.read[var.name.lower()]
        assert read.select is not None
        where = row_expression(self.c, read.where, self.id_column) if read.where is not None else None
        return row_expression(self.c, read.select, self.id_column), where, read

    def shared_expression(self, var: EntityVar) -> exp.Expr | None:
        """Return the expression of a var for a shared GROUP BY; None when it cannot share one."""
        if self.read[var.name.lower()].select is None:
            return exp.Null()
        select, where, read = self._expressions(var)
        if read.window is not None and read.window.order_by:
            order = tuple(row_expression(self.c, key, self.id_column) for key in read.window.order_by)
            read = _with_order(read, order)
        return aggregates.shared(read, select, where)

    def _one_per_row(self, var: EntityVar, rows: exp.Expr) -> exp.Select:
        """Return the scan of a var that cannot share one: grouped by itself, or valued per row and then reduced."""
        select, where, read = self._expressions(var)
        if read.window is None and not sql.has_window(select):
            query = build("SELECT r.:id, :value AS :name FROM :rows AS r WHERE :where", id=self.id_column,
                          value=select, name=var.name, rows=rows, where=where)  # fmt: skip
            return self.grouped(query)
        if read.window is not None:
            order = [row_expression(self.c, key, self.id_column) for key in read.window.order_by]
            select = over(self.c, select, [col(self.id_column)], order, read.window.frame)
        per_row = build("SELECT :id, :value AS value FROM :rows AS r WHERE :where", id=self.id_column,
                        value=select, rows=rows, where=where)  # fmt: skip
        query = build(
            "SELECT r.:id, MIN(r.value) AS :name FROM :rows AS r", id=self.id_column, name=var.name, rows=per_row
        )
        return self.grouped(query)

    # --- folds ----------------------------------------------------------------------------------------------

    def _fold(self, scans: list[Scan], derived: list[list[EntityVar]]) -> exp.Expr:
        """Return the rows so far joined with the scans, plus the vars derived from them."""
        with_defaults = [v for scan in scans for v in scan.vars if self.read[v.name.lower()].default is not None]
        self._bring([*with_defaults, *(var for level in derived for var in level)])
        query = self._joined(scans)
        for number, level in enumerate(derived):
            columns = [alias(self._derived(var), var.name) for var in level]
            query = build("SELECT *, :columns FROM :rows AS :name", columns=columns, rows=query, name=f"level_{number}")
        return query

    def _joined(self, scans: list[Scan]) -> exp.Expr:
        query = exp.select("b.*").from_(_as(self.rows, "b"))
        for number, scan in enumerate(scans):
            name = f"s{number}"
            on = exp.EQ(this=col(self.id_column, name), expression=col(self.id_column, "b"))
            left_join(query, exp.alias_(scan.result, name, table=True), on)
            columns = [alias(self._finished(v, col(v.name, name)), v.name) for v in scan.vars]
            query = query.select(*columns, copy=False)
        return query

    def _finished(self, var: EntityVar, value: exp.Expr) -> exp.Expr:
        """Return a value with its default and its declared type."""
        read = self.read[var.name.lower()]
        if read.default is not None:
            default = self._over_vars(read.default)
            value = exp.Coalesce(this=value, expressions=[default]) if not isinstance(value, exp.Null) else default
        return typed(value, read)

    def _derived(self, var: EntityVar) -> exp.Expr:
        read = self.read[var.name.lower()]
        if read.select is None:
            return self._finished(var, exp.Null())
        value = self._over_vars(read.select)
        where = self._over_vars(read.where) if read.where is not None else None
        if read.window is not None:
            keys = [self._over_vars(key) for key in read.window.partition_by]
            keys += [exp.Case().when(where.copy(), exp.Literal.number(1))] if where is not None else []
            order = [self._over_vars(key) for key in read.window.order_by]
            value = over(self.c, value, keys, order, read.window.frame)
        if where is not None:
            value = exp.Case().when(where.copy(), value)
        return self._finished(var, value)

    def _over_vars(self, tree: exp.Expr) -> exp.Expr:
        """Return an expression over the vars of this table, which stand as plain columns."""

        def as_column(node: exp.Expr) -> exp.Expr:
            if isinstance(node, exp.Column) and node.name.startswith("var:"):
                return self._var_column(self.c.reader.var_key(node.name.removeprefix("var:")))
            return node

        return sql.transformed(placed(self.c, tree), as_column)

    def _var_column(self, key: VarKey) -> exp.Expr:
        return col(self.names[key[1]] if self._has(key) else join_vars.column_of(key))

    def _has(self, key: VarKey) -> bool:
        """True when this table has the var itself, not another of the same name or none."""
        return key[1] in self.names and self.c.reader.var_key(f"{self.model.cohort}/{key[1]}") == key

    def _bring(self, variables: Iterable[EntityVar]) -> None:
        """Join the vars of other tables from which these are computed, each once and under a name of its own."""
        used = {key for var in variables for key in self.read[var.name.lower()].vars}
        wanted = {key for key in used if not self._has(key)} - self.brought
        if wanted:
            rows = sql.copied(self.rows).subquery(copy=False) if isinstance(self.rows, exp.Select) else self.rows
            self.rows = join_vars.joined(rows, self.id_column, wanted, self._home)
            self.brought |= wanted

    def _home(self, key: VarKey) -> exp.Expr:
        return self.c.relation(join_vars.home(self.c, key))


def _with_order(read: ReadVar, order: tuple[exp.Expr, ...]) -> ReadVar:
    assert read.window is not None
    return replace(read, window=replace(read.window, order_by=order))  # type: ignore[arg-type]


def _as(rows: exp.Expr, name: str) -> exp.Expr:
    if isinstance(rows, exp.Select):
        return sql.copied(rows).subquery(name, copy=False)
    return exp.alias_(rows.copy(), name, table=True)


def _audits(c: Compilation, model: VarTable, relation: exp.Table, id_column: str) -> tuple[Audit, ...]:
    count = Audit(
        "one_row_per_member",
        build(
            "SELECT ABS((SELECT COUNT(*) FROM :table) - (SELECT COUNT(*) FROM :members))",
            table=relation,
            members=c.relation(model.cohort),
        ),
        f"The var table has as many rows as {model.cohort} has members.",
    )
    return (*main_id_audits(relation, id_column), count)
