"""Runs on a local emulation of Snowflake that are killed, and what runs leave behind."""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from profiles_pipeline.cli import main
from profiles_pipeline.errors import RunError
from profiles_pipeline.plan import Request
from profiles_pipeline_tests.test_postgres_projects import Place, cells, place
from profiles_pipeline_tests.warehouse.engines import Snowflake

if TYPE_CHECKING:
    from pathlib import Path

    from profiles_pipeline_tests.warehouse.snowflake import Account

pytestmark = pytest.mark.snowflake

FIRST, SECOND = datetime(2023, 6, 2, tzinfo=UTC), datetime(2023, 11, 7, tzinfo=UTC)
PLAIN_VIEW = re.compile(r'CREATE OR REPLACE VIEW "QUICKSTART"\."(?!MATERIAL_)')


@pytest.fixture(scope="module")
def built(snowflake_account: Account, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The quickstart as of a first day."""
    folder = tmp_path_factory.mktemp("runs") / "quickstart"
    made = place("quickstart", Snowflake(snowflake_account), folder, FIRST)
    made.run("snowflake")
    return made


def killed(place: Place, account: Account, at: re.Pattern[str], number: int) -> None:
    """Run in a process of its own, which is killed when the server meets the n-th statement of a kind."""
    command = [sys.executable, "-m", "profiles_pipeline", "run", "-p", str(place.folder), "-c", str(place.siteconfig)]
    process = subprocess.Popen(
        [*command, "-t", "snowflake", "--end-time", f"{place.end:%Y-%m-%d}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    account.killing = (at, number, process.pid)
    assert process.wait(120) == -signal.SIGKILL


def shown(place: Place, target: str = "snowflake") -> dict[str, list[tuple[object, ...]]]:
    """What the views of the models hold: those that a run promotes at its end."""
    return {name: cells(rows) for name, rows in place.views(target).items() if not name.endswith("_id_changes")}


def test_a_run_that_is_killed_leaves_the_views_of_yesterday_and_is_gone_on_with(
    built: Place, snowflake_account: Account
) -> None:
    later = replace(built, end=SECOND)
    yesterday = shown(built)
    # Between the tables that a model is made of: nothing can be rolled back there.
    killed(later, snowflake_account, re.compile(r'CREATE OR REPLACE TRANSIENT TABLE "QUICKSTART"'), 3)
    assert shown(later) == yesterday
    # Between two views: each is whole, some are of today.
    killed(later, snowflake_account, PLAIN_VIEW, 3)
    between = shown(later)
    later.run("dev")
    today = shown(later, "dev")
    moved = {name for name, rows in between.items() if rows != yesterday[name]}
    assert moved
    assert all(between[name] == today[name] for name in moved)
    assert any(rows == yesterday[name] != today[name] for name, rows in between.items())
    report = later.run("snowflake")
    assert any(item.reused for item in report.built)
    assert shown(later) == today


def test_old_materials_are_dropped(built: Place, snowflake_account: Account) -> None:
    latest = str(replace(built, end=SECOND).run("snowflake").window.seq_no)
    before = {name: cells(rows) for name, rows in built.views("snowflake").items()}
    tables = _materials(snowflake_account)
    given = ["-p", str(built.folder), "-c", str(built.siteconfig), "-t", "snowflake"]
    with pytest.raises(SystemExit) as left:
        main(["cleanup", "materials", *given, "-r", "0d", "-y"])
    assert left.value.code == 0
    kept = _materials(snowflake_account)
    assert kept < tables
    gone = {name.rsplit("_", 1)[1] for name in tables - kept if name[-1].isdigit()}
    assert "1" in gone
    assert latest not in gone
    assert {name: cells(rows) for name, rows in built.views("snowflake").items()} == before
    assert all(item.reused for item in replace(built, end=SECOND).run("snowflake").built)


def _materials(account: Account) -> set[str]:
    with account.inside("QUICKSTART") as session:
        rows = session._duck_conn.execute("SELECT table_name FROM information_schema.tables").fetchall()
    return {name for (name,) in rows if name.startswith("MATERIAL_") and name != "MATERIAL_REGISTRY"}


def test_what_a_model_has_read_is_told(built: Place, snowflake_account: Account) -> None:
    before = len(snowflake_account.statements)  # of this project, others may have run as well
    report = replace(built, end=FIRST.replace(hour=5)).run("snowflake")
    read = {item.model.path: item.bytes_scanned for item in report.built if not item.reused}
    assert len(read) > 3
    for path, found in read.items():
        own = [s for s in snowflake_account.statements[before:] if s.tag.get("model") == path]
        of_run = [s for s in own if s.tag["seq_no"] == report.window.seq_no and "bytes_scanned" not in s.text]
        assert found == sum(len(s.text) for s in of_run) > 0, path


@pytest.mark.usefixtures("built")
def test_queries_are_tagged_with_their_model(snowflake_account: Account) -> None:
    making = 'CREATE OR REPLACE TRANSIENT TABLE "QUICKSTART"'
    made = [s for s in snowflake_account.statements if s.text.startswith(making)]
    told = {(s.tag["project"], s.tag["model"], s.tag["seq_no"]) for s in made}
    assert ("quickstart", "models/user_id_stitcher", 1) in told
    assert all(s.tag["app"] == "profiles" and s.tag["purpose"] == "profiles run" for s in made)


def test_a_second_factor_is_given_to_a_command(
    built: Place, snowflake_account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["-p", str(built.folder), "-c", str(built.siteconfig)]
    codes = {("snowflake", "123456"): 0, ("snowflake", "999999"): 1, ("dev", "123456"): 2}
    snowflake_account.passcode = "123456"
    try:
        for (target, code), expected in codes.items():
            with pytest.raises(SystemExit) as left:
                main(["query", "select 1 as n", *given, "-t", target, "--passcode", code])
            said = capsys.readouterr()
            assert left.value.code == expected, said.err
            assert code not in said.out + said.err
    finally:
        snowflake_account.passcode = ""
    assert "a passcode belongs to a login to Snowflake by password" in said.err


def test_no_secret_is_left_anywhere(built: Place, snowflake_account: Account, caplog: pytest.LogCaptureFixture) -> None:
    """Not in the log at its most talkative, in an error, in a file, in the registry or in a statement."""
    secret = "open-sesame"
    assert secret in built.siteconfig.read_text(encoding="utf-8")
    caplog.set_level(logging.DEBUG)
    built.run("snowflake")
    snowflake_account.refusals["MATERIAL_USER_ID_STITCHER"] = (3001, "Insufficient privileges")
    try:
        with pytest.raises(RunError) as refused:
            replace(built, end=SECOND.replace(day=9)).run("snowflake")
    finally:
        snowflake_account.refusals.clear()
    assert secret not in str(refused.value)
    assert secret not in caplog.text
    left = [path for path in built.folder.rglob("*") if path.is_file()]
    assert len(left) > 20
    assert not [path for path in left if secret.encode() in path.read_bytes()]
    statements = snowflake_account.statements
    assert len(statements) > 100
    assert not [s for s in statements if secret in s.text or secret in str(s.tag)]
    with snowflake_account.inside("QUICKSTART") as session:
        for table in ("MATERIAL_REGISTRY", "WHT_SEQ_NO", "PB_CT_VERSION", "PROFILES_TURN"):
            assert secret not in str(session._duck_conn.execute(f"SELECT * FROM SHOP.QUICKSTART.{table}").fetchall())


def test_what_cannot_be_said_is_told_where_it_is_written_before_anything_is_made(
    built: Place, snowflake_account: Account, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(built.folder, tmp_path / "quickstart", ignore=shutil.ignore_patterns("output"))
    unsaid = replace(built, folder=copy)
    file = unsaid.folder / "models" / "profiles.yaml"
    text = file.read_text(encoding="utf-8").replace("count(distinct(timestamp::date))", "histogram(event)", 1)
    file.write_text(text, encoding="utf-8")
    line, column = next(
        (n, each.index("histogram")) for n, each in enumerate(text.splitlines(), 1) if "histogram" in each
    )
    before = len(snowflake_account.statements)
    for command in ("validate", "compile", "run"):
        with pytest.raises(SystemExit) as left:
            main([command, "-p", str(unsaid.folder), "-c", str(unsaid.siteconfig), "-t", "snowflake"])
        said = " ".join(capsys.readouterr().err.split())
        assert left.value.code == 2, command
        assert f"models/profiles.yaml:{line}:{column + 1}: error" in said, command
        assert "'n_active_days_total' is not accepted: cannot be said in Snowflake" in said, command
    assert not list(unsaid.folder.rglob("*.sql"))
    made = [s.text for s in snowflake_account.statements[before:] if re.match(r"\s*(CREATE|INSERT|DROP)", s.text)]
    assert not [text for text in made if "MATERIAL" in text.upper()]


CHANGE = re.compile(r'(INSERT INTO|UPDATE|DELETE FROM) "QUICKSTART"\."STATE_')
MADE = re.compile(r"CREATE OR REPLACE TEMPORARY TABLE")
END = re.compile(r"COMMIT")


@pytest.mark.timeout(900)
def test_a_run_that_goes_on_and_is_killed_leaves_what_is_kept_as_it_was(
    built: Place, snowflake_account: Account
) -> None:
    """Among the changes of what is kept, before these hold, and once they do: the next run goes on from there."""
    days = [replace(built, end=SECOND.replace(day=day)) for day in (8, 9)]
    days[0].run("snowflake")  # keeps what the next one goes on from
    before = shown(days[0])
    for kind, number in ((CHANGE, 4), (END, 3), (MADE, 30)):
        killed(days[1], snowflake_account, kind, number)
        assert shown(days[1]) == before
    report = days[1].run("snowflake")
    assert any(item.how.action == "increment" for item in report.built)
    days[1].run("dev", request=Request(whole=True))
    assert shown(days[1]) == shown(days[1], "dev")
