"""Names columns where the warehouse cannot.

Those that a star stands for, those that have the name of another, and those that are matched by their names.
"""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline import sql
from profiles_pipeline.dialects import capabilities, render
from profiles_pipeline.warehouse.base import Column, Warehouse

_CLAUSES = ("where", "group", "having", "qualify", "order", "limit", "offset", "distinct", "windows")


def spelled_out(warehouse: Warehouse, tree: exp.Expr) -> exp.Expr:
    """Return `tree` with columns in the place of every ``* EXCLUDE (...)`` and ``* ... QUALIFY``, as the warehouse
    knows them.

    Raises:
        WarehouseError: what the star stands for cannot be read.
    """
    able = capabilities(warehouse.dialect)
    if able.star_except and able.qualify:
        return tree

    def is_spelled_out(select: exp.Select, star: exp.Expr) -> bool:
        # Where QUALIFY becomes a query around another one, a star would have the columns of the condition too.
        numbered = isinstance(star, exp.Star) and bool(select.args.get("qualify")) and not able.qualify
        return numbered or (_leaves_out(star) and not able.star_except)

    selects = [
        select
        for select in sql.nodes_of(tree, exp.Select)
        if any(is_spelled_out(select, _star_of(item)) for item in select.expressions)
    ]
    if not selects:
        return tree
    made = sql.copied(tree)
    for select in reversed(sql.nodes_of(made, exp.Select)):  # what is inside first
        items: list[exp.Expr] = []
        for item in select.expressions:
            star = _star_of(item)
            items += _columns(warehouse, select, item, star) if is_spelled_out(select, star) else [item]
        select.set("expressions", items)
    return made


def _star_of(item: exp.Expr) -> exp.Expr:
    """Return the star of ``t.*``, anything else as it is."""
    return item.this if isinstance(item, exp.Column) else item


def told_apart(warehouse: Warehouse, tree: exp.Expr) -> exp.Expr:
    """Return a statement that makes a relation, with a number behind a name of a column that another one has.

    Raises:
        WarehouseError: the query of the relation cannot be read.
    """
    query = tree.args.get("expression") if isinstance(tree, exp.Create) else None
    if capabilities(warehouse.dialect).repeated_columns or not isinstance(query, exp.Query):
        return tree
    written = [item.alias_or_name.lower() for item in query.selects]
    if not query.is_star and "" not in written and len(set(written)) == len(written):
        return tree
    names = [column.name for column in warehouse.describe(render(query, warehouse.dialect, pretty=False))]
    if len({name.lower() for name in names}) == len(names):
        return tree
    columns = [exp.to_identifier(name, quoted=True) for name in _different(names)]
    alias = exp.TableAlias(this=exp.to_identifier("told_apart", quoted=True), columns=columns)
    made = sql.copied(tree)
    made.set("expression", exp.select("*").from_(exp.Subquery(this=sql.copied(query), alias=alias)))
    return made


def matched(warehouse: Warehouse, tree: exp.Expr) -> exp.Expr:
    """Return `tree` with columns listed in the place of every BY NAME; what one side of a union lacks is NULL there.

    Raises:
        WarehouseError: the columns of a query cannot be read.
    """
    if capabilities(warehouse.dialect).by_name or not any(map(_is_by_name, sql.nodes_of(tree, exp.Insert, exp.Union))):
        return tree
    made = sql.copied(tree)
    for node in reversed(sql.nodes_of(made, exp.Insert, exp.Union)):  # what is inside first
        if not _is_by_name(node):
            continue
        node.set("by_name", False)
        if isinstance(node, exp.Insert):
            names = [exp.to_identifier(column.name, quoted=True) for column in _described(warehouse, node.expression)]
            node.set("this", exp.Schema(this=node.this, expressions=names))
        elif isinstance(node, exp.Union):
            _aligned(warehouse, node)
    return made


def taken_for_granted(tree: exp.Expr, dialect: str) -> exp.Expr:
    """Return `tree` without what the functions above put columns in the place of, for a warehouse that is not asked.

    It is for finding out whether the rest can be said; where SQL is only written, all of it has to be.
    """
    able = capabilities(dialect)

    def is_replaced(node: exp.Expr) -> bool:
        return (_leaves_out(node) and not able.star_except) or (_is_by_name(node) and not able.by_name)

    if not able.runs or not any(map(is_replaced, sql.nodes_of(tree, exp.Star, exp.Insert, exp.Union))):
        return tree
    made = sql.copied(tree)
    for node in sql.nodes_of(made, exp.Star, exp.Insert, exp.Union):
        node.set("except_" if isinstance(node, exp.Star) else "by_name", None)
    return made


def _is_by_name(node: exp.Expr) -> bool:
    return bool(node.args.get("by_name"))


def _described(warehouse: Warehouse, query: exp.Expr) -> tuple[Column, ...]:
    asked = sql.copied(query)
    if above := _visible(query):
        asked.set("with_", exp.With(expressions=[*above, *(cte.copy() for cte in getattr(asked, "ctes", ()))]))
    return warehouse.describe(render(asked, warehouse.dialect, pretty=False))


def _aligned(warehouse: Warehouse, union: exp.Union) -> None:
    """Give both sides of a union the columns of either, in the same order."""
    sides = {key: _described(warehouse, union.args[key]) for key in ("this", "expression")}
    types = {column.name: column.type for columns in sides.values() for column in columns}
    for key, columns in sides.items():
        own = {column.name for column in columns}
        items = [
            exp.column(exp.to_identifier(name, quoted=True))
            if name in own
            else exp.alias_(exp.cast(exp.Null(), types[name], dialect="duckdb"), name, quoted=True)
            for name in types
        ]
        rows = exp.Subquery(this=union.args[key], alias=exp.TableAlias(this=exp.to_identifier("side", quoted=True)))
        union.set(key, exp.select(*items).from_(rows, copy=False))


def _different(names: list[str]) -> list[str]:
    """Return names, each that is there already with the first number behind it that makes it another one."""
    found: list[str] = []
    used: set[str] = set()
    for name in names:
        number, fresh = 0, name
        while fresh.lower() in used:
            number += 1
            fresh = f"{name}_{number}"
        used.add(fresh.lower())
        found.append(fresh)
    return found


def _leaves_out(node: exp.Expr) -> bool:
    return isinstance(node, exp.Star) and bool(node.args.get("except_"))


def _columns(warehouse: Warehouse, select: exp.Select, item: exp.Expr, star: exp.Expr) -> list[exp.Expr]:
    table = item.args.get("table") if isinstance(item, exp.Column) else None
    everything = exp.Column(this=exp.Star(), table=table.copy()) if table is not None else exp.Star()
    asked = sql.copied(select)
    for clause in _CLAUSES:
        asked.set(clause, None)
    asked.set("expressions", [everything])
    if above := _visible(select):
        asked.set("with_", exp.With(expressions=[*above, *(cte.copy() for cte in select.ctes)]))
    left_out = {name.name.lower() for name in star.args.get("except_") or ()}
    return [
        exp.column(exp.to_identifier(column.name, quoted=True), table=table and table.copy())
        for column in warehouse.describe(render(asked, warehouse.dialect, pretty=False))
        if column.name.lower() not in left_out
    ]


def _visible(select: exp.Expr) -> list[exp.Expr]:
    """Return the named queries that a query can name besides its own: those around it that stand before it."""
    found: list[exp.Expr] = []
    inside: exp.Expr = select
    while inside.parent is not None:
        above = inside.parent
        if isinstance(above, exp.With):
            found = [*(cte.copy() for cte in above.expressions[: inside.index]), *found]
        elif isinstance(above, exp.Query) and not isinstance(inside, exp.With):
            found = [*(cte.copy() for cte in above.ctes), *found]
        inside = above
    return found
