"""Writes the rows of a synthetic web shop as Parquet files, from a few thousand events to hundreds of millions.

    python -m profiles_pipeline.examples.ecommerce_data OUT --events 1000000 --seed 7

The rows carry what real event data carries: visitors without a name, several devices per person, households on one
address, shared mailboxes, a kiosk, junk ids, exact duplicates and rows that arrive late. Events are made in chunks
in order of time and written as they are made, so memory does not grow with their number.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from profiles_pipeline.examples.ecommerce_events import (
    CATEGORIES,
    COUPONS,
    DAY,
    DEVICES,
    EVENT_NAMES,
    MEDIUMS,
    MILLISECOND,
    ORDER,
    PAGE,
    PAGES,
    PRODUCT_EVENTS,
    PRODUCTS,
    SECOND,
    SOURCES,
    STATUSES,
    Events,
    Sessions,
    Shop,
    draw_campaigns,
    draw_events,
    draw_sessions,
    prices,
)
from profiles_pipeline.examples.ecommerce_people import EVENTS_PER_PERSON, TEST_EMAIL, Ints, People, numbered, words

DEFAULT_EVENTS = 10_000
DEFAULT_SEED = 7
DEFAULT_END = datetime(2025, 1, 1, tzinfo=UTC)
CHUNK_EVENTS = 200_000
CHUNKS_PER_PART = 25
SCHEMA_NAME = "shop.web"
TABLES = ("identifies", "tracks", "orders")


def generate(
    out_dir: Path,
    events: int = DEFAULT_EVENTS,
    seed: int = DEFAULT_SEED,
    end: datetime = DEFAULT_END,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, int]:
    """Write `shop.web.identifies`, `shop.web.tracks` and `shop.web.orders` below `out_dir`; give back their row counts.

    Afterwards `tracks` has exactly `events` rows; `identifies` has about 5 % and `orders` about 2 % of that. All times
    are UTC and lie in the 730 days before `end`. Same arguments, same rows in the same order. Up to 5 million
    events a table is one file `<table>.parquet`, beyond that a folder of that name with part files inside.
    `progress` is called after each chunk with the events written so far and the total.

    Raises:
        ValueError: `events` is not positive.
        FileExistsError: one of the tables is there already.
    """
    shop = _shop(events, seed, end)
    chunks = -(-events // CHUNK_EVENTS)
    rows = dict.fromkeys(TABLES, 0)
    paths = {table: out_dir / f"{SCHEMA_NAME}.{table}.parquet" for table in TABLES}
    for path in paths.values():
        if path.exists():
            raise FileExistsError(f"{path} is there already; choose an empty folder or remove it first")
    out_dir.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        in_parts = chunks > CHUNKS_PER_PART
        files = {table: stack.enter_context(_TableFiles(path, in_parts)) for table, path in paths.items()}
        for chunk in range(chunks):
            for table, content in _chunk(shop, chunk).items():
                files[table].write(content, part=chunk // CHUNKS_PER_PART)
                rows[table] += content.num_rows
            if progress:
                progress(rows["tracks"], events)
    return rows


def _shop(events: int, seed: int, end: datetime) -> Shop:
    if events < 1:
        raise ValueError(f"events must be positive, got {events}")
    naive = end.astimezone(UTC).replace(tzinfo=None) if end.tzinfo else end
    return Shop(
        people=People(count=max(1, events // EVENTS_PER_PERSON), seed=seed),
        events=events,
        seed=seed,
        end=(naive - datetime(1970, 1, 1)) // timedelta(microseconds=1),
    )


class _TableFiles:
    """The Parquet file of one table, or the folder of its parts."""

    def __init__(self, path: Path, in_parts: bool) -> None:
        self._path = path
        self._in_parts = in_parts
        self._part = -1
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> _TableFiles:
        if self._in_parts:
            self._path.mkdir()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()

    def write(self, rows: pa.Table, part: int) -> None:
        """Append one row group; a new part number begins a new file where the table is a folder."""
        if self._writer is None or (self._in_parts and part != self._part):
            self._close()
            path = self._path / f"part-{part:04d}.parquet" if self._in_parts else self._path
            self._writer = pq.ParquetWriter(path, rows.schema, compression="zstd", compression_level=1)
            self._part = part
        self._writer.write_table(rows, row_group_size=CHUNK_EVENTS)

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _chunk(shop: Shop, chunk: int) -> dict[str, pa.Table]:
    rng = np.random.default_rng([shop.seed, chunk])
    first = chunk * CHUNK_EVENTS
    last = min(first + CHUNK_EVENTS, shop.events)
    copies = (last - first) // 100
    sessions = draw_sessions(shop, first, last, last - first - copies, rng)
    events = draw_events(shop, sessions, first, rng)
    identifies = _identifies(shop, sessions, (first / shop.events, last / shop.events), rng)
    identifies = identifies.add_column(0, "id", numbered(f"idf_{chunk}_", np.arange(identifies.num_rows)))
    orders = _orders(shop, sessions, events, rng)
    return {
        "identifies": _as_received(shop, identifies, identifies.num_rows // 100, rng),
        "tracks": _as_received(shop, _tracks(shop, sessions, events, rng), copies, rng),
        "orders": _with_copies(orders, orders.num_rows // 100, rng),
    }


def _tracks(shop: Shop, sessions: Sessions, events: Events, rng: np.random.Generator) -> pa.Table:
    of, name, is_order = events.of, events.name, events.name == ORDER
    sent_by_server = is_order & sessions.known[of] & (rng.random(of.size) < 0.3)
    no_device = pa.array(sent_by_server | (rng.random(of.size) < 0.001))
    page = np.where(name == PAGE, events.product % len(PAGES), -1)
    category = np.where(np.isin(name, PRODUCT_EVENTS), events.product % len(CATEGORIES), -1)
    device = _device_kinds(sessions)
    return pa.table(
        {
            "id": numbered("evt_", events.number),
            "timestamp": _timestamps(events.time),
            "user_id": _track_user_ids(sessions, rng).take(of),
            "anonymous_id": pc.if_else(no_device, None, sessions.anonymous_id.take(of)),
            "session_id": pa.array((1_000_000_000 + sessions.number)[of]),
            "event": words(EVENT_NAMES, name),
            "context_campaign_source": words(SOURCES, sessions.campaign[of]),
            "context_campaign_medium": words(MEDIUMS, sessions.campaign[of]),
            "context_page_path": words(PAGES, page),
            "context_device_type": words([kind for kind, _ in DEVICES], device[of]),
            "context_os_name": words([system for _, system in DEVICES], device[of]),
            "context_country": shop.people.countries(sessions.person).take(of),
            "category": words(CATEGORIES, category),
            "order_id": pc.if_else(pa.array(is_order), numbered("ord_", events.number), None),
            "revenue": pa.array(events.revenue, mask=~is_order),
            "properties": _properties(events),
        }
    )


def _orders(shop: Shop, sessions: Sessions, events: Events, rng: np.random.Generator) -> pa.Table:
    """A row for each completed order; guests have no user_id, and some orders no email either."""
    at = np.flatnonzero(events.name == ORDER)
    of = events.of[at]
    person = sessions.person[of]
    coupon = np.where(rng.random(at.size) < 0.2, rng.integers(0, len(COUPONS), at.size), -1)
    no_email = pa.array(rng.random(at.size) < 0.04)
    sent_by_server = pa.array(sessions.known[of] & (rng.random(at.size) < 0.3))
    return pa.table(
        {
            "order_id": numbered("ord_", events.number[at]),
            "ordered_at": _timestamps(events.time[at]),
            "user_id": pc.if_else(pa.array(sessions.known[of]), sessions.user_id.take(of), None),
            "anonymous_id": pc.if_else(sent_by_server, None, sessions.anonymous_id.take(of)),
            "email": pc.if_else(no_email, None, shop.people.emails(person, rng.random(at.size))),
            "status": words(STATUSES, rng.integers(0, len(STATUSES), at.size)),
            "amount": pa.array(events.revenue[at]).cast(pa.decimal128(12, 2)),
            "currency": pa.array(["EUR"] * at.size, pa.string()),
            "coupon_code": words(COUPONS, coupon),
            "shipping_country": shop.people.countries(person),
            "line_items": _line_items(events.product[at], events.quantity[at]),
        }
    )


def _track_user_ids(sessions: Sessions, rng: np.random.Generator) -> pa.Array:
    luck = rng.random(sessions.size.size)
    unknown = words(["", "unknown"], np.where(luck < 0.03, 0, np.where(luck < 0.035, 1, -1)))
    return pc.if_else(pa.array(sessions.known), sessions.user_id, unknown)


def _device_kinds(sessions: Sessions) -> Ints:
    """A device keeps its kind: the kind follows from the last digits of its id."""
    digits = pc.utf8_slice_codeunits(sessions.anonymous_id, 24, 36)
    return np.array([int(text, 16) % len(DEVICES) for text in digits.to_pylist()], dtype=np.int64)


def _properties(events: Events) -> pa.Array:
    """JSON text: the product for product events, the path for pages, the total for orders, else an empty object."""
    numbers = np.arange(PRODUCTS * 3)
    fixed = ["{}", *(f'{{"path":"{path}"}}' for path in PAGES)]
    fixed += [
        f'{{"product_id":"p-{p:04d}","category":"{CATEGORIES[p % len(CATEGORIES)]}","price":{price},"quantity":{q}}}'
        for p, q, price in zip(numbers // 3, numbers % 3 + 1, prices(numbers // 3).tolist(), strict=True)
    ]
    ordered = np.flatnonzero(events.name == ORDER)
    totals = [f'{{"total":{total},"currency":"EUR"}}' for total in events.revenue[ordered].tolist()]
    index = np.where(events.name == PAGE, 1 + events.product % len(PAGES), 0)
    product_row = 1 + len(PAGES) + events.product * 3 + events.quantity - 1
    index = np.where(np.isin(events.name, PRODUCT_EVENTS), product_row, index)
    index[ordered] = len(fixed) + np.arange(ordered.size)
    return words(fixed + totals, index)


def _line_items(product: Ints, quantity: Ints) -> pa.Array:
    rows = zip(product.tolist(), quantity.tolist(), prices(product).tolist(), strict=True)
    return pa.array(
        [
            f'{{"main_category":"{CATEGORIES[p % len(CATEGORIES)]}",'
            f'"items":[{{"product_id":"p-{p:04d}","quantity":{q},"price":{price}}}]}}'
            for p, q, price in rows
        ],
        pa.string(),
    )


def _identifies(shop: Shop, sessions: Sessions, span: tuple[float, float], rng: np.random.Generator) -> pa.Table:
    """A row for each sign-up in the span and for about a third of the sessions of people who are logged in."""
    joined, joined_share = shop.people.sign_ups(*span)
    login = np.flatnonzero(sessions.known & (rng.random(sessions.size.size) < 0.35))
    count = joined.size + login.size
    person = np.concatenate([joined, sessions.person[login]])
    first_device = shop.people.anonymous_ids(joined, np.zeros(joined.size))
    anonymous_id = pa.concat_arrays([first_device, sessions.anonymous_id.take(login)])
    user_id = pa.concat_arrays([shop.people.user_ids(joined, np.ones(joined.size)), sessions.user_id.take(login)])
    time = shop.moment(np.concatenate([joined_share, sessions.share[login]])) + SECOND
    campaign = np.concatenate([draw_campaigns(joined.size, rng), sessions.campaign[login]])
    return pa.table(
        {
            "timestamp": _timestamps(time),
            "user_id": _spoiled(user_id, (None, "", "unknown"), (0.005, 0.003, 0.003), rng),
            "anonymous_id": _spoiled(anonymous_id, (None, ""), (0.01, 0.002), rng),
            "email": _typed_emails(shop.people.emails(person, rng.random(count)), rng),
            "first_name": shop.people.first_names(person),
            "last_name": shop.people.last_names(person),
            "country": shop.people.countries(person),
            "marketing_opt_in": pa.array(rng.random(count) < 0.4),
            "context_campaign_source": words(SOURCES, campaign),
            "context_campaign_medium": words(MEDIUMS, campaign),
        }
    )


def _typed_emails(email: pa.Array, rng: np.random.Generator) -> pa.Array:
    """Addresses as people type them: one in ten in another case, some missing, some junk."""
    shouted = pc.if_else(pa.array(rng.random(len(email)) < 0.1), pc.utf8_capitalize(email), email)
    junk = (None, "", "unknown", "NaN", TEST_EMAIL, "no mail please")
    return _spoiled(shouted, junk, (0.02, 0.01, 0.005, 0.005, 0.004, 0.002), rng)


def _spoiled(
    column: pa.Array, values: tuple[str | None, ...], shares: tuple[float, ...], rng: np.random.Generator
) -> pa.Array:
    luck = rng.random(len(column))
    for value, low, high in zip(values, np.cumsum((0, *shares)), np.cumsum(shares), strict=False):
        column = pc.if_else(pa.array((low <= luck) & (luck < high)), pa.scalar(value, pa.string()), column)
    return column


def _as_received(shop: Shop, rows: pa.Table, copies: int, rng: np.random.Generator) -> pa.Table:
    """The rows with `received_at` and `copies` exact duplicates, in order of arrival."""
    time = rows["timestamp"].cast(pa.int64()).to_numpy()
    luck = rng.random(time.size)
    limit = np.where(luck < 0.97, 5 * SECOND, np.where(luck < 0.995, DAY // 12, 3 * DAY))
    delay = (rng.random(time.size) * limit).astype(np.int64) // MILLISECOND * MILLISECOND
    received = np.minimum(time + delay, shop.end - MILLISECOND)
    rows = _with_copies(rows.append_column("received_at", _timestamps(received)), copies, rng)
    return rows.take(pc.array_sort_indices(rows["received_at"].combine_chunks()))


def _with_copies(rows: pa.Table, copies: int, rng: np.random.Generator) -> pa.Table:
    again = rng.integers(0, max(rows.num_rows, 1), copies)
    return rows.take(np.concatenate([np.arange(rows.num_rows), again]))


def _timestamps(microseconds: Ints) -> pa.Array:
    return pa.array(microseconds).cast(pa.timestamp("us"))


def main() -> None:
    """Write the tables from the command line and print their row counts."""
    parser = argparse.ArgumentParser(description="Write the rows of a synthetic web shop as Parquet files.")
    parser.add_argument("out", type=Path, help="folder for the tables")
    parser.add_argument("--events", type=int, default=DEFAULT_EVENTS, help="rows of tracks (default %(default)s)")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="default %(default)s")
    choice = parser.parse_args()
    try:
        written = generate(choice.out, choice.events, choice.seed)
    except (FileExistsError, ValueError) as error:
        parser.error(str(error))
    for table, rows in written.items():
        print(f"{SCHEMA_NAME}.{table}: {rows} rows")


if __name__ == "__main__":
    main()
