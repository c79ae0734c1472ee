"""What goes wrong around a run on PostgreSQL: it ends well, or says what to do, and the next one goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from profiles_pipeline import access, connections, examples
from profiles_pipeline.errors import ProfilesError, ProjectError, RunError, WarehouseError
from profiles_pipeline.events import Built, Event, Options, Started, Working
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.run import run
from profiles_pipeline.warehouse.connect import connect
from profiles_pipeline.warehouse.settings import PostgresSettings
from profiles_pipeline_tests.deploy import services
from profiles_pipeline_tests.test_postgres_projects import cells, views
from profiles_pipeline_tests.warehouse.own_server import OwnServer, own_server
from profiles_pipeline_tests.warehouse.postgres import load_files, settings, siteconfig

pytestmark = pytest.mark.postgres

ENDS = [datetime.fromisoformat(f"2024-02-0{day}T00:00:00+00:00") for day in (1, 2, 3)]


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> ProfilesProject:
    folder = tmp_path_factory.mktemp("failures") / "quickstart"
    examples.copy_example("quickstart", folder)
    return ProfilesProject.load(folder)


def load(given: PostgresSettings, folder: Path) -> None:
    with connect(given, purpose="test") as warehouse:
        load_files(warehouse, sorted((folder / "data").iterdir()))


def output(given: PostgresSettings) -> connections.Output:
    return connections.Output("postgres", given.schema, given)


# --- a server that goes away ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(postgres_port: int) -> Iterator[OwnServer]:  # noqa: ARG001 - says so where there is none
    with own_server() as running:
        yield running


@pytest.fixture(scope="module")
def undisturbed(server: OwnServer, quickstart: ProfilesProject) -> dict[str, list[tuple[object, ...]]]:
    """What the views show after three runs in which nothing happened."""
    there = output(settings(server.port, "undisturbed"))
    load(settings(server.port, "loading"), quickstart.folder)
    for end in ENDS:
        run(quickstart, there, Options(end=end))
    return {name: cells(rows) for name, rows in views(there).items()}


def in_step(path: str, title: str) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, Working) and (event.model.path, event.title) == (path, title)


MOMENTS: dict[str, Callable[[Event], bool]] = {
    "vars": in_step("user/all/var_table", "values of who is touched taken out"),
    "views": lambda event: isinstance(event, Built) and event.model.path == "user/all/feature_view",
}


@pytest.mark.parametrize("when", MOMENTS)
def test_a_run_whose_server_was_killed_is_taken_up_again(
    server: OwnServer, quickstart: ProfilesProject, undisturbed: dict[str, list[tuple[object, ...]]], when: str
) -> None:
    there = output(settings(server.port, f"killed_{when}"))
    for end in ENDS[:2]:
        run(quickstart, there, Options(end=end))
    before = views(there)
    killed: list[Event] = []

    def killing(event: Event) -> None:
        if MOMENTS[when](event) and not killed:
            killed.append(event)
            server.kill()

    with pytest.raises(ProfilesError, match=r"server closed the connection unexpectedly|Connection reset by peer"):
        run(quickstart, there, Options(end=ENDS[2]), killing)
    with pytest.raises(WarehouseError, match="Connection refused") as gone:
        run(quickstart, there, Options(end=ENDS[2]))
    assert gone.value.hint == (
        "start the server, or mend host and port in the siteconfig; "
        f"nothing answers at dagster on 127.0.0.1:{server.port}"
    )
    server.start()
    assert {name: cells(rows) for name, rows in views(there).items()} == {n: cells(rows) for n, rows in before.items()}
    report = run(quickstart, there, Options(end=ENDS[2]))
    assert report.window.seq_no == 3  # that of the run that was cut short
    assert {name: cells(rows) for name, rows in views(there).items()} == undisturbed


# --- two at once ------------------------------------------------------------------------------------------------------


def test_two_runs_at_once_take_turns_and_both_end_right(
    server: OwnServer,
    quickstart: ProfilesProject,
    undisturbed: dict[str, list[tuple[object, ...]]],
    tmp_path: Path,
) -> None:
    there = output(settings(server.port, "both"))
    site = tmp_path / "siteconfig.yaml"
    site.write_text(siteconfig(server.port, "both"), encoding="utf-8")
    run(quickstart, there, Options(end=ENDS[0]))
    command = [sys.executable, "-m", "profiles_pipeline", "run", "-p", quickstart.folder, "-c", site, "-t", "postgres"]
    running = [
        subprocess.Popen(
            [*command, "--no-report", "--end-time", end.isoformat()], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for end in ENDS[1:]
    ]
    said = [process.communicate()[0].decode() for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    found = {name: cells(rows) for name, rows in views(there).items()}
    # Whichever came first, the views show the later window.
    assert {n: rows for n, rows in found.items() if n in undisturbed and "id_changes" not in n} == {
        n: rows for n, rows in undisturbed.items() if "id_changes" not in n
    }


# --- what is told -----------------------------------------------------------------------------------------------------

SECRET = "planted-secret-7f3a"


@pytest.fixture
def clerk(server: OwnServer, request: pytest.FixtureRequest) -> Iterator[PostgresSettings]:
    """Somebody who may log in with a password, and nothing else."""
    name = f"clerk_{abs(hash(request.node.name)) % 10**6}"
    hba = server.folder / "data" / "pg_hba.conf"
    hba.write_text(f"host all {name} 127.0.0.1/32 scram-sha-256\n" + hba.read_text())
    given = settings(server.port, f"of_{name}", user=name, password=SecretStr(SECRET))
    with connect(settings(server.port, "public"), purpose="test") as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{SECRET}'; SELECT pg_reload_conf()")
    yield given
    with connect(settings(server.port, "public"), purpose="test") as admin:
        admin.execute(f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}")


def told(project: ProfilesProject, there: PostgresSettings, **options: object) -> tuple[str, str]:
    """What a run says that fails: message and hint."""
    try:
        run(project, output(there), Options(end=ENDS[0]), **options)  # type: ignore[arg-type]
    except RunError as error:
        return error.problem.message, error.problem.hint or ""
    except ProjectError as error:
        return error.problems[0].message, error.problems[0].hint or ""
    except WarehouseError as error:
        return str(error), error.hint or ""
    return "", ""


def test_a_wrong_password_is_told_with_what_sets_it(clerk: PostgresSettings, quickstart: ProfilesProject) -> None:
    message, hint = told(quickstart, replace(clerk, password=SecretStr("another")))
    assert f'password authentication failed for user "{clerk.user}"' in message
    assert hint.endswith(f"ALTER ROLE \"{clerk.user}\" PASSWORD '...'")


def test_each_missing_grant_is_told_and_granting_it_is_enough(
    server: OwnServer, clerk: PostgresSettings, quickstart: ProfilesProject
) -> None:
    load(settings(server.port, "loading"), quickstart.folder)
    granted = []
    while (said := told(quickstart, clerk)) != ("", ""):
        hint = said[1]
        assert "GRANT " in hint or "CREATE EXTENSION" in hint, said
        statement = hint[hint.index("GRANT" if "GRANT" in hint else "CREATE") :].partition(" and run again")[0]
        assert statement not in granted, said
        granted.append(statement)
        with connect(settings(server.port, "public"), purpose="test") as admin:
            admin.execute(statement)
    role = f'TO "{clerk.user}"'
    assert sorted(granted) == [
        f'GRANT CREATE ON DATABASE "dagster" {role}',
        f'GRANT SELECT ON "ecommerce"."identifies" {role}',
        f'GRANT SELECT ON "ecommerce"."tracks" {role}',
        f'GRANT USAGE ON SCHEMA "ecommerce" {role}',
    ]
    assert all(trial.passed for trial in access.try_access(quickstart, output(clerk)))


def test_a_statement_that_takes_too_long_is_told(
    server: OwnServer, clerk: PostgresSettings, quickstart: ProfilesProject
) -> None:
    load(settings(server.port, "loading"), quickstart.folder)
    with connect(settings(server.port, "public"), purpose="test") as admin:
        admin.execute(f"ALTER ROLE {clerk.user} SUPERUSER; ALTER ROLE {clerk.user} SET statement_timeout = '2s'")
        admin.execute("CREATE OR REPLACE VIEW public.slow AS SELECT t.* FROM ecommerce.tracks AS t, pg_sleep(4) AS s")
        message, hint = told(quickstart, replace(clerk, sources={"profiles_sample.ecommerce.tracks": "public.slow"}))
        admin.execute(f"ALTER ROLE {clerk.user} NOSUPERUSER; DROP VIEW public.slow CASCADE")
    assert "canceling statement due to statement timeout" in message
    assert f'ALTER ROLE "{clerk.user}" SET statement_timeout = 0' in hint


def test_a_table_that_is_dropped_meanwhile_is_told(server: OwnServer, quickstart: ProfilesProject) -> None:
    load(settings(server.port, "loading"), quickstart.folder)

    def dropping(event: Event) -> None:
        if isinstance(event, Started) and event.model.path == "models/user_id_stitcher":
            with connect(settings(server.port, "public"), purpose="test") as other:
                other.execute("DROP TABLE ecommerce.tracks CASCADE")

    message, hint = told(quickstart, settings(server.port, "dropped"), observe=dropping)
    assert "tracks" in message
    assert "does not exist" in message
    assert "is not there any more: put it back, or name another table for the input" in hint


def at_work_in(folder: Path) -> list[str]:
    """The processes whose command lines name a folder."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(FileNotFoundError, ProcessLookupError):
            found += [file.parent.name] if str(folder).encode() in file.read_bytes() else []
    return found


def test_the_password_is_nowhere_in_what_runs_leave_behind(
    server: OwnServer, clerk: PostgresSettings, quickstart: ProfilesProject, tmp_path: Path
) -> None:
    folder, home, site = tmp_path / "project", tmp_path / "home", tmp_path / "siteconfig.yaml"
    shutil.copytree(quickstart.folder, folder, ignore=shutil.ignore_patterns("output", ".profiles"))
    home.mkdir()
    load(settings(server.port, "loading"), folder)
    text = siteconfig(server.port, clerk.schema).replace("user: dagster", f"user: {clerk.user}, password: {SECRET}")
    said = []
    for rights, password in (("SUPERUSER", SECRET), ("SUPERUSER", f"wrong-{SECRET}"), ("NOSUPERUSER", SECRET)):
        with connect(settings(server.port, "public"), purpose="test") as admin:
            admin.execute(f"ALTER ROLE {clerk.user} {rights}; REVOKE ALL ON SCHEMA ecommerce FROM PUBLIC")
        site.write_text(text.replace(f"password: {SECRET}", f"password: {password}"), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "profiles_pipeline",
            "run",
            "-p",
            folder,
            "-c",
            site,
            "-t",
            "postgres",
            "--force",
        ]
        done = subprocess.run(command, env={**os.environ, "HOME": str(home)}, capture_output=True, check=False)
        said.append((done.returncode, (done.stdout + done.stderr).decode()))
    assert [code for code, _ in said] == [0, 1, 1], said
    services.wait_for("what is told to Dagster afterwards", lambda: not at_work_in(folder))
    left = [file for place in (folder, home) for file in place.rglob("*") if file.is_file() and not file.is_symlink()]
    assert len(left) > 20
    assert [file for file in left if SECRET.encode() in file.read_bytes()] == []
    assert not any(SECRET in words for _, words in said)
    with connect(settings(server.port, clerk.schema), purpose="test") as admin:
        admin.execute(f"ALTER ROLE {clerk.user} SUPERUSER")  # its views read on its behalf
        rows = [
            str(admin.query(f'SELECT * FROM "{clerk.schema}"."{name}"').rows) for name in admin.relations(clerk.schema)
        ]
    assert len(rows) > 10
    assert not any(SECRET in row for row in rows)
