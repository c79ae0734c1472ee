"""Windows of time, and in which of them the models of a plan are built.

A run is as of the end of its window. A model with a time grain is as of the last boundary of that grain, and so is
everything it is made from: one path may stand for several materials, one for each window in which it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from profiles_pipeline.grains import GRAINS, TICK
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import Input, Model


@dataclass(frozen=True, slots=True)
class Window:
    """A time context: rows in [begin, end) count. `seq_no` is its number.

    Attributes:
        coarser: time grain -> the window that ends at its last boundary, for grains whose boundary is not `end`.
    """

    seq_no: int
    end: datetime
    begin: datetime | None = None
    coarser: tuple[tuple[str, Window], ...] = ()

    def of(self, grain: str) -> Window:
        """Return the window of models with this time grain."""
        return dict(self.coarser).get(grain, self)

    def within(self, context: Window, model: Model) -> Window:
        """Return the window of a model that is read by another one in `context`: never a later one than that."""
        own = self.of(model.time_grain)
        return own if own.end < context.end else context


@dataclass(frozen=True, slots=True)
class Kept:
    """A complete material, the window and definition it was built for, and how many rows it had if that is known."""

    name: str
    path: str
    fingerprint: str
    seq_no: int
    end: datetime
    begin: datetime | None = None
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A table that is kept from run to run and brought up to date in place.

    Attributes:
        name: the table.
        path: the model that it is for.
        seq_no: the time context of the run that brought it up to date last.
        end: the end of that window.
        version: the state of the id graph that it is made for.
        material: the material that was built from it then.
        columns: its columns, where it may have some of those that are needed.
        since: from which state of the id graph on it is known what changed.
        files: file that was read -> its state then; nothing for a file that has rows which no window has seen yet.
        flaw: why nothing can go on from it, for people to read: somebody has dropped or altered it since, or it is in
            another layout; empty for one that is as it was left.
        altered: those of its tables that somebody has dropped or altered.
    """

    name: str
    path: str
    seq_no: int
    end: datetime
    version: int
    material: str
    columns: tuple[str, ...] = ()
    since: int = 0
    files: tuple[tuple[str, str], ...] = ()
    flaw: str = ""
    altered: tuple[str, ...] = ()


def used_grains(project: ProfilesProject) -> tuple[str, ...]:
    """Return the time grains of a project's models, the finest first; that of the run itself is not among them."""
    used = {model.time_grain for model in project.graph.models.values()}
    return tuple(grain for grain in GRAINS if grain in used and grain != TICK)


def contexts(
    project: ProfilesProject,
    window: Window,
    roots: Iterable[str],
    chosen: Collection[str],
    is_there: Callable[[str, Window], bool],
) -> list[tuple[Window, list[str]]]:
    """Return the windows in which models are needed, the earliest first, each with its models in build order.

    Args:
        project: the project.
        window: the window of the run.
        roots: paths of the models asked for.
        chosen: paths of the models to consider; inputs are never built.
        is_there: whether a model has been built in a window; what it was made from in an earlier one than the run's is
            not needed again then.
    """
    graph = project.graph
    needed: dict[str, set[Window]] = {}
    for path in roots:
        needed.setdefault(path, set()).add(window.of(graph.models[path].time_grain))
    for path in reversed(list(graph.models)):
        made = [c for c in needed.get(path, ()) if c.end == window.end or not is_there(path, c)]
        for parent in graph.parents[path]:
            needed.setdefault(parent, set()).update(window.within(c, graph.models[parent]) for c in made)
    wanted = [p for p, m in graph.models.items() if p in chosen and not isinstance(m, Input)]
    windows = sorted({w for found in needed.values() for w in found}, key=lambda w: (w.end, w.seq_no))
    return [(context, [path for path in wanted if context in needed.get(path, ())]) for context in windows]
