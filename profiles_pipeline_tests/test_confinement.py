"""The SQL of a project stays inside the warehouse: what it tries to read, write or change outside of it is refused."""

import os
from pathlib import Path

import duckdb
import pytest

from profiles_pipeline.connections import find_output
from profiles_pipeline.errors import ProfilesError
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.run import Options, run
from profiles_pipeline.warehouse.confinement import reach_of
from profiles_pipeline.warehouse.connect import connect_duckdb
from profiles_pipeline.warehouse.settings import MEMORY, DuckDBSettings
from profiles_pipeline_tests.test_run import FEBRUARY

PROJECT = """
name: shop
schema_version: 98
connection: shop
model_folders: [models]
entities: [{name: user, id_types: [user_id]}]
id_types: [{name: user_id}]
"""
MODELS = """
inputs:
  - {name: orders, table: orders, ids: [{select: user_id, type: user_id, entity: user}]}
models:
  - name: tried
    model_type: sql_template
HOOKS    model_spec:
      materialization: {output_type: table}
      KIND: |
        TEXT
"""
CREATE = "create table {{this}} as (select 1 as one)"
READS = [
    "read_csv('SECRET', header = false)",
    "read_text('SECRET')",
    "read_blob('SECRET')",
    "read_json('file://SECRET')",
    "sniff_csv('SECRET')",
    "glob('OUTSIDE/*')",
    "read_text('DATA/../../secret.txt')",
    "read_text('LINKED')",
    '"SECRET"',
    "query('select * from read_text(''SECRET'')')",
    "read_csv('https://127.0.0.1:9/x.csv')",
    "read_csv('s3://bucket/x.csv')",
]
STATEMENTS = [
    "copy (select 1) to 'OUTSIDE/new.csv'",
    "copy (select 1) to 'DATA/orders.csv'",
    "copy (select 1) to 'PROJECT/shop.duckdb.wal'",
    "copy orders from 'SECRET'",
    "attach 'OUTSIDE/other.duckdb' as other",
    "install httpfs",
    "load 'OUTSIDE/evil.duckdb_extension'",
    "set enable_external_access = true; create table x as select * from read_text('SECRET')",
    "set global allowed_directories = ['/']; create table x as select * from read_text('SECRET')",
    "reset lock_configuration",
    "pragma enable_external_access = true",
    "explain analyze copy (select 1) to 'OUTSIDE/new.csv'",
]


class Shop:
    """A project beside files that are none of its business."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "shop"
        self.data = self.folder / "data"
        self.data.mkdir(parents=True)
        (self.folder / "models").mkdir()
        (root / "secret.txt").write_text("secret\n")
        (root / "other").mkdir()
        (self.folder / "linked").symlink_to(root / "secret.txt")
        (self.data / "orders.csv").write_text("user_id\nu1\n")
        (self.folder / "pb_project.yaml").write_text(PROJECT)
        self.connect("path: shop.duckdb, sources_dir: data")

    def connect(self, output: str) -> None:
        text = f"connections: {{shop: {{outputs: {{dev: {{type: duckdb, schema: profiles, {output}}}}}}}}}\n"
        (self.folder / "siteconfig.yaml").write_text(text)

    def write(self, kind: str, text: str, hooks: str = "") -> None:
        places = {
            "PROJECT": self.folder,
            "SECRET": self.root / "secret.txt",
            "OUTSIDE": self.root / "other",
            "DATA": self.data,
            "LINKED": self.folder / "linked",
        }
        for name, place in places.items():
            text, hooks = text.replace(name, str(place)), hooks.replace(name, str(place))
        models = MODELS.replace("HOOKS", hooks).replace("KIND", kind).replace("TEXT", text)
        (self.folder / "models" / "all.yaml").write_text(models)

    def run(self) -> dict[str, int | None]:
        """Build everything; return model -> how many rows it has."""
        output = find_output(self.folder, "shop", self.folder / "siteconfig.yaml")
        done = run(ProfilesProject.load(self.folder), output, Options(end=FEBRUARY))
        return {built.model.name: built.rows for built in done.built}

    def files(self) -> dict[str, bytes]:
        files = (path for path in self.root.rglob("*") if path.is_file() and ".duckdb" not in path.name)
        return {str(path): path.read_bytes() for path in files if "output" not in path.parts}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.mark.parametrize("source", READS)
def test_what_a_query_may_not_read(shop: Shop, source: str) -> None:
    shop.write("single_sql", f"select * from {source}")
    with pytest.raises(ProfilesError):
        shop.run()


@pytest.mark.parametrize("statement", [*STATEMENTS, *(f"create table x as select * from {read}" for read in READS)])
def test_what_statements_may_not_do(shop: Shop, statement: str) -> None:
    shop.write("multi_sql", f"{statement}; {CREATE}")
    before = shop.files()
    with pytest.raises(ProfilesError):
        shop.run()
    assert shop.files() == before


@pytest.mark.parametrize("statement", STATEMENTS)
def test_what_hooks_may_not_do(shop: Shop, statement: str) -> None:
    shop.write("single_sql", "select 1 as one", f'    hooks: {{post_run: "{statement}"}}\n')
    before = shop.files()
    with pytest.raises(ProfilesError):
        shop.run()
    assert shop.files() == before


def test_a_call_is_left_out(shop: Shop) -> None:
    """DuckDB would take it for one of its own functions, which may write files; other warehouses call procedures."""
    call = "call enable_logging(storage = 'file', storage_path = 'OUTSIDE/log')"
    shop.write("multi_sql", f"{call}; {CREATE}", f'    hooks: {{post_run: "{call}"}}\n')
    before = shop.files()
    warnings = ProfilesProject.load(shop.folder).warnings
    assert [problem.code for problem in warnings if "CALL" in problem.message] == ["statement-left-out"] * 2
    assert shop.run()["tried"] == 1
    assert shop.files() == before


def test_what_is_said(shop: Shop) -> None:
    shop.write("single_sql", "select content from read_text('SECRET')")
    with pytest.raises(ProfilesError) as reading:
        shop.run()
    shop.write("multi_sql", f"copy (select 1) to 'x.csv'; {CREATE}")
    with pytest.raises(ProfilesError) as writing:
        shop.run()
    assert [str(told.value).replace(str(shop.root), "~") for told in (reading, writing)] == [
        "models/all.yaml:10:9: error[sql-rejected]: SQL model 'tried' is not accepted: '~/secret.txt' is none of the "
        "sources, and the SQL of a project reads nothing else (external_access: true in the siteconfig lets it)",
        "models/all.yaml:10:9: error[sql-rejected]: SQL model 'tried' is not accepted: COPY is nothing that the SQL of "
        "a project may do (external_access: true in the siteconfig lets it)",
    ]


def test_a_user_may_let_it(shop: Shop) -> None:
    shop.connect("path: shop.duckdb, external_access: true")
    shop.write("multi_sql", "copy (select content from read_text('SECRET')) to 'OUTSIDE/x.txt'; " + CREATE)
    shop.run()
    assert "secret" in (shop.root / "other" / "x.txt").read_text()


@pytest.mark.parametrize(
    "output",
    [
        "path: shop.duckdb, sources: {orders: OUTSIDE/deep/o.csv}",
        "path: shop.duckdb, sources: {orders: 'OUTSIDE/*/o.csv'}",
        "path: shop.duckdb, sources: {orders: OUTSIDE/deep}",
        "path: shop.duckdb, sources: {orders: 'file://OUTSIDE/deep/o.csv'}",
        "path: shop.duckdb, sources_dir: OUTSIDE/linked",
        "path: shop.duckdb, sources_dir: OUTSIDE/links",
        "path: OUTSIDE/views.duckdb",
        "path: ':memory:', sources_dir: OUTSIDE/links, memory_limit: 200MB",
    ],
)
def test_sources_lie_where_the_siteconfig_says(shop: Shop, output: str) -> None:
    outside = shop.root / "other"
    (outside / "deep").mkdir()
    (outside / "deep" / "o.csv").write_text("user_id\nu1\n")
    (outside / "real").mkdir()
    (outside / "real" / "orders.csv").write_text("user_id\nu1\n")
    (outside / "linked").symlink_to(outside / "real")
    (outside / "links").mkdir()
    (outside / "links" / "orders.csv").symlink_to(outside / "deep" / "o.csv")
    with duckdb.connect(outside / "views.duckdb") as connection:
        connection.execute(f"create view orders as select * from read_csv('{outside}/deep/*.csv')")
    (shop.data / "orders.csv").unlink()
    shop.connect(output.replace("OUTSIDE", str(outside)))
    shop.write("single_sql", "select * from {{this.DeRef('inputs/orders')}}")
    assert shop.run()["tried"] == 1
    assert shop.run()["tried"] == 1


def test_views_lend_only_what_they_read(tmp_path: Path) -> None:
    views = [
        "CREATE VIEW a AS SELECT '/etc/passwd' AS p FROM read_csv(list_value('/d/1.csv', '/d/2.csv'))",
        'CREATE VIEW b AS SELECT * FROM "/e/x.parquet"',
        "CREATE VIEW c AS SELECT * FROM a.b",
        "no view at all (",
    ]
    reach = reach_of(DuckDBSettings(path=MEMORY, base=tmp_path), views)
    assert set(reach.paths) == {"/d/1.csv", "/d/2.csv", "/e/x.parquet"}


def test_it_lasts_as_long_as_the_session_and_temporary_files_are_no_part_of_it(tmp_path: Path) -> None:
    settings = DuckDBSettings(path=tmp_path / "c.duckdb", base=tmp_path, memory_limit="60MB", threads=1)
    with connect_duckdb(settings, purpose="run", confined=True) as warehouse:
        warehouse.execute(
            "CREATE TABLE t AS SELECT md5(i::VARCHAR) AS a, md5((i + 1)::VARCHAR) AS b FROM range(1000000) r(i)"
        )
        warehouse.execute("CREATE TABLE u AS SELECT * FROM t ORDER BY b, a")
        assert os.listdir(tmp_path)
    with connect_duckdb(settings, purpose="look") as warehouse:
        warehouse.execute(f"COPY (SELECT 1) TO '{tmp_path}/x.csv'")
        assert warehouse.row_count("u") == 1_000_000
