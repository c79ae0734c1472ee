"""Computes the vars of the e-commerce example with one query for each var, and then joins them all.

    python -m profiles_pipeline_tests.bench.one_by_one DATA WAREHOUSE copied|in-place

WAREHOUSE has the id graph already and gets the table `var_table`. `copied` first writes each source again, with all
of its columns, the main id and the input vars, and reads the copies; `in-place` computes what it needs of these in
every query. Each query by itself is written as well as it can be.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

from profiles_pipeline_tests.bench.handwritten import DEVICE, EMAIL, USER, open_warehouse

GRAPH = "profiles.user_id_stitcher"

SOURCES = {
    "tracks": (
        "SELECT * FROM tracks WHERE timestamp < TIMESTAMP '2025-01-01'",
        f"{USER} AS u, {DEVICE} AS d, NULL AS e",
    ),
    "identifies": (
        "SELECT * FROM identifies WHERE timestamp < TIMESTAMP '2025-01-01'",
        f"{USER} AS u, {DEVICE} AS d, {EMAIL} AS e",
    ),
    "orders": (
        """SELECT DISTINCT order_id, user_id, anonymous_id, lower(email) AS email, ordered_at, amount,
            line_items ->> '$.main_category' AS main_category
        FROM orders WHERE status NOT IN ('cancelled', 'refunded') AND ordered_at < TIMESTAMP '2025-01-01'""",
        f"{USER} AS u, {DEVICE} AS d, {EMAIL} AS e",
    ),
}

INPUT_VARS = """
SELECT *, date_diff('second', session_started_at, timestamp) AS seconds_into_session
FROM (SELECT *, min(timestamp) OVER (PARTITION BY session_id, user_main_id) AS session_started_at FROM ({rows}))
"""

# Var: source, aggregate, condition on the rows.
VARS = {
    "n_events": ("tracks_rows", "count(*)", None),
    "n_sessions": ("tracks_rows", "count(DISTINCT session_id)", None),
    "longest_session_seconds": ("tracks_rows", "max(seconds_into_session)", None),
    "active_days_past_365_days": (
        "tracks_rows",
        "count(DISTINCT timestamp::DATE)",
        "timestamp >= TIMESTAMP '2024-01-02'",
    ),
    "n_events_past_7_days": ("tracks_rows", "count(*)", "timestamp >= TIMESTAMP '2024-12-25'"),
    "last_seen_at": ("tracks_rows", "max(timestamp)", None),
    "first_campaign_source": (
        "tracks_rows",
        "arg_min(context_campaign_source, (timestamp, context_campaign_source))",
        "context_campaign_source <> ''",
    ),
    "last_device_type": (
        "tracks_rows",
        "arg_max(struct_pack(v := context_device_type), (timestamp, context_device_type)).v",
        None,
    ),
    "categories_viewed": ("tracks_rows", "list_sort(list(DISTINCT category))", "event = 'product_viewed'"),
    "latest_email": ("identifies_rows", "arg_max_null(lower(email), timestamp)", "email LIKE '%@%'"),
    "country": ("identifies_rows", "arg_min_null(country, timestamp)", None),
    "n_emails": (GRAPH, "count_if(other_id_type = 'email')", None),
    "n_devices": (GRAPH, "count_if(other_id_type = 'anonymous_id')", None),
    "n_orders": ("orders_rows", "count(DISTINCT order_id)", None),
    "total_revenue": ("orders_rows", "sum(amount)", None),
    "revenue_past_90_days": ("orders_rows", "sum(amount)", "ordered_at >= TIMESTAMP '2024-10-03'"),
    "avg_order_value": ("orders_rows", "avg(amount)", None),
    "median_order_value": ("orders_rows", "median(amount::double)", None),
    "smallest_order_value": ("orders_rows", "min(amount)", None),
    "categories_bought": ("orders_rows", "string_agg(DISTINCT main_category, ',' ORDER BY main_category)", None),
    "first_order_at": ("orders_rows", "min(ordered_at)", None),
    "n_events_before_first_order": (
        "tracks_rows JOIN var_first_order_at AS o USING (user_main_id)",
        "count(*)",
        "timestamp < o.first_order_at",
    ),
}

DEFAULTS = {
    "n_events": "0",
    "n_sessions": "0",
    "active_days_past_365_days": "0",
    "n_events_past_7_days": "0",
    "first_campaign_source": "'organic'",
    "n_orders": "0",
    "total_revenue": "0",
    "revenue_past_90_days": "0",
}

DERIVED = """
SELECT *, date_diff('day', last_seen_at::DATE, DATE '2025-01-01') AS days_since_last_seen,
    total_revenue / nullif(n_sessions, 0) AS revenue_per_session,
    CASE WHEN n_orders = 0 THEN 'visitor' WHEN days_since_last_seen > 180 THEN 'lapsed'
        WHEN n_orders = 1 THEN 'new' ELSE 'active' END AS lifecycle_stage
FROM joined
"""


def identified(source: str) -> str:
    """Return the rows of a source with all their columns and the main id."""
    rows, ids = SOURCES[source]
    return f"""
    SELECT r.* EXCLUDE (u, d, e), g.user_main_id FROM (SELECT *, {ids} FROM ({rows})) AS r LEFT JOIN {GRAPH} AS g
    ON g.other_id = coalesce(u, d, e) AND g.other_id_type =
        CASE WHEN u IS NOT NULL THEN 'user_id' WHEN d IS NOT NULL THEN 'anonymous_id' ELSE 'email' END
    """


def compute(connection: duckdb.DuckDBPyConnection, copied: bool) -> None:
    """Make `var_table` out of a table per var."""
    for source in SOURCES:
        kind = "TABLE" if copied else "TEMP VIEW"
        rows = identified(source)
        query = INPUT_VARS.format(rows=rows) if source == "tracks" else rows
        connection.execute(f"CREATE {kind} {source}_rows AS {query}")
    for name, (source, aggregate, where) in VARS.items():
        condition = f"user_main_id IS NOT NULL AND {where}" if where else "user_main_id IS NOT NULL"
        connection.execute(
            f"CREATE TABLE var_{name} AS SELECT user_main_id, {aggregate} AS {name} FROM {source} "
            f"WHERE {condition} GROUP BY user_main_id"
        )
    columns = ", ".join(f"coalesce({n}, {DEFAULTS[n]}) AS {n}" if n in DEFAULTS else n for n in VARS)
    joins = " ".join(f"LEFT JOIN var_{name} USING (user_main_id)" for name in VARS)
    people = f"(SELECT DISTINCT user_main_id FROM {GRAPH})"
    connection.execute(
        f"""CREATE TABLE var_table AS WITH joined AS (
            SELECT user_main_id, TIMESTAMP '2025-01-01' AS valid_at, {columns} FROM {people} {joins}
        ) {DERIVED}"""
    )


def main() -> None:
    """Compute everything in one process."""
    connection = open_warehouse(Path(sys.argv[1]), Path(sys.argv[2]))
    compute(connection, copied=sys.argv[3] == "copied")
    connection.close()


if __name__ == "__main__":
    main()
