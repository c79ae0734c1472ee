"""A PostgreSQL server of its own behind the protocol of warehouses."""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest
from pydantic import SecretStr
from sqlglot import exp

from profiles_pipeline.dialects import render
from profiles_pipeline.errors import LockTimeoutError, ProjectError, WarehouseError
from profiles_pipeline.warehouse.base import Column, Warehouse
from profiles_pipeline.warehouse.connect import connect
from profiles_pipeline.warehouse.lock import Holder
from profiles_pipeline.warehouse.replacing import replacing
from profiles_pipeline_tests.warehouse.postgres import settings

pytestmark = pytest.mark.postgres

WITHIN_S = 30


@pytest.fixture
def warehouse(postgres_port: int) -> Iterator[Warehouse]:
    with connect(settings(postgres_port, "own"), purpose="test") as opened:
        opened.execute("DROP SCHEMA IF EXISTS own CASCADE")
        opened.ensure_schema("own")
        yield opened


def wait_until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_values_come_as_they_are_elsewhere(warehouse: Warehouse) -> None:
    found = warehouse.query(
        """SELECT 1::BIGINT, 1.50::NUMERIC(10, 2), 'ü'::TEXT, TRUE, DATE '2024-01-02', TIMESTAMP '2024-01-02 03:04:05',
        ARRAY['a', NULL], '{"b": 1, "a": null}'::JSONB, NULL::TEXT"""
    )
    assert found.rows == [
        (1, Decimal("1.50"), "ü", True, date(2024, 1, 2), datetime(2024, 1, 2, 3, 4, 5), ["a", None],
         '{"a": null, "b": 1}', None)
    ]  # fmt: skip
    assert found.types[:1] == ("BIGINT",)


def test_times_that_python_has_no_value_for_are_read_as_on_duckdb(warehouse: Warehouse) -> None:
    far = """DATE '{day}', TIMESTAMP '{day} 01:02:03', DATE '20000-01-01', DATE 'infinity', TIMESTAMP '-infinity',
        TIMESTAMPTZ '20000-01-01 00:00:00+00' IS NULL, TIMESTAMP '20000-01-01 00:00:00.5'"""
    on_duckdb = duckdb.sql(f"SELECT {far}".format(day="0044-03-15 (BC)")).fetchall()
    here = far.format(day="0044-03-15 BC").replace("BC 01:02:03", "01:02:03 BC")
    assert warehouse.query(f"SELECT {here}").rows == on_duckdb
    assert warehouse.scalar("SELECT TIMESTAMPTZ '20000-01-01 00:00:00+00'") == "20000-01-01 00:00:00+00"


@pytest.mark.parametrize("text", ["today", "01/02/2024", "2024-02-30"])
def test_a_text_that_is_no_date_elsewhere_is_none_here(warehouse: Warehouse, text: str) -> None:
    given = exp.cast(exp.Literal.string(text), "TEXT")
    with pytest.raises(WarehouseError, match="is not a time of the form that is wanted"):
        warehouse.query(render(exp.select(exp.cast(given, "DATE")), "postgres"))


def test_functions_that_catch_errors_are_not_run_by_several_processes(warehouse: Warehouse) -> None:
    catching = warehouse.query(
        "SELECT DISTINCT proparallel::TEXT FROM pg_proc WHERE pronamespace = 'own'::REGNAMESPACE "
        "AND prosrc LIKE '%EXCEPTION WHEN%'"
    )
    assert catching.rows == [("u",)]


def test_the_session_is_in_utc(warehouse: Warehouse) -> None:
    assert warehouse.scalar("SELECT CAST(TIMESTAMPTZ '2024-01-01 00:00:00+02' AS TEXT)") == "2023-12-31 22:00:00+00"


@pytest.mark.parametrize(
    ("sql", "params", "expected"),
    [
        ("SELECT ?, ?", [1, "x"], (1, "x")),
        ("SELECT '?' || ?, 5 % ?, 'a' LIKE '%'", ["x", 3], ("?x", 2, True)),
        ("SELECT 'it''s %s', \"?\" FROM (SELECT ? AS \"?\") AS t", [7], ("it's %s", 7)),
        ("SELECT '100%', '?'", None, ("100%", "?")),
        ("SELECT ?", [datetime(2024, 1, 2)], (datetime(2024, 1, 2),)),
        ("SELECT CAST(? AS TEXT) IS NULL", [None], (True,)),
    ],
)
def test_placeholders(warehouse: Warehouse, sql: str, params: list[object] | None, expected: tuple[object]) -> None:
    assert warehouse.query(sql, params).rows == [expected]


def test_describing_binds_and_does_not_run(warehouse: Warehouse) -> None:
    warehouse.execute("CREATE SEQUENCE own.calls")
    described = warehouse.describe(
        "SELECT NEXTVAL('own.calls') AS n, 1.5::NUMERIC(8, 3) AS d, '{}'::JSONB AS j, ARRAY['x'] AS l, NOW() AS t"
    )
    assert described == (
        Column("n", "BIGINT"),
        Column("d", "DECIMAL(8,3)"),
        Column("j", "JSON"),
        Column("l", "VARCHAR[]"),
        Column("t", "TIMESTAMP WITH TIME ZONE"),
    )
    assert warehouse.scalar("SELECT NEXTVAL('own.calls')") == 1


def test_what_is_refused_is_told_with_its_line(warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseError, match='column "nothing" does not exist') as refused:
        warehouse.query("SELECT 1,\n  nothing\nFROM pg_class")
    assert refused.value.__notes__ == ["LINE 2: nothing"]
    assert refused.value.statement == "SELECT 1,\n  nothing\nFROM pg_class"
    with pytest.raises(WarehouseError, match=r'relation "own\.absent" does not exist'):
        warehouse.describe("SELECT * FROM own.absent")
    assert warehouse.scalar("SELECT 1") == 1


def test_transactions(warehouse: Warehouse) -> None:
    with warehouse.transaction():
        warehouse.execute("CREATE TABLE own.kept AS SELECT 1 AS n")
    for statement, error in (("DROP TABLE own.kept", KeyboardInterrupt()), ("SELECT 1 / 0", RuntimeError())):
        with pytest.raises((KeyboardInterrupt, WarehouseError)):
            _broken_off(warehouse, statement, error)
    assert warehouse.query("SELECT n FROM own.kept").rows == [(1,)]


def _broken_off(warehouse: Warehouse, statement: str, error: BaseException) -> None:
    with warehouse.transaction():
        warehouse.execute("INSERT INTO own.kept VALUES (2)")
        warehouse.execute(statement)
        raise error


def test_catalogue(warehouse: Warehouse) -> None:
    warehouse.execute('CREATE TABLE own."Odd name" (n INTEGER); CREATE VIEW own.seen AS SELECT * FROM own."Odd name"')
    warehouse.execute("CREATE TEMPORARY TABLE passing (n INTEGER)")
    assert warehouse.relations("OWN") == {"Odd name", "seen"}
    assert warehouse.view_texts("own").keys() == {"seen"}
    assert "Odd name" in warehouse.view_texts("own")["seen"]
    assert warehouse.relations("nowhere") == frozenset()


def test_loading_by_copy(warehouse: Warehouse) -> None:
    table = pa.table(
        {
            "Text": ["", None, 'a "quoted", text\nof two lines', "\\N"],
            "n": pa.array([1, None, 3, 4], pa.int32()),
            "d": pa.array([Decimal("1.50"), None, Decimal("-2.25"), None], pa.decimal128(8, 2)),
            "at": pa.array([datetime(2024, 1, 2, 3, 4, 5, 6), None, None, None], pa.timestamp("us")),
            "yes": [True, False, None, True],
        }
    )
    warehouse.load("own.loaded", table)
    warehouse.load("own.loaded", table)
    assert warehouse.query("SELECT * FROM own.loaded").rows == [tuple(row.values()) for row in table.to_pylist()]
    assert [c.type for c in warehouse.describe("SELECT * FROM own.loaded")] == [
        "VARCHAR", "INTEGER", "DECIMAL(8,2)", "TIMESTAMP", "BOOLEAN",
    ]  # fmt: skip
    nested = pa.table({"l": [["a", None], None, []], "o": [{"k": 1}, None, {"k": None}]})
    warehouse.load("own.nested", nested)
    assert warehouse.query("SELECT l, o ->> 'k' FROM own.nested").rows == [(["a", None], "1"), (None, None), ([], None)]


def test_arrow_tables_are_relations_for_a_while(warehouse: Warehouse) -> None:
    table = pa.table({"n": [1, 2]})
    with warehouse.arrow_relation("given", table):
        assert warehouse.fetch_arrow("SELECT n FROM given ORDER BY n").equals(table)
    with pytest.raises(WarehouseError, match='relation "given" does not exist'):
        warehouse.scalar("SELECT COUNT(*) FROM given")


def test_sources(warehouse: Warehouse, postgres_port: int) -> None:
    warehouse.execute('CREATE TABLE own."Odd Name" (n INTEGER, "MixedCase" INTEGER)')
    assert warehouse.source('elsewhere.own."odd name"').origin == "dagster.own.Odd Name"
    assert [c.name for c in warehouse.describe(warehouse.source("own.odd name").select)] == [
        "n", "mixedcase",
    ]  # fmt: skip
    with pytest.raises(ProjectError, match=r"table 'own\.absent' was not found; tried"):
        warehouse.source("own.absent")
    state = warehouse.state("own.odd name")
    assert state == warehouse.state("own.odd name")
    warehouse.execute('INSERT INTO own."Odd Name" VALUES (1, 2); SELECT pg_stat_force_next_flush()')
    wait_until(lambda: warehouse.state("own.odd name") != state)
    mapped = settings(postgres_port, "own", sources={"a.b": "own.odd name"}, built_here=frozenset({"built"}))
    with connect(mapped, purpose="test", read_only=True) as reader:
        assert reader.source("a.b").origin == "dagster.own.Odd Name"


def test_what_changed_behind_a_relation_is_seen(warehouse: Warehouse) -> None:
    warehouse.execute(
        """CREATE TABLE own.base (a TEXT, ts TIMESTAMPTZ);
        CREATE FUNCTION own.peek() RETURNS BIGINT STABLE LANGUAGE SQL AS 'SELECT COUNT(*) FROM own.base';
        CREATE VIEW own.v AS SELECT LOWER(a) AS a, ts::DATE AS d FROM own.base WHERE ts > '2020-01-01';
        CREATE VIEW own.vv AS SELECT v.*, (SELECT MAX(ts) FROM own.base) AS newest FROM own.v;
        CREATE VIEW own.clock AS SELECT a FROM own.base WHERE ts < NOW();
        CREATE VIEW own.today AS SELECT a FROM own.base WHERE ts < CURRENT_DATE;
        CREATE VIEW own.called AS SELECT own.peek();
        CREATE MATERIALIZED VIEW own.mv AS SELECT a FROM own.base;
        CREATE VIEW own.on_mv AS SELECT a FROM own.mv;
        CREATE TABLE own.part (a TEXT, n INT) PARTITION BY RANGE (n);
        CREATE TABLE own.part_1 PARTITION OF own.part FOR VALUES FROM (1) TO (9);
        CREATE VIEW own.on_part AS SELECT a FROM own.part;
        CREATE TABLE own.heir () INHERITS (own.base);
        CREATE EXTENSION IF NOT EXISTS file_fdw;
        CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
        CREATE FOREIGN TABLE own.abroad (a TEXT) SERVER files OPTIONS (program 'date +%N');
        CREATE VIEW own.on_abroad AS SELECT a FROM own.abroad"""
    )
    names = [name for name in sorted(warehouse.relations("own")) if not name.startswith("profiles_")]
    before: dict[str, str] = {}

    def changed(statement: str) -> set[str]:
        warehouse.execute(f"{statement}; SELECT pg_stat_force_next_flush()")
        warehouse.scalar("SELECT 1")  # what was counted is told once a statement has ended
        now = {name: warehouse.state(f"own.{name}") for name in names}
        found = {name for name in names if now[name] != before.get(name)}
        before.update(now)
        return found

    changed("INSERT INTO own.base VALUES ('x', '2024-01-01')")
    unknown = {"abroad", "on_abroad"}
    reading = {"base", "v", "vv", "clock", "today", "called"}
    assert changed("SELECT 1") == unknown, "only a foreign table that is always another"
    assert changed("INSERT INTO own.base VALUES ('y', '2024-01-01')") == reading | unknown
    assert changed("UPDATE own.base SET a = 'z' WHERE a = 'y'") == reading - {"called"} | unknown
    assert changed("INSERT INTO own.heir VALUES ('y', '2024-01-01')") == reading | {"heir"} | unknown
    assert changed("REFRESH MATERIALIZED VIEW own.mv") == {"mv", "on_mv"} | unknown
    assert changed("INSERT INTO own.part VALUES ('x', 1)") == {"part", "part_1", "on_part"} | unknown
    assert changed("CREATE TABLE own.part_2 PARTITION OF own.part DEFAULT") == {"part", "on_part"} | unknown
    assert changed("CREATE OR REPLACE VIEW own.v AS SELECT a, ts::DATE AS d FROM own.base") == {"v", "vv"} | unknown
    warehouse.execute("DROP SERVER files CASCADE")


def test_texts_are_compared_by_their_bytes(warehouse: Warehouse) -> None:
    warehouse.load("own.words", pa.table({"w": ["b", "a", "B", "ä", "_"]}))
    assert warehouse.query("SELECT w FROM own.words ORDER BY w").rows != [("B",), ("_",), ("a",), ("b",), ("ä",)]
    words = f"SELECT w, MAX(w) OVER () FROM {warehouse.source('own.words').sql} AS s ORDER BY w"
    assert [row[0] for row in warehouse.query(words).rows] == ["B", "_", "a", "b", "ä"]
    assert {row[1] for row in warehouse.query(words).rows} == {"ä"}


def test_views_over_what_is_replaced_come_back(warehouse: Warehouse) -> None:
    warehouse.execute("CREATE TABLE own.t AS SELECT 1 AS a, 2 AS b")
    warehouse.execute("CREATE VIEW own.one AS SELECT a FROM own.t; CREATE VIEW own.two AS SELECT a FROM own.one")
    warehouse.execute("CREATE VIEW own.gone AS SELECT b FROM own.t")
    with warehouse.transaction(), warehouse.keeping_views("own"):
        warehouse.execute("DROP TABLE own.t CASCADE; CREATE TABLE own.t AS SELECT 7 AS a")
    assert warehouse.scalar("SELECT a FROM own.two") == 7
    assert warehouse.relations("own") == {"t", "one", "two"}


def test_a_view_shows_texts_of_another_order_in_its_own(warehouse: Warehouse) -> None:
    """The server refuses to change the collation of a view's column; what others have built on it stays."""
    warehouse.execute(
        """CREATE TABLE own.first AS SELECT 'ä' COLLATE "und-x-icu" AS a, 'b'::TEXT AS b, 1 AS n;
        CREATE TABLE own.second AS SELECT 'z' COLLATE "C" AS a, 'y' COLLATE "C" AS b, 2 AS n, 'x'::TEXT AS more;
        CREATE TABLE own.third AS SELECT 'z'::TEXT AS a, 2 AS b, 2 AS n;
        CREATE VIEW own.shown AS SELECT * FROM own.first; CREATE VIEW own.others AS SELECT a, n FROM own.shown"""
    )
    statement = replacing(warehouse, "own", "shown", "second")
    assert statement is not None
    warehouse.execute(statement)
    assert warehouse.query("SELECT * FROM own.shown").rows == [("z", "y", 2, "x")]
    assert warehouse.query("SELECT * FROM own.others").rows == [("z", 2)]
    again = replacing(warehouse, "own", "shown", "second")
    assert again == statement
    assert replacing(warehouse, "own", "shown", "third") is None


def test_a_statement_is_stopped_from_another_thread(warehouse: Warehouse) -> None:
    failures: list[Exception] = []

    def sleep() -> None:
        try:
            warehouse.query("SELECT pg_sleep(300)")
        except WarehouseError as error:
            failures.append(error)

    thread = threading.Thread(target=sleep)
    thread.start()
    sleeping = "SELECT COUNT(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(300)' AND state = 'active'"
    wait_until(lambda: warehouse.scalar(sleeping) == 1)
    warehouse.interrupt()
    thread.join(WITHIN_S)
    assert not thread.is_alive()
    assert "canceling statement due to user request" in str(failures[0])


def test_ctrl_c_stops_a_statement_and_the_session_goes_on(warehouse: Warehouse) -> None:
    pid = warehouse.scalar("SELECT pg_backend_pid()")
    threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        warehouse.query("SELECT pg_sleep(300)")
    assert time.monotonic() - began < WITHIN_S
    assert warehouse.scalar("SELECT pg_backend_pid()") == pid


def test_a_connection_that_is_lost_is_told_and_nothing_is_tried_again(warehouse: Warehouse, postgres_port: int) -> None:
    warehouse.execute("CREATE TABLE own.t (n INTEGER)")
    pid = warehouse.scalar("SELECT pg_backend_pid()")

    def end() -> None:
        with connect(settings(postgres_port, "other"), purpose="other") as other:
            wait_until(lambda: other.scalar("SELECT COUNT(*) FROM pg_locks WHERE relation = 'own.t'::REGCLASS") == 1)
            other.execute(f"SELECT pg_terminate_backend({pid})")

    ender = threading.Thread(target=end)
    ender.start()
    with pytest.raises(WarehouseError, match="terminating connection due to administrator command"):
        warehouse.execute("INSERT INTO own.t SELECT 1 FROM (SELECT pg_sleep(300)) AS s")
    ender.join(WITHIN_S)
    with connect(settings(postgres_port, "own"), purpose="after", lock_timeout=WITHIN_S) as after:
        assert after.row_count("own.t") == 0
        after.execute("DROP SCHEMA own CASCADE")


def test_every_thread_has_a_connection_of_its_own(warehouse: Warehouse) -> None:
    pids = [warehouse.scalar("SELECT pg_backend_pid()")]
    thread = threading.Thread(target=lambda: pids.append(warehouse.scalar("SELECT pg_backend_pid()")))
    thread.start()
    thread.join(WITHIN_S)
    assert len(set(pids)) == 2
    assert warehouse.scalar("SELECT pg_backend_pid()") == pids[0]


def test_writers_of_a_schema_take_turns(warehouse: Warehouse, postgres_port: int) -> None:
    waiting: list[Holder] = []
    with (
        pytest.raises(LockTimeoutError, match=r"schema own of dagster on 127\.0\.0\.1:\d+ is still in use"),
        connect(settings(postgres_port, "own"), purpose="second", lock_timeout=0.3, on_wait=waiting.append),
    ):
        pass
    assert [holder.purpose for holder in waiting] == ["profiles: test"]
    assert waiting[0].pid == warehouse.scalar("SELECT pg_backend_pid()")
    with ExitStack() as others:  # readers and writers of other schemas do not wait
        others.enter_context(connect(settings(postgres_port, "own"), purpose="reader", read_only=True, lock_timeout=0))
        others.enter_context(connect(settings(postgres_port, "other"), purpose="other", lock_timeout=0))


def test_a_reader_cannot_write(warehouse: Warehouse, postgres_port: int) -> None:
    assert warehouse.relations("own") == frozenset()
    with (
        connect(settings(postgres_port, "own"), purpose="reader", read_only=True) as reader,
        pytest.raises(WarehouseError, match="cannot execute CREATE TABLE in a read-only transaction"),
    ):
        reader.execute("CREATE TABLE own.t (n INTEGER)")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"host": "/nowhere"}, "No such file or directory"),
        ({"database": "absent"}, 'database "absent" does not exist'),
        ({"user": "nobody"}, 'role "nobody" does not exist'),
    ],
)
def test_what_is_wrong_with_a_connection_is_told(postgres_port: int, wrong: dict[str, object], said: str) -> None:
    secret = {"password": SecretStr("not-to-be-seen")}
    given = settings(postgres_port, "own", **secret | wrong)
    with pytest.raises(WarehouseError) as refused, connect(given, purpose="test"):
        pass
    assert said in str(refused.value)
    assert "not-to-be-seen" not in "".join(traceback.format_exception(refused.value)) + repr(given)


def test_a_statement_that_had_to_give_way_is_tried_again(warehouse: Warehouse, postgres_port: int) -> None:
    warehouse.execute("CREATE TABLE own.t (n INTEGER)")
    locked, tried = threading.Event(), threading.Event()

    def hold() -> None:
        with connect(settings(postgres_port, "other"), purpose="other") as other, other.transaction():
            other.execute("LOCK TABLE own.t")
            locked.set()
            tried.wait(WITHIN_S)

    holder = threading.Thread(target=hold)
    holder.start()
    assert locked.wait(WITHIN_S)
    warehouse.execute("SET lock_timeout = '50ms'")
    with pytest.raises(WarehouseError, match="lock timeout"), warehouse.transaction():
        warehouse.execute("INSERT INTO own.t VALUES (1)")  # in a transaction nothing is tried again
    threading.Timer(0.3, tried.set).start()
    warehouse.execute("INSERT INTO own.t VALUES (2)")
    holder.join(WITHIN_S)
    assert warehouse.query("SELECT n FROM own.t").rows == [(2,)]


def test_times_with_a_zone_are_moments(warehouse: Warehouse) -> None:
    assert warehouse.scalar("SELECT TIMESTAMPTZ '2024-01-01 00:00:00+02'") == datetime(2023, 12, 31, 22, tzinfo=UTC)
