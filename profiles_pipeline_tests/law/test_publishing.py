"""Publications that compare only those who have moved leave what publications leave that compare everybody."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from sqlglot import exp

from profiles_pipeline import cleanup
from profiles_pipeline.compile import moved
from profiles_pipeline.errors import RunError
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.publish import basis, publishing, writing
from profiles_pipeline.publish.difference import Difference
from profiles_pipeline.session import open_session
from profiles_pipeline_tests.law import kept, projects
from profiles_pipeline_tests.law.controls import Patch
from profiles_pipeline_tests.law.forgetting import Memory, forgetful
from profiles_pipeline_tests.law.histories import Append, Delete, Forget, History, Step, replay
from profiles_pipeline_tests.law.place import Place
from profiles_pipeline_tests.law.postgres_place import PostgresPlace
from profiles_pipeline_tests.law.profiles import EVERY_RUN, MOST_STEPS, PROFILE
from profiles_pipeline_tests.law.projects import Shape
from profiles_pipeline_tests.law.test_law import keeping_from_the_first_run_on

pytestmark = pytest.mark.slow

FEATURES = ("n_events", "last_event", "first_seen", "plan", "n_ids", "busiest_day", "usual_event")
SHAPE = Shape(FEATURES)
_OF = {"from": "user/all/feature_view", "destination": "table", "properties": list(FEATURES)}
_ALL = {"max_deleted": None, "max_rejected": None}
PUBLISHERS = {
    "every_id": {"key": "user_id", "guards": _ALL},
    "latest": {"key": "anonymous_id", "fan_out": "latest", "deletes": "soft", "guards": _ALL},
    "oldest": {"key": "user_id", "fan_out": "oldest", "destination": "amplitude", "guards": _ALL},
    "people": {"guards": _ALL},
    "copied": {"from": "models/profile", "key": "user_id", "guards": _ALL},
}
_ORDERS = {"latest": "valid_at DESC NULLS LAST", "oldest": "first_seen_at NULLS LAST"}


@dataclass
class Shelf:
    """A place whose profiles are published, and how often less than everybody was compared."""

    place: Place
    project: ProfilesProject
    shortened: int = 0

    def publish(self, name: str, *, approve: bool = False) -> publishing.Outcome:
        return publishing.publish(self.project, self.place.output(self.project), name, approve=approve)

    def query(self, text: str) -> list[tuple[object, ...]]:
        with open_session(self.project, self.place.output(self.project), "test") as session:
            return session.warehouse.query(text).rows

    @property
    def schema(self) -> str:
        return self.place.output(self.project).schema

    def publish_all(self) -> None:
        """Publish by every publisher, and compare each table with the views that it is made from."""
        for name in PUBLISHERS:
            done = self.publish(name)
            missing, extra = (self.query(text) for text in _differences(name, self.schema))
            assert (name, missing, extra) == (name, [], [])
            ((live, rejected),) = self.query(_totals(name, self.schema))
            assert (name, done.counts.inserted + done.counts.updated + done.counts.unchanged) == (name, live)
            assert (name, done.counts.rejected) == (name, rejected)
            assert self.publish(name).publication is None


def _key(name: str) -> str:
    return str(PUBLISHERS[name].get("key", "user_main_id"))


def _expected(name: str, schema: str, where: str) -> str:
    """Return the query of what is to be published, from the plain views."""
    order = _ORDERS.get(str(PUBLISHERS[name].get("fan_out")), "other_id")
    ids = f"""SELECT user_main_id, other_id FROM (
        SELECT *, ROW_NUMBER() OVER (PARTITION BY user_main_id ORDER BY {order}, other_id) AS n
        FROM {schema}.user_id_stitcher WHERE other_id_type = '{_key(name)}'
    ) AS i WHERE n = 1 OR '{PUBLISHERS[name].get("fan_out", "all")}' = 'all'"""
    if name == "people":
        ids = f"SELECT user_main_id, user_main_id AS other_id FROM {schema}.user_all"
    columns = ", ".join(f"f.{column}" for column in FEATURES)
    return f"""SELECT g.other_id, {columns} FROM {schema}.user_feature_view AS f JOIN ({ids}) AS g
        ON g.user_main_id = f.user_main_id WHERE {where}"""


_TAKEN = {"oldest": "LENGTH(other_id) >= 5 AND LOWER(TRIM(other_id)) <> 'undefined'"}


def _differences(name: str, schema: str) -> tuple[str, str]:
    live = "WHERE deleted_at IS NULL" if PUBLISHERS[name].get("deletes") == "soft" else ""
    found = f'SELECT "{_key(name)}", {", ".join(FEATURES)} FROM {schema}."{name}" {live}'
    expected = _expected(name, schema, _TAKEN.get(name, "TRUE"))
    return f"({expected}) EXCEPT ALL ({found})", f"({found}) EXCEPT ALL ({expected})"


def _totals(name: str, schema: str) -> str:
    """Return the query of how many rows are to be there, and how many the destination does not take."""
    taken = _TAKEN.get(name, "TRUE")
    counts = [f"(SELECT COUNT(*) FROM ({_expected(name, schema, where)}) AS e)" for where in (taken, f"NOT ({taken})")]
    return f"SELECT {', '.join(counts)}"


def _with_a_feature_table(generated: Path, folder: Path) -> ProfilesProject:
    """Return a generated project with a table of its features."""
    shutil.copytree(generated, folder)
    models = yaml.safe_load((folder / "models.yaml").read_text())
    spec = {"entity_key": "user", "features": list(FEATURES)}
    models["models"].append({"name": "profile", "model_type": "feature_table_model", "model_spec": spec})
    (folder / "models.yaml").write_text(yaml.safe_dump(models, sort_keys=False))
    return ProfilesProject.load(folder)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    with keeping_from_the_first_run_on():
        yield _shelf(Place(tmp_path / "place", "daily files"), tmp_path, monkeypatch)


def _shelf(place: Place, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    stated = [{"name": name, **_OF, **publisher} for name, publisher in PUBLISHERS.items()]
    project = _with_a_feature_table(projects.load(SHAPE, folder).folder, folder / "project")
    project = project.run_as({"publish": stated}, folder / "pipeline.yaml")
    made = Shelf(place, project)
    write = writing.write

    def counted(session: object, difference: Difference, *, approved: bool) -> object:
        made.shortened += difference.moved is not None
        return write(session, difference, approved=approved)  # type: ignore[arg-type]

    monkeypatch.setattr(publishing, "write", counted)
    return made


def _nothing(_: int) -> None:
    """What happens between a run and its publication."""


def replayed(shelf: Shelf, history: History, between: Callable[[int], None] = _nothing) -> None:
    """Replay a history: publish after every run, and compare."""
    memory = Memory()
    for number, (step, shape, tables) in enumerate(replay(history), start=1):
        shelf.place.write(tables)
        shelf.place.run(shelf.project, step.end)
        memory.runs.append((step.end, shape, memory.seen(tables)))
        for act in step.asked:
            if isinstance(act, Forget) and (meant := memory.meant(act)) is not None:
                memory.requests.append(meant.ids)
                done, report = shelf.place.forget(shelf.project, meant.named)
                assert done.is_verified, done.certificate["left"]
                memory.runs.append((report.window.end.replace(tzinfo=None), shape, memory.seen(tables)))
        between(number)
        shelf.publish_all()


@pytest.mark.timeout(0 if EVERY_RUN else 1800)
def test_generated_histories_are_published_as_they_are() -> None:
    @settings(PROFILE, max_examples=PROFILE.max_examples if EVERY_RUN else 3)
    @given(forgetful("daily files", MOST_STEPS + 1))
    def holds(history: History) -> None:
        steps = tuple(replace(step, shape=None) for step in history.steps)
        with (
            tempfile.TemporaryDirectory() as folder,
            pytest.MonkeyPatch.context() as monkeypatch,
            keeping_from_the_first_run_on(),
        ):
            shelf = _shelf(Place(Path(folder) / "place", "daily files"), Path(folder), monkeypatch)
            replayed(shelf, replace(history, shape=SHAPE, steps=steps))

    holds()


JOINED = replace(kept.HISTORIES["a corrected id parts a person, and another joins it again"], shape=SHAPE)


def _seen(who: str, day: int) -> tuple[object, ...]:
    return (f"user{who}", f"device{who}", "view", 1, None, None, True, datetime(2024, 3, day, 9))


LEFT = History(
    SHAPE,
    "daily files",
    (
        Step((Append("tracks", tuple(_seen(who, 1) for who in "123")),), datetime(2024, 3, 3)),
        Step((Delete("tracks", 2),), datetime(2024, 3, 4)),
        Step((Append("tracks", (_seen("1", 4),)),), datetime(2024, 3, 5)),
    ),
)
"""The third of three persons goes, the first does something, and the second does nothing."""


def test_who_has_not_moved_is_not_compared(shelf: Shelf) -> None:
    replayed(shelf, JOINED)
    assert shelf.shortened >= 6  # of the two runs after the first, for at least three publishers each


@pytest.mark.postgres
def test_who_has_not_moved_is_not_compared_on_postgresql(
    postgres_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = PostgresPlace(postgres_port, tmp_path / "published", "tables")
    try:
        with keeping_from_the_first_run_on():
            shelf = _shelf(place, tmp_path, monkeypatch)
            replayed(shelf, JOINED)
        assert shelf.shortened >= 6
    finally:
        place.remove()


def test_what_is_done_by_hand_to_who_has_not_moved_is_noticed(shelf: Shelf) -> None:
    def altered(number: int) -> None:
        if number == 2:
            shelf.query("UPDATE profiles.every_id SET n_events = 7 WHERE user_id = 'user2'")
            with pytest.raises(RunError, match="1 of its rows were changed by hand"):
                shelf.publish("every_id")
            shelf.publish("every_id", approve=True)

    replayed(shelf, LEFT, altered)


def _clean_up(shelf: Shelf, number: int) -> None:
    """Drop what the first run has left, once the second is done: who was there then alone is nowhere any more."""
    if number == 2:
        with open_session(shelf.project, shelf.place.output(shelf.project), "test") as session:
            fates = cleanup.fates(session, cleanup.Rules(timedelta(0)))
            cleanup.drop(session, [fate for fate in fates if fate.dropped])


def test_states_that_were_cleaned_up_are_not_gone_by(shelf: Shelf) -> None:
    replayed(shelf, LEFT, partial(_clean_up, shelf))
    assert shelf.shortened == len(PUBLISHERS)  # of the third run


def keys_that_were_published_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody had before is not compared, only what they have now."""
    keys_before = moved.keys_before

    def none(*arguments: object) -> exp.Expr:
        found = keys_before(*arguments)  # type: ignore[arg-type]
        assert isinstance(found, exp.Select)
        return found.where("FALSE")

    monkeypatch.setattr(moved, "keys_before", none)


def rows_that_have_ended_tell_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only rows that have come tell who has moved: who is gone has not."""
    monkeypatch.setattr(moved, "OPEN", 0)


def states_are_gone_by_whatever_was_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not looked whether the state that was published is still there."""
    monkeypatch.setattr(basis, "_row_count", lambda *_: 0)


@pytest.mark.parametrize(
    "patch",
    [
        keys_that_were_published_are_not_looked_at,
        rows_that_have_ended_tell_nothing,
        states_are_gone_by_whatever_was_taken_out,
    ],
)
def test_a_part_out_of_order_shows(shelf: Shelf, patch: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    patch(monkeypatch)
    with pytest.raises(AssertionError, match=r"user3"):
        replayed(
            shelf, LEFT, partial(_clean_up, shelf) if patch is states_are_gone_by_whatever_was_taken_out else _nothing
        )
