"""Splits the aggregates of an entity var into parts that can be kept per id and day and put together later.

An aggregate over all rows of a person equals an aggregate over the aggregates of the parts of these rows, for every
function whose result can be merged: counts, sums, extremes, sets, first and last values by a total order, and averages
as a sum and a count. What stands around the aggregates is evaluated over the merged values, whenever they are needed.

A condition that says how long ago a row may have happened moves with the end time. It is taken out of the part, which
keeps the earliest and the latest moment of its rows instead: where the condition is the same at both, it holds for all
rows between, or for none (`sql.time_windows`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest

from sqlglot import exp

from profiles_pipeline import sql
from profiles_pipeline.compile.rows import col
from profiles_pipeline.names import PARTIAL
from profiles_pipeline.sql import build
from profiles_pipeline.sql.cases import in_cases
from profiles_pipeline.sql.time_windows import Window, window_of


class UnsplittableError(Exception):
    """An expression cannot be kept in parts; says why."""


class MovingError(UnsplittableError):
    """An expression depends on the end time in a way that is not understood."""


@dataclass(frozen=True)
class Split:
    """An expression over the rows of an entity, in parts.

    Attributes:
        partials: column -> aggregate over the rows of one id in one bucket.
        merged: column -> aggregate over rows of `partials`; flags of windows stand as columns in it.
        final: the value of the expression, over the columns of `merged`.
        windows: flag -> the conditions as of the end time that the expression was read for; all must hold.
        flagged: flag -> the columns of `partials` that count only where it is set, each under its own condition.
        moves: whether what stands around the aggregates depends on the end time.
    """

    partials: dict[str, exp.Expr] = field(default_factory=dict)
    merged: dict[str, exp.Expr] = field(default_factory=dict)
    final: exp.Expr = field(default_factory=exp.Null)
    windows: dict[str, tuple[Window, ...]] = field(default_factory=dict)
    flagged: dict[str, set[str]] = field(default_factory=dict)
    moves: bool = False


def split(tree: exp.Expr, read_for_other_time: exp.Expr, *, structs: bool = True) -> Split:
    """Return the expression of a var in parts.

    Args:
        tree: the expression, ready for a GROUP BY by entity (`aggregates.shared`).
        read_for_other_time: the same expression read for another end time, from which it shows what moves.
        structs: whether a part can hold several values, each of its own type; else each is a part of its own.

    Raises:
        MovingError: it asks for the end time in a way that is not understood.
        UnsplittableError: one of its aggregates needs all rows at once.
    """
    found = Split()
    tree, other = in_cases(tree), in_cases(read_for_other_time)
    if not structs:
        tree, other = _without_pairs(tree), _without_pairs(other)
    calls, others = list(_calls(tree)), list(_calls(other))
    if len(calls) != len(others):
        raise MovingError("its aggregates change with the end time")
    finals = {id(call): _kept(found, call, twin, structs) for call, twin in zip(calls, others, strict=True)}
    at_other_time = _replaced(
        other, {id(twin): sql.copied(finals[id(call)]) for call, twin in zip(calls, others, strict=True)}
    )
    final = _replaced(tree, finals)
    if any(True for _ in sql.column_names(_masked(final))):
        raise UnsplittableError("it uses columns outside an aggregate")
    return Split(found.partials, found.merged, final, found.windows, found.flagged, at_other_time != final)


# --- finding the aggregates -------------------------------------------------------------------------------------


def _calls(node: exp.Expr) -> Iterator[exp.Expr]:
    """Yield the outermost aggregate calls of a tree, each with its FILTER and the like."""
    inner = node
    while isinstance(inner, exp.Filter | exp.WithinGroup | exp.IgnoreNulls | exp.RespectNulls):
        inner = inner.this
    if sql.is_aggregate_call(inner):
        yield node
        return
    for child in node.iter_expressions():
        yield from _calls(child)


def _replaced(tree: exp.Expr, by: dict[int, exp.Expr]) -> exp.Expr:
    """Return the tree with nodes replaced, by their identity. Changes the tree in place."""
    if id(tree) in by:
        return by[id(tree)]
    for node in list(_nodes(tree, by)):
        node.replace(by[id(node)])
    return tree


def _nodes(tree: exp.Expr, wanted: dict[int, exp.Expr]) -> Iterator[exp.Expr]:
    if id(tree) in wanted:
        yield tree
        return
    for child in list(tree.iter_expressions()):
        yield from _nodes(child, wanted)


def _masked(final: exp.Expr) -> exp.Expr:
    """Return the final expression without the columns of merged values."""
    return final.transform(lambda n: exp.Null() if isinstance(n, exp.Column) and n.name.startswith("m_") else n)


# --- one aggregate ----------------------------------------------------------------------------------------------


def _kept(found: Split, call: exp.Expr, twin: exp.Expr, structs: bool) -> exp.Expr:
    """Add the parts of a call to what is kept; return its value over merged columns."""
    function, conditions = _taken_apart(call)
    other, other_conditions = _taken_apart(twin)
    if sql.canonical_text(function) != sql.canonical_text(other):
        raise MovingError("what it adds up changes with the end time")
    still, flag = _windows(found, conditions, other_conditions)
    columns = [col(window.column) for window in found.windows.get(flag, ())]
    still += [build(":column IS NOT NULL", column=column) for column in {c.name: c for c in columns}.values()]
    where = exp.and_(*still) if still else None
    if not structs and isinstance(function, exp.First) and isinstance(function.this, exp.Order):
        return _first_without_structs(found, function.this, where, flag)
    parts, finish = _parts(function)
    merged = [_merged(found, _held(found, partial, where), merge, flag) for partial, merge in parts]
    return finish(*map(col, merged))


def _held(found: Split, partial: exp.Expr, where: exp.Expr | None) -> str:
    """Add an aggregate over the rows of which `where` is true to what is kept; return the name of its column."""
    held = partial if where is None else with_condition(partial, where)
    name = f"{PARTIAL}{_hash(sql.canonical_text(held))}"
    found.partials[name] = held
    return name


def _taken_apart(call: exp.Expr) -> tuple[exp.Expr, list[exp.Expr]]:
    """Return an aggregate without its FILTER, and the conditions of that."""
    if not isinstance(call, exp.Filter):
        return call, []
    condition = call.expression.this.unnest()
    return call.this, list(condition.flatten()) if isinstance(condition, exp.And) else [condition]


def with_condition(call: exp.Expr, where: exp.Expr) -> exp.Expr:
    """Return an aggregate that counts only rows of which `where` is true as well."""
    if isinstance(call, exp.Filter):
        where = exp.and_(sql.copied(call.expression.this), sql.copied(where), copy=False)
        return exp.Filter(this=sql.copied(call.this), expression=exp.Where(this=where))
    return exp.Filter(this=sql.copied(call), expression=exp.Where(this=sql.copied(where)))


def _windows(found: Split, conditions: list[exp.Expr], others: list[exp.Expr]) -> tuple[list[exp.Expr], str]:
    """Return the conditions that stand still, and the flag of those that are windows in time; no text where none is."""
    still, windows, texts = [], [], []
    for one, other in zip_longest(conditions, others):
        if one is None or other is None:
            raise MovingError("its conditions change with the end time")
        if sql.canonical_text(one) == sql.canonical_text(other):
            still.append(one)
            continue
        window = window_of(one.unnest())
        if window is None:
            raise MovingError(f"{one.sql('duckdb')} moves with the end time and is no window that is understood")
        windows.append(window)
        texts.append(sql.canonical_text(other))
    flag = f"w_{_hash(' '.join(texts))}" if texts else ""
    if flag:
        found.windows[flag] = tuple(windows)
    return still, flag


def _merged(found: Split, partial: str, merge: Callable[[exp.Expr], exp.Expr], flag: str) -> str:
    tree = merge(col(partial))
    name = f"m_{_hash(' '.join([partial, sql.canonical_text(tree), flag]))}"
    if flag:
        found.flagged.setdefault(flag, set()).add(partial)
        listed = next(iter(tree.find_all(exp.Filter)), None)
        if listed is None:
            tree = with_condition(tree, col(flag))
        else:
            flagged = with_condition(listed, col(flag))
            tree = flagged if listed is tree else _replaced(tree, {id(listed): flagged})
    found.merged[name] = tree
    return name


Part = tuple[exp.Expr, Callable[[exp.Expr], exp.Expr]]
Parts = tuple[list[Part], Callable[..., exp.Expr]]


def _parts(function: exp.Expr) -> Parts:
    """Return the partial aggregates of a function, how each is merged, and how the value follows from them.

    Raises:
        UnsplittableError: the function needs all rows at once.
    """
    value = function.this
    if isinstance(function, exp.Count | exp.CountIf):
        if isinstance(value, exp.Distinct):
            return _distinct(value, lambda m: build("CAST(COALESCE(ARRAY_LENGTH(:m), 0) AS BIGINT)", m=m))
        return [(function, _total)], lambda m: build("CAST(COALESCE(:m, 0) AS BIGINT)", m=m)
    if isinstance(value, exp.Distinct) and not isinstance(function, exp.ArrayAgg | exp.Min | exp.Max):
        raise UnsplittableError(f"{function.sql('duckdb')} needs all rows at once")
    if isinstance(function, exp.Sum | exp.Min | exp.Max | exp.LogicalAnd | exp.LogicalOr):
        same = type(function)
        return [(function, lambda p: same(this=p))], lambda m: m
    if isinstance(function, exp.Avg):
        total, number = exp.Sum(this=sql.copied(value)), exp.Count(this=sql.copied(value), big_int=True)
        mean = "CASE WHEN :n > 0 THEN CAST(:s AS DOUBLE) / :n END"
        return [(total, _total), (number, _total)], lambda s, n: build(mean, s=s, n=n)
    if isinstance(function, exp.ArrayAgg) and isinstance(value, exp.Distinct):
        return _distinct(value, lambda m: m)
    if isinstance(function, exp.First) and isinstance(value, exp.Order):
        return _first(value)
    raise UnsplittableError(f"{function.sql('duckdb')} needs all rows at once")


def _total(part: exp.Expr) -> exp.Expr:
    return build("SUM(:p)", p=part)


def _distinct(values: exp.Distinct, finish: Callable[[exp.Expr], exp.Expr]) -> Parts:
    """Keep the set of values; sets of sets are united."""
    if len(values.expressions) != 1:
        raise UnsplittableError("distinct combinations of several columns are not kept")
    kept = exp.Filter(
        this=exp.ArrayAgg(this=exp.Distinct(expressions=[sql.copied(values.expressions[0])])),
        expression=exp.Where(this=build(":x IS NOT NULL", x=values.expressions[0])),
    )
    merge = "LIST_DISTINCT(FLATTEN(ARRAY_AGG(:p) FILTER (WHERE :p IS NOT NULL)))"
    return [(kept, lambda p: build(merge, p=p))], finish


def _first(ordered: exp.Order) -> Parts:
    """Keep the first value by a total order with the keys of that order."""
    keys = ordered.expressions
    fields = [f"'k{n}': :k{n}" for n in range(len(keys))]
    fillings = {f"k{n}": sql.copied(key.this) for n, key in enumerate(keys)}
    row = build(f"{{'v': :v, {', '.join(fields)}}}", v=sql.copied(ordered.this), **fillings)
    partial = exp.First(this=exp.Order(this=row, expressions=[sql.copied(key) for key in keys]))

    def merge(p: exp.Expr) -> exp.Expr:
        order = []
        for n, key in enumerate(keys):
            again = sql.copied(key)
            again.set("this", build(f"STRUCT_EXTRACT(:p, 'k{n}')", p=p))
            order.append(again)
        first = exp.First(this=exp.Order(this=p.copy(), expressions=order))
        return exp.Filter(this=first, expression=exp.Where(this=build(":p IS NOT NULL", p=p)))

    return [(partial, merge)], lambda m: build("STRUCT_EXTRACT(:m, 'v')", m=m)


def _first_without_structs(found: Split, ordered: exp.Order, where: exp.Expr | None, flag: str) -> exp.Expr:
    """Keep the first value by a total order, each key of it, and the number of rows, as parts of their own."""
    keys = ordered.expressions

    def first(of: exp.Expr) -> exp.Expr:
        order = [sql.copied(key) for key in keys]
        return exp.First(this=exp.Order(this=sql.copied(of), expressions=order))

    value = _held(found, first(ordered.this), where)
    held = [_held(found, first(key.this), where) for key in keys]
    number = _held(found, build("COUNT(*)"), where)
    order = []
    for name, key in zip(held, keys, strict=True):
        again = sql.copied(key)
        again.set("this", col(name))
        order.append(again)
    if flag:  # what counts of a day that is partly in the window is made up of all of them
        found.flagged.setdefault(flag, set()).update([*held, number])

    def merge(p: exp.Expr) -> exp.Expr:
        known = exp.Where(this=build(":n > 0", n=col(number)))
        return exp.Filter(this=exp.First(this=exp.Order(this=p, expressions=order)), expression=known)

    return col(_merged(found, value, merge, flag))


def _without_pairs(tree: exp.Expr) -> exp.Expr:
    """Return the tree with the largest pair of k and v as the first v by them, NULL being larger than all else."""

    def visit(node: exp.Expr) -> exp.Expr:
        call = node.this if isinstance(node, exp.StructExtract) and node.expression.name == "v" else None
        inner = call.this if isinstance(call, exp.Filter) else call
        if not isinstance(inner, exp.Max | exp.Min) or not isinstance(inner.this, exp.Struct):
            return node
        down = isinstance(inner, exp.Max)
        fields = [field.expression for field in inner.this.expressions]
        keys = [exp.Ordered(this=sql.copied(field), desc=down, nulls_first=down) for field in fields]
        first = exp.First(this=exp.Order(this=sql.copied(fields[-1]), expressions=keys))
        return exp.Filter(this=first, expression=call.expression) if isinstance(call, exp.Filter) else first

    return sql.transformed(tree, visit)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
