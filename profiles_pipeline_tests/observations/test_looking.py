"""Looking at the inputs of a project on a real warehouse."""

import os
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from profiles_pipeline import connections
from profiles_pipeline.observations import Level, Look, changes_since, look, observing, versions_of
from profiles_pipeline.observations.columns import columns_in_use
from profiles_pipeline.resolve.model import Input
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline_tests.test_run import Shop

PROJECT = """
name: shop
schema_version: 98
connection: none
model_folders: [models]
entities: [{name: user, id_types: [user_id]}]
id_types: [{name: user_id}]
"""
MODELS = """
inputs:
  - name: orders
    table: orders
    occurred_at_col: ts
    ids: [{select: user_id, type: user_id, entity: user}]
  - name: people
    table: people
    ids: [{select: user_id, type: user_id, entity: user}]
var_groups:
  - name: vars
    entity_key: user
    vars:
      - entity_var: {name: total, select: sum(amount), from: inputs/orders}
      - entity_var: {name: city, select: max(city), from: inputs/people}
"""
HEADER = "user_id,amount,note,ts\n"
ORDERS = HEADER + "u1,10,,2024-01-01 08:00:00\nu2,20,,2024-01-01 09:00:00\nu1,30,,2024-03-31 23:59:59\n"
PEOPLE = "user_id,city\nu1,Bern\nu2,Rome\n"
NOW = datetime(2024, 4, 2, 12, tzinfo=UTC)

Changed = set[tuple[str, object, str]]


def shop_at(folder: Path, models: str = MODELS) -> Shop:
    made = Shop(folder)
    made.write(models, PROJECT, {"orders": ORDERS, "people": PEOPLE})
    return made


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return shop_at(tmp_path)


def seen(shop: Shop, now: datetime = NOW, levels: Mapping[str, Level] | None = None) -> Look:
    project = shop.load()
    with observing(project, connections.embedded(shop.folder)) as registry:
        return look(project, registry, levels, now)


def changed(shop: Shop, since: int = 0) -> Changed:
    project = shop.load()
    with observing(project, connections.embedded(shop.folder)) as registry:
        return {(c.input, c.day, c.kind) for c in changes_since(project, registry, since)}


def write(shop: Shop, name: str, text: str) -> None:
    """Write a file anew, later than before also where the clock of the file system is coarse."""
    file = shop.folder / "data" / f"{name}.csv"
    before = file.stat().st_mtime_ns if file.exists() else 0
    file.write_text(text, encoding="utf-8")
    if file.stat().st_mtime_ns <= before:
        os.utime(file, ns=(before + 1, before + 1))


def add(shop: Shop, *rows: str) -> None:
    write(shop, "orders", ORDERS + "".join(f"{row}\n" for row in rows))


def test_an_input_that_is_new_is_told_as_that(shop: Shop) -> None:
    first = seen(shop)
    assert first.number == 1
    assert changed(shop) == {
        ("inputs/orders", date(2024, 1, 1), "first"),
        ("inputs/orders", date(2024, 3, 31), "first"),
        ("inputs/people", None, "first"),
    }
    assert seen(shop).number == 1
    assert changed(shop, since=1) == set()


CHANGES: Mapping[str, tuple[Callable[[Shop], None], Changed]] = {
    "new rows": (
        lambda s: add(s, "u3,5,,2024-04-02 00:00:00", "u3,6,,2024-04-01 23:00:00"),
        {("inputs/orders", date(2024, 4, 2), "new"), ("inputs/orders", date(2024, 4, 1), "new")},
    ),
    "late rows of three months ago": (
        lambda s: add(s, "u3,5,,2024-01-01 01:00:00", "u3,5,,2024-01-02 01:00:00"),
        {("inputs/orders", date(2024, 1, 1), "late"), ("inputs/orders", date(2024, 1, 2), "late")},
    ),
    "a value that is corrected": (
        lambda s: write(s, "orders", ORDERS.replace("u2,20", "u2,21")),
        {("inputs/orders", date(2024, 1, 1), "corrected")},
    ),
    "two values that change places": (
        lambda s: write(s, "orders", ORDERS.replace("u1,10", "u1,x").replace("u2,20", "u2,10").replace("x", "20")),
        {("inputs/orders", date(2024, 1, 1), "corrected")},
    ),
    "a value that nothing is made of": (
        lambda s: write(s, "orders", ORDERS.replace("u2,20,", "u2,20,hello")),
        set(),
    ),
    "rows in another order": (
        lambda s: write(s, "orders", HEADER + "\n".join(reversed(ORDERS.splitlines()[1:])) + "\n"),
        set(),
    ),
    "a table that is emptied": (
        lambda s: write(s, "orders", HEADER),
        {("inputs/orders", date(2024, 1, 1), "emptied"), ("inputs/orders", date(2024, 3, 31), "emptied")},
    ),
    "rows without a time": (
        lambda s: write(s, "people", PEOPLE + "u3,Oslo\n"),
        {("inputs/people", None, "late")},
    ),
    "rows of 1970": (
        lambda s: add(s, "u3,5,,1970-01-01 00:00:00"),
        {("inputs/orders", date(1970, 1, 1), "late")},
    ),
    "rows of the far future": (lambda s: add(s, "u3,5,,2999-01-01 00:00:00"), set()),
}  # fmt: skip


@pytest.mark.parametrize(("happens", "expected"), CHANGES.values(), ids=CHANGES)
def test_what_has_changed(shop: Shop, happens: Callable[[Shop], None], expected: Changed) -> None:
    seen(shop)
    happens(shop)
    found = seen(shop)
    assert changed(shop, since=1) == expected
    assert found.number == (2 if expected else 1)
    assert seen(shop).number == found.number


def test_rows_with_odd_times_are_counted_and_said(shop: Shop) -> None:
    add(shop, "u3,5,,1970-01-01 00:00:00", "u3,5,,2999-01-01 00:00:00", "u3,5,,2998-01-01 00:00:00")
    (orders, people) = seen(shop).inputs
    assert orders.sight is not None
    assert (orders.sight.rows, orders.sight.early, orders.sight.ahead) == (4, 1, 2)
    assert orders.sight.next_at == datetime(2998, 1, 1, tzinfo=UTC)
    assert people.sight is not None
    assert (people.sight.rows, people.sight.early, people.sight.ahead) == (2, 0, 0)


def test_rows_are_new_once_their_time_has_come(shop: Shop) -> None:
    add(shop, "u3,5,,2024-04-02 13:00:00")
    assert seen(shop).number == 1
    assert seen(shop, NOW + timedelta(minutes=59)).number == 1
    assert seen(shop, NOW + timedelta(minutes=61)).number == 2
    assert changed(shop, since=1) == {("inputs/orders", date(2024, 4, 2), "new")}


def test_a_clock_that_is_set_back_takes_no_rows_away(shop: Shop) -> None:
    add(shop, "u3,5,,2024-04-02 11:30:00")
    seen(shop)
    write(shop, "people", PEOPLE + "u3,Oslo\n")
    add(shop, "u3,5,,2024-04-02 11:30:00", "u3,5,,2024-04-02 11:45:00")
    seen(shop, NOW - timedelta(hours=2))
    assert changed(shop, since=1) == {("inputs/people", None, "late"), ("inputs/orders", date(2024, 4, 2), "new")}


def test_a_clock_that_was_wrong_by_years_is_not_believed_for_ever(shop: Shop) -> None:
    add(shop, "u3,5,,2030-01-01 00:00:00")
    seen(shop, datetime(2031, 1, 1, tzinfo=UTC))
    write(shop, "orders", ORDERS + "u3,6,,2030-01-01 00:00:00\n")
    seen(shop)
    assert changed(shop, since=1) == {("inputs/orders", date(2030, 1, 1), "emptied")}


def test_an_input_that_is_missing_for_an_hour_has_not_changed(shop: Shop) -> None:
    seen(shop)
    before = versions(shop)
    file = shop.folder / "data" / "orders.csv"
    shutil.move(file, shop.folder / "orders.csv")
    (orders, _) = seen(shop).inputs
    assert orders.problem is not None
    assert "table 'orders' was not found" in orders.problem
    assert (changed(shop, since=1), versions(shop)) == (set(), before)
    shutil.move(shop.folder / "orders.csv", file)
    assert seen(shop).number == 1
    add(shop, "u3,5,,2024-01-01 01:00:00")
    assert seen(shop).number == 2


def test_a_file_that_is_half_written_has_not_changed(shop: Shop) -> None:
    seen(shop)
    write(shop, "orders", "")
    assert seen(shop).inputs[0].problem is not None
    write(shop, "orders", ORDERS.replace("2024-03-31 23:59:59", "soon"))
    assert seen(shop).inputs[0].problem is not None
    assert changed(shop, since=1) == set()


def versions(shop: Shop) -> dict[str, str]:
    project = shop.load()
    with observing(project, connections.embedded(shop.folder)) as registry:
        return versions_of(project, registry)


def test_a_version_changes_with_the_rows_and_comes_back_with_them(shop: Shop) -> None:
    seen(shop)
    first = versions(shop)
    add(shop, "u3,5,,2024-01-01 01:00:00")
    seen(shop)
    second = versions(shop)
    assert second["inputs/people"] == first["inputs/people"]
    assert second["inputs/orders"] != first["inputs/orders"]
    write(shop, "orders", ORDERS)
    seen(shop)
    assert versions(shop) == first


def test_files_that_are_as_they_were_are_not_read(shop: Shop) -> None:
    assert [o.was_read for o in seen(shop).inputs] == [True, True]
    file = shop.folder / "data" / "orders.csv"
    status = file.stat()
    file.write_text("x" * status.st_size, encoding="utf-8")  # nobody could make sense of it
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    again = seen(shop, NOW + timedelta(hours=1))
    assert [(o.was_read, o.problem) for o in again.inputs] == [(False, None), (False, None)]


def test_of_several_files_only_those_that_have_changed_are_read(shop: Shop) -> None:
    (shop.folder / "data" / "orders.csv").unlink()
    folder = shop.folder / "data" / "orders"
    folder.mkdir()
    for name, rows in {"a": ORDERS, "b": HEADER + "u3,1,,2024-01-01 10:00:00\n", "c": HEADER + "u4,9,,\n"}.items():
        (folder / f"{name}.csv").write_text(rows, encoding="utf-8")
    assert seen(shop).inputs[0].sight is not None
    warehouse = connections.embedded(shop.folder).settings.file
    with duckdb.connect(str(warehouse)) as connection:  # were it read again, that would be told as a correction
        connection.execute("UPDATE profiles.observed_files SET content = '1' WHERE file LIKE '%/a.csv'")
        connection.execute("UPDATE profiles.observed_buckets SET content = '2' WHERE bucket = '2024-03-31'")
    (folder / "b.csv").write_text(HEADER + "u3,1,,2024-01-02 10:00:00\nu3,1,,2024-01-01 11:00:00\n", encoding="utf-8")
    (folder / "c.csv").unlink()
    seen(shop)
    assert changed(shop, since=1) == {
        ("inputs/orders", date(2024, 1, 1), "corrected"),
        ("inputs/orders", date(2024, 1, 2), "late"),
        ("inputs/orders", date(2024, 3, 31), "corrected"),  # what was remembered of the file differs
        ("inputs/orders", None, "emptied"),
    }
    with duckdb.connect(str(warehouse)) as connection:
        found = connection.execute("SELECT DISTINCT parse_filename(file) FROM profiles.observed_files ORDER BY 1")
        assert found.fetchall() == [("a.csv",), ("b.csv",), ("people.csv",)]


def test_a_touched_file_is_read_and_has_not_changed(shop: Shop) -> None:
    seen(shop)
    write(shop, "orders", ORDERS)
    again = seen(shop)
    assert ([o.was_read for o in again.inputs], again.number) == ([True, False], 1)


def test_a_table_of_the_warehouse_is_read_each_time(shop: Shop) -> None:
    file = shop.folder / "data" / "orders.csv"
    warehouse = connections.embedded(shop.folder).settings.file
    assert warehouse is not None
    warehouse.parent.mkdir(parents=True)
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(f"CREATE TABLE main.orders AS FROM read_csv('{file}')")
    file.unlink()
    seen(shop)
    assert [o.was_read for o in seen(shop).inputs] == [True, False]
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("UPDATE main.orders SET amount = 11 WHERE amount = 10")
    seen(shop)
    assert changed(shop, since=1) == {("inputs/orders", date(2024, 1, 1), "corrected")}


LEVELS: Mapping[Level, tuple[Changed, str | None]] = {
    "append": (
        {("inputs/orders", date(2024, 4, 1), "new")},
        "rows that are late, corrected or removed are not seen",
    ),
    "late": (
        {("inputs/orders", date(2024, 4, 1), "new"), ("inputs/orders", date(2024, 1, 5), "late")},
        "rows that are corrected in place are not seen",
    ),
    "content": (
        {
            ("inputs/orders", date(2024, 4, 1), "new"),
            ("inputs/orders", date(2024, 1, 5), "late"),
            ("inputs/orders", date(2024, 1, 1), "corrected"),
        },
        None,
    ),
}


@pytest.mark.parametrize("level", LEVELS)
def test_how_closely_to_look(shop: Shop, level: Level) -> None:
    expected, blind = LEVELS[level]
    seen(shop, levels={"inputs/orders": level})
    text = ORDERS.replace("u2,20", "u2,21") + "u3,1,,2024-04-01 00:00:00\nu3,1,,2024-01-05 00:00:00\n"
    write(shop, "orders", text)
    orders = seen(shop, levels={"inputs/orders": level}).inputs[0]
    assert (orders.level, orders.why, orders.blind) == (level, "as pipeline.yaml says", blind)
    assert changed(shop, since=1) == expected


def test_without_a_word_contents_are_looked_at(shop: Shop) -> None:
    assert [(o.level, o.blind) for o in seen(shop).inputs] == [("content", None), ("content", None)]


def test_rows_without_a_time_are_counted_at_least(shop: Shop) -> None:
    levels: Mapping[str, Level] = {"inputs/people": "append"}
    people = seen(shop, levels=levels).inputs[1]
    assert (people.level, people.why) == ("late", "its rows have no time by which new ones could be told")
    write(shop, "people", PEOPLE + "u3,Oslo\n")
    seen(shop, levels=levels)
    assert changed(shop, since=1) == {("inputs/people", None, "late")}


def test_a_closer_look_changes_nothing_and_sees_more_from_then_on(shop: Shop) -> None:
    seen(shop, levels={"inputs/orders": "late"})
    assert seen(shop).inputs[0].was_read
    assert changed(shop, since=1) == set()
    write(shop, "orders", ORDERS.replace("u2,20", "u2,21"))
    seen(shop)
    assert changed(shop, since=1) == {("inputs/orders", date(2024, 1, 1), "corrected")}


def test_other_columns_in_use_are_no_change_of_the_rows(shop: Shop) -> None:
    seen(shop)
    shop.write(MODELS.replace("sum(amount)", "max(note)"), PROJECT, {})
    write(shop, "orders", ORDERS)
    assert seen(shop).inputs[0].was_read
    assert changed(shop, since=1) == set()
    write(shop, "orders", ORDERS.replace("u2,20,", "u2,20,hello"))
    seen(shop)
    assert changed(shop, since=1) == {("inputs/orders", date(2024, 1, 1), "corrected")}


USED: Mapping[str, set[str] | None] = {
    "entity_var: {name: x, select: count(*), from: inputs/orders}": {"user_id", "ts"},
    "entity_var: {name: x, select: sum(a) filter (where b > 1), from: inputs/orders, where: c = 2}":
        {"user_id", "ts", "a", "b", "c"},
    "entity_var: {name: x, select: first_value(a), window: {order_by: [b desc]}, from: inputs/orders}":
        {"user_id", "ts", "a", "b"},
    "entity_var: {name: x, select: count(*), from: inputs/orders, "
    "where: \"a in (select b from {{this.DeRef('inputs/orders')}})\"}": None,
    "input_var: {name: x, select: lower(a), from: inputs/orders}": {"user_id", "ts", "a"},
    "entity_var: {name: x, select: max(s.a), from: inputs/orders, where: s.t.b > 1 and c}": {"user_id", "ts", "s", "c"},
}  # fmt: skip


@pytest.mark.parametrize(("var", "expected"), USED.items())
def test_columns_that_vars_are_made_of(tmp_path: Path, var: str, expected: set[str] | None) -> None:
    models = MODELS.partition("      - entity_var")[0] + f"      - {var}\n"
    assert used(shop_at(tmp_path, models)) == expected


TEXTS: Mapping[str, set[str] | None] = {
    "select user_id, a from {{this.DeRef('inputs/orders')}} where b = 1": {"user_id", "ts", "a", "b"},
    "select o.a, count(*) from {{this.DeRef('inputs/orders')}} o group by 1": {"user_id", "ts", "a"},
    "select * from {{this.DeRef('inputs/orders')}}": None,
}


@pytest.mark.parametrize(("text", "expected"), TEXTS.items())
def test_columns_that_sql_models_are_made_of(tmp_path: Path, text: str, expected: set[str] | None) -> None:
    model = f"""
models:
  - name: some
    model_type: sql_template
    model_spec: {{single_sql: "{text}", materialization: {{output_type: table}}}}
"""
    assert used(shop_at(tmp_path, MODELS.partition("var_groups")[0] + model)) == expected


def test_columns_that_sessions_are_made_of(tmp_path: Path) -> None:
    facts = "[{name: spent, select: sum(amount), where: event = 'buy' and paid}]"
    model = f"""
models:
  - name: visits
    model_type: sessions
    model_spec: {{entity_key: user, from: inputs/orders, event_id: id, event: "'order'", facts: {facts}}}
"""
    found = used(shop_at(tmp_path, MODELS.partition("var_groups")[0] + model))
    assert found == {"user_id", "ts", "id", "amount", "event", "paid"}


def used(shop: Shop) -> set[str] | None:
    project = shop.load()
    model = project.graph.models["inputs/orders"]
    assert isinstance(model, Input)
    found = columns_in_use(project, Reader(project.project, NOW), model)
    return None if found is None else set(found)
