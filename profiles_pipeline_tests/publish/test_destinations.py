"""What each destination is given, and what it demands."""

import json
from datetime import timedelta

import pytest
from sqlglot import exp

from profiles_pipeline.compile import publishing as sql
from profiles_pipeline.compile.publishing import relations_of
from profiles_pipeline.destinations import DESTINATIONS
from profiles_pipeline.destinations.amplitude import tracking
from profiles_pipeline.dialects import render
from profiles_pipeline.errors import ProjectError
from profiles_pipeline.publish.writing import write
from profiles_pipeline_tests.publish.people import Shop

PEOPLE = {"ann": {"ids": ["ann01"], "n": 1, "name": "Ann"}, "bob": {"ids": ["bob01"], "n": 2}}


def test_amplitude_is_given_a_query_with_the_names_it_shows(local: Shop) -> None:
    publisher = local.publisher(
        name="amp", key="email", destination="amplitude", properties={"Upgrade Score": "n", "title": "name"}
    )
    local.put({"ann": {"ids": ["ann@x.org"], "n": 1, "name": "Ann"}})
    done = local.publish(publisher)
    assert done.mapping is not None
    assert local.session.warehouse.query(done.mapping).columns == ("user_id", "Upgrade Score", "title")
    assert local.session.warehouse.query(done.mapping).rows == [("ann@x.org", 1, "Ann")]


def test_amplitude_cuts_long_texts_where_it_would(local: Shop) -> None:
    publisher = local.publisher(name="amp_long", key="user_id", destination="amplitude", properties=["name"])
    local.put({"ann": {"ids": ["ann01"], "name": "x" * 1024 + "a"}})
    local.publish(publisher)
    assert local.rows("amp_long", "LENGTH(name)") == [(1024,)]
    local.put({"ann": {"ids": ["ann01"], "name": "x" * 1024 + "b"}})
    assert local.publish(publisher).publication is None


def test_the_changes_of_a_table_are_kept_by_each_warehouse_that_can() -> None:
    week = timedelta(days=7)
    assert tracking("snowflake", "DB.S.T", week) == (
        "ALTER TABLE DB.S.T SET DATA_RETENTION_TIME_IN_DAYS = 7",
        "ALTER TABLE DB.S.T SET CHANGE_TRACKING = TRUE",
    )
    (statement,) = tracking("databricks", "s.t", week)
    assert statement.startswith("ALTER TABLE s.t SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true'")
    assert tracking("duckdb", "s.t", week) == ()


def test_braze_is_given_users_by_the_time_of_their_last_change_and_whom_to_delete(local: Shop) -> None:
    publisher = local.publisher(
        name="brz",
        key="user_id",
        destination={"type": "braze", "identifier": "external_id"},
        properties={"How Many": "n", "name": "name"},
    )
    local.put(PEOPLE)
    local.publish(publisher)
    users = local.rows("brz__users", "EXTERNAL_ID, PAYLOAD, UPDATED_AT")
    assert [row[:2] for row in users] == [
        ("ann01", '{"How Many":1,"name":"Ann"}'),
        ("bob01", '{"How Many":2,"name":null}'),
    ]
    assert local.rows("brz__deleted_users") == []
    border = users[0][2]  # Braze has seen everything up to here
    local.put({"ann": PEOPLE["ann"] | {"n": 5}})
    local.publish(publisher)

    def later(view: str, columns: str) -> list[tuple[object, ...]]:
        text = f"SELECT {columns} FROM {local.name(view)} WHERE UPDATED_AT > TIMESTAMP '{border}' ORDER BY UPDATED_AT"
        return local.session.warehouse.query(text).rows

    assert later("brz__users", "EXTERNAL_ID, PAYLOAD") == [("ann01", '{"How Many":5}')]  # each attribute counts
    assert later("brz__deleted_users", "EXTERNAL_ID") == [("bob01",)]
    local.put({"ann": {"ids": ["ann01"], "n": 5, "name": None}})
    local.publish(publisher)
    local.put({"ann": {"ids": ["ann01"], "n": 7, "name": None}, "bob": PEOPLE["bob"]})
    local.publish(publisher)
    # Braze was away meanwhile: each change since has the values of now, so that their order does not matter.
    assert later("brz__users", "EXTERNAL_ID, PAYLOAD") == [
        ("ann01", '{"How Many":7}'),
        ("ann01", '{"name":null}'),
        ("ann01", '{"How Many":7}'),
        ("bob01", '{"How Many":2,"name":null}'),
    ]
    assert local.rows("brz__deleted_users") == []
    everything = local.rows("brz__users", "EXTERNAL_ID, PAYLOAD", "UPDATED_AT, 1")
    assert everything[0] == ("ann01", '{"How Many":7,"name":null}')  # what a sync reads that is new
    local.session.warehouse.execute(f"DELETE FROM {local.name('brz__changes')} WHERE op = 'I'")  # long ago
    assert sorted(local.rows("brz__users", "EXTERNAL_ID, PAYLOAD")) == sorted(everything)
    assert len(later("brz__users", "PAYLOAD")) == 4


@pytest.mark.parametrize("name", ["braze", "iterable"])
def test_what_is_no_number_is_null_in_documents(opened: Shop, name: str) -> None:
    if opened.session.warehouse.dialect == "snowflake":
        pytest.skip("the emulation is slow, and other engines show it")
    publisher = opened.publisher(name=f"nan_{name}", key="user_id", properties=["score"], destination=name)
    scores = {"inf01": "infinity", "nan01": "nan", "neg01": "-infinity", "one01": 1.5, "two02": None}
    opened.put({key: {"ids": [key], "score": score} for key, score in scores.items()})
    opened.publish(publisher)
    column = {"braze": "PAYLOAD", "iterable": "dataFields"}[name]
    found = [json.loads(str(text)) for (text,) in opened.rows(f"nan_{name}__users", column)]
    assert [row["score"] for row in found].count(None) == 4
    assert {"score": 1.5} in found
    opened.put({key: {"ids": [key], "score": score and "nan"} for key, score in scores.items()})
    opened.publish(publisher)
    for (text,) in opened.rows(f"nan_{name}__users", column):
        assert json.loads(str(text)) == {"score": None}


def test_iterable_is_given_fields_and_who_joined_or_left(local: Shop) -> None:
    publisher = local.publisher(
        name="itr", key="email", destination={"type": "iterable", "project_type": "email"}, properties=["n"]
    )
    local.put({"ann": {"ids": ["ann@x.org"], "n": 1}, "bob": {"ids": ["bob@x.org"], "n": 2}})
    local.publish(publisher)
    assert local.rows("itr__users", "email, dataFields") == [("ann@x.org", '{"n":1}'), ("bob@x.org", '{"n":2}')]
    local.put({"ann": {"ids": ["ann@x.org"], "n": 3}})
    local.publish(publisher)
    told = [("ann@x.org", "subscribe"), ("bob@x.org", "subscribe"), ("bob@x.org", "unsubscribe")]
    assert local.rows("itr__list_changes", "email, list_action", "seq") == told


def test_reverse_etl_is_given_a_key_and_a_cursor(local: Shop) -> None:
    publisher = local.publisher(name="retl", key="user_id", destination="rudderstack", properties={"How Many": "n"})
    local.put(PEOPLE)
    done = local.publish(publisher)
    assert local.session.warehouse.query(str(done.mapping)).columns == ("user_id", "How Many", "published_at")


@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "snowflake"])
@pytest.mark.parametrize("name", DESTINATIONS)
def test_every_shape_can_be_said_on_every_engine(local: Shop, name: str, dialect: str) -> None:
    needed = {"files": {"path": "x"}, "webhook": {"url": "https://x.org", "secret_env": "X"}}.get(name, {})
    publisher = local.publisher(name="shape", key="user_id", destination={"type": name, **needed}, properties=["n"])
    relations = relations_of(publisher, "profiles")
    for view in publisher.destination.views(relations):
        assert "FROM" in render(view.query, dialect)
    if publisher.destination.mapping:
        assert (
            "published_at" in render(publisher.destination.mapping(relations), dialect).lower() or name == "amplitude"
        )


def test_a_type_that_a_destination_refuses_is_told_before_anything_is_written(local: Shop) -> None:
    publisher = local.publisher(name="refused", key="born_on", destination="amplitude", properties=["n"])
    local.put(PEOPLE)
    with pytest.raises(ProjectError) as caught:
        local.publish(publisher)
    assert "key 'born_on' of 'refused' is DATE, and keys are texts or whole numbers" in str(caught.value)
    assert "refused" not in local.session.warehouse.relations(local.session.output.schema)


def test_lists_are_refused_by_amplitude_and_texts_elsewhere(local: Shop) -> None:
    source, shape = exp.select("1"), sql.Shape({"n": "VARCHAR[]"}, {"n": "VARCHAR"})
    publisher = local.publisher(name="lists", key="user_id", destination="amplitude", properties=["n"])
    with pytest.raises(ProjectError) as caught:
        sql.desired_query(publisher, source, "VARCHAR", shape)
    assert "'n' of 'lists' is VARCHAR[], which amplitude does not take" in str(caught.value)
    plain = local.publisher(name="lists", key="user_id", properties=["n"])
    assert "TO_JSON" in render(sql.desired_query(plain, source, "VARCHAR", shape), "duckdb")


def test_a_column_without_a_value_yet_is_told_and_keeps_the_type_that_it_has(local: Shop) -> None:
    source, empty = exp.select("1"), '"NULL"'
    publisher = local.publisher(name="empty", key="user_id", destination="amplitude", properties=["n"])
    with pytest.raises(ProjectError, match="has had no value yet, so that nobody knows its type"):
        sql.desired_query(publisher, source, empty, sql.Shape({"n": empty}, {"n": empty}))
    known = sql.desired_query(publisher, source, empty, sql.Shape({"n": empty}, {"n": "BIGINT"}))
    assert 'CAST(s."n" AS BIGINT)' in render(known, "duckdb")


def test_old_changes_go_once_they_have_arrived(opened: Shop) -> None:
    if opened.session.warehouse.dialect == "snowflake":
        pytest.skip("the emulation is slow, and other engines show it")
    spec: dict[str, object] = {"name": "trimmed", "key": "user_id", "properties": ["n"], "keep_changes": "30d"}
    hook = {"type": "webhook", "url": "http://127.0.0.1:9/", "secret_env": "NO_SUCH_SECRET"}

    def aged(days: int) -> None:
        """Let everything that stands there have happened so many days ago."""
        for table in ("trimmed__changes", "publications"):
            earlier = f"published_at - INTERVAL '{days} days'"
            opened.session.warehouse.execute(f"UPDATE {opened.name(table)} SET published_at = {earlier}")

    publisher = opened.publisher(**spec)
    opened.put({"ann": {"ids": ["ann01"], "n": 1}, "bob": {"ids": ["bob01"], "n": 1}})
    opened.publish(publisher)
    aged(20)
    opened.put({"ann": {"ids": ["ann01"], "n": 2}, "bob": {"ids": ["bob01"], "n": 1}})
    opened.publish(publisher)
    assert [row[0] for row in opened.rows("trimmed__changes", "seq", "seq")] == [1, 2, 3]
    aged(11)
    assert opened.publish(publisher).publication is None  # nothing has changed, nothing is written
    ledger = opened.name("publications")
    opened.session.warehouse.execute(f"UPDATE {ledger} SET acknowledged = 1 WHERE publisher = 'trimmed'")
    noted = opened.name("published_as")
    opened.session.warehouse.execute(f"DELETE FROM {noted} WHERE publisher = 'trimmed'")  # or it would begin anew
    waiting = opened.publisher(**spec | {"destination": hook})  # of which all but one change has not arrived
    found = opened.find(waiting)
    assert found.counts.operations == 0
    opened.put({"ann": {"ids": ["ann01"], "n": 3}, "bob": {"ids": ["bob01"], "n": 1}})
    write(opened.session, opened.find(waiting), approved=True)
    assert [row[0] for row in opened.rows("trimmed__changes", "seq", "seq")] == [2, 3, 4]
    opened.put({"ann": {"ids": ["ann01"], "n": 4}, "bob": {"ids": ["bob01"], "n": 1}})
    opened.publish(opened.publisher(**spec))
    assert [row[0] for row in opened.rows("trimmed__changes", "seq", "seq")] == [3, 4, 5]
    opened.put({"ann": {"ids": ["ann01"], "n": 5}, "bob": {"ids": ["bob01"], "n": 1}})
    aged(365)
    opened.publish(opened.publisher(**spec | {"keep_changes": False}))
    assert [row[0] for row in opened.rows("trimmed__changes", "seq", "seq")] == [3, 4, 5, 6]
