"""validate access: may a run connect, read its inputs and write its outputs?"""

from __future__ import annotations

import json
from pathlib import Path

import duckdb

from .conftest import Call

OPTIONAL = Path(__file__).parent.parent / "projects" / "two_entities"


def words(out: str) -> list[str]:
    return [line.split()[0] for line in out.splitlines() if line.startswith(("ok ", "failed "))]


def test_everything_is_allowed(call: Call, quickstart: Path) -> None:
    outcome = call("validate", "access", "-p", quickstart)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert words(outcome.out) == ["ok"] * 4
    assert lines[0].startswith("ok      connect to ")
    assert lines[1].startswith(
        "ok      read inputs/rsidentifies (profiles_sample.ecommerce.identifies)  from READ_CSV("
    )
    assert lines[3] == "ok      make and drop a table in schema profiles  the schema is yet to be made"
    assert lines[4] == "a run may do all it needs to"
    with duckdb.connect(str(quickstart / ".profiles" / "warehouse.duckdb"), read_only=True) as connection:
        assert connection.sql("select * from information_schema.tables").fetchall() == []
        assert connection.sql("from duckdb_schemas() where not internal").fetchall() == []


def test_what_was_built_stays_as_it_was(call: Call, built: Path) -> None:
    file = built / ".profiles" / "warehouse.duckdb"

    def relations() -> list[tuple[object, ...]]:
        with duckdb.connect(str(file), read_only=True) as connection:
            return connection.sql("select table_name from information_schema.tables order by 1").fetchall()

    before = relations()
    assert words(call("validate", "access", "-p", built).out) == ["ok"] * 4
    assert relations() == before


def test_an_input_that_cannot_be_read(call: Call, quickstart: Path) -> None:
    (quickstart / "data" / "profiles_sample.ecommerce.tracks.csv").unlink()
    outcome = call("validate", "access", "-p", quickstart)
    assert outcome.code == 1
    assert words(outcome.out) == ["ok", "ok", "failed", "ok"]
    assert "error[missing-table]: table 'profiles_sample.ecommerce.tracks' was not found" in outcome.err
    assert "inputs.yaml:" in outcome.err
    assert "1 of 4 trials failed" in outcome.err
    document = json.loads(call("validate", "access", "-p", quickstart, "--json").out)
    assert document["passed"] is False
    assert [trial["passed"] for trial in document["trials"]] == [True, True, False, True]
    assert document["trials"][2]["problem"]["code"] == "missing-table"


def test_a_file_that_is_no_table(call: Call, quickstart: Path) -> None:
    tracks = quickstart / "data" / "profiles_sample.ecommerce.tracks"
    tracks.with_suffix(".tracks.csv").unlink()
    tracks.with_suffix(".tracks.parquet").write_text("this is no Parquet file")
    outcome = call("validate", "access", "-p", quickstart)
    assert outcome.code == 1
    assert words(outcome.out) == ["ok", "ok", "failed", "ok"]
    assert "error[access-denied]" in outcome.err


def test_a_connection_that_cannot_be_made(call: Call, quickstart: Path, tmp_path: Path) -> None:
    (tmp_path / "no.duckdb").write_text(
        "this is no database, and it is longer than a header of a database would be" * 99
    )
    output = "{type: duckdb, path: %s, schema: shop}" % (tmp_path / "no.duckdb")
    config = f"connections:\n  test:\n    target: dev\n    outputs:\n      dev: {output}\n"
    (tmp_path / "siteconfig.yaml").write_text(config)
    outcome = call("validate", "access", "-p", quickstart, "-c", tmp_path / "siteconfig.yaml")
    assert outcome.code == 1
    assert words(outcome.out) == ["failed"]
    assert "error[no-connection]" in outcome.err


def test_an_optional_input_may_be_missing(call: Call, quickstart: Path) -> None:
    inputs = quickstart / "models" / "inputs.yaml"
    marked = inputs.read_text().replace(
        "  - name: rsTracks\n", "  - name: rsTracks\n    contract: {is_optional: true}\n"
    )
    inputs.write_text(marked)
    (quickstart / "data" / "profiles_sample.ecommerce.tracks.csv").unlink()
    outcome = call("validate", "access", "-p", quickstart)
    assert outcome.code == 0
    assert "not there, and its contract says that it is optional" in outcome.out


def test_nothing_else_can_be_validated(call: Call, quickstart: Path) -> None:
    outcome = call("validate", "acces", "-p", quickstart)
    assert outcome.code == 2
    assert "error[bad-check]" in outcome.err
    assert not (quickstart / ".profiles").exists()
