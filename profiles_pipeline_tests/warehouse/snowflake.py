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
import re
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import fakesnow.server as fake
import jwt
import pyarrow as pa
import uvicorn
from cryptography.hazmat.primitives.serialization import load_der_public_key
from fakesnow import arrow, transforms
from fakesnow.rowtype import duckdb_to_sf_type
from pydantic import SecretStr
from sqlglot import exp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from profiles_pipeline.warehouse.settings import SnowflakeSettings

USER, PASSWORD, TOKEN = "tester", "open-sesame", "good-token"
ROLE, COMPUTE, DATABASE = "PROFILES_ROLE", "PROFILES_WH", "SHOP"

_CANCEL = re.compile(r"SELECT SYSTEM\$CANCEL_QUERY\(\?\)")
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
        with self._inside() as connection:
            for schema in schemas:
                connection.execute(f'DROP SCHEMA IF EXISTS {DATABASE}."{schema.upper()}" CASCADE')

    def load(self, schema: str, table: str, rows: pa.Table) -> None:
        """Make a table of an Arrow table, with the types that the service would give it."""
        with self._inside() as connection:
            connection.execute(f'CREATE SCHEMA IF NOT EXISTS {DATABASE}."{schema.upper()}"')
            connection.register("given", rows)
            described = connection.execute("DESCRIBE SELECT * FROM given").fetchall()
            items = ", ".join(f'CAST("{name}" AS {_stored(kind)}) AS "{name.upper()}"' for name, kind, *_ in described)
            place = f'{DATABASE}."{schema.upper()}"."{table.upper()}"'
            connection.execute(f"CREATE OR REPLACE TABLE {place} AS SELECT {items} FROM given")

    def load_files(self, files: Iterable[Path]) -> None:
        """Make a table of each file called ``[database.]schema.table.csv`` or ``.parquet``."""
        for file in files:
            *_, schema, table = file.stem.split(".")
            self.load(schema, table, duckdb.connect().sql(f"SELECT * FROM '{file}'").to_arrow_table())

    @contextmanager
    def _inside(self) -> Iterator[duckdb.DuckDBPyConnection]:
        opened = fake.shared_fs.connect(DATABASE)
        try:
            yield opened._duck_conn
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
        answer = await fake.login_request(_without(request, given, asked.get("databaseName") == DATABASE))
        content = json.loads(bytes(answer.body))
        content["data"]["sessionInfo"] |= {
            "warehouseName": asked.get("warehouse") if asked.get("warehouse") == COMPUTE else None,
            "roleName": asked.get("roleName"),
        }
        return JSONResponse(content)

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
        refusal = next((told for pattern, told in self.refusals.items() if re.search(pattern, text)), None)
        if refusal is not None:
            return _refused(*refusal)
        for pattern, answer in ((_CANCEL, self._cancel), (_HISTORY, self._history)):
            if pattern.match(text):
                return await answer(request, given["bindings"]["1"]["value"])
        return await self._submitted(request, given) if is_async else _answered(await fake.query_request(request))

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
        answer = _answered(await fake.query_request(request))
        content = json.loads(bytes(answer.body))
        if content["success"]:
            results = fake.shared_fs.results_cache
            results[statement.query] = results[content["data"]["queryId"]]
            statement.status = "SUCCESS"
        else:
            statement.code, statement.message = str(content["code"]), str(content["message"])
            statement.status = "FAILED_WITH_ERROR"

    async def _cancel(self, request: Request, query: str) -> Response:
        statement = next(s for s in self.statements if s.query == query)
        fake.to_conn(statement.token)._duck_conn.interrupt()
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


def _without(request: Request, body: dict[str, Any], database_is_there: bool) -> Request:
    """A login without a schema, and without a database that is not there."""
    return _with(request, body, f"databaseName={DATABASE}".encode() if database_is_there else b"")


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


def _list_of_values(node: exp.Expr) -> exp.Expr:
    """ARRAY_AGG leaves NULLs out."""
    above = node.parent
    while isinstance(above, exp.Window | exp.WithinGroup):
        above = above.parent
    if not isinstance(node, exp.ArrayAgg) or isinstance(node.parent, exp.Window) or node.args.get("listed"):
        return node
    value = node.this.this if isinstance(node.this, exp.Order) else node.this
    value = value.expressions[0] if isinstance(value, exp.Distinct) else value
    node.set("listed", True)
    known = exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))
    listed = exp.Filter(this=node.copy(), expression=exp.Where(this=known))
    return exp.func("COALESCE", exp.Anonymous(this="TO_JSON", expressions=[listed]), exp.cast("'[]'", "JSON"))


def _times_with_nulls(times: pa.Array | pa.ChunkedArray) -> pa.Array:
    """As fakesnow sends times, where NULL is not the beginning of 1970."""
    whole = times.combine_chunks() if isinstance(times, pa.ChunkedArray) else times
    made = _SENT_TIMES(whole)
    fields = [made.type.field(number) for number in range(made.type.num_fields)]
    return pa.StructArray.from_arrays(made.flatten(), fields=fields, mask=whole.is_null())


_SENT_TIMES = arrow.timestamp_to_sf_struct


@contextmanager
def running() -> Iterator[Account]:
    """Run the server in a thread of this process."""
    account = Account()
    # Sums of numbers stay numbers: the service casts texts only.
    arrow.timestamp_to_sf_struct = _times_with_nulls
    kept = transforms.numeric_agg_implicit_cast, transforms.array_agg
    transforms.numeric_agg_implicit_cast = lambda node: node
    transforms.array_agg = _list_of_values
    mine = [
        Route("/session/v1/login-request", account.login, methods=["POST"]),
        Route("/queries/v1/query-request", account.query, methods=["POST"]),
        Route("/monitoring/queries/{query}", account.status, methods=["GET"]),
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
    with account._inside():
        pass
    try:
        yield account
    finally:
        server.should_exit = True
        thread.join(10)
        arrow.timestamp_to_sf_struct = _SENT_TIMES
        transforms.numeric_agg_implicit_cast, transforms.array_agg = kept
