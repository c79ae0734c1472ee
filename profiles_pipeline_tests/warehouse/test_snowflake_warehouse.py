"""A local emulation of Snowflake, through the real driver, behind the protocol of warehouses."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from profiles_pipeline.errors import LockTimeoutError, ProjectError, WarehouseError
from profiles_pipeline.warehouse import snowflake_session, snowflake_turn
from profiles_pipeline.warehouse.base import Column, Warehouse
from profiles_pipeline.warehouse.connect import connect
from profiles_pipeline.warehouse.lock import Holder

if TYPE_CHECKING:
    from profiles_pipeline_tests.warehouse.snowflake import Account

pytestmark = pytest.mark.snowflake

WITHIN_S = 30
LONG = "SELECT COUNT(*) FROM TABLE(FLATTEN(ARRAY_GENERATE_RANGE(0, 100000))) AS a, " + ", ".join(
    f"TABLE(FLATTEN(ARRAY_GENERATE_RANGE(0, 100000))) AS {name}" for name in "bcd"
)
"""A statement that takes longer than any test."""


@pytest.fixture
def warehouse(snowflake_account: Account) -> Iterator[Warehouse]:
    snowflake_account.drop("own")
    snowflake_account.refusals.clear()
    with connect(snowflake_account.settings("own"), purpose="test") as opened:
        opened.ensure_schema("own")
        yield opened


def wait_until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# --- statements -----------------------------------------------------------------------------------------------------


def test_values_come_as_they_are_elsewhere(warehouse: Warehouse) -> None:
    found = warehouse.query(
        """SELECT CAST(1 AS BIGINT) AS a, CAST(1.50 AS NUMBER(10, 2)) AS b, 'ü' AS c, TRUE AS d, DATE '2024-01-02' AS e,
        CAST('2024-01-02 03:04:05' AS TIMESTAMP_NTZ) AS f, PARSE_JSON('{"b": 1}') AS g, CAST(NULL AS VARCHAR) AS h,
        CAST(NULL AS TIMESTAMP_NTZ) AS i, CAST(1.5 AS FLOAT) AS j"""
    )
    assert found.rows == [
        (1, Decimal("1.50"), "ü", True, date(2024, 1, 2), datetime(2024, 1, 2, 3, 4, 5), '{"b":1}', None, None, 1.5)
    ]
    assert found.types == (
        "BIGINT", "DECIMAL(10,2)", "VARCHAR", "BOOLEAN", "DATE", "TIMESTAMP", "JSON", "VARCHAR", "TIMESTAMP", "DOUBLE",
    )  # fmt: skip
    assert warehouse.fetch_arrow("SELECT 1 AS n").to_pylist() == [{"N": 1}]


@pytest.mark.parametrize(
    ("sql", "params", "expected"),
    [
        ("SELECT ? AS a, ? AS b", [1, "x"], (1, "x")),
        ("SELECT '?' || ? AS a, 'a' LIKE '%' AS b", ["x"], ("?x", True)),
        ("SELECT ? AS a", [datetime(2024, 1, 2, 3, 4, 5, 6)], (datetime(2024, 1, 2, 3, 4, 5, 6),)),
        ("SELECT CAST(? AS VARCHAR) IS NULL AS a", [None], (True,)),
        ("SELECT 'it''s %s' AS a", None, ("it's %s",)),
    ],
)
def test_placeholders(warehouse: Warehouse, sql: str, params: list[object] | None, expected: tuple[object]) -> None:
    assert warehouse.query(sql, params).rows == [expected]


def test_describing_binds_and_does_not_run(warehouse: Warehouse, snowflake_account: Account) -> None:
    seen = len(snowflake_account.statements)
    described = warehouse.describe(
        "SELECT 1 AS n, CAST(1.5 AS NUMBER(8, 3)) AS d, PARSE_JSON('{}') AS j, CAST('2024-01-01' AS TIMESTAMP_TZ) AS t"
    )
    assert described == (
        Column("N", "BIGINT"),
        Column("D", "DECIMAL(8,3)"),
        Column("J", "JSON"),
        Column("T", "TIMESTAMP WITH TIME ZONE"),
    )
    assert len(snowflake_account.statements) == seen


def test_several_statements_at_once(warehouse: Warehouse) -> None:
    warehouse.execute(
        "CREATE TABLE t (n INTEGER, s VARCHAR); INSERT INTO t VALUES (1, 'a;b'); INSERT INTO t VALUES (2, '')"
    )
    assert warehouse.query("SELECT n, s FROM t ORDER BY n").rows == [(1, "a;b"), (2, "")]


def test_what_is_refused_is_told_with_its_number(warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseError, match=r'"NOTHING" was not found.*\(002043\)') as refused:
        warehouse.query("SELECT nothing")
    assert refused.value.statement == "SELECT nothing"
    with pytest.raises(WarehouseError, match="ABSENT"):
        warehouse.describe("SELECT * FROM own.absent")
    assert warehouse.scalar("SELECT 1") == 1


@pytest.mark.parametrize(
    ("number", "said", "advice"),
    [
        (606, "No active warehouse selected in the current session.", "name a warehouse in the siteconfig"),
        (
            90073,
            "Warehouse 'W' cannot be resumed because resource monitor 'M' has exceeded its quota.",
            "a resource monitor has stopped",
        ),
        (
            3001,
            "SQL access control error: Insufficient privileges to operate on schema 'S'",
            "grant the role what it lacks",
        ),
        (
            90105,
            "Cannot perform SELECT. This session does not have a current database.",
            "see that the database exists",
        ),
        (
            630,
            "Statement reached its statement or warehouse timeout of 60 second(s) and was canceled.",
            "the statement took longer than STATEMENT_TIMEOUT_IN_SECONDS allows",
        ),
    ],
)
def test_what_can_be_done_about_an_error(
    warehouse: Warehouse, snowflake_account: Account, number: int, said: str, advice: str
) -> None:
    snowflake_account.refusals["SELECT 'asleep'"] = (number, said)
    with pytest.raises(WarehouseError) as refused:
        warehouse.query("SELECT 'asleep'")
    assert str(refused.value).startswith(f"{said} ({number:06d}): {advice}")


def test_a_statement_is_stopped_from_another_thread(warehouse: Warehouse, snowflake_account: Account) -> None:
    failures: list[Exception] = []

    def work() -> None:
        try:
            warehouse.query(LONG)
        except WarehouseError as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    wait_until(lambda: any(s.text == LONG and s.status == "RUNNING" for s in snowflake_account.statements))
    wait_until(lambda: warehouse._running)  # type: ignore[attr-defined]
    warehouse.interrupt()
    thread.join(WITHIN_S)
    assert not thread.is_alive()
    assert "SQL execution canceled (000604)" in str(failures[0])


def test_ctrl_c_stops_a_statement_and_the_session_goes_on(warehouse: Warehouse, snowflake_account: Account) -> None:
    logins = snowflake_account.logins
    threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        warehouse.query(LONG)
    assert time.monotonic() - began < WITHIN_S
    assert all(s.status != "RUNNING" for s in snowflake_account.statements if s.text == LONG)
    assert warehouse.scalar("SELECT 1") == 1
    assert snowflake_account.logins == logins


@pytest.mark.parametrize("what", ["question", "answer"])
def test_a_statement_whose_connection_breaks_runs_once(
    warehouse: Warehouse, snowflake_account: Account, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it was the question that did not arrive or the answer that was lost."""
    warehouse.execute("CREATE TABLE own.t (n INTEGER)")
    (connection,) = warehouse._connections.values()  # type: ignore[attr-defined]
    monkeypatch.setattr(connection, "_network_timeout", 0)
    snowflake_account.lost.append(what)
    warehouse.execute("INSERT INTO own.t VALUES (7)")
    assert snowflake_account.lost == []
    assert warehouse.query("SELECT n FROM own.t").rows == [(7,)]


def test_every_thread_has_a_session_of_its_own(warehouse: Warehouse, snowflake_account: Account) -> None:
    logins = snowflake_account.logins
    thread = threading.Thread(target=lambda: warehouse.scalar("SELECT 1"))
    thread.start()
    thread.join(WITHIN_S)
    assert snowflake_account.logins == logins + 1
    warehouse.scalar("SELECT 1")
    assert snowflake_account.logins == logins + 1


def test_queries_say_what_they_are_for(warehouse: Warehouse, snowflake_account: Account) -> None:
    with warehouse.labelled(project="shop", model="user/all", seq_no=7):
        warehouse.scalar("SELECT 1")
    warehouse.scalar("SELECT 2")
    told = {s.text: s.tag for s in snowflake_account.statements[-2:]}
    own = {"app": "profiles", "purpose": "test"}
    assert told["SELECT 1"].items() >= {**own, "project": "shop", "model": "user/all", "seq_no": 7}.items()
    assert told["SELECT 2"].keys() == {*own, "id"}


# --- transactions and tables ----------------------------------------------------------------------------------------


def test_transactions(warehouse: Warehouse) -> None:
    warehouse.execute("CREATE TABLE own.kept (n INTEGER)")
    with warehouse.transaction():
        warehouse.execute("INSERT INTO own.kept VALUES (1)")
    for statement, error in (("SELECT 1", KeyboardInterrupt()), ("SELECT nothing", RuntimeError())):
        with pytest.raises((KeyboardInterrupt, WarehouseError)):
            _broken_off(warehouse, statement, error)
    assert warehouse.query("SELECT n FROM own.kept").rows == [(1,)]


def _broken_off(warehouse: Warehouse, statement: str, error: BaseException) -> None:
    with warehouse.transaction():
        warehouse.execute("INSERT INTO own.kept VALUES (2)")
        warehouse.execute(statement)
        raise error


def test_a_definition_ends_the_transaction_around_it(warehouse: Warehouse) -> None:
    """What was before it stays, and so does what comes after it: the server commits each by itself."""
    warehouse.execute("CREATE TABLE own.kept (n INTEGER)")
    defining = "INSERT INTO own.kept VALUES (1); CREATE TABLE own.made (n INTEGER)"
    with pytest.raises(RuntimeError):
        _broken_off(warehouse, defining, RuntimeError())
    assert warehouse.query("SELECT n FROM own.kept ORDER BY n").rows == [(1,), (2,)]
    assert "MADE" in warehouse.relations("own")


def test_catalogue(warehouse: Warehouse) -> None:
    warehouse.execute('CREATE TABLE own."Odd name" (n INTEGER); CREATE VIEW own.seen AS SELECT * FROM own."Odd name"')
    warehouse.execute("CREATE TEMPORARY TABLE passing (n INTEGER)")
    assert warehouse.relations("OWN") >= {"Odd name", "SEEN"}
    assert warehouse.view_texts("own").keys() == {"SEEN"} == warehouse.views("own")
    assert "Odd name" in warehouse.view_texts("own")["SEEN"]
    assert warehouse.relations("nowhere") == frozenset()


def test_loading(warehouse: Warehouse) -> None:
    table = pa.table(
        {
            "Text": ["", None, 'a "quoted", text\nof two lines', "\\N"],
            "n": pa.array([1, None, 3, 4], pa.int32()),
            "d": pa.array([Decimal("1.50"), None, Decimal("-2.25"), None], pa.decimal128(8, 2)),
            "at": pa.array([datetime(2024, 1, 2, 3, 4, 5, 6), None, None, None], pa.timestamp("us")),
            "yes": [True, False, None, True],
            "part": [0.1, None, 1e300, -0.0],
            "day": [date(2024, 1, 2), None, None, None],
        }
    )
    warehouse.load("own.loaded", table)
    warehouse.load("own.loaded", table)
    assert warehouse.query("SELECT * FROM own.loaded").rows == [tuple(row.values()) for row in table.to_pylist()]
    assert [c.type for c in warehouse.describe("SELECT * FROM own.loaded")] == [
        "VARCHAR", "BIGINT", "DECIMAL(8,2)", "TIMESTAMP", "BOOLEAN", "DOUBLE", "DATE",
    ]  # fmt: skip
    nested = pa.table({"l": [["a", None], None, []], "o": [{"k": 1}, None, {"k": None}]})
    warehouse.load("own.nested", nested)
    assert warehouse.query("SELECT l[0]::VARCHAR AS l, o:k::BIGINT AS k FROM own.nested").rows == [
        ("a", 1), (None, None), (None, None),
    ]  # fmt: skip


def test_arrow_tables_are_relations_for_a_while(warehouse: Warehouse) -> None:
    with warehouse.arrow_relation("given", pa.table({"n": [1, 2]})):
        assert warehouse.query("SELECT n FROM given ORDER BY n").rows == [(1,), (2,)]
    with pytest.raises(WarehouseError, match="GIVEN"):
        warehouse.scalar("SELECT COUNT(*) FROM given")


def test_names_mean_relations_in_a_session(snowflake_account: Account, warehouse: Warehouse) -> None:
    warehouse.execute("CREATE TABLE own.t AS SELECT 7 AS n")
    with connect(snowflake_account.settings("own"), purpose="reader", read_only=True) as reader:
        reader.use("own", {"short": 'OWN."T"'})
        assert reader.scalar("SELECT n FROM short") == 7
        assert reader.scalar("SELECT n FROM t") == 7


def test_sources(warehouse: Warehouse, snowflake_account: Account) -> None:
    warehouse.execute('CREATE TABLE own."Odd Name" (n INTEGER, "MixedCase" INTEGER, moment TIMESTAMP_TZ)')
    warehouse.execute("INSERT INTO own.\"Odd Name\" VALUES (1, 2, '2024-01-01 00:00:00+02:00')")
    source = warehouse.source('elsewhere.own."odd name"')
    assert source.origin == "SHOP.OWN.Odd Name"
    assert 'SELECT "N", "MixedCase" AS "MIXEDCASE", CONVERT_TIMEZONE' in source.select
    assert warehouse.scalar(f"SELECT moment FROM {source.sql}") == datetime(2023, 12, 31, 22, tzinfo=UTC)
    with pytest.raises(ProjectError, match=r"table 'own\.absent' was not found; tried"):
        warehouse.source("own.absent")
    state = warehouse.state("own.odd name")
    assert state == warehouse.state("own.odd name")
    warehouse.execute('INSERT INTO own."Odd Name" VALUES (1, 2, NULL)')
    assert warehouse.state("own.odd name") != state
    mapped = snowflake_account.settings("own", sources={"a.b": "own.odd name"}, built_here=frozenset({"built"}))
    with connect(mapped, purpose="test", read_only=True) as reader:
        assert reader.source("a.b").origin == "SHOP.OWN.Odd Name"


def test_what_changed_behind_a_view_is_seen(warehouse: Warehouse) -> None:
    warehouse.execute("CREATE TABLE own.base (n INTEGER, v VARIANT); CREATE VIEW own.v AS SELECT * FROM own.base")
    warehouse.execute("CREATE VIEW own.vv AS SELECT n % 5 AS n, v FROM own.v")
    states = {warehouse.state("own.vv"), warehouse.state("own.vv")}
    assert len(states) == 1
    for number, statement in enumerate(
        (
            "INSERT INTO own.base SELECT 1, PARSE_JSON('{\"a\": 1}')",
            "INSERT INTO own.base SELECT 1, PARSE_JSON('{\"a\": 1}')",
            "UPDATE own.base SET n = 2",
            "CREATE OR REPLACE VIEW own.vv AS SELECT n % 5 AS m, v FROM own.v",
        ),
        start=2,
    ):
        warehouse.execute(statement)
        states.add(warehouse.state("own.vv"))
        assert len(states) == number, statement
    warehouse.execute("UPDATE own.base SET n = 7")
    assert warehouse.state("own.vv") in states, "the rows of the view are what they were"


def test_a_reader_cannot_write(warehouse: Warehouse, snowflake_account: Account) -> None:
    warehouse.execute("CREATE TABLE own.t (n INTEGER)")
    with connect(snowflake_account.settings("own"), purpose="reader", read_only=True) as reader:
        for statement in ("CREATE TABLE own.u (n INTEGER)", "DELETE FROM own.t", "DROP TABLE own.t"):
            with pytest.raises(WarehouseError, match="this session is for reading only"):
                reader.execute(statement)
            with pytest.raises(WarehouseError, match="this session is for reading only"):
                reader.query(statement)
        assert reader.scalar("WITH x AS (SELECT 1 AS n) SELECT n FROM x") == 1


# --- turns ----------------------------------------------------------------------------------------------------------


def test_writers_of_a_schema_take_turns(warehouse: Warehouse, snowflake_account: Account) -> None:
    waiting: list[Holder] = []
    second = connect(snowflake_account.settings("own"), purpose="second", lock_timeout=3, on_wait=waiting.append)
    # Two sessions of one thread would wait for each other for ever; this one belongs to another thread.
    warehouse.execute("UPDATE own.profiles_turn SET thread = 1")
    with (
        pytest.raises(LockTimeoutError, match="schema own of SHOP of the Snowflake account tests is still in use"),
        second,
    ):
        pass
    assert [(holder.purpose, holder.pid) for holder in waiting] == [("test", os.getpid())]
    with ExitStack() as others:  # readers and writers of other schemas do not wait
        for schema, read_only in (("own", True), ("other", False)):
            settings = snowflake_account.settings(schema)
            others.enter_context(connect(settings, purpose="other", read_only=read_only, lock_timeout=0))


def test_a_turn_is_given_back_or_runs_out(warehouse: Warehouse, snowflake_account: Account) -> None:
    warehouse.close()
    with connect(snowflake_account.settings("own"), purpose="next", lock_timeout=0) as after:
        gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
        here = f"token = 'dead', pid = {int(gone.stdout)}, host = '{socket.gethostname()}'"
        elsewhere = "token = 'far', pid = 1, host = 'elsewhere', renewed = DATEADD(minute, -11, renewed)"
        for left in (here, elsewhere):
            after.execute(f"UPDATE own.profiles_turn SET {left}")
            with connect(snowflake_account.settings("own"), purpose="heir", lock_timeout=0) as heir:
                held = heir.query("SELECT purpose, pid, host FROM own.profiles_turn").rows
            assert held == [("heir", os.getpid(), socket.gethostname())]
            assert after.scalar("SELECT token FROM own.profiles_turn") == ""  # given back


def test_who_has_lost_the_turn_does_not_write_on(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse.execute("CREATE TABLE own.t (n INTEGER)")
    with warehouse.transaction():  # a turn is not part of a transaction
        warehouse.execute("UPDATE own.profiles_turn SET token = 'other', purpose = 'thief'")
    turn = warehouse._turn  # type: ignore[attr-defined]
    monkeypatch.setattr(turn, "_renewed", turn._renewed - 2 * snowflake_turn.RENEWED_AFTER_S)
    with pytest.raises(WarehouseError, match=r"schema own was left to process \d+ .*thief"):
        warehouse.execute("INSERT INTO own.t VALUES (1)")


# --- logging in -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _pem(key: rsa.RSAPrivateKey, passphrase: str | None = None) -> str:
    encryption = (
        serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    )
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption).decode()


def _flat(pem: str) -> str:
    return pem.replace("\n", " ").strip()


def _escaped(pem: str) -> str:
    return pem.replace("\n", "\\n")


@pytest.mark.parametrize("passphrase", [None, "hush-hush"])
@pytest.mark.parametrize("written", [str, _flat, _escaped])
def test_a_key_pair_logs_in(
    snowflake_account: Account,
    key: rsa.RSAPrivateKey,
    passphrase: str | None,
    written: Callable[[str], str],
    tmp_path: Path,
) -> None:
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    snowflake_account.take_key(public)
    phrase = SecretStr(passphrase) if passphrase else None
    file = tmp_path / "key.p8"
    file.write_text(_pem(key, passphrase))
    by_text = {"password": None, "private_key": SecretStr(written(_pem(key, passphrase))), "passphrase": phrase}
    by_file = {"password": None, "private_key_file": file, "passphrase": phrase}
    for way in (by_text, by_file) if written is str else (by_text,):
        with connect(snowflake_account.settings("own", **way), purpose="test", read_only=True) as opened:
            assert opened.scalar("SELECT 1") == 1


def test_a_token_and_a_passcode_log_in(snowflake_account: Account) -> None:
    way = {"password": None, "token": SecretStr("good-token")}
    with connect(snowflake_account.settings("own", **way), purpose="test", read_only=True):
        pass
    snowflake_account.passcode = "123456"
    try:
        with connect(snowflake_account.settings("own", passcode=SecretStr("123456")), purpose="test", read_only=True):
            pass
        with (
            pytest.raises(WarehouseError, match=r"\(390127\): give the code of your second factor as passcode"),
            connect(snowflake_account.settings("own"), purpose="test", read_only=True),
        ):
            pass
    finally:
        snowflake_account.passcode = ""


WRONG_KEY = SecretStr(_pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)))
ENCRYPTED = SecretStr(_pem(rsa.generate_private_key(public_exponent=65537, key_size=2048), "hush-hush"))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            {"password": SecretStr("not-to-be-seen")},
            r"Incorrect username or password .*\(390100\): check user and password",
        ),
        (
            {"role": "NOBODY"},
            r"Role 'NOBODY' .* does not exist or not authorized\. \(390189\): see that the role exists",
        ),
        ({"private_key": WRONG_KEY}, r"JWT token is invalid.*\(390144\): see that the public key"),
        ({"private_key": ENCRYPTED, "passphrase": SecretStr("not-to-be-seen")}, "privateKeyPassphrase is wrong"),
        ({"private_key": ENCRYPTED}, "the private key is encrypted: give privateKeyPassphrase"),
        ({"private_key": SecretStr("not-to-be-seen")}, "is not one that can be read: it has to be a PEM file"),
        ({"private_key_file": Path("/nowhere/key.p8")}, "private key /nowhere/key.p8 cannot be read: No such file"),
        ({"password": None, "token": SecretStr("not-to-be-seen")}, r"Invalid OAuth access token.*: get a new token"),
        ({"database": "ABSENT"}, "database ABSENT does not exist, or role PROFILES_ROLE may not use it: check dbname"),
        ({"compute": "ABSENT"}, "warehouse ABSENT does not exist, or role PROFILES_ROLE may not use it"),
        ({"compute": None}, "no warehouse is named, and the user has no default one"),
    ],
)
def test_what_is_wrong_with_a_connection_is_told(
    snowflake_account: Account, wrong: dict[str, object], said: str
) -> None:
    given = snowflake_account.settings("own", **wrong)
    with pytest.raises(WarehouseError, match=said) as refused, connect(given, purpose="test"):
        pass
    told = "".join(traceback.format_exception(refused.value)) + repr(given)
    assert "not-to-be-seen" not in told
    assert "open-sesame" not in told


def test_a_server_that_is_not_there_is_told(snowflake_account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snowflake_session, "LOGIN_WITHIN_S", 1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        given = snowflake_account.settings("own", port=free.getsockname()[1])
    with (
        pytest.raises(WarehouseError, match="check account, host and the network"),
        connect(given, purpose="test"),
    ):
        pass
