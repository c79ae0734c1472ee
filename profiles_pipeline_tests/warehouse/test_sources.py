"""Where the rows of an input table come from, rule by rule."""

import gzip
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from profiles_pipeline.dialects import literal
from profiles_pipeline.errors import ProjectError
from profiles_pipeline.warehouse.connect import connect_duckdb
from profiles_pipeline.warehouse.duckdb_warehouse import DuckDBWarehouse
from profiles_pipeline.warehouse.settings import DuckDBSettings
from profiles_pipeline.warehouse.sources import Catalog, parse_table_name, resolve_source

Laid = tuple[str, ...]


def lay(folder: Path, *names: str) -> None:
    """Write one file per name (or create the relation, for names that start with ``+``); its only row names it."""
    with connect_duckdb(DuckDBSettings(path=folder / "c360.duckdb"), purpose="set the table") as warehouse:
        for name in names:
            if name.startswith("+"):
                _create(warehouse, name[1:])
                continue
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            form = "json" if "json" in name else "csv" if ".csv" in name.lower() else "parquet"
            text, target = (literal(value, "duckdb") for value in (name, str(file)))
            warehouse.execute(f"COPY (SELECT {text} AS place) TO {target} (FORMAT {form})")


def _create(warehouse: DuckDBWarehouse, relation: str) -> None:
    schema = relation.rpartition(".")[0]
    if schema:
        warehouse.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    warehouse.execute(f"CREATE VIEW {relation} AS SELECT '+{relation}' AS place")


def found(
    folder: Path, table: str, sources: Mapping[str, str] | None = None, built_here: frozenset[str] = frozenset()
) -> list[str]:
    """Return the places of the rows that `table` resolves to."""
    settings = DuckDBSettings(
        path=folder / "c360.duckdb",
        sources_dir=Path("data"),
        sources=sources or {},
        base=folder,
        threads=1,
        built_here=built_here,
    )
    with connect_duckdb(settings, purpose="look") as warehouse:
        rows = warehouse.query(f"SELECT place FROM {warehouse.source(table).sql}").rows
    return sorted(str(row[0]) for row in rows)


@pytest.mark.parametrize(
    ("table", "parts"),
    [
        ("tracks", ("tracks",)),
        ("a.b.c", ("a", "b", "c")),
        ('"a.b"."c ""d"""', ("a.b", 'c "d"')),
        (" a . b ", ("a", "b")),
        ('DB."order".t-1', ("DB", "order", "t-1")),
    ],
)
def test_table_names(table: str, parts: Laid) -> None:
    assert parse_table_name(table) == parts


@pytest.mark.parametrize("table", ["", "a.", ".a", "a..b", "a.b.c.d", '"a', 'a"b', '""', '"a"b'])
def test_what_is_not_a_table_name(table: str) -> None:
    with pytest.raises(ProjectError) as caught:
        parse_table_name(table)
    assert [problem.code for problem in caught.value.problems] == ["bad-table-name"]


# All places of db.sch.tab, best first; each test takes one more away from the front.
PLACES = (
    "+sch.tab",
    "data/db.sch.tab.parquet",
    "data/db.sch.tab.csv",
    "data/tab.parquet",
    "data/tab.csv",
    "+tab",
)


@pytest.mark.parametrize("first", range(len(PLACES)))
@pytest.mark.parametrize("table", ["db.sch.tab", 'DB."Sch".TAB'])
def test_the_first_place_that_has_the_table_wins(tmp_path: Path, table: str, first: int) -> None:
    lay(tmp_path, *PLACES[first:])
    assert found(tmp_path, table) == [PLACES[first]]


@pytest.mark.parametrize(
    ("table", "places", "expected"),
    [
        pytest.param("tab", ("+profiles.tab", "+tab"), "+profiles.tab", id="connection's schema first"),
        pytest.param("tab", ("+tab", "data/tab.csv"), "+tab", id="then main"),
        pytest.param("db.profiles2.tab", ("+profiles.tab", "data/tab.csv"), "data/tab.csv", id="not our own outputs"),
        pytest.param("c360.sch.tab", ("+other.tab", "+sch.tab"), "+sch.tab", id="catalog of this file"),
        pytest.param("sch.tab", ("+sch.tab", "data/sch.tab.csv"), "+sch.tab", id="two parts"),
        pytest.param("sch.tab", ("data/sch.tab.csv", "data/tab.parquet"), "data/sch.tab.csv", id="two parts, file"),
        pytest.param("DB.SCH.TAB", ("data/Db.sch.Tab.CSV",), "data/Db.sch.Tab.CSV", id="file name in mixed case"),
        pytest.param("Db.Sch.Tab", ("+SCH.TAB",), "+SCH.TAB", id="relation in mixed case"),
    ],
)
def test_precedence(tmp_path: Path, table: str, places: Laid, expected: str) -> None:
    lay(tmp_path, *places)
    assert found(tmp_path, table) == [expected]


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        (("data/db.sch.tab.parquet/0.parquet", "data/db.sch.tab.parquet/deep/1.parquet"), "both"),
        (("data/db.sch.tab/a.csv", "data/db.sch.tab/b.csv"), "both"),
        (("data/tab/a.parquet", "data/tab/b.parquet", "data/tab/c.csv"), ["data/tab/a.parquet", "data/tab/b.parquet"]),
        (("data/tab/year=2026/a.csv.gz",), "both"),
    ],
)
def test_a_folder_of_parts(tmp_path: Path, places: Laid, expected: str | list[str]) -> None:
    lay(tmp_path, *places)
    assert found(tmp_path, "db.sch.tab") == (list(places) if expected == "both" else expected)


def test_an_empty_folder_is_passed_over(tmp_path: Path) -> None:
    lay(tmp_path, "data/tab.csv")
    (tmp_path / "data" / "db.sch.tab.parquet").mkdir()
    assert found(tmp_path, "db.sch.tab") == ["data/tab.csv"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("exports/tracks.csv", ["exports/tracks.csv"]),
        ("{base}/exports/tracks.csv", ["exports/tracks.csv"]),
        ("exports/*.parquet", ["exports/1.parquet", "exports/2.parquet"]),
        ("exports/**/*.parquet", ["exports/1.parquet", "exports/2.parquet", "exports/deep/3.parquet"]),
        ("exports", ["exports/1.parquet", "exports/2.parquet", "exports/deep/3.parquet"]),
        ("exports/lines.jsonl", ["exports/lines.jsonl"]),
        ("exports/odd[1]*/x.csv", ["exports/odd1/x.csv"]),
        ("exports/odd[1]/x.csv", ["exports/odd[1]/x.csv"]),
        ("exports/odd[1]", ["exports/odd[1]/x.csv"]),
        ("tab", ["+tab"]),
        ("SCH.tab", ["+sch.tab"]),
    ],
)
@pytest.mark.parametrize("key", ["db.sch.tab", 'DB."sch".Tab'])
def test_a_sources_entry_comes_first(tmp_path: Path, key: str, value: str, expected: list[str]) -> None:
    lay(tmp_path, *PLACES, "exports/tracks.csv", "exports/1.parquet", "exports/2.parquet", "exports/deep/3.parquet")
    lay(tmp_path, "exports/lines.jsonl", "exports/odd[1]/x.csv", "exports/odd1/x.csv")
    assert found(tmp_path, "Db.Sch.Tab", {key: value.format(base=tmp_path)}) == expected


def test_attached_databases(tmp_path: Path) -> None:
    lay(tmp_path / "other", "+sch.tab", "+plain")
    lay(tmp_path, "+mine.tab", "data/db.sch.tab.csv")
    with connect_duckdb(DuckDBSettings(path=tmp_path / "c360.duckdb", base=tmp_path), purpose="attach") as warehouse:
        warehouse.execute(f"ATTACH '{tmp_path}/other/c360.duckdb' AS Lake (READ_ONLY)")
        origins = [warehouse.source(t).origin for t in ("LAKE.SCH.TAB", "db.sch.tab", "lake.plain", "lake.mine.tab")]
    assert origins == ["Lake.sch.tab", "Lake.sch.tab", "Lake.main.plain", "c360.mine.tab"]


def test_what_a_source_says_of_itself(tmp_path: Path) -> None:
    lay(tmp_path, '+"my sch".tab', "data/o'clock.csv", "data/parts/1.parquet", "data/parts/2.parquet")
    settings = DuckDBSettings(path=tmp_path / "c360.duckdb", sources_dir=Path("data"), base=tmp_path)
    with connect_duckdb(settings, purpose="look") as warehouse:
        relation, csv, parts = (warehouse.source(table) for table in ('"my sch".tab', "o'clock", "parts"))
    assert (relation.sql, relation.kind, relation.origin) == ('"c360"."my sch"."tab"', "relation", "c360.my sch.tab")
    assert csv.sql.startswith("read_csv('" + str(tmp_path).replace("'", "''") + "/data/o''clock.csv', ")
    assert (csv.kind, csv.origin) == ("csv", f"{tmp_path}/data/o'clock.csv")
    assert parts.sql == f"read_parquet('{tmp_path}/data/parts/**/*.parquet', union_by_name = true)"
    assert (parts.kind, parts.origin) == ("parquet", f"{tmp_path}/data/parts")


def test_parts_may_differ_in_their_columns(tmp_path: Path, warehouse: DuckDBWarehouse) -> None:
    (tmp_path / "parts").mkdir()
    warehouse.execute(f"COPY (SELECT 1 AS a, 'x' AS b) TO '{tmp_path}/parts/1.parquet'")
    warehouse.execute(f"COPY (SELECT 'y' AS b, 2 AS a, true AS c) TO '{tmp_path}/parts/2.parquet'")
    with connect_duckdb(DuckDBSettings(path=Path(":memory:"), sources_dir=tmp_path), purpose="look") as memory:
        rows = memory.query(f"SELECT a, b, c FROM {memory.source('parts').sql} ORDER BY a").rows
    assert rows == [(1, "x", None), (2, "y", True)]


def test_csv_types_and_nulls(tmp_path: Path) -> None:
    lines = ["n,id,seen,note", *(f"{n},00{n % 9},2026-01-02T03:04:05Z," for n in range(30_000)), 'x,7,,""']
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with connect_duckdb(DuckDBSettings(path=Path(":memory:"), sources_dir=tmp_path), purpose="look") as memory:
        sql = memory.source("t").sql
        types = [(column.name, column.type) for column in memory.describe(f"SELECT * FROM {sql}")]
        nulls = memory.query(f"SELECT count(*) - count(seen), count(*) - count(note), min(id) FROM {sql}").rows
    assert types == [("n", "VARCHAR"), ("id", "VARCHAR"), ("seen", "TIMESTAMP WITH TIME ZONE"), ("note", "VARCHAR")]
    assert nulls == [(1, 30_001, "000")]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1.10", "1.1"], "VARCHAR"),
        (["1e5", "100000"], "VARCHAR"),
        (["2", "1.5"], "VARCHAR"),
        (["0x1F", "31"], "VARCHAR"),
        (["True", "true"], "VARCHAR"),
        (["01/02/2026", "03/04/2026"], "VARCHAR"),
        (["7", "10", ""], "BIGINT"),
        (["1.5", "2.25"], "DOUBLE"),
    ],
    ids=str,
)
@pytest.mark.parametrize("file", ["t.csv", "t/day=1/a.csv", "t/a.csv.gz"])
def test_ids_of_a_csv_file_come_back_as_they_are_written(
    tmp_path: Path, file: str, texts: list[str], expected: str
) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    content = ("Id,amount\n" + "".join(f"{text},1.50\n" for text in texts)).encode()
    (tmp_path / file).write_bytes(gzip.compress(content) if file.endswith(".gz") else content)
    ids = frozenset({"id", "day", "no_such_column"})
    settings = DuckDBSettings(path=Path(":memory:"), sources_dir=tmp_path, id_columns={"t": ids})
    with connect_duckdb(settings, purpose="look") as memory:
        source = memory.source("T")
        types = [column.type for column in memory.describe(f"SELECT id, amount FROM {source.sql}")]
        for rows in (source.sql, source.with_file):
            assert sorted(str(row[0] or "") for row in memory.query(f"SELECT id::varchar FROM {rows}").rows) == sorted(
                texts
            )
    assert types == [expected, "DOUBLE"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Report\n\nid,n\n1,2\n3,4\n", id="a remark above the header"),
        pytest.param("id,n\n1,2,\n3,4,\n", id="a comma behind every line"),
        pytest.param('"id, or so",n\n"a\nb, c",2\n3,4\n', id="commas and line breaks in quotes"),
        pytest.param("last; first\nann\nbob\n", id="a delimiter in the name of the only column"),
    ],
)
def test_lines_that_only_seem_uneven(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    with connect_duckdb(DuckDBSettings(path=Path(":memory:"), sources_dir=tmp_path), purpose="look") as memory:
        assert memory.row_count(memory.source("t").sql) == 2


def test_rows_that_begin_with_a_number_sign_are_no_remarks(tmp_path: Path) -> None:
    content = "id,n\n#1,1\nu2,2\n#3,3\n"
    (tmp_path / "t.csv").write_text(f"# from the till\n{content}", encoding="utf-8")
    (tmp_path / "short.csv").write_text(f"{content}#4\n", encoding="utf-8")
    settings = DuckDBSettings(
        path=Path(":memory:"), sources_dir=tmp_path, id_columns=dict.fromkeys(("t", "short"), frozenset({"id"}))
    )
    with connect_duckdb(settings, purpose="look") as memory:
        rows = memory.query(f"SELECT id FROM {memory.source('t').sql}").rows
        assert [row[0] for row in rows] == ["#1", "u2", "#3"]
        with pytest.raises(ProjectError) as caught:
            memory.source("short")
    (problem,) = caught.value.problems
    assert problem.message == f"line 5 of {tmp_path}/short.csv has 1 cell, its header has 2"


def problem_of(folder: Path, table: str, sources: Mapping[str, str] | None = None) -> tuple[str, str, str | None]:
    """Return code, message and hint of the problem `table` leads to, the folder written as ``~``."""
    with pytest.raises(ProjectError) as caught:
        found(folder, table, sources)
    (problem,) = caught.value.problems
    return problem.code, problem.message.replace(str(folder), "~"), problem.hint


def test_a_missing_table_lists_every_place_in_order(tmp_path: Path) -> None:
    lay(tmp_path, "+prod.tracks", "data/rudder.prod.pages.csv")
    assert problem_of(tmp_path, "RUDDER.prod.trakcs") == (
        "missing-table",
        "table 'RUDDER.prod.trakcs' was not found; tried sources entry RUDDER.prod.trakcs, "
        "relation RUDDER.prod.trakcs, relation prod.trakcs, "
        "~/data/RUDDER.prod.trakcs.parquet or .csv, ~/data/trakcs.parquet or .csv, relation main.trakcs",
        "did you mean 'c360.prod.tracks'?",
    )


def test_a_missing_table_whose_folder_is_empty(tmp_path: Path) -> None:
    (tmp_path / "data" / "shop.orders.csv").mkdir(parents=True)
    assert problem_of(tmp_path, "shop.orders") == (
        "missing-table",
        "table 'shop.orders' was not found; tried sources entry shop.orders, relation shop.orders, "
        "~/data/shop.orders.parquet or .csv (shop.orders.csv is a folder without any such files), "
        "~/data/orders.parquet or .csv, relation main.orders",
        None,
    )


@pytest.mark.parametrize(
    ("table", "hint"),
    [
        ("rudder.prod.page", "did you mean 'rudder.prod.pages'?"),
        ("rudder.prod.visit", "did you mean 'rudder.prod.visits'?"),
        ("order", "did you mean 'orders'?"),
        ("trax_mapped", "did you mean 'rudder.prod.tracks_mapped'?"),
        ("zzz", None),
    ],
)
def test_a_missing_table_names_the_nearest(tmp_path: Path, table: str, hint: str | None) -> None:
    files = ("rudder.prod.pages.csv", "rudder.prod.visits.PARQUET", "orders/1.csv")
    lay(tmp_path, "+prod.tracks", *(f"data/{file}" for file in files))
    assert problem_of(tmp_path, table, {"rudder.prod.tracks_mapped": "prod.tracks"})[2] == hint


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        (
            "exports/trakcs.csv",
            "table 'db.t' was not found; its sources entry 'DB.T' names ~/exports/trakcs.csv, "
            "where there is no parquet, csv or json file",
            "did you mean 'tracks.csv'?",
        ),
        (
            "sch.tabb",
            "table 'db.t' was not found; its sources entry 'DB.T' names 'sch.tabb'; tried relation sch.tabb",
            "did you mean 'c360.sch.tab'?",
        ),
    ],
)
def test_a_sources_entry_that_leads_nowhere(tmp_path: Path, value: str, message: str, hint: str) -> None:
    lay(tmp_path, "+sch.tab", "exports/tracks.csv", "data/db.t.csv")
    assert problem_of(tmp_path, "db.t", {"DB.T": value}) == ("missing-table", message, hint)


def test_without_a_sources_folder_only_relations_are_tried(tmp_path: Path) -> None:
    settings = replace(DuckDBSettings(path=Path(":memory:"), base=tmp_path), sources_dir=None)
    with connect_duckdb(settings, purpose="look") as memory, pytest.raises(ProjectError) as caught:
        memory.source("t")
    assert caught.value.problems[0].message == (
        "table 't' was not found; tried sources entry t, relation profiles.t, relation main.t"
    )


def test_an_object_in_a_store_is_read_by_its_format(tmp_path: Path) -> None:
    settings = DuckDBSettings(path=Path(":memory:"), sources={"t": "s3://bucket/t/*.parquet"}, base=tmp_path)
    source = resolve_source("T", settings, Catalog("memory", ()))
    assert source.sql == "read_parquet('s3://bucket/t/*.parquet', union_by_name = true)"
    assert (source.kind, source.origin) == ("parquet", "s3://bucket/t/*.parquet")


def test_an_object_that_cannot_be_reached(tmp_path: Path) -> None:
    address = f"file://{tmp_path}/store/people.csv"
    settings = DuckDBSettings(path=Path(":memory:"), sources={"t": address}, base=tmp_path)
    with connect_duckdb(settings, purpose="look") as memory, pytest.raises(ProjectError) as error:
        memory.source("T")
    (problem,) = error.value.problems
    assert problem.code == "missing-table"
    assert problem.message.startswith(f"{address} cannot be read: ")
    assert problem.hint == "make it reachable, or put a file called people.parquet or .csv into the sources folder"


@pytest.mark.parametrize("table", ["tab", "profiles.tab", "db.PROFILES.Tab"])
def test_what_the_project_builds_is_no_source(tmp_path: Path, table: str) -> None:
    lay(tmp_path, "+profiles.TAB", "data/tab.csv")
    assert found(tmp_path, table) == ["+profiles.TAB"]
    assert found(tmp_path, table, built_here=frozenset({"tab"})) == ["data/tab.csv"]


OBJECT = "s3://bucket/lists/people.csv"


@pytest.mark.parametrize(
    ("places", "sources", "expected"),
    [
        (("data/people.parquet",), {}, "data/people.parquet"),
        (("data/people.csv", "data/lists.people.csv"), {}, "data/people.csv"),
        (("data/people.csv", "elsewhere/mine.csv"), {OBJECT: "elsewhere/mine.csv"}, "elsewhere/mine.csv"),
    ],
)
def test_files_stand_in_for_an_object_in_a_store(
    tmp_path: Path, places: Laid, sources: dict[str, str], expected: str
) -> None:
    lay(tmp_path, *places)
    assert found(tmp_path, OBJECT, sources) == [expected]


@pytest.mark.parametrize("name", ["people.csv", "people.parquet", "people.csv.gz", "people"])
def test_an_object_is_read_where_it_lies(tmp_path: Path, name: str) -> None:
    lay(tmp_path, f"store/{name}" if "." in name else "store/people.csv")
    if "." not in name:
        (tmp_path / "store" / "people.csv").rename(tmp_path / "store" / name)
    assert len(found(tmp_path, f"file://{tmp_path}/store/{name}")) == 1
