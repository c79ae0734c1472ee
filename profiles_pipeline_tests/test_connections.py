"""Where a project is built: what a connection leads to, and what stands in for one that cannot be built in yet."""

from pathlib import Path

import pytest

from profiles_pipeline.connections import find_output
from profiles_pipeline.errors import ProjectError
from profiles_pipeline.warehouse.connect import connect
from profiles_pipeline.warehouse.settings import SnowflakeSettings

SITECONFIG = """\
connections:
  shop:
    target: prod
    outputs:
      prod: {type: databricks, host: h, http_endpoint: e, catalog: d, schema: s, user: u, access_token: p}
      dev: {type: redshift, host: h, dbname: d, schema: s, user: u, password: p}
      local: {type: duckdb, path: shop.duckdb, schema: analytics}
"""


@pytest.fixture
def siteconfig(tmp_path: Path) -> Path:
    path = tmp_path / "siteconfig.yaml"
    path.write_text(SITECONFIG)
    return path


def test_the_embedded_default_stands_in_and_says_so(siteconfig: Path) -> None:
    output = find_output(siteconfig.parent, "shop", siteconfig)
    assert (output.target, output.schema, output.dialect) == ("dev", "profiles", "databricks")
    assert output.notice is not None
    assert output.notice.startswith(
        "connection 'shop' is of type 'databricks', for which SQL is only written (-t prod): building on the embedded"
    )


@pytest.mark.parametrize(("target", "kind"), [("prod", "databricks"), ("dev", "redshift")])
def test_nothing_stands_in_for_a_target_that_was_asked_for(siteconfig: Path, target: str, kind: str) -> None:
    output = find_output(siteconfig.parent, "shop", siteconfig, target)
    assert (output.target, output.schema, output.settings.dialect, output.notice) == (target, "s", kind, None)
    with pytest.raises(ProjectError) as caught, connect(output.settings, purpose="test"):
        pass
    (problem,) = caught.value.problems
    assert problem.render() == (
        f"error[unsupported-warehouse]: target '{target}' is of type '{kind}': SQL is compiled for it, but not run "
        "there, since it was never tried on the service itself\n"
        f"    hint: profiles compile -t {target} writes the SQL; without -t the project is built on DuckDB, and "
        "targets of the types duckdb, postgres and snowflake are built on"
    )


def test_a_target_that_can_be_built_in_is_what_was_asked_for(siteconfig: Path) -> None:
    output = find_output(siteconfig.parent, "shop", siteconfig, "local")
    assert (output.target, output.schema, output.notice) == ("local", "analytics", None)


@pytest.mark.parametrize("target", ["local", None])
def test_a_relative_folder_means_the_same_from_everywhere(
    siteconfig: Path, target: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(siteconfig.parent)
    relative = find_output(Path("project"), "shop", siteconfig, target).settings
    whole = find_output(siteconfig.parent / "project", "shop", siteconfig, target).settings
    assert (relative.path, relative.sources_dir, relative.base) == (whole.path, whole.sources_dir, whole.base)
    assert relative.base.is_absolute()


SNOWFLAKE = """\
connections:
  shop:
    target: password
    outputs:
      password: {{{place}, password: secret-word}}
      key: {{{place}, useKeyPairAuth: true, privateKey: secret-key, privateKeyPassphrase: secret-phrase}}
      file: {{{place}, useKeyPairAuth: true, privateKeyFile: keys/key.p8, password: secret-word}}
      mfa: {{{place}, password: secret-word, passcode: 123456}}
      oauth: {{{place}, token: secret-token}}
      none: {{{place}}}
""".format(place="type: snowflake, account: org-shop, dbname: D, schema: s, user: u, role: r, warehouse: w")


@pytest.mark.parametrize(
    ("target", "given"),
    [
        ("password", {"password": "secret-word"}),
        ("key", {"private_key": "secret-key", "passphrase": "secret-phrase"}),
        ("file", {"private_key_file": "keys/key.p8"}),
        ("mfa", {"password": "secret-word", "passcode": "123456"}),
        ("oauth", {"token": "secret-token"}),
    ],
)
def test_snowflake_is_logged_in_to_as_the_siteconfig_says(tmp_path: Path, target: str, given: dict[str, str]) -> None:
    file = tmp_path / "siteconfig.yaml"
    file.write_text(SNOWFLAKE)
    output = find_output(tmp_path, "shop", file, target)
    settings = output.settings
    assert isinstance(settings, SnowflakeSettings)
    assert (output.dialect, output.schema, settings.account, settings.database) == ("snowflake", "s", "org-shop", "D")
    assert (settings.role, settings.compute, settings.user) == ("r", "w", "u")
    secrets = {name: getattr(settings, name) for name in ("password", "private_key", "passphrase", "passcode", "token")}
    found = {name: secret.get_secret_value() for name, secret in secrets.items() if secret is not None}
    if settings.private_key_file is not None:
        found["private_key_file"] = str(settings.private_key_file.relative_to(tmp_path))
    assert found == given
    assert "secret-" not in repr(output)


def test_a_snowflake_output_without_a_way_to_log_in_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "siteconfig.yaml"
    file.write_text(SNOWFLAKE)
    with pytest.raises(ProjectError, match="output 'none' of connection 'shop' does not say how to log in"):
        find_output(tmp_path, "shop", file, "none")
