"""What an expert would write by hand for the e-commerce example: one script for these tables and this question.

    python -m profiles_pipeline_tests.bench.handwritten DATA WAREHOUSE [EDGES]

Ids are interned in SQL, components come from scipy, the component number stands for the person until the end, and
the events are read twice: once for the ids, once for a slim copy from which every feature is computed. Nothing is
general, checked, recorded or resumable. It is the floor that the engine is measured against.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

USER = "CASE WHEN trim(user_id) NOT IN ('', 'unknown', 'NaN') THEN user_id END"
DEVICE = """CASE WHEN trim(anonymous_id) NOT IN ('', '00000000-0000-4000-8000-6b696f736b31') THEN anonymous_id END"""
EMAIL = "CASE WHEN lower(email) LIKE '%_@_%' AND lower(email) <> 'test@example.com' THEN lower(email) END"
HASH = """'rid' || substr(sha1(substr(sha1('fe971b24-9572-4005-b22f-351e9c09274d' || id), 1, 32) || id_type), 1, 32)"""
END = "TIMESTAMP '2025-01-01'"

TUPLES = f"""
CREATE TEMP TABLE tracks_ids AS SELECT {USER} AS u, {DEVICE} AS d, min(timestamp) AS first, max(timestamp) AS last
    FROM tracks WHERE timestamp < {END} GROUP BY ALL;
CREATE TEMP TABLE other_ids AS
    SELECT {USER} AS u, {DEVICE} AS d, {EMAIL} AS e, min(timestamp) AS first, max(timestamp) AS last
    FROM identifies WHERE timestamp < {END} GROUP BY ALL
    UNION ALL
    SELECT {USER} AS u, {DEVICE} AS d, {EMAIL} AS e, min(ordered_at) AS first, max(ordered_at) AS last
    FROM orders WHERE ordered_at < {END} GROUP BY ALL;
CREATE TEMP TABLE ids AS
    WITH seen AS (
        SELECT u AS id, 'user_id' AS id_type, first, last FROM tracks_ids
        UNION ALL SELECT d, 'anonymous_id', first, last FROM tracks_ids
        UNION ALL SELECT u, 'user_id', first, last FROM other_ids
        UNION ALL SELECT d, 'anonymous_id', first, last FROM other_ids
        UNION ALL SELECT e, 'email', first, last FROM other_ids
    ), distinct_ids AS (
        SELECT id, id_type, min(first) AS first, max(last) AS last FROM seen WHERE id IS NOT NULL GROUP BY id, id_type
    )
    SELECT (row_number() OVER () - 1)::INTEGER AS node, * FROM distinct_ids;
"""

EDGES = """
WITH users AS (SELECT id, node FROM ids WHERE id_type = 'user_id'),
    devices AS (SELECT id, node FROM ids WHERE id_type = 'anonymous_id'),
    emails AS (SELECT id, node FROM ids WHERE id_type = 'email'),
    numbered AS (
        SELECT users.node AS u, devices.node AS d, emails.node AS e FROM other_ids
        LEFT JOIN users ON users.id = u LEFT JOIN devices ON devices.id = d LEFT JOIN emails ON emails.id = e
    )
SELECT users.node AS a, devices.node AS b FROM tracks_ids JOIN users ON users.id = u JOIN devices ON devices.id = d
UNION ALL SELECT u, d FROM numbered WHERE u IS NOT NULL AND d IS NOT NULL
UNION ALL SELECT coalesce(u, d), e FROM numbered WHERE coalesce(u, d) IS NOT NULL AND e IS NOT NULL
"""

GRAPH = f"""
CREATE TEMP TABLE labelled AS SELECT ids.*, person FROM ids JOIN labels USING (node);
CREATE TEMP TABLE people AS
    WITH eldest AS (SELECT person, min(first) AS first FROM labelled GROUP BY person)
    SELECT person, min({HASH}) AS user_main_id FROM labelled JOIN eldest USING (person, first) GROUP BY person;
CREATE TABLE user_id_stitcher AS
    SELECT user_main_id, id AS other_id, id_type AS other_id_type, last AS valid_at, first AS first_seen_at
    FROM labelled JOIN people USING (person);
"""

EVENTS = f"""
CREATE TEMP TABLE events AS
    WITH users AS (SELECT id, person FROM labelled WHERE id_type = 'user_id'),
        devices AS (SELECT id, person FROM labelled WHERE id_type = 'anonymous_id'),
        rows AS (
            SELECT timestamp, session_id, context_campaign_source AS source, context_device_type AS device,
                CASE WHEN event = 'product_viewed' THEN category END AS viewed, {USER} AS u, {DEVICE} AS d
            FROM tracks WHERE timestamp < {END}
        )
    SELECT timestamp, session_id, source, device, viewed, coalesce(users.person, devices.person) AS person
    FROM rows LEFT JOIN users ON users.id = u LEFT JOIN devices ON u IS NULL AND devices.id = d
    WHERE coalesce(users.person, devices.person) IS NOT NULL;
CREATE TEMP TABLE session_days AS
    SELECT person, session_id, timestamp::DATE AS day, count(*) AS n, min(timestamp) AS first, max(timestamp) AS last,
        count(*) FILTER (timestamp >= TIMESTAMP '2024-12-25') AS recent,
        arg_min(source, (timestamp, source)) FILTER (source <> '') AS source,
        min(timestamp) FILTER (source <> '') AS source_at,
        arg_max(struct_pack(v := device), (timestamp, device)).v AS device
    FROM events GROUP BY person, session_id, day;
CREATE TEMP TABLE activity AS
    WITH sessions AS (
        SELECT person, session_id, date_diff('second', min(first), max(last)) AS length
        FROM session_days GROUP BY person, session_id
    ), visits AS (
        SELECT person, count(session_id) AS n_sessions, max(length) AS longest FROM sessions GROUP BY person
    ), totals AS (
        SELECT person, sum(n)::BIGINT AS n_events, sum(recent)::BIGINT AS recent, max(last) AS last_seen_at,
            count(DISTINCT day) FILTER (day >= DATE '2024-01-02') AS days,
            arg_min(source, (source_at, source)) FILTER (source IS NOT NULL) AS source,
            arg_max(struct_pack(v := device), (last, device)).v AS device
        FROM session_days GROUP BY person
    ), viewed AS (
        SELECT person, list(viewed ORDER BY viewed) AS categories
        FROM (SELECT DISTINCT person, viewed FROM events WHERE viewed IS NOT NULL) GROUP BY person
    )
    SELECT * FROM totals JOIN visits USING (person) LEFT JOIN viewed USING (person);
"""

ORDERS = f"""
CREATE TEMP TABLE kept_orders AS
    WITH kept AS (
        SELECT DISTINCT order_id, user_id, anonymous_id, lower(email) AS email, ordered_at, amount,
            line_items ->> '$.main_category' AS category
        FROM orders WHERE status NOT IN ('cancelled', 'refunded') AND ordered_at < {END}
    ), rows AS (SELECT *, {USER} AS u, {DEVICE} AS d, {EMAIL} AS e FROM kept)
    SELECT order_id, ordered_at, amount, category, person FROM rows JOIN labelled
    ON id = coalesce(u, d, e)
        AND id_type = CASE WHEN u IS NOT NULL THEN 'user_id' WHEN d IS NOT NULL THEN 'anonymous_id' ELSE 'email' END;
CREATE TEMP TABLE buyers AS
    SELECT person, count(DISTINCT order_id) AS n_orders, sum(amount) AS revenue,
        sum(amount) FILTER (ordered_at >= TIMESTAMP '2024-10-03') AS recent_revenue, avg(amount) AS mean,
        median(amount::double) AS median, min(amount) AS smallest, min(ordered_at) AS first_order_at,
        string_agg(DISTINCT category, ',' ORDER BY category) AS bought
    FROM kept_orders GROUP BY person;
CREATE TEMP TABLE before_order AS
    SELECT person, count(*) AS n FROM events JOIN buyers USING (person) WHERE timestamp < first_order_at
    GROUP BY person;
"""

CONTACTS = f"""
CREATE TEMP TABLE contacts AS
    WITH rows AS (
        SELECT timestamp, country, email AS raw, {USER} AS u, {DEVICE} AS d, {EMAIL} AS e
        FROM identifies WHERE timestamp < {END}
    )
    SELECT person, arg_min_null(country, timestamp) AS country,
        arg_max_null(lower(raw), timestamp) FILTER (raw LIKE '%@%') AS email
    FROM rows JOIN labelled ON id = coalesce(u, d, e)
        AND id_type = CASE WHEN u IS NOT NULL THEN 'user_id' WHEN d IS NOT NULL THEN 'anonymous_id' ELSE 'email' END
    GROUP BY person;
CREATE TEMP TABLE owned AS
    SELECT person, count(*) FILTER (id_type = 'email') AS n_emails,
        count(*) FILTER (id_type = 'anonymous_id') AS n_devices
    FROM labelled GROUP BY person;
"""

PROFILES = f"""
CREATE TABLE features AS
    WITH joined AS (
        SELECT person, user_main_id, {END} AS valid_at, coalesce(n_events, 0) AS n_events,
            coalesce(n_sessions, 0) AS n_sessions, longest AS longest_session_seconds,
            coalesce(days, 0) AS active_days_past_365_days, coalesce(recent, 0) AS n_events_past_7_days, last_seen_at,
            date_diff('day', last_seen_at::DATE, {END}::DATE) AS days_since_last_seen,
            coalesce(source, 'organic') AS first_campaign_source, device AS last_device_type,
            categories AS categories_viewed, email AS latest_email, country, n_emails, n_devices,
            coalesce(n_orders, 0) AS n_orders, coalesce(revenue, 0) AS total_revenue,
            coalesce(recent_revenue, 0) AS revenue_past_90_days, mean AS avg_order_value,
            median AS median_order_value, smallest AS smallest_order_value, bought AS categories_bought,
            before_order.n AS n_events_before_first_order
        FROM people JOIN owned USING (person) LEFT JOIN activity USING (person) LEFT JOIN contacts USING (person)
            LEFT JOIN buyers USING (person) LEFT JOIN before_order USING (person)
    )
    SELECT *, total_revenue / nullif(n_sessions, 0) AS revenue_per_session,
        CASE WHEN n_orders = 0 THEN 'visitor' WHEN days_since_last_seen > 180 THEN 'lapsed'
            WHEN n_orders = 1 THEN 'new' ELSE 'active' END AS lifecycle_stage
    FROM joined;
CREATE VIEW user_feature_view AS SELECT * EXCLUDE (person) FROM features;
CREATE TABLE user_profile AS
    SELECT user_main_id, valid_at, latest_email, country, first_campaign_source, last_seen_at, n_sessions,
        active_days_past_365_days, n_orders, total_revenue, avg_order_value, lifecycle_stage
    FROM features;
CREATE VIEW user_by_email AS
    SELECT other_id AS email, f.* FROM user_id_stitcher JOIN user_feature_view AS f USING (user_main_id)
    WHERE other_id_type = 'email';
CREATE TABLE high_value_users_vars AS
    WITH late AS (
        SELECT person, count(DISTINCT order_id) FILTER (ordered_at >= TIMESTAMP '2024-12-02') AS n,
            arg_max_null(amount, ordered_at) AS last
        FROM kept_orders SEMI JOIN (SELECT person FROM features WHERE total_revenue >= 500) USING (person)
        GROUP BY person
    )
    SELECT features.*, n AS n_orders_past_30_days, last AS last_order_value,
        revenue_past_90_days / nullif(total_revenue, 0) AS recent_revenue_share
    FROM features JOIN late USING (person);
CREATE VIEW high_value_users_view AS SELECT * EXCLUDE (person) FROM high_value_users_vars;
CREATE TABLE campaign_report AS
    SELECT first_campaign_source AS campaign_source, count(*) AS people, count(*) FILTER (n_orders > 0) AS buyers,
        sum(total_revenue) AS revenue
    FROM user_profile GROUP BY ALL;
"""


def open_warehouse(folder: Path, warehouse: Path) -> duckdb.DuckDBPyConnection:
    """Return a connection to a database file with views on the three tables of the shop."""
    connection = duckdb.connect(str(warehouse))
    connection.execute("SET preserve_insertion_order = false; SET TimeZone = 'UTC'")
    for table in ("identifies", "tracks", "orders"):
        path = folder / f"shop.web.{table}.parquet"
        files = f"{path}/*.parquet" if path.is_dir() else path
        connection.execute(f"CREATE TEMP VIEW {table} AS FROM read_parquet('{files}')")
    return connection


def stitch(connection: duckdb.DuckDBPyConnection, edges_file: Path | None = None) -> None:
    """Make the id graph; keep its numbered edges in `edges_file`, an array of shape (2, edges), if there is one."""
    connection.execute(TUPLES)
    edges = connection.sql(EDGES).to_arrow_table()
    ends = np.stack([edges["a"].to_numpy(), edges["b"].to_numpy()])
    nodes = connection.execute("SELECT count(*) FROM ids").fetchall()[0][0]
    if edges_file is not None:
        np.save(edges_file, ends)
    matrix = coo_matrix((np.ones(ends.shape[1], dtype=np.int8), (ends[0], ends[1])), shape=(nodes, nodes))
    _, person = connected_components(matrix, directed=False)
    connection.register("labels", pa.table({"node": np.arange(nodes, dtype=np.int32), "person": person}))
    connection.execute(GRAPH)


def main() -> None:
    """Build everything in one process."""
    folder, warehouse = Path(sys.argv[1]), Path(sys.argv[2])
    connection = open_warehouse(folder, warehouse)
    stitch(connection, Path(sys.argv[3]) if len(sys.argv) > 3 else None)
    for statements in (EVENTS, ORDERS, CONTACTS, PROFILES):
        connection.execute(statements)
    connection.close()


if __name__ == "__main__":
    main()
