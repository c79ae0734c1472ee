"""Connections are added to the siteconfig without touching a byte of what is there."""

from __future__ import annotations

import io
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from profiles_pipeline.errors import ProjectError
from profiles_pipeline.spec.new_connection import NewOutput, add_output
from profiles_pipeline.spec.siteconfig import DuckDBOutput, PostgresOutput, SnowflakeOutput, load_siteconfig

from .conftest import Call, Outcome

if TYPE_CHECKING:
    from profiles_pipeline_tests.warehouse.snowflake import Account

NEW = NewOutput("shop", "dev", {"type": "duckdb", "path": "shop.duckdb", "schema": "profiles"})

FILES = {
    "empty": "",
    "only a comment": "# mine\n",
    "no connections": "# mine\ngitcreds: []\n",
    "connections without any": "connections: # none yet\ngitcreds: []\n",
    "one connection": "connections:\n  a:\n    target: d\n    outputs:\n      d: {type: duckdb}\n",
    "no newline at the end": "connections:\n  a:\n    target: d\n    outputs:\n      d: {type: duckdb}",
    "deep indentation and comments": (
        "connections:\n    a: # first\n        target: d\n        outputs:\n            d: {type: duckdb}\n"
        "    # b:\n    #     target: d\n\n# the end\ngitcreds: []\n"
    ),
    "another target": "connections:\n  shop:\n    target: p\n    outputs:\n      p:\n        type: duckdb\n# the end\n",
    "target before the last connection": (
        "connections:\n  shop:\n    outputs:\n      p: {type: duckdb}\n  z:\n    outputs:\n      q: {type: duckdb}\n"
    ),
    "windows line ends": "connections:\r\n  a:\r\n    target: d\r\n    outputs:\r\n      d: {type: duckdb}\r\n",
    "a key in several lines": (
        "connections:\n  a:\n    target: d\n    outputs:\n      d:\n        type: snowflake\n        account: x\n"
        "        privateKey: |\n          -----BEGIN KEY-----\n\n          abc\n          -----END KEY-----\n"
    ),
    "the old name of the section": "profiles:\n  a:\n    target: d\n    outputs:\n      d: {type: duckdb}\n",
}


@pytest.mark.parametrize("before", FILES.values(), ids=FILES.keys())
def test_every_line_stays_and_one_output_comes(tmp_path: Path, before: str) -> None:
    file = tmp_path / "siteconfig.yaml"
    file.write_bytes(before.encode())
    file.chmod(0o644)
    known = dict(load_siteconfig(file).connections)
    add_output(file, NEW)
    after = file.read_bytes().decode()
    lines = iter(after.splitlines())
    assert all(line in lines for line in before.splitlines()), "a line was lost or moved"
    assert ("\r\n" in after) == ("\r\n" in before)
    found = load_siteconfig(file)
    assert {name: found.connections[name] for name in known if name != "shop"} == {
        name: value for name, value in known.items() if name != "shop"
    }
    output = found.output("shop", "dev")
    assert isinstance(output, DuckDBOutput)
    assert (output.path, output.schema_) == ("shop.duckdb", "profiles")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["siteconfig.yaml"]


@pytest.mark.parametrize(
    ("before", "code"),
    [
        ("connections: {a: {target: d, outputs: {d: {type: duckdb}}}}\n", "no-room"),
        ("connections: []\n", "no-room"),
        ("- a\n", "no-room"),
        ("connections:\n  shop:\n    target: dev\n", "no-room"),
        ("connections: [\n", "yaml-syntax"),
        ("connections:\n  shop:\n    outputs:\n      dev: {type: duckdb, path: mine.duckdb}\n", "target-exists"),
    ],
)
def test_what_cannot_be_added_to_stays(tmp_path: Path, before: str, code: str) -> None:
    file = tmp_path / "siteconfig.yaml"
    file.write_text(before)
    with pytest.raises(ProjectError) as raised:
        add_output(file, NEW)
    assert [problem.code for problem in raised.value.problems] == [code]
    assert file.read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["siteconfig.yaml"]


@pytest.mark.parametrize("value", ["null", "yes", "1.50", "a: b", "#x", "C:\\data", "ä b", "'", '"', "", "*x", "- a"])
def test_values_read_back_as_they_were(tmp_path: Path, value: str) -> None:
    file = tmp_path / "siteconfig.yaml"
    add_output(file, NewOutput("shop", "dev", {"type": "duckdb", "path": value}))
    output = load_siteconfig(file).output("shop")
    assert isinstance(output, DuckDBOutput)
    assert output.path == value


def test_a_link_is_followed(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "site.yaml"
    real.parent.mkdir()
    real.write_text("connections:\n")
    (tmp_path / "siteconfig.yaml").symlink_to(real)
    add_output(tmp_path / "siteconfig.yaml", NEW)
    assert (tmp_path / "siteconfig.yaml").is_symlink()
    assert "shop" in load_siteconfig(real).connections


# --- the command ----------------------------------------------------------------------------------------------------


def test_options_make_the_default_file(call: Call, home: Path, tmp_path: Path) -> None:
    outcome = call("init", "connection", "-n", "shop", "--path", tmp_path / "shop.duckdb", "-y")
    assert (outcome.code, outcome.err) == (0, "")
    assert "the connection works" in outcome.out
    file = home / ".pb" / "siteconfig.yaml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    output = load_siteconfig(file).output("shop")
    assert isinstance(output, DuckDBOutput)
    assert (output.target, output.schema_, output.sources_dir) == ("dev", "profiles", "data")
    assert list(tmp_path.glob("shop.duckdb*")) == []


def test_what_is_not_given_is_asked_for(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("prod\n\n\nanalytics\n\n"))
    outcome = call("init", "connection", "-c", tmp_path / "site.yaml", "--name", "shop")
    assert outcome.code == 0, outcome.err
    for question in ("Target [dev]", "Type of warehouse [duckdb]", "Database file", "Schema to build in [profiles]"):
        assert question in outcome.out
    assert "Connection name" not in outcome.out
    output = load_siteconfig(tmp_path / "site.yaml").output("shop", "prod")
    assert output.schema_ == "analytics"


def test_without_answers_nothing_is_written(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    outcome = call("init", "connection", "-c", tmp_path / "site.yaml")
    assert outcome.code == 2
    assert "error[no-answer]" in outcome.err
    assert not (tmp_path / "site.yaml").exists()


@pytest.mark.parametrize(
    ("kind", "message"),
    [("redshift", "SQL is only compiled for redshift"), ("postgers", "hint: did you mean 'postgres'?")],
)
def test_other_warehouses_are_refused(call: Call, tmp_path: Path, kind: str, message: str) -> None:
    outcome = call("init", "connection", "-c", tmp_path / "site.yaml", "--type", kind, "-y")
    assert outcome.code == 2
    assert message in outcome.err
    assert not (tmp_path / "site.yaml").exists()


def test_a_connection_that_does_not_work_is_not_written(call: Call, tmp_path: Path) -> None:
    (tmp_path / "text.duckdb").write_text("this is no database " * 1000)
    arguments = ["-c", tmp_path / "site.yaml", "--path", tmp_path / "text.duckdb", "-y"]
    outcome = call("init", "connection", *arguments)
    assert outcome.code == 1
    assert "error[warehouse-error]" in outcome.err
    assert not (tmp_path / "site.yaml").exists()


# --- servers --------------------------------------------------------------------------------------------------------

SECRET = "planted-secret-91ac"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--type", "postgres"], "with --yes these have to be given: --dbname, --user"),
        (["--type", "snowflake", "--user", "u"], "given: --account, --dbname, --password"),
        (["--type", "snowflake", "--token", "t", "--password", "p"], "ways to log in are given: password and token"),
        (["--type", "postgres", "--path", "x", "--private-key-file", "k"], "--path, --private-key-file: not for a"),
        (["--type", "postgres", "--dbname", "d", "--user", "u", "--port", "x"], "a port is a number, not 'x'"),
    ],
)
def test_options_that_do_not_fit_are_told(call: Call, tmp_path: Path, options: list[str], said: str) -> None:
    outcome = call("init", "connection", "-c", tmp_path / "site.yaml", *options, "-y")
    assert outcome.code == 2
    assert said in outcome.err
    assert not (tmp_path / "site.yaml").exists()


@pytest.mark.postgres
def test_a_connection_to_postgres_is_asked_for_tried_and_written(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres_port: int
) -> None:
    site = tmp_path / "site.yaml"
    hidden = []

    def typed(database: str) -> Outcome:
        answers = f"team\npostgres\n127.0.0.1\n{postgres_port}\n{database}\ndagster\n\n\n"
        monkeypatch.setattr("sys.stdin", io.StringIO(answers))
        monkeypatch.setattr("getpass.getpass", lambda prompt, **_: hidden.append(prompt) or SECRET)
        return call("init", "connection", "-c", site, "--name", "shop")

    wrong = typed("nowhere")
    assert wrong.code == 1
    assert 'database "nowhere" does not exist' in wrong.err
    assert not site.exists()
    outcome = typed("dagster")
    assert outcome.code == 0, outcome.err
    assert "profiles validate access -t team" in outcome.out
    assert len(hidden) == 2, "the password is asked for, and not shown while it is typed"
    assert SECRET not in "".join((wrong.out, wrong.err, outcome.out, outcome.err))
    assert stat.S_IMODE(site.stat().st_mode) == 0o600
    output = load_siteconfig(site).output("shop", "team")
    assert isinstance(output, PostgresOutput)
    assert (output.host, output.port, output.dbname, output.schema_) == (
        "127.0.0.1", postgres_port, "dagster", "profiles",
    )  # fmt: skip
    assert output.password is not None
    assert (output.password.get_secret_value(), output.sslmode) == (SECRET, None)
    monkeypatch.setenv("PLANTED", SECRET)
    named = ["--host", "127.0.0.1", "--port", postgres_port, "--dbname", "dagster", "--user", "dagster"]
    options = [
        "-n",
        "shop",
        "-t",
        "quiet",
        "--type",
        "postgres",
        *named,
        "--password",
        "${PLANTED}",
        "--schema",
        "c360",
    ]
    quiet = call("init", "connection", "-c", site, *options, "-y")
    assert quiet.code == 0, quiet.err
    assert 'password: "${PLANTED}"' in site.read_text()
    assert load_siteconfig(site).output("shop", "quiet").schema_ == "c360"


@pytest.mark.snowflake
def test_a_connection_to_snowflake_is_asked_for_tried_and_written(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snowflake_account: Account
) -> None:
    site = tmp_path / "site.yaml"
    there = ["--host", "127.0.0.1", "--port", snowflake_account.port, "--protocol", "http"]

    def typed(password: str) -> Outcome:
        answers = "prod\nsnowflake\ntests\ntester\nPROFILES_ROLE\nPROFILES_WH\nSHOP\n\npassword\n"
        monkeypatch.setattr("sys.stdin", io.StringIO(answers))
        monkeypatch.setattr("getpass.getpass", lambda *_, **__: password)
        return call("init", "connection", "-c", site, "--name", "shop", *there)

    wrong = typed(SECRET)
    assert wrong.code == 1
    assert SECRET not in wrong.out + wrong.err
    assert not site.exists()
    outcome = typed("open-sesame")
    assert outcome.code == 0, outcome.err
    assert "open-sesame" not in outcome.out + outcome.err
    assert stat.S_IMODE(site.stat().st_mode) == 0o600
    output = load_siteconfig(site).output("shop", "prod")
    assert isinstance(output, SnowflakeOutput)
    assert (output.account, output.role, output.warehouse, output.dbname, output.schema_, output.port) == (
        "tests", "PROFILES_ROLE", "PROFILES_WH", "SHOP", "PROFILES", snowflake_account.port,
    )  # fmt: skip
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (tmp_path / "cwd" / "key.p8").write_bytes(
        key.private_bytes(*pem, serialization.BestAvailableEncryption(SECRET.encode()))
    )
    public = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    snowflake_account.take_key(key.public_key().public_bytes(*public))
    named = ["--account", "tests", "--user", "tester", "--dbname", "SHOP", "--warehouse", "PROFILES_WH"]
    by_key = ["--private-key-file", "key.p8", "--private-key-passphrase", SECRET]
    options = ["-n", "shop", "-t", "key", "--type", "snowflake", *named, *by_key, *there]
    keyed = call("init", "connection", "-c", site, *options, "-y")
    assert keyed.code == 0, keyed.err
    output = load_siteconfig(site).output("shop", "key")
    assert isinstance(output, SnowflakeOutput)
    assert (output.use_key_pair_auth, output.private_key_file) == (True, str(tmp_path / "cwd" / "key.p8"))


def test_a_project_is_built_on_its_connection(call: Call, quickstart: Path, tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    database = tmp_path / "elsewhere.duckdb"
    made = call(
        "init", "connection", "-c", site, "-n", "test", "-t", "prod", "--path", database, "--schema", "c360", "-y"
    )
    assert made.code == 0
    ran = call("run", "-p", quickstart, "-c", site, "--no-report")
    assert ran.code == 0, ran.err
    assert "note:" not in ran.out
    assert "target prod, schema c360" in ran.out
    assert database.is_file()
    assert not (quickstart / ".profiles" / "warehouse.duckdb").exists()
    unknown = call("run", "-p", quickstart, "-c", site, "-t", "dev", "--no-report")
    assert unknown.code == 2
    assert unknown.err.startswith("../site.yaml:4:5: error[unknown-target]")
    assert "has no target 'dev'" in unknown.err
