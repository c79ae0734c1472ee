"""Somebody is forgotten: gone from every table, and gone for good, as if their rows had never been there."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from profiles_pipeline import execution
from profiles_pipeline.errors import ProjectError, RunError
from profiles_pipeline.forgetting import forgetting, tables
from profiles_pipeline.forgetting.forgetting import Asked, Forgotten, forget, undo
from profiles_pipeline.forgetting.requests import Requests
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.publish.publishing import preview, publish
from profiles_pipeline.session import open_session
from profiles_pipeline_tests.forgetting.town import LATER, MAY, OF_ANN, PIPELINE, Event, Town, without
from profiles_pipeline_tests.publish.receiver import SECRET, receiving
from profiles_pipeline_tests.warehouse.engines import Engine, Postgres, Snowflake

ANN = Asked(("email:ann@example.com",), reason="asked to")
DELETIONS = {"by_user__changes", "by_mail", "by_mail__changes", "in_files__changes"}
"""Tables in which destinations read that somebody is to be deleted."""


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest) -> Engine | None:
    return Postgres(request.getfixturevalue("postgres_port")) if request.param == "postgres" else None


def rebuilt(
    folder: Path, events: tuple[Event, ...], day: str, pipeline: str = PIPELINE
) -> dict[str, list[tuple[object, ...]]]:
    """What a project says that has never had other rows, built at once in a warehouse of its own."""
    town = Town(folder, pipeline=pipeline)
    town.write(events)
    town.run(day)
    return town.views()


def main_ids_of(town: Town, ids: frozenset[str]) -> list[str]:
    return sorted({str(row[0]) for row in town.views()["user_default_id_stitcher"] if ids & {*map(str, row)}})


def test_who_is_forgotten_was_never_there(engine: Engine | None, tmp_path: Path) -> None:
    town = Town(tmp_path / "town", engine)
    for day, rows in (("2024-05-07", MAY[:4]), ("2024-05-08", MAY[:6]), ("2024-05-09", MAY)):
        town.write(rows)
        town.run(day)
    for publisher in town.project.publishers:
        publish(town.project, town.output, publisher.name)
    names = [*OF_ANN, *main_ids_of(town, OF_ANN)]
    assert len(names) == len(OF_ANN) + 1
    assert len(town.traces(names)) > 15  # materials of three runs, what is kept, what is published

    (done,) = forget(town.project, town.output, ANN)

    _is_certified(town, done, names)
    assert town.views() == rebuilt(tmp_path / "may", without(MAY, OF_ANN), "2024-05-09")
    (folder,) = (town.folder / "published/in_files/delta").glob("000002*")
    assert (folder / "in_files_00001.csv").read_text().splitlines()[1].startswith('"D","u-ann"')

    # Their events come again, one of them ties a new device to them, another one theirs to somebody else.
    town.write(MAY + LATER)
    report = town.run("2024-05-10")
    assert {item.how.action for item in report.built if item.how} >= {"increment"}
    assert not any("was changed" in item.how.reason for item in report.built if item.how)
    expected = rebuilt(tmp_path / "later", without(MAY + LATER, OF_ANN), "2024-05-10")
    shown = town.views()
    assert shown == expected
    assert any("d-new" in row for row in shown["user_default_id_stitcher"])
    town.run("2024-05-10", force=True)
    assert town.views() == expected
    for publisher in town.project.publishers:
        publish(town.project, town.output, publisher.name)
    assert town.traces(names).keys() == DELETIONS

    assert forget(town.project, town.output, ANN) == ()  # there is nobody left to forget
    undo(town.project, town.output, ANN)
    town.run("2024-05-11")
    assert town.views() == rebuilt(tmp_path / "undone", MAY + LATER, "2024-05-11")


def _is_certified(town: Town, done: Forgotten, names: list[str]) -> None:
    """The certificate says that nothing is left, names nobody, and is right."""
    certificate = done.certificate
    assert certificate["verified"], certificate["left"]
    assert certificate["ids"] == {"badge": 1, "device": 2, "email": 1, "user_id": 1}
    assert [json.loads(file.read_text()) for file in done.files if file.suffix == ".json"] == [certificate]
    assert not any(text in file.read_text() for file in done.files for text in names)
    left = town.traces(names)
    assert left.keys() == DELETIONS, left.keys() - DELETIONS
    for table in DELETIONS - {"by_mail"}:
        ((_, _, op, key, main_id, main_id_before, *_),) = left[table]
        assert (op, key in OF_ANN, main_id, main_id_before) == ("D", True, None, None)
    (tombstone,) = left["by_mail"]
    assert next(cell for cell in tombstone if cell is not None) == "ann@example.com"
    assert sum(cell is not None for cell in tombstone) == 3  # with the times of the publication and of the deletion


def test_of_those_who_were_once_taken_for_one_the_other_stays(tmp_path: Path) -> None:
    first: Event = ("e00", "u-bob", None, None, "acme", "view", None, "2024-05-06 08:00:00")
    tie: Event = ("e99", "u-ann", "bob@example.com", None, None, "view", None, "2024-05-07 09:00:00")
    town = Town(tmp_path / "town")
    for day, rows in (("2024-05-07", MAY[:4]), ("2024-05-08", (*MAY[:6], tie)), ("2024-05-09", MAY)):
        town.write((first, *rows))
        town.run(day)
    (bob,) = main_ids_of(town, frozenset({"u-bob"}))

    def runs_with_bob() -> list[str]:
        kept = town.traces([bob])
        return sorted(t.rpartition("_")[2] for t in kept if t.startswith("Material_weekly") or "_mappings" in t)

    before = runs_with_bob()
    (done,) = forget(town.project, town.output, ANN)
    assert done.is_verified
    assert main_ids_of(town, frozenset({"u-bob"})) == [bob]
    assert town.views() == rebuilt(tmp_path / "new", without((first, *MAY), OF_ANN), "2024-05-09")
    assert not {*before} - {*runs_with_bob()}  # what is bob's alone stays, in the run in which they were one as well


@pytest.mark.postgres
def test_days_that_are_taken_for_known_are_read_again(postgres_port: int, tmp_path: Path) -> None:
    pipeline = "inputs:\n  events: {changes: append}\n"
    town = Town(tmp_path / "appended", Postgres(postgres_port), pipeline)
    for day, rows in (("2024-05-07", MAY[:4]), ("2024-05-08", MAY[:6]), ("2024-05-09", MAY)):
        town.write(rows)
        town.run(day)
    (done,) = forget(town.project, town.output, ANN)
    assert done.is_verified
    expected = rebuilt(tmp_path / "new", without(MAY, OF_ANN), "2024-05-09", pipeline)
    assert town.views() == expected
    more: Event = ("e20", "u-dan", None, None, "acme", "order", 12, "2024-05-09 10:00:00")
    town.write((*MAY, more))
    town.run("2024-05-10")
    assert town.views() == rebuilt(tmp_path / "more", without((*MAY, more), OF_ANN), "2024-05-10", pipeline)


ONE = """
publish:
  - {name: by_user, from: user/all/feature_view, destination: table, key: user_id}
"""


@pytest.mark.snowflake
def test_snowflake_forgets_as_well(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if not request.config.getoption("--every-project"):
        pytest.skip("the emulation is slow, and other engines show it")
    town = Town(tmp_path / "snow", Snowflake(request.getfixturevalue("snowflake_account")), ONE)
    town.write(MAY)
    town.run("2024-05-09")
    publish(town.project, town.output, "by_user")
    names = [*OF_ANN, *main_ids_of(town, OF_ANN)]
    assert len(town.traces(names)) > 5
    (done,) = forget(town.project, town.output, ANN)
    assert done.is_verified
    assert [table.lower() for table in town.traces(names)] == ["by_user__changes"]


HOOK = """
publish:
  - {name: by_user, from: user/all/feature_view, destination: table, key: user_id}
  - name: hook
    from: user/all/feature_view
    key: user_id
    destination: {type: webhook, url_env: HOOK_URL, secret_env: HOOK_SECRET, attempts: 1}
"""


ONCE = """
publish:
  - {name: renamed, from: user/all/feature_view, destination: table, key: user_id}
  - {name: of_old, from: user/all/feature_view, destination: table, key: user_id}
  - {name: in_old, from: user/all/feature_view, key: user_id, destination: {type: files, path: old, formats: [csv]}}
  - {name: other_key, from: user/all/feature_view, destination: table, key: user_id, deletes: soft}
  - {name: other_deletes, from: user/all/feature_view, destination: table, key: user_id}
"""
NOW = """
publish:
  - {name: renamed_now, from: user/all/feature_view, destination: table, key: user_id}
  - {name: other_key, from: user/all/feature_view, destination: {type: files, path: new}, key: email}
  - {name: other_deletes, from: user/all/feature_view, destination: table, key: user_id, deletes: soft}
"""


def test_who_is_forgotten_goes_from_what_publishers_have_left_that_are_not_declared_so_any_more(tmp_path: Path) -> None:
    town = Town(tmp_path / "town", pipeline=ONCE)
    town.write(MAY)
    town.run("2024-05-09")
    for publisher in town.project.publishers:
        publish(town.project, town.output, publisher.name)
    names = [*OF_ANN, *main_ids_of(town, OF_ANN)]
    (town.folder / "pipeline.yaml").write_text(NOW, encoding="utf-8")
    town.project = ProfilesProject.load(town.folder)
    with open_session(town.project, town.output, "test") as session:  # as if it had been made before this was noted
        table = f'"{town.output.schema}"."published_as"'
        session.warehouse.execute(f"DELETE FROM {table} WHERE publisher = 'of_old'")
        assert forgetting.foresee(session, ANN).rows == dict.fromkeys(
            ("renamed", "of_old", "in_old", "other_key", "other_deletes"), 1
        )
    (done,) = forget(town.project, town.output, ANN)
    assert done.is_verified
    left = town.traces(names)
    deletions = {f"{each}__changes" for each in ("renamed", "of_old", "in_old", "other_key", "other_deletes")}
    assert left.keys() == deletions | {"other_key"}
    for table in deletions:
        ((_, _, op, key, *_),) = left[table]
        assert (op, key) == ("D", "u-ann")
    assert sum(cell is not None for cell in left["other_key"][0]) == 3  # the key and two times
    (folder,) = (town.folder / "old/in_old/delta").glob("000002*")
    assert (folder / "in_old_00001.csv").read_text().splitlines()[1].startswith('"D","u-ann"')
    published = done.certificate["published"]
    assert isinstance(published, list)
    undeclared = {each["publisher"] for each in published if "not declared any more" in each["still_to_do"]}
    assert undeclared == {"renamed", "of_old", "in_old"}


class Cut(BaseException):
    """What would come next never does."""


def _cut(*_: object, **__: object) -> object:
    raise Cut


def _cut_after(calls: int, function: Callable[..., object]) -> Callable[..., object]:
    left = [calls]

    def counted(*args: object) -> object:
        left[0] -= 1
        return function(*args) if left[0] >= 0 else _cut()

    return counted


def test_it_is_gone_on_with_wherever_it_was_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    town = Town(tmp_path / "town", pipeline=HOOK)
    town.write(MAY)
    town.run("2024-05-09")
    publish(town.project, town.output, "by_user")
    with receiving() as receiver:
        receiver.answer = lambda *_: (503, {}, 0)
        monkeypatch.setenv("HOOK_URL", receiver.url)
        monkeypatch.setenv("HOOK_SECRET", SECRET)
        with pytest.raises(RunError, match="4 changes left to send"):
            publish(town.project, town.output, "hook")
        cuts: list[tuple[object, str, object]] = [
            (forgetting, "_unpublished", _cut),
            (forgetting, "_built_without", _cut),
            (execution, "promote", _cut),
            (tables, "render", _cut_after(9, tables.render)),  # in the transaction that takes rows out
            (forgetting, "what_is_left", _cut),
            (forgetting.certificates, "write", _cut),
        ]
        for number, (owner, name, cut) in enumerate(cuts):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(owner, name, cut)
                with pytest.raises(Cut):
                    forget(town.project, town.output, ANN if number == 0 else None)
            if number == 0:  # nobody sends what is about to go
                with preview(town.project, town.output, "by_user") as found:
                    assert [(op, key) for op, key, _ in found.sample] == [("D", "u-ann")]
        _killed(town)
        (done,) = forget(town.project, town.output, None)
        assert done.is_verified
        with open_session(town.project, town.output, "test") as session:
            runs = [each.number for each in session.registry.seq_nos(town.project.name) if each.is_run]
        assert runs == [done.certificate["rebuilt_as"], 1]  # the run that was cut off was gone on with
        (hook,) = [each for each in done.certificate["published"] if each["publisher"] == "hook"]  # type: ignore[attr-defined]
        assert not hook["handed_on"]
        assert hook["deletions"] == 1  # counted once, however often it was gone on with
        rows = done.certificate["rows"]
        assert isinstance(rows, dict)
        assert {name.partition("_default_id_stitcher_")[0]: n for name, n in rows.items() if "_mappings" in name} == {
            "Material_user": len(OF_ANN)
        }
        assert town.traces(OF_ANN).keys() == {"by_user__changes", "hook__changes"}
        receiver.answer = lambda *_: (200, {}, 0)
        publish(town.project, town.output, "hook")
        taken = [(each["op"], each["key"]) for each in receiver.taken]
        assert taken == [("insert", "u-bob"), ("insert", "u-cat"), ("insert", "u-dan"), ("delete", "u-ann")]
    assert town.views() == rebuilt(tmp_path / "new", without(MAY, OF_ANN), "2024-05-09", HOOK)


def _killed(town: Town) -> None:
    """The process that goes on is killed right before its transaction ends."""
    script = (
        "import os, signal, sys; from profiles_pipeline.forgetting import forgetting;"
        "forgetting.Requests.finish = lambda *_: os.kill(os.getpid(), signal.SIGKILL);"
        "from profiles_pipeline.project import ProfilesProject; from profiles_pipeline import connections;"
        "project = ProfilesProject.load(sys.argv[1]);"
        "forgetting.forget(project, connections.embedded(project.folder), None)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(town.folder)], check=False, env={**os.environ})
    assert done.returncode == -signal.SIGKILL


def test_who_is_not_known_is_kept_out_only_where_that_is_asked_for(tmp_path: Path) -> None:
    town = Town(tmp_path / "town")
    town.write(MAY)
    town.run("2024-05-09")
    for written, code in (
        ("email:eve@example.com", "unknown-id"),
        ("mail:ann@example.com", "unknown-id-type"),
        ("ann@example.com", "bad-id"),
        ("email:", "bad-id"),
    ):
        with pytest.raises(ProjectError) as caught:
            forget(town.project, town.output, Asked((written,)))
        assert caught.value.problems[0].code == code
    with pytest.raises(ProjectError, match="no entity has ids of all these types"):
        forget(town.project, town.output, Asked(("user_id:u-ann", "account_id:acme")))
    with open_session(town.project, town.output, "test") as session:
        assert Requests(session).all() == ()
    (done,) = forget(town.project, town.output, Asked(("device:d-new",), unknown=True))
    assert done.is_verified
    town.write(MAY + LATER)
    town.run("2024-05-10")
    assert town.views() == rebuilt(tmp_path / "new", without(MAY + LATER, {"d-new"}), "2024-05-10")
