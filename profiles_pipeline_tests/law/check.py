"""The law as a function: does a history hold it?

After every run of a history each relation is compared with the oracle, where that knows it, and after the last run, or
after every run, with a full rebuild of the same project over the same tables in a warehouse of its own.
"""

from __future__ import annotations

import itertools
import math
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Literal

from profiles_pipeline.forgetting.forgetting import Forgotten
from profiles_pipeline.run import Report
from profiles_pipeline_tests.law import projects
from profiles_pipeline_tests.law.forgetting import Meant, Memory, broken
from profiles_pipeline_tests.law.histories import History, Layout, Step, Tables, TakeBack, replay
from profiles_pipeline_tests.law.oracle import World
from profiles_pipeline_tests.law.place import Place, Relation, Relations
from profiles_pipeline_tests.law.projects import Shape
from profiles_pipeline_tests.law.sessions import Visits

TOLERANCE = 1e-9
"""How far sums of binary floats may differ, relatively: their addition has an order."""

Rows = list[dict[str, object]]
Judge = Literal["oracle", "rebuild", "duckdb"]
Places = Callable[[Path, Layout], Place]
"""Makes a place in a folder that is not there yet."""
Patched = Callable[[], AbstractContextManager[object]]


class LawBrokenError(AssertionError):
    """A relation does not say what it should."""


@cache
def _root() -> tempfile.TemporaryDirectory[str]:
    """The folder for everything that histories leave behind, in memory where there is such a place; gone at exit."""
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(prefix="law-", dir=memory if memory.is_dir() else None)


_NUMBERS = itertools.count(1)


def check(
    history: History,
    *,
    every_run: bool = False,
    patched: Patched = nullcontext,
    judges: tuple[Judge, ...] = ("oracle", "rebuild"),
    places: Places = Place,
) -> None:
    """Replay a history and compare everything that can be read.

    Args:
        history: what happens.
        every_run: compare with a full rebuild after every run, instead of after the last one only.
        patched: what the runs of the history happen under; the rebuilds do not.
        judges: what they are compared with; ``duckdb`` is a full rebuild there, whose types may be others.
        places: where the history happens.

    Raises:
        LawBrokenError: with the first differences.
    """
    root = Path(_root().name)
    place = places(root / f"place_{next(_NUMBERS)}", history.layout)
    replaying = _Replaying(history, root, place, places, judges, patched)
    try:
        for number, (step, shape, tables) in enumerate(replay(history), start=1):
            where = f"run {number} of {len(history.steps)}, as of {step.end}"
            replaying.run(where, step, shape, tables, judged_by_all=every_run or number == len(history.steps))
        for seq_no, (report, found) in replaying.earlier.items():
            compare(f"what was built for seq_no {seq_no}, in the end", found, place.kept(report))
    finally:
        place.remove()


class _Replaying:
    """A history while it happens, and what it has left so far."""

    def __init__(
        self, history: History, root: Path, place: Place, places: Places, judges: tuple[Judge, ...], patched: Patched
    ) -> None:
        self.history, self.root, self.place, self.places = history, root, place, places
        self.judges, self.patched = judges, patched
        self.views, self.memory = _Views(place), Memory()
        self.earlier: dict[int, tuple[Report, Relations]] = {}

    def run(self, where: str, step: Step, shape: Shape, tables: Tables, *, judged_by_all: bool) -> None:
        """Run once the tables are as they are to be, judge what it says, and do what is asked for afterwards."""
        project = projects.load(shape, self.root)
        self.place.write(tables)
        before = self.views.before(step, shape)
        # The catalog tells of a table how many rows it has: corrections in place are seen in a new context only.
        anew = self.history.layout == "tables" and step.end in [end for end, _, _ in self.memory.runs]
        with self.patched():
            report = self.place.run(project, step.end, anew=anew)
        self.views.compare(before, report, step, shape)
        self._judge(where, report, step, shape, tables, by_all=judged_by_all and not step.asked)
        for act in step.asked:
            if isinstance(act, TakeBack):
                if (node := self.memory.taken_back(act)) is not None:
                    self.place.take_back(project, node)
            elif (meant := self.memory.meant(act)) is not None:
                self._forget(f"without {sorted(meant.ids)}, after {where}", meant, shape, tables, judged_by_all)

    def _forget(self, where: str, meant: Meant, shape: Shape, tables: Tables, by_all: bool) -> None:
        """Have people forgotten: the newest window is as if they had never been, and earlier ones are without them."""
        self.memory.requests.append(meant.ids)
        before = self.place.plain(self.views.shown)
        with self.patched():
            done, report = self.place.forget(projects.load(shape, self.root), meant.named)
        again = Step((), report.window.end.replace(tzinfo=None))
        self.views.compare(before, report, again, shape)
        _is_gone(where, meant, done, self.earlier, self.place)
        self._judge(where, report, again, shape, tables, by_all=by_all)

    def _judge(self, where: str, report: Report, step: Step, shape: Shape, tables: Tables, *, by_all: bool) -> None:
        """Compare what a run has built with what the judges say; rebuilds take their time."""
        self.earlier[report.window.seq_no] = report, self.place.kept(report)
        rows, found = self.memory.seen(tables), self.place.built(report)
        self.memory.runs.append((step.end, shape, rows))
        if "oracle" in self.judges:
            compare(f"oracle, {where}", _in_columns(found, said(shape, rows, step.end)), found)
        if "rebuild" in self.judges and by_all:
            there = rebuilt(shape, rows, step, self.history, self.root, self.places)
            compare(f"full rebuild, {where}", there, found)
        if "duckdb" in self.judges and by_all:
            there = rebuilt(shape, rows, step, self.history, self.root)
            compare(f"DuckDB, {where}", _without_types(there), _without_types(found))


def _is_gone(
    where: str, meant: Meant, done: Forgotten, earlier: dict[int, tuple[Report, Relations]], place: Place
) -> None:
    """Raise where anything of people is left in what earlier runs have built, or anything but them is gone."""
    told = [] if done.is_verified else [f"it is not verified: {done.certificate['left']}"]
    for seq_no, (report, before) in earlier.items():
        after = place.kept(report)
        told += [f"seq_no {seq_no}, {fault}" for fault in broken(before, after, meant)]
        earlier[seq_no] = report, after
    if told:
        raise LawBrokenError("\n".join([f"forgetting {sorted(meant.ids)} {where}:", *told[:12]]))


def rebuilt(
    shape: Shape, tables: Tables, step: Step, history: History, root: Path, places: Places = Place
) -> Relations:
    """Return what a run in a warehouse without a past says."""
    place = places(root / f"rebuilt_{next(_NUMBERS)}", history.layout)
    try:
        place.write(tables)
        return place.built(place.run(projects.load(shape, root), step.end))
    finally:
        place.remove()


def _without_types(found: Relations) -> Relations:
    """Return relations whose columns have no types and whose whole numbers are all of one."""

    def cell(value: object) -> object:
        return Decimal(value) if type(value) is int else value

    return {
        path: Relation(
            tuple((name.lower(), "") for name, _ in relation.columns),
            tuple(tuple(map(cell, row)) for row in relation.rows),
        )
        for path, relation in found.items()
    }


@dataclass(frozen=True)
class _Window:
    """A finished run; `is_whole` unless a later run of the same end time may have found some of it outdated."""

    meaning: str
    end: datetime
    is_whole: bool = True


class _Views:
    """What the plain views should show: the latest finished window that has the models as they are now."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.shown: tuple[str, ...] = ()
        self.finished: list[_Window] = []

    def _later(self, step: Step, shape: Shape) -> list[_Window]:
        """Windows that end later and in which the same project was built."""
        return [w for w in self.finished if w.end > step.end and w.meaning == projects.meaning(shape)]

    def before(self, step: Step, shape: Shape) -> Relations:
        """Return what the views show before a run that may have to leave them alone; nothing before another."""
        return self.place.plain(self.shown) if self._later(step, shape) else {}

    def compare(self, before: Relations, report: Report, step: Step, shape: Shape) -> None:
        """Raise where views moved that should not have, or the other way round."""
        later, stayed = self._later(step, shape), report.stays_on is not None
        if (stayed and not later) or (not stayed and any(window.is_whole for window in later)):
            raise LawBrokenError(f"views {'stayed' if stayed else 'moved'} in the run as of {step.end}")
        if stayed:
            compare(f"views before a run as of {step.end}", before, self.place.plain(self.shown))
        else:
            self.shown = report.promoted
        self.finished = [replace(w, is_whole=False) if w.end == step.end else w for w in self.finished]
        self.finished.append(_Window(projects.meaning(shape), step.end))


# --- what the oracle says -----------------------------------------------------------------------------------------


def said(shape: Shape, tables: Tables, end: datetime) -> Mapping[str, Rows]:
    """Return model path -> the rows that the oracle knows it to have."""
    spec = projects.spec_of(shape)
    world = World(spec, tables, end)
    visits = Visits(world, shape.sessions) if shape.sessions else None
    everybody = _with_sessions(world.features(None), visits)
    found: dict[str, Rows] = {
        "models/user_id_stitcher": [
            {
                "user_main_id": seen.main_id,
                "other_id": value,
                "other_id_type": kind,
                "valid_at": seen.last_seen,
                "first_seen_at": seen.first_seen,
            }
            for (value, kind), seen in world.graph.items()
        ],
        "user/all": [{"user_main_id": main} for main in everybody],
        "user/all/var_table": _of_persons(everybody, end),
        "user/all/feature_view": _of_persons(everybody, end),
        "user/all/feature_view/using_email": [
            {"email": email, "user_main_id": main, "valid_at": end, **everybody[main]}
            for email, main in world.persons_by_id("email").items()
        ],
    }
    for cohort in spec.cohorts:
        members = _with_sessions(world.features(cohort), visits)
        path = f"models/{cohort.name}"
        found[path] = [{"user_main_id": main} for main in members]
        found[f"{path}/var_table"] = found[f"{path}/feature_view"] = _of_persons(members, end)
    for source in spec.sources:
        kind = "models" if source.query else "inputs"
        rows = world.rows_with_vars(source.name)
        owned = [{**row, "user_main_id": row["main id"], "owner": row["main id"]} for row in rows]
        found[f"{kind}/{source.name}/var_table"] = owned
        if source.query:
            found[f"models/{source.name}"] = owned
    return found | (visits.relations() if visits is not None else {})


def _with_sessions(features: dict[str, dict[str, object]], visits: Visits | None) -> dict[str, dict[str, object]]:
    if visits is not None:
        for main, values in features.items():
            values.update(visits.vars_of(main))
    return features


def _of_persons(features: Mapping[str, dict[str, object]], end: datetime) -> Rows:
    return [{"user_main_id": main, "valid_at": end, **values} for main, values in features.items()]


def _in_columns(found: Relations, rows: Mapping[str, Rows]) -> Relations:
    """Return the oracle's rows in the columns of the relations that there are.

    Var tables of inputs may leave out columns; everything else has just what the oracle says.
    """
    relations = {}
    for path in rows.keys() & found.keys():
        names = [name for name, _ in found[path].columns]
        is_view_of_rows = path.startswith(("inputs/", "models/daily", "models/owned", "models/purchases"))
        for row in rows[path] if not is_view_of_rows else ():
            if row.keys() != set(names):
                raise LawBrokenError(f"{path} has the columns {sorted(names)}, the oracle says {sorted(row)}")
        relations[path] = Relation(found[path].columns, tuple(tuple(row[name] for name in names) for row in rows[path]))
    return relations


# --- comparing ----------------------------------------------------------------------------------------------------


def compare(what: str, expected: Relations, found: Relations) -> None:
    """Raise with the first differences of what both have.

    Raises:
        LawBrokenError: columns, number of rows or a cell differ.
    """
    if not expected.keys() <= found.keys():
        raise LawBrokenError(f"{what}: {sorted(expected.keys() - found.keys())} is missing")
    told = [line for path in expected for line in differences(path, settled(expected[path]), settled(found[path]))]
    if told:
        raise LawBrokenError("\n".join([f"{what}:", *told[:12]]))


_OF_ONE_ORDER = ("prev_ts", "new_session")
_OF_ANOTHER = "place"
"""Vars on rows that are numbered in one order, and in another one."""


def settled(relation: Relation) -> Relation:
    """Return a relation with the places of rows that are the same to the last column given out in one way.

    Where a row is doubled, nothing says which of the two comes first, and two windows need not agree on it.
    """
    names = [name for name, _ in relation.columns]
    if _OF_ANOTHER not in names:
        return relation
    where = names.index(_OF_ANOTHER)
    given = [n for n, name in enumerate(names) if name not in (*_OF_ONE_ORDER, _OF_ANOTHER)]
    twins: dict[tuple[object, ...], list[tuple[object, ...]]] = defaultdict(list)
    for row in relation.rows:
        twins[tuple(_rank(row[n]) for n in given)].append(row)
    rows: list[tuple[object, ...]] = []
    for group in twins.values():
        places = sorted((row[where] for row in group), key=_rank)
        in_order = sorted(group, key=lambda row: _order([*row[:where], *row[where + 1 :]]))
        rows += [(*row[:where], place, *row[where + 1 :]) for row, place in zip(in_order, places, strict=True)]
    return Relation(relation.columns, tuple(rows))


def differences(path: str, expected: Relation, found: Relation) -> list[str]:
    """Return the differences of two relations, cell by cell; the order of rows does not matter."""
    if expected.columns != found.columns:
        return [f"{path}: columns {found.columns} instead of {expected.columns}"]
    if len(expected.rows) != len(found.rows):
        missing = [row for row in expected.rows if row not in found.rows][:2]
        extra = [row for row in found.rows if row not in expected.rows][:2]
        return [f"{path}: {len(found.rows)} rows instead of {len(expected.rows)}; missing {missing}, extra {extra}"]
    told = []
    for one, two in zip(sorted(expected.rows, key=_order), sorted(found.rows, key=_order), strict=True):
        for (name, _), a, b in zip(expected.columns, one, two, strict=True):
            if not same(a, b):
                told.append(f"{path}.{name}: {b!r} instead of {a!r} in {two[:4]}")
    return told


def same(a: object, b: object) -> bool:
    """True when two cells are equal; binary floats need to be so within the tolerance."""
    if isinstance(a, float) or isinstance(b, float):
        if a is None or b is None:
            return False
        return math.isclose(float(a), float(b), rel_tol=TOLERANCE, abs_tol=1e-12)  # type: ignore[arg-type]
    return a == b and (a is None) == (b is None)


def _order(row: Sequence[object]) -> tuple[object, ...]:
    """Return a key that puts rows in an order: by what is exact first, since floats differ by a little."""
    return (tuple(map(_rank, row)), tuple(float(cell) for cell in row if isinstance(cell, float)))


def _rank(cell: object) -> tuple[int, object]:
    if cell is None:
        return (0, 0)
    if isinstance(cell, int | Decimal):
        return (1, cell)
    if isinstance(cell, float):
        return (1, 0)
    if isinstance(cell, date):
        return (2, cell.isoformat())
    return (3, repr(cell))
