"""The SQL of a publisher on each engine, as it is agreed. Rewrite it with `--update-golden` and read the diff."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlglot import exp

from profiles_pipeline.compile import published_tables as tables
from profiles_pipeline.compile import publishing as sql
from profiles_pipeline.compile.rows import moment
from profiles_pipeline.destinations.amplitude import tracking
from profiles_pipeline.dialects import capabilities, render
from profiles_pipeline_tests.publish.people import Shop

FOLDER = Path(__file__).parent / "golden"
SHAPE = sql.Shape({"n": "HUGEINT", "score": "DOUBLE"}, {"n": "BIGINT", "score": "DOUBLE", "old": "VARCHAR"})


@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "snowflake"])
def test_sql_is_as_agreed(local: Shop, dialect: str, update_golden: bool) -> None:
    publisher = local.publisher(
        name="golden",
        key="user_id",
        destination="amplitude",
        properties={"n": "n", "Score": {"column": "score", "decimals": 2}},
        fan_out="latest",
    )
    soft = replace(publisher, deletes="soft")
    relations = sql.relations_of(publisher, "profiles")
    materials = {path: exp.table_(f"Material_{path.rpartition('/')[2]}", db="profiles") for path in publisher.parents}
    source = sql.source_query(publisher, materials)
    desired, delta = exp.table_("golden_desired", quoted=True), exp.table_("golden_delta", quoted=True)
    at = moment("2024-01-01 00:00:00.000001")
    statements = {
        "create": tables.create_table(publisher, relations.table, SHAPE, capabilities(dialect).of_hashes),
        "create, soft deletes": tables.create_table(soft, relations.table, SHAPE),
        "comment": tables.comment_on(relations.table, "published"),
        "add a column": tables.add_column(relations.table, "score", "DOUBLE"),
        "desired": sql.desired_query(publisher, source, "VARCHAR", SHAPE),
        "delta": sql.delta_query(publisher, desired, relations.table, SHAPE),
        "merge": tables.merge(publisher, relations.table, delta, SHAPE, at),
        "merge where one column differs": tables.merge(publisher, relations.table, delta, SHAPE, at, {"n"}),
        "merge, soft deletes": tables.merge(soft, relations.table, delta, SHAPE, at),
        "changes": tables.add_changes(relations.changes, delta, 2, 7, at),
    }
    texts = {title: render(tree, dialect) for title, tree in statements.items()}
    table = render(relations.table, dialect)
    kept = tracking(dialect, table, timedelta(days=7))
    texts |= {f"tracking {number}": text for number, text in enumerate(kept, start=1)}
    found = "".join(f"-- {title}\n{text};\n\n" for title, text in texts.items())
    file = FOLDER / f"{dialect}.sql"
    if update_golden:
        file.parent.mkdir(exist_ok=True)
        file.write_text(found, encoding="utf-8")
    assert found == file.read_text(encoding="utf-8")
    assert "REPLACE" not in found
    assert "DROP" not in found
