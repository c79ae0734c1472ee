"""A Snowflake of the tests' own, over loopback: the real driver talks to it, and fakesnow does the work on DuckDB.

What fakesnow leaves out of the service's protocol stands here: logins that are refused, statements that run
asynchronously and can be asked about and stopped, the history of a session, warehouses that sleep, and connections
that break. Where its SQL is known to differ from what the service documents, that is put right too.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import os
import re
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import fakesnow.server as fake
import jwt
import pyarrow as pa
import sqlglot
import uvicorn
from cryptography.hazmat.primitives.serialization import load_der_public_key
from fakesnow import arrow, converter, transforms
from fakesnow.conn import FakeSnowflakeConnection
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.rowtype import duckdb_to_sf_type
from pydantic import SecretStr
from sqlglot import exp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from profiles_pipeline.dialects import identifier, upper_case
from profiles_pipeline.warehouse.settings import SnowflakeSettings

USER, PASSWORD, TOKEN = "tester", "open-sesame", "good-token"
ROLE, COMPUTE, DATABASE = "PROFILES_ROLE", "PROFILES_WH", "SHOP"

_CANCEL = re.compile(r"SELECT SYSTEM\$CANCEL_QUERY\('(.+)'\)")
_TRACKING = re.compile(
    r'ALTER TABLE .*"(?P<table>[^"]+)" SET (?P<what>DATA_RETENTION_TIME_IN_DAYS|CHANGE_TRACKING) = (?P<value>\w+)'
)
_SHOW_TABLE = re.compile(r"SHOW TABLES LIKE '(?P<table>.+)' IN SCHEMA")
_EXPLAIN = re.compile(r"EXPLAIN\s+(.+)", re.DOTALL)
_SCANNED = re.compile(r"SELECT SUM\(bytes_scanned\) FROM TABLE\(information_schema\.query_history_by_session\(")
_HISTORY = re.compile(r"SELECT query_id FROM TABLE\(information_schema\.query_history_by_session\(\)\)")


@dataclass
class Statement:
    """A statement that the server was sent."""

    text: str
    tag: dict[str, Any]
    query: str
    token: str
    status: str = "RUNNING"
    code: str = ""
    message: str = ""
    answer: dict[str, Any] = field(default_factory=dict)
    cancelled: bool = False


@dataclass
class Account:
    """What the server knows and has seen, and what is to go wrong."""

    port: int = 0
    public_key: str = ""
    passcode: str = ""
    statements: list[Statement] = field(default_factory=list)
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Pattern of statements -> number and text of the error that they get."""

    lost: list[str] = field(default_factory=list)
    """What is to be lost, each once: `question`, before a statement arrives, or `answer`, once it runs."""

    killing: tuple[re.Pattern[str], int, int] | None = None
    """Kind of statements, the number of the one that its sender is killed at, and the sender's process."""

    tracking: dict[str, dict[str, str]] = field(default_factory=dict)
    """Table -> for how many days its changes are kept, and whether they are."""

    logins: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def settings(self, schema: str, **others: object) -> SnowflakeSettings:
        """How to connect."""
        made = SnowflakeSettings(
            account="tests", user=USER, database=DATABASE, schema=schema, role=ROLE, compute=COMPUTE,
            password=SecretStr(PASSWORD), host="127.0.0.1", port=self.port, protocol="http",
        )  # fmt: skip
        return replace(made, **others)  # type: ignore[arg-type]

    def siteconfig(self, schema: str) -> str:
        """The text of a siteconfig with the server as target `snowflake`, and a DuckDB file as `dev`."""
        return f"""
connections:
  test:
    target: dev
    outputs:
      dev: {{type: duckdb, path: .profiles/warehouse.duckdb, schema: {schema}, sources_dir: data}}
      snowflake:
        {{type: snowflake, account: tests, dbname: {DATABASE}, schema: {schema}, user: {USER}, role: {ROLE},
         warehouse: {COMPUTE}, password: {PASSWORD}, host: 127.0.0.1, port: {self.port}, protocol: http}}
"""

    def drop(self, *schemas: str) -> None:
        """Drop schemas with all that is in them."""
        with self.inside() as session:
            for schema in schemas:
                session._duck_conn.execute(f'DROP SCHEMA IF EXISTS {DATABASE}."{schema.upper()}" CASCADE')

    def load(self, schema: str, table: str, rows: pa.Table) -> None:
        """Make a table of an Arrow table, with the types that the service would give it."""

        def quoted(name: str) -> str:
            return identifier(name, "duckdb")

        with self.inside() as session:
            connection = session._duck_conn
            connection.execute(f'CREATE SCHEMA IF NOT EXISTS {DATABASE}."{schema.upper()}"')
            connection.register("given", rows)
            described = connection.execute("DESCRIBE SELECT * FROM given").fetchall()
            items = ", ".join(
                f"CAST({quoted(name)} AS {_stored(kind)}) AS {quoted(upper_case(name))}" for name, kind, *_ in described
            )
            place = f'{DATABASE}."{schema.upper()}"."{table.upper()}"'
            connection.execute(f"CREATE OR REPLACE TABLE {place} AS SELECT {items} FROM given")

    def load_files(self, files: Iterable[Path]) -> None:
        """Make a table of each file called ``[database.]schema.table.csv`` or ``.parquet``."""
        for file in files:
            *_, schema, table = file.stem.split(".")
            self.load(schema, table, duckdb.connect().sql(f"SELECT * FROM '{file}'").to_arrow_table())

    @contextmanager
    def inside(self, schema: str = "PUBLIC") -> Iterator[FakeSnowflakeConnection]:
        """A session that needs no driver."""
        opened = fake.shared_fs.connect(DATABASE, schema)
        try:
            yield opened
        finally:
            opened.close()

    def take_key(self, public: bytes) -> None:
        """Let the user log in by the private key that belongs to a public one (DER)."""
        self.public_key = base64.b64encode(public).decode()

    # --- the protocol -----------------------------------------------------------------------------------------

    async def login(self, request: Request) -> Response:
        given = await _body(request)
        said, asked = given["data"], request.query_params
        self.logins += 1
        if refusal := self._refused_login(said, asked.get("roleName")):
            return _refused(*refusal)
        answer = await fake.login_request(self._there(request, given))
        content = json.loads(bytes(answer.body))
        content["data"]["sessionInfo"] |= {
            "warehouseName": asked.get("warehouse") if asked.get("warehouse") == COMPUTE else None,
            "roleName": asked.get("roleName"),
        }
        return JSONResponse(content)

    def _there(self, request: Request, given: dict[str, Any]) -> Request:
        """A login that names only what is there, since fakesnow would make the rest."""
        asked, database, schema = request.query_params, "", ""
        if asked.get("databaseName") == DATABASE:
            database = f"databaseName={DATABASE}"
            name = str(asked.get("schemaName")).upper()
            with self.inside() as session:
                known = session._duck_conn.execute("SELECT schema_name FROM information_schema.schemata").fetchall()
            schema = f"&schemaName={name}" if (name,) in known else ""
        return _with(request, given, (database + schema).encode())

    def _refused_login(self, said: dict[str, Any], role: str | None) -> tuple[int, str] | None:
        if said.get("AUTHENTICATOR") == "SNOWFLAKE_JWT":
            try:
                key = load_der_public_key(base64.b64decode(self.public_key))
                jwt.decode(said["TOKEN"], key, algorithms=["RS256"])  # type: ignore[arg-type]
            except (ValueError, jwt.InvalidTokenError):
                return 390144, "JWT token is invalid. [7d5f2a60]"
        elif said.get("AUTHENTICATOR") == "OAUTH":
            if said.get("TOKEN") != TOKEN:
                return 390303, "Invalid OAuth access token. [4f0c]"
        elif said.get("LOGIN_NAME") != USER or said.get("PASSWORD") != PASSWORD:
            return 390100, "Incorrect username or password was specified."
        elif self.passcode and said.get("PASSCODE") != self.passcode:
            return 390127, "MFA authentication is required, but the passcode is missing or wrong."
        if role not in (None, ROLE):
            return 390189, f"Role '{role}' specified in the connect string does not exist or not authorized."
        return None

    async def query(self, request: Request) -> Response:
        given = await _body(request)
        text, is_async = given["sqlText"], bool(given.get("asyncExec"))
        if is_async and self._loses("question"):
            return Response(status_code=503)
        if self._kills(text):
            with suppress(duckdb.TransactionException):  # there may be none
                fake.to_conn(fake.to_token(request))._duck_conn.rollback()
            return _refused(604, "nobody listens any more")
        refusal = next((told for pattern, told in self.refusals.items() if re.search(pattern, text)), None)
        if refusal is not None:
            return _refused(*refusal)
        if match := _CANCEL.match(text):
            return await self._cancel(request, match[1])
        if _HISTORY.match(text):
            return await self._history(request, given["bindings"]["1"]["value"])
        return await self._submitted(request, given) if is_async else _answered(await fake.query_request(request))

    def _kills(self, text: str) -> bool:
        """Kill the sender of a statement before it is run; the service takes back what a session left open in time."""
        if self.killing is None or not self.killing[0].match(text):
            return False
        pattern, number, process = self.killing
        self.killing = (pattern, number - 1, process) if number > 1 else None
        if self.killing is None:
            os.kill(process, signal.SIGKILL)
        return self.killing is None

    def _loses(self, what: str) -> bool:
        if what not in self.lost:
            return False
        self.lost.remove(what)
        return True

    async def _submitted(self, request: Request, given: dict[str, Any]) -> Response:
        tag = json.loads((given.get("parameters") or {}).get("QUERY_TAG", "{}"))
        statement = Statement(given["sqlText"], tag, str(uuid.uuid4()), fake.to_token(request))
        self.statements.append(statement)
        running = asyncio.create_task(self._run(request, statement))
        self.tasks.add(running)
        running.add_done_callback(self.tasks.discard)
        if self._loses("answer"):
            return Response(status_code=503)
        data = {"queryId": statement.query, "getResultUrl": f"/queries/{statement.query}/result"}
        return JSONResponse({"data": data, "code": "333334", "message": "in progress", "success": True})

    async def _run(self, request: Request, statement: Statement) -> None:
        # fakesnow cannot explain; what is asked for is whether a query would be taken.
        query = _EXPLAIN.match(statement.text)
        asked = request if query is None else _with(request, {"sqlText": query[1], "describeOnly": True})
        if instead := self._tracked(statement.text):
            asked = _with(request, {"sqlText": instead})
        if _SCANNED.match(statement.text):
            asked = _with(request, {"sqlText": f"SELECT {self._scanned(statement)} AS bytes"})
        answer = _answered(await fake.query_request(asked))
        content = json.loads(bytes(answer.body))
        if content["success"]:
            statement.answer = content
            statement.status = "SUCCESS"
        else:
            told = (
                ("000604", "SQL execution canceled") if statement.cancelled else (content["code"], content["message"])
            )
            statement.code, statement.message = told
            statement.status = "FAILED_WITH_ERROR"

    def _tracked(self, text: str) -> str | None:
        """What to run for a statement about the changes that are kept of a table, which fakesnow knows nothing of."""
        if match := _TRACKING.match(text):
            self.tracking.setdefault(match["table"], {})[match["what"]] = match["value"]
            return "SELECT 'Statement executed successfully.' AS status"
        if match := _SHOW_TABLE.match(text):
            known = self.tracking.get(match["table"], {})
            days, on = known.get("DATA_RETENTION_TIME_IN_DAYS", "1"), known.get("CHANGE_TRACKING") == "TRUE"
            kept = f'{days} AS "retention_time", \'{"ON" if on else "OFF"}\' AS "change_tracking"'
            return f"SELECT '{match['table']}' AS \"name\", {kept}"
        return None

    def _scanned(self, asking: Statement) -> int:
        """As many bytes as the texts of the statements for the same model have: a number that differs by model."""
        same = ("project", "model", "seq_no")
        own = [s for s in self.statements if s is not asking and s.token == asking.token]
        return sum(len(s.text) for s in own if all(s.tag.get(name) == asking.tag.get(name) for name in same))

    async def _cancel(self, request: Request, query: str) -> Response:
        statement = next(s for s in self.statements if s.query == query)
        statement.cancelled = True
        while statement.status == "RUNNING":
            fake.to_conn(statement.token)._duck_conn.interrupt()
            await asyncio.sleep(0.02)
        return await self._rows(request, "SELECT 'query terminated.' AS status")

    async def _history(self, request: Request, mark: str) -> Response:
        seen = [s for s in self.statements if s.tag.get("id") == mark and s.token == fake.to_token(request)]
        rows = f"SELECT '{seen[0].query}' AS query_id" if seen else "SELECT 'x' AS query_id WHERE FALSE"
        return await self._rows(request, rows)

    async def _rows(self, request: Request, sql: str) -> Response:
        return _answered(await fake.query_request(_with(request, {"sqlText": sql})))

    async def status(self, request: Request) -> Response:
        query = request.path_params["query"]
        found = next((s for s in self.statements if s.query == query), None)
        if found is None:
            return JSONResponse({"data": {"queries": []}, "success": True})
        told = {"status": found.status, "errorCode": found.code, "errorMessage": found.message}
        told = told if found.code else {"status": found.status}
        return JSONResponse({"data": {"queries": [told]}, "success": True})

    async def result(self, request: Request) -> Response:
        statement = next(s for s in self.statements if s.query == request.path_params["query"])
        return JSONResponse(statement.answer)


async def _body(request: Request) -> dict[str, Any]:
    body = await request.body()
    unpacked = gzip.decompress(body) if request.headers.get("Content-Encoding") == "gzip" else body
    found: dict[str, Any] = json.loads(unpacked)
    return found


def _with(request: Request, body: dict[str, Any], query: bytes | None = None) -> Request:
    """The same request with another body."""
    headers = [(name, value) for name, value in request.scope["headers"] if name.lower() != b"content-encoding"]
    scope = {**request.scope, "headers": headers}
    if query is not None:
        scope["query_string"] = query
    made = Request(scope)
    made._body = json.dumps(body).encode()
    return made


def _refused(number: int, message: str) -> JSONResponse:
    data = {"errorCode": str(number), "sqlState": "08001"}
    return JSONResponse({"data": data, "code": f"{number:06d}", "message": message, "success": False})


def _answered(answer: Response) -> Response:
    """An answer of fakesnow; what it did not expect of DuckDB is the refusal of a statement, not a broken server."""
    if answer.status_code != 500:
        return answer
    return _refused(100000, json.loads(bytes(answer.body))["message"])


def _stored(kind: str) -> str:
    """The type of DuckDB that fakesnow keeps the values of another one in."""
    if kind.endswith("]") or kind.startswith(("STRUCT", "MAP")):
        return "JSON"
    if "INT" in kind:
        return "BIGINT"
    plain = {"FLOAT": "DOUBLE", "TIMESTAMP_NS": "TIMESTAMP", "TIMESTAMP_S": "TIMESTAMP", "TIMESTAMP_MS": "TIMESTAMP"}
    found = plain.get(kind, kind)
    return found if found in duckdb_to_sf_type or found.startswith("DECIMAL") else "VARCHAR"


def _kind(node: exp.Typeof) -> exp.Expr:
    """TYPEOF is of the value in a VARIANT."""
    asked = exp.Anonymous(this="JSON_TYPE", expressions=[exp.Anonymous(this="TO_JSON", expressions=[node.this])])
    kind = exp.Case(this=asked)
    for name, said in {"UBIGINT": "INTEGER", "BIGINT": "INTEGER", "DOUBLE": "DECIMAL", "NULL": "NULL_VALUE"}.items():
        kind = kind.when(exp.Literal.string(name), exp.Literal.string(said))
    return kind.else_(asked.copy())


def _by_name(node: exp.Anonymous) -> exp.Expr:
    """ARRAYS_TO_OBJECT makes an object; HASH gives a whole number with a sign."""
    if node.name.upper() == "ARRAYS_TO_OBJECT":
        parts = zip(node.expressions, ("VARCHAR[]", "JSON[]"), strict=True)
        lists = [exp.Cast(this=part, to=exp.DataType.build(kind, dialect="duckdb")) for part, kind in parts]
        return exp.Anonymous(this="TO_JSON", expressions=[exp.Anonymous(this="MAP", expressions=lists)])
    if node.name.upper() == "HASH" and not node.args.get("signed"):
        node.set("signed", True)
        return sqlglot.parse_one(f"CAST(CAST({node.sql('duckdb')} AS HUGEINT) - {2**63} AS BIGINT)", read="duckdb")
    return node


def _moment(node: exp.ConvertTimezone) -> exp.Expr:
    """A moment in UTC stays one: all sessions are in UTC."""
    if node.args["target_tz"].name == "UTC" and not node.args.get("source_tz"):
        return exp.cast(node.args["timestamp"], "TIMESTAMPTZ")
    return node


def _extreme(node: exp.ArgMax | exp.ArgMin) -> exp.Expr:
    """MAX_BY and MIN_BY leave out rows without a key, but none without a value."""
    name = "ARG_MAX_NULL" if isinstance(node, exp.ArgMax) else "ARG_MIN_NULL"
    return exp.Anonymous(this=name, expressions=[node.this, node.expression])


def _listed(node: exp.ArrayAgg) -> exp.Expr:
    """ARRAY_AGG leaves NULLs out."""
    if isinstance(node.parent, exp.Window) or node.args.get("listed"):
        return node
    value = node.this.this if isinstance(node.this, exp.Order) else node.this
    value = value.expressions[0] if isinstance(value, exp.Distinct) else value
    node.set("listed", True)
    node.set("nulls_excluded", False)  # said below, which DuckDB's dialect does not do right for distinct values
    known = exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))
    listed = exp.Filter(this=node.copy(), expression=exp.Where(this=known))
    return exp.func("COALESCE", exp.Anonymous(this="TO_JSON", expressions=[listed]), exp.cast("'[]'", "JSON"))


def _of_lists(node: exp.ArrayUnionAgg | exp.SortArray) -> exp.Expr:
    """What is done with lists, which fakesnow keeps as documents."""
    items = exp.Cast(this=node.this, to=exp.DataType.build("JSON[]", dialect="duckdb"))
    if isinstance(node, exp.SortArray):
        found = exp.Anonymous(this="LIST_SORT", expressions=[items])
    else:
        listed = exp.Anonymous(this="FLATTEN", expressions=[exp.Anonymous(this="LIST", expressions=[items])])
        found = exp.Anonymous(this="LIST_DISTINCT", expressions=[listed])
    return exp.Anonymous(this="TO_JSON", expressions=[found])


_AS_DOCUMENTED: dict[type[exp.Expr], Callable[[Any], exp.Expr]] = {
    exp.Anonymous: _by_name,
    exp.ArgMax: _extreme,
    exp.ArgMin: _extreme,
    exp.ArrayAgg: _listed,
    exp.ArrayUnionAgg: _of_lists,
    exp.ConvertTimezone: _moment,
    exp.SortArray: _of_lists,
    exp.Typeof: _kind,
}


def _function(node: exp.Expr) -> exp.Expr:
    return _AS_DOCUMENTED.get(type(node), lambda same: same)(node)


def _cast(node: exp.Expr) -> exp.Expr:
    """TRY_CAST gives NULL for what is no time; the text of a VARIANT is the text in it."""
    if isinstance(node, exp.TryCast):
        return node
    if isinstance(node, exp.Cast) and node.to.is_type("text", "varchar") and isinstance(node.this, _OF_ANY_TYPE):
        document = exp.TryCast(this=node.this.copy(), to=exp.DataType.build("json"))
        text = exp.JSONExtractScalar(this=document, expression=exp.JSONPath(expressions=[exp.JSONPathRoot()]))
        kind = exp.Anonymous(this="TYPEOF", expressions=[node.this.copy()])
        is_document = exp.EQ(this=kind, expression=exp.Literal.string("JSON"))
        return exp.Case(ifs=[exp.If(this=is_document, true=text)], default=_whole(node))
    return _KEPT["to_timestamp"](node)


_OF_ANY_TYPE = (exp.Column, exp.Min, exp.Max, exp.AnyValue, exp.Window)


def _whole(node: exp.Cast) -> exp.Expr:
    """The same cast, which is not looked at again."""
    return exp.Cast(this=exp.Paren(this=node.this), to=node.to)


def _times_with_nulls(times: pa.Array | pa.ChunkedArray) -> pa.Array:
    """As fakesnow sends times, where NULL is not the beginning of 1970."""
    whole = times.combine_chunks() if isinstance(times, pa.ChunkedArray) else times
    made = _SENT_TIMES(whole)
    fields = [made.type.field(number) for number in range(made.type.num_fields)]
    return pa.StructArray.from_arrays(made.flatten(), fields=fields, mask=whole.is_null())


def _time_given(nanoseconds: str) -> datetime:
    """A time that is given for a TIMESTAMP_NTZ has no zone."""
    return _GIVEN_TIMES(nanoseconds).replace(tzinfo=None)


_SENT_TIMES, _GIVEN_TIMES = arrow.timestamp_to_sf_struct, converter.from_datetime
_DESCRIBED: dict[str, list[Any]] = {}


def _described(cursor: FakeSnowflakeCursor) -> list[Any]:
    """What a statement without rows gives is described once: the same words in the same columns."""
    text = str(cursor._last_sql)
    if not text.startswith("SELECT '") or " FROM " in text.upper():
        return _DESCRIBE(cursor)
    shape = re.sub(r"'[^']*'", "''", text, count=1)
    if shape not in _DESCRIBED:
        _DESCRIBED[shape] = _DESCRIBE(cursor)
    return _DESCRIBED[shape]


def _commented(node: exp.Expr) -> exp.Expr:
    """A table without a comment gets none: a MERGE makes one, and may be part of a transaction."""
    if isinstance(node, exp.Create) and node.find(exp.SchemaCommentProperty) is None:
        return node
    return _KEPT["extract_comment_on_table"](node)


_DESCRIBE = FakeSnowflakeCursor._describe_last_sql
_MENDED = {
    "extract_comment_on_table": _commented,
    "numeric_agg_implicit_cast": lambda node: node,  # sums of numbers stay numbers: only texts are cast
    "array_agg": _function,
    "to_timestamp": _cast,
}
_KEPT = {name: getattr(transforms, name) for name in _MENDED}


@contextmanager
def _mended() -> Iterator[None]:
    """Let fakesnow do what the service documents."""
    arrow.timestamp_to_sf_struct, converter.from_datetime = _times_with_nulls, _time_given
    FakeSnowflakeCursor._describe_last_sql = _described
    for name, mended in _MENDED.items():
        setattr(transforms, name, mended)
    try:
        yield
    finally:
        arrow.timestamp_to_sf_struct, converter.from_datetime = _SENT_TIMES, _GIVEN_TIMES
        FakeSnowflakeCursor._describe_last_sql = _DESCRIBE
        for name, kept in _KEPT.items():
            setattr(transforms, name, kept)


@contextmanager
def running() -> Iterator[Account]:
    """Run the server in a thread of this process."""
    account = Account()
    mine = [
        Route("/session/v1/login-request", account.login, methods=["POST"]),
        Route("/queries/v1/query-request", account.query, methods=["POST"]),
        Route("/monitoring/queries/{query}", account.status, methods=["GET"]),
        Route("/queries/{query}/result", account.result, methods=["GET"]),
    ]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        account.port = free.getsockname()[1]
    config = uvicorn.Config(Starlette(routes=[*mine, *fake.routes]), "127.0.0.1", account.port, log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while thread.is_alive() and not server.started:
        time.sleep(0.02)
    assert server.started
    with account.inside():
        pass
    try:
        with _mended():
            yield account
    finally:
        server.should_exit = True
        thread.join(10)
