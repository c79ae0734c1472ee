"""show and query: reading what there is, and never writing."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from pyarrow import parquet

from .conftest import REFERENCE_TIME, Call, Spawn
from .test_check import edit
from .test_run import rows

# --- show models ----------------------------------------------------------------------------------------------------


def test_models_as_a_table(call: Call, quickstart: Path) -> None:
    outcome = call("show", "models", "-p", quickstart)
    assert outcome.code == 0
    cells = [re.split(r" {2,}", line.strip()) for line in outcome.out.splitlines()]
    assert ["path", "type", "output", "relation", "reads"] in cells
    assert [
        "models/user_profile",
        "feature_table_model",
        "table",
        "profiles.user_profile",
        "user/all, user/all/var_table",
    ] in cells
    assert ["inputs/rstracks", "input", "source", "profiles_sample.ecommerce.tracks"] in cells
    assert ["7 models, 2 inputs, in the order of building"] in cells


def test_models_as_data(call: Call, quickstart: Path) -> None:
    models = {m["path"]: m for m in json.loads(call("show", "models", "-p", quickstart, "--json").out)}
    stitcher = models["models/user_id_stitcher"]
    assert stitcher["dependencies"] == ["inputs/rsidentifies", "inputs/rstracks"]
    assert "user/all" in stitcher["dependents"]
    assert (stitcher["file"], stitcher["type"], stitcher["output"]) == ("models/profiles.yaml", "id_stitcher", "view")
    lines = (quickstart / stitcher["file"]).read_text().splitlines()
    assert "user_id_stitcher" in lines[stitcher["line"] - 1]


def test_models_as_trees(call: Call, quickstart: Path) -> None:
    lines = call("show", "models", "-p", quickstart, "--tree").out.splitlines()
    tops = [line.split()[0] for line in lines if line[0] not in "│├└ "]
    assert tops == ["models/user_profile", "user/all/feature_view"]
    assert sum("models/user_id_stitcher" in line for line in lines) == 3
    assert sum("(see above)" in line for line in lines if "user_id_stitcher" in line) == 2


# --- query ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "select count(*) as n from user_profile",
        "select count(*) as n from USER_PROFILE;",
        "select count(*) as n from profiles.user_profile -- a comment at the end",
        "-- a comment at the beginning\nselect count(*) as n from user_profile",
        'select count(*) as n from {{this.DeRef("models/user_profile")}}',
        "select count(*) as n from {{ this.DeRef('user/all/var_table') }} as v",
        "select count(*) as n from {{this.DeRef('entity/user/first_seen_date')}}",
        "with five as (select * from user_profile) select count(*) as n from five",
        "from (select count(*) as n from user_profile)",
        "select count(distinct user_id) as n from {{this.DeRef('inputs/rsIdentifies')}} where user_id < 'user6'",
    ],
)
def test_ways_to_name_what_was_built(call: Call, built: Path, query: str) -> None:
    assert rows(call, built, query) == [{"n": 5}]


def test_a_table_shows_every_cell_in_full(call: Call, built: Path) -> None:
    query = "select repeat('x', 300) as long, '[red]a[/red]' as marked, null as empty, 'a\nb' as lines, 7 as number"
    outcome = call("query", "-p", built, query)
    assert outcome.code == 0
    assert outcome.err == "1 row\n"
    assert outcome.out.splitlines()[2].split() == ["x" * 300, "[red]a[/red]", "null", "a\\nb", "7"]


def test_rows_are_limited_and_said_to_be(call: Call, built: Path) -> None:
    query = "select unnest(range(250)) as n order by n desc"
    screen = call("query", "-p", built, query)
    assert screen.err == "the first 100 rows; --max-rows shows more\n"
    for spelling in ("--max-rows", "--max_rows", "-max_rows"):
        few = call("query", "-p", built, query, spelling, "3", "--format", "csv")
        assert few.out == "n\n249\n248\n247\n"
        assert few.err == "there are more rows than the 3 asked for\n"
    every = call("query", "-p", built, query, "--format", "csv")
    assert (len(every.out.splitlines()), every.err) == (251, "")
    assert call("query", "-p", built, query, "--max-rows", "250").err == "250 rows\n"


def test_rows_into_files(call: Call, built: Path, tmp_path: Path) -> None:
    others = "[1, 2] as list, 1.5::decimal(4, 2) as price, null as nothing"
    query = f"select main_id, {others} from user_profile order by 1"
    outcome = call("query", "-p", built, query, "-f", tmp_path / "rows.csv")
    assert (outcome.code, outcome.out) == (0, "")
    with (tmp_path / "rows.csv").open(newline="") as stream:
        found = list(csv.DictReader(stream))
    assert len(found) == 5
    assert {"list": "[1, 2]", "price": "1.50", "nothing": ""}.items() <= found[0].items()
    assert call("query", "-p", built, query, "-f", tmp_path / "rows.json").code == 0
    data = json.loads((tmp_path / "rows.json").read_text())
    assert {"list": [1, 2], "price": 1.5, "nothing": None}.items() <= data[0].items()
    assert [row["main_id"] for row in data] == [row["main_id"] for row in found]
    outcome = call("query", "-p", built, query, "-f", tmp_path / "rows.PARQUET", "--max-rows", "4")
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err.splitlines()[0].startswith("wrote 4 rows to ")
    table = parquet.read_table(tmp_path / "rows.PARQUET")
    assert {f.name: str(f.type) for f in table.schema if f.name != "nothing"} == {
        "main_id": "string", "list": "list<element: int32>", "price": "decimal128(4, 2)",
    }  # fmt: skip
    assert table.column("main_id").to_pylist() == [row["main_id"] for row in found[:4]]


@pytest.mark.parametrize(
    ("form", "expected", "told"),
    [
        ("table", "a a A", ""),
        ("csv", "a,a,A", ""),
        ("json", '[ { "a": 1, "a_1": 2, "A_2": 3 } ]', "columns of one name have a number behind it: a_1, A_2"),
    ],
)
def test_columns_keep_the_names_that_the_query_gives_them(
    call: Call, built: Path, form: str, expected: str, told: str
) -> None:
    outcome = call("query", "-p", built, "select 1 as a, 2 as a, 3 as A", "--format", form)
    assert outcome.code == 0
    assert expected in " ".join(outcome.out.split())
    assert told in outcome.err


def test_columns_of_one_name_are_told_where_they_must_differ(call: Call, built: Path, tmp_path: Path) -> None:
    outcome = call("query", "-p", built, "select 1 as a, 2 as a", "-f", tmp_path / "twins.parquet")
    assert parquet.read_table(tmp_path / "twins.parquet").column_names == ["a", "a_1"]
    assert "columns of one name have a number behind it: a_1" in outcome.err


def test_a_seq_no_means_what_that_run_built(call: Call, built: Path) -> None:
    edit(built, "select: count( * )", "select: 1000 + count( * )")
    later = "2023-11-09T00:00:00Z"
    assert call("run", "-p", built, "--end-time", later, "--no-report", "-q").code == 0
    query = "select max(orders_completed_in_past_365_days) as n from "
    for name in ("user_profile", '{{this.DeRef("models/user_profile")}}'):
        assert rows(call, built, query + name, "--seq-no", "1") == [{"n": 4}]
        assert rows(call, built, query + name, "-seq_no", "2") == [{"n": 1004}]
        assert rows(call, built, query + name, "--seq_no", "latest") == [{"n": 1004}]
        assert rows(call, built, query + name) == [{"n": 1004}]


def test_a_query_in_the_dialect_of_the_project(call: Call, built: Path) -> None:
    query = "select max(datediff(day, first_seen_date, '2023-11-08'::date)) as days from user_profile"
    assert rows(call, built, query, "--dialect", "snowflake") == [{"days": 406}]


def test_a_query_from_standard_input(built: Path, spawn: Spawn) -> None:
    process = spawn("query", "-p", built, "-", "--format", "csv", stdin=-1)
    out, _ = process.communicate("select count(*) as n\nfrom user_profile", timeout=120)
    assert (process.returncode, out) == (0, "n\n5\n")


def test_a_reader_that_leaves_is_no_error(built: Path, spawn: Spawn) -> None:
    process = spawn("query", "-p", built, "select unnest(range(1000000)) as n", "--format", "csv")
    assert process.stdout is not None
    assert process.stdout.readline() == "n\n"
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait(timeout=120) == 141


WRITING = [
    ("drop view user_profile", "not-a-query"),
    ("insert into user_all select * from user_all", "not-a-query"),
    ("copy user_all to 'stolen.csv'", "not-a-query"),
    ("attach 'other.duckdb'", "not-a-query"),
    ("select 1; drop table user_all", "several-queries"),
    ("with a as (select 1) delete from user_all", "query-rejected"),
    ("select 1) as x; drop view user_profile; select * from (select 1", "several-queries"),
    ("/* select */ create table mine as select 1", "not-a-query"),
]


@pytest.mark.parametrize(("query", "code"), WRITING)
def test_nothing_can_be_written(call: Call, built: Path, query: str, code: str) -> None:
    state = (built / ".profiles" / "warehouse.duckdb").read_bytes()
    outcome = call("query", "-p", built, query)
    assert outcome.code == 2
    assert f"error[{code}]" in outcome.err
    assert (built / ".profiles" / "warehouse.duckdb").read_bytes() == state
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (["select * from user_profil"], ["error[query-rejected]", "LINE 1:", "hint: did you mean 'user_profile'?"]),
        (["select\n  nothing\nfrom user_profile"], ["error[query-rejected]", "LINE 2:   nothing"]),
        (["select 'a"], ["error[sql-syntax]"]),
        ([" ; "], ["error[empty-query]"]),
        (
            ["select * from {{this.DeRef('models/user_profil')}}"],
            ["error[unknown-model]", "did you mean 'models/user_profile'?"],
        ),
        (["select * from {{this}}"], ["error[bad-reference]"]),
        (["select 1 as n", "--seq-no", "9"], ["error[unknown-seq-no]", "known: 1"]),
        (["select 1 as n", "--seq-no", "new"], ["error[bad-seq-no]"]),
        (["select 1 as n", "--format", "xml"], ["error[bad-format]", "known: table, csv, json"]),
        (["select 1 as n", "--format", "table", "-f", "x.csv"], ["error[bad-format]"]),
        (["select 1 as n", "-f", "no/such/folder/x.csv"], ["error[cannot-write]"]),
        (["select 1 as n", "-f", "no/such/folder/x.parquet"], ["error[cannot-write]"]),
        (["select interval 1 day as n", "-f", "x.parquet"], ["error[cannot-write]", "cast the column"]),
        (["select 1 as n", "-f", "x.xlsx"], ["error[bad-format]", "hint: let it end with .csv, .json, .parquet"]),
        (["select 1 as n", "-f", "x.parquet", "--format", "csv"], ["error[bad-format]"]),
        (["select * from user_profile where"], ["LINE 1: select * from user_profile where", "^^^^^"]),
        (["select cast('a' as integer) as n"], ["error[query-rejected]", "Conversion Error"]),
    ],
)
def test_a_wrong_query_exits_with_2(call: Call, built: Path, arguments: list[str], lines: list[str]) -> None:
    outcome = call("query", "-p", built, *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert [line for line in lines if line not in outcome.err] == []
    assert "Traceback" not in outcome.err


def test_before_the_first_run_there_is_nothing_to_query(call: Call, quickstart: Path) -> None:
    outcome = call("query", "-p", quickstart, "select 1")
    assert outcome.code == 2
    assert "error[nothing-built]" in outcome.err
    assert not (quickstart / ".profiles").exists()


def test_a_model_that_was_not_built_is_named(call: Call, quickstart: Path) -> None:
    arguments = ["-p", quickstart, "-m", "user/all", "--end-time", REFERENCE_TIME, "--no-report", "-q"]
    assert call("run", *arguments).code == 0
    outcome = call("query", "-p", quickstart, "select * from {{this.DeRef('models/user_profile')}}")
    assert outcome.code == 2
    assert "error[not-built]: 'models/user_profile' has not been built yet" in outcome.err
    assert "hint: profiles run -m models/user_profile" in outcome.err
