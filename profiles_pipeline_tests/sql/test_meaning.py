"""Each pair of the data file is rendered and run: the text and the value must both be right."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from sqlglot import exp

from profiles_pipeline.dialects import render, unsupported
from profiles_pipeline.errors import ProjectError, WarehouseError
from profiles_pipeline.sql import Reading, build, parse_expression, parse_query, parse_statements
from profiles_pipeline.sql.meaning import REWRITES
from profiles_pipeline.sql.rewrites.row import ANY
from profiles_pipeline.sql.rights import why_left_out
from profiles_pipeline.warehouse.base import Warehouse
from profiles_pipeline.warehouse.connect import connect
from profiles_pipeline_tests.warehouse.postgres import settings

DATA: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "rewrites.yaml").read_text())
PAIRS: list[dict[str, Any]] = DATA["pairs"]


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return connection


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair['rewrite']}: {pair['sql']}")
def test_pair(connection: duckdb.DuckDBPyConnection, pair: dict[str, Any]) -> None:
    tree = parse_query(pair["sql"], Reading(pair.get("source", "snowflake"), "duckdb"))
    text = render(tree, "duckdb", pretty=False)
    assert text == pair.get("duckdb", text)
    expected = pair["expect"]
    if "fixture" in pair:
        relation = DATA["fixtures"].get(pair["fixture"], pair["fixture"])
        connection.execute(f"CREATE OR REPLACE TEMPORARY VIEW fixture AS SELECT * FROM {relation}")
    for statement in (text, render(tree, "duckdb")):
        rows = [[_plain(value) for value in row] for row in connection.execute(statement).fetchall()]
        if not tree.args.get("order"):
            rows, expected = sorted(rows, key=str), sorted(expected, key=str)
        assert rows == expected


@pytest.fixture(scope="module")
def server(postgres_port: int) -> Iterator[Warehouse]:
    with connect(settings(postgres_port, "pairs"), purpose="pairs") as opened:
        opened.ensure_schema("pairs")
        yield opened


@pytest.mark.postgres
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair['rewrite']}: {pair['sql']}")
def test_pair_on_postgres(server: Warehouse, pair: dict[str, Any]) -> None:
    """The value of a pair is the same, or the pair says that it is refused, or which value it has instead."""
    tree = parse_query(pair["sql"], Reading(pair.get("source", "snowflake"), "duckdb"))
    if pair.get("postgres") == "refused":
        with pytest.raises(WarehouseError):
            _on_postgres(server, pair, tree)
        return
    rows, expected = _on_postgres(server, pair, tree), pair.get("postgres", pair["expect"])
    if not tree.args.get("order"):
        rows, expected = sorted(rows, key=str), sorted(expected, key=str)
    assert _comparable(rows) == _comparable(expected)


def _on_postgres(server: Warehouse, pair: dict[str, Any], tree: exp.Expr) -> list[list[object]]:
    if "fixture" in pair:
        relation = build(f"SELECT * FROM {DATA['fixtures'].get(pair['fixture'], pair['fixture'])}")
        view = exp.Create(this=exp.to_table("fixture"), kind="VIEW", replace=True, expression=relation)
        server.execute(render(view, "postgres", pretty=False))
    _assert_compared_by_bytes(server, render(tree, "postgres"))
    return [[_plain(value) for value in row] for row in server.query(render(tree, "postgres")).rows]


def _assert_compared_by_bytes(server: Warehouse, query: str) -> None:
    """Whatever text a query gives is compared by its bytes in what is computed from it, as it is on DuckDB."""
    columns = server.describe(query)
    names = ", ".join(f"c{number}" for number in range(len(columns)))
    server.execute(f"CREATE OR REPLACE TEMPORARY VIEW given ({names}) AS {query}")
    found = server.query(
        "SELECT attname, attcollation::REGCOLLATION::TEXT FROM pg_attribute WHERE attrelid = 'pg_temp.given'::REGCLASS "
        "AND attcollation NOT IN (0, 'pg_catalog.\"C\"'::REGCOLLATION) ORDER BY attnum"
    ).rows
    server.execute("DROP VIEW pg_temp.given")
    assert not found


def _comparable(value: object) -> object:
    """A value without what JSON and decimals may be spelled like: spaces in documents, zeros behind the point."""
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return round(float(value), 9)
    text = str(value)
    with suppress(ValueError):
        return round(float(text), 9)
    with suppress(ValueError):
        return json.loads(text)
    return text


def test_every_rewrite_has_a_pair() -> None:
    covered = {(pair["rewrite"], pair.get("source", "snowflake")) for pair in PAIRS}
    names = {name for name, _ in covered}
    missing = {
        (rewrite.name, rewrite.source)
        for rewrite in REWRITES
        if (rewrite.source == ANY and rewrite.name not in names)
        or (rewrite.source != ANY and (rewrite.name, rewrite.source) not in covered)
    }
    assert missing == set()


@pytest.mark.parametrize(
    "text", ["x:a::varchar", "array_agg(x)", "listagg(x)", "datediff(DAY, a, b)", "max_by(a, b)", "a > CURRENT_DATE"]
)
def test_nothing_is_rewritten_when_source_is_target(text: str) -> None:
    rendered = parse_expression(text, Reading("snowflake", "snowflake")).sql("snowflake")
    again = parse_expression(rendered, Reading("snowflake", "snowflake")).sql("snowflake")
    assert rendered == again
    assert "COALESCE" not in rendered
    assert "TIMESTAMP)" not in rendered


def test_symbols_survive_translation() -> None:
    text = 'datediff(day, "var:user/first_seen", max("row:orders/ts")) + count(distinct "ref:inputs/rsTracks"."Id")'
    rendered = render(parse_expression(text, Reading()), "duckdb", pretty=False)
    for symbol in ('"var:user/first_seen"', '"row:orders/ts"', '"ref:inputs/rsTracks"."Id"'):
        assert symbol in rendered


def test_what_cannot_be_said_is_told() -> None:
    tree = parse_expression("sha2(x, 512)", Reading())
    assert unsupported(tree, "duckdb") == ("DuckDB only supports SHA256 hashing algorithm.",)
    assert unsupported(parse_expression("sha2(x, 256)", Reading()), "duckdb") == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("select to_char(x, '$9.9MI') from t", "the format '$9.9MI' of to_char"),
        ("select to_char(x, f) from t", "only a format written out as a text can be"),
        ("select to_char(x::timestamp, 'SS.FF2') from t", "fractions of a second"),
        ("select from_json(x, 'a what ever').a from t", "'a what ever' of from_json is not a type"),
    ],
)
def test_formats_without_a_translation_are_refused(text: str, said: str) -> None:
    with pytest.raises(ProjectError, match=re.escape(said)) as refusal:
        parse_query(text, Reading())
    assert [problem.code for problem in refusal.value.problems] == ["sql-untranslatable"]


def test_statement_without_a_translation_is_refused() -> None:
    with pytest.raises(ProjectError, match="cannot translate the statement to duckdb"):
        parse_statements("select 1; rm @stage", Reading())
    kept = parse_statements("rm @stage", Reading("snowflake", "snowflake"))
    assert [tree.sql("snowflake") for tree in kept] == ["RM @stage"]


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("call refresh()", "has no procedures to call"),
        ("grant select on all tables in schema s to role r", "has no roles, rights or sessions to alter"),
        ("revoke usage on future schemas in database d from role r", "has no roles, rights or sessions to alter"),
        ("alter table t owner to etl", "has no roles, rights or sessions to alter"),
        ("grant select on t to role r", "has no roles, rights or sessions to alter"),
        ("alter session set query_tag = 'x'", "has no roles, rights or sessions to alter"),
        ("alter warehouse w set warehouse_size = 'small'", "has no roles, rights or sessions to alter"),
        ("alter table t cluster by (a)", "keeps no clusters, tags or options of tables"),
        ("alter table t set tag a = 'b'", "keeps no clusters, tags or options of tables"),
        ("alter table t recluster", "keeps no clusters, tags or options of tables"),
        ("optimize table t zorder by (a)", "keeps its tables in order by itself"),
        ("execute task t", "has no tasks"),
        ("insert into ops.public.t select 1", "has no database 'ops' to write to"),
        ("create view ops.public.t as select 1", "has no database 'ops' to write to"),
        ("insert into public.t select * from ops.public.s", None),
        ("alter table t add column a int", None),
        ("create view t as select 1", None),
    ],
)
def test_what_an_embedded_warehouse_has_no_use_for(statement: str, why: str | None) -> None:
    (tree,) = parse_statements(statement, Reading())
    assert why_left_out(tree, "duckdb") == why
    assert why_left_out(tree, "snowflake") is None


def _plain(value: object) -> object:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, datetime | date | Decimal) else value
