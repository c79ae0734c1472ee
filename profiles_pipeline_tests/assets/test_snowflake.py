"""A project built where a resource of dagster-snowflake says."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from profiles_pipeline import examples
from profiles_pipeline.assets import build_definitions, snowflake_output
from profiles_pipeline.errors import ProjectError
from profiles_pipeline.events import Options
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.run import run
from profiles_pipeline_tests.warehouse.snowflake import COMPUTE, DATABASE, PASSWORD, ROLE, USER

if TYPE_CHECKING:
    from dagster_snowflake import SnowflakeResource

    from profiles_pipeline_tests.warehouse.snowflake import Account

pytestmark = pytest.mark.snowflake

SCHEMA = "from_dagster"


def resource(**given: object) -> SnowflakeResource:
    """A resource of dagster-snowflake, which is slow to import."""
    from dagster_snowflake import SnowflakeResource  # noqa: PLC0415 - slow to load

    usual = {"account": "tests", "user": USER, "database": DATABASE, "schema": SCHEMA}
    return SnowflakeResource(**{**usual, **given})


def test_a_project_is_built_where_it_says(
    snowflake_account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROFILES_TEST_PASSWORD", PASSWORD)
    examples.copy_example("quickstart", tmp_path / "quickstart")
    snowflake_account.drop(SCHEMA)
    snowflake_account.load_files(sorted((tmp_path / "quickstart" / "data").iterdir()))
    place = {"host": "127.0.0.1", "port": snowflake_account.port, "protocol": "http"}
    told = resource(
        password=dg.EnvVar("PROFILES_TEST_PASSWORD"), role=ROLE, warehouse=COMPUTE,
        additional_snowflake_connection_args=place,
    )  # fmt: skip
    output = snowflake_output(told)
    assert PASSWORD not in repr(output)
    definitions = build_definitions(tmp_path / "quickstart", output=output)
    assert definitions.resolve_all_job_defs()
    project = ProfilesProject.load(tmp_path / "quickstart", source_dialect=output.dialect)
    done = run(project, output, Options(end=datetime(2024, 2, 1, tzinfo=UTC)))
    assert {built.model.path for built in done.built} >= {"models/user_id_stitcher", "models/user_profile"}
    assert "user_profile" in done.promoted
    snowflake_account.drop(SCHEMA)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"authenticator": "oauth"}, "the Snowflake resource does not say how to log in"),
        ({"password": "p", "schema": None}, "the Snowflake resource has no schema"),
        (
            {"password": "p", "authenticator": "externalbrowser"},
            "logs in by 'externalbrowser'",
        ),
        (
            {"password": "p", "additional_snowflake_connection_args": {"proxy_host": "x"}},
            "has 'proxy_host'",
        ),
        ({"password": dg.EnvVar("PROFILES_NOT_SET")}, "the environment variable PROFILES_NOT_SET is not set"),
    ],
)
def test_what_it_does_not_say_is_told(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ProjectError, match=said):
        snowflake_output(resource(**given))


def test_a_key_is_taken() -> None:
    settings = snowflake_output(resource(private_key_path="~/key.p8", private_key_password="phrase")).settings
    assert (settings.password, settings.private_key_file) == (None, Path("~/key.p8").expanduser())
    assert settings.passphrase.get_secret_value() == "phrase"


def test_the_package_is_not_loaded_for_those_who_do_not_use_it() -> None:
    loaded = "import sys, profiles_pipeline.assets; sys.exit('dagster_snowflake' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loaded], check=False).returncode == 0
