"""What a session on DuckDB does with statements, errors, transactions and signals."""

import signal
import subprocess
import threading
import time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from profiles_pipeline.errors import WarehouseError
from profiles_pipeline.warehouse.base import Column, Warehouse
from profiles_pipeline.warehouse.connect import connect_duckdb
from profiles_pipeline.warehouse.duckdb_warehouse import DuckDBWarehouse
from profiles_pipeline.warehouse.settings import MEMORY, DuckDBSettings
from profiles_pipeline_tests.warehouse.conftest import Spawn

ENDLESS = "SELECT count(*) FROM range(3000000) a, range(1000000) b WHERE hash(a.range, b.range) % 7 = 1"

INTERRUPTED = """
import sys
from pathlib import Path
from profiles_pipeline.warehouse.connect import connect_duckdb
from profiles_pipeline.warehouse.settings import DuckDBSettings

with connect_duckdb(DuckDBSettings(path=Path(sys.argv[1])), purpose="a long query") as warehouse:
    warehouse.execute("CREATE TABLE kept AS SELECT 1 AS n")
    try:
        with warehouse.transaction():
            warehouse.execute("INSERT INTO kept VALUES (2)")
            print("started")
            getattr(warehouse, sys.argv[2])(sys.argv[3])
    except KeyboardInterrupt:
        print("interrupted", warehouse.query("SELECT n FROM kept").rows)
"""

EXITS_ON_TERM = """
import signal, sys
from pathlib import Path
from profiles_pipeline.warehouse.connect import connect_duckdb
from profiles_pipeline.warehouse.settings import DuckDBSettings

def leave(number, frame):
    raise SystemExit(7)

signal.signal(signal.SIGTERM, leave)
with connect_duckdb(DuckDBSettings(path=Path(sys.argv[1])), purpose="a long query") as warehouse:
    print("started")
    warehouse.execute(sys.argv[2])
"""


def test_query_returns_names_types_and_rows(warehouse: Warehouse) -> None:
    found = warehouse.query(
        "SELECT 1 AS a, 2.50::DECIMAL(9, 2) AS b, ['x'] AS c, NULL::TIMESTAMP AS d WHERE 1 = ?", [1]
    )
    assert found.columns == ("a", "b", "c", "d")
    assert found.types == ("INTEGER", "DECIMAL(9,2)", "VARCHAR[]", "TIMESTAMP")
    assert found.rows == [(1, Decimal("2.50"), ["x"], None)]


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("SELECT 3, 4", 3),
        ("SELECT 1 WHERE false", None),
        ("SELECT NULL", None),
        ("SELECT current_setting('TimeZone')", "UTC"),
    ],
)
def test_scalar(warehouse: Warehouse, sql: str, value: object) -> None:
    assert warehouse.scalar(sql) == value


def test_settings_reach_the_session(settings: DuckDBSettings) -> None:
    chosen = DuckDBSettings(path=settings.path, threads=1, memory_limit="1GiB")
    with connect_duckdb(chosen, purpose="test") as warehouse:
        names = ("threads", "memory_limit", "temp_directory")
        values = [str(warehouse.scalar(f"SELECT current_setting('{name}')")) for name in names]
    assert values == ["1", "1.0 GiB", f"{settings.path}.tmp"]


def test_arrow_goes_out_and_comes_in(warehouse: Warehouse) -> None:
    warehouse.execute("CREATE TABLE t AS SELECT 'stored' AS x")
    with warehouse.arrow_relation("t", pa.table({"x": ["given"]})):
        assert warehouse.fetch_arrow("SELECT x FROM t").to_pydict() == {"x": ["given"]}
    assert warehouse.scalar("SELECT x FROM t") == "stored"


def test_an_arrow_relation_goes_away_when_its_transaction_fails(warehouse: Warehouse) -> None:
    arrived = pa.table({"x": [1]})
    with (
        pytest.raises(WarehouseError, match="nowhere"),
        warehouse.transaction(),
        warehouse.arrow_relation("a", arrived),
    ):
        warehouse.execute("CREATE TABLE b AS SELECT x, y FROM a, nowhere")
    with pytest.raises(WarehouseError, match="Table with name a does not exist"):
        warehouse.query("SELECT * FROM a")


def test_a_python_variable_is_not_a_table(warehouse: Warehouse) -> None:
    arrived = pa.table({"x": [1]})
    assert arrived.num_rows == 1
    with pytest.raises(WarehouseError, match="arrived does not exist"):
        warehouse.query("SELECT * FROM arrived")


def test_transaction_commits(warehouse: Warehouse) -> None:
    with warehouse.transaction():
        warehouse.execute("CREATE TABLE t AS SELECT 1 AS n")
    assert warehouse.row_count("t") == 1


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)])
def test_transaction_rolls_back_on(warehouse: Warehouse, error: BaseException) -> None:
    warehouse.execute("CREATE TABLE t AS SELECT 1 AS n")

    def work() -> None:
        with warehouse.transaction():
            warehouse.execute("INSERT INTO t VALUES (2)")
            raise error

    with pytest.raises(type(error)):
        work()
    assert warehouse.query("SELECT n FROM t").rows == [(1,)]


def test_transaction_rolls_back_after_a_refused_statement(warehouse: Warehouse) -> None:
    warehouse.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")

    def work() -> None:
        with warehouse.transaction():
            warehouse.execute("INSERT INTO t VALUES (1)")
            warehouse.execute("INSERT INTO t VALUES (1)")

    with pytest.raises(WarehouseError, match="Constraint Error"):
        work()
    assert warehouse.row_count("t") == 0


def test_a_commit_that_fails_leaves_the_session_usable(warehouse: DuckDBWarehouse) -> None:
    warehouse.execute("CREATE TABLE t AS SELECT 1 AS n")
    rival = DuckDBWarehouse(warehouse._connection.cursor(), DuckDBSettings(path=MEMORY))

    def work() -> None:
        with warehouse.transaction():
            warehouse.execute("UPDATE t SET n = 2")
            rival.execute("ALTER TABLE t ADD COLUMN m INTEGER")

    with pytest.raises(WarehouseError, match="another transaction has altered this table"):
        work()
    assert warehouse.query("SELECT * FROM t").rows == [(1, None)]


def test_describe_binds_without_running(warehouse: Warehouse) -> None:
    select = "WITH x AS (SELECT 1 AS a, error('it ran')::VARCHAR AS b FROM range(5)) SELECT a, b AS \"B b\" FROM x"
    assert warehouse.describe(select) == (Column("a", "INTEGER"), Column("B b", "VARCHAR"))
    with pytest.raises(WarehouseError, match="it ran"):
        warehouse.query(select)


def test_relations_of_a_schema(warehouse: Warehouse) -> None:
    warehouse.execute(
        "CREATE SCHEMA Out; CREATE TABLE Out.Material_A AS SELECT 1 AS n; CREATE VIEW out.a AS FROM out.material_a"
    )
    warehouse.execute("CREATE TABLE elsewhere AS SELECT 1 AS n")
    assert warehouse.relations("OUT") == {"Material_A", "a"}
    assert warehouse.relations("nowhere") == frozenset()


def test_errors_say_what_and_where_without_noise(warehouse: Warehouse) -> None:
    statement = "SELECT a,\n  b\nFROM (SELECT 1 AS a)"
    with pytest.raises(WarehouseError) as caught:
        warehouse.query(statement)
    assert str(caught.value) == (
        'Binder Error: Referenced column "b" not found in FROM clause! Candidate bindings: "a"'
    )
    assert caught.value.__notes__ == ["LINE 2:   b\n          ^"]
    assert caught.value.statement == statement


@pytest.mark.parametrize(
    ("method", "sql"),
    [
        ("query", ENDLESS),
        ("execute", f"CREATE TABLE big AS {ENDLESS}"),
        ("execute", "CREATE TABLE big AS SELECT range, hash(range) AS h FROM range(80000000) ORDER BY h"),
        ("fetch_arrow", ENDLESS),
    ],
)
def test_ctrl_c_ends_a_long_statement_at_once(tmp_path: Path, spawn: Spawn, method: str, sql: str) -> None:
    file = tmp_path / "c360.duckdb"
    process = spawn(INTERRUPTED, file, method, sql)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=2)
    assert (stdout, stderr, process.returncode) == ("interrupted [(1,)]\n", "", 0)
    with connect_duckdb(DuckDBSettings(path=file), purpose="after", lock_timeout=0) as warehouse:
        assert warehouse.relations("main") == {"kept"}
        warehouse.execute("INSERT INTO kept VALUES (3)")


@pytest.mark.parametrize("delay", [0, 0.0005, 0.001, 0.002, 0.1])
def test_what_a_signal_handler_raises_arrives_unchanged(tmp_path: Path, spawn: Spawn, delay: float) -> None:
    process = spawn(EXITS_ON_TERM, tmp_path / "c360.duckdb", ENDLESS)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    time.sleep(delay)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=5) == 7


def test_interrupt_from_another_thread(warehouse: Warehouse) -> None:
    timer = threading.Timer(0.5, warehouse.interrupt)
    timer.start()
    with pytest.raises(WarehouseError, match="INTERRUPT Error"):
        warehouse.scalar(ENDLESS)
    timer.join()
    assert warehouse.scalar("SELECT 1") == 1
