"""Tables that keep all states of their rows: what is taken out of them with the materials that showed it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from profiles_pipeline import cleanup, increments, run
from profiles_pipeline.names import ACCUMULATOR, STATES
from profiles_pipeline_tests.law import projects
from profiles_pipeline_tests.law.check import compare
from profiles_pipeline_tests.law.histories import replay
from profiles_pipeline_tests.law.kept import HISTORIES
from profiles_pipeline_tests.law.place import Place


def rows_of_states(place: Place) -> dict[str, tuple[int, int]]:
    """Return the end of the name of each table of states -> its rows, and those that are there in the newest state."""
    with duckdb.connect(str(place.file), read_only=True) as connection:
        names = [str(name) for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        text = 'SELECT count(*), count_if("state.until" > 1000000) FROM profiles."{}"'
        return {
            name.rpartition("_")[2]: connection.execute(text.format(name)).fetchall()[0]
            for name in names
            if name.startswith(ACCUMULATOR) and name.endswith(STATES)
        }


def test_rows_go_with_the_last_material_that_shows_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(increments, "was_built_before", lambda *_: True)
    place = Place(tmp_path / "place", "daily files")
    history = HISTORIES["the second of two rows that join goes, then the first"]
    for step, shape, tables in replay(history):
        project = projects.load(shape, tmp_path)
        place.write(tables)
        report = place.run(project, step.end)
    before, newest = rows_of_states(place), place.kept(report)
    assert before.keys() == {"graph", "people", "rows"}
    assert all(before[name][0] > before[name][1] for name in ("graph", "rows")), "some rows are of earlier states alone"
    rules = cleanup.Rules(period=timedelta(0))
    with run.open_session(project, place.output(project), "test") as session:
        agreed = {fate.material.name for fate in cleanup.fates(session, rules) if fate.dropped}
    cleanup.clean(project, place.output(project), rules, agreed)
    assert rows_of_states(place) == {name: (current, current) for name, (_, current) in before.items()}
    compare("what is left", newest, place.kept(report))
    with run.open_session(project, place.output(project), "test") as session:
        project_name, registry = project.name, session.registry
        held = registry.held(project_name, examined=True)
        assert not any(each.flaw for each in held), "what a cleanup takes out is no damage"
        (people,) = (each.name for each in held if each.name.endswith("_people"))
        first, last = (f'main_id = (SELECT {end}(main_id) FROM profiles."{people}")' for end in ("MIN", "MAX"))
        session.warehouse.execute(f'DELETE FROM profiles."{people}" WHERE {first}')
        with session.warehouse.transaction(), registry.changing_held(project_name):
            session.warehouse.execute(f'DELETE FROM profiles."{people}" WHERE {last}')
        damaged = [each for each in registry.held(project_name, examined=True) if each.flaw]
        rows = session.warehouse.scalar(f'SELECT COUNT(*) FROM profiles."{people}"')
        assert [(each.name, each.flaw) for each in damaged] == [
            (people, f"{people} was changed (rows: {rows}, instead of {int(str(rows)) + 1}) since the last run")
        ], "what somebody else takes out is, whatever else was changed since"
