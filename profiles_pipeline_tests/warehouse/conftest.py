"""Real DuckDB files, and real processes that hold them."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from profiles_pipeline.warehouse.connect import connect_duckdb
from profiles_pipeline.warehouse.duckdb_warehouse import DuckDBWarehouse
from profiles_pipeline.warehouse.settings import DuckDBSettings

Spawn = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def settings(tmp_path: Path) -> DuckDBSettings:
    """A file that does not exist yet, in a folder that does not exist yet."""
    return DuckDBSettings(path=tmp_path / "state" / "c360.duckdb", base=tmp_path, threads=1)


@pytest.fixture
def warehouse(settings: DuckDBSettings) -> Iterator[DuckDBWarehouse]:
    """An open session on a new file."""
    with connect_duckdb(settings, purpose="test") as opened:
        yield opened


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Start `python -c script args`, its streams as text pipes; what still runs after the test is killed."""
    pipe = subprocess.PIPE
    started: list[subprocess.Popen[str]] = []

    def start(script: str, *args: object) -> "subprocess.Popen[str]":
        command = [sys.executable, "-u", "-c", script, *map(str, args)]
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
