"""Daily runs on PostgreSQL: a run that goes on from the one before, against one that reads everything.

The server is one of the bench's own, as it comes out of the box. What it uses is not used by the process that is
measured, so that time by the clock counts here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb
import psycopg

from profiles_pipeline.warehouse.connect import connect
from profiles_pipeline.warehouse.settings import PostgresSettings
from profiles_pipeline_tests.bench.agreement import DIGITS, Difference
from profiles_pipeline_tests.bench.daily import BEFORE, EARLIER, OUTPUTS, SHARE, TABLES
from profiles_pipeline_tests.bench.measure import Case, measure
from profiles_pipeline_tests.bench.workspace import END_TIME, Workspace
from profiles_pipeline_tests.deploy import services

FULL = "profiles run, everything, on PostgreSQL"
NEWEST = "profiles run, newest 1 %, on PostgreSQL"

_USUAL = "dagster"
_STATE, _DAILY, _FULL = "daily_state", "daily", "everything"


@contextmanager
def server(work: Workspace) -> Iterator[None]:
    """Run a server inside the block, with the events in two databases: all of them, and all but the newest."""
    programs = services.postgresql_programs()
    if programs is None:
        raise RuntimeError("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with services.postgresql(programs, "--encoding=UTF8") as port:
        site = work.home / ".pb" / "siteconfig.yaml"
        site.parent.mkdir(exist_ok=True)
        outputs = "".join(f"      {name}: {_output(port, name)}\n" for name in (_STATE, _DAILY, _FULL))
        site.write_text(f"connections:\n  test:\n    target: {_FULL}\n    outputs:\n{outputs}", encoding="utf-8")
        (work.folder / "port").write_text(str(port), encoding="utf-8")
        yield


def _output(port: int, database: str) -> str:
    return f"{{type: postgres, host: 127.0.0.1, port: {port}, dbname: {database}, user: {_USUAL}, schema: profiles}}"


def _settings(work: Workspace, database: str) -> PostgresSettings:
    port = int((work.folder / "port").read_text(encoding="utf-8"))
    return PostgresSettings(host="127.0.0.1", port=port, database=database, user=_USUAL)


def runs(work: Workspace) -> Sequence[Case]:
    """Whole runs: over all rows, and with the newest ones after a run over all others."""
    project = work.project("on_postgres")
    (project / "data").unlink()
    for database in (_STATE, _FULL):
        _administer(work, f"CREATE DATABASE {database}")
    _load(work, _STATE, "older")
    _load(work, _FULL, "web")
    for end in (EARLIER, BEFORE):
        measure(_run(project, _STATE, end), work.home)
    return (
        Case(FULL, _run(project, _FULL, END_TIME), lambda: _forget(work)),
        Case(NEWEST, _run(project, _DAILY, END_TIME), lambda: _go_back(work)),
    )


def _run(project: Path, target: str, end: str) -> tuple[str, ...]:
    command = ("run", "--quiet", "--no-report", "--project", str(project), "--target", target, "--end-time", end)
    return (sys.executable, "-m", "profiles_pipeline", *command)


def _administer(work: Workspace, statement: str) -> None:
    settings = _settings(work, _USUAL)
    place = f"host={settings.host} port={settings.port} dbname={settings.database} user={settings.user}"
    with closing(psycopg.connect(place, autocommit=True)) as connection:
        connection.execute(statement.encode())


def _load(work: Workspace, database: str, which: str) -> None:
    """Load the events into the tables of the shop; where these are the older ones, the newest lie beside them."""
    with duckdb.connect() as files, connect(_settings(work, database), purpose="bench") as warehouse:
        files.execute("SET TimeZone = 'UTC'")
        (cut,) = files.sql(f"SELECT quantile_cont(timestamp, {1 - SHARE}) FROM {_rows(work, 'tracks')}").fetchall()[0]
        warehouse.execute("CREATE SCHEMA web; CREATE SCHEMA newest")
        for name, time in TABLES.items():
            is_newer = f"{time} >= TIMESTAMP '{cut}'"
            parts = {"web": "TRUE"} if which == "web" else {"web": f"({is_newer}) IS NOT TRUE", "newest": is_newer}
            for schema, where in parts.items():
                rows = files.sql(f"SELECT * FROM {_rows(work, name)} WHERE {where}").to_arrow_table()
                warehouse.load(f'"{schema}"."{name}"', rows)


def _rows(work: Workspace, name: str) -> str:
    found = work.events / f"shop.web.{name}.parquet"
    return f"read_parquet('{found / '*.parquet' if found.is_dir() else found}')"


def _forget(work: Workspace) -> None:
    """Drop everything that was built over all events."""
    with connect(_settings(work, _FULL), purpose="bench") as warehouse:
        warehouse.execute('DROP SCHEMA IF EXISTS "profiles" CASCADE')


def _go_back(work: Workspace) -> None:
    """Put the database into the state that it had before the newest rows came, and let them come."""
    _administer(work, f"DROP DATABASE IF EXISTS {_DAILY}")
    _administer(work, f"CREATE DATABASE {_DAILY} TEMPLATE {_STATE}")
    with connect(_settings(work, _DAILY), purpose="bench") as warehouse:
        for name in TABLES:
            warehouse.execute(f'INSERT INTO "web"."{name}" SELECT * FROM "newest"."{name}"')


def disagreements(work: Workspace) -> list[Difference]:
    """Return where a run that goes on differs from one that reads everything."""
    found = []
    for name in OUTPUTS:
        rows = [_contents(work, database, name) for database in (_FULL, _DAILY)]
        if rows[0] != rows[1]:
            found.append(Difference(name, f"{len(rows[0] ^ rows[1])} rows are on one side only"))
    return found


def _contents(work: Workspace, database: str, name: str) -> frozenset[tuple[object, ...]]:
    """Return the rows of a view, fractions rounded."""
    with connect(_settings(work, database), purpose="bench", read_only=True) as warehouse:
        found = warehouse.query(f'SELECT * FROM "profiles"."{name}"')
    return frozenset(
        tuple(round(value, DIGITS) if isinstance(value, float) else str(value) for value in row) for row in found.rows
    )
