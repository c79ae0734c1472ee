-- models/dbt_aliases_mapping
-- Material_dbt_aliases_mapping_1, as of 2024-06-01 00:00:00 UTC

-- 1. The visitor of each alias: every anonymous id and every user id.
CREATE OR REPLACE TABLE "profiles"."Material_dbt_aliases_mapping_1" AS
WITH rows AS (
  SELECT
    anonymous_id,
    user_id,
    "timestamp",
    event_id
  FROM (
    SELECT
      CAST(id AS TEXT) AS "event_id",
      CAST(anonymous_id AS TEXT) AS "anonymous_id",
      CAST(user_id AS TEXT) AS "user_id",
      CASE
        WHEN TYPEOF(ts) = 'VARCHAR'
        THEN CAST(CAST(CAST(ts AS TEXT) AS TIMESTAMPTZ) AS TIMESTAMP)
        ELSE CAST(ts AS TIMESTAMP)
      END AS "timestamp",
      CAST(event AS TEXT) AS "event",
      'inputs/tracks' AS "source"
    FROM (
      SELECT
        *
      FROM tracks
      WHERE
        CASE
          WHEN TYPEOF(ts) = 'VARCHAR'
          THEN CAST(CAST(CAST(ts AS TEXT) AS TIMESTAMPTZ) AS TIMESTAMP)
          ELSE CAST(ts AS TIMESTAMP)
        END < CAST('2024-06-01 00:00:00' AS TIMESTAMP)
        OR ts IS NULL
    ) AS r
  ) AS r
  WHERE
    "timestamp" >= CAST('0001-01-01 00:00:00' AS TIMESTAMP)
), aliases AS (
  SELECT
    anonymous_id AS alias
  FROM rows
  WHERE
    NOT anonymous_id IS NULL
  UNION
  SELECT
    user_id
  FROM rows
  WHERE
    NOT user_id IS NULL
), latest AS (
  SELECT
    anonymous_id,
    user_id,
    ROW_NUMBER() OVER (PARTITION BY anonymous_id ORDER BY "timestamp" DESC, event_id DESC, user_id DESC) AS nth
  FROM rows
  WHERE
    NOT anonymous_id IS NULL AND NOT user_id IS NULL
)
SELECT
  a.alias,
  COALESCE(l.user_id, a.alias) AS "dbt_visitor_id"
FROM aliases AS a
LEFT JOIN latest AS l
  ON l.anonymous_id = a.alias AND l.nth = 1;

-- models/web_rejected
-- Material_web_rejected_1, as of 2024-06-01 00:00:00 UTC

-- 1. How many rows of each source are no events of anybody, and why.
CREATE OR REPLACE TABLE "profiles"."Material_web_rejected_1" AS
SELECT
  source,
  reason,
  COUNT(*) AS row_count
FROM (
  SELECT
    source,
    CASE
      WHEN "timestamp" IS NULL OR "timestamp" < CAST('0001-01-01 00:00:00' AS TIMESTAMP)
      THEN 'no time'
      WHEN anonymous_id IS NULL AND user_id IS NULL
      THEN 'no id'
    END AS reason
  FROM (
    SELECT
      CAST(id AS TEXT) AS "event_id",
      CAST(anonymous_id AS TEXT) AS "anonymous_id",
      CAST(user_id AS TEXT) AS "user_id",
      CASE
        WHEN TYPEOF(ts) = 'VARCHAR'
        THEN CAST(CAST(CAST(ts AS TEXT) AS TIMESTAMPTZ) AS TIMESTAMP)
        ELSE CAST(ts AS TIMESTAMP)
      END AS "timestamp",
      CAST(event AS TEXT) AS "event",
      'inputs/tracks' AS "source"
    FROM (
      SELECT
        *
      FROM tracks
      WHERE
        CASE
          WHEN TYPEOF(ts) = 'VARCHAR'
          THEN CAST(CAST(CAST(ts AS TEXT) AS TIMESTAMPTZ) AS TIMESTAMP)
          ELSE CAST(ts AS TIMESTAMP)
        END < CAST('2024-06-01 00:00:00' AS TIMESTAMP)
        OR ts IS NULL
    ) AS r
  ) AS r
) AS q
WHERE
  NOT reason IS NULL
GROUP BY
  source,
  reason;

-- models/dbt_mapped_tracks
-- Material_dbt_mapped_tracks_1, as of 2024-06-01 00:00:00 UTC

-- 1. Events with their visitor, and the minutes since the visitor's event before.
CREATE OR REPLACE TABLE "profiles"."Material_dbt_mapped_tracks_1" AS
SELECT
  event_id,
  anonymous_id,
  "dbt_visitor_id",
  "timestamp",
  event,
  CAST(DATE_DIFF('MICROSECOND', "previous_at", "timestamp") AS DOUBLE) / CAST(60000000 AS DOUBLE) AS idle_time_minutes
FROM (
  SELECT
    r.event_id,
    r.anonymous_id,
    a."dbt_visitor_id",
    r."timestamp",
    r.event,
    LAG(r."timestamp") OVER (
      PARTITION BY a."dbt_visitor_id"
      ORDER BY r."timestamp", r.event_id, r.event, r.anonymous_id
    ) AS previous_at
  FROM (
    SELECT
      CAST(id AS TEXT) AS "event_id",
      CAST(anonymous_id AS TEXT) AS "anonymous_id",
      CAST(user_id AS TEXT) AS "user_id",
      CASE
        WHEN TYPEOF(ts) = 'VARCHAR'
        THEN CAST(CAST(CAST(ts AS TEXT) AS TIMESTAMPTZ) AS TIMESTAMP)
        ELSE CAST(ts AS TIMESTAMP)
      END AS "timestamp",
      CAST(event AS TEXT) AS "event",
      'inputs/tracks' AS "source"
    FROM (
      SELECT
        *
      FROM tracks
      WHERE
        CASE
          WHEN TYPEOF(ts) = 'VARCHAR'
          THEN CAST(CAST(CAST(ts AS TEXT) AS TIMESTAMPTZ) AS TIMESTAMP)
          ELSE CAST(ts AS TIMESTAMP)
        END < CAST('2024-06-01 00:00:00' AS TIMESTAMP)
        OR ts IS NULL
    ) AS r
  ) AS r
  JOIN "profiles"."Material_dbt_aliases_mapping_1" AS a
    ON a.alias = COALESCE(r.user_id, r.anonymous_id)
  WHERE
    r."timestamp" >= CAST('0001-01-01 00:00:00' AS TIMESTAMP)
) AS t;

-- models/web
-- Material_dbt_session_tracks_1, as of 2024-06-01 00:00:00 UTC

-- 1. Sessions: visitor, begin, number, and begin of the next one.
CREATE OR REPLACE TABLE "profiles"."Material_dbt_session_tracks_1" AS
SELECT
  CAST(session_sequence_number AS TEXT) || ' - ' || "dbt_visitor_id" AS session_id,
  "dbt_visitor_id",
  session_start_at,
  session_sequence_number,
  LEAD(session_start_at) OVER (PARTITION BY "dbt_visitor_id" ORDER BY session_start_at) AS next_session_start_at
FROM (
  SELECT
    "dbt_visitor_id",
    "timestamp" AS session_start_at,
    ROW_NUMBER() OVER (PARTITION BY "dbt_visitor_id" ORDER BY "timestamp") AS session_sequence_number
  FROM "profiles"."Material_dbt_mapped_tracks_1"
  WHERE
    idle_time_minutes IS NULL
    OR idle_time_minutes > CAST(1800000000 AS DOUBLE) / CAST(60000000 AS DOUBLE)
) AS starts;

-- models/dbt_track_facts
-- Material_dbt_track_facts_1, as of 2024-06-01 00:00:00 UTC

-- 1. Events with their session and their number in it.
CREATE OR REPLACE TABLE "profiles"."Material_dbt_track_facts_1" AS
SELECT
  t."anonymous_id",
  t."timestamp",
  t.event_id,
  t.event,
  s.session_id,
  t."dbt_visitor_id",
  ROW_NUMBER() OVER (
    PARTITION BY s.session_id
    ORDER BY t."timestamp", t."event_id", t."event", t."anonymous_id"
  ) AS track_sequence_number
FROM "profiles"."Material_dbt_mapped_tracks_1" AS t
JOIN "profiles"."Material_dbt_session_tracks_1" AS s
  ON s."dbt_visitor_id" = t."dbt_visitor_id"
  AND t."timestamp" >= s.session_start_at
  AND (
    t."timestamp" < s.next_session_start_at OR s.next_session_start_at IS NULL
  );

-- models/dbt_user_session_facts
-- Material_dbt_user_session_facts_1, as of 2024-06-01 00:00:00 UTC

-- 1. First and last session and number of sessions of each visitor.
CREATE OR REPLACE TABLE "profiles"."Material_dbt_user_session_facts_1" AS
SELECT
  "dbt_visitor_id",
  MIN(session_start_at) AS first_date,
  MAX(session_start_at) AS last_date,
  COUNT(*) AS number_of_sessions
FROM "profiles"."Material_dbt_session_tracks_1"
GROUP BY
  "dbt_visitor_id";

-- models/dbt_tracks_flow
-- Material_dbt_tracks_flow_1, as of 2024-06-01 00:00:00 UTC

-- 1. Each event with those that follow it in its session.
CREATE OR REPLACE TABLE "profiles"."Material_dbt_tracks_flow_1" AS
SELECT
  event_id,
  session_id,
  track_sequence_number,
  event,
  "dbt_visitor_id",
  "timestamp",
  LEAD(event, 1) OVER (PARTITION BY session_id ORDER BY track_sequence_number) AS "event_2",
  LEAD(event, 2) OVER (PARTITION BY session_id ORDER BY track_sequence_number) AS "event_3",
  LEAD(event, 3) OVER (PARTITION BY session_id ORDER BY track_sequence_number) AS "event_4",
  LEAD(event, 4) OVER (PARTITION BY session_id ORDER BY track_sequence_number) AS "event_5"
FROM "profiles"."Material_dbt_track_facts_1";

-- models/dbt_session_track_facts
-- Material_dbt_session_track_facts_1, as of 2024-06-01 00:00:00 UTC

-- 1. End and facts of each session.
CREATE OR REPLACE TABLE "profiles"."Material_dbt_session_track_facts_1" AS
SELECT
  session_id,
  MAX("timestamp") AS ended_at,
  COUNT(DISTINCT event_id) AS num_pvs
FROM "profiles"."Material_dbt_track_facts_1"
GROUP BY
  session_id;

-- models/dbt_session_duration
-- Material_dbt_session_duration_1, as of 2024-06-01 00:00:00 UTC

-- 1. Minutes from the first to the last event of each session.
CREATE OR REPLACE TABLE "profiles"."Material_dbt_session_duration_1" AS
SELECT
  s."dbt_visitor_id",
  s.session_id,
  CAST(DATE_DIFF('MICROSECOND', s."session_start_at", f."ended_at") AS DOUBLE) / CAST(60000000 AS DOUBLE) AS session_duration
FROM "profiles"."Material_dbt_session_tracks_1" AS s
JOIN "profiles"."Material_dbt_session_track_facts_1" AS f
  ON f.session_id = s.session_id;
