"""Reverse ETL of RudderStack, which reads a table with a primary key and goes by the time of the last change."""

from sqlglot import exp

from profiles_pipeline.destinations.contract import FLAT, Contract, Destination, Published


def mapping(published: Published) -> exp.Expr:
    """Return the query of a model: the key, each property under its name there, and the cursor column."""
    columns: list[exp.Expr] = [exp.column(published.key, quoted=True)]
    columns += [exp.alias_(exp.column(p.column, quoted=True), p.name, quoted=True) for p in published.properties]
    return exp.select(*columns, exp.column("published_at")).from_(published.table.copy())


RUDDERSTACK = Destination(
    "rudderstack",
    Contract(kinds=FLAT),
    mapping=mapping,
    next_step="make a model of the table: the key is its primary key, published_at its cursor column",
    erasure="a sync in mirror mode deletes the row at its destinations; any other mode leaves it there",
)
