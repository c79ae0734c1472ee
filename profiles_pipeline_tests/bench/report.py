"""Turns what was measured into figures with their aims."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from profiles_pipeline_tests.bench.cases import (
    BY_HAND,
    COMPILE,
    COPIED,
    FEATURES,
    HELP,
    IN_PLACE,
    SCIPY,
    STITCHING,
    VALIDATE,
    WHOLE_RUN,
)
from profiles_pipeline_tests.bench.contraction import IN_MEMORY, IN_SQL
from profiles_pipeline_tests.bench.daily import (
    AGAIN,
    BACKFILL,
    FULL,
    KEEPING,
    NEWEST,
    NOTHING_NEW,
    START,
    STITCHED_FULL,
    STITCHED_NEWEST,
)
from profiles_pipeline_tests.bench.measure import Usage
from profiles_pipeline_tests.bench.on_postgres import FULL as FULL_ON_POSTGRES
from profiles_pipeline_tests.bench.on_postgres import NEWEST as NEWEST_ON_POSTGRES
from profiles_pipeline_tests.bench.publishing import PUBLISH_ALL, PUBLISH_CHANGED
from profiles_pipeline_tests.bench.publishing import START as PUBLISH_START
from profiles_pipeline_tests.bench.sessions import SESSIONS, SESSIONS_BY_HAND, SESSIONS_NEWEST
from profiles_pipeline_tests.bench.sessions import START as SESSIONS_START

MIB, GIB = 2**20, 2**30


@dataclass(frozen=True)
class Figure:
    """One figure: its value as people read it and, where there is one, its aim and whether it is met."""

    name: str
    value: str
    aim: str = ""
    met: bool | None = None


def figures(found: Mapping[str, Usage]) -> list[Figure]:
    """Return the figures that follow from the medians; none of cases that were not measured."""
    groups = {
        WHOLE_RUN: _of_runs,
        HELP: _of_commands,
        IN_SQL: _of_contraction,
        FULL: _of_daily_runs,
        FULL_ON_POSTGRES: _of_runs_on_postgres,
        SESSIONS: _of_sessions,
        PUBLISH_ALL: _of_publishing,
    }
    return [figure for name, group in groups.items() if name in found for figure in group(found)]


def _of_runs(found: Mapping[str, Usage]) -> list[Figure]:
    return [
        _ratio(found, WHOLE_RUN, BY_HAND, "at most 2.0 x", lambda ratio: ratio <= 2),
        _ratio(found, STITCHING, SCIPY),
        _ratio(found, COPIED, FEATURES, "at least 2.5 x", lambda ratio: ratio >= 2.5),
        _ratio(found, IN_PLACE, FEATURES),
        _memory(found, WHOLE_RUN, 4 * GIB),
    ]


def _of_contraction(found: Mapping[str, Usage]) -> list[Figure]:
    """How many rounds it takes at most is for the process to refuse."""
    return [_ratio(found, IN_SQL, IN_MEMORY, "at most 5 x", lambda ratio: ratio <= 5)]


def _of_commands(found: Mapping[str, Usage]) -> list[Figure]:
    return [
        _seconds(found, HELP, 0.5),
        _seconds(found, VALIDATE, 2),
        _seconds(found, COMPILE, 3),
        _memory(found, COMPILE, 500 * MIB),
    ]


def _of_daily_runs(found: Mapping[str, Usage]) -> list[Figure]:
    return [
        _saved(found, FULL, NEWEST, 15),
        _saved(found, STITCHED_FULL, STITCHED_NEWEST, 20),
        _work(found, AGAIN, 1),
        _work(found, NOTHING_NEW, 1),
        _ratio(found, BACKFILL, FULL, "at most 1.5 x", lambda ratio: ratio <= 1.5),
        _ratio(found, KEEPING, FULL),
    ]


def _of_runs_on_postgres(found: Mapping[str, Usage]) -> list[Figure]:
    """The server does the work, in processes of its own: time by the clock decides."""
    ratio = found[FULL_ON_POSTGRES].wall / found[NEWEST_ON_POSTGRES].wall
    name = f"{FULL_ON_POSTGRES} : {NEWEST_ON_POSTGRES}"
    return [Figure(name, f"{ratio:.2f} x wall", "at least 8 x", ratio >= 8)]


def _of_sessions(found: Mapping[str, Usage]) -> list[Figure]:
    start = found[SESSIONS_START].cpu
    saved = (found[SESSIONS].cpu - start) / (found[SESSIONS_NEWEST].cpu - start)
    return [
        _ratio(found, SESSIONS, SESSIONS_BY_HAND, "at most 2.5 x", lambda ratio: ratio <= 2.5),
        Figure(f"{SESSIONS} : {SESSIONS_NEWEST}", f"{saved:.2f} x CPU, start left out", "at least 10 x", saved >= 10),
    ]


def _of_publishing(found: Mapping[str, Usage]) -> list[Figure]:
    start = found[PUBLISH_START].cpu
    saved = (found[PUBLISH_ALL].cpu - start) / (found[PUBLISH_CHANGED].cpu - start)
    name = f"{PUBLISH_ALL} : {PUBLISH_CHANGED}"
    return [Figure(name, f"{saved:.2f} x CPU, start left out", "at least 5 x", saved >= 5)]


def _ratio(
    found: Mapping[str, Usage], one: str, other: str, aim: str = "", met: Callable[[float], bool] | None = None
) -> Figure:
    """Return the ratio of two cases. CPU time decides whether the aim is met: other work hardly moves it."""
    wall = found[one].wall / found[other].wall
    cpu = found[one].cpu / found[other].cpu
    return Figure(f"{one} : {other}", f"{wall:.2f} x wall, {cpu:.2f} x CPU", aim, met(cpu) if met else None)


def _saved(found: Mapping[str, Usage], full: str, part: str, aim: float) -> Figure:
    """Return how many times cheaper one case is than another, the start of the process left out of both."""
    start = found[START].cpu
    ratio = (found[full].cpu - start) / (found[part].cpu - start)
    return Figure(f"{full} : {part}", f"{ratio:.2f} x CPU, start left out", f"at least {aim:g} x", ratio >= aim)


def _work(found: Mapping[str, Usage], name: str, limit: float) -> Figure:
    """Return the CPU time of a case without the start of the process."""
    seconds = found[name].cpu - found[START].cpu
    return Figure(name, f"{seconds:.2f} s CPU, start left out", f"below {limit:g} s", seconds < limit)


def _seconds(found: Mapping[str, Usage], name: str, limit: float) -> Figure:
    wall = found[name].wall
    return Figure(name, f"{wall:.2f} s", f"below {limit:g} s", wall < limit)


def _memory(found: Mapping[str, Usage], name: str, limit: int) -> Figure:
    used = found[name].memory
    return Figure(f"peak memory, {name}", _size(used), f"below {_size(limit)}", used < limit)


def _size(size: int) -> str:
    return f"{size / GIB:.3g} GiB" if size >= GIB else f"{size / MIB:.0f} MiB"


def show(found: Mapping[str, Usage], shown: list[Figure], console: Console) -> None:
    """Print what each process used, then the figures with their aims."""
    used = Table("process", title="Medians", title_justify="left")
    for heading in ("wall s", "CPU s", "memory MiB"):
        used.add_column(heading, justify="right")
    for name, usage in found.items():
        used.add_row(name, f"{usage.wall:.2f}", f"{usage.cpu:.2f}", f"{usage.memory / MIB:,.0f}")
    console.print(used)
    table = Table("figure", "value", "aim", "", title="Figures", title_justify="left")
    for figure in shown:
        verdict = "" if figure.met is None else "[green]met[/]" if figure.met else "[red]missed[/]"
        table.add_row(figure.name, figure.value, figure.aim, verdict)
    console.print(table)
