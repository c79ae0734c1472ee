"""Compiles the var table of an input: its rows with a row id, main ids and input vars.

A view, so that events are not copied. It becomes a table only where a window over its rows would otherwise be computed
for several readers; then it has just the columns in use, unless one of the readers is SQL that may want any of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from sqlglot import exp

from profiles_pipeline import sql
from profiles_pipeline.compile import aggregates, join_vars
from profiles_pipeline.compile.rows import PersonKey, alias, col, identified_rows, placed, visible_rows
from profiles_pipeline.compile.statement import Compilation, Script, Statement, create
from profiles_pipeline.errors import Span, fail
from profiles_pipeline.resolve.model import InputVar, InputVarTable, Model, VarTable
from profiles_pipeline.resolve.readings import VALUE, ReadVar, VarKey, Window
from profiles_pipeline.sql import build

BREAK_CIRCLE = "break the circle by computing one of them from something else"


def compile_input_var_table(c: Compilation, model: InputVarTable) -> Script:
    """Return the script that makes the var table of an input or SQL model."""
    read = {var.name.lower(): c.reader.input_var(var) for var in model.vars}
    kind = kind_of(c, model)
    columns = None
    if kind == "table" and all(isinstance(reader, VarTable) for reader in _readers(c, model)):
        columns = _columns_in_use(c, model, read)
    rows = identified_rows(c, c.graph.models[model.source], model.entities, row_id=True)
    query = _with_vars(c, model, rows, columns)
    names = tuple(var.name for var in model.vars)
    title = f"rows of {model.source}" + (f" with {len(names)} input vars" if names else "")
    step = Statement(create(kind, c.relation(model.path), query), title, names)
    visible = visible_rows(c, c.graph.models[model.source])
    count = build("SELECT COUNT(*) FROM :rows AS visible", rows=visible) if kind == "view" else None
    return Script(kind, (step,), count=count)


def rows_with_vars(c: Compilation, model: InputVarTable, key: PersonKey) -> exp.Select:
    """Return what the var table of an input has, but with this kind of person key and without row ids."""
    return _with_vars(c, model, identified_rows(c, c.graph.models[model.source], model.entities, key=key), None)


def with_input_vars(c: Compilation, model: InputVarTable, rows: exp.Select) -> exp.Select:
    """Return `rows` of a source with a column for each input var of `model`, none of which may need entity vars."""
    return _with_vars(c, model, rows, None)


def kind_of(c: Compilation, model: InputVarTable) -> Literal["table", "view"]:
    """Return how a var table of an input is kept: as a table where several models would repeat its windows."""
    windows = any(has_window(c.reader.input_var(var)) for var in model.vars)
    return "table" if windows and len(_readers(c, model)) > 1 else "view"


def _readers(c: Compilation, model: InputVarTable) -> list[Model]:
    return [c.graph.models[path] for path, parents in c.graph.parents.items() if model.path in parents]


def has_window(read: ReadVar) -> bool:
    """True when an input var is computed over other rows than its own."""
    return read.window is not None or (read.select is not None and sql.has_window(read.select))


def _columns_in_use(c: Compilation, model: InputVarTable, read: Mapping[str, ReadVar]) -> list[exp.Expr] | None:
    """Return the columns that vars read from the table, and those of its ids; None when their text does not tell."""
    entity_vars = [v for own in c.project.entity_vars.values() for v in own.values() if v.source == model.source]
    reads = [c.reader.entity_var(var) for var in entity_vars]
    if any(r.select is not None and sql.has_subquery(r.select) for r in (*reads, *read.values())):
        return None
    own = {var.name.lower(): var.name for var in model.vars}
    source = c.graph.models[model.source]
    carried = [c.reader.expression(row_id.select, source.path, "id").tree for row_id in getattr(source, "ids", ())]
    used = {column for r in reads for column in r.columns} - own.keys()
    used |= {column.lower() for tree in carried for column in sql.columns_of_rows(tree)}
    used |= {symbol.rpartition("/")[2] for tree in carried for symbol in sql.symbols(tree).get("row", ())}
    ids = [c.project.entities[entity].id_column for entity in model.entities]
    fixed = {"main_id", "input_row_id", *(name.lower() for name in ids)}
    return [col("input_row_id"), *(col(n) for n in sorted(used - fixed)), *map(col, ids), *map(col, own.values())]


def _with_vars(
    c: Compilation,
    model: InputVarTable,
    rows: exp.Select,
    columns: Sequence[exp.Expr] | None,
) -> exp.Select:
    """Return `rows` with a column for each input var; vars that use each other come one level after another."""
    read = {var.name.lower(): c.reader.input_var(var) for var in model.vars}
    if not read:
        return rows
    keys = frozenset().union(*(r.vars for r in read.values()))
    ctes: list[tuple[str, exp.Expr]] = [("identified", rows)]
    if keys:
        entity = c.project.entities[model.vars[0].entity]
        ctes.append(("with_entity_vars", _joined(c, entity.id_column, keys)))
    may_group, read_twice = True, None
    for number, names in enumerate(levels({name: r.columns for name, r in read.items()}, model.span), start=1):
        level = [var for var in model.vars if var.name.lower() in names]
        query, grouped = _level(c, level, read, ctes[-1][0], may_group)
        if grouped:  # its rows are read twice: they are kept for that, and no level on top does it again
            may_group, read_twice = False, ctes[-1][0]
        ctes.append((f"vars_{number}", query))
    hidden = [exp.to_identifier(join_vars.column_of(key), quoted=True) for key in sorted(keys)]
    star = exp.Star(except_=hidden) if hidden else exp.Star()
    query = exp.select(*(columns or [star])).from_(exp.to_table(ctes[-1][0]))
    for name, tree in ctes:
        query = query.with_(name, as_=tree, materialized=name == read_twice, copy=False)
    return query


def _joined(c: Compilation, id_column: str, keys: frozenset[VarKey]) -> exp.Select:
    return join_vars.joined("identified", id_column, keys, lambda key: c.relation(join_vars.home(c, key)))


def _level(
    c: Compilation, level: Sequence[InputVar], read: Mapping[str, ReadVar], rows: str, may_group: bool
) -> tuple[exp.Expr, bool]:
    """Return the rows with the vars of one level, and whether some of them are computed by grouping.

    An aggregate over a window that only partitions is computed once per group and joined back: much cheaper than a
    window, which has to keep and reorder every row.
    """
    groups: dict[tuple[str, ...], _Group] = {}
    columns = []
    for var in level:
        r = read[var.name.lower()]
        id_column = c.project.entities[var.entity].id_column
        if may_group and r.window is not None and (found := _group_of(c, r, r.window, id_column)) is not None:
            keys, value = found
            group = groups.setdefault(tuple(map(sql.canonical_text, keys)), _Group(f"g{len(groups)}", keys))
            columns.append(alias(_finished(c, r, group.add(value), id_column), var.name))
        else:
            columns.append(alias(_value(c, r, id_column), var.name))
    # Vars come first: where one is named as a column of its source, the name means the var from here on.
    query = build("SELECT :columns, r.* FROM :rows AS r", columns=columns, rows=rows)
    assert isinstance(query, exp.Select)
    for group in groups.values():
        query = query.join(group.query(rows).subquery(group.name), on=group.condition())
    return query, bool(groups)


class _Group:
    """Aggregates that share their partition keys."""

    def __init__(self, name: str, keys: Sequence[exp.Expr]) -> None:
        self.name = name
        self.keys = keys
        self.values: list[exp.Expr] = []

    def add(self, value: exp.Expr) -> exp.Column:
        """Compute another aggregate; return the column it will have."""
        self.values.append(value)
        return col(f"group_value_{len(self.values) - 1}", self.name)

    def query(self, rows: str) -> exp.Select:
        """Return one row per group."""
        keys = [alias(key.copy(), f"group_key_{n}") for n, key in enumerate(self.keys)]
        values = [alias(value, f"group_value_{n}") for n, value in enumerate(self.values)]
        grouped = build(
            "SELECT :keys, :values FROM :rows GROUP BY :by",
            keys=keys,
            values=values,
            rows=rows,
            by=[key.copy() for key in self.keys],
        )
        assert isinstance(grouped, exp.Select)
        return grouped

    def condition(self) -> exp.Expr:
        """Return the condition that a row belongs to its group; missing keys are a group of their own."""
        return exp.and_(
            *(
                exp.NullSafeEQ(this=col(f"group_key_{n}", self.name), expression=key.copy())
                for n, key in enumerate(self.keys)
            )
        )


def _group_of(c: Compilation, read: ReadVar, window: Window, id_column: str) -> tuple[list[exp.Expr], exp.Expr] | None:
    """Return partition keys and aggregate of a window that can be computed by grouping; None when it cannot."""
    if read.select is None or window.order_by or not window.partition_by:
        return None
    if not sql.is_aggregate(read.select) or sql.has_window(read.select) or sql.has_subquery(read.select):
        return None
    keys = [row_expression(c, key, id_column) for key in window.partition_by]
    value = row_expression(c, read.select, id_column)
    if read.where is not None:
        value = aggregates.filtered(value, row_expression(c, read.where, id_column))
    return keys, value


def levels(uses: Mapping[str, frozenset[str]], span: Span | None) -> list[list[str]]:
    """Return the names in levels: each uses only names of the levels before it, and perhaps itself as a column.

    Raises:
        ProjectError: some use each other in a circle.
    """
    done: set[str] = set()
    found: list[list[str]] = []
    while len(done) < len(uses):
        level = [n for n, used in uses.items() if n not in done and not ((used & uses.keys()) - done - {n})]
        if not level:
            circle = ", ".join(n for n in uses if n not in done)
            fail("cycle", f"these input vars depend on each other in a circle: {circle}", span, hint=BREAK_CIRCLE)
        found.append(level)
        done |= set(level)
    return found


def _value(c: Compilation, read: ReadVar, id_column: str) -> exp.Expr:
    """Return the value of an input var on a row."""
    assert read.select is not None
    select = row_expression(c, read.select, id_column)
    if read.window is not None:
        where = row_expression(c, read.where, id_column) if read.where is not None else None
        select = windowed(c, select, read.window, id_column, where)
    return _finished(c, read, select, id_column)


def _finished(c: Compilation, read: ReadVar, value: exp.Expr, id_column: str) -> exp.Expr:
    """Return a value with its row filter, its default and its declared type."""
    if read.where is not None:
        value = exp.Case().when(row_expression(c, read.where, id_column), value)
    if read.default is not None:
        value = exp.Coalesce(this=value, expressions=[row_expression(c, read.default, id_column)])
    return typed(value, read)


def typed(value: exp.Expr, read: ReadVar) -> exp.Expr:
    """Return a value as the type that its var declares."""
    return value if read.cast is None else sql.substitute(read.cast, {VALUE: value})


def row_expression(c: Compilation, tree: exp.Expr, id_column: str) -> exp.Expr:
    """Return an expression over rows with all symbols replaced; bare ``main_id`` means the entity's main id."""

    def replace(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and node.name.startswith("var:"):
            return col(join_vars.column_of(c.reader.var_key(node.name.removeprefix("var:"))))
        if isinstance(node, exp.Column) and not node.table and node.name.lower() == "main_id":
            return col(id_column)
        return node

    return sql.transformed(placed(c, tree), replace)


def windowed(c: Compilation, function: exp.Expr, window: Window, id_column: str, where: exp.Expr | None) -> exp.Expr:
    """Return ``function OVER (window)``, computed among the rows that satisfy `where` alone."""
    keys: list[exp.Expr] = [row_expression(c, key, id_column) for key in window.partition_by]
    if where is not None:
        keys.append(exp.Case().when(where.copy(), exp.Literal.number(1)))
    order = [row_expression(c, key, id_column) for key in window.order_by]
    return over(c, function, keys, order, window.frame)


def over(
    c: Compilation,
    function: exp.Expr,
    keys: Sequence[exp.Expr],
    order: Sequence[exp.Expr],
    frame: exp.WindowSpec | None,
) -> exp.Window:
    """Return ``function OVER (PARTITION BY keys ORDER BY order frame)`` with the source dialect's default frame."""
    dialects = sql.Reading(c.project.source_dialect, c.reader.target)
    if frame is None and order:
        frame = sql.default_frame(function, dialects)
    return exp.Window(
        this=function,
        partition_by=[key.copy() for key in keys],
        order=exp.Order(expressions=[key.copy() for key in order]) if order else None,
        spec=frame.copy() if frame is not None and order else None,
        over="OVER",
    )
