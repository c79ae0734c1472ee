"""Manual rules: any rules over any rows against a plain reading of them, and what a changed rule builds anew."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from profiles_pipeline import connections, identity, plan
from profiles_pipeline.compile import SolveComponents
from profiles_pipeline.dialects import render
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import RULES
from profiles_pipeline.run import Options, Report, run
from profiles_pipeline.stages import State
from profiles_pipeline.warehouse.base import Warehouse
from profiles_pipeline.warehouse.connect import connect_duckdb
from profiles_pipeline.warehouse.settings import MEMORY, DuckDBSettings
from profiles_pipeline_tests.identity.stitching import END, Node

PROJECT = Path(__file__).parent.parent / "projects" / "id_stitcher_rules"

Edge = frozenset[Node]
"""Two nodes, or one that stands alone."""
Rule = tuple[Edge, str, int]
"""What a rule is about, its action, and the day it was made."""


# --- any rules over any rows ----------------------------------------------------------------------------------------


def clusters_by_the_book(rows: Sequence[Edge], rules: Sequence[Rule], priority: str) -> set[frozenset[Node]]:
    """The partition that rows and rules mean."""
    strong = "INCLUDE" if priority == "include" else "EXCLUDE"
    newest: dict[Edge, tuple[int, bool, str]] = {}
    for about, action, day in rules:
        newest[about] = max(newest.get(about, (-1, False, "")), (day, action == strong, action))
    excluded = {about for about, (_, _, action) in newest.items() if action == "EXCLUDE"}
    included = {about for about, (_, _, action) in newest.items() if action == "INCLUDE"}
    gone = {node for about in excluded if len(about) == 1 for node in about}
    edges = {row for row in rows if not row & gone and row not in excluded}
    added = {about for about in included if len(about) == 2 and (priority == "include" or not about & gone)}
    nodes = {node for row in rows for node in row} | {node for about in included if len(about) == 1 for node in about}
    groups = {node: {node} for node in (nodes - gone) | {node for edge in added for node in edge}}
    for edge in edges | added:
        merged = set().union(*(groups[node] for node in edge))
        for node in merged:
            groups[node] = merged
    return {frozenset(group) for group in groups.values()}


class Ruled:
    """A warehouse with rows of two ids each, a table of rules, and the compiled stitcher over both."""

    def __init__(self, warehouse: Warehouse, steps: Sequence[SolveComponents | str], mappings: str) -> None:
        self.warehouse, self.steps, self.mappings = warehouse, steps, mappings

    def clusters(self, rows: Sequence[Edge], rules: Sequence[Rule]) -> set[frozenset[Node]]:
        self.warehouse.execute("DELETE FROM events; DELETE FROM rules")
        for row in rows:
            ids: dict[str, list[str | None]] = {"user_id": [None, None], "email": [None]}
            for kind, value in sorted(row):
                ids[kind][ids[kind].index(None)] = value
            self.warehouse.execute("INSERT INTO events VALUES (?, ?, ?)", [*ids["user_id"], *ids["email"]])
        for about, action, day in rules:
            one, *other = sorted(about, reverse=bool(day % 2))
            values = [one[1], one[0], *((other[0][1], other[0][0]) if other else (None, None))]
            made = datetime(2024, 1, 1 + day)
            self.warehouse.execute("INSERT INTO rules VALUES ('user', ?, ?, ?, ?, ?, NULL, ?)", [*values, action, made])
        for step in self.steps:
            if isinstance(step, SolveComponents):
                identity.solve(self.warehouse, step)
            else:
                self.warehouse.execute(step)
        query = f"SELECT LIST([other_id_type, other_id]) FROM {self.mappings} GROUP BY main_id"
        return {frozenset((kind, value) for kind, value in group) for (group,) in self.warehouse.query(query).rows}  # type: ignore[attr-defined]


@contextmanager
def ruled(folder: Path, priority: str) -> Iterator[Ruled]:
    (folder / "pb_project.yaml").write_text(
        "name: ruled\nschema_version: 98\nmodel_folders: [inputs.yaml]\n"
        "entities: [{name: user, id_types: [user_id, email]}]\nid_types: [{name: user_id}, {name: email}]\n"
        f"id_stitcher_rules: {{enabled: true, priority: {priority}}}\n"
    )
    (folder / "inputs.yaml").write_text(
        "inputs: [{name: events, table: events, ids: [{select: u1, type: user_id, entity: user}, "
        "{select: u2, type: user_id, entity: user}, {select: mail, type: email, entity: user}]}]\n"
    )
    project = ProfilesProject.load(folder)
    with connect_duckdb(DuckDBSettings(path=MEMORY, base=folder), purpose="test") as warehouse:
        warehouse.execute("CREATE TABLE events (u1 VARCHAR, u2 VARCHAR, mail VARCHAR)")
        columns = "entity VARCHAR, id1 VARCHAR, id1_type VARCHAR, id2 VARCHAR, id2_type VARCHAR"
        warehouse.execute(f"CREATE TABLE rules ({columns}, action VARCHAR, reason VARCHAR, created_at TIMESTAMP)")
        sources = plan.Sources(
            of_input=lambda model: exp.to_table("rules" if model.path == RULES else "events"),
            of_table=lambda table: table,
        )
        request = plan.Request(("models/user_default_id_stitcher",))
        planned = plan.build(project, State(), plan.Window(1, END), sources, schema="main", request=request)
        (stage,) = planned.materials
        steps = [s if isinstance(s, SolveComponents) else render(s.tree, "duckdb") for s in stage.script.steps]
        yield Ruled(warehouse, steps, f'main."{stage.material}_mappings"')


nodes = st.tuples(st.sampled_from(["user_id", "email"]), st.sampled_from("abcd"))
users = st.tuples(st.just("user_id"), st.sampled_from("abcd"))
edges = st.tuples(nodes, users).map(frozenset)
abouts = st.one_of(edges, nodes.map(lambda node: frozenset([node])))
rule_lists = st.lists(st.tuples(abouts, st.sampled_from(["INCLUDE", "EXCLUDE"]), st.integers(0, 3)), max_size=8)


@pytest.mark.parametrize("priority", ["exclude", "include"])
def test_any_rules_over_any_rows(priority: str, tmp_path: Path) -> None:
    with ruled(tmp_path, priority) as here:

        @given(st.lists(edges, max_size=10), rule_lists)
        @settings(max_examples=60, deadline=None)
        def agree(rows: list[Edge], rules: list[Rule]) -> None:
            assert here.clusters(rows, rules) == clusters_by_the_book(rows, rules, priority)

        agree()


# --- building anew --------------------------------------------------------------------------------------------------


def built(report: Report) -> set[str]:
    return {item.model.path for item in report.built if not item.reused}


def test_a_changed_rule_builds_the_graph_anew_in_the_same_window(tmp_path: Path) -> None:
    place = tmp_path / "project"
    shutil.copytree(PROJECT, place)
    rules = place / "data" / "id_stitch_rules.csv"
    written = rules.read_text()
    project, output = ProfilesProject.load(place), connections.embedded(place)

    def again() -> Report:
        return run(project, output, Options(end=END))

    first = again()
    everything = {item.model.path for item in first.built}
    assert built(first) == everything
    assert built(again()) == set()

    rules.write_text(written.replace("INCLUDE", "EXCLUDE"))
    second = again()
    assert second.window == first.window
    assert built(second) == everything

    rules.write_text(written)  # what was built under these rules is still there
    assert built(again()) == set()
