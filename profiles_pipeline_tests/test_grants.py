"""What others may do with the plain views outlives a run that replaces them, where the project says so."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from profiles_pipeline import examples
from profiles_pipeline.connections import Output, find_output
from profiles_pipeline.events import Options
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.run import run
from profiles_pipeline.warehouse.base import Warehouse
from profiles_pipeline.warehouse.connect import connect
from profiles_pipeline_tests.warehouse import postgres
from profiles_pipeline_tests.warehouse.snowflake import Account

SCHEMA = "granted"
READER = 'the reader of "profiles"'
READER_SQL = '"the reader of ""profiles"""'
ACL = """
    SELECT c.relname, c.relacl::TEXT,
        (SELECT string_agg(a.attacl::TEXT, ' ') FROM pg_attribute AS a WHERE a.attrelid = c.oid)
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = 'granted' AND c.relname IN ('user_profile', 'user_id_stitcher') ORDER BY 1
"""


def project(folder: Path, *, keep: bool) -> Path:
    """The quickstart project, which keeps grants or does not."""
    examples.copy_example("quickstart", folder)
    file = folder / "pb_project.yaml"
    file.write_text(file.read_text(encoding="utf-8") + f"\ncarry_forward_privileges: {str(keep).lower()}\n")
    return folder


def run_for(folder: Path, output: Output, day: int) -> None:
    run(ProfilesProject.load(folder), output, Options(end=datetime(2024, 2, day, tzinfo=UTC)))


@pytest.fixture
def schema(postgres_port: int) -> Iterator[int]:
    """A server without the schema and the role, before and after."""
    drop = f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; DROP ROLE IF EXISTS {READER_SQL}"
    with connect(postgres.settings(postgres_port, "preparing"), purpose="test") as warehouse:
        warehouse.execute(drop)
        warehouse.execute(f"CREATE ROLE {READER_SQL}")
    yield postgres_port
    with connect(postgres.settings(postgres_port, "preparing"), purpose="test") as warehouse:
        warehouse.execute(drop)


@pytest.mark.postgres
@pytest.mark.parametrize("keep", [True, False])
def test_grants_on_postgres(schema: int, tmp_path: Path, keep: bool) -> None:
    folder = project(tmp_path / "quickstart", keep=keep)
    site = tmp_path / "siteconfig.yaml"
    site.write_text(postgres.siteconfig(schema, SCHEMA), encoding="utf-8")
    output = find_output(folder, "test", site, "postgres")
    with connect(postgres.settings(schema, "preparing"), purpose="test") as warehouse:
        postgres.load_files(warehouse, sorted((folder / "data").iterdir()))
    shutil.rmtree(folder / "data")
    run_for(folder, output, 1)
    with connect(output.settings, purpose="test") as warehouse:
        grant(warehouse)
        warehouse.execute(f"CREATE VIEW {SCHEMA}.mine AS SELECT COUNT(*) AS n FROM {SCHEMA}.user_profile")
        before = warehouse.query(ACL).rows
    assert "=r*/" in str(before)
    run_for(folder, output, 2)
    with connect(output.settings, purpose="test") as warehouse:
        assert warehouse.query(ACL).rows == before
        assert warehouse.query(f"SELECT n > 0 FROM {SCHEMA}.mine").rows == [(True,)]
        # Now they have other columns than they are to have: they cannot stay.
        for name in ("user_profile", "user_id_stitcher"):
            warehouse.execute(f"CREATE TABLE {SCHEMA}.old AS SELECT * FROM {SCHEMA}.{name} LIMIT 0")
            warehouse.execute(f'ALTER TABLE {SCHEMA}.old RENAME TO "Material_old_{name}"')
            shown = f'SELECT 1 AS one, * FROM {SCHEMA}."Material_old_{name}"'
            warehouse.execute(f"DROP VIEW {SCHEMA}.{name} CASCADE; CREATE VIEW {SCHEMA}.{name} AS {shown}")
        grant(warehouse)
        before = warehouse.query(ACL).rows
    run_for(folder, output, 3)
    with connect(output.settings, purpose="test", read_only=True) as warehouse:
        after = warehouse.query(ACL).rows
    assert (after == before) is keep
    assert keep or all(acl is None and columns is None for _, acl, columns in after)


def grant(warehouse: Warehouse) -> None:
    """Let others read some of the plain views."""
    warehouse.execute(f"GRANT SELECT ON {SCHEMA}.user_profile TO {READER_SQL} WITH GRANT OPTION")
    warehouse.execute(f"GRANT SELECT ON {SCHEMA}.user_profile TO PUBLIC")
    warehouse.execute(f"GRANT SELECT (other_id) ON {SCHEMA}.user_id_stitcher TO {READER_SQL}")


@pytest.mark.snowflake
@pytest.mark.parametrize("keep", [True, False])
def test_grants_on_snowflake(snowflake_account: Account, tmp_path: Path, keep: bool) -> None:
    folder = project(tmp_path / "quickstart", keep=keep)
    site = tmp_path / "siteconfig.yaml"
    site.write_text(snowflake_account.siteconfig(SCHEMA), encoding="utf-8")
    snowflake_account.drop(SCHEMA)
    snowflake_account.load_files(sorted((folder / "data").iterdir()))
    sent = len(snowflake_account.statements)
    run_for(folder, find_output(folder, "test", site, "snowflake"), 1)
    snowflake_account.drop(SCHEMA)
    made = [s.text for s in snowflake_account.statements[sent:] if "CREATE OR REPLACE VIEW" in s.text]
    plain = [text for text in made if "MATERIAL_" not in text.partition(" AS")[0]]
    assert len(plain) > 2
    assert all(("COPY GRANTS" in text) is keep for text in plain)
    assert not any("COPY GRANTS" in text for text in made if text not in plain)
