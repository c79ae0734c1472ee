"""What of a plan has to wait for what, and doing as much of it at once as is wanted.

A task makes one material. It waits for what its model is made from, and for each earlier task that changes a relation
which it names, or names a relation which it changes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

from sqlglot import exp

from profiles_pipeline import sql
from profiles_pipeline.compile import Bind, SolveComponents, Step, UniteRows
from profiles_pipeline.errors import WarehouseError
from profiles_pipeline.graph import Graph
from profiles_pipeline.resolve.model import Model
from profiles_pipeline.stages import AuditMaterial, BuildMaterial, Plan, ReuseMaterial, RunHook
from profiles_pipeline.windows import Window

Outcome = TypeVar("Outcome")
ModelStage = RunHook | BuildMaterial | AuditMaterial | ReuseMaterial

_INTERRUPTED_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Task:
    """The stages that lead to the material of a model in a window, which are taken one after the other."""

    model: Model
    window: Window
    stages: tuple[ModelStage, ...]


@dataclass(frozen=True, slots=True)
class _Relations:
    """Names of relations, in lower case: those that statements name at all, and those of them that they change.

    `alone` is true of statements that may do anything.
    """

    named: frozenset[str]
    changed: frozenset[str]
    alone: bool = False

    def in_the_way_of(self, later: _Relations) -> bool:
        """True when statements that name `later` have to wait for these."""
        if self.alone or later.alone:
            return True
        return not self.changed.isdisjoint(later.named) or not later.changed.isdisjoint(self.named)


def tasks_of(planned: Plan) -> tuple[Task, ...]:
    """Return the tasks of a plan, in its order: whoever takes them one by one need not ask what they wait for."""
    stages = (stage for stage in planned.stages if isinstance(stage, ModelStage))
    groups = (tuple(group) for _, group in groupby(stages, key=lambda stage: stage.material))
    return tuple(Task(group[0].model, _window(group), group) for group in groups)


def _window(stages: Iterable[ModelStage]) -> Window:
    return next(stage.window for stage in stages if not isinstance(stage, RunHook))


def waits(
    tasks: Sequence[Task], graph: Graph, drags_along: Callable[[str], bool] = lambda _: False
) -> tuple[frozenset[int], ...]:
    """Return, for each task, the numbers of the earlier ones that have to be done before it begins.

    What is kept from run to run belongs to a model in all windows of a plan: one window is done before the next.

    Args:
        tasks: in the order of their plan.
        graph: what models are made from.
        drags_along: tells of a relation that others, whichever they are, go with it when it is made anew or dropped.
            Nothing is done beside that.
    """
    relations = [_relations(task.stages, drags_along) for task in tasks]
    return tuple(
        frozenset(
            number
            for number, earlier in enumerate(tasks[:own])
            if earlier.window != task.window
            or earlier.model.path in graph.parents[task.model.path]
            or relations[number].in_the_way_of(relations[own])
        )
        for own, task in enumerate(tasks)
    )


def _relations(stages: Iterable[ModelStage], drags_along: Callable[[str], bool]) -> _Relations:
    trees = [tree for stage in stages for tree in _trees(stage)]
    named = {table.name.lower() for tree in trees for table in sql.nodes_of(tree, exp.Table)}
    changes = [tree for tree in trees if not isinstance(tree, exp.Query)]
    targets = [_targets(tree) for tree in changes]
    gone = (name for tree in changes if isinstance(tree, exp.Create | exp.Drop) for name in _targets(tree) or ())
    return _Relations(
        frozenset(named),
        frozenset(name for found in targets for name in found or ()),
        alone=any(found is None for found in targets) or any(map(drags_along, gone)),
    )


def _trees(stage: ModelStage) -> Iterator[exp.Expr]:
    if isinstance(stage, RunHook):
        yield from (statement.tree for statement in stage.statements)
    elif isinstance(stage, AuditMaterial):
        yield stage.count
        yield from (audit.tree for audit in stage.audits)
    elif isinstance(stage, BuildMaterial):
        for step in (*stage.script.steps, *stage.script.at_once):
            yield from _trees_of(step)


def _trees_of(step: Step) -> tuple[exp.Expr, ...]:
    match step:
        case SolveComponents():
            return step.edges, step.nodes
        case UniteRows():
            return *step.queries, exp.Create(this=step.relation, kind="TABLE")
        case Bind():
            return (step.query,)
        case _:
            return (step.tree,)


def _targets(tree: exp.Expr) -> frozenset[str] | None:
    """Return the names of the relations that a statement changes; None where nobody can tell."""
    match tree:
        case exp.Create() | exp.Insert() | exp.Update() | exp.Delete() | exp.Merge() | exp.Drop() | exp.Alter():
            found = sql.nodes_of(tree.this, exp.Table)[:1]
        case exp.TruncateTable():
            found = [table for each in tree.expressions for table in sql.nodes_of(each, exp.Table)]
        case _:
            found = []
    return frozenset(table.name.lower() for table in found) or None


def one_by_one(tasks: Iterable[Task], attempt: Callable[[Task], Outcome]) -> Generator[tuple[int, Outcome]]:
    """Yield the number of each task and what came of it, each done in the thread of the caller when it is asked for."""
    yield from ((number, attempt(task)) for number, task in enumerate(tasks))


def side_by_side(
    tasks: Sequence[Task],
    waits_for: Sequence[frozenset[int]],
    attempt: Callable[[Task], Outcome],
    concurrency: int,
    interrupt: Callable[[], None],
) -> Generator[tuple[int, Outcome]]:
    """Yield the number of each task and what came of it, as they end; none begins before what it waits for was yielded.

    When one raises, no other begins, those that have begun are let go on to their end, and the error propagates. When
    the caller is stopped, or closes the iterator, they are stopped as well.

    Args:
        tasks: what to do.
        waits_for: for each task the numbers of those that have to be done before it begins.
        attempt: does one; called by threads.
        concurrency: how many are done at once.
        interrupt: makes those that are being done give up soon; may be called more than once.
    """
    waiting, running, done = dict(enumerate(tasks)), dict[Future[Outcome], int](), set[int]()
    with ThreadPoolExecutor(concurrency, "profiles") as pool:
        try:
            while waiting or running:
                ready = [number for number in waiting if waits_for[number] <= done]
                for number in ready[: concurrency - len(running)]:
                    running[pool.submit(attempt, waiting.pop(number))] = number
                ended, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in sorted(ended, key=running.__getitem__):
                    number = running.pop(future)
                    yield number, future.result()
                    done.add(number)
        except Exception:
            wait(running)
            raise
        finally:
            while wait(running, timeout=_INTERRUPTED_EVERY_S).not_done:
                with suppress(WarehouseError):  # there is another time
                    interrupt()
