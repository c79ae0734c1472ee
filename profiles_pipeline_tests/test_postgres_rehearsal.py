"""What the server refuses is told before the first table is made, with its place."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from profiles_pipeline import connections
from profiles_pipeline.errors import ProjectError
from profiles_pipeline.events import Options
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.queries.check import check
from profiles_pipeline.run import run
from profiles_pipeline.warehouse.connect import connect
from profiles_pipeline_tests.warehouse.postgres import settings

pytestmark = pytest.mark.postgres

PROJECT = """\
name: refused
schema_version: 98
connection: none
model_folders: [models.yaml]
entities: [{name: user, id_stitcher: models/user_id_stitcher, id_types: [user_id]}]
id_types: [{name: user_id}]
"""
MODELS = """\
inputs:
  - name: visits
    app_defaults:
      table: visits
      occurred_at_col: ts
      ids: [{select: user_id, type: user_id, entity: user}]
models:
  - name: user_id_stitcher
    model_type: id_stitcher
    model_spec: {entity_key: user, edge_sources: [{from: inputs/visits}]}
  - name: pages
    model_type: sql_template
    model_spec:
      single_sql: |
        select page, count(*) as n
        from {{ this.DeRef('inputs/visits') }}
        group by page, editdistance(page, 'home')
var_groups:
  - name: of_users
    entity_key: user
    vars:
      - entity_var: {name: n_visits, select: count(*), from: inputs/visits}
      - entity_var:
          name: nearest
          select: min(jarowinkler_similarity(page, 'home'))
          from: inputs/visits
"""


@pytest.fixture
def refused(postgres_port: int, tmp_path: Path) -> connections.Output:
    (tmp_path / "pb_project.yaml").write_text(PROJECT)
    (tmp_path / "models.yaml").write_text(MODELS)
    with connect(settings(postgres_port, "refused_sources"), purpose="test") as warehouse:
        warehouse.execute("DROP SCHEMA IF EXISTS refused CASCADE; DROP SCHEMA IF EXISTS refused_sources CASCADE")
        warehouse.execute("CREATE SCHEMA refused_sources")
        warehouse.execute("CREATE TABLE refused_sources.visits (user_id TEXT, page TEXT, ts TIMESTAMP)")
        warehouse.execute("INSERT INTO refused_sources.visits VALUES ('u', 'home', '2024-01-01')")
    sources = {"visits": "refused_sources.visits"}
    return connections.Output("postgres", "refused", settings(postgres_port, "refused", base=tmp_path, sources=sources))


EXPECTED = [
    ("sql-rejected", 15, 9, "function levenshtein(text, unknown) does not exist"),
    ("sql-rejected", 25, 23, "function jarowinkler_similarity(text, text) does not exist"),
]


def test_a_run_is_refused_before_anything_is_made(refused: connections.Output, tmp_path: Path) -> None:
    project = ProfilesProject.load(tmp_path)
    with pytest.raises(ProjectError) as told:
        run(project, refused, Options(end=datetime(2024, 2, 1, tzinfo=UTC)))
    assert [(p.code, p.span.line, p.span.column) for p in told.value.problems if p.span] == [e[:3] for e in EXPECTED]
    for problem, expected in zip(told.value.problems, EXPECTED, strict=True):
        assert expected[3] in problem.message
    with connect(refused.settings, purpose="test", read_only=True) as warehouse:
        assert warehouse.relations("refused") == frozenset()
        assert warehouse.scalar("SELECT COUNT(*) FROM pg_namespace WHERE nspname = 'refused'") == 0


def test_validating_says_the_same(refused: connections.Output, tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as told:
        check(ProfilesProject.load(tmp_path), refused)
    assert [p.code for p in told.value.problems] == ["sql-rejected", "sql-rejected"]


def test_what_the_server_has_taken_before_is_not_asked_again(refused: connections.Output, tmp_path: Path) -> None:
    models = MODELS.replace(", editdistance(page, 'home')", "").replace(
        "min(jarowinkler_similarity(page, 'home'))", "max(page)"
    )
    (tmp_path / "models.yaml").write_text(models)
    project = ProfilesProject.load(tmp_path)
    run(project, refused, Options(end=datetime(2024, 2, 1, tzinfo=UTC)))
    tried: list[str] = []
    run(
        project,
        refused,
        Options(end=datetime(2024, 2, 2, tzinfo=UTC)),
        lambda event: tried.append(type(event).__name__),
    )
    assert tried.count("Rehearsing") == len(project.graph.models) - 1  # in memory only; the input is no model
