"""A project on each engine, built once for all tests of publishing."""

from collections.abc import Iterator

import pytest

from profiles_pipeline_tests.publish.people import Shop, shop
from profiles_pipeline_tests.warehouse.engines import Engine, Postgres, Snowflake


@pytest.fixture(
    scope="package",
    params=[
        "duckdb",
        pytest.param("postgres", marks=pytest.mark.postgres),
        pytest.param("snowflake", marks=pytest.mark.snowflake),
    ],
)
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The project on every engine that can be built on."""
    engine: Engine | None = None
    if request.param == "postgres":
        engine = Postgres(request.getfixturevalue("postgres_port"))
    elif request.param == "snowflake":
        engine = Snowflake(request.getfixturevalue("snowflake_account"))
    with shop(tmp_path_factory.mktemp(request.param), engine) as made:
        yield made


@pytest.fixture(scope="package")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The project on DuckDB."""
    with shop(tmp_path_factory.mktemp("local"), None) as made:
        yield made
