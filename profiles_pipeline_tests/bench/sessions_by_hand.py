"""What an expert would write by hand for the sessions of the e-commerce example, given a finished id graph.

    python -m profiles_pipeline_tests.bench.sessions_by_hand DATA GRAPH WAREHOUSE

One query: events with the number of their person, each once, pauses by LAG, sessions by a running sum, and one row for
each. Nothing is counted that is no event, checked, recorded or resumable.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

from profiles_pipeline_tests.bench.handwritten import DEVICE, END, USER

SESSIONS = f"""
CREATE TABLE user_sessions AS
WITH people AS (SELECT DISTINCT component, main_id FROM graph.profiles.mappings),
    users AS (SELECT other_id, component FROM graph.profiles.mappings WHERE other_id_type = 'user_id'),
    devices AS (SELECT other_id, component FROM graph.profiles.mappings WHERE other_id_type = 'anonymous_id'),
    rows AS (
        SELECT id, event, category, timestamp AS ts, {USER} AS u, {DEVICE} AS d FROM tracks WHERE timestamp < {END}
    ),
    events AS (
        SELECT coalesce(users.component, devices.component) AS person, id, event, category, ts FROM rows
        LEFT JOIN users ON users.other_id = u LEFT JOIN devices ON u IS NULL AND devices.other_id = d
    ),
    once AS (
        SELECT * FROM events WHERE person IS NOT NULL
        QUALIFY row_number() OVER (PARTITION BY person, id ORDER BY ts, event, category) = 1
    ),
    gaps AS (
        SELECT *, lag(ts) OVER w AS before, lead(ts) OVER w AS after
        FROM once WINDOW w AS (PARTITION BY person ORDER BY ts, id)
    ),
    numbered AS (
        SELECT *, sum(CASE WHEN before IS NULL OR ts - before > INTERVAL 30 MINUTE THEN 1 ELSE 0 END) OVER (
            PARTITION BY person ORDER BY ts, id ROWS UNBOUNDED PRECEDING
        ) AS number
        FROM gaps
    ),
    sessions AS (
        SELECT person, number, min(ts) AS session_start_at, max(ts) AS ended_at, count(*) AS number_of_events,
            min(id) FILTER (WHERE before IS NULL OR ts - before > INTERVAL 30 MINUTE) AS first_id,
            min(event) FILTER (WHERE before IS NULL OR ts - before > INTERVAL 30 MINUTE) AS entry_event,
            min(event) FILTER (WHERE after IS NULL OR after - ts > INTERVAL 30 MINUTE) AS exit_event,
            count(*) FILTER (WHERE event = 'product_viewed') AS n_products_viewed,
            count(DISTINCT category) AS n_categories,
            min(ts) FILTER (WHERE event = 'product_viewed') AS viewed_product_at,
            min(ts) FILTER (WHERE event = 'product_added') AS added_to_basket_at,
            min(ts) FILTER (WHERE event = 'checkout_started') AS started_checkout_at,
            min(ts) FILTER (WHERE event = 'order_completed') AS ordered_at
        FROM numbered GROUP BY person, number
    )
SELECT md5(main_id || '|' || first_id || '|' || epoch_us(session_start_at)) AS session_id, main_id AS user_main_id,
    session_start_at, CAST(number AS BIGINT) AS session_sequence_number,
    lead(session_start_at) OVER (PARTITION BY person ORDER BY number) AS next_session_start_at, ended_at,
    number_of_events, epoch_us(ended_at - session_start_at) / 1e6 AS duration_seconds, entry_event, exit_event,
    n_products_viewed, n_categories, viewed_product_at, added_to_basket_at, started_checkout_at, ordered_at,
    CASE WHEN ordered_at IS NOT NULL THEN 'ordered' WHEN started_checkout_at IS NOT NULL THEN 'started_checkout'
        WHEN added_to_basket_at IS NOT NULL THEN 'added_to_basket'
        WHEN viewed_product_at IS NOT NULL THEN 'viewed_product' END AS furthest_stage
FROM sessions JOIN people ON people.component = sessions.person
"""


def main(data: Path, graph: Path, warehouse: Path) -> None:
    """Make the table of sessions in a new DuckDB file."""
    tracks = data / "shop.web.tracks.parquet"
    files = tracks / "*.parquet" if tracks.is_dir() else tracks
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("SET preserve_insertion_order = false")
        connection.execute(f"ATTACH '{graph}' AS source (READ_ONLY)")
        (mappings,) = connection.sql(
            """
            SELECT table_name FROM duckdb_tables() WHERE database_name = 'source'
                AND table_name LIKE 'Material_user_id_stitcher_%_mappings'
            """
        ).fetchall()[0]
        connection.execute(f"CREATE TEMP VIEW tracks AS SELECT * FROM read_parquet('{files}')")
        connection.execute(SESSIONS.replace("graph.profiles.mappings", f'source.profiles."{mappings}"'))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
