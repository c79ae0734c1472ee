"""What stays of earlier runs after a run, what goes, and what is said of it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import duckdb
import pytest

from profiles_pipeline import cleanup
from profiles_pipeline.errors import WarehouseError
from profiles_pipeline.session import Session

from .conftest import Call
from .test_cleanup import do

PROJECTS = Path(__file__).parents[1] / "projects"


def says(project: Path, text: str) -> Path:
    """Let the pipeline.yaml of a project say something."""
    (project / "pipeline.yaml").write_text(text + "\n", encoding="utf-8")
    return project


def run(call: Call, project: Path, end: str) -> dict[str, object]:
    """Run as of a moment and return what is said of it."""
    outcome = call("run", "-p", project, "--end-time", end, "--no-report", "--json")
    assert outcome.code == 0, outcome.err
    found: dict[str, object] = json.loads(outcome.out)
    return found


def left(project: Path, model: str = "user_profile") -> set[int]:
    """Return the numbers of the time contexts of which there are materials of a model, in the registry and as such."""
    with duckdb.connect(str(project / ".profiles" / "warehouse.duckdb"), read_only=True) as connection:
        known = connection.execute(
            "select material_name, seq_no from profiles.material_registry where model_name = ?", [model]
        ).fetchall()
        there = {name for (name,) in connection.execute("select table_name from information_schema.tables").fetchall()}
    material = re.compile(rf"Material_{model}_[0-9a-f]{{8}}_\d+")
    assert {name for name, _ in known} == {name for name in there if material.fullmatch(name)}
    return {number for _, number in known}


def rows(project: Path, *names: str) -> list[list[tuple[object, ...]]]:
    with duckdb.connect(str(project / ".profiles" / "warehouse.duckdb"), read_only=True) as connection:
        return [connection.execute(f"select * from profiles.{name} order by all").fetchall() for name in names]


def test_of_each_day_the_last_run_stays(call: Call, quickstart: Path) -> None:
    """Midnight is the end of a day, not the beginning of one."""
    says(quickstart, "retention: {runs: 1}")
    assert run(call, quickstart, "2023-11-07T06:00:00Z")["retired"] == []
    run(call, quickstart, "2023-11-07T18:00:00Z")
    assert left(quickstart) == {2}
    run(call, quickstart, "2023-11-08T00:00:00Z")
    assert left(quickstart) == {3}
    done = run(call, quickstart, "2023-11-08T06:00:00Z")
    assert (done["retired"], done["not_retired"]) == ([], None)
    assert left(quickstart) == {3, 4}
    done = run(call, quickstart, "2023-11-08T18:00:00Z")
    retired = done["retired"]
    assert isinstance(retired, list)
    assert retired
    assert {str(name).rpartition("_")[2] for name in retired} == {"4"}
    assert left(quickstart) == {3, 5}
    missing = call("query", "-p", quickstart, "--seq-no", 4, "select count(*) from user_profile")
    assert missing.code == 2
    assert "there is nothing of 'models/user_profile' in seq_no 4: it was not built there, or has been dropped" in (
        missing.err
    )
    assert "nothing of this run is left" in call("show", "plan", "-p", quickstart, "--seq-no", 4).out
    kept = call("query", "-p", quickstart, "--seq-no", 3, "select count(*) as n from user_profile")
    assert kept.code == 0, kept.err


def test_what_is_left_says_what_a_rebuild_would(call: Call, quickstart: Path, tmp_path: Path) -> None:
    """Going on is not disturbed by what has been dropped."""
    says(quickstart, "retention: {runs: 1, period: 1ms}\nincremental: always")
    for hour in (6, 12, 18):
        run(call, quickstart, f"2023-11-07T{hour:02}:00:00Z")
    assert left(quickstart) == {3}
    own = shutil.ignore_patterns(".profiles", "output")
    fresh = says(Path(shutil.copytree(quickstart, tmp_path / "fresh", ignore=own)), "incremental: never")
    run(call, fresh, "2023-11-07T18:00:00Z")
    names = ("user_profile", "user_id_stitcher", "user_feature_view")
    assert rows(quickstart, *names) == rows(fresh, *names)


def test_a_run_says_what_it_has_dropped(call: Call, quickstart: Path) -> None:
    says(quickstart, "retention: {runs: 1}")
    run(call, quickstart, "2023-11-07T06:00:00Z")
    told = call("run", "-p", quickstart, "--end-time", "2023-11-07T07:00:00Z", "--no-report")
    assert "dropped 7 relations of earlier runs; `retention` in pipeline.yaml says what stays\n" in told.out


def test_nothing_goes_where_retention_is_off(call: Call, quickstart: Path) -> None:
    says(quickstart, "retention: {enabled: false, runs: 1, period: 1ms}")
    run(call, quickstart, "2023-11-07T06:00:00Z")
    assert run(call, quickstart, "2023-11-07T07:00:00Z")["retired"] == []
    assert left(quickstart) == {1, 2}


def test_what_a_later_run_reads_of_earlier_ones_stays(call: Call, home: Path, tmp_path: Path) -> None:  # noqa: ARG001
    """The cohort leaves out whom the graph knew at midnight; nobody reads again what it was at noon."""
    project = Path(shutil.copytree(PROJECTS / "past_material", tmp_path / "project"))
    says(project, "retention: {runs: 1, period: 1ms}")
    for end in ("2024-01-02T00:00:00Z", "2024-01-02T12:00:00Z", "2024-01-02T18:00:00Z"):
        run(call, project, end)
    there = left(project, "user_graph")
    untouched = Path(shutil.copytree(PROJECTS / "past_material", tmp_path / "untouched"))
    says(untouched, "retention: false")
    for end in ("2024-01-02T00:00:00Z", "2024-01-02T12:00:00Z", "2024-01-02T18:00:00Z"):
        run(call, untouched, end)
    assert rows(project, "seen_before") == rows(untouched, "seen_before")
    assert there == {1, 3}


def test_a_warehouse_that_refuses_does_not_make_the_run_a_failure(
    call: Call, quickstart: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(quickstart, "retention: {runs: 1}")
    run(call, quickstart, "2023-11-07T06:00:00Z")

    def refuse(*_: object) -> None:
        raise WarehouseError("no right to drop")

    monkeypatch.setattr(cleanup, "drop", refuse)
    done = run(call, quickstart, "2023-11-07T07:00:00Z")
    assert (done["status"], done["not_retired"]) == (
        "done",
        "what earlier runs built could not be dropped: no right to drop",
    )
    assert left(quickstart) == {1, 2}


def test_where_nothing_is_old_the_schema_is_not_looked_through(
    call: Call, quickstart: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That takes seconds on some warehouses, and most runs have nothing to drop."""
    asked: list[bool] = []
    real = cleanup.fates

    def counted(session: Session, rules: cleanup.Rules) -> tuple[cleanup.Fate, ...]:
        asked.append(True)
        return real(session, rules)

    monkeypatch.setattr(cleanup, "fates", counted)
    says(quickstart, "retention: {runs: 1}")
    run(call, quickstart, "2023-11-06T06:00:00Z")
    run(call, quickstart, "2023-11-07T06:00:00Z")
    assert asked == []
    run(call, quickstart, "2023-11-07T07:00:00Z")
    assert asked == [True]


def test_the_sql_of_what_is_gone_goes_with_it(call: Call, quickstart: Path) -> None:
    """What somebody else has put there stays."""
    says(quickstart, "retention: {runs: 1}")
    folder = quickstart / "output" / "dev" / "seq_no"
    for hour in (6, 7):
        run(call, quickstart, f"2023-11-07T0{hour}:00:00Z")
    assert not (folder / "1").exists()
    assert len(list((folder / "2" / "run").glob("Material_*_2.sql"))) == 7
    (folder / "2" / "run" / "notes.txt").write_text("mine", encoding="utf-8")
    run(call, quickstart, "2023-11-07T08:00:00Z")
    assert [file.name for file in (folder / "2").rglob("*")] == ["run", "notes.txt"]


def test_a_copied_link_is_left_alone(call: Call, quickstart: Path) -> None:
    """Some ways of copying a project make a folder of the link to the newest SQL."""
    run(call, quickstart, "2023-11-07T06:00:00Z")
    link = quickstart / "output" / "dev" / "seq_no" / "latest"
    assert link.is_symlink()
    link.unlink()
    shutil.copytree(link.parent / "1", link)
    run(call, quickstart, "2023-11-07T07:00:00Z")
    assert (link.is_dir(), link.is_symlink()) == (True, False)


def test_views_of_others_keep_what_they_read(call: Call, quickstart: Path) -> None:
    says(quickstart, "retention: {runs: 1}")
    run(call, quickstart, "2023-11-07T06:00:00Z")
    name = next(iter(names_of(quickstart)))
    do(quickstart, f'create view main.mine as select * from profiles."{name}"')
    run(call, quickstart, "2023-11-07T07:00:00Z")
    assert left(quickstart) == {1, 2}


def names_of(project: Path) -> list[str]:
    with duckdb.connect(str(project / ".profiles" / "warehouse.duckdb"), read_only=True) as connection:
        found = connection.execute(
            "select material_name from profiles.material_registry where model_name = 'user_profile'"
        ).fetchall()
    return [name for (name,) in found]
