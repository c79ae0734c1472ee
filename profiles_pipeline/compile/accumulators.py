"""Accumulators: what the rows of a source add up to, per identifier and day, kept from run to run.

An accumulator is a table of partial aggregates, one row per bucket (a day of the rows' time) and combination of
identifiers. Beside it lie the fingerprints of the buckets it was made from: number of rows, latest time, and the sum of
hashes of the columns in use. A run compares them with those of the rows as they are now, reads the buckets that differ,
and replaces them. So late, corrected and removed rows are found without being announced, and repeating is harmless.

Buckets hold visible rows only: a bucket that ends after the end time of a run looks different to the next one, and is
replaced by it like any other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlglot import exp

from profiles_pipeline import sql
from profiles_pipeline.compile.rows import alias, col, occurred, placed, text, visible_rows
from profiles_pipeline.compile.statement import Compilation, Statement, Step, beside, create, scratch
from profiles_pipeline.names import ACCUMULATOR
from profiles_pipeline.resolve.model import Input, Model
from profiles_pipeline.sql import build

BUCKET = "state.bucket"
"""Name of the column with the beginning of a row's bucket."""

TIMELESS = "0001-01-01 00:00:00"
"""The bucket of rows without a time."""


@dataclass(frozen=True)
class Accumulator:
    """What is added up of a source, and how.

    Attributes:
        table: the table that keeps it.
        source: path of the input or SQL model.
        rows: query of the visible rows with BUCKET, the keys, and the columns that `partials` read, under any name.
        seen: query of the fingerprints of the buckets: BUCKET, row_count, newest, content.
        keys: names of the columns with identifiers.
        partials: column -> aggregate over `rows`.
        is_kept: whether the table exists from an earlier run.
    """

    table: exp.Table
    source: str
    rows: exp.Select
    seen: exp.Select
    keys: tuple[str, ...]
    partials: Mapping[str, exp.Expr]
    is_kept: bool

    @property
    def fresh(self) -> exp.Table:
        """Temporary table with the new rows of the buckets that changed."""
        return scratch(self.table, "fresh")

    @property
    def gone(self) -> exp.Table:
        """Temporary table with the rows of changed buckets that are no longer as they were."""
        return scratch(self.table, "gone")

    @property
    def come(self) -> exp.Table:
        """Temporary table with the rows of changed buckets that were not there before."""
        return scratch(self.table, "come")

    @property
    def columns(self) -> list[str]:
        """Names of the table's columns."""
        return [BUCKET, *self.keys, *self.partials]

    def select(self) -> exp.Select:
        """Return the query of the partial aggregates of all rows."""
        return self.grouped("SELECT * FROM :rows AS r", self.partials)

    def grouped(self, rows: str, partials: Mapping[str, exp.Expr], **fillings: exp.Expr) -> exp.Select:
        """Return the query of partial aggregates of some rows: those of a query in which ``:rows`` are all."""
        names = [BUCKET, *self.keys]
        columns = [alias(sql.copied(tree), name) for name, tree in partials.items()]
        chosen = build(rows, rows=sql.copied(self.rows), **fillings)
        query = build("SELECT :keys, :columns FROM :chosen AS r", keys=names, columns=columns, chosen=chosen)
        assert isinstance(query, exp.Select)
        known = exp.or_(*(build(":key IS NOT NULL", key=key) for key in self.keys))
        return query.where(known, copy=False).group_by(*map(col, names), copy=False)


def accumulator_name(owner: str, definition: Iterable[str]) -> str:
    """Return the name of an accumulator: it changes with whatever decides on what is in it.

    Args:
        owner: what it is for: the project and the path of the model.
        definition: texts that say what is added up.
    """
    return f"{ACCUMULATOR}{hashlib.sha256(chr(31).join([owner, *definition]).encode()).hexdigest()[:12]}"


def rows_definition(c: Compilation, source: Model) -> list[exp.Expr] | None:
    """Return what decides on the rows of a source and their buckets, the window aside; None when other tables do.

    What a CSV of the project or a SQL model holds is not part of it: that shows in the fingerprints of the rows.
    """
    trees: list[exp.Expr] = [text(source.path)]
    if isinstance(source, Input):
        trees.append(text(str(source.table)))
        if source.where is not None:
            trees.append(placed(c, c.reader.expression(source.where, source.path, "where").tree))
    occurred_at = getattr(source, "occurred_at", None)
    if occurred_at is not None:
        trees.append(occurred(c, occurred_at, source.path))
    return trees if are_of_the_row(trees) else None


def are_of_the_row(trees: Iterable[exp.Expr]) -> bool:
    """True when expressions depend on nothing but their row: no other table, no chance, no clock."""
    return not any(
        isinstance(tree, exp.Query) or sql.has_subquery(tree) or not sql.is_deterministic(tree) for tree in trees
    )


def bucketed(c: Compilation, source: Model, columns: Iterable[exp.Expr]) -> exp.Select:
    """Return the visible rows of a source with their bucket and more columns in front."""
    query = build(
        "SELECT :bucket AS :name, :columns, source_rows.* FROM :rows AS source_rows",
        bucket=bucket_of(c, source),
        name=BUCKET,
        columns=list(columns),
        rows=visible_rows(c, source),
    )
    assert isinstance(query, exp.Select)
    return query


def bucket_of(c: Compilation, source: Model) -> exp.Expr:
    """Return the beginning of the day on which a row of a source happened, TIMELESS where that is not known."""
    timeless = exp.cast(text(TIMELESS), "TIMESTAMP")
    occurred_at = getattr(source, "occurred_at", None)
    if occurred_at is None:
        return timeless
    time = occurred(c, occurred_at, source.path)
    return build("COALESCE(DATE_TRUNC('day', :time), :timeless)", time=time, timeless=timeless)


def fingerprints(c: Compilation, source: Model, columns: Iterable[str] | None) -> exp.Select:
    """Return the query of the fingerprints of a source's buckets.

    Args:
        c: what to compile against.
        source: the source.
        columns: names of the columns that count; None for all.
    """
    occurred_at = getattr(source, "occurred_at", None)
    newest = occurred(c, occurred_at, source.path) if occurred_at else exp.cast(exp.Null(), "TIMESTAMP")
    if columns is None:
        value: exp.Expr = build("HASH(source_rows)")
    else:
        names = sorted(set(columns)) or None
        value = exp.Anonymous(this="HASH", expressions=list(map(col, names)) if names else [exp.Literal.number(0)])
    query = build(
        """
        SELECT :bucket AS :name, COUNT(*) AS row_count, MAX(:newest) AS newest,
            SUM(CAST(:value AS HUGEINT)) AS content
        FROM :rows AS source_rows GROUP BY 1
        """,
        bucket=bucket_of(c, source),
        name=BUCKET,
        newest=newest,
        value=value,
        rows=visible_rows(c, source),
    )
    assert isinstance(query, exp.Select)
    return query


def columns_read(trees: Iterable[exp.Expr]) -> frozenset[str] | None:
    """Return the columns that expressions over rows read, in lower case; None when their text does not tell."""
    found: set[str] = set()
    for tree in trees:
        for column in tree.find_all(exp.Column):
            if column.args.get("table") or isinstance(column.this, exp.Star):
                return None
        if any(True for _ in tree.find_all(exp.Star)) and not _counts_only(tree):
            return None
        found |= {name.lower() for name in sql.column_names(tree)}
    return frozenset(found)


def _counts_only(tree: exp.Expr) -> bool:
    return all(isinstance(star.parent, exp.Count) for star in tree.find_all(exp.Star))


def update_steps(a: Accumulator) -> list[Step]:
    """Return the steps that bring an accumulator up to date.

    Afterwards `a.come` and `a.gone` hold the rows in which it differs from before, if it existed.
    """
    seen = beside(a.table, "_seen")
    if not a.is_kept:
        return [
            Statement(create("table", seen, sql.copied(a.seen)), f"fingerprints of the days of {a.source}"),
            Statement(create("table", a.table, a.select()), f"what each day of {a.source} adds"),
        ]
    now, changed = scratch(a.table, "now"), scratch(a.table, "changed")
    both = {"now": now, "seen": seen}
    differing = build(
        """
        SELECT DISTINCT :bucket FROM (
            (SELECT * FROM :now EXCEPT SELECT * FROM :seen) UNION ALL (SELECT * FROM :seen EXCEPT SELECT * FROM :now)
        ) AS differing
        """,
        bucket=BUCKET,
        **both,
    )
    among = build(":bucket IN (SELECT :bucket FROM :changed)", bucket=BUCKET, changed=changed)
    old = build("SELECT :columns FROM :table WHERE :among", columns=a.columns, table=a.table, among=among)
    new = build("SELECT :columns FROM :fresh", columns=a.columns, fresh=a.fresh)
    fresh = a.grouped("SELECT * FROM :rows AS r WHERE :among", a.partials, among=among)
    gone = exp.Except(this=old, expression=new, distinct=True)
    come = exp.Except(this=sql.copied(new), expression=sql.copied(old), distinct=True)
    put = build("INSERT INTO :table BY NAME SELECT * FROM :fresh", table=a.table, fresh=a.fresh)
    return [
        Statement(create("temporary table", now, sql.copied(a.seen)), f"fingerprints of the days of {a.source}"),
        Statement(create("temporary table", changed, differing), f"days of {a.source} that changed"),
        Statement(create("temporary table", a.fresh, fresh), "what they add now"),
        Statement(create("temporary table", a.gone, gone), "what is no longer so"),
        Statement(create("temporary table", a.come, come), "what is new"),
        Statement(build("DELETE FROM :table WHERE :among", table=a.table, among=among), "changed days taken out"),
        Statement(put, "and put in anew"),
        Statement(build("DELETE FROM :seen", seen=seen), "old fingerprints taken out"),
        Statement(build("INSERT INTO :seen SELECT * FROM :now", **both), "fingerprints kept"),
    ]
