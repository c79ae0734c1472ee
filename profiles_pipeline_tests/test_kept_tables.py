"""Tables that are kept from run to run, after somebody has dropped or altered them, or in another layout.

It is noticed by the plan, which says so; what they were kept for is kept anew, and nothing fails or is wrong.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import duckdb
import pytest

from profiles_pipeline import increments
from profiles_pipeline.compile import layout
from profiles_pipeline.errors import ProfilesError
from profiles_pipeline.names import ACCUMULATOR, KEPT_PARTS, STATES
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.run import Report, open_session
from profiles_pipeline.warehouse.connect import connect
from profiles_pipeline.windows import Held
from profiles_pipeline_tests.law import projects
from profiles_pipeline_tests.law.check import LawBrokenError, compare, rebuilt
from profiles_pipeline_tests.law.histories import replay
from profiles_pipeline_tests.law.kept import HISTORIES
from profiles_pipeline_tests.law.place import Place, Relations
from profiles_pipeline_tests.law.postgres_place import PostgresPlace
from profiles_pipeline_tests.law.projects import Shape

pytestmark = pytest.mark.slow

FEATURES = Shape(("n_events", "n_3d", "median_amount", "n_large"))
"""A project in which things are kept in parts, of windows, by going over rows, and as finished rows."""

VISITS = Shape(("n_events",), sessions="visits")
"""One in which sessions are kept."""


@dataclass
class Kept:
    """A place where two runs have kept everything, a copy of its file, and what a third run must say."""

    place: Place
    project: ProfilesProject
    copy: Path
    before: tuple[Report, Relations]
    end: datetime
    expected: Relations

    def restore(self) -> None:
        """Put the warehouse back as the second run left it."""
        shutil.copy(self.copy, self.place.file)

    def do(self, sql: str) -> None:
        """Let somebody do something in the warehouse."""
        with duckdb.connect(str(self.place.file)) as connection:
            connection.execute(sql)

    def asked(self, sql: str) -> list[tuple[object, ...]]:
        with duckdb.connect(str(self.place.file), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def tables(self) -> dict[str, str]:
        """Return each kept table, and each that belongs to one -> the model that it is for."""
        held = dict(self.asked("SELECT table_name, model_ref FROM profiles.held_tables"))
        named = [str(name) for (name,) in self.asked("SELECT table_name FROM duckdb_tables()")]
        return {
            name: str(held[own])
            for name in sorted(named)
            if name.startswith(ACCUMULATOR)
            for own in [max((h for h in held if name.removeprefix(str(h)) in KEPT_PARTS), key=len)]
        }

    def held(self) -> tuple[Held, ...]:
        with open_session(self.project, self.place.output(self.project), "test") as session:
            return session.registry.held(self.project.name, examined=True)

    def run(self) -> Report:
        return self.place.run(self.project, self.end)


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return _kept(FEATURES, tmp_path_factory.mktemp("features"))


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return _kept(VISITS, tmp_path_factory.mktemp("visits"))


def _kept(shape: Shape, folder: Path) -> Kept:
    history = replace(HISTORIES["a corrected id parts a person, and another joins it again"], shape=shape)
    project, place = projects.load(shape, folder), Place(folder / "place", history.layout)
    *earlier, (last, _, tables) = replay(history)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(increments, "was_built_before", lambda *_: True)
        for step, _, rows in earlier:
            place.write(rows)
            report = place.run(project, step.end)
    shutil.copy(place.file, folder / "copy.duckdb")
    place.write(tables)
    rebuilt = Place(folder / "rebuilt", history.layout)
    rebuilt.write(tables)
    expected = rebuilt.built(rebuilt.run(project, last.end))
    return Kept(place, project, folder / "copy.duckdb", (report, place.kept(report)), last.end, expected)


KEEPING = ("models/user_id_stitcher", "models/visits", "user/all/var_table")
"""The models for which something is kept, in the order in which they are built."""

KINDS = (*STATES, "_changes", "_seen", "_days", "_days_seen")
"""How the names of tables end of which there is one at least."""


def test_files_without_rows_are_known_to_have_been_read(features: Kept) -> None:
    """Whatever was looked at is not read again, be there a row in it that counts or none."""
    features.restore()
    read = [{Path(file).name: state for file, state in held.files} for held in features.held() if held.files]
    files = {file.name for file in (features.place.tables / "tracks").iterdir()}
    of_tracks = [states for states in read if states.keys() == files]
    assert of_tracks
    assert all(state for states in of_tracks for state in states.values())
    assert "no-day.parquet" in files


def test_what_somebody_has_dropped_or_altered_is_kept_anew(features: Kept, visits: Kept) -> None:
    """Each table in its turn. What earlier runs built stays as it was, or is known to be gone."""
    features.restore(), visits.restore()
    tables, of_visits = features.tables(), {n: p for n, p in visits.tables().items() if p == "models/visits"}
    assert all(any(name.endswith(kind) for name in tables) for kind in KINDS)
    done = [(features, name, path, f'DROP TABLE profiles."{name}"') for name, path in tables.items()]
    done += [(visits, name, path, f'DROP TABLE profiles."{name}"') for name, path in of_visits.items()]
    for kind in ("_graph", "_rows", "_seen"):
        name = next(name for name in tables if name.endswith(kind))
        done.append((features, name, tables[name], f'ALTER TABLE profiles."{name}" ADD COLUMN mine INTEGER'))
    for kind in ("_changes", "_people", "_days"):
        name = next(name for name in tables if name.endswith(kind) and features.asked(f'FROM profiles."{name}"'))
        one = f'SELECT MIN(rowid) FROM profiles."{name}"'
        done.append((features, name, tables[name], f'DELETE FROM profiles."{name}" WHERE rowid = ({one})'))
    wrong = [found for kept, name, path, sql in done if (found := _gone_wrong(kept, name, path, sql))]
    assert not wrong, "\n".join(wrong)


def _gone_wrong(kept: Kept, table: str, path: str, statement: str) -> str:
    """Return what goes wrong in the run after somebody has done something to a table; nothing where all is well."""
    kept.restore()
    of_sessions = kept.asked("SELECT table_name FROM profiles.held_tables WHERE columns LIKE '%sessions%'")
    is_shown = table.endswith(STATES) or (table,) in of_sessions
    kept.do(statement)
    try:
        report = kept.run()
        compare(f"{table} of {path}", kept.expected, kept.place.built(report))
    except (ProfilesError, LawBrokenError, duckdb.Error) as error:
        return f"{table} of {path}: {error}"
    how = next(built.how for built in report.built if built.model.path == path)
    is_log = table.endswith("_changes")
    if how.action != ("increment" if is_log else "build") or table not in how.reason:
        return f"{table} of {path}: said to be {how.action}, since {how.reason}"
    others = {built.how.action for built in report.built if built.model.path in KEEPING and built.model.path != path}
    if path == KEEPING[0] and others != ({"build"} if table.endswith(STATES) else {"increment"}):
        return f"{table} of {path}: what goes on from the graph is said to be {others}"
    if flaws := [held for held in kept.held() if held.flaw and held.seq_no == report.window.seq_no]:
        return f"{table} of {path}: still {flaws}"
    earlier = kept.before
    known = {name for (name,) in kept.asked("SELECT material_name FROM profiles.material_registry")}
    still = {item.model.path for item in earlier[0].built if item.material in known}
    if len(still) < len(earlier[1]) and not is_shown:
        return f"{table} of {path}: of the run before, there is no {earlier[1].keys() - still}"
    shown = kept.place.kept(replace(earlier[0], built=tuple(i for i in earlier[0].built if i.model.path in still)))
    compare(f"{table} of {path}, the run before", {p: earlier[1][p] for p in shown}, shown)
    return ""


def test_another_layout_is_kept_beside_the_one_before(visits: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept in another layout is not read, and what shows it goes on to do so."""
    kept = visits
    kept.restore()
    number = layout.current()
    monkeypatch.setattr(layout, "CHANGES", (*layout.CHANGES, "days are cut in two"))
    report = kept.run()
    compare("another layout", kept.expected, kept.place.built(report))
    how = {built.model.path: built.how for built in report.built}
    said = f"what is kept is in layout {number}, this version of profiles-pipeline keeps {number + 1}"
    assert [path for path, each in how.items() if said in each.reason] == list(KEEPING)
    compare("what was built before", kept.before[1], kept.place.kept(kept.before[0]))
    monkeypatch.undo()
    report = kept.place.run(kept.project, kept.end + timedelta(hours=1))
    said = f"what is kept is in layout {number + 1}, this version of profiles-pipeline keeps {number}"
    assert [b.model.path for b in report.built if said in b.how.reason] == list(KEEPING)


def test_the_number_of_the_layout_goes_with_the_columns(features: Kept, visits: Kept, update_golden: bool) -> None:
    """Whoever changes what kept tables look like adds to `layout.CHANGES`; then `--update-golden` writes them anew."""
    features.restore(), visits.restore()
    shapes = sorted({_shape_of(kept, name) for kept in (features, visits) for name in kept.tables()})
    found = "\n".join([f"layout {layout.current()}", *shapes, ""])
    golden = Path(__file__).parent / "data" / "kept_tables.txt"
    if update_golden:
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")


def _shape_of(kept: Kept, table: str) -> str:
    """Return the end of the name of a table, and its columns, without the digits that stand for definitions."""
    columns = kept.asked(f"SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = '{table}'")
    named = dict.fromkeys(f"{re.sub('_[0-9a-f]{12}$', '_*', str(name))} {kind}" for name, kind in columns)
    return f"{re.sub('(?<=_)[0-9a-f]{6,12}', '*', table)}: {', '.join(named)}"


@pytest.mark.postgres
def test_what_goes_on_postgresql_with_its_readers(postgres_port: int, tmp_path: Path) -> None:
    """There, views go with the table that they read: the materials of earlier runs among them."""
    shape = Shape(("n_events", "median_amount"))
    history = replace(HISTORIES["a row of today joins two old persons"], shape=shape, layout="tables")
    project, place = projects.load(shape, tmp_path), PostgresPlace(postgres_port, tmp_path / "dropped", "tables")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(increments, "was_built_before", lambda *_: True)
        for step, _, tables in replay(history):
            place.write(tables)
            place.run(project, step.end)
    output = place.output(project)
    for number, kind in enumerate(("_graph", "_rows", "_seen"), start=1):
        with connect(output.settings, purpose="test") as warehouse:
            name = min(n for n in warehouse.relations(output.schema) if n.startswith(ACCUMULATOR) and n.endswith(kind))
            warehouse.execute(f'DROP TABLE "{output.schema}"."{name}" CASCADE')
        last = replace(step, end=step.end + timedelta(hours=number))
        report = place.run(project, last.end)
        expected = rebuilt(shape, tables, last, history, tmp_path, partial(PostgresPlace, postgres_port))
        compare(f"without {name}", expected, place.built(report))
        assert any(name in built.how.reason for built in report.built), kind
    place.remove()
