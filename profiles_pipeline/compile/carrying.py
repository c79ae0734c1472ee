"""Compiles a var table that goes on from the run before: it reads days that changed and the rows of who is touched.

Two kinds of tables are kept. An accumulator has what each day adds to each id; a roll-up has the values of each person,
merged from an accumulator or found by going over rows. Both are brought up to date in place, in the transaction that
makes the var table. Which vars are kept how, `rollups` decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqlglot import exp

from profiles_pipeline import sql
from profiles_pipeline.compile import entity_vars, kept_rows, layout, rollups, strategies, window_flags
from profiles_pipeline.compile.accumulators import (
    BUCKET,
    Accumulator,
    bucketed,
    changed_range,
    range_names,
    rows_definition,
    update_steps,
)
from profiles_pipeline.compile.entity_vars import Growing, Scan
from profiles_pipeline.compile.fingerprints import fingerprints, taken_together
from profiles_pipeline.compile.input_vars import with_input_vars
from profiles_pipeline.compile.kept_rows import KeptRows
from profiles_pipeline.compile.partials import Split
from profiles_pipeline.compile.rollups import Carried, Strategy
from profiles_pipeline.compile.rows import (
    PersonKey,
    alias,
    col,
    has_typed_ids,
    identified_rows,
    ids_on_rows,
    is_stitched_from,
    looked_up_ids,
    looked_up_rows,
    may_be_of,
    with_main_id,
)
from profiles_pipeline.compile.statement import Bind, Compilation, Script, Statement, Step, beside, create, scratch
from profiles_pipeline.compile.touched import Found, People, Touched
from profiles_pipeline.compile.var_reads import TYPE, VarReads
from profiles_pipeline.compile.versioned import Versioned
from profiles_pipeline.resolve.model import EntityVar, InputVar, Source, Stitcher, VarTable
from profiles_pipeline.sql import build


@dataclass(frozen=True)
class Kept:
    """A roll-up that is kept from run to run.

    Attributes:
        table: the main id, and the columns.
        columns: its columns and those of its accumulator, and the types that these are made from, if that is a roll-up.
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
    if table.goes_on_from_rows and not all(kept.is_there for kept in table.kept):
        # What is begun now does not say who is touched by what was not kept.
        table = Carrying(c, model, c.relation(model.path), carried, anew=True)
        script = entity_vars.finished(table)
    return CarriedTable(script, tuple(table.kept), table.strategies)


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

    def __init__(
        self, c: Compilation, model: VarTable, relation: exp.Table, carried: Carried, anew: bool = False
    ) -> None:
        super().__init__(c, model, relation)
        self.carried = carried
        self.late_levels: list[list[EntityVar]] = []
        self.kept: list[Kept] = []
        self.replaying = False
        self.replayed_for: People | None = None
        self.touched_rows: dict[str, exp.Table] = {}
        self.touched = People(scratch(relation, "touched"), scratch(relation, "touched_ids"))
        self.reads = VarReads(self)
        self.how = strategies.find(self, carried, self.reads)
        self.strategies = self.how.found
        self.moved = self._moved()
        self.kept_rows = self._kept_rows(anew)
        if self.goes_on_from_rows:
            self.rows = self._of_who_moved(build("SELECT :id FROM :rows AS b", id=self.id_column, rows=self.rows))
        self.states = {source: self._states(source) for source in self._sources("state")}
        self.replayed = {source: self._days_of_ids(source) for source in self._sources("replay")}
        self._update()

    def _moved(self) -> People:
        """Return who is touched once those count as well for whom a day enters or leaves a window in time."""
        if not any(s.split and s.split.windows for s in self.strategies.values()):
            return self.touched
        return People(scratch(self.relation, "moved"), scratch(self.relation, "moved_ids"))

    def _of_state(self, state: _State) -> People:
        """Return for whom a roll-up is put together again."""
        return self.moved if state.split.windows else self.touched

    # --- the rows -----------------------------------------------------------------------------------------------

    def _kept_rows(self, anew: bool) -> KeptRows | None:
        """Return where the finished rows are kept; None where everybody's row is made each time."""
        on_rows = {n: {key[1] for key in self.reads.needs(n)} for n, s in self.strategies.items() if s.kind == "replay"}
        vars_ = kept_rows.Vars(self.read, self.strategies, self.how.still, self.how.filled_the_same, on_rows)
        late = kept_rows.late_vars(self.c, self.model, vars_)
        if late is None or self.cohort.parent is not None:  # who belongs to a cohort may change with the time
            return None
        columns = (self.id_column, *(name for key, name in self.names.items() if key not in late))
        definition, _, _ = self.relation.name.rpartition("_")
        types = sorted({mark for var in self.model.vars if var.source for mark in self.reads.types(var)})
        table = self._named_table(f"{layout.kept_name(self.c.project.name, [definition, *columns, *types])}_rows")
        current = table.name in self.carried.kept and not anew
        states = Versioned(table, columns, self.carried.version, table.name in self.carried.exist, current)
        self.kept.append(Kept(table, columns, current))
        return KeptRows(states, late)

    @property
    def goes_on_from_rows(self) -> bool:
        """Whether the rows of the run before are there: only those of who moved are made then."""
        return self.kept_rows is not None and self.kept_rows.states.is_current

    def _of_who_moved(self, query: exp.Expr) -> exp.Expr:
        """Return a query by main id, of those alone whose rows are made."""
        if not self.goes_on_from_rows:
            return query
        assert isinstance(query, exp.Select)
        return query.where(
            build(":id IN (SELECT main_id FROM :people)", id=self.id_column, people=self.moved.people), copy=False
        )

    def _fold(self, scans: list[Scan], derived: list[list[EntityVar]]) -> exp.Expr:
        """Return the rows so far with the scans and what follows from them; what moves with the time is the view's."""
        if self.kept_rows is None:
            return super()._fold(scans, derived)
        late = self.kept_rows.late
        levels = [[var for var in level if var.name.lower() not in late] for level in derived]
        self.late_levels += [found for level in derived if (found := [v for v in level if v.name.lower() in late])]
        return super()._fold(scans, [level for level in levels if level])

    def made(self) -> tuple[Literal["table", "view"], list[Step]]:
        """Return the steps that make the var table: a view of the kept rows, where these are kept."""
        kept = self.kept_rows
        if kept is None:
            return super().made()
        own = tuple(var.name for var in self.model.vars if var.name.lower() not in kept.late)
        rows = build("SELECT :columns FROM :rows AS b", columns=list(kept.states.columns), rows=self.rows)
        levels = [[(var, self._derived(var)) for var in level] for level in self.late_levels]
        names = (self.id_column, *self.names.values())
        return "view", [
            *kept_rows.stored(kept, self.id_column, rows, self.moved.people, own),
            kept_rows.shown(self.c, kept, self.relation, names, levels),
        ]

    # --- what is kept -------------------------------------------------------------------------------------------

    def _sources(self, kind: str) -> list[str]:
        sources = dict.fromkeys(str(v.source) for n, v in self.pending.items() if self.strategies[n].kind == kind)
        return [s for s in sources if isinstance(self.c.graph.models[s], Source)]

    def _of(self, source: str, kind: str) -> list[EntityVar]:
        return [v for n, v in self.pending.items() if v.source == source and self.strategies[n].kind == kind]

    def _group(self, kind: str, source: str, variables: Iterable[EntityVar]) -> str:
        """Return what all kept tables have in their names that may have columns for vars like these."""
        model = self.c.graph.models[source]
        rows = rows_definition(self.c, model) or [] if isinstance(model, Source) else []
        ids = ids_on_rows(self.c, model, self.cohort.entity) if rows else []
        inputs = ["\x1f".join(rollups.words(self.c.reader.input_var(v))) for v in self.reads.behind(source, variables)]
        owner = f"{self.c.project.name}/{self.model.path}"
        # Which ids on a row are looked up depends on whether they are all one person by the stitcher.
        looked_up = [self._stitcher, str(bool(rows) and is_stitched_from(self.c, model, self.cohort.entity))]
        looked_up.append(self.id_column.lower())
        return layout.kept_name(owner, [kind, source, *looked_up, *_texts(rows), *_texts(ids), *inputs])

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
                superfluous = tuple(c for c in columns if c not in used and not c.startswith(TYPE))
                found.append((Kept(self._named_table(name), used, True, superfluous), covered))
                missing = [v for v in missing if v not in covered]
        if missing:
            columns = tuple(dict.fromkeys(c for v in missing for c in needed[v]))
            name = f"{group}_{layout.digest(columns)[:6]}"
            found.append((Kept(self._named_table(name), columns, False), missing))
        self.kept += [kept for kept, _ in found]
        return found

    def _named_table(self, name: str) -> exp.Table:
        return exp.table_(name, db=self.relation.db, quoted=True)

    def _states(self, source: str) -> list[_State]:
        variables = {v.name: v for v in self._of(source, "state")}
        splits = {n: self._split_of(v) for n, v in variables.items()}
        needed = {
            n: [*s.partials, *s.merged, *window_flags.bounds(s), *self.reads.types(variables[n])]
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
        observed = self.reads.columns(source, variables)
        reads = ["*"] if observed is None else sorted(observed)
        group = self._group("replay", source, variables)
        ((kept, _),) = self._choose(f"{group}_rows_{layout.digest(reads)[:6]}", {"": ["content"]})
        return kept, self._accumulator(source, kept, variables, {"content": content_of_rows(observed)})

    def _accumulator(
        self, source: str, kept: Kept, variables: Sequence[EntityVar], parts: Mapping[str, exp.Expr]
    ) -> Accumulator:
        model, reads = self.c.graph.models[source], self.reads.columns(source, variables)
        table = beside(kept.table, "_days")
        within = changed_range(self.c, model, range_names(table))
        rows, changed = (
            looked_up_rows(self.c, model, self.cohort.entity, bucketed(self.c, model, (), where))
            for where in (None, within)
        )
        inputs = self.reads.behind(source, variables) if "content" not in parts else ()
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
            seen=fingerprints(self.c, model, reads, seen),
            keys=looked_up_ids(self.c, model, self.cohort.entity),
            partials=parts,
            is_kept=kept.is_there,
            vars={v.name: tuple(s.partials) for v in variables if (s := self.strategies[v.name.lower()].split)},
            reads=reads,
        )

    # --- bringing it up to date ---------------------------------------------------------------------------------

    def _update(self) -> None:
        """Bring what is kept in parts up to date, and find out who is touched by that."""
        accumulators = [s.days for states in self.states.values() for s in states]
        accumulators += [days for _, days in self.replayed.values()]
        for kept in self.kept:
            self.steps += _without_superfluous(kept)
        looks, looking = taken_together(self.c, accumulators, lambda n: scratch(self.relation, f"seen_{n}"))
        self.steps += looks
        for accumulator in looking:
            self.steps += update_steps(accumulator)
        if any(kept.is_there for kept in self.kept) or self.carried.kept:
            self.steps += self._find_touched(accumulators)
        for states in self.states.values():
            for state in states:
                self.steps += self._merge(state)

    def _find_touched(self, accumulators: Sequence[Accumulator]) -> list[Step]:
        """Return the steps that list who is touched, and all their ids."""
        mappings = beside(self.c.relation(self._stitcher), "_mappings")
        look = Touched(self.c, self.cohort.entity, self.carried, mappings)
        found = look.listed(self.touched, look.whose_graph_changed() + look.with_other_rows(accumulators))
        if self.moved is not self.touched:
            so_far = build("SELECT main_id FROM :people", people=self.touched.people)
            kept = [(s.days, s.split, s.before) for states in self.states.values() for s in states if s.kept.is_there]
            found += look.listed(self.moved, Found((so_far,)) + look.in_moved_windows(kept))
        return found

    @property
    def _stitcher(self) -> str:
        return self.c.project.entities[self.cohort.entity].stitcher

    def _only(self, who: People, source: str) -> Compilation:
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
        source, entity = c.graph.models[a.source], self.cohort.entity
        if has_typed_ids(source, entity):
            query = with_main_id(c, query, source, entity, "main_id")
        else:
            query = query.select(alias(col(a.keys[0], "r"), self.id_column), copy=False)
        found = query.select("r.*", copy=False)
        columns = [alias(sql.copied(tree), name) for name, tree in state.split.merged.items()]
        merged = build("SELECT :id, :columns FROM :found AS f", id=self.id_column, columns=columns, found=found)
        assert isinstance(merged, exp.Select)
        merged = merged.where(self._who("f", who), copy=False).group_by(col(self.id_column), copy=False)
        by_var = {v.name: tuple(self._split_of(v).merged) for v in state.variables}
        return [*steps, *self._stored(table, merged, who, f"values from {a.source}", by_var)]

    def _who(self, rows: str, who: People | None) -> exp.Expr:
        """Return the condition that rows are of some people, or of anybody."""
        if who is None:
            return build(f"{rows}.:id IS NOT NULL", id=self.id_column)
        return build(f"{rows}.:id IN (SELECT main_id FROM :people)", id=self.id_column, people=who.people)

    def _stored(
        self, table: exp.Table, query: exp.Expr, who: People | None, title: str, by_var: Mapping[str, tuple[str, ...]]
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
        query = self._of_who_moved(query)
        title = f"{len(variables)} vars from what is kept of {state.days.source}"
        self.steps.append(Statement(create("temporary table", result, query), title, tuple(v.name for v in variables)))
        return Scan(state.days.source, variables, result)

    def scan(self, source: str, through_table: bool, variables: tuple[EntityVar, ...], result: exp.Table) -> list[Scan]:
        """Add the pass over a source; over the rows of touched people only, where the values of others are kept."""
        if not self.replaying:
            return super().scan(source, through_table, variables, result)
        by_name = {v.name: v for v in variables}
        needed = {v.name: [self._replayed_column(v), *self.reads.types(v)] for v in variables}
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
            shown = self._of_who_moved(shown)
            view = scratch(result, f"values_{number}")
            self.steps.append(Statement(create("temporary table", view, shown), "their values", tuple(names)))
            found.append(Scan(source, chunk, view))
        return found

    def _group_of_values(self, source: str, variables: Sequence[EntityVar]) -> str:
        """Return the beginning of the names of roll-ups for these vars; another one once days are watched anew."""
        watched = self.replayed.get(source)
        group = self._group("values", source, variables)
        return group if watched is None else f"{group}_{layout.digest([watched[0].table.name])[:6]}"

    def _replayed_column(self, var: EntityVar) -> str:
        """Return the name of the column with the values of a var; it changes with all that decides on them.

        So where a var needs another on its rows that moves with the end time, it is computed for everybody.
        """
        name = var.name.lower()
        texts = [*rollups.words(self.read[name])]
        for key in self.reads.needs(name):
            read = self.read[key[1]]
            texts += [*key, *rollups.words(read), "" if read.default is None else sql.canonical_text(read.default)]
        return f"r_{layout.digest(texts)}"

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
        assert isinstance(model, Source)
        needed = self._computed(source) if through_table else input_vars
        rows = identified_rows(self.c, model, [self.cohort.entity], key=key)
        if self.replayed_for is not None:
            rows = exp.select("*").from_(self._rows_of(model, self.replayed_for))
        if not needed:
            return rows.subquery(copy=False)
        table = replace(self.input_var_table(source), entities=(self.cohort.entity,), vars=needed)
        return with_input_vars(self.c, table, rows).subquery(copy=False)

    def _computed(self, source: str) -> tuple[InputVar, ...]:
        """Return the input vars that a scan computes through the table of input vars: also those that others need."""
        return self.reads.behind(source, [v for v in self.model.vars if v.source == source])

    def _rows_of(self, model: Source, who: People) -> exp.Table:
        """Return the table of the rows of some people of a source: they are looked for once, however many scans."""
        if model.path not in self.touched_rows:
            table = scratch(self.relation, f"touched_rows_{len(self.touched_rows)}")
            entity = self.cohort.entity
            theirs = may_be_of(self.c, model, entity, who.ids) if has_typed_ids(model, entity) else None
            rows = identified_rows(self._only(who, model.path), model, [entity], where=theirs)
            observed = self.reads.columns(model.path, self._of(model.path, "replay"), self._computed(model.path))
            columns: list[exp.Expr] = [exp.Star()]
            if observed is not None:
                columns = [col(self.id_column), *map(col, sorted(observed - {self.id_column.lower()}))]
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


def content_of_rows(columns: frozenset[str] | None) -> exp.Expr:
    """Return the aggregate that tells rows from others by the values of these columns, whatever their order."""
    value = build("HASH(r)")  # the rows are known as r
    if columns is not None:
        value = exp.Anonymous(this="HASH", expressions=[*map(col, sorted(columns)), exp.Literal.number(0)])
    return build("SUM(CAST(:value AS HUGEINT))", value=value)


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
    return [sql.canonical_text(tree) for tree in trees]
