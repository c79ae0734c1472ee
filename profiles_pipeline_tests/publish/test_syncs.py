"""Syncs that are started once a table is written, at an API that is busy, down, forbidding, or whose syncs fail."""

from collections.abc import Iterator

import pytest

from profiles_pipeline.errors import ProjectError, RunError
from profiles_pipeline.publish import syncs
from profiles_pipeline.publish.publishing import with_what_follows
from profiles_pipeline.resolve.publishing import Publisher
from profiles_pipeline_tests.publish.people import Shop
from profiles_pipeline_tests.publish.reverse_etl import CONNECTION, TOKEN, Api, serving

AT = f"/v2/retl-connections/{CONNECTION}"
BEARER = f"Bearer {TOKEN}"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setenv("RUDDERSTACK_ACCESS_TOKEN", TOKEN)
    monkeypatch.setattr(syncs, "_SHORTEST_PAUSE", 0.01)
    with serving() as found:
        yield found


def fetched(shop: Shop, name: str, api: Api, **options: object) -> Publisher:
    destination = {"type": "rudderstack", "connection_id": CONNECTION, "api_url": api.url, **options}
    return shop.publisher(name=name, key="user_id", properties={"How Many": "n"}, destination=destination)


def people(amount: int) -> dict[str, dict[str, object]]:
    return {"p1": {"ids": ["user001"], "n": amount}}


def test_a_sync_is_started_for_what_has_changed_and_watched_to_its_end(local: Shop, api: Api) -> None:
    publisher = fetched(local, "retl_plain", api)
    api.states = [{"status": "running"}, {"status": "running"}, {"status": "succeeded"}]
    local.put(people(1))
    done = with_what_follows(local.publish(publisher))
    assert done.delivered.syncs == ("sync1",)
    assert api.calls == [
        ("POST", f"{AT}/start", BEARER, {"syncType": "incremental"}),
        *[("GET", f"{AT}/syncs/sync1", BEARER, None)] * 3,
    ]
    (check,) = [check for check in done.checks if check.name == "sync_succeeded"]
    assert check.passed
    again = with_what_follows(local.publish(publisher))
    assert (again.publication, again.delivered.syncs) == (None, ())
    assert [check.name for check in again.checks if check.name == "sync_succeeded" and check.passed]
    assert api.started == 1


@pytest.mark.parametrize(
    ("states", "passed", "stops", "told"),
    [
        ([{"status": "failed", "error": "the warehouse is suspended"}], False, True, "the warehouse is suspended"),
        ([{"status": "aborted"}], False, True, "has aborted: no reason is given"),
        ([{"status": "running"}], False, False, "has not ended yet"),
    ],
)
def test_how_a_sync_ends_is_told(
    local: Shop, api: Api, states: list[dict[str, object]], passed: bool, stops: bool, told: str
) -> None:
    publisher = fetched(local, f"retl_{states[0]['status']}", api, wait="1 second")
    api.states = states
    local.put(people(1))
    check = with_what_follows(local.publish(publisher)).checks[-1]
    assert (check.passed, check.stops) == (passed, stops)
    assert told in check.description


def test_a_start_that_is_not_possible_now_is_tried_again(local: Shop, api: Api) -> None:
    """409: a sync is running, which may have read the table before it was written."""
    publisher = fetched(local, "retl_busy", api)
    api.starts = [409, 503]
    local.put(people(1))
    assert local.publish(publisher).delivered.syncs == ("sync3",)


def test_a_start_that_is_refused_is_left_for_the_next_publication(local: Shop, api: Api) -> None:
    publisher = fetched(local, "retl_refused", api)
    api.starts = [403]
    local.put(people(1))
    with pytest.raises(RunError, match=r"'retl_refused' is written, and its sync could not be started: .* answers 403"):
        local.publish(publisher)
    assert local.rows("retl_refused", "user_id") == [("user001",)]
    done = local.publish(publisher)
    assert (done.publication, done.delivered.syncs) == (None, ("sync2",))


def test_a_token_that_cannot_be_one_is_told(local: Shop, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUDDERSTACK_ACCESS_TOKEN", f"{TOKEN}\n")
    local.put(people(1))
    with pytest.raises(ProjectError, match="RUDDERSTACK_ACCESS_TOKEN has characters that no token has"):
        local.publish(fetched(local, "retl_newline", api))
    assert api.calls == []


def test_nothing_is_written_without_a_token(local: Shop, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    publisher = fetched(local, "retl_tokenless", api)
    monkeypatch.delenv("RUDDERSTACK_ACCESS_TOKEN")
    local.put(people(1))
    with pytest.raises(ProjectError, match="the environment has no RUDDERSTACK_ACCESS_TOKEN"):
        local.publish(publisher)
    assert "retl_tokenless" not in local.session.warehouse.relations(local.session.output.schema)
    assert api.calls == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"api_url": "http://api.example.com/v2"}, "cannot send a token to 'api.example.com'"),
        ({"connection_id": "../../admin"}, "is no id of a connection"),
    ],
)
def test_where_a_token_goes_is_looked_at(local: Shop, api: Api, options: dict[str, str], told: str) -> None:
    local.put(people(1))
    with pytest.raises((ProjectError, IndexError)) as caught:
        local.publish(fetched(local, "retl_elsewhere", api, **options))
    problems = caught.value.problems if isinstance(caught.value, ProjectError) else local.session.project.errors
    assert any(told in problem.message for problem in problems)
    assert api.calls == []


def test_without_a_connection_the_table_is_all(local: Shop, api: Api) -> None:
    publisher = local.publisher(name="retl_table", key="user_id", destination="rudderstack", properties={"n": "n"})
    local.put(people(1))
    done = with_what_follows(local.publish(publisher))
    assert done.publication is not None
    assert done.publication.delivered_at is not None
    assert api.calls == []
    assert not [check for check in done.checks if check.name == "sync_succeeded"]
