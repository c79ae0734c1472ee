"""What the vars of a table look at: columns of a source, input vars, and other vars of the same table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from profiles_pipeline.compile import join_vars
from profiles_pipeline.compile.accumulators import columns_read, rows_definition
from profiles_pipeline.compile.entity_vars import Growing
from profiles_pipeline.compile.input_vars import row_expression
from profiles_pipeline.compile.rows import given_main_id, ids_on_rows
from profiles_pipeline.detours import input_vars_behind
from profiles_pipeline.resolve.model import EntityVar, Input, InputVar, Source
from profiles_pipeline.resolve.readings import VarKey

TYPE = "type of "
"""What begins the marks of types among the columns of a kept table; no name of a column of it does."""


class VarReads:
    """What is known of the vars of a table while it is compiled; looked up once for each question."""

    def __init__(self, table: Growing) -> None:
        """Ask about the vars of a table, as they are read."""
        self.c = table.c
        self.model = table.model
        self.read = table.read
        self.entity = table.cohort.entity
        self.id_column = table.id_column
        self.own_ids = frozenset({"main_id", table.id_column.lower()})
        self._columns: dict[tuple[str, tuple[str, ...], tuple[str, ...]], frozenset[str] | None] = {}
        self._types: dict[str, list[str]] = {}

    def needs(self, name: str) -> list[VarKey]:
        """Return the vars that a var needs, and those that these need, as far as they are of this table."""
        todo, seen = list(self.read[name].vars), []
        while todo:
            key = todo.pop()
            if key not in seen:
                seen.append(key)
                todo += self.read[key[1]].vars if self.c.graph.var_homes.get(key) == self.model.path else ()
        return sorted(seen)

    def behind(self, source: str, variables: Iterable[EntityVar]) -> tuple[InputVar, ...]:
        """Return the input vars of a source that vars need, directly or not."""
        columns = frozenset().union(*(self.read[v.name.lower()].columns for v in variables))
        return input_vars_behind(self.c.project, self.c.reader, source, columns)

    def columns(
        self, source: str, variables: Sequence[EntityVar], computed: Sequence[InputVar] = ()
    ) -> frozenset[str] | None:
        """Return the columns of a source whose values decide on vars, or on input vars beside them; None for all."""
        asked = source, tuple(v.name for v in variables), tuple(v.name for v in computed)
        if asked not in self._columns:
            self._columns[asked] = self._columns_read(source, variables, computed)
        return self._columns[asked]

    def _columns_read(
        self, source: str, variables: Sequence[EntityVar], computed: Sequence[InputVar]
    ) -> frozenset[str] | None:
        model = self.c.graph.models[source]
        inputs = tuple(dict.fromkeys([*self.behind(source, variables), *computed]))
        reads = [*(self.read[v.name.lower()] for v in variables), *(self.c.reader.input_var(v) for v in inputs)]
        trees = [*(rows_definition(self.c, model) or []), *ids_on_rows(self.c, model, self.entity)]
        for read in reads:
            window = [*read.window.partition_by, *read.window.order_by] if read.window is not None else []
            texts = [read.select, read.where, *window]
            trees += [row_expression(self.c, tree, self.id_column) for tree in texts if tree is not None]
        defaults = [self.c.reader.input_var(v).default for v in inputs]
        trees += [row_expression(self.c, tree, self.id_column) for tree in defaults if tree is not None]
        found = columns_read(trees)
        # An input var may be named as a column of its source, and be made of it.
        made = {v.name.lower() for v in inputs if v.name.lower() not in self.c.reader.input_var(v).columns}
        own = made | self.own_ids
        needs = {join_vars.column_of(key).lower() for read in reads for key in read.vars}
        given = given_main_id(self.c, model, self.entity)
        carried = columns_read([given] if given is not None else [])
        return None if found is None or carried is None else (found - own - needs) | carried

    def types(self, var: EntityVar) -> list[str]:
        """Return marks of the types of what a var is computed from: a column of a kept table has the type that its
        first values had, which would round others or refuse them.

        What an SQL model or sessions yield has no types before it is built: their definition counts, and all inputs and
        tables above them.
        """
        if var.name not in self._types:
            self._types[var.name] = self._types_read(var)
        return self._types[var.name]

    def _types_read(self, var: EntityVar) -> list[str]:
        source, types = str(var.source), self.c.project.types
        found: set[str] = set()
        if isinstance(self.c.graph.models[source], Input):
            read = self.columns(source, [var])
            named = types[source].named if source in types else ()
            found = {f"{source}.{name} {dtype}" for name, dtype in named if read is None or name in read}
        elif isinstance(self.c.graph.models[source], Source):
            above = self.c.graph.with_upstream([source])
            paths = [path for path in types if path in above or path.startswith("table:")]
            found = {f"{path}.{name} {dtype}" for path in paths for name, dtype in types[path].named}
            material, _, _ = self.c.relation(source).name.rpartition("_")
            found.add(f"{source} {material}")
        marks = {f"{TYPE}{each}" for each in found}
        needed = {key[1] for key in self.needs(var.name.lower())}
        others = [v for v in self.model.vars if v.name.lower() in needed and v.source is not None]
        return sorted(marks.union(*map(self.types, others)))
