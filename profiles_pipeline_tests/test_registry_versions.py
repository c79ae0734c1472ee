"""A registry that an earlier version has made is migrated with nothing lost; one of a later version is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from profiles_pipeline import increments
from profiles_pipeline.compile import layout
from profiles_pipeline.dialects import identifier
from profiles_pipeline.queries.reading import open_for_reading
from profiles_pipeline.registry import Registry
from profiles_pipeline.registry_schema import MIGRATIONS, TABLES, VERSION
from profiles_pipeline.warehouse.base import Warehouse
from profiles_pipeline.warehouse.connect import connect
from profiles_pipeline_tests.law import projects
from profiles_pipeline_tests.law.check import compare, rebuilt
from profiles_pipeline_tests.law.histories import replay
from profiles_pipeline_tests.law.kept import HISTORIES
from profiles_pipeline_tests.law.place import Place
from profiles_pipeline_tests.law.postgres_place import PostgresPlace
from profiles_pipeline_tests.law.projects import Shape
from profiles_pipeline_tests.warehouse.conftest import Spawn, spawn

if TYPE_CHECKING:
    from profiles_pipeline_tests.warehouse.snowflake import Account

__all__ = ["spawn"]

VERSION_1 = Path(__file__).parent / "data" / "registries" / "version_1.sql"

ENSURE = """
import sys
from pathlib import Path
from profiles_pipeline.registry import Registry
from profiles_pipeline.warehouse.connect import connect
from profiles_pipeline.warehouse.settings import DuckDBSettings
from profiles_pipeline_tests.warehouse.postgres import settings

place, schema = sys.argv[1:]
chosen = settings(int(place), schema) if place.isdigit() else DuckDBSettings(path=Path(place))
print("ready")
sys.stdin.readline()
with connect(chosen, purpose="test") as warehouse:
    Registry(warehouse, schema).ensure()
"""


def as_version_1_left_it(warehouse: Warehouse, schema: str) -> dict[str, list[tuple[object, ...]]]:
    """Make the registry of a schema one of version 1, and return the rows of its tables.

    It has no table for the rows of inputs: version 1 made that only when it needed it.
    """
    where, rows = identifier(schema, warehouse.dialect), {}
    for statement in filter(str.strip, VERSION_1.read_text(encoding="utf-8").split(";")):
        head, columns = statement.split("CREATE TABLE ")[1].split(" (", 1)
        warehouse.execute(f"ALTER TABLE {where}.{head} RENAME TO {head}_newer")
        warehouse.execute(f"CREATE TABLE {where}.{head} ({columns}")
        names = ", ".join(column.name for column in warehouse.describe(f"SELECT * FROM {where}.{head}"))
        warehouse.execute(f"INSERT INTO {where}.{head} ({names}) SELECT {names} FROM {where}.{head}_newer")
        warehouse.execute(f"DROP TABLE {where}.{head}_newer")
        if head != "pb_ct_version":
            rows[head] = sorted(warehouse.query(f"SELECT {names} FROM {where}.{head}").rows, key=repr)
    warehouse.execute(f"DROP TABLE {where}.profiles_input_rows")
    warehouse.execute(f"UPDATE {where}.pb_ct_version SET registry_version = 1")
    return rows


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def places(request: pytest.FixtureRequest) -> Callable[..., Place]:
    """What makes a place on one of the engines."""
    return Place if request.param == "duckdb" else partial(PostgresPlace, request.getfixturevalue("postgres_port"))


def test_one_of_version_1_is_migrated_and_gone_on_from(
    places: Callable[..., Place], tmp_path: Path, spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes begin at once; what was read before one of them wrote says the same."""
    monkeypatch.setattr(layout, "CHANGES", ())  # so that what is kept is that of a registry of version 1
    monkeypatch.setattr(increments, "was_built_before", lambda *_: True)
    shape = Shape(("n_events", "median_amount"))
    history = replace(HISTORIES["a row of today joins two old persons"], shape=shape, layout="tables")
    project, place = projects.load(shape, tmp_path), places(tmp_path / "registry", history.layout)
    (first, _, tables), (second, _, later) = replay(history)
    place.write(tables)
    place.run(project, first.end)
    output = place.output(project)
    with connect(output.settings, purpose="test") as warehouse:
        given = as_version_1_left_it(warehouse, output.schema)
    with open_for_reading(project, output, "test") as session:
        held, kept = session.registry.held(project.name, examined=True), session.registry.kept(project.name)
        assert session.warehouse.scalar(f"SELECT MAX(registry_version) FROM {output.schema}.pb_ct_version") == 1

    _ensure_at_once(place, output.schema, spawn)
    with open_for_reading(project, output, "test") as session:
        warehouse, schema = session.warehouse, identifier(output.schema, session.warehouse.dialect)
        versions = warehouse.query(f"SELECT registry_version FROM {schema}.pb_ct_version ORDER BY 1").rows
        assert versions == [(1,), *((migration.number,) for migration in MIGRATIONS)], "each once"
        for table, rows in given.items():
            names = ", ".join(c.name for c in warehouse.describe(f"SELECT * FROM {schema}.{table}"))
            now = warehouse.query(f"SELECT {names} FROM {schema}.{table}").rows
            width = len(rows[0]) if rows else 0
            assert sorted((row[:width] for row in now), key=repr) == rows, table
        assert session.registry.held(project.name, examined=True) == held
        assert session.registry.kept(project.name) == kept
        migrated = {t: warehouse.describe(f"SELECT * FROM {schema}.{t}") for t in TABLES}
    place.write(later)
    report = place.run(project, second.end)
    how = {built.model.path: built.how.action for built in report.built}
    assert (how["models/user_id_stitcher"], how["user/all/var_table"]) == ("increment", "increment")
    expected = rebuilt(shape, later, second, history, tmp_path, places)
    compare("what was migrated", expected, place.built(report))
    with connect(output.settings, purpose="test") as warehouse:
        schema = identifier("a_fresh_one", warehouse.dialect)
        Registry(warehouse, "a_fresh_one").ensure()
        assert {t: warehouse.describe(f"SELECT * FROM {schema}.{t}") for t in TABLES} == migrated
        assert warehouse.query(f"SELECT registry_version FROM {schema}.pb_ct_version").rows == [(VERSION,)]
        warehouse.execute(f"DROP SCHEMA {schema} CASCADE")
    place.remove()


def _ensure_at_once(place: Place, schema: str, spawn: Spawn) -> None:
    """Let two processes make sure of a registry at the same moment."""
    where = str(place._settings.port) if isinstance(place, PostgresPlace) else str(place.file)
    both = [spawn(ENSURE, where, schema) for _ in range(2)]
    assert [process.stdout.readline() for process in both if process.stdout] == ["ready\n"] * 2
    for process in both:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [(process.communicate(timeout=60)[1], process.returncode) for process in both] == [("", 0)] * 2


@pytest.mark.snowflake
def test_one_of_version_1_is_migrated_where_nothing_is_rolled_back(snowflake_account: Account) -> None:
    """One migration broke off after its first statement; it is begun anew, and what is noted is noted once."""
    with connect(snowflake_account.settings("REGISTRY"), purpose="test") as warehouse:
        warehouse.ensure_schema("REGISTRY")
        for statement in filter(str.strip, VERSION_1.read_text(encoding="utf-8").split(";")):
            warehouse.execute(statement.replace("CREATE TABLE ", "CREATE TABLE REGISTRY."))
        held = "'State_1', 'shop', 'models/visits', 3, '2024-01-01', 2, 'Material_1', '[]', 0"
        warehouse.execute("INSERT INTO REGISTRY.pb_ct_version VALUES (1, '2024-01-01')")
        warehouse.execute(f"INSERT INTO REGISTRY.held_tables VALUES ({held})")
        warehouse.execute("ALTER TABLE REGISTRY.held_tables ADD COLUMN layout INTEGER")
        registry = Registry(warehouse, "REGISTRY")
        for _ in range(2):
            registry.ensure()
        found = warehouse.query("SELECT table_name, layout, parts FROM REGISTRY.held_tables").rows
        assert found == [("State_1", 1, None)]
        versions = warehouse.query("SELECT registry_version FROM REGISTRY.pb_ct_version ORDER BY 1").rows
        assert versions == [(number,) for number in range(1, VERSION + 1)]
        assert {name.lower() for name in warehouse.relations("REGISTRY")} >= TABLES.keys()


def test_versions_are_numbered_without_gaps() -> None:
    assert [migration.number for migration in MIGRATIONS] == list(range(2, VERSION + 1))
