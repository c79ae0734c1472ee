"""Reverse ETL of RudderStack, which reads a table with a primary key and goes by the time of the last change.

With the id of a connection its sync is started after each publication.
"""

from collections.abc import Mapping

from sqlglot import exp

from profiles_pipeline.destinations.contract import FLAT, Contract, Destination, Option, Published

CURSOR = "published_at"
"""The column by which it goes."""


def mapping(published: Published) -> exp.Expr:
    """Return the query of a model: the key, each property under its name there, and the cursor column."""
    columns: list[exp.Expr] = [exp.column(published.key, quoted=True)]
    columns += [exp.alias_(exp.column(p.column, quoted=True), p.name, quoted=True) for p in published.properties]
    return exp.select(*columns, exp.column(CURSOR)).from_(published.table.copy())


def fault(options: Mapping[str, object]) -> str | None:
    """Return what is wrong with the options: the id of a connection stands in an address."""
    connection = str(options["connection_id"])
    if all(letter.isalnum() or letter in "-_" for letter in connection):
        return None
    return f"'{connection}' is no id of a connection; its page in RudderStack shows it, under Settings"


RUDDERSTACK = Destination(
    "rudderstack",
    Contract(kinds=FLAT),
    sink="sync",
    sink_needs="connection_id",
    options={
        "connection_id": Option("text", ""),
        "token_env": Option("text", "RUDDERSTACK_ACCESS_TOKEN"),
        "api_url": Option("text", "https://api.rudderstack.com/v2"),
        "attempts": Option("count", 6),
        "patience": Option("duration", "5m"),
        "timeout": Option("duration", "30s"),
        "wait": Option("duration", "30m"),
    },
    beside=lambda _: (CURSOR,),
    mapping=mapping,
    fault=fault,
    address=("connection_id",),
    next_step="make a model of the table: the key is its primary key, published_at its cursor column",
    erasure="a sync in mirror mode deletes the row at its destinations; any other mode leaves it there",
)
