"""Compiles the var table of an input: its rows with a row id, main ids and input vars.

A view, unless a window has to be computed over the rows: then a table, so that it is computed once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from sqlglot import exp

from profiles_pipeline import sql
from profiles_pipeline.compile import join_vars
from profiles_pipeline.compile.rows import alias, col, identified_rows, resolve_symbols, visible_rows
from profiles_pipeline.compile.statement import Compilation, Script, Statement, create
from profiles_pipeline.resolve.model import InputVar, InputVarTable
from profiles_pipeline.resolve.reader import ReadVar, VarKey, Window
from profiles_pipeline.sql import build


def compile_input_var_table(c: Compilation, model: InputVarTable) -> Script:
    """Return the script that makes the var table of an input or SQL model."""
    read = {var.name.lower(): c.reader.input_var(var) for var in model.vars}
    kind: Literal["table", "view"] = "table" if any(needs_table(r) for r in read.values()) else "view"
    rows = identified_rows(c, c.graph.models[model.source], model.entities, row_id=True)
    query = _with_vars(c, model, rows, read)
    names = tuple(var.name for var in model.vars)
    title = f"rows of {model.source}" + (f" with {len(names)} input vars" if names else "")
    step = Statement(create(kind, c.relation(model.path), query), title, names)
    visible = visible_rows(c, c.graph.models[model.source])
    count = build("SELECT COUNT(*) FROM :rows AS visible", rows=visible) if kind == "view" else None
    return Script(kind, (step,), count=count)


def needs_table(read: ReadVar) -> bool:
    """True when an input var is too costly to compute again each time its rows are read."""
    return bool(read.vars) or read.window is not None or (read.select is not None and sql.has_window(read.select))


def _with_vars(c: Compilation, model: InputVarTable, rows: exp.Select, read: Mapping[str, ReadVar]) -> exp.Select:
    """Return `rows` with a column for each input var; vars that use each other come one level after another."""
    if not read:
        return rows
    keys = frozenset().union(*(r.vars for r in read.values()))
    ctes: list[tuple[str, exp.Expression]] = [("identified", rows)]
    if keys:
        entity = c.project.entities[model.vars[0].entity]
        ctes.append(("with_entity_vars", _joined(c, entity.id_column, keys)))
    for number, level in enumerate(levels({name: r.columns for name, r in read.items()})):
        columns = [alias(_value(c, var, read[var.name.lower()]), var.name) for var in model.vars if var.name.lower() in level]
        ctes.append((f"vars_{number + 1}", build("SELECT *, :columns FROM :rows", columns=columns, rows=ctes[-1][0])))
    hidden = [exp.to_identifier(join_vars.column_of(key), quoted=True) for key in sorted(keys)]
    star = exp.Star(except_=hidden) if hidden else exp.Star()
    query = exp.select(star).from_(exp.to_table(ctes[-1][0]))
    for name, tree in ctes:
        query = query.with_(name, as_=tree)
    return query


def _joined(c: Compilation, id_column: str, keys: frozenset[VarKey]) -> exp.Select:
    return join_vars.joined("identified", id_column, keys, lambda key: c.relation(join_vars.home(c, key)))


def levels(uses: Mapping[str, frozenset[str]]) -> list[list[str]]:
    """Return the names in levels: each uses only names of the levels before it. A circle ends up in one last level."""
    done: set[str] = set()
    found: list[list[str]] = []
    while len(done) < len(uses):
        level = [n for n, used in uses.items() if n not in done and not ((used & uses.keys()) - done - {n})]
        level = level or [n for n in uses if n not in done]
        found.append(level)
        done |= set(level)
    return found


def _value(c: Compilation, var: InputVar, read: ReadVar) -> exp.Expression:
    """Return the value of an input var on a row."""
    assert read.select is not None
    id_column = c.project.entities[var.entity].id_column
    select = row_expression(c, read.select, id_column)
    where = row_expression(c, read.where, id_column) if read.where is not None else None
    if read.window is not None:
        select = windowed(c, select, read.window, id_column, where)
    if where is not None:
        select = exp.Case().when(where.copy(), select)
    if read.default is not None:
        select = exp.Coalesce(this=select, expressions=[row_expression(c, read.default, id_column)])
    return exp.cast(select, read.data_type) if read.data_type else select


def row_expression(c: Compilation, tree: exp.Expression, id_column: str) -> exp.Expression:
    """Return an expression over rows with all symbols replaced; bare ``main_id`` means the entity's main id."""

    def replace(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.Column) and node.name.startswith("var:"):
            return col(join_vars.column_of(c.reader.var_key(node.name.removeprefix("var:"))))
        if isinstance(node, exp.Column) and not node.table and node.name.lower() == "main_id":
            return col(id_column)
        return node

    return resolve_symbols(c, tree).transform(replace)


def windowed(
    c: Compilation, function: exp.Expression, window: Window, id_column: str, where: exp.Expression | None
) -> exp.Expression:
    """Return ``function OVER (window)``, computed among the rows that satisfy `where` alone."""
    keys: list[exp.Expression] = [row_expression(c, key, id_column) for key in window.partition_by]
    if where is not None:
        keys.append(exp.Case().when(where.copy(), exp.Literal.number(1)))
    order = [row_expression(c, key, id_column) for key in window.order_by]
    return over(c, function, keys, order, window.frame)


def over(
    c: Compilation,
    function: exp.Expression,
    keys: Sequence[exp.Expression],
    order: Sequence[exp.Expression],
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
