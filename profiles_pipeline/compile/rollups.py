"""Which vars are carried on from run to run, and how: in parts, by going over some people's rows again, or not.

* ``state``: the aggregate is kept per id and day (`accumulators`), and put together again for those it changed for.
* ``replay``: anything else over the rows of one person: computed from rows, for those only whom something touched.
* ``full``: what looks at other people, other tables or the clock in a way that is not understood: computed for all.

Who is touched: whose rows of a day are others than before, whose id graph changed, and for whom a day enters or leaves
a window in time. What is computed from vars alone is computed for everybody each time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from sqlglot import exp

from profiles_pipeline import sql
from profiles_pipeline.compile.partials import MovingError, Split, UnsplittableError, split
from profiles_pipeline.compile.statement import Compilation
from profiles_pipeline.resolve.model import InputVar, Model, Source, Stitcher
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.resolve.readings import ReadVar, VarKey

Kind = Literal["state", "replay", "full", "derived"]


@dataclass(frozen=True)
class Strategy:
    """How a var is brought up to date, and why so.

    Attributes:
        kind: see the module; ``derived`` for what is computed from other vars alone.
        reason: why, for people to read.
        split: its parts, where it is kept in parts.
        before: the same as of the end time of the run before.
    """

    kind: Kind
    reason: str
    split: Split | None = None
    before: Split | None = None


@dataclass(frozen=True)
class Texts:
    """A var as read for some end time: its expression for a shared GROUP BY (None if it cannot share one), as read."""

    shared: exp.Expr | None
    read: ReadVar


def strategy(
    c: Compilation,
    source: Model,
    entity: str,
    texts: tuple[Texts, Texts, Texts],
    inputs: Iterable[tuple[InputVar, bool]],
    own_ids: frozenset[str],
) -> Strategy:
    """Return how a var over a source is brought up to date, the vars that it needs on rows aside.

    Args:
        c: what to compile against.
        source: what it reads.
        entity: whose var it is.
        texts: the var as of this run, of the run before, and of quite another time, which show what moves.
        inputs: the input vars behind it, each with whether it reads the same at another time.
        own_ids: lower-case names of the columns that hold the main id.
    """
    now, _, other = texts
    still = words(now.read) == words(other.read)
    if isinstance(source, Stitcher):
        same = source.path == c.project.entities[entity].stitcher
        if not same or not still:
            return Strategy("full", "it moves with the end time" if same else "it reads the graph of others")
        return Strategy("replay", "it reads the id graph")
    if not isinstance(source, Source):
        return Strategy("full", f"it reads {source.path}, which is made anew")
    if not _of_rows(now.read):
        return Strategy("full", "it reads other tables, or is not the same each time")
    read = {var.name: (c.reader.input_var(var), is_still) for var, is_still in inputs}
    for name, (one, is_still) in read.items():
        if not is_still or one.vars or not _stays_with_person(one, own_ids):
            why = "looks at other people or vars" if is_still else "moves with the end time"
            return Strategy("full", f"the input var {name} {why}")
    why_not = _why_not(now, {name: one for name, (one, _) in read.items()}, own_ids)
    return _kept(texts, still, why_not, structs=c.structs)


def _why_not(now: Texts, inputs: Mapping[str, ReadVar], own_ids: frozenset[str]) -> str | None:
    """Return why a var cannot be kept in parts; None when nothing is known that stands against it."""
    if now.read.vars:
        return "it needs other vars on its rows"
    for name, read in inputs.items():
        if read.window is not None or (read.select is not None and sql.has_window(read.select)):
            return f"the input var {name} looks at other rows of the person"
    if any(read.columns & own_ids for read in (now.read, *inputs.values())):
        return "it looks at the main id"
    return None if now.shared is not None else "it needs all rows of the person in order"


def _kept(texts: tuple[Texts, Texts, Texts], still: bool, why_not: str | None, *, structs: bool) -> Strategy:
    now, before, other = texts
    if why_not is None:
        assert now.shared is not None
        try:
            parts = split(now.shared, other.shared or exp.Null(), structs=structs)
            earlier = parts
            if before is not now:
                earlier = split(before.shared or exp.Null(), other.shared or exp.Null(), structs=structs)
            if parts.merged.keys() == earlier.merged.keys():
                return Strategy("state", _how(parts), parts, earlier)
            why_not = "it was another expression at the time of the run before"
        except MovingError as error:
            return Strategy("full", str(error))
        except UnsplittableError as error:
            why_not = str(error)
    return Strategy("replay", why_not) if still else Strategy("full", f"{why_not}, and it moves with the end time")


def _how(parts: Split) -> str:
    windows = f", of which a window in time picks the days ({len(parts.windows)})" if parts.windows else ""
    return f"kept per id and day{windows}"


def words(read: ReadVar) -> tuple[str, ...]:
    """Return the texts of a var that decide on its value, its default and type aside."""
    window = read.window
    trees = [read.select, read.where]
    if window is not None:
        trees += [*window.partition_by, *window.order_by, window.frame]
    return tuple("" if tree is None else sql.canonical_text(tree) for tree in trees)


def _of_rows(read: ReadVar) -> bool:
    trees = [tree for tree in (read.select, read.where) if tree is not None]
    return all(sql.is_deterministic(tree) and not sql.has_subquery(tree) for tree in trees) and not read.models


def _stays_with_person(read: ReadVar, own_ids: frozenset[str]) -> bool:
    """True when an input var looks at no rows but those of the person."""
    if not _of_rows(read):
        return False
    if read.select is not None and sql.has_window(read.select):
        return all(
            _partitions(window.args.get("partition_by") or (), own_ids) for window in read.select.find_all(exp.Window)
        )
    return read.window is None or _partitions(read.window.partition_by, own_ids)


def _partitions(keys: Iterable[exp.Expr], own_ids: frozenset[str]) -> bool:
    return any(isinstance(key, exp.Column) and key.name.lower().rpartition("/")[2] in own_ids for key in keys)


def reads_the_same(var: InputVar, one: Reader, other: Reader) -> bool:
    """True when an input var is the same at both readers' times, its default and type included."""
    a, b = one.input_var(var), other.input_var(var)
    return (words(a), *map(_text, (a.default, a.cast))) == (words(b), *map(_text, (b.default, b.cast)))


def _text(tree: exp.Expr | None) -> str:
    return "" if tree is None else sql.canonical_text(tree)


@dataclass(frozen=True)
class Carried:
    """What a var table goes on from.

    Attributes:
        before: what the run before was compiled against; None when there was none that this one can go on from.
        later: the same as of quite another time.
        kept: name of each table kept from that run -> its columns.
        exist: names of all tables that any run has left behind.
        files: name of each table kept from that run -> the files that were read for it, with their states.
        version: number of the state of the id graph now.
        since: number of the state that the kept tables are made for.
        changes: table of the changes of the id graph.
    """

    before: Compilation | None
    later: Compilation
    kept: Mapping[str, tuple[str, ...]]
    exist: Collection[str]
    files: Mapping[str, Mapping[str, str]]
    version: int
    since: int
    changes: exp.Table


def is_settled(
    key: VarKey, home: str, homes: Mapping[VarKey, str], strategies: Mapping[str, Strategy], still: Collection[str]
) -> bool:
    """True when a var that others need on rows changes for touched people only."""
    if homes.get(key) != home:
        return False
    found = strategies.get(key[1])
    return found is not None and (found.kind in ("state", "replay") or (found.kind == "derived" and key[1] in still))
