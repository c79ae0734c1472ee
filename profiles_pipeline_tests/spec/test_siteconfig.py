"""Connections: which output is chosen, what it holds, and that secrets stay hidden."""

from pathlib import Path

import pytest

from profiles_pipeline.errors import ProjectError, Span
from profiles_pipeline.spec import (
    DuckDBOutput,
    PostgresOutput,
    SiteConfig,
    SnowflakeOutput,
    load_siteconfig,
)

TEXT = """\
connections:
  shop:
    target: dev
    outputs:
      dev:
        type: duckdb
        path: ${HOME_DIR}/shop.duckdb
        schema: analytics
        sources_dir: data
        sources: {shop.orders: orders.csv}
        threads: 2
        memory_limit: 1GB
      prod: {type: snowflake, account: ab1, dbname: db, schema: s, user: u, role: r, warehouse: w, password: "${PW}x"}
      keys: {type: snowflake, account: ab1, dbname: db, schema: s, user: u, useKeyPairAuth: true, privateKey: KEYTEXT}
      pg: {type: postgres, host: h, dbname: db, schema: s, user: u, password: 12345}
      red: {type: redshift, host: h, port: 5439, schema: s, tunnel_info: {ssh_port: 22}, password: hush}
      odd: {type: duckbd}
      bad: {type: duckdb, pth: x, threads: many}
      half: {type: postgres, host: h}
      none: {path: x}
      flat: duckdb
  single:
    outputs:
      only: {type: duckdb, dialect: redshift}
  several:
    outputs: {a: {type: duckdb}, b: {type: duckdb}}
  empty: {target: dev}
gitcreds:
  - {reporegex: x, key: y}
"""


@pytest.fixture
def config(tmp_path: Path) -> SiteConfig:
    path = tmp_path / "siteconfig.yaml"
    path.write_text(TEXT)
    return load_siteconfig(path, {"PW": "secret", "HOME_DIR": "/srv"})


def test_the_default_target_with_variables_filled_in(config: SiteConfig) -> None:
    output = config.output("shop")
    assert isinstance(output, DuckDBOutput)
    assert (output.connection, output.target, output.type) == ("shop", "dev", "duckdb")
    assert (output.path, output.schema_, output.dialect) == ("/srv/shop.duckdb", "analytics", "")
    assert (output.sources_dir, dict(output.sources)) == ("data", {"shop.orders": "orders.csv"})
    assert (output.threads, output.memory_limit) == (2, "1GB")
    assert output.span == Span(config.file, 6, 9)


def test_the_only_output_needs_no_target(config: SiteConfig) -> None:
    output = config.output("single")
    assert (output.target, output.dialect) == ("only", "redshift")
    assert isinstance(output, DuckDBOutput)
    assert (output.path, output.schema_) == ("profiles.duckdb", "main")


def test_typed_outputs(config: SiteConfig) -> None:
    prod, keys, pg = (config.output("shop", name) for name in ("prod", "keys", "pg"))
    assert isinstance(prod, SnowflakeOutput)
    assert prod.password is not None
    assert (prod.account, prod.role, prod.password.get_secret_value()) == ("ab1", "r", "secretx")
    assert isinstance(keys, SnowflakeOutput)
    assert keys.private_key is not None
    assert (keys.use_key_pair_auth, keys.private_key.get_secret_value()) == (True, "KEYTEXT")
    assert isinstance(pg, PostgresOutput)
    assert pg.password is not None
    assert (pg.port, pg.password.get_secret_value(), pg.dialect) == (5432, "12345", "")


def test_other_warehouses_keep_their_settings_as_plain_values(config: SiteConfig) -> None:
    output = config.output("shop", "red")
    assert (output.type, output.schema_, output.dialect) == ("redshift", "s", "redshift")
    assert output.settings["tunnel_info"] == {"ssh_port": 22}
    assert type(output.settings["port"]) is int


@pytest.mark.parametrize("target", ["prod", "keys", "pg", "red"])
def test_secrets_are_never_shown(config: SiteConfig, target: str) -> None:
    shown = repr(config) + str(config) + repr(config.output("shop", target)) + str(config.output("shop", target))
    for secret in ("secretx", "KEYTEXT", "12345", "hush", "${PW}"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("connection", "target", "expected"),
    [
        ("shp", None, "error[unknown-connection]: no connection 'shp' in {file}\n    hint: did you mean 'shop'?"),
        (
            "several",
            "c",
            "{file}:26:5: error[unknown-target]: connection 'several' has no target 'c'\n    hint: known: a, b",
        ),
        (
            "several",
            None,
            "{file}:26:5: error[missing-key]: key 'target' is missing in connection 'several'\n    hint: known: a, b",
        ),
        ("empty", None, "{file}:27:10: error[missing-key]: key 'outputs' is missing in connection 'empty'"),
        (
            "shop",
            "odd",
            "{file}:17:19: error[unknown-warehouse]: output 'odd' of connection 'shop' has the unknown type 'duckbd'\n"
            "    hint: did you mean 'duckdb'?",
        ),
        (
            "shop",
            "bad",
            "{file}:18:27: error[unknown-key]: unknown key 'pth' in output 'bad' of connection 'shop'\n"
            "    hint: did you mean 'path'?\n"
            "{file}:18:44: error[wrong-type]: 'threads' of output 'bad' of connection 'shop' must be a whole number,"
            " not 'many'",
        ),
        (
            "shop",
            "none",
            "{file}:20:13: error[missing-key]: key 'type' is missing in output 'none' of connection 'shop'",
        ),
        ("shop", "flat", "{file}:21:13: error[wrong-type]: output 'flat' of connection 'shop' must be a mapping"),
        (
            "shop",
            "half",
            "{file}:19:13: error[missing-key]: key 'schema' is missing in output 'half' of connection 'shop'\n"
            "{file}:19:13: error[missing-key]: key 'dbname' is missing in output 'half' of connection 'shop'\n"
            "{file}:19:13: error[missing-key]: key 'user' is missing in output 'half' of connection 'shop'",
        ),
    ],
)
def test_what_cannot_be_chosen(config: SiteConfig, connection: str, target: str | None, expected: str) -> None:
    with pytest.raises(ProjectError) as caught:
        config.output(connection, target)
    assert str(caught.value) == expected.replace("{file}", config.file)


def test_an_unset_variable_matters_only_to_its_own_output(tmp_path: Path) -> None:
    path = tmp_path / "siteconfig.yaml"
    path.write_text(TEXT)
    config = load_siteconfig(path, {"HOME_DIR": "/srv"})
    assert config.output("shop").target == "dev"
    with pytest.raises(ProjectError) as caught:
        config.output("shop", "prod")
    problem = caught.value.problems[0]
    assert (problem.code, problem.span) == ("missing-variable", Span(str(path), 13, 110))
    assert problem.message == "the environment variable PW is not set"


def test_the_older_name_of_connections(tmp_path: Path) -> None:
    path = tmp_path / "siteconfig.yaml"
    path.write_text("profiles:\n  old: {target: dev, outputs: {dev: {type: duckdb}}}\n")
    assert load_siteconfig(path, {}).output("old").type == "duckdb"


def test_the_default_file_need_not_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_siteconfig().connections == {}
    (tmp_path / ".pb").mkdir()
    (tmp_path / ".pb" / "siteconfig.yaml").write_text("connections: {c: {outputs: {dev: {type: duckdb}}}}\n")
    assert list(load_siteconfig().connections) == ["c"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (None, "no-siteconfig"),
        ("- a\n", "wrong-type"),
        ("connections: [a]\n", "wrong-type"),
        ("connections: {a: b}\n", "wrong-type"),
        ("connections: {password: hush\n", "yaml-syntax"),
        ("conections: {a: {outputs: {dev: {password: hush}}}}\n", "unknown-key"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, text: str | None, code: str) -> None:
    path = tmp_path / "siteconfig.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ProjectError) as caught:
        load_siteconfig(path, {})
    assert [problem.code for problem in caught.value.problems] == [code]
    assert "hush" not in str(caught.value)
