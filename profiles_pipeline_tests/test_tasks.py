"""What of a plan waits for what, and doing several things at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from profiles_pipeline import connections, examples, plan
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.run import Options, found_sources, run
from profiles_pipeline.stages import State
from profiles_pipeline.tasks import Task, side_by_side, tasks_of, waits
from profiles_pipeline.warehouse.connect import connect
from profiles_pipeline.windows import Window

WINDOW = Window(1, datetime(2025, 1, 1, tzinfo=UTC))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> ProfilesProject:
    folder = tmp_path_factory.mktemp("shop") / "ecommerce"
    examples.copy_example("ecommerce", folder)
    return ProfilesProject.load(folder)


@pytest.fixture(scope="module")
def tasks(shop: ProfilesProject) -> tuple[Task, ...]:
    with connect(connections.embedded(shop.folder).settings_for(shop), purpose="test") as warehouse:
        return tasks_of(plan.build(shop, State(), WINDOW, found_sources(warehouse), schema="profiles"))


def before(found: tuple[frozenset[int], ...], number: int) -> frozenset[int]:
    """All that has to be done before a task, directly or not."""
    return found[number].union(*(before(found, each) for each in found[number]))


def test_whatever_a_model_is_made_from_comes_before_it(shop: ProfilesProject, tasks: tuple[Task, ...]) -> None:
    found = waits(tasks, shop.graph)
    for number, task in enumerate(tasks):
        earlier = {tasks[each].model.path for each in before(found, number)}
        upstream = shop.graph.with_upstream([task.model.path]) - {task.model.path}
        assert {each.model.path for each in tasks} & upstream <= earlier, task.model.path


def test_what_does_not_need_each_other_does_not_wait(shop: ProfilesProject, tasks: tuple[Task, ...]) -> None:
    found = waits(tasks, shop.graph)
    numbers = {task.model.path: number for number, task in enumerate(tasks)}
    profile, funnel = numbers["models/user_profile"], numbers["models/user_sessions_funnel"]
    assert funnel not in before(found, profile)
    assert profile not in before(found, funnel)


def test_nothing_is_done_beside_what_takes_other_relations_along(
    shop: ProfilesProject, tasks: tuple[Task, ...]
) -> None:
    (alone,) = (number for number, task in enumerate(tasks) if task.model.path == "models/user_profile")
    (made,) = {stage.material.lower() for stage in tasks[alone].stages}
    found = waits(tasks, shop.graph, lambda name: name == made)
    assert found[alone] == frozenset(range(alone))
    assert all(alone in earlier for earlier in found[alone + 1 :])


class Recorded:
    """Does tasks that take as long as one says, and notes when they ran."""

    def __init__(self, work: Callable[[int], None] = lambda _: None) -> None:
        self.work = work
        self.lock = threading.Lock()
        self.running: set[int] = set()
        self.begun: list[int] = []
        self.most = 0

    def __call__(self, number: int) -> int:
        with self.lock:
            self.begun.append(number)
            self.running.add(number)
            self.most = max(self.most, len(self.running))
        try:
            self.work(number)
        finally:
            with self.lock:
                self.running.discard(number)
        return number


def done(count: int, order: list[frozenset[int]], attempt: Recorded, at_once: int) -> list[int]:
    return [n for n, _ in side_by_side(range(count), order, attempt, at_once, lambda: None)]  # type: ignore[type-var]


def test_two_are_at_work_at_once() -> None:
    both = threading.Barrier(2, timeout=20)
    assert sorted(done(2, [frozenset(), frozenset()], Recorded(lambda _: both.wait() and None), 2)) == [0, 1]


def test_never_more_at_once_than_is_wanted_and_each_after_what_it_waits_for() -> None:
    order = [frozenset({n - 3, n // 2 - 1} - {n} if n > 2 else ()) for n in range(30)]
    attempt = Recorded(lambda _: time.sleep(0.002))
    ended = done(30, order, attempt, 3)
    assert sorted(ended) == list(range(30))
    assert attempt.most == 3
    assert all(ended.index(earlier) < ended.index(n) for n in range(30) for earlier in order[n])


def test_after_an_error_those_that_have_begun_end_and_no_other_begins() -> None:
    failed = threading.Event()

    def work(number: int) -> None:
        if number == 0:
            failed.set()
            raise ValueError("0")
        failed.wait(20)
        time.sleep(0.05)

    attempt = Recorded(work)
    with pytest.raises(ValueError, match="0"):
        done(5, [frozenset()] * 5, attempt, 2)
    assert sorted(attempt.begun) == [0, 1]
    assert not attempt.running


def test_what_is_being_done_is_stopped_with_the_caller() -> None:
    stop = threading.Event()
    attempt = Recorded(lambda number: None if number == 0 else stop.wait(20) and None)
    work = side_by_side(range(3), [frozenset()] * 3, attempt, 2, stop.set)  # type: ignore[type-var]
    began = time.monotonic()
    with closing(work) as ended:
        assert next(ended) == (0, 0)
    assert stop.is_set()
    assert time.monotonic() - began < 10
    assert attempt.begun == [0, 1]


def test_a_run_on_an_engine_of_one_writer_builds_one_by_one(tmp_path: Path) -> None:
    examples.copy_example("quickstart", tmp_path / "quickstart")
    small = ProfilesProject.load(tmp_path / "quickstart")
    threads = set[int]()
    options = Options(end=WINDOW.end, concurrency=4)
    run(small, connections.embedded(small.folder), options, lambda _: threads.add(threading.get_ident()))
    assert threads == {threading.get_ident()}
