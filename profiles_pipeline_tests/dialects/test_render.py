from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from profiles_pipeline.dialects import KNOWN, canonical_type, capabilities, identifier, literal, render, spelled
from profiles_pipeline.dialects.postgres.formats import time_format
from profiles_pipeline.dialects.render import Value
from profiles_pipeline.dialects.support import emulations, page
from profiles_pipeline.errors import WarehouseError
from profiles_pipeline.sql import Reading, build, parse_query


@pytest.mark.parametrize(
    "value",
    ["", "it's", "a\\b", 'q"', "ünï", 0, -7, 2**40, 1.5, -0.25, 1e300, 1e-9, Decimal("1.20"), Decimal("-3.0"),
     datetime(2024, 1, 2, 3, 4, 5, 600), datetime(2024, 1, 2), date(2024, 1, 2), True, False, None],
)  # fmt: skip
def test_duckdb_reads_the_literal_back(value: Value) -> None:
    row = duckdb.connect().execute(f"SELECT {literal(value, 'duckdb')}").fetchone()
    assert row == (value,)
    assert row is not None
    assert type(row[0]) is type(value)


def test_special_floats() -> None:
    row = duckdb.connect().execute(f"SELECT {literal(float('inf'), 'duckdb')}").fetchone()
    assert row == (float("inf"),)


def test_a_time_with_a_zone_becomes_utc() -> None:
    assert literal(datetime(2024, 1, 2, tzinfo=UTC), "duckdb") == "CAST('2024-01-02 00:00:00' AS TIMESTAMP)"


@pytest.mark.parametrize("dialect", sorted(KNOWN))
def test_literals_and_names_parse_in_every_dialect(dialect: str) -> None:
    name = capabilities(dialect).sqlglot_dialect
    values: list[Value] = ["it's \\ q", -7, 1.5, datetime(2024, 1, 2, 3, 4, 5), date(2024, 1, 2), True, None]
    for value in values:
        sqlglot.parse_one(f"SELECT {literal(value, dialect)}", dialect=name)
    text = sqlglot.parse_one(f"SELECT {literal('a' + chr(92) + chr(39), dialect)}", dialect=name).expressions[0]
    assert text.this == "a\\'"
    column = sqlglot.parse_one(f"SELECT {identifier('odd name', dialect)}", dialect=name).expressions[0]
    folded = {"upper": "ODD NAME"}.get(capabilities(dialect).identifier_case, "odd name")
    assert (column.name, column.this.quoted) == (folded, True)


def test_records_agree_with_sqlglot() -> None:
    for record in KNOWN.values():
        spelled = "A" if record.identifier_case == "upper" else "a"
        assert identifier("a", record.name) == f"{record.quote}{spelled}{record.quote}"
        for template in (record.regexp_full_match, record.sha1):
            sqlglot.parse_one(template.format(text="a", pattern="b"), dialect=record.sqlglot_dialect)
        for type_name in (record.text_type, record.timestamp_type, record.float_type):
            sqlglot.parse_one(f"CAST(a AS {type_name})", dialect=record.sqlglot_dialect)


def test_duckdb_record_runs() -> None:
    record = KNOWN["duckdb"]
    matched = record.regexp_full_match.format(text="'abc'", pattern="'b'")
    hashed = record.sha1.format(text="'a'")
    row = duckdb.connect().execute(f"SELECT {matched}, {hashed}, {record.arg_min}(1, 2)").fetchone()
    assert row == (False, "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8", 1)


def test_unknown_dialect_is_named() -> None:
    with pytest.raises(KeyError, match="unknown dialect 'oracle'"):
        capabilities("oracle")


def test_rendering_is_pretty_and_stable() -> None:
    query = parse_query("select a,count(*) n from t where b='x' group by a", Reading())
    text = render(query, "duckdb")
    assert text == "SELECT\n  a,\n  COUNT(*) AS n\nFROM t\nWHERE\n  b = 'x'\nGROUP BY\n  a"
    assert render(query, "duckdb") == text


def test_lambdas_in_the_form_duckdb_wants() -> None:
    tree = build("LIST_TRANSFORM([1, 2], LAMBDA x : x + 1)")
    assert duckdb.connect().execute(f"SELECT {render(tree, 'duckdb')}").fetchone() == ([2, 3],)


def test_the_page_says_what_the_records_say(repository_root: Path, update_golden: bool) -> None:
    file = repository_root / "docs" / "warehouses.md"
    mark = "<!-- written by profiles_pipeline.dialects.support.page -->\n"
    head, found, told = file.read_text(encoding="utf-8").partition(mark)
    assert found
    if update_golden:
        file.write_text(head + mark + page(), encoding="utf-8")
    else:
        assert told == page()


def test_what_is_emulated_is_told_of_every_other_engine() -> None:
    assert {name for name, record in KNOWN.items() if record.runs} == {"duckdb", "postgres", "snowflake"}
    assert {name for name in KNOWN if not emulations(name)} == {"duckdb"}
    told = {emulation.what for emulation in emulations("postgres")}
    assert {"ARG_MAX, ARG_MIN", "MEDIAN, QUANTILE_CONT", "TRY_CAST", "DATE_DIFF"} <= told
    assert {"ARG_MAX, ARG_MIN", "FILTER", "TRY_CAST"} <= {emulation.what for emulation in emulations("snowflake")}


LONG = "a" * 70


@pytest.mark.parametrize(
    ("canonical", "expected"),
    [
        ("SELECT UserId AS B FROM t", 'SELECT "userid" AS "b" FROM "t"'),
        ("SELECT arg_max(a, b) FILTER (WHERE c) FROM t",
         'SELECT (ARRAY_AGG("a" ORDER BY "b" DESC NULLS LAST) '
         'FILTER(WHERE "c" AND NOT "a" IS NULL AND NOT "b" IS NULL))[1] FROM "t"'),
        ("SELECT a FROM t QUALIFY ROW_NUMBER() OVER (ORDER BY b) = 1",
         'SELECT "a" FROM (SELECT "a", ROW_NUMBER() OVER (ORDER BY "b") AS _w FROM "t") AS _t WHERE _w = 1'),
        ("SELECT a FROM t ORDER BY a DESC", 'SELECT "a" FROM "t" ORDER BY "a" DESC NULLS LAST'),
        ("SELECT a // 2", 'SELECT CAST(DIV(CAST("a" AS DECIMAL), CAST(2 AS DECIMAL)) AS BIGINT)'),
        ("CREATE OR REPLACE TEMPORARY TABLE T AS SELECT 1 AS n",
         'DROP TABLE IF EXISTS pg_temp."t" CASCADE;\nCREATE TEMPORARY TABLE "t" AS SELECT 1 AS "n"'),
        (f"SELECT 1 AS {LONG}", f'SELECT 1 AS "{"a" * 50}_{hashlib.sha256(LONG.encode()).hexdigest()[:12]}"'),
    ],
)  # fmt: skip
def test_in_postgres(canonical: str, expected: str) -> None:
    assert render(build(canonical), "postgres", pretty=False) == expected


@pytest.mark.parametrize(
    ("canonical", "expected"),
    [
        ("SELECT UserId AS B FROM t", 'SELECT "USERID" AS "B" FROM "T"'),
        ('SELECT a FROM "Db"."s"."Odd t"', 'SELECT "A" FROM "Db"."s"."Odd t"'),
        ("SELECT arg_max(a, b) FILTER (WHERE c) FROM t",
         'SELECT MAX_BY("A", IFF("C", IFF(NOT "A" IS NULL, "B", NULL), NULL)) FROM "T"'),
        ("SELECT COUNT(*) FILTER (WHERE c), COUNT(DISTINCT a) FILTER (WHERE c) FROM t",
         'SELECT COUNT_IF("C"), COUNT(DISTINCT IFF("C", "A", NULL)) FROM "T"'),
        ("SELECT r.g, FIRST(v ORDER BY k DESC NULLS FIRST) FILTER (WHERE c) AS f FROM t AS r WHERE w GROUP BY r.g",
         'SELECT "R"."G", ANY_VALUE("FIRST_OF_0") AS "F" FROM (SELECT "R".*, FIRST_VALUE(IFF("C", "V", NULL)) OVER '
         '(PARTITION BY "R"."G" ORDER BY IFF("C", 0, 1), "K" DESC) AS "FIRST_OF_0" FROM "T" AS "R" WHERE "W") AS "R" '
         'GROUP BY "R"."G"'),
        ("SELECT t.g, STRUCT_EXTRACT(MAX({'k': u.k, 'v': t.v}), 'v') AS f FROM t JOIN u ON u.id = t.id GROUP BY t.g",
         'SELECT "USED_0" AS "G", ANY_VALUE("FIRST_OF_0") AS "F" FROM (SELECT FIRST_VALUE("T"."V") OVER (PARTITION BY '
         '"T"."G" ORDER BY "U"."K" DESC, "T"."V" DESC) AS "FIRST_OF_0", "T"."G" AS "USED_0" FROM "T" '
         'JOIN "U" ON "U"."ID" = "T"."ID") AS "USED" GROUP BY "USED_0"'),
        ("SELECT u.a, FIRST(t.v ORDER BY t.k) AS f, COUNT(*) AS n FROM t JOIN u ON TRUE GROUP BY a HAVING n > 1",
         'SELECT "USED_0" AS "A", ANY_VALUE("FIRST_OF_0") AS "F", COUNT(*) AS "N" FROM (SELECT FIRST_VALUE("T"."V") '
         'OVER (PARTITION BY "A" ORDER BY "T"."K") AS "FIRST_OF_0", "U"."A" AS "USED_0" FROM "T" '
         'JOIN "U" ON TRUE) AS "USED" GROUP BY "USED_0" HAVING "N" > 1'),
        ("SELECT REGEXP_MATCHES(a, 'x+'), REGEXP_FULL_MATCH(a, '.+@.+')",
         """SELECT REGEXP_INSTR("A", 'x+') > 0, REGEXP_LIKE("A", '.+@.+')"""),
        ("SELECT REGEXP_REPLACE(a, 'x', 'y'), REGEXP_REPLACE(a, '\\d', 'y', 'g'), REGEXP_EXTRACT_ALL(a, '(x)', 1)",
         """SELECT REGEXP_REPLACE("A", 'x', 'y', 1, 1), REGEXP_REPLACE("A", '\\\\d', 'y'), """
         """REGEXP_SUBSTR_ALL("A", '(x)', 1, 1, 'e', 1)"""),
        ("SELECT a / b, a // b, AVG(a)",
         'SELECT CAST("A" AS DOUBLE) / "B", CAST(("A" - "A" % "B") / "B" AS BIGINT), '
         '(CAST(SUM("A") AS DOUBLE) / NULLIF(COUNT("A"), 0))'),
        ("SELECT a + INTERVAL 3 DAY, a - INTERVAL (n) HOUR",
         'SELECT DATEADD(DAY, 3, CAST("A" AS TIMESTAMP)), DATEADD(HOUR, -("N"), CAST("A" AS TIMESTAMP))'),
        ("SELECT CAST(CAST(a AS TIMESTAMPTZ) AS TIMESTAMP), TRY_CAST(a AS DOUBLE), TRY_CAST(a AS JSON)",
         """SELECT CAST(CONVERT_TIMEZONE('UTC', CAST("A" AS TIMESTAMPTZ)) AS TIMESTAMPNTZ), """
         """TRY_CAST(CAST("A" AS VARCHAR) AS DOUBLE), TRY_PARSE_JSON(CAST("A" AS VARCHAR))"""),
        ("SELECT x ->> '$.a.b[1]', x -> '$.\"odd key\"', x ->> '$'",
         """SELECT CAST(GET_PATH("X", 'a.b[1]') AS VARCHAR), GET_PATH("X", '["odd key"]'), CAST("X" AS VARCHAR)"""),
        ("SELECT STRFTIME(a, '%Y-%m-%dT%H:%M'), DAYOFWEEK(a), ROW_NUMBER() OVER ()",
         """SELECT TO_CHAR(CAST("A" AS TIMESTAMP), 'YYYY-MM-DD"T"HH24:MI'), DAYOFWEEKISO("A") % 7, """
         """ROW_NUMBER() OVER (ORDER BY NULL)"""),
        ("WITH x AS MATERIALIZED (SELECT 1 AS n) SELECT * EXCLUDE (n) FROM x",
         'WITH "X" AS (SELECT 1 AS "N") SELECT * EXCLUDE ("N") FROM "X"'),
        ("SELECT a FROM t QUALIFY ROW_NUMBER() OVER (ORDER BY b DESC) = 1",
         'SELECT "A" FROM "T" QUALIFY ROW_NUMBER() OVER (ORDER BY "B" DESC NULLS LAST) = 1'),
        ("SELECT LIST_SORT(ARRAY_AGG(DISTINCT a) FILTER (WHERE b)) FROM t",
         'SELECT ARRAY_AGG(DISTINCT IFF("B", "A", NULL)) WITHIN GROUP (ORDER BY IFF("B", "A", NULL)) FROM "T"'),
        ("SELECT QUANTILE_CONT(a, 0.9) FILTER (WHERE c) FROM t",
         'SELECT PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY IFF("C", CAST("A" AS DOUBLE), NULL)) FROM "T"'),
        ("SELECT {'k': 1}, [], [1], MAP(['a'], [1]), RANDOM()",
         """SELECT OBJECT_CONSTRUCT_KEEP_NULL('k', 1), CAST(PARSE_JSON('[]') AS ARRAY), ARRAY_CONSTRUCT(1), """
         """ARRAYS_TO_OBJECT(ARRAY_CONSTRUCT('a'), ARRAY_CONSTRUCT(1)), """
         """(RANDOM() / CAST('18446744073709551616' AS DOUBLE) + 0.5)"""),
        ("SELECT CAST(a AS TIMESTAMP) AT TIME ZONE 'Asia/Tokyo' AT TIME ZONE 'UTC', a::TIMESTAMPTZ AT TIME ZONE b",
         """SELECT CONVERT_TIMEZONE('Asia/Tokyo', 'UTC', CAST("A" AS TIMESTAMPNTZ)), CONVERT_TIMEZONE('UTC', "B", """
         """CAST(CAST(CONVERT_TIMEZONE('UTC', CAST("A" AS TIMESTAMPTZ)) AS TIMESTAMP) AS TIMESTAMPNTZ))"""),
        ("SELECT EPOCH_MS(CAST(a AS TIMESTAMP)), TIME_BUCKET(INTERVAL 15 MINUTE, a), TIME_BUCKET(INTERVAL 2 MONTHS, a)",
         """SELECT DATE_PART(EPOCH_MILLISECOND, CAST(CAST("A" AS TIMESTAMPNTZ) AS TIMESTAMP)), """
         """TIME_SLICE(CAST("A" AS TIMESTAMPNTZ), 15, 'MINUTE'), TIME_SLICE(CAST("A" AS TIMESTAMPNTZ), 2, 'MONTH')"""),
        ("SELECT TRY(DECODE(FROM_BASE64(a))), JARO_WINKLER_SIMILARITY(UPPER(a), UPPER(b)) * 100, ISNAN(a)",
         """SELECT TRY_BASE64_DECODE_STRING("A"), JAROWINKLER_SIMILARITY(UPPER("A"), UPPER("B")), """
         """(CAST("A" AS DOUBLE) = CAST('NaN' AS DOUBLE))"""),
        ("CREATE OR REPLACE TEMPORARY TABLE T AS SELECT CAST(1 AS HUGEINT) AS n",
         'CREATE OR REPLACE TEMPORARY TABLE "T" AS SELECT CAST(1 AS DECIMAL(38, 0)) AS "N"'),
    ],
)  # fmt: skip
def test_in_snowflake(canonical: str, expected: str) -> None:
    assert render(build(canonical), "snowflake", pretty=False) == expected


@pytest.mark.parametrize(
    ("dialect", "canonical", "expected"),
    [
        ("postgres", r"SELECT a LIKE '\_%', a LIKE 'x%'", """SELECT "a" LIKE '\\_%' ESCAPE '', "a" LIKE 'x%'"""),
        ("redshift", r"SELECT a LIKE '\_%', a ILIKE p",
         r"""SELECT "a" LIKE '\\\\_%', "a" ILIKE REPLACE("p", '\\', '\\\\')"""),
        ("bigquery", r"SELECT a LIKE '\_%', a LIKE 'x^_%^^' ESCAPE '^'",
         r"""SELECT `a` LIKE '\\\\_%', `a` LIKE 'x\\_%^'"""),
        ("databricks", r"SELECT a LIKE '\_%', a LIKE '^_\' ESCAPE '^'",
         r"""SELECT `a` LIKE '\\\\_%', `a` LIKE '^_\\' ESCAPE '^'"""),
        ("postgres", "SELECT SUBSTRING(a, -2), SUBSTRING(a, 2, 3)",
         'SELECT PROFILES_SUBSTRING(CAST("a" AS TEXT), CAST(-2 AS BIGINT)) COLLATE "C", '
         'SUBSTRING("a" FROM 2 FOR 3) COLLATE "C"'),
        ("redshift", "SELECT SUBSTRING(a, -2), SUBSTRING(a, 2, 3)",
         'SELECT SUBSTRING("a", LENGTH("a") - 1), SUBSTRING("a", 2, 3)'),
        ("bigquery", "SELECT SUBSTRING(a, -5, 3), SUBSTRING(a, -2), SUBSTRING(a, 2, 3)",
         "SELECT SUBSTRING(`a`, GREATEST(LENGTH(`a`) - 4, 1), GREATEST(3 - GREATEST(1 - (LENGTH(`a`) - 4), 0), 0)), "
         "SUBSTRING(`a`, -2), SUBSTRING(`a`, 2, 3)"),
        ("databricks", "SELECT SUBSTRING(a, -5, 3), SUBSTRING(a, 0, 3)",
         "SELECT SUBSTRING(`a`, -5, 3), SUBSTRING(`a`, 0, CASE WHEN 0 = 0 THEN 3 - 1 ELSE 3 END)"),
    ],
)  # fmt: skip
def test_patterns_of_like_and_places_in_texts(dialect: str, canonical: str, expected: str) -> None:
    assert render(build(canonical), dialect, pretty=False) == expected


def test_what_flatten_was_is_flatten_again() -> None:
    text = "select f.value:k::int from t, lateral flatten(input => parse_json(s)) f"
    rendered = render(parse_query(text, Reading()), "snowflake", pretty=False)
    document = """CASE WHEN TRIM(CAST("S" AS VARCHAR)) <> '' THEN PARSE_JSON("S") END"""
    assert rendered.endswith(f""" AS BIGINT) FROM "T", LATERAL FLATTEN(INPUT => {document}) AS "F\"""")


def test_what_snowflake_has_no_function_for_is_refused() -> None:
    with pytest.raises(WarehouseError, match="cannot be said in Snowflake: it has no function LIST_REDUCE"):
        render(build("SELECT LIST_REDUCE(a, LAMBDA x, y : x + y)"), "snowflake")


@pytest.mark.parametrize(
    ("canonical", "what"),
    [
        ("TIME_BUCKET(INTERVAL 4 DAY, a)", "TIME_BUCKET of 4 DAY"),
        ("JARO_WINKLER_SIMILARITY(a, b)", "JARO_WINKLER_SIMILARITY but of a hundredth"),
    ],
)
def test_what_snowflake_does_otherwise_is_refused(canonical: str, what: str) -> None:
    with pytest.raises(WarehouseError, match=f"cannot be said in Snowflake: nothing there stands for {what}"):
        render(build(f"SELECT {canonical}"), "snowflake")


@pytest.mark.parametrize(
    ("name", "canonical"),
    [("FIXED(38,0)", "BIGINT"), ("FIXED(12,2)", "DECIMAL(12,2)"), ("REAL", "DOUBLE"), ("VARIANT", "JSON"),
     ("TIMESTAMP_NTZ", "TIMESTAMP"), ("TIMESTAMP_TZ", "TIMESTAMP WITH TIME ZONE"), ("GEOGRAPHY", "VARCHAR")],
)  # fmt: skip
def test_types_of_snowflake(name: str, canonical: str) -> None:
    assert canonical_type(name, "snowflake") == canonical


def test_what_postgres_cannot_be_told_is_refused() -> None:
    broken = exp.select(exp.Anonymous(this="f)(", expressions=[]))
    with pytest.raises(WarehouseError, match="cannot be said in PostgreSQL"):
        render(broken, "postgres")


@pytest.mark.parametrize(
    ("name", "canonical"),
    [("text", "VARCHAR"), ("character varying(20)", "VARCHAR"), ("numeric(12,2)", "DECIMAL(12,2)"),
     ("bigint[]", "BIGINT[]"), ("timestamp without time zone", "TIMESTAMP"),
     ("timestamp(3) with time zone", "TIMESTAMP WITH TIME ZONE"),
     ("jsonb", "JSON"), ("numeric", "DECIMAL(38,9)"), ("citext", "VARCHAR")],
)  # fmt: skip
def test_types_of_postgres(name: str, canonical: str) -> None:
    assert canonical_type(name, "postgres") == canonical


@pytest.mark.parametrize(
    ("strftime", "expected"),
    [
        ("%Y-%m-%dT%H:%M:%S", 'YYYY-MM-DD"T"HH24:MI:SS'),
        ("%I:%M %p", "HH12:MI AM"),
        ("%-d. %B", "FMDD. FMMonth"),
        ("%Q", None),
    ],
)
def test_formats_of_times(strftime: str, expected: str | None) -> None:
    assert time_format(strftime) == expected


@pytest.mark.parametrize("dialect", ["snowflake", "postgres", "redshift", "bigquery", "databricks"])
def test_names_fit_and_stay_apart(dialect: str) -> None:
    longest = KNOWN[dialect].max_identifier_length
    names = ["ä" * longest + end for end in "ab"]
    text = render(build(f'SELECT 1 AS "{names[0]}", 2 AS "{names[1]}", 3 AS "{"c" * longest}"'), dialect)
    written = [item.alias for item in sqlglot.parse_one(text, dialect=dialect).expressions]
    assert len(set(written)) == 3
    assert all(len(name.encode()) <= longest for name in written)
    assert written[2] == spelled("c" * longest, dialect)
    assert written[0] == spelled(names[0], dialect)


def test_letters_that_are_not_ascii_keep_their_case() -> None:
    assert render(build('SELECT "Größe"'), "snowflake", pretty=False) == 'SELECT "GRößE"'
    assert render(build('SELECT "GRÖßE"'), "postgres", pretty=False) == 'SELECT "grÖße"'
