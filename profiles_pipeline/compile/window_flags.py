"""Which rows of an accumulator lie in a window in time, such as "the past 7 days", and which have moved in or out.

A row of an accumulator has its first and last moment. Where all comparisons of a window say the same of both, it holds
for all rows that it was made from, or for none; else it is mixed, and counted from the rows of the source.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from sqlglot import exp

from profiles_pipeline import sql
from profiles_pipeline.compile.accumulators import BUCKET, Accumulator
from profiles_pipeline.compile.partials import Split, with_condition
from profiles_pipeline.compile.rows import col
from profiles_pipeline.sql import build


def bounds(split: Split) -> dict[str, exp.Expr]:
    """Return column -> aggregate, for the first and the last moment of every column that a window looks at."""
    found: dict[str, exp.Expr] = {}
    for windows in split.windows.values():
        for window in windows:
            for function in ("MIN", "MAX"):
                found[_bound(window.column, function)] = build(f"{function}(:column)", column=window.column)
    return found


def _bound(column: str, function: str) -> str:
    return f"{'lo' if function == 'MIN' else 'hi'}_{_hash(column.lower())}"


def _at(tree: exp.Expr, column: str, function: str) -> exp.Expr:
    """Return a condition at the first or last moment of a row of an accumulator."""

    def moved(node: exp.Expr) -> exp.Expr:
        is_it = isinstance(node, exp.Column) and node.name.lower() == column.lower()
        return col(_bound(column, function), "t") if is_it else node

    return sql.transformed(sql.copied(tree), moved)


def is_mixed(split: Split, flag: str) -> exp.Expr:
    """Return the condition that a window begins or ends between the first and the last moment of a row."""
    differ = [
        build(
            ":lo IS DISTINCT FROM :hi",
            lo=exp.paren(_at(comparison, window.column, "MIN")),
            hi=exp.paren(_at(comparison, window.column, "MAX")),
        )
        for window in split.windows[flag]
        for comparison in window.comparisons
    ]
    # Texts are in another order than the times that they say, so none of these rows is known to be on one side.
    columns = {window.column for window in split.windows[flag]}
    differ += [build("TYPEOF(:lo) = 'VARCHAR'", lo=col(_bound(name, "MIN"), "t")) for name in sorted(columns)]
    return exp.or_(*differ, copy=False)


def flag_of(split: Split, flag: str, mixed: exp.Expr) -> exp.Expr:
    """Return whether a row of an accumulator lies in a window; not known where only a part of it does."""
    inside = exp.and_(*(_at(window.condition, window.column, "MIN") for window in split.windows[flag]), copy=False)
    return exp.Case().when(exp.Not(this=exp.paren(sql.copied(mixed), copy=False)), inside, copy=False)


def moved(table: exp.Table, now: Split, before: Split) -> exp.Expr:
    """Return the rows of an accumulator that a window counts in another way than in the run before."""
    changed = []
    for flag in now.windows:
        mixed, was_mixed = is_mixed(now, flag), is_mixed(before, flag)
        one, other = flag_of(now, flag, mixed), flag_of(before, flag, was_mixed)
        changed += [
            exp.paren(mixed, copy=False),
            exp.paren(was_mixed, copy=False),
            build(":a IS DISTINCT FROM :b", a=one, b=other),
        ]
    return build("SELECT t.* FROM :table AS t WHERE :changed", table=table, changed=exp.or_(*changed, copy=False))


def counted(a: Accumulator, split: Split, flag: str, torn: exp.Table) -> exp.Expr:
    """Return what counts of the days that are partly in a window, from the rows of the source."""
    conditions = exp.and_(*(window.condition for window in split.windows[flag]))
    parts = {
        name: with_condition(tree, conditions) for name, tree in split.partials.items() if name in split.flagged[flag]
    }
    same = exp.and_(*(build("r.:key IS NOT DISTINCT FROM t.:key", key=key) for key in (BUCKET, *a.keys)))
    # Few days are torn: all other rows are passed over before their ids are looked at.
    rows = "SELECT * FROM :rows AS r WHERE :bucket IN (SELECT :bucket FROM :torn)"
    query = a.grouped(
        f"SELECT r.* FROM ({rows}) AS r JOIN :torn AS t ON :same", parts, torn=torn, same=same, bucket=col(BUCKET)
    )
    return build("SELECT *, TRUE AS :flag FROM :query", flag=flag, query=query)


def united(splits: Iterable[Split]) -> Split:
    """Return several expressions in parts as one, whose value is nobody's."""
    found = Split()
    for split in splits:
        found.partials.update(split.partials)
        found.merged.update(split.merged)
        found.windows.update(split.windows)
        for flag, names in split.flagged.items():
            found.flagged.setdefault(flag, set()).update(names)
    return found


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
