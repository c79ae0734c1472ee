"""Tables that somebody else has changed, dropped or made anew: it is noticed, and nothing is written until approved."""

from datetime import timedelta

import pytest

from profiles_pipeline.errors import ProjectError, RunError
from profiles_pipeline.publish.tracking import faults_in
from profiles_pipeline.warehouse.base import Rows
from profiles_pipeline_tests.publish.people import Shop, written

PEOPLE = {"ann": {"ids": ["ann01"], "n": 1, "city": "Ulm"}, "bob": {"ids": ["bob01"], "n": 2}}
DEEDS = {
    "cell": ("UPDATE {t} SET n = 7 WHERE user_id = 'ann01'", "1 of its rows were changed by hand"),
    "row_gone": ("DELETE FROM {t} WHERE user_id = 'ann01'", "it has 1 rows, and 2 were published"),
    "row_added": ("INSERT INTO {t} (user_id, n) VALUES ('eve01', 1)", "it has 3 rows, and 2 were published"),
    "column_gone": ("ALTER TABLE {t} DROP COLUMN city", "its column 'city' was dropped by hand"),
    "emptied": ("DELETE FROM {t}", "it has 0 rows, and 2 were published"),
    "dropped": ("DROP TABLE {t}", "was dropped by hand"),
    "replaced": (
        "CREATE TABLE {t}_other AS SELECT * FROM {t}; DROP TABLE {t}; ALTER TABLE {t}_other RENAME TO {b}",
        "was made anew by hand",
    ),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_what_is_done_by_hand_is_noticed_and_mended_once_approved(opened: Shop, deed: str) -> None:
    dialect = opened.session.warehouse.dialect
    if dialect == "snowflake":
        pytest.skip("the emulation is slow, and other engines show it")
    name = f"hand_{deed}"
    publisher = opened.publisher(name=name, key="user_id", properties=["n", "city"])
    opened.put(PEOPLE)
    opened.publish(publisher)
    whole = opened.rows(name, "user_id, n, city")
    statement, told = DEEDS[deed]
    base = opened.name(name).rpartition(".")[2]
    other = opened.name(f"{name}_other")
    for each in statement.split("; "):
        opened.session.warehouse.execute(each.replace("{t}_other", other).format(t=opened.name(name), b=base))
    before = written(opened, name)
    with pytest.raises(RunError) as caught:
        opened.publish(publisher)
    assert told in str(caught.value)
    assert {check.name for check in caught.value.checks if not check.passed} >= {"untouched"}
    assert written(opened, name) == before
    opened.publish(publisher, approve=True)
    assert sorted(opened.rows(name, "user_id, n, city")) == sorted(whole)
    assert opened.publish(publisher).publication is None


def test_a_column_of_another_kind_is_refused(local: Shop) -> None:
    publisher = local.publisher(name="hand_kind", key="user_id", properties=["n"])
    local.put(PEOPLE)
    local.publish(publisher)
    local.session.warehouse.execute(f"ALTER TABLE {local.name('hand_kind')} ALTER COLUMN n TYPE VARCHAR")
    with pytest.raises(ProjectError) as caught:
        local.publish(publisher, approve=True)
    assert "'n' of 'hand_kind' was published as VARCHAR and is BIGINT now" in str(caught.value)


def test_a_table_of_somebody_else_is_left_alone(local: Shop) -> None:
    local.session.warehouse.execute(f"CREATE TABLE {local.name('theirs')} AS SELECT 'x' AS user_id, 1 AS n")
    local.put(PEOPLE)
    with pytest.raises(ProjectError) as caught:
        local.publish(local.publisher(name="theirs", key="user_id", properties=["n"]), approve=True)
    assert [problem.code for problem in caught.value.problems] == ["table-exists"]
    assert local.rows("theirs") == [("x", 1)]


def test_a_column_that_every_table_has_cannot_be_done_without(local: Shop) -> None:
    publisher = local.publisher(name="hand_own", key="user_id", properties=["n"])
    local.put(PEOPLE)
    local.publish(publisher)
    local.session.warehouse.execute(f"ALTER TABLE {local.name('hand_own')} DROP COLUMN row_hash")
    with pytest.raises(ProjectError) as caught:
        local.publish(publisher, approve=True)
    assert [problem.code for problem in caught.value.problems] == ["table-altered"]


@pytest.mark.snowflake
def test_tracking_that_is_switched_off_or_cut_short_is_noticed(opened: Shop) -> None:
    if opened.session.warehouse.dialect != "snowflake":
        pytest.skip("other engines keep no changes")
    publisher = opened.publisher(name="tracked", key="user_id", destination="amplitude", properties=["n"])
    opened.put(PEOPLE)
    opened.publish(publisher)
    assert opened.publish(publisher).publication is None
    table = opened.name("tracked")
    opened.session.warehouse.execute(f"ALTER TABLE {table} SET CHANGE_TRACKING = FALSE")
    opened.session.warehouse.execute(f"ALTER TABLE {table} SET DATA_RETENTION_TIME_IN_DAYS = 1")
    with pytest.raises(RunError) as caught:
        opened.publish(publisher)
    assert "its change tracking is off" in str(caught.value)
    assert "kept for 1 days, and not for 7" in str(caught.value)
    opened.publish(publisher, approve=True)
    assert opened.publish(publisher).publication is None


def test_a_pattern_that_shows_several_tables_is_read_for_the_right_one() -> None:
    columns = ("created_on", "name", "retention_time", "change_tracking")
    shown = Rows(columns, ("", "", "", ""), [(None, "AXB", "1", "OFF"), (None, "A_B", "7", "ON")])
    assert faults_in(shown, "a_b", timedelta(days=7)) == ()
    assert len(faults_in(shown, "axb", timedelta(days=7))) == 2
    assert faults_in(shown, "gone", timedelta(days=7)) == ("the table 'gone' is not shown by SHOW TABLES",)
