"""Groups of rows by days and other truncated times in PostgreSQL."""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline.sql import nodes_of


def by_truncated_time(node: exp.Expr) -> exp.Expr:
    """GROUP BY the number of a column with DATE_TRUNC: of a query that computes it, and that the planner keeps apart.

    It takes there to be as many days as there are times, and would sort all rows to group them. Of a column that a
    query of its own computes it knows nothing, expects few values, and puts the groups in a hash table.
    """
    group, source, where = (node.args.get(clause) for clause in ("group", "from_", "where"))
    if group is None or source is None or node.args.get("joins") or node.args.get("laterals"):
        return node
    columns: list[exp.Expr] = node.expressions
    numbers = [int(key.name) for key in group.expressions if isinstance(key, exp.Literal) and key.is_int]
    keys = {number: columns[number - 1].unalias() for number in numbers if nodes_of(columns[number - 1], *_TRUNCATED)}
    rows = source.this.alias_or_name
    if not keys or not rows or any(_is_row(column, rows) for column in nodes_of(node, exp.Column)):
        return node
    others = [column for number, column in enumerate(columns, start=1) if number not in numbers]
    if not all(map(_is_of_group, [*others, *filter(None, map(node.args.get, ("having", "order")))])):
        return node
    apart = exp.select(exp.Star(), *(exp.alias_(key, _name(number), quoted=True) for number, key in keys.items()))
    apart.set("from_", exp.From(this=source.this))
    apart.set("where", where.pop() if where is not None else None)
    apart.set("offset", exp.Offset(expression=exp.Literal.number(0)))
    for number in keys:
        name = columns[number - 1].alias_or_name
        columns[number - 1] = exp.alias_(exp.column(exp.to_identifier(_name(number), quoted=True)), name, quoted=True)
    node.set("expressions", columns)
    alias = exp.TableAlias(this=exp.to_identifier(rows, quoted=True))
    node.set("from_", exp.From(this=exp.Subquery(this=apart, alias=alias)))
    return node


_TRUNCATED = (exp.TimestampTrunc, exp.DateTrunc)


def _name(number: int) -> str:
    """Return the name of a computed column, which no column of a source is likely to have."""
    return f"group key {number}"


def _is_of_group(tree: exp.Expr) -> bool:
    """True for what reads rows within aggregates alone, and so no key by its text."""
    inside = (column.find_ancestor(exp.AggFunc, exp.Select) for column in nodes_of(tree, exp.Column))
    return all(isinstance(found, exp.AggFunc) for found in inside)


def _is_row(column: exp.Column, rows: str) -> bool:
    """True for a name that stands for a whole row, which would have the computed columns too."""
    return not column.table and column.name == rows
