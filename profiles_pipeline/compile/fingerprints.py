"""Fingerprints of the days of a source, by which a run finds out which of them have changed.

Of each day there are the number of rows, the latest time, and the sum of the hashes of the columns in use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from sqlglot import exp

from profiles_pipeline.compile.accumulators import BUCKET, LATER, TIMELESS, Accumulator, bucket_of
from profiles_pipeline.compile.rows import alias, all_rows, col, moment, occurred, quoted, text, timestamp
from profiles_pipeline.compile.statement import FILE, Compilation, Statement, Step, create
from profiles_pipeline.resolve.model import Input, Model
from profiles_pipeline.sql import build


def fingerprints(
    c: Compilation, source: Model, columns: Iterable[str] | None, kept: tuple[exp.Table, Mapping[str, str]] | None
) -> exp.Expr:
    """Return the query of the fingerprints of a source's buckets: file, its state, BUCKET, row_count, newest, content.

    Of each file there is also a row without a bucket, so that one in which nothing counts is known to have been read.
    Rows that the time context cannot see yet are in the bucket LATER. Files that are as they were are not read, nor
    are days before the newest known one where a source is said to grow at its end only. All are where somebody was
    forgotten since: a state tells for which list of those it holds.

    Args:
        c: what to compile against.
        source: the source.
        columns: names of the columns that count; None for all. None does where values are said to stay as they are.
        kept: the table of the fingerprints of earlier runs, and the files in it, each with its state then (see `Held`).
    """
    level = c.changes.get(source.path, "content")
    contents = {"content": columns if level == "content" else ()}
    files = c.files(source) if isinstance(source, Input) else None
    mark = c.suppressed.mark if c.suppressed is not None else ""
    if files is None and level == "append" and kept is not None:
        return _grown(c, source, kept[0], mark)
    if files is None:
        return _fingerprints(c, source, contents, all_rows(c, source), (text(""), text(mark)))
    seen = kept[1] if kept is not None else {}
    states = {file: f"{state}{mark}" for file, state in files.states.items()}
    unchanged = {f for f, s in states.items() if seen.get(f) == s}
    changed = {f: s for f, s in states.items() if f not in unchanged}
    rows = all_rows(c, source, files.relation.copy())
    listed: list[exp.Expr] = [text(file) for file in changed]
    rows.where(exp.In(this=col(FILE), expressions=listed or [exp.Null()]), copy=False)
    state = exp.Case(
        ifs=[exp.If(this=exp.EQ(this=col(FILE), expression=text(f)), true=text(s)) for f, s in changed.items()]
    )
    read = _fingerprints(c, source, contents, rows, (col(FILE), state if changed else text("")))
    if changed:
        read = exp.union(read, _marks(changed), distinct=False, copy=False)
    if not unchanged or kept is None:
        return read
    # Files come day by day: those that are as they were are many, the others few.
    known = build("SELECT * FROM :seen", seen=kept[0])
    assert isinstance(known, exp.Select)
    if others := sorted(seen.keys() - unchanged):
        known.where(exp.Not(this=exp.In(this=col(FILE), expressions=list(map(text, others)))), copy=False)
    return exp.union(known, read, distinct=False, copy=False) if changed else known


def _marks(files: Mapping[str, str]) -> exp.Expr:
    """Return a row of no bucket for each file, given with its state: it was read, though nothing in it may count."""
    rows = [exp.Tuple(expressions=[text(file), text(state)]) for file, state in files.items()]
    named = exp.TableAlias(this=quoted("f"), columns=[quoted("file"), quoted("state")])
    return build(
        """
        SELECT f.file AS :file_name, f.state AS state, CAST(NULL AS TIMESTAMP) AS :bucket, 0 AS row_count,
            CAST(NULL AS TIMESTAMP) AS newest, CAST(NULL AS HUGEINT) AS content
        FROM :files
        """,
        file_name=FILE,
        bucket=BUCKET,
        files=exp.Values(expressions=rows, alias=named),
    )


def taken_together(
    c: Compilation, accumulators: Sequence[Accumulator], table: Callable[[int], exp.Table]
) -> tuple[list[Step], list[Accumulator]]:
    """Return steps that take fingerprints for several accumulators, and all accumulators, which read them.

    However many accumulators look at a source, its rows are read once. Files are left to each accumulator: which of
    them are as they were is another matter for each.

    Args:
        c: what to compile against.
        accumulators: those of one script.
        table: gives a temporary table for the fingerprints of a source, by its number.
    """
    by_source: dict[str, list[Accumulator]] = {}
    for a in accumulators:
        source = c.graph.models[a.source]
        is_file = isinstance(source, Input) and c.files(source) is not None
        if a.is_kept and not is_file and c.changes.get(a.source, "content") == "content":
            by_source.setdefault(a.source, []).append(a)
    steps: list[Step] = []
    found = {a.table.name: a for a in accumulators}
    for number, (path, several) in enumerate(by_source.items()):
        if len(several) == 1:
            continue
        names = {reads: f"content_{n}" for n, reads in enumerate(dict.fromkeys(a.reads for a in several))}
        source, mark = c.graph.models[path], c.suppressed.mark if c.suppressed is not None else ""
        query = _fingerprints(
            c, source, {name: reads for reads, name in names.items()}, all_rows(c, source), (text(""), text(mark))
        )
        taken = table(number)
        steps.append(Statement(create("temporary table", taken, query), f"fingerprints of the days of {path}"))
        for a in several:
            columns: list[exp.Expr | str] = [
                FILE,
                "state",
                BUCKET,
                "row_count",
                "newest",
                alias(col(names[a.reads]), "content"),
            ]
            seen = build("SELECT :columns FROM :taken", columns=columns, taken=taken)
            found[a.table.name] = replace(a, seen=seen)
    return steps, list(found.values())


def _grown(c: Compilation, source: Model, seen: exp.Table, mark: str) -> exp.Expr:
    """Return the fingerprints of a source of which only the newest known day and later ones are read."""
    rows = all_rows(c, source)
    if (occurred_at := getattr(source, "occurred_at", None)) is None:
        return _fingerprints(c, source, {"content": ()}, rows, (text(""), text(mark)))
    later, timeless = moment(LATER), moment(TIMELESS)
    holds: exp.Expr = seen
    if mark:  # what was seen when other people were forgotten says nothing of the rows that are read now
        holds = build("SELECT * FROM :seen WHERE state = :mark", seen=seen, mark=text(mark))
    newest = build(
        "(SELECT COALESCE(MAX(:bucket), :timeless) FROM :seen AS seen WHERE :bucket NOT IN (:timeless, :later))",
        bucket=BUCKET,
        seen=holds,
        timeless=timeless,
        later=later,
    )
    time = occurred(c, occurred_at, source.path)
    rows.where(build(":time IS NULL OR :time >= :newest", time=time, newest=newest), copy=False)
    read = _fingerprints(c, source, {"content": ()}, rows, (text(""), text(mark)))
    known = build(
        "SELECT * FROM :seen AS seen WHERE :bucket > :timeless AND :bucket < :newest",
        bucket=BUCKET,
        seen=holds,
        timeless=timeless,
        newest=newest,
    )
    return exp.union(known, read, distinct=False, copy=False)


def _fingerprints(
    c: Compilation,
    source: Model,
    contents: Mapping[str, Iterable[str] | None],
    rows: exp.Select,
    file: tuple[exp.Expr, exp.Expr],
) -> exp.Expr:
    """Return the query of fingerprints; `contents` has the columns that each of those of values is about."""
    occurred_at = getattr(source, "occurred_at", None)
    newest: exp.Expr = exp.cast(exp.Null(), "TIMESTAMP")
    bucket = bucket_of(c, source)
    if occurred_at is not None:
        newest = occurred(c, occurred_at, source.path)
        bucket = build(
            "CASE WHEN :time >= :end THEN :later ELSE :bucket END",
            time=newest,
            end=timestamp(c),
            later=moment(LATER),
            bucket=bucket,
        )
    return build(
        """
        SELECT :file AS :file_name, :state AS state, :bucket AS :name, COUNT(*) AS row_count, MAX(:newest) AS newest,
            :contents
        FROM :rows AS source_rows GROUP BY :keys
        """,
        file=file[0],
        file_name=FILE,
        state=file[1],
        bucket=bucket,
        name=BUCKET,
        newest=newest,
        contents=[alias(content(columns), name) for name, columns in contents.items()],
        rows=rows,
        keys=[exp.Literal.number(place) for place, tree in enumerate((*file, bucket), 1) if not _is_one(tree)],
    )


def content(columns: Iterable[str] | None) -> exp.Expr:
    """Return the aggregate that tells rows from others by the values of these columns, in whatever order they come."""
    value = build("HASH(source_rows)")
    if columns is not None:
        names: list[exp.Expr] = [col(name) for name in sorted(set(columns))]
        value = exp.Anonymous(this="HASH", expressions=names or [exp.Literal.number(0)])
    return build("SUM(CAST(:value AS HUGEINT))", value=value)


def _is_one(tree: exp.Expr) -> bool:
    """True for what is the same for all rows, by which nobody need group them."""
    return isinstance(tree, exp.Literal)
