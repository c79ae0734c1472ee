"""Where a project is built: what a connection leads to, and what stands in for one that cannot be built in yet."""

from pathlib import Path

import pytest

from profiles_pipeline.cli import main
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


SECRET = "planted-secret-5b1e"
SERVER = "type: postgres, host: h, dbname: d, schema: s, user: u"
ACCOUNT = "type: snowflake, account: a, dbname: d, schema: s, user: u, password: p"


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (f"type: duckdb, path: 'md:shop?motherduck_token={SECRET}'", "projects are not built on MotherDuck"),
        (f"type: duckdb, path: 'MotherDuck:{SECRET}'", "projects are not built on MotherDuck"),
        (f"type: duckdb, path: 'postgresql://u:{SECRET}@h/d'", "'path' of output 'o' of connection 'test' says how"),
        (f"type: duckdb, sources_dir: 's3://{SECRET}/x'", "'sources_dir' of output 'o'"),
        (f"type: duckdb, sources: {{a.b: 'https://u:{SECRET}@h/x.csv'}}", "'sources: a.b' of output 'o'"),
        (f"type: duckdb, sources: {{a: 'https://h/x.csv?X-Amz-Signature={SECRET}'}}", "'sources: a' of output 'o'"),
        (f"type: duckdb, attach: {{a: {{path: 'md:x?token={SECRET}'}}}}", "'attach: a: path' of output 'o'"),
        (SERVER.replace("dbname: d", f"dbname: 'host=x password={SECRET}'"), "'dbname' of output 'o'"),
        (SERVER.replace("dbname: d", f"dbname: 'postgres://u:{SECRET}@h/d'"), "'dbname' of output 'o'"),
        (SERVER.replace("host: h", f"host: 'postgresql://u:{SECRET}@h/d'"), "'host' of output 'o'"),
        (SERVER.replace("host: h", f"host: 'u:{SECRET}@h'"), "'host' of output 'o'"),
        (ACCOUNT.replace("account: a", f"account: 'https://u:{SECRET}@a.example'"), "'account' of output 'o'"),
        (ACCOUNT.replace("dbname: d", f"dbname: 'snowflake://u:{SECRET}@a/d'"), "'dbname' of output 'o'"),
    ],
)
def test_what_holds_a_secret_where_a_name_is_expected_is_refused_and_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str, said: str
) -> None:
    folder, site = tmp_path / "project", tmp_path / "siteconfig.yaml"
    folder.mkdir()
    (folder / "pb_project.yaml").write_text("{name: shop, schema_version: 98, connection: test}")
    site.write_text(f"connections:\n  test:\n    outputs:\n      o: {{{output}}}\n")
    with pytest.raises(SystemExit) as ended:
        main(["run", "-p", str(folder), "-c", str(site), "-t", "o", "--json"])
    shown = capsys.readouterr()
    assert ended.value.code == 2
    assert said in shown.err
    assert "siteconfig.yaml:4:" in shown.err
    left = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file() and file != site]
    assert SECRET not in shown.out + shown.err
    assert not any(SECRET.encode() in content for content in left)


@pytest.mark.parametrize(
    ("output", "hint"),
    [
        (SERVER + ", pasword: x", "did you mean 'password'?"),
        (SERVER + ", sslmod: verify-full", "did you mean 'sslmode'?"),
        (ACCOUNT + ", warehous: w", "did you mean 'warehouse'?"),
        (ACCOUNT + ", private_key: w", "did you mean 'privateKey'?"),
        ("type: redshift, schem: s", "did you mean 'schema'?"),
        ("type: databricks, acces_token: s", "did you mean 'access_token'?"),
        (
            SERVER + ", tunnel_info: {ssh_host: h}",
            "open the tunnel with `ssh -N -L`, and name its end: host 127.0.0.1 and its port",
        ),
    ],
)
def test_a_misspelt_key_of_an_output_is_told(tmp_path: Path, output: str, hint: str) -> None:
    site = tmp_path / "siteconfig.yaml"
    site.write_text(f"connections:\n  shop:\n    outputs:\n      o: {{{output}}}\n")
    with pytest.raises(ProjectError) as caught:
        find_output(tmp_path, "shop", site, "o")
    (problem,) = caught.value.problems
    assert problem.hint == hint
    place, key = problem.span, output.rpartition(", ")[2].partition(":")[0]
    assert place is not None
    assert site.read_text().splitlines()[place.line - 1][place.column - 1 :].startswith(key)


@pytest.mark.parametrize(
    ("output", "longest"),
    [(SERVER, 63), (ACCOUNT, 255), ("type: redshift, schema: s", 127), ("type: bigquery, schema: s", 300)],
)
def test_a_schema_whose_name_is_too_long_is_refused_at_its_place(tmp_path: Path, output: str, longest: int) -> None:
    site = tmp_path / "siteconfig.yaml"
    names = {"fits": "ü" + "s" * (longest - 2), "long": "ü" + "s" * (longest - 1)}
    outputs = (
        f"      {target}: {{{output.replace('schema: s', f'schema: {name}')}}}\n" for target, name in names.items()
    )
    site.write_text("connections:\n  shop:\n    outputs:\n" + "".join(outputs))
    assert find_output(tmp_path, "shop", site, "fits").schema == names["fits"]
    with pytest.raises(ProjectError, match=f"has a name of {longest + 1} bytes; .* takes {longest} at most") as caught:
        find_output(tmp_path, "shop", site, "long")
    place = caught.value.problems[0].span
    assert place is not None
    assert site.read_text().splitlines()[place.line - 1][place.column - 1 :].startswith(names["long"])


def test_keys_that_nobody_knows_are_told_and_those_of_the_format_are_not(tmp_path: Path) -> None:
    site = tmp_path / "siteconfig.yaml"
    site.write_text(
        "connections:\n  shop:\n    outputs:\n"
        f"      a: {{{SERVER}, keepalives: 5, gibberish: 1}}\n"
        "      b: {type: redshift, driver: v2, workgroup_name: w, cluster_identifier: c,\n"
        "          region: r, dbname: d, schema: s, sslmode: s, tunnel_info: {ssh_user: u}, secrets_arn: a,\n"
        "          shared_profile: p, session_token: t}\n"
        f"      c: {{{ACCOUNT}, useKeyPairAuth: false, privateKeyPassphrase: x, role: r, warehouse: w}}\n"
    )
    notices = {target: find_output(tmp_path, "shop", site, target).notice for target in "abc"}
    told = "output 'a' of connection 'shop' has keys that have no effect: 'keepalives', 'gibberish'"
    assert notices == {"a": told, "b": None, "c": None}


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
