"""What `profiles publish` and `profiles run --publish` print, write and refuse; people who become one, end to end."""

import json
from pathlib import Path

import pytest

from profiles_pipeline import connections, run
from profiles_pipeline.cli import main
from profiles_pipeline.project import ProfilesProject

PROJECT = """
name: shop
schema_version: 98
connection: none
model_folders: [models]
entities: [{name: user, id_types: [user_id, email]}]
id_types: [{name: user_id}, {name: email}]
"""
MODELS = """
inputs:
  - name: orders
    table: orders
    occurred_at_col: ts
    ids: [{select: user_id, type: user_id, entity: user}, {select: email, type: email, entity: user}]
var_groups:
  - {name: vars, entity_key: user, vars: [
      {entity_var: {name: n, select: count(*), from: inputs/orders}},
      {entity_var: {name: total, select: sum(amount), from: inputs/orders}}]}
"""
PUBLISH = """
incremental: always
publish:
  - {name: crm, from: user/all/feature_view, key: user_id, destination: table, guards: {max_deleted: 0.2}}
  - {name: people, from: user/all, destination: {type: files, path: out}, properties: [total],
     guards: {max_deleted: 1.0}}
"""
FIRST = "user_id,email,amount,ts\nann01,ann@x.org,10,2024-01-01 00:00:00\nbob01,bob@x.org,20,2024-01-02 00:00:00\n"
ONE_PERSON = "bob01,ann@x.org,5,2024-01-04 00:00:00\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / "data").mkdir()
    files = {"pb_project.yaml": PROJECT, "models/all.yaml": MODELS, "pipeline.yaml": PUBLISH, "data/orders.csv": FIRST}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def typed(*arguments: object) -> int:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return int(str(left.value.code or 0))


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    with run.open_session(ProfilesProject.load(folder), connections.embedded(folder), "test") as session:
        return session.warehouse.query(query).rows


def test_a_plan_writes_nothing_and_a_publication_what_it_said(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed("publish", "crm", "-p", shop) == 2
    assert "no finished run has built it" in capsys.readouterr().err
    assert typed("run", "-q", "--no-report", "-p", shop, "--end-time", "2024-02-01") == 0
    assert typed("publish", "crm", "--plan", "--json", "-p", shop) == 0
    (planned,) = json.loads(capsys.readouterr().out)
    assert (planned["status"], planned["inserted"], planned["rows"]) == ("planned", 2, 0)
    assert [one["key"] for one in planned["sample"]] == ["ann01", "bob01"]
    tables = "SELECT table_name FROM duckdb_tables() WHERE table_name IN ('crm', 'publications') AND estimated_size > 0"
    assert rows(shop, tables) == []
    assert typed("publish", "crm", "-p", shop) == 0
    assert "publication 1 of seq_no 1" in capsys.readouterr().out
    assert typed("publish", "CRM", "publish/crm", "-p", shop) == 0
    assert capsys.readouterr().out.count("nothing has changed, nothing was written") == 2


def test_two_people_who_become_one_and_two_again(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The ids keep their rows, with the profile that is now theirs; a main id that is no more is deleted."""

    def built(end: str) -> None:
        assert typed("run", "-q", "--no-report", "--publish", "-p", shop, "--end-time", end) == 0

    built("2024-02-01")
    before = dict(rows(shop, "SELECT user_id, main_id FROM profiles.crm"))
    (shop / "data" / "orders.csv").write_text(FIRST + ONE_PERSON, encoding="utf-8")
    built("2024-02-02")
    assert rows(shop, "SELECT user_id, n, total FROM profiles.crm ORDER BY 1") == [("ann01", 3, 35), ("bob01", 3, 35)]
    elder, gone = before["ann01"], before["bob01"]
    changes = "SELECT op, key, main_id_before, main_id FROM profiles.{}__changes WHERE publication = 2 ORDER BY op, key"
    assert rows(shop, changes.format("people")) == [("D", gone, gone, None), ("U", elder, elder, elder)]
    assert rows(shop, changes.format("crm")) == [("U", "ann01", elder, elder), ("U", "bob01", gone, elder)]
    moved = "SELECT other_id, main_id_before, main_id_after, change FROM profiles.user_default_id_stitcher_id_changes"
    assert ("bob01", gone, elder) in {row[:3] for row in rows(shop, moved)}
    (shop / "data" / "orders.csv").write_text(FIRST, encoding="utf-8")
    built("2024-02-03")
    assert rows(shop, "SELECT user_id, n, total FROM profiles.crm ORDER BY 1") == [("ann01", 1, 10), ("bob01", 1, 20)]
    assert dict(rows(shop, "SELECT user_id, main_id FROM profiles.crm")) == before
    capsys.readouterr()


def test_a_guard_that_trips_says_how_to_go_on(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed("run", "-q", "--no-report", "--publish", "-p", shop, "--end-time", "2024-02-01") == 0
    (shop / "data" / "orders.csv").write_text(FIRST.rpartition("bob01")[0], encoding="utf-8")
    capsys.readouterr()
    # What can be published is, and the run itself stands; the exit code is that of what could not.
    assert typed("run", "--json", "--no-report", "--publish", "-p", shop, "--end-time", "2024-02-02") == 1
    told = capsys.readouterr()
    document = json.loads(told.out)
    assert [one.get("status") for one in document["published"]] == ["published", "failed"]
    assert "it would delete 1 of 2 rows, 50 %, and 20 % are allowed" in told.err
    assert "`profiles publish crm --approve`" in told.err
    assert typed("publish", "crm", "--plan", "-p", shop) == 0
    assert "guard deleted_share: it would delete 1 of 2 rows" in capsys.readouterr().out
    assert rows(shop, "SELECT COUNT(*) FROM profiles.crm") == [(2,)]
    assert typed("publish", "crm", "--approve", "--json", "-p", shop) == 0
    assert rows(shop, "SELECT COUNT(*) FROM profiles.crm") == [(1,)]
    assert rows(shop, "SELECT approved FROM profiles.publications WHERE publisher = 'crm' ORDER BY publication") == [
        (False,),
        (True,),
    ]


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (("crmm",), "there is no publisher 'crmm'", "did you mean 'crm'?"),
        ((), "no publisher is named", "name one, or all with --all: crm, people"),
    ],
)
def test_what_cannot_be_published(
    shop: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str, hint: str
) -> None:
    assert typed("publish", *arguments, "-p", shop) == 2
    told = capsys.readouterr().err
    assert message in told
    assert hint in told


def test_a_run_publishes_nothing_unless_asked(shop: Path) -> None:
    assert typed("run", "-q", "--no-report", "-p", shop, "--end-time", "2024-02-01") == 0
    assert rows(shop, "SELECT COUNT(*) FROM profiles.publications") == [(0,)]
    assert not (shop / "out").exists()
