"""Joins entity vars back to rows, so that row-level SQL may use them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby

from sqlglot import exp

from profiles_pipeline.compile.rows import alias, col, left_join
from profiles_pipeline.compile.statement import Compilation
from profiles_pipeline.resolve.readings import VarKey


def column_of(key: VarKey) -> str:
    """Return the name that a joined var has beside the columns of the rows; unlikely to be one of theirs."""
    cohort, name = key
    return f"{cohort.removesuffix('/all').rpartition('/')[2]}.{name}"


def home(c: Compilation, key: VarKey) -> str:
    """Return the path of the model that has a var as a column."""
    if key in c.graph.var_homes:
        return c.graph.var_homes[key]
    models = c.project.feature_models.get(key[0], ())
    return next(m.path for m in models if key[1] in map(str.lower, m.columns))


def joined(
    rows: str | exp.Expr, id_column: str, keys: Iterable[VarKey], relation: Callable[[VarKey], exp.Expr]
) -> exp.Select:
    """Return ``rows`` with a column for each var, joined on the main id from the relation that has it."""
    table = exp.to_table(rows) if isinstance(rows, str) else rows.copy()
    query = exp.select("r.*").from_(exp.alias_(table, "r", table=True))
    homes = sorted((relation(key).sql(), key) for key in keys)
    for number, (_, group) in enumerate(groupby(homes, key=lambda pair: pair[0])):
        members = [key for _, key in group]
        name = f"v{number}"
        on = exp.EQ(this=col(id_column, name), expression=col(id_column, "r"))
        left_join(query, exp.alias_(relation(members[0]).copy(), name, table=True), on)
        query = query.select(*(alias(col(key[1], name), column_of(key)) for key in members), copy=False)
    return query
