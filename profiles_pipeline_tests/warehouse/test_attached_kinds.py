"""PostgreSQL and DuckLake attached to DuckDB, where its extensions are installed: DuckDB comes without them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from profiles_pipeline.errors import WarehouseError
from profiles_pipeline.warehouse.connect import connect
from profiles_pipeline_tests.warehouse.postgres import settings
from profiles_pipeline_tests.warehouse.test_attaching import Place, rows


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def extended(kind: str) -> duckdb.DuckDBPyConnection:
    session = duckdb.connect()
    try:
        session.execute(f"LOAD {kind}")
    except duckdb.Error as error:
        pytest.skip(f"DuckDB's extension {kind} is not installed: {error}")
    return session


def fill(session: duckdb.DuckDBPyConnection, place: Place, schema: str) -> None:
    """Copy the inputs of the project into a schema of the database that is attached as ``shop``."""
    session.execute(f"CREATE SCHEMA IF NOT EXISTS shop.{schema}")
    session.execute(f"ATTACH '{place.other}' AS sample (READ_ONLY)")
    for name in ("identifies", "tracks"):
        session.execute(f"CREATE OR REPLACE TABLE shop.{schema}.{name} AS FROM sample.ecommerce.{name}")
    session.execute("DETACH sample")


def lake(place: Place, _: Callable[[], int]) -> tuple[duckdb.DuckDBPyConnection, str]:
    """Return a session that may write to a lake, as ``shop``, and the address of the lake."""
    session = extended("ducklake")
    address = f"ducklake:{place.project.parent / 'catalog.ducklake'}"
    session.execute(f"ATTACH '{address}' AS shop (DATA_PATH '{place.project.parent / 'lake'}')")
    return session, address


def server(_: Place, port: Callable[[], int]) -> tuple[duckdb.DuckDBPyConnection, str]:
    session = extended("postgres")
    there = settings(port(), "ecommerce")
    address = f"host={there.host} port={there.port} dbname={there.database} user={there.user}"
    session.execute(f"ATTACH '{address}' AS shop (TYPE postgres)")
    return session, address


@pytest.mark.parametrize(("kind", "made"), [("ducklake", lake), ("postgres", server)])
def test_inputs_in_a_database_of_another_kind_give_what_files_give(
    place: Place,
    kind: str,
    made: Callable[[Place, Callable[[], int]], tuple[duckdb.DuckDBPyConnection, str]],
    request: pytest.FixtureRequest,
) -> None:
    """They are only read, and a change that leaves the number of rows as it was is seen."""
    from_files = place.output({}, "files.duckdb")
    place.run(from_files)
    expected = rows(from_files)
    shutil.rmtree(place.project / "data")
    session, address = made(place, lambda: int(request.getfixturevalue("postgres_port")))
    fill(session, place, "ecommerce")
    session.execute("DETACH shop")

    output = place.output({"profiles_sample": {"type": kind, "address": address}})
    place.run(output)
    assert rows(output) == expected
    with connect(output.settings, purpose="test") as warehouse, pytest.raises(WarehouseError, match="read-only"):
        warehouse.execute("DELETE FROM profiles_sample.ecommerce.tracks")
    options = f"DATA_PATH '{place.project.parent / 'lake'}'" if kind == "ducklake" else "TYPE postgres"
    session.execute(f"ATTACH '{address}' AS shop ({options})")
    session.execute("UPDATE shop.ecommerce.tracks SET event = 'order_completed'")
    session.close()
    place.run(output)
    assert rows(output) != expected


@pytest.mark.parametrize(("kind", "before"), [("postgres", ""), ("ducklake", "ducklake:postgres:")])
def test_a_server_that_does_not_answer_is_told_without_the_secret(place: Place, kind: str, before: str) -> None:
    extended("postgres")
    extended(kind)
    address = f"{before}host=127.0.0.1 port=1 dbname=shop password=planted-secret"
    output = place.output({"profiles_sample": {"type": kind, "address": address}})
    with pytest.raises(WarehouseError, match="cannot be attached") as caught, connect(output.settings, purpose="test"):
        pass
    assert "planted-secret" not in repr((caught.value, caught.value.hint, caught.value.statement))
