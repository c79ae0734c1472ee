"""The synthetic shop: what its rows promise, checked on the rows themselves."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from profiles_pipeline.examples.ecommerce_data import (
    CHUNK_EVENTS,
    CHUNKS_PER_PART,
    DEFAULT_END,
    SCHEMA_NAME,
    TABLES,
    generate,
)
from profiles_pipeline.examples.ecommerce_people import EVENTS_PER_PERSON, KIOSK_ANONYMOUS_ID, SHARED_MAILBOXES

EVENTS = 2 * CHUNK_EVENTS + 50_000


class Shop:
    """Generated tables under their plain names in DuckDB."""

    def __init__(self, folder: Path, events: int, end: datetime = DEFAULT_END) -> None:
        self.rows = generate(folder, events=events, end=end)
        self._connection = duckdb.connect()
        for table in TABLES:
            self._connection.execute(f"create view {table} as from '{folder}/{SCHEMA_NAME}.{table}.parquet'")

    def ask(self, query: str) -> Any:  # noqa: ANN401 - a value of whatever SQL type
        """The single value or the single row a query gives."""
        (row,) = self._connection.execute(query).fetchall()
        return row[0] if len(row) == 1 else row


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("shop"), events=EVENTS)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.parquet"))}


def test_same_arguments_same_bytes_other_seed_other_rows(tmp_path: Path) -> None:
    for name, seed in (("once", 7), ("again", 7), ("other", 8)):
        generate(tmp_path / name, events=3_000, seed=seed)
    once, again, other = (contents(tmp_path / name) for name in ("once", "again", "other"))
    assert set(once) == {f"{SCHEMA_NAME}.{table}.parquet" for table in TABLES}
    assert once == again
    assert all(once[name] != other[name] for name in once)


@pytest.mark.parametrize("events", [1, 2, 99, 100, 10_000, CHUNK_EVENTS + 1])
def test_tracks_has_exactly_the_events_asked_for(tmp_path: Path, events: int) -> None:
    shop = Shop(tmp_path, events=events)
    assert shop.rows == {table: shop.ask(f"select count(*) from {table}") for table in TABLES}
    assert shop.rows["tracks"] == events


def test_identifies_and_orders_keep_their_share(shop: Shop) -> None:
    assert 0.03 * EVENTS < shop.rows["identifies"] < 0.07 * EVENTS
    assert 0.01 * EVENTS < shop.rows["orders"] < 0.04 * EVENTS


def test_people_are_as_many_as_promised(shop: Shop) -> None:
    users = shop.ask("select count(distinct user_id) from identifies where user_id like 'cus_%'")
    assert 0.7 < users / (EVENTS / EVENTS_PER_PERSON) < 0.95


@pytest.mark.parametrize(
    "end",
    [datetime(2024, 3, 1, 12), datetime(2024, 3, 1, 12, tzinfo=UTC),
     datetime(2024, 3, 1, 14, tzinfo=timezone(timedelta(hours=2)))],
)  # fmt: skip
def test_all_times_lie_in_the_two_years_before_the_end(tmp_path: Path, end: datetime) -> None:
    shop = Shop(tmp_path, events=20_000, end=end)
    low, high = datetime(2024, 3, 1, 12) - timedelta(days=730), datetime(2024, 3, 1, 12)
    for table, column in (("tracks", "timestamp"), ("identifies", "timestamp"), ("orders", "ordered_at"),
                          ("tracks", "received_at")):  # fmt: skip
        first, last = shop.ask(f"select min({column}), max({column}) from {table}")
        assert low <= first < low + timedelta(days=10)
        assert high - timedelta(days=10) < last < high


def test_no_week_is_empty(shop: Shop) -> None:
    assert shop.ask("select count(distinct date_trunc('week', timestamp)) from tracks") in (105, 106)
    assert shop.ask("select max(timestamp) from tracks") > DEFAULT_END.replace(tzinfo=None) - timedelta(days=2)


@pytest.mark.parametrize("table", TABLES)
def test_one_row_in_a_hundred_is_an_exact_duplicate(shop: Shop, table: str) -> None:
    different = shop.ask(f"select count(*) from (select distinct * from {table})")
    assert shop.rows[table] - different == pytest.approx(shop.rows[table] / 100, rel=0.05)


@pytest.mark.parametrize(
    ("table", "junk"),
    [
        ("tracks", "user_id is null and anonymous_id is null"),
        ("tracks", "user_id is not null and anonymous_id is null"),
        ("tracks", "user_id = ''"),
        ("tracks", "user_id = 'unknown'"),
        ("tracks", "context_campaign_source is null"),
        ("tracks", "context_campaign_source = ''"),
        ("identifies", "user_id is null"),
        ("identifies", "user_id = ''"),
        ("identifies", "anonymous_id is null"),
        ("identifies", "anonymous_id = ''"),
        ("identifies", "email is null"),
        ("identifies", "email = ''"),
        ("identifies", "email = 'unknown'"),
        ("identifies", "email = 'NaN'"),
        ("identifies", "email = 'test@example.com'"),
        ("identifies", "email not like '%@%' and email not in ('', 'unknown', 'NaN')"),
        ("identifies", "email <> lower(email) and email <> 'NaN'"),
        ("orders", "user_id is null"),
        ("orders", "email is null"),
    ],
)
def test_junk_is_there_and_is_not_the_rule(shop: Shop, table: str, junk: str) -> None:
    assert 0 < shop.ask(f"select count(*) filter ({junk}) / count(*) from {table}") < 0.7


def test_the_kiosk_is_one_device_of_very_many_people(shop: Shop) -> None:
    share, people = shop.ask(
        f"""select count(*) filter (anonymous_id = '{KIOSK_ANONYMOUS_ID}') / count(*),
                   count(distinct user_id) filter (anonymous_id = '{KIOSK_ANONYMOUS_ID}') from tracks"""
    )
    assert 0.02 < share < 0.04
    assert people > 500


def test_some_people_share_an_address(shop: Shop) -> None:
    mailboxes = ", ".join(f"'{address}'" for address in SHARED_MAILBOXES)
    sharing = """from (select lower(email) as email, count(distinct user_id) as users from identifies
                        where user_id like 'cus_%' group by all)"""
    assert shop.ask(f"select min(users) {sharing} where email in ({mailboxes})") > 20
    assert shop.ask(f"select count(*) {sharing} where email like 'home%' and users >= 2") > 50


def test_people_have_several_devices_accounts_and_addresses(shop: Shop) -> None:
    many = "select count(*) from (select user_id from tracks where user_id like 'cus_%' group by user_id having {})"
    assert shop.ask(many.format("count(distinct anonymous_id) >= 3")) > 100
    person = "cast(right(user_id, 9) as bigint) % 500000000"
    accounts = f"""select count(*) from (select {person} from identifies where user_id like 'cus_%'
                   group by all having count(distinct user_id) = 2)"""
    assert shop.ask(accounts) > 10
    addresses = accounts.replace("count(distinct user_id)", "count(distinct lower(email)) filter (email like '%.%@%')")
    assert shop.ask(addresses) > 10


def test_people_visit_before_they_sign_up(shop: Shop) -> None:
    assert (
        shop.ask(
            f"""select count(*) from (
                    select min(timestamp) filter (user_id is null) as visited,
                           min(timestamp) filter (user_id like 'cus_%') as known
                    from tracks where anonymous_id <> '{KIOSK_ANONYMOUS_ID}' group by anonymous_id)
                where visited < known"""
        )
        > 1_000
    )


def test_rows_stand_in_order_of_arrival_not_of_time(shop: Shop) -> None:
    late, latest, disordered = shop.ask(
        f"""with numbered as (select timestamp, received_at, row_number() over () as row from tracks),
                seen as (select *, max(timestamp) over so_far as newest, lag(received_at) over so_far as previous
                         from numbered window so_far as (order by row rows unbounded preceding))
            select count(*) filter (timestamp < newest), max(newest - timestamp),
                   count(*) filter (received_at < previous and row % {CHUNK_EVENTS} <> 1) from seen"""
    )
    assert late > 0.01 * EVENTS
    assert timedelta(days=1) < latest < timedelta(days=4)
    assert disordered == 0


def test_a_session_is_one_device_and_one_account_for_less_than_six_hours(shop: Shop) -> None:
    assert shop.ask(
        """select max(devices), max(users), max(length) < interval 6 hours, avg(events) between 6 and 10
           from (select count(distinct anonymous_id) as devices, count(distinct user_id) as users,
                        max(timestamp) - min(timestamp) as length, count(*) as events
                 from tracks group by session_id)"""
    ) == (1, 1, True, True)


def test_no_two_events_of_a_session_happen_at_once(shop: Shop) -> None:
    assert (
        shop.ask(
            """select count(*) from (select session_id from tracks group by session_id, timestamp
                                     having count(distinct id) > 1)"""
        )
        == 0
    )


def test_every_order_is_an_event_and_the_reverse(shop: Shop) -> None:
    unmatched = shop.ask(
        """select count(*) from (select distinct order_id, ordered_at as time, amount from orders) as ordered
           full join (select distinct order_id, timestamp as time, cast(revenue as decimal(12, 2)) as amount
                      from tracks where event = 'order_completed') as tracked using (order_id, time, amount)
           where ordered.order_id is null or tracked.order_id is null"""
    )
    assert unmatched == 0
    assert shop.ask("select count(*) from tracks where (event = 'order_completed') <> (revenue is not null)") == 0


def test_json_columns_hold_json(shop: Shop) -> None:
    assert shop.ask("select bool_and(json_valid(properties)) from tracks")
    assert shop.ask("select bool_and(line_items ->> '$.main_category' is not null) from orders")
    assert shop.ask("select bool_and(properties ->> '$.category' = category) from tracks where category is not null")


def test_events_are_made_and_written_chunk_by_chunk(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    generate(tmp_path, events=EVENTS, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(CHUNK_EVENTS, EVENTS), (2 * CHUNK_EVENTS, EVENTS), (EVENTS, EVENTS)]
    file = pq.ParquetFile(tmp_path / f"{SCHEMA_NAME}.tracks.parquet")
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [CHUNK_EVENTS] * 2 + [50_000]


@pytest.mark.slow
def test_beyond_five_million_events_a_table_is_a_folder_of_parts(tmp_path: Path) -> None:
    events = CHUNKS_PER_PART * CHUNK_EVENTS + 1
    rows = generate(tmp_path, events=events)
    for table in TABLES:
        parts = sorted((tmp_path / f"{SCHEMA_NAME}.{table}.parquet").iterdir())
        assert [part.name for part in parts] == ["part-0000.parquet", "part-0001.parquet"]
        assert sum(pq.ParquetFile(part).metadata.num_rows for part in parts) == rows[table]
    assert rows["tracks"] == events


def test_tables_that_are_there_are_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / f"{SCHEMA_NAME}.orders.parquet"
    mine.write_text("mine")
    with pytest.raises(FileExistsError, match="orders"):
        generate(tmp_path, events=200)
    assert contents(tmp_path) == {mine.name: b"mine"}


@pytest.mark.parametrize("events", [0, -1])
def test_no_events_is_a_mistake(tmp_path: Path, events: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        generate(tmp_path, events=events)


def test_the_command_line_writes_and_counts(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "profiles_pipeline.examples.ecommerce_data", str(tmp_path), "--events", "500"]
    printed = subprocess.run([*command, "--seed", "3"], check=True, capture_output=True, text=True).stdout
    rows = generate(tmp_path / "same", events=500, seed=3)
    assert printed.splitlines() == [f"{SCHEMA_NAME}.{table}: {count} rows" for table, count in rows.items()]


def test_the_command_line_refuses_tables_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "shop.web.tracks.parquet").touch()
    command = [sys.executable, "-m", "profiles_pipeline.examples.ecommerce_data", str(tmp_path), "--events", "500"]
    refused = subprocess.run(command, check=False, capture_output=True, text=True)
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert "choose an empty folder" in refused.stderr
