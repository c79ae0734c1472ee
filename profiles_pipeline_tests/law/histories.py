"""Histories: tables that change in every way that tables change, with runs in between, and strategies that draw them.

Everything is a plain value whose `repr` can be pasted into a test.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Literal

from hypothesis import strategies as st

from profiles_pipeline_tests.law.projects import BLOCKED, GROUPS, Shape

FIRST_DAY = datetime(2024, 2, 25)
"""The days of a history lie around the end of a month that has 29 days."""

DAYS = 10

GROUPS_OF_CROWD = 100
"""How many small histories go on beside the one that is drawn."""

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "identifies": ("user_id", "anonymous_id", "email", "source", "ts"),
    "tracks": ("user_id", "anonymous_id", "event", "amount", "price", "weight", "flag", "ts"),
    "orders": ("email", "user_id", "status", "total", "ts"),
    "plans": ("user_id", "plan", "seats"),
}
"""Table -> its columns, beside `n`, the number that every row has for itself."""

Values = tuple[object, ...]
Layout = Literal["daily files", "one file", "tables"]


@dataclass(frozen=True)
class Append:
    """Rows come, of whatever day."""

    table: str
    rows: tuple[Values, ...]


@dataclass(frozen=True)
class Repeat:
    """A row comes a second time. `at` counts the rows of the table, round and round."""

    table: str
    at: int


@dataclass(frozen=True)
class Delete:
    """A row goes, with its repetitions."""

    table: str
    at: int


@dataclass(frozen=True)
class Correct:
    """A value of a row, and of its repetitions, is put right in place."""

    table: str
    at: int
    column: str
    value: object


@dataclass(frozen=True)
class Empty:
    """All rows go."""

    table: str


@dataclass(frozen=True)
class Crowd:
    """In many groups of few people, each with ids of its own, rows of these days come, and others go and change.

    What happens follows from the seed, so that one history holds as many small ones as it has groups.
    """

    groups: int
    first: int
    last: int
    seed: int


Change = Append | Repeat | Delete | Correct | Empty | Crowd


@dataclass(frozen=True)
class Forget:
    """People are forgotten, in one request. Each number counts the identifiers of the newest window."""

    at: tuple[int, ...]


@dataclass(frozen=True)
class TakeBack:
    """A request is taken back: one of an identifier that is forgotten."""

    at: int


@dataclass(frozen=True)
class Step:
    """What happens to the tables, then a run.

    Attributes:
        end: the end time of the run, naive UTC.
        shape: what the project is like from now on; None when it stays.
        asked: what is asked for after the run.
    """

    changes: tuple[Change, ...]
    end: datetime
    shape: Shape | None = None
    asked: tuple[Forget | TakeBack, ...] = ()


@dataclass(frozen=True)
class History:
    """A project, how its tables are kept, and what happens."""

    shape: Shape
    layout: Layout
    steps: tuple[Step, ...]


Tables = dict[str, list[dict[str, object]]]


def replay(history: History) -> Iterator[tuple[Step, Shape, Tables]]:
    """Yield each step with the project and the tables as they are when it runs."""
    tables: Tables = {name: [] for name in COLUMNS}
    shape, numbers = history.shape, iter(range(1, 1_000_000))
    for step in history.steps:
        for change in step.changes:
            for one in crowded(change, tables) if isinstance(change, Crowd) else [change]:
                tables = {**tables, one.table: _changed(one, tables[one.table], numbers)}
        shape = step.shape or shape
        yield step, shape, tables


def _changed(
    change: Append | Repeat | Delete | Correct | Empty, rows: list[dict[str, object]], numbers: Iterator[int]
) -> list[dict[str, object]]:
    match change:
        case Append():
            columns = COLUMNS[change.table]
            return [*rows, *({**dict(zip(columns, v, strict=True)), "n": next(numbers)} for v in change.rows)]
        case Empty():
            return []
    if not rows:
        return rows
    meant = rows[change.at % len(rows)]
    match change:
        case Repeat():
            return [*rows, meant]
        case Delete():
            return [row for row in rows if row["n"] != meant["n"]]
        case Correct():
            return [{**row, change.column: change.value} if row["n"] == meant["n"] else row for row in rows]


# --- values ------------------------------------------------------------------------------------------------------

_IDS: dict[str, list[object]] = {
    "user_id": ["u1", "u2", "u3", "u4", "u5", "u6", None, None, None, "", " "],
    "anonymous_id": ["a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", None, None, None, "\t"],
    "email": ["m1@x.com", "m2@x.com", "m3@x.com", "m4@x.com", BLOCKED, None, None, None],
}
_CELLS: dict[str, list[object]] = {
    **_IDS,
    "source": ["web", "app", None],
    "event": ["buy", "view", "login", None],
    "amount": [0, 1, 3, 4, 10, -2, None],
    "price": [Decimal("0.10"), Decimal("19.99"), Decimal("-3.33"), None],
    "weight": [0.1, 0.7, 1e9, -2.5, None],
    "flag": [True, False, None],
    "status": ["paid", "open", None],
    "total": [Decimal("5.00"), Decimal("7.25"), Decimal("1000.01"), None],
    "plan": ["basic", "pro", None],
    "seats": [1, 5, None],
}
_MINUTES = (0, 0, 10, 9 * 60, 9 * 60 + 20, 12 * 60, 23 * 60 + 50)
_CLOCK = (*(timedelta(minutes=minutes) for minutes in _MINUTES), timedelta(days=1, microseconds=-1))
_ODD_TIMES = (datetime(1970, 1, 1), datetime(2099, 1, 1), None)


def _moments(first: int, last: int) -> list[object]:
    """Return the times of these days; seldom one that is far away, or none."""
    usual = [FIRST_DAY + timedelta(days=day) + clock for day in range(first, last + 1) for clock in _CLOCK]
    return usual + list(_ODD_TIMES) * (1 + len(usual) // 30)


_ROWS_OF_A_GROUP = {"identifies": 3, "tracks": 6, "orders": 3, "plans": 1}


def crowded(crowd: Crowd, tables: Tables) -> Iterator[Append | Repeat | Delete | Correct]:
    """Yield what happens in a crowd, table by table: about every tenth row is another one afterwards."""
    chance = Random(crowd.seed)
    cells = _CELLS | {"ts": _moments(crowd.first, crowd.last)}
    for table, most in _ROWS_OF_A_GROUP.items():
        for _ in range(len(tables[table]) // 20):
            at, column = chance.randrange(1_000_000), chance.choice(COLUMNS[table])
            # Two windows may put two equal rows in different orders, which shows where both are columns of these rows.
            yield Delete(table, at) if table == "tracks" else chance.choice([Repeat(table, at), Delete(table, at)])
            yield Correct(table, at + 1, column, _of_group(column, chance.choice(cells[column]), crowd, chance))
        yield Append(
            table,
            tuple(
                tuple(_own(column, chance.choice(cells[column]), group) for column in COLUMNS[table])
                for group in range(crowd.groups)
                for _ in range(chance.randrange(most + 1))
            ),
        )


def _of_group(column: str, value: object, crowd: Crowd, chance: Random) -> object:
    return _own(column, value, chance.randrange(crowd.groups)) if crowd.groups else value


def _own(column: str, value: object, group: int) -> object:
    """Return an id with the number of its group; anything else, and what is no id, as it is.

    The id that may be left out stands in the first group only: where it counts, it would make them all one.
    """
    told = column in _IDS and isinstance(value, str) and value.strip() and (value, group) != (BLOCKED, 0)
    return f"{value}~{group}" if told else value


# --- strategies --------------------------------------------------------------------------------------------------

_VALUES: dict[str, st.SearchStrategy[object]] = {column: st.sampled_from(cells) for column, cells in _CELLS.items()}


def _times(first: int, last: int) -> st.SearchStrategy[object]:
    """Draw a time of one of these days; seldom one that is far away, or none."""
    return st.sampled_from(_moments(first, last))


def _rows(table: str, first: int, last: int, amount: int) -> st.SearchStrategy[Change]:
    """Draw rows of these days: about five for each of `amount`."""
    values = {**_VALUES, "ts": _times(first, last)}
    row = st.tuples(*(values[column] for column in COLUMNS[table]))
    parts = st.tuples(*(st.lists(row, max_size=12) for _ in range(amount)))
    return st.builds(Append, st.just(table), parts.map(lambda lists: tuple(itertools.chain(*lists))))


def _appends(first: int, last: int) -> st.SearchStrategy[Change]:
    """Draw rows of these days for one of the tables."""
    tables = st.sampled_from(["identifies", "tracks", "tracks", "orders", "plans"])
    return tables.flatmap(lambda table: _rows(table, first, last, 1))


_TABLES = st.sampled_from(tuple(COLUMNS))
_PLACES = st.integers(0, 30)


def _corrections(table: str) -> st.SearchStrategy[Change]:
    values = {**_VALUES, "ts": _times(0, DAYS)}

    def of_column(column: str) -> st.SearchStrategy[Change]:
        return st.builds(Correct, st.just(table), _PLACES, st.just(column), values[column])

    ids = [column for column in COLUMNS[table] if column in _IDS]
    return st.sampled_from([*COLUMNS[table], *ids]).flatmap(of_column)


def _changes(day: int) -> st.SearchStrategy[Change]:
    """Draw what may happen to a table after a run on a day: rows of that day and the next most often."""
    return st.one_of(
        _appends(day, day),
        _appends(day, day + 1),
        _appends(0, max(day - 1, 0)),
        _appends(0, max(day - 1, 0)),
        _TABLES.flatmap(_corrections),
        _TABLES.flatmap(_corrections),
        _TABLES.flatmap(_corrections),
        st.builds(Delete, _TABLES, _PLACES),
        st.builds(Delete, _TABLES, _PLACES),
        st.builds(Repeat, _TABLES, _PLACES),
        st.builds(Empty, _TABLES),
    )


_FIRST_CHANGES = st.tuples(
    _rows("identifies", 0, 4, 2), _rows("tracks", 0, 4, 4), _rows("orders", 0, 4, 2), _rows("plans", 0, 4, 1)
)


def _crowds(first: int, last: int) -> st.SearchStrategy[Change]:
    """Draw a crowd, or none."""
    return st.builds(
        Crowd,
        st.sampled_from([0, GROUPS_OF_CROWD, GROUPS_OF_CROWD]),
        st.just(first),
        st.just(last),
        st.integers(0, 1_000_000),
    )


@st.composite
def _ends(draw: st.DrawFn, day: int) -> tuple[int, datetime]:
    """Draw the day and the end time of the next run: mostly later than `day`, sometimes the same, seldom earlier."""
    ahead = draw(st.sampled_from([1, 1, 1, 1, 2, 2, 0, 4, -1, -3]))
    clock = draw(st.sampled_from([timedelta(0), timedelta(0), timedelta(hours=12), timedelta(seconds=1)]))
    return max(day + ahead, 1), FIRST_DAY + timedelta(days=max(day + ahead, 1)) + clock


_NAME = st.one_of(*(st.sampled_from(GROUPS[kind]) for kind in ("tracks", "rolling", *GROUPS)))
_NAMES = st.lists(_NAME, min_size=1, max_size=12)
_SHAPES = st.builds(
    Shape,
    names=st.tuples(_NAMES, _NAMES).map(lambda lists: tuple(dict.fromkeys(itertools.chain(*lists)))),
    level=st.sampled_from([3, 0]),
    blocks=st.booleans(),
    orders_stitched=st.booleans(),
    cohorts=st.sampled_from([0, 0, 1, 2]),
    sessions=st.sampled_from(["", "", "", "", "", "visits", "stays", "calm"]),
)


@st.composite
def _reshaped(draw: st.DrawFn, shape: Shape) -> Shape:
    """Draw a project that differs from this one in one respect."""
    kind = draw(st.sampled_from(["edition", "more", "fewer", "level", "blocks", "stitched"]))
    match kind:
        case "edition":
            return replace(shape, edition=shape.edition + 1)
        case "more":
            name = draw(_NAME)
            return replace(shape, names=tuple(dict.fromkeys((*shape.names, name))))
        case "fewer":
            return replace(shape, names=shape.names[1:] or shape.names)
        case "level":
            return replace(shape, level=3 - shape.level)
        case "blocks":
            return replace(shape, blocks=not shape.blocks)
    return replace(shape, orders_stitched=not shape.orders_stitched)


@st.composite
def histories(draw: st.DrawFn, layout: Layout, most_steps: int) -> History:
    """Draw a history of at least two runs."""
    shape = first = draw(_SHAPES)
    day, end = draw(_ends(3))
    steps = [Step((*draw(_FIRST_CHANGES), draw(_crowds(0, 4))), end)]
    for _ in range(draw(st.integers(1, most_steps - 1))):
        changes = (*draw(st.lists(_changes(day), max_size=4)), draw(_crowds(max(day - 2, 0), day + 1)))
        newest = max(step.end for step in steps)
        day, end = draw(_ends((newest - FIRST_DAY).days))
        if draw(st.integers(0, 4)) == 4:
            end = draw(st.sampled_from([step.end for step in steps]))
        reshaped = draw(_reshaped(shape)) if draw(st.integers(0, 4)) == 4 else None
        shape = reshaped or shape
        steps.append(Step(changes, end, reshaped))
    return History(first, layout, tuple(steps))
