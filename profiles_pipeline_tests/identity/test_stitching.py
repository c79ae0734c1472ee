"""The compiled stitcher: named scenarios, and random rows against a union-find."""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from profiles_pipeline.identity import contraction, in_memory
from profiles_pipeline.testing import main_id
from profiles_pipeline_tests.identity.stitching import Bench, Node, Row, Solver, bench, clusters, union_find_graph

SCENARIOS = yaml.safe_load((Path(__file__).parent.parent / "data" / "scenarios" / "identity.yaml").read_text())
TYPES = ("user_id", "user_id", "email", "phone")
NEW_YEAR = datetime(2024, 1, 1)


def node(text: str) -> Node:
    kind, _, value = text.partition(" ")
    return kind, value


def rows_of(scenario: dict[str, list[list[str | None]]]) -> list[Row]:
    """The scenario's rows; where it states no times they are one hour apart."""
    width = len(scenario["types"])
    return [
        (*row[:width], datetime.fromisoformat(str(row[width])) if len(row) > width else NEW_YEAR + timedelta(hours=n))
        for n, row in enumerate(scenario["rows"])
    ]


@pytest.mark.parametrize("solve", [in_memory.solve, contraction.solve], ids=["in memory", "in SQL"])
@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_scenario(scenario: dict[str, list[list[str | None]]], solve: Solver, tmp_path: Path) -> None:
    with bench(tmp_path, scenario["types"], str(scenario.get("filters", "[]")), solve) as here:  # type: ignore[arg-type]
        graph = here.graph(rows_of(scenario))
    assert clusters(graph) == {frozenset(map(node, cluster)) for cluster in scenario["clusters"]}  # type: ignore[arg-type]
    for named, eldest in scenario.get("named_by", {}).items():  # type: ignore[attr-defined]
        assert graph[node(named)].main_id == main_id(*node(eldest))


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("graphs"), TYPES) as here:
        yield here


@pytest.fixture(scope="module")
def contracted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("contracted"), TYPES, solve=contraction.solve) as here:
        yield here


values = st.sampled_from([None, None, "", "  ", *"abcdefgh", "A", "ü", "a b", "0"])
times = st.one_of(st.none(), st.integers(0, 30 * 24).map(lambda hours: NEW_YEAR + timedelta(hours=hours)))
tables = st.lists(st.tuples(values, values, values, values, times), max_size=25)


@given(tables)
@example([("a", None, None, None, None), ("a", None, None, None, NEW_YEAR)])
@example([("a", "a", None, None, NEW_YEAR), ("b", "c", None, None, NEW_YEAR), ("c", "b", None, None, NEW_YEAR)])
@settings(max_examples=100, deadline=None)
def test_any_rows_give_the_graph_of_the_union_find(events: Bench, rows: list[Row]) -> None:
    assert events.graph(rows) == union_find_graph(TYPES, rows)


@given(tables)
@settings(max_examples=60, deadline=None)
def test_contraction_in_sql_gives_the_same_graph(contracted: Bench, rows: list[Row]) -> None:
    assert contracted.graph(rows) == union_find_graph(TYPES, rows)


@given(tables, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_neither_the_order_of_rows_nor_duplicates_matter(events: Bench, rows: list[Row], chance: random.Random) -> None:
    again = [*rows, *(row for row in rows if chance.random() < 0.5)]
    chance.shuffle(again)
    assert events.graph(again) == events.graph(rows)


@given(tables, st.tuples(values, values, values, values), st.integers(1, 48))
@settings(max_examples=40, deadline=None)
def test_a_later_row_renames_nobody_who_was_named_by_a_time(
    events: Bench, rows: list[Row], ids: Sequence[str | None], hours: int
) -> None:
    """A row after all others may merge clusters; each result keeps the main id of one of those that had a time."""
    before = events.graph(rows)
    after = events.graph([*rows, (*ids, NEW_YEAR + timedelta(days=30, hours=hours))])
    for cluster in clusters(after):
        dated = {before[n].main_id for n in cluster if n in before and before[n].first_seen_at is not None}
        assert not dated or after[next(iter(cluster))].main_id in dated


def test_a_long_chain_in_order(events: Bench) -> None:
    """Ten thousand ids, each row ties two neighbours: one person, named by the first."""
    rows = [(None, None, f"m{n:05}", f"p{n:05}", NEW_YEAR + timedelta(minutes=n)) for n in range(5_000)]
    rows += [(None, None, f"m{n + 1:05}", f"p{n:05}", NEW_YEAR + timedelta(minutes=n)) for n in range(4_999)]
    graph = events.graph(rows)
    eldest = min(main_id("email", "m00000"), main_id("phone", "p00000"), main_id("email", "m00001"))
    assert (len(graph), {found.main_id for found in graph.values()}) == (10_000, {eldest})
