-- models/visits
-- Material_visits_1, as of 2024-06-01 00:00:00 UTC

-- 1. One row per session: visitor, begin, end, what it began and ended with, facts and stages.
CREATE OR REPLACE TABLE "profiles"."Material_visits_1" AS
SELECT
  s."session_id",
  s."user_main_id",
  s."session_start_at",
  ROW_NUMBER() OVER (PARTITION BY s."profiles_visitor" ORDER BY s.session_start_at) AS session_sequence_number,
  LEAD(s.session_start_at) OVER (PARTITION BY s."profiles_visitor" ORDER BY s.session_start_at) AS next_session_start_at,
  s."ended_at",
  s."number_of_events",
  s."duration_seconds",
  s."entry_event",
  s."exit_event",
  s."n_views",
  s."viewed_at",
  s."bought_at",
  CASE
    WHEN NOT "bought_at" IS NULL
    THEN 'bought'
    WHEN NOT "viewed_at" IS NULL
    THEN 'viewed'
  END AS "furthest_stage"
FROM (
  WITH gaps AS (
    SELECT
      e.*,
      LAG("timestamp") OVER (PARTITION BY profiles_visitor ORDER BY "timestamp", event_id) AS profiles_previous_at,
      LEAD("timestamp") OVER (PARTITION BY profiles_visitor ORDER BY "timestamp", event_id) AS profiles_next_at
    FROM (
      SELECT
        *
      FROM (
        SELECT
          e.*,
          LAG("timestamp") OVER (PARTITION BY profiles_visitor, event_id ORDER BY "timestamp", "source", "event") AS profiles_came_before
        FROM (
          SELECT
            *
          FROM (
            SELECT
              r."user_main_id" AS profiles_visitor,
              CAST(id AS TEXT) AS event_id,
              CAST(event AS TEXT) AS event,
              CASE
                WHEN TYPEOF(ts) = 'VARCHAR'
                THEN CAST(CAST(CAST(ts AS TEXT) AS TIMESTAMPTZ) AS TIMESTAMP)
                ELSE CAST(ts AS TIMESTAMP)
              END AS "timestamp",
              'inputs/tracks' AS source
            FROM (
              SELECT
                COALESCE(user_ids_0."component", user_ids_1."component") AS "user_main_id",
                "r".*
                EXCLUDE ("user.id_0", "user.id_1")
              FROM (
                SELECT
                  source_rows.*,
                  CASE
                    WHEN (
                      CAST(user_id AS TEXT) BETWEEN '!' AND '~'
                      OR REGEXP_MATCHES(CAST(user_id AS TEXT), '[^\p{Z}\p{Cc}\p{Cf}]')
                    )
                    THEN CAST(user_id AS TEXT)
                  END AS "user.id_0",
                  CASE
                    WHEN (
                      CAST(anonymous_id AS TEXT) BETWEEN '!' AND '~'
                      OR REGEXP_MATCHES(CAST(anonymous_id AS TEXT), '[^\p{Z}\p{Cc}\p{Cf}]')
                    )
                    THEN CAST(anonymous_id AS TEXT)
                  END AS "user.id_1"
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
                ) AS source_rows
              ) AS "r"
              LEFT JOIN (
                SELECT
                  other_id,
                  "component"
                FROM "profiles"."Material_user_default_id_stitcher_1_mappings"
                WHERE
                  other_id_type = 'user_id'
              ) AS "user_ids_0"
                ON "user_ids_0".other_id = r."user.id_0"
              LEFT JOIN (
                SELECT
                  other_id,
                  "component"
                FROM "profiles"."Material_user_default_id_stitcher_1_mappings"
                WHERE
                  other_id_type = 'anonymous_id'
              ) AS "user_ids_1"
                ON "user_ids_1".other_id = CASE WHEN r."user.id_0" IS NULL THEN r."user.id_1" END
            ) AS r
          ) AS e
          WHERE
            NOT profiles_visitor IS NULL
            AND NOT event_id IS NULL
            AND "timestamp" >= CAST('0001-01-01 00:00:00' AS TIMESTAMP)
        ) AS e
      ) AS n
      WHERE
        profiles_came_before IS NULL
        OR "timestamp" > profiles_came_before + INTERVAL '2592000' SECOND
    ) AS e
  ), runs AS (
    SELECT
      g.*,
      MAX(
        CASE
          WHEN "profiles_previous_at" IS NULL
          OR "timestamp" IS NULL
          OR "timestamp" > "profiles_previous_at" + INTERVAL '1800' SECOND
          THEN "timestamp"
        END
      ) OVER (
        PARTITION BY profiles_visitor
        ORDER BY "timestamp", event_id
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS profiles_run_started_at
    FROM gaps AS g
  ), marked AS (
    SELECT
      r.*,
      CASE
        WHEN "timestamp" = profiles_run_started_at
        THEN 0
        ELSE (
          DATE_DIFF('MICROSECOND', profiles_run_started_at, "timestamp") - 1
        ) // 43200000000
      END AS profiles_piece,
      (
        "profiles_previous_at" IS NULL
        OR "timestamp" IS NULL
        OR "timestamp" > "profiles_previous_at" + INTERVAL '1800' SECOND
      )
      OR CASE
        WHEN "timestamp" = profiles_run_started_at
        THEN 0
        ELSE (
          DATE_DIFF('MICROSECOND', profiles_run_started_at, "timestamp") - 1
        ) // 43200000000
      END <> CASE
        WHEN "profiles_previous_at" = profiles_run_started_at
        THEN 0
        ELSE (
          DATE_DIFF('MICROSECOND', profiles_run_started_at, "profiles_previous_at") - 1
        ) // 43200000000
      END AS profiles_is_first,
      (
        "timestamp" IS NULL
        OR "profiles_next_at" IS NULL
        OR "profiles_next_at" > "timestamp" + INTERVAL '1800' SECOND
      )
      OR CASE
        WHEN "timestamp" = profiles_run_started_at
        THEN 0
        ELSE (
          DATE_DIFF('MICROSECOND', profiles_run_started_at, "timestamp") - 1
        ) // 43200000000
      END <> CASE
        WHEN "profiles_next_at" = profiles_run_started_at
        THEN 0
        ELSE (
          DATE_DIFF('MICROSECOND', profiles_run_started_at, "profiles_next_at") - 1
        ) // 43200000000
      END AS profiles_is_last
    FROM runs AS r
  ), sessions AS (
    SELECT
      profiles_visitor,
      MIN("timestamp") AS session_start_at,
      MAX("timestamp") AS ended_at,
      COUNT(*) AS number_of_events,
      MAX(CASE WHEN profiles_is_first THEN event_id END) AS profiles_first_event_id,
      MAX(CASE WHEN profiles_is_first THEN event END) AS entry_event,
      MAX(CASE WHEN profiles_is_last THEN event END) AS exit_event,
      COUNT(*) FILTER(WHERE
        event = 'view') AS "n_views",
      MIN(CASE WHEN event = 'view' THEN "timestamp" END) AS "viewed_at",
      MIN(CASE WHEN event = 'buy' THEN "timestamp" END) AS "bought_at"
    FROM marked AS m
    GROUP BY
      profiles_visitor,
      profiles_run_started_at,
      profiles_piece
  )
  SELECT
    s.profiles_visitor,
    MD5(
      p.main_id || '|' || s.profiles_first_event_id || '|' || CAST(DATE_DIFF('MICROSECOND', CAST('1970-01-01 00:00:00' AS TIMESTAMP), s."session_start_at") AS TEXT)
    ) AS session_id,
    p.main_id AS "user_main_id",
    s.session_start_at,
    s.ended_at,
    s.number_of_events,
    CAST(DATE_DIFF('MICROSECOND', s."session_start_at", s."ended_at") AS DOUBLE) / CAST(1000000 AS DOUBLE) AS duration_seconds,
    s.entry_event,
    s.exit_event,
    s."n_views",
    s."viewed_at",
    s."bought_at"
  FROM sessions AS s
  JOIN (
    SELECT DISTINCT
      "component" AS person,
      main_id
    FROM "profiles"."Material_user_default_id_stitcher_1_mappings"
  ) AS p
    ON p.person = s.profiles_visitor
) AS s;

-- 2. rows by whether they are events
CREATE OR REPLACE TEMPORARY TABLE "Material_visits_1_counts" AS
SELECT
  source,
  reason,
  CAST(SUM(n) AS BIGINT) AS row_count
FROM (
  SELECT
    source,
    reason,
    COUNT(*) AS n
  FROM (
    SELECT
      'inputs/tracks' AS source,
      CASE
        WHEN CASE
          WHEN TYPEOF(ts) = 'VARCHAR'
          THEN CAST(CAST(CAST(ts AS TEXT) AS TIMESTAMPTZ) AS TIMESTAMP)
          ELSE CAST(ts AS TIMESTAMP)
        END IS NULL
        OR CASE
          WHEN TYPEOF(ts) = 'VARCHAR'
          THEN CAST(CAST(CAST(ts AS TEXT) AS TIMESTAMPTZ) AS TIMESTAMP)
          ELSE CAST(ts AS TIMESTAMP)
        END < CAST('0001-01-01 00:00:00' AS TIMESTAMP)
        THEN 'no time'
        WHEN CAST(id AS TEXT) IS NULL
        THEN 'no event id'
        WHEN NOT (
          (
            NOT CASE
              WHEN (
                CAST(user_id AS TEXT) BETWEEN '!' AND '~'
                OR REGEXP_MATCHES(CAST(user_id AS TEXT), '[^\p{Z}\p{Cc}\p{Cf}]')
              )
              THEN CAST(user_id AS TEXT)
            END IS NULL
            OR NOT CASE
              WHEN (
                CAST(anonymous_id AS TEXT) BETWEEN '!' AND '~'
                OR REGEXP_MATCHES(CAST(anonymous_id AS TEXT), '[^\p{Z}\p{Cc}\p{Cf}]')
              )
              THEN CAST(anonymous_id AS TEXT)
            END IS NULL
          )
        )
        THEN 'no id'
      END AS reason
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
  ) AS q
  GROUP BY
    1,
    2
) AS p
GROUP BY
  1,
  2;

-- 3. rows that are events of nobody
CREATE OR REPLACE TABLE "profiles"."Material_visits_1_rejected" AS
SELECT
  source,
  reason,
  row_count
FROM "Material_visits_1_counts" AS c
WHERE
  NOT reason IS NULL
UNION ALL
SELECT
  'inputs/tracks',
  'repeated event',
  given - kept
FROM (
  SELECT
    (
      SELECT
        CAST(COALESCE(SUM(row_count), 0) AS BIGINT)
      FROM "Material_visits_1_counts" AS c
      WHERE
        reason IS NULL
    ) AS given,
    (
      SELECT
        CAST(COALESCE(SUM(number_of_events), 0) AS BIGINT)
      FROM "profiles"."Material_visits_1" AS s
    ) AS kept
) AS sums
WHERE
  given > kept;

-- models/visits_mapped_tracks
-- Material_visits_mapped_tracks_1, as of 2024-06-01 00:00:00 UTC

-- 1. Events with their visitor, and the minutes since the visitor's event before.
CREATE OR REPLACE VIEW "profiles"."Material_visits_mapped_tracks_1" AS
SELECT
  e.event_id,
  p.main_id AS "user_main_id",
  e."timestamp",
  e.event,
  e.source,
  CAST(DATE_DIFF('MICROSECOND', e."previous_at", e."timestamp") AS DOUBLE) / CAST(60000000 AS DOUBLE) AS idle_time_minutes
FROM (
  SELECT
    k.*,
    LAG("timestamp") OVER (PARTITION BY profiles_visitor ORDER BY "timestamp", event_id) AS previous_at
  FROM (
    SELECT
      *
    FROM (
      SELECT
        e.*,
        LAG("timestamp") OVER (PARTITION BY profiles_visitor, event_id ORDER BY "timestamp", "source", "event") AS profiles_came_before
      FROM (
        SELECT
          *
        FROM (
          SELECT
            r."user_main_id" AS profiles_visitor,
            CAST(id AS TEXT) AS event_id,
            CAST(event AS TEXT) AS event,
            CASE
              WHEN TYPEOF(ts) = 'VARCHAR'
              THEN CAST(CAST(CAST(ts AS TEXT) AS TIMESTAMPTZ) AS TIMESTAMP)
              ELSE CAST(ts AS TIMESTAMP)
            END AS "timestamp",
            'inputs/tracks' AS source
          FROM (
            SELECT
              COALESCE(user_ids_0."component", user_ids_1."component") AS "user_main_id",
              "r".*
              EXCLUDE ("user.id_0", "user.id_1")
            FROM (
              SELECT
                source_rows.*,
                CASE
                  WHEN (
                    CAST(user_id AS TEXT) BETWEEN '!' AND '~'
                    OR REGEXP_MATCHES(CAST(user_id AS TEXT), '[^\p{Z}\p{Cc}\p{Cf}]')
                  )
                  THEN CAST(user_id AS TEXT)
                END AS "user.id_0",
                CASE
                  WHEN (
                    CAST(anonymous_id AS TEXT) BETWEEN '!' AND '~'
                    OR REGEXP_MATCHES(CAST(anonymous_id AS TEXT), '[^\p{Z}\p{Cc}\p{Cf}]')
                  )
                  THEN CAST(anonymous_id AS TEXT)
                END AS "user.id_1"
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
              ) AS source_rows
            ) AS "r"
            LEFT JOIN (
              SELECT
                other_id,
                "component"
              FROM "profiles"."Material_user_default_id_stitcher_1_mappings"
              WHERE
                other_id_type = 'user_id'
            ) AS "user_ids_0"
              ON "user_ids_0".other_id = r."user.id_0"
            LEFT JOIN (
              SELECT
                other_id,
                "component"
              FROM "profiles"."Material_user_default_id_stitcher_1_mappings"
              WHERE
                other_id_type = 'anonymous_id'
            ) AS "user_ids_1"
              ON "user_ids_1".other_id = CASE WHEN r."user.id_0" IS NULL THEN r."user.id_1" END
          ) AS r
        ) AS e
        WHERE
          NOT profiles_visitor IS NULL
          AND NOT event_id IS NULL
          AND "timestamp" >= CAST('0001-01-01 00:00:00' AS TIMESTAMP)
      ) AS e
    ) AS n
    WHERE
      profiles_came_before IS NULL
      OR "timestamp" > profiles_came_before + INTERVAL '2592000' SECOND
  ) AS k
) AS e
JOIN (
  SELECT DISTINCT
    "component" AS person,
    main_id
  FROM "profiles"."Material_user_default_id_stitcher_1_mappings"
) AS p
  ON p.person = e.profiles_visitor;

-- models/visits_session_tracks
-- Material_visits_session_tracks_1, as of 2024-06-01 00:00:00 UTC

-- 1. Sessions: visitor, begin, number, and begin of the next one.
CREATE OR REPLACE VIEW "profiles"."Material_visits_session_tracks_1" AS
SELECT
  session_id,
  "user_main_id",
  session_start_at,
  session_sequence_number,
  next_session_start_at
FROM "profiles"."Material_visits_1";

-- models/visits_session_duration
-- Material_visits_session_duration_1, as of 2024-06-01 00:00:00 UTC

-- 1. Minutes from the first to the last event of each session.
CREATE OR REPLACE VIEW "profiles"."Material_visits_session_duration_1" AS
SELECT
  "user_main_id",
  session_id,
  duration_seconds / CAST(60 AS DOUBLE) AS session_duration
FROM "profiles"."Material_visits_1";

-- models/visits_user_session_facts
-- Material_visits_user_session_facts_1, as of 2024-06-01 00:00:00 UTC

-- 1. First and last session and number of sessions of each visitor.
CREATE OR REPLACE TABLE "profiles"."Material_visits_user_session_facts_1" AS
SELECT
  "user_main_id",
  MIN(session_start_at) AS first_session_at,
  MAX(session_start_at) AS last_session_at,
  MAX(ended_at) AS last_seen_at,
  COUNT(*) AS number_of_sessions,
  CAST(SUM(number_of_events) AS BIGINT) AS number_of_events,
  CAST(SUM(DATE_DIFF('MICROSECOND', "session_start_at", "ended_at")) AS DOUBLE) / NULLIF(COUNT("ended_at"), 0) / CAST(1000000 AS DOUBLE) AS mean_session_seconds,
  MIN("viewed_at") AS "viewed_at",
  MIN("bought_at") AS "bought_at",
  CASE
    WHEN NOT MIN("bought_at") IS NULL
    THEN 'bought'
    WHEN NOT MIN("viewed_at") IS NULL
    THEN 'viewed'
  END AS "furthest_stage"
FROM "profiles"."Material_visits_1" AS s
GROUP BY
  "user_main_id";

-- models/visits_rejected
-- Material_visits_rejected_1, as of 2024-06-01 00:00:00 UTC

-- 1. How many rows of each source are no events of anybody, and why.
CREATE OR REPLACE VIEW "profiles"."Material_visits_rejected_1" AS
SELECT
  *
FROM "profiles"."Material_visits_1_rejected";

-- models/visits_funnel
-- Material_visits_funnel_1, as of 2024-06-01 00:00:00 UTC

-- 1. How many sessions and visitors reach each stage, and how soon.
CREATE OR REPLACE TABLE "profiles"."Material_visits_funnel_1" AS
WITH counts AS (
  SELECT
    COUNT(CASE WHEN NOT "viewed_at" IS NULL OR NOT "bought_at" IS NULL THEN 1 END) AS "sessions_0",
    COUNT(
      DISTINCT CASE
        WHEN NOT "viewed_at" IS NULL OR NOT "bought_at" IS NULL
        THEN "user_main_id"
      END
    ) AS "visitors_0",
    CAST(SUM(DATE_DIFF('MICROSECOND', "session_start_at", "viewed_at")) AS DOUBLE) / NULLIF(COUNT("viewed_at"), 0) / CAST(1000000 AS DOUBLE) AS "seconds_0",
    COUNT(CASE WHEN NOT "bought_at" IS NULL THEN 1 END) AS "sessions_1",
    COUNT(DISTINCT CASE WHEN NOT "bought_at" IS NULL THEN "user_main_id" END) AS "visitors_1",
    CAST(SUM(DATE_DIFF('MICROSECOND', "session_start_at", "bought_at")) AS DOUBLE) / NULLIF(COUNT("bought_at"), 0) / CAST(1000000 AS DOUBLE) AS "seconds_1"
  FROM "profiles"."Material_visits_1" AS s
)
SELECT
  *
FROM (
  SELECT
    1 AS stage_number,
    'viewed' AS stage,
    "sessions_0" AS sessions,
    "visitors_0" AS visitors,
    CAST("sessions_0" AS DOUBLE) / NULLIF("sessions_0", 0) AS share_of_first,
    CAST("sessions_0" AS DOUBLE) / NULLIF("sessions_0", 0) AS share_of_previous,
    "seconds_0" AS mean_seconds
  FROM counts
  UNION ALL
  SELECT
    2 AS stage_number,
    'bought' AS stage,
    "sessions_1" AS sessions,
    "visitors_1" AS visitors,
    CAST("sessions_1" AS DOUBLE) / NULLIF("sessions_0", 0) AS share_of_first,
    CAST("sessions_1" AS DOUBLE) / NULLIF("sessions_0", 0) AS share_of_previous,
    "seconds_1" AS mean_seconds
  FROM counts
) AS u;

-- models/visits_track_facts
-- Material_visits_track_facts_1, as of 2024-06-01 00:00:00 UTC

-- 1. Events with their session and their number in it.
CREATE OR REPLACE VIEW "profiles"."Material_visits_track_facts_1" AS
SELECT
  t."timestamp",
  t.event_id,
  t.event,
  s.session_id,
  t."user_main_id",
  ROW_NUMBER() OVER (PARTITION BY s.session_id ORDER BY t."timestamp", t."event_id") AS track_sequence_number
FROM "profiles"."Material_visits_mapped_tracks_1" AS t
JOIN "profiles"."Material_visits_1" AS s
  ON s."user_main_id" = t."user_main_id"
  AND t."timestamp" >= s.session_start_at
  AND (
    t."timestamp" < s.next_session_start_at OR s.next_session_start_at IS NULL
  );

-- models/visits_tracks_flow
-- Material_visits_tracks_flow_1, as of 2024-06-01 00:00:00 UTC

-- 1. Each event with those that follow it in its session.
CREATE OR REPLACE VIEW "profiles"."Material_visits_tracks_flow_1" AS
SELECT
  event_id,
  session_id,
  track_sequence_number,
  event,
  "user_main_id",
  "timestamp",
  LEAD(event, 1) OVER (PARTITION BY session_id ORDER BY track_sequence_number) AS "event_2",
  LEAD(event, 2) OVER (PARTITION BY session_id ORDER BY track_sequence_number) AS "event_3"
FROM "profiles"."Material_visits_track_facts_1";
