"""Compiles a var table that goes on from the run before: it reads days that changed and the rows of who is touched.

Two kinds of tables are kept. An accumulator has what each day adds to each id; a roll-up has the values of each person,
merged from an accumulator or found by going over rows. Both are brought up to date in place, in the transaction that
makes the var table. Which vars are kept how, `rollups` decides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from sqlglot import exp

from profiles_pipeline import sql
from profiles_pipeline.compile import entity_vars, join_vars, rollups, window_flags
from profiles_pipeline.compile.accumulators import (
    BUCKET,
    Accumulator,
    bucketed,
    changed_range,
    columns_read,
    fingerprints,
    range_names,
    rows_definition,
    update_steps,
)
from profiles_pipeline.compile.entity_vars import Growing, Scan
from profiles_pipeline.compile.input_vars import row_expression, with_input_vars
from profiles_pipeline.compile.partials import Split
from profiles_pipeline.compile.rollups import Carried, Strategy, Texts
from profiles_pipeline.compile.rows import (
    PersonKey,
    alias,
    col,
    has_typed_ids,
    id_types,
    id_values,
    identified_rows,
    is_stitched_from,
    looked_up_ids,
    looked_up_rows,
    text,
    with_main_id,
)
from profiles_pipeline.compile.statement import Bind, Compilation, Script, Statement, Step, beside, create, scratch
from profiles_pipeline.detours import input_vars_behind
from profiles_pipeline.names import ACCUMULATOR
from profiles_pipeline.resolve.model import EntityVar, Input, InputVar, SqlModel, Stitcher, VarTable
from profiles_pipeline.resolve.reader import VarKey
from profiles_pipeline.sql import build

_TYPE = "type of "
"""What begins the marks of types among the columns of a kept table; no name of a column of it does."""


@dataclass(frozen=True)
class Kept:
    """A roll-up that is kept from run to run.

    Attributes:
        table: the main id, and the columns.
        columns: its columns and those of its accumulator, and the types that these are made from.
        is_there: whether it exists from the run before.
        superfluous: columns that it has and that nobody needs any more.
    """

    table: exp.Table
    columns: tuple[str, ...]
    is_there: bool
    superfluous: tuple[str, ...] = ()


@dataclass(frozen=True)
class CarriedTable:
    """The script of a var table that is carried on, what it keeps, and how its vars are brought up to date."""

    script: Script
    kept: tuple[Kept, ...]
    strategies: Mapping[str, Strategy]


def compile_carried(c: Compilation, model: VarTable, carried: Carried) -> CarriedTable:
    """Return the script that brings a var table up to date from what the run before kept."""
    table = Carrying(c, model, c.relation(model.path), carried)
    script = entity_vars.finished(table)
    return CarriedTable(script, tuple(table.kept), table.strategies)


@dataclass(frozen=True)
class _People:
    """Temporary tables of people: their main ids, and all their identifiers."""

    people: exp.Table
    ids: exp.Table


@dataclass(frozen=True)
class _State:
    """Vars over one source that are kept in parts, and where."""

    kept: Kept
    days: Accumulator
    variables: tuple[EntityVar, ...]
    split: Split
    before: Split


class Carrying(Growing):
    """A var table while it is compiled, with what it keeps from run to run."""

    def __init__(self, c: Compilation, model: VarTable, relation: exp.Table, carried: Carried) -> None:
        super().__init__(c, model, relation)
        self.carried = carried
        self.kept: list[Kept] = []
        self.replaying = False
        self.replayed_for: _People | None = None
        self.touched_rows: dict[str, exp.Table] = {}
        self.touched = _People(scratch(relation, "touched"), scratch(relation, "touched_ids"))
        self.strategies = self._strategies()
        self.moved = self._moved()
        self.states = {source: self._states(source) for source in self._sources("state")}
        self.replayed = {source: self._days_of_ids(source) for source in self._sources("replay")}
        self._update()

    # --- strategies ---------------------------------------------------------------------------------------------

    @cached_property
    def _own_ids(self) -> frozenset[str]:
        return frozenset({"main_id", self.id_column.lower()})

    def _strategies(self) -> dict[str, Strategy]:
        before = Growing(self.carried.before or self.c, self.model, self.relation)
        later = Growing(self.carried.later, self.model, self.relation)
        found: dict[str, Strategy] = {}
        for name, var in self.pending.items():
            if var.source is None or self.read[name].select is None:
                found[name] = Strategy("derived", "computed from other vars")
            else:
                texts = [Texts(each.shared_expression(var), each.read[name]) for each in (self, before, later)]
                found[name] = self._strategy(var, (texts[0], texts[1], texts[2]))
        still = {n for n, s in found.items() if s.kind == "derived" and self._reads_the_same(later, n)}
        return {name: self._with_needs(name, found, still) for name in found}

    def _reads_the_same(self, other: Growing, name: str) -> bool:
        """True when a var reads the same as of another time, its default included."""
        one, two = self.read[name], other.read[name]
        defaults = ["" if r.default is None else r.default.sql() for r in (one, two)]
        return rollups.words(one) == rollups.words(two) and defaults[0] == defaults[1]

    def _strategy(self, var: EntityVar, texts: tuple[Texts, Texts, Texts]) -> Strategy:
        source = self.c.graph.models[str(var.source)]
        if isinstance(source, Input | SqlModel):
            if not has_typed_ids(source, self.cohort.entity):
                return Strategy("full", "its rows carry the main id themselves")
            if (why_not := self._why_rows_move(source)) is not None:
                return Strategy("full", why_not)
            if texts[0].read.columns & self.added_columns(source.path):
                return Strategy("full", "it looks at the main ids of others")
        inputs = [
            (v, rollups.reads_the_same(v, self.c.reader, self.carried.later.reader))
            for v in self._behind(source.path, [var])
        ]
        return rollups.strategy(self.c, source, self.cohort.entity, texts, inputs, self._own_ids)

    def _why_rows_move(self, source: Input | SqlModel) -> str | None:
        """Return why the rows of a source, or the ids on them, may change without one of them changing."""
        now, other = ((rows_definition(c, source), id_values(c, source, self.cohort.entity)) for c in self._times)
        if now[0] is None or other[0] is None or _texts(now[0]) != _texts(other[0]):
            return "which rows count depends on other tables or on the end time"
        if _texts(now[1]) != _texts(other[1]) or any(map(sql.has_subquery, now[1])):
            return "the ids on its rows depend on other tables or on the end time"
        return None

    @property
    def _times(self) -> tuple[Compilation, Compilation]:
        return self.c, self.carried.later

    def _with_needs(self, name: str, found: Mapping[str, Strategy], still: set[str]) -> Strategy:
        """Return the strategy of a var, given those of the vars that it needs on rows."""
        own = found[name]
        if own.kind != "replay":
            return own
        for key in self._needs(name):
            if not rollups.is_settled(key, self.model.path, self.c.graph.var_homes, found, still):
                return Strategy("full", f"it needs {key[1]} on its rows, which may change for everybody")
        return own

    def _needs(self, name: str) -> list[VarKey]:
        """Return the vars that a var needs, and those that these need, as far as they are of this table."""
        todo, seen = list(self.read[name].vars), []
        while todo:
            key = todo.pop()
            if key not in seen:
                seen.append(key)
                todo += self.read[key[1]].vars if self.c.graph.var_homes.get(key) == self.model.path else ()
        return sorted(seen)

    def _behind(self, source: str, variables: Iterable[EntityVar]) -> tuple[InputVar, ...]:
        columns = frozenset().union(*(self.read[v.name.lower()].columns for v in variables))
        return input_vars_behind(self.c.project, self.c.reader, source, columns)

    def _moved(self) -> _People:
        """Return who is touched once those count as well for whom a day enters or leaves a window in time."""
        if not any(s.split and s.split.windows for s in self.strategies.values()):
            return self.touched
        return _People(scratch(self.relation, "moved"), scratch(self.relation, "moved_ids"))

    def _of_state(self, state: _State) -> _People:
        """Return for whom a roll-up is put together again."""
        return self.moved if state.split.windows else self.touched

    # --- what is kept -------------------------------------------------------------------------------------------

    def _sources(self, kind: str) -> list[str]:
        sources = dict.fromkeys(str(v.source) for n, v in self.pending.items() if self.strategies[n].kind == kind)
        return [s for s in sources if isinstance(self.c.graph.models[s], Input | SqlModel)]

    def _of(self, source: str, kind: str) -> list[EntityVar]:
        return [v for n, v in self.pending.items() if v.source == source and self.strategies[n].kind == kind]

    def _group(self, kind: str, source: str, variables: Iterable[EntityVar]) -> str:
        """Return what all kept tables have in their names that may have columns for vars like these."""
        model = self.c.graph.models[source]
        rows = rows_definition(self.c, model) or [] if isinstance(model, Input | SqlModel) else []
        ids = id_values(self.c, model, self.cohort.entity) if rows else []
        inputs = ["\x1f".join(rollups.words(self.c.reader.input_var(v))) for v in self._behind(source, variables)]
        owner = f"{self.c.project.name}/{self.model.path}"
        # Which ids on a row are looked up depends on whether they are all one person by the stitcher.
        looked_up = [self._stitcher, str(bool(rows) and is_stitched_from(self.c, model, self.cohort.entity))]
        looked_up.append(self.id_column.lower())
        return ACCUMULATOR + _hash([owner, kind, source, *looked_up, *_texts(rows), *_texts(ids), *inputs])

    def _choose(self, group: str, needed: Mapping[str, Sequence[str]]) -> list[tuple[Kept, list[str]]]:
        """Return kept tables for vars, each with the names of its vars; one is to be made for those that none has.

        Args:
            group: what their names have in common.
            needed: name of a var -> the columns that it needs, all of them in one table, and marks of types
                (`_types_read`), without which these are not what it needs.
        """
        found, missing = [], list(needed)
        for name, columns in sorted(self.carried.kept.items()):
            covered = [v for v in missing if set(needed[v]) <= set(columns)] if name.startswith(group) else []
            if covered:
                used = tuple(c for c in columns if any(c in needed[v] for v in covered))
                superfluous = tuple(c for c in columns if c not in used and not c.startswith(_TYPE))
                found.append((Kept(self._named_table(name), used, True, superfluous), covered))
                missing = [v for v in missing if v not in covered]
        if missing:
            columns = tuple(dict.fromkeys(c for v in missing for c in needed[v]))
            name = f"{group}_{_hash(columns)[:6]}"
            found.append((Kept(self._named_table(name), columns, False), missing))
        self.kept += [kept for kept, _ in found]
        return found

    def _named_table(self, name: str) -> exp.Table:
        return exp.table_(name, db=self.relation.db, quoted=True)

    def _states(self, source: str) -> list[_State]:
        variables = {v.name: v for v in self._of(source, "state")}
        splits = {n: self._split_of(v) for n, v in variables.items()}
        needed = {
            n: [*s.partials, *s.merged, *window_flags.bounds(s), *self._types_read(variables[n])]
            for n, s in splits.items()
        }
        found = []
        for kept, names in self._choose(self._group("state", source, variables.values()), needed):
            split = window_flags.united(splits[n] for n in names)
            before = window_flags.united(self._before_of(variables[n]) for n in names)
            parts = {**split.partials, **window_flags.bounds(split)}
            days = self._accumulator(source, kept, [variables[n] for n in names], parts)
            found.append(_State(kept, days, tuple(variables[n] for n in names), split, before))
        return found

    def _split_of(self, var: EntityVar) -> Split:
        found = self.strategies[var.name.lower()].split
        assert found is not None
        return found

    def _before_of(self, var: EntityVar) -> Split:
        found = self.strategies[var.name.lower()].before
        assert found is not None
        return found

    def _days_of_ids(self, source: str) -> tuple[Kept, Accumulator]:
        """Return what says on which days the rows of an id changed, for vars that go over rows again."""
        variables = self._of(source, "replay")
        reads = sorted(self._observed(source, variables) or ["*"])
        group = self._group("replay", source, variables)
        ((kept, _),) = self._choose(f"{group}_ids_{_hash(reads)[:6]}", {"": ["days", "content"]})
        # What rows say is part of it: one that is corrected on its day came and went, whatever their number.
        said = [col("r")] if reads == ["*"] else [col(name, "r") for name in reads]
        content = build("SUM(CAST(:hash AS HUGEINT))", hash=exp.Anonymous(this="HASH", expressions=list(said)))
        return kept, self._accumulator(source, kept, variables, {"days": build("COUNT(*)"), "content": content})

    def _accumulator(
        self, source: str, kept: Kept, variables: Sequence[EntityVar], parts: Mapping[str, exp.Expr]
    ) -> Accumulator:
        model = self.c.graph.models[source]
        table = beside(kept.table, "_days")
        within = changed_range(self.c, model, range_names(table))
        rows, changed = (
            looked_up_rows(self.c, model, self.cohort.entity, bucketed(self.c, model, (), where))
            for where in (None, within)
        )
        inputs = self._behind(source, variables) if "days" not in parts else ()
        if inputs:
            vars_table = replace(self.input_var_table(source), entities=(self.cohort.entity,), vars=inputs)
            rows, changed = (with_input_vars(self.c, vars_table, each) for each in (rows, changed))
        files = self.carried.files.get(kept.table.name, {})
        seen = (beside(table, "_seen"), files) if kept.is_there else None
        return Accumulator(
            table=table,
            source=source,
            rows=rows,
            changed=changed,
            seen=fingerprints(self.c, model, self._observed(source, variables), seen),
            keys=looked_up_ids(self.c, model, self.cohort.entity),
            partials=parts,
            is_kept=kept.is_there,
            vars={v.name: tuple(s.partials) for v in variables if (s := self.strategies[v.name.lower()].split)},
        )

    def _observed(self, source: str, variables: Sequence[EntityVar]) -> frozenset[str] | None:
        """Return the columns of a source whose values decide on vars; None for all."""
        model = self.c.graph.models[source]
        inputs = self._behind(source, variables)
        reads = [*(self.read[v.name.lower()] for v in variables), *(self.c.reader.input_var(v) for v in inputs)]
        trees = [*(rows_definition(self.c, model) or []), *id_values(self.c, model, self.cohort.entity)]
        for read in reads:
            window = [*read.window.partition_by, *read.window.order_by] if read.window is not None else []
            texts = [read.select, read.where, *window]
            trees += [row_expression(self.c, tree, self.id_column) for tree in texts if tree is not None]
        defaults = [self.c.reader.input_var(v).default for v in inputs]
        trees += [row_expression(self.c, tree, self.id_column) for tree in defaults if tree is not None]
        found = columns_read(trees)
        # An input var may be named as a column of its source, and be made of it.
        made = {v.name.lower() for v in inputs if v.name.lower() not in self.c.reader.input_var(v).columns}
        own = made | self._own_ids
        needs = {join_vars.column_of(key).lower() for read in reads for key in read.vars}
        return None if found is None else found - own - needs

    def _types_read(self, var: EntityVar) -> list[str]:
        """Return marks of the types of what a var is computed from: a column of a kept table has the type that its
        first values had, which would round others or refuse them.

        Of an SQL model all inputs and tables above it count, since what it yields has no types before it is built.
        """
        source, types = str(var.source), self.c.project.types
        found: set[str] = set()
        if isinstance(self.c.graph.models[source], Input):
            read = self._observed(source, [var])
            named = types[source].named if source in types else ()
            found = {f"{source}.{name} {dtype}" for name, dtype in named if read is None or name in read}
        elif isinstance(self.c.graph.models[source], SqlModel):
            above = self.c.graph.with_upstream([source])
            paths = [path for path in types if path in above or path.startswith("table:")]
            found = {f"{path}.{name} {dtype}" for path in paths for name, dtype in types[path].named}
        marks = {f"{_TYPE}{each}" for each in found}
        needed = {key[1] for key in self._needs(var.name.lower())}
        others = [v for v in self.model.vars if v.name.lower() in needed and v.source is not None]
        return sorted(marks.union(*map(self._types_read, others)))

    # --- bringing it up to date ---------------------------------------------------------------------------------

    def _update(self) -> None:
        """Bring what is kept in parts up to date, and find out who is touched by that."""
        accumulators = [s.days for states in self.states.values() for s in states]
        accumulators += [days for _, days in self.replayed.values()]
        for kept in self.kept:
            self.steps += _without_superfluous(kept)
        for accumulator in accumulators:
            self.steps += update_steps(accumulator)
        if any(kept.is_there for kept in self.kept) or self.carried.kept:
            self.steps += self._find_touched(accumulators)
        for states in self.states.values():
            for state in states:
                self.steps += self._merge(state)

    def _find_touched(self, accumulators: Sequence[Accumulator]) -> list[Step]:
        """Return the steps that list who is touched, and all their ids."""
        found = self._listed(self.touched, self.whose_graph_changed(), self.with_other_rows(accumulators))
        if self.moved is not self.touched:
            so_far = build("SELECT main_id FROM :people", people=self.touched.people)
            found += self._listed(self.moved, [so_far], self.in_moved_windows())
        return found

    def _listed(self, made: _People, people: list[exp.Expr], ids: Sequence[exp.Expr]) -> list[Step]:
        """Return the steps that list people, those behind some identifiers among them, and all identifiers of them."""
        mappings = beside(self.c.relation(self._stitcher), "_mappings")
        if ids:
            found = "SELECT m.main_id FROM :ids AS i JOIN :m AS m ON m.other_id = i.id AND m.other_id_type = i.id_type"
            listed = exp.union(*ids, distinct=True, copy=False) if len(ids) > 1 else ids[0]
            people = [*people, build(found, ids=listed, m=mappings)]
        everybody = exp.union(*people, distinct=False, copy=False) if len(people) > 1 else people[0]
        query = build("SELECT DISTINCT main_id FROM :all AS p WHERE main_id IS NOT NULL", all=everybody)
        nodes = build("SELECT * FROM :m WHERE main_id IN (SELECT main_id FROM :t)", m=mappings, t=made.people)
        return [
            Statement(create("temporary table", made.people, query), "who is touched"),
            Statement(create("temporary table", made.ids, nodes), "their ids"),
        ]

    def whose_graph_changed(self) -> list[exp.Expr]:
        """Return the main ids, then and now, of ids whose row in the graph is another one."""
        since = exp.Literal.number(self.carried.since)
        return [
            build(
                "SELECT :side AS main_id FROM :changes WHERE version > :since",
                side=side,
                changes=self.carried.changes,
                since=since.copy(),
            )
            for side in ("main_id_before", "main_id_after")
        ]

    def with_other_rows(self, accumulators: Iterable[Accumulator]) -> list[exp.Expr]:
        """Return the ids on rows that came, went, or may belong to somebody else."""
        found: list[exp.Expr] = []
        for a in accumulators:
            if a.is_kept:
                found += [*self._ids_on(a, a.come), *self._ids_on(a, a.gone), *self._regrouped(a)]
        return found

    def in_moved_windows(self) -> list[exp.Expr]:
        """Return the ids on rows that a window in time counts in another way than at the end time of the run before."""
        found: list[exp.Expr] = []
        for states in self.states.values():
            for s in states:
                if s.kept.is_there and s.split.windows:
                    found += self._ids_on(s.days, window_flags.moved(s.days.table, s.split, s.before))
        return found

    @property
    def _stitcher(self) -> str:
        return self.c.project.entities[self.cohort.entity].stitcher

    def _ids_on(self, a: Accumulator, rows: exp.Expr) -> list[exp.Expr]:
        """Return the identifiers on some rows of an accumulator, with their types."""
        types = id_types(self.c.graph.models[a.source], self.cohort.entity)
        return [
            build(
                "SELECT r.:key AS id, :type AS id_type FROM :rows AS r WHERE r.:key IS NOT NULL",
                rows=rows,
                key=key,
                type=text(id_type),
            )
            for key, id_type in zip(a.keys, types, strict=True)
        ]

    def _regrouped(self, a: Accumulator) -> list[exp.Expr]:
        """Return the ids on rows that may change hands, because one of several ids on them is somebody else's now."""
        if is_stitched_from(self.c, self.c.graph.models[a.source], self.cohort.entity):
            return []
        moved = build(
            "SELECT other_id FROM :changes WHERE version > :since AND change <> 'seen'",
            changes=self.carried.changes,
            since=exp.Literal.number(self.carried.since),
        )
        has_one = exp.or_(*(build(":key IN (:moved)", key=key, moved=moved) for key in a.keys))
        return self._ids_on(a, build("SELECT * FROM :table AS t WHERE :has_one", table=a.table, has_one=has_one))

    def _only(self, who: _People, source: str) -> Compilation:
        """Return the compilation in which only some people are found by their ids."""
        if not is_stitched_from(self.c, self.c.graph.models[source], self.cohort.entity):
            return self.c
        return replace(self.c, mappings={**self.c.mappings, self._stitcher: who.ids})

    def _merge(self, state: _State) -> list[Step]:
        """Bring a roll-up up to date from its accumulator."""
        a, table = state.days, state.kept.table
        is_new = not state.kept.is_there
        rows, steps = self._parts(state)
        who = None if is_new else self._of_state(state)
        c = self.c if who is None else self._only(who, a.source)
        query = exp.Select().from_(
            exp.Subquery(this=rows, alias=exp.TableAlias(this=exp.to_identifier("r"))), copy=False
        )
        found = with_main_id(c, query, c.graph.models[a.source], self.cohort.entity, "main_id").select(
            "r.*", copy=False
        )
        columns = [alias(sql.copied(tree), name) for name, tree in state.split.merged.items()]
        merged = build("SELECT :id, :columns FROM :found AS f", id=self.id_column, columns=columns, found=found)
        assert isinstance(merged, exp.Select)
        merged = merged.where(self._who("f", who), copy=False).group_by(col(self.id_column), copy=False)
        by_var = {v.name: tuple(self._split_of(v).merged) for v in state.variables}
        return [*steps, *self._stored(table, merged, who, f"values from {a.source}", by_var)]

    def _who(self, rows: str, who: _People | None) -> exp.Expr:
        """Return the condition that rows are of some people, or of anybody."""
        if who is None:
            return build(f"{rows}.:id IS NOT NULL", id=self.id_column)
        return build(f"{rows}.:id IN (SELECT main_id FROM :people)", id=self.id_column, people=who.people)

    def _stored(
        self, table: exp.Table, query: exp.Expr, who: _People | None, title: str, by_var: Mapping[str, tuple[str, ...]]
    ) -> list[Step]:
        """Make a roll-up, or replace the rows of some people in it; `by_var` has the columns of each var."""
        names = tuple(by_var)
        if who is None:
            return [Statement(create("table", table, query), title, names, by_var)]
        gone = build(
            "DELETE FROM :table WHERE :id IN (SELECT main_id FROM :people)",
            table=table,
            id=self.id_column,
            people=who.people,
        )
        put = build("INSERT INTO :table BY NAME SELECT * FROM :query AS query", table=table, query=query)
        return [Statement(gone, "values of who is touched taken out"), Statement(put, title, names, by_var)]

    def _parts(self, state: _State) -> tuple[exp.Expr, list[Step]]:
        """Return the rows of an accumulator with the flags of its windows, and the steps that these need.

        Where a window begins or ends between the first and the last moment of a row, what counts of it is computed from
        the rows of the source.
        """
        a, split = state.days, state.split
        if not split.windows:
            return build("SELECT * FROM :table", table=a.table), []
        mixed = {flag: window_flags.is_mixed(split, flag) for flag in split.windows}
        flags = [alias(window_flags.flag_of(split, flag, mixed[flag]), flag) for flag in split.windows]
        whole = build("SELECT t.*, :flags FROM :table AS t", flags=flags, table=a.table)
        edges, steps = [whole], []
        for number, flag in enumerate(split.windows):
            torn, counted = scratch(a.table, f"torn_{number}"), scratch(a.table, f"counted_{number}")
            keys = [col(BUCKET), *map(col, a.keys)]
            found = build("SELECT :keys FROM :table AS t WHERE :mixed", keys=keys, table=a.table, mixed=mixed[flag])
            steps += [
                Statement(create("temporary table", torn, found), "days that are partly in the window"),
                Statement(
                    create("temporary table", counted, window_flags.counted(a, split, flag, torn)),
                    "what counts of them",
                ),
            ]
            edges.append(build("SELECT * FROM :counted", counted=counted))
        united = edges[0]
        for edge in edges[1:]:
            united = exp.Union(this=united, expression=edge, distinct=False, by_name=True)
        return united, list(steps)

    # --- scans --------------------------------------------------------------------------------------------------

    def scans(self, ready: list[EntityVar]) -> list[Scan]:
        """Return the scans of vars, by how they are brought up to date."""
        by_kind: dict[str, list[EntityVar]] = {"full": [], "replay": [], "state": []}
        for var in ready:
            kind = self.strategies[var.name.lower()].kind
            by_kind["full" if kind == "derived" else kind].append(var)
        found = super().scans(by_kind["full"])
        self.replaying = True
        found += super().scans(by_kind["replay"])
        self.replaying = False
        wanted = {var.name for var in by_kind["state"]}
        for states in self.states.values():
            for state in states:
                variables = tuple(var for var in state.variables if var.name in wanted)
                if variables:
                    found.append(self._valued(state, variables))
        return found

    def _valued(self, state: _State, variables: tuple[EntityVar, ...]) -> Scan:
        """Return the values of vars as they follow from a roll-up."""
        columns = [alias(sql.copied(self._split_of(v).final), v.name) for v in variables]
        result = scratch(state.kept.table, f"values_{self.phases}")
        query = build("SELECT :id, :columns FROM :table", id=self.id_column, columns=columns, table=state.kept.table)
        title = f"{len(variables)} vars from what is kept of {state.days.source}"
        self.steps.append(Statement(create("temporary table", result, query), title, tuple(v.name for v in variables)))
        return Scan(state.days.source, variables, result)

    def scan(self, source: str, through_table: bool, variables: tuple[EntityVar, ...], result: exp.Table) -> list[Scan]:
        """Add the pass over a source; over the rows of touched people only, where the values of others are kept."""
        if not self.replaying:
            return super().scan(source, through_table, variables, result)
        by_name = {v.name: v for v in variables}
        needed = {v.name: [self._replayed_column(v), *self._types_read(v)] for v in variables}
        found = []
        chunks = self._choose(self._group_of_values(source, variables), needed)
        for number, (kept, names) in enumerate(chunks):
            chunk = tuple(by_name[n] for n in names)
            self.steps += _without_superfluous(kept)
            self.replayed_for = self.touched if kept.is_there else None
            values = self.query_of_scan(source, through_table, chunk)
            columns = [alias(col(v.name), self._replayed_column(v)) for v in chunk]
            query = build("SELECT :id, :columns FROM :values", id=self.id_column, columns=columns, values=values)
            title, by_var = (
                f"{', '.join(names)} by going over {source}",
                {n: (n, self._replayed_column(by_name[n])) for n in names},
            )
            self.steps += self._stored(kept.table, query, self.replayed_for, title, by_var)
            columns = [alias(col(self._replayed_column(v)), v.name) for v in chunk]
            shown = build("SELECT :id, :columns FROM :table", id=self.id_column, columns=columns, table=kept.table)
            view = scratch(result, f"values_{number}")
            self.steps.append(Statement(create("temporary table", view, shown), "their values", tuple(names)))
            found.append(Scan(source, chunk, view))
        return found

    def _group_of_values(self, source: str, variables: Sequence[EntityVar]) -> str:
        """Return the beginning of the names of roll-ups for these vars; another one once days are watched anew."""
        watched = self.replayed.get(source)
        group = self._group("values", source, variables)
        return group if watched is None else f"{group}_{_hash([watched[0].table.name])[:6]}"

    def _replayed_column(self, var: EntityVar) -> str:
        """Return the name of the column with the values of a var; it changes with all that decides on them.

        So where a var needs another on its rows that moves with the end time, it is computed for everybody.
        """
        name = var.name.lower()
        texts = [*rollups.words(self.read[name])]
        for key in self._needs(name):
            read = self.read[key[1]]
            texts += [*key, *rollups.words(read), "" if read.default is None else read.default.sql()]
        return f"r_{_hash(texts)}"

    def may_number(self, source: str, through_table: bool, variables: Iterable[EntityVar]) -> bool:
        """True when a scan can group by the number of the person; what is kept has main ids."""
        return not self.replaying and super().may_number(source, through_table, variables)

    def rows_of(self, source: str, through_table: bool, key: PersonKey, input_vars: tuple[InputVar, ...]) -> exp.Expr:
        """Return the rows of a source; those of touched people where only these are gone over again."""
        if not self.replaying:
            return super().rows_of(source, through_table, key, input_vars)
        model = self.c.graph.models[source]
        if isinstance(model, Stitcher):
            return self.c.relation(source)
        assert isinstance(model, Input | SqlModel)
        needed = (
            self._behind(source, [v for v in self.model.vars if v.source == source]) if through_table else input_vars
        )
        rows = identified_rows(self.c, model, [self.cohort.entity], key=key)
        if self.replayed_for is not None:
            rows = exp.select("*").from_(self._rows_of(model, self.replayed_for))
        if not needed:
            return rows.subquery(copy=False)
        table = replace(self.input_var_table(source), entities=(self.cohort.entity,), vars=needed)
        return with_input_vars(self.c, table, rows).subquery(copy=False)

    def _rows_of(self, model: Input | SqlModel, who: _People) -> exp.Table:
        """Return the table of the rows of some people of a source: they are looked for once, however many scans."""
        if model.path not in self.touched_rows:
            table = scratch(self.relation, f"touched_rows_{len(self.touched_rows)}")
            rows = identified_rows(self._only(who, model.path), model, [self.cohort.entity])
            # Whatever any var of the source looks at: a scan may compute input vars that its own vars do not need.
            observed = self._observed(model.path, [v for v in self.model.vars if v.source == model.path])
            columns = [exp.Star()] if observed is None else [col(self.id_column), *map(col, sorted(observed))]
            are_any = f"{who.people.name}_are_any"  # without anybody no row is looked at
            query = build("SELECT :columns FROM :rows AS r WHERE :are_any AND :who", columns=columns, rows=rows,
                          are_any=exp.Placeholder(this=are_any), who=self._who("r", who))  # fmt: skip
            count = build("SELECT COUNT(*) > 0 FROM :people", people=who.people)
            self.steps.append(Bind((are_any,), count, "whether there are any"))
            title = f"rows of {model.path} of who is touched"
            self.steps.append(Statement(create("temporary table", table, query), title))
            self.touched_rows[model.path] = table
        return self.touched_rows[model.path]

    def grouped(self, query: exp.Expr) -> exp.Select:
        """Return a query over rows with one row for each person, members of the cohort or not where values are kept."""
        if not self.replaying:
            return super().grouped(query)
        assert isinstance(query, exp.Select)
        return query.where(self._who("r", self.replayed_for), copy=False).group_by(col(self.id_column, "r"), copy=False)


# --- names --------------------------------------------------------------------------------------------------------


def _without_superfluous(kept: Kept) -> list[Step]:
    """Return the steps that drop the columns of a kept table that nobody needs any more."""
    steps: list[Step] = []
    for column in kept.superfluous:
        table = beside(kept.table, "_days") if column.startswith(("p_", "lo_", "hi_")) else kept.table
        tree = build("ALTER TABLE :table DROP COLUMN :column", table=table, column=column)
        steps.append(Statement(tree, "what nobody needs any more"))
    return steps


def _texts(trees: Iterable[exp.Expr]) -> list[str]:
    return [tree.sql() for tree in trees]


def _hash(texts: Iterable[str]) -> str:
    return hashlib.sha256("\x1f".join(texts).encode()).hexdigest()[:12]
