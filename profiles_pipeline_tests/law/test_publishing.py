"""Publications that compare only those who have moved leave what publications leave that compare everybody."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings

from profiles_pipeline import cleanup
from profiles_pipeline.errors import RunError
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.publish import publishing, writing
from profiles_pipeline.publish.difference import Difference
from profiles_pipeline.session import open_session
from profiles_pipeline_tests.law import kept, projects
from profiles_pipeline_tests.law.forgetting import Memory, forgetful
from profiles_pipeline_tests.law.histories import Forget, History, Step, replay
from profiles_pipeline_tests.law.place import Place
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

    def publish_all(self) -> None:
        """Publish by every publisher, and compare each table with the views that it is made from."""
        for name in PUBLISHERS:
            done = self.publish(name)
            missing, extra = (self.query(text) for text in _differences(name))
            assert (name, missing, extra) == (name, [], [])
            ((live, rejected),) = self.query(_TOTALS[name])
            assert (name, done.counts.inserted + done.counts.updated + done.counts.unchanged) == (name, live)
            assert (name, done.counts.rejected) == (name, rejected)
            assert self.publish(name).publication is None


def _key(name: str) -> str:
    return str(PUBLISHERS[name].get("key", "user_main_id"))


def _expected(name: str, where: str) -> str:
    """Return the query of what is to be published, from the plain views."""
    order = _ORDERS.get(str(PUBLISHERS[name].get("fan_out")), "other_id")
    ids = f"""SELECT user_main_id, other_id FROM (
        SELECT *, ROW_NUMBER() OVER (PARTITION BY user_main_id ORDER BY {order}, other_id) AS n
        FROM profiles.user_id_stitcher WHERE other_id_type = '{_key(name)}'
    ) WHERE n = 1 OR '{PUBLISHERS[name].get("fan_out", "all")}' = 'all'"""
    if name == "people":
        ids = "SELECT user_main_id, user_main_id AS other_id FROM profiles.user_all"
    columns = ", ".join(f"f.{column}" for column in FEATURES)
    return f"""SELECT g.other_id, {columns} FROM profiles.user_feature_view AS f JOIN ({ids}) AS g
        ON g.user_main_id = f.user_main_id WHERE {where}"""


_TAKEN = {"oldest": "LENGTH(other_id) >= 5 AND LOWER(TRIM(other_id)) <> 'undefined'"}


def _differences(name: str) -> tuple[str, str]:
    live = "WHERE deleted_at IS NULL" if PUBLISHERS[name].get("deletes") == "soft" else ""
    found = f'SELECT "{_key(name)}", {", ".join(FEATURES)} FROM profiles."{name}" {live}'
    expected = _expected(name, _TAKEN.get(name, "TRUE"))
    return f"({expected}) EXCEPT ALL ({found})", f"({found}) EXCEPT ALL ({expected})"


_TOTALS = {
    name: f"""SELECT (SELECT COUNT(*) FROM ({_expected(name, _TAKEN.get(name, "TRUE"))})),
        (SELECT COUNT(*) FROM ({_expected(name, f"NOT ({_TAKEN.get(name, 'TRUE')})")}))"""
    for name in PUBLISHERS
}


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    with keeping_from_the_first_run_on():
        yield _shelf(tmp_path, monkeypatch)


def _shelf(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    stated = [{"name": name, **_OF, **publisher} for name, publisher in PUBLISHERS.items()]
    project = projects.load(SHAPE, folder).run_as({"publish": stated}, folder / "pipeline.yaml")
    made = Shelf(Place(folder / "place", "daily files"), project)
    write = writing.write

    def counted(session: object, difference: Difference, *, approved: bool) -> object:
        made.shortened += difference.moved is not None
        return write(session, difference, approved=approved)  # type: ignore[arg-type]

    monkeypatch.setattr(publishing, "write", counted)
    return made


def replayed(shelf: Shelf, history: History, between: Callable[[int], None] = lambda _: None) -> None:
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
            replayed(_shelf(Path(folder), monkeypatch), replace(history, shape=SHAPE, steps=steps))

    holds()


JOINED = replace(kept.HISTORIES["a corrected id parts a person, and another joins it again"], shape=SHAPE)


def test_who_has_not_moved_is_not_compared(shelf: Shelf) -> None:
    replayed(shelf, JOINED)
    assert shelf.shortened >= 6  # of the two runs after the first, for at least three publishers each


def test_what_is_done_by_hand_to_who_has_not_moved_is_noticed(shelf: Shelf) -> None:
    first, *others = JOINED.steps
    replayed(shelf, replace(JOINED, steps=(first,)))
    step = Step(others[0].changes, others[0].end)
    tables = list(replay(replace(JOINED, steps=(first, step))))[-1][2]
    shelf.place.write(tables)
    shelf.place.run(shelf.project, step.end)
    shelf.query("UPDATE profiles.people SET n_events = n_events + 1")
    with pytest.raises(RunError, match="of its rows were changed by hand"):
        shelf.publish("people")
    shelf.publish("people", approve=True)
    shelf.publish_all()


def test_states_that_were_cleaned_up_are_not_gone_by(shelf: Shelf) -> None:
    def cleaned(number: int) -> None:
        if number == 3:
            with open_session(shelf.project, shelf.place.output(shelf.project), "test") as session:
                fates = cleanup.fates(session, cleanup.Rules(timedelta(0)))
                cleanup.drop(session, [fate for fate in fates if fate.dropped])

    replayed(shelf, JOINED, cleaned)
