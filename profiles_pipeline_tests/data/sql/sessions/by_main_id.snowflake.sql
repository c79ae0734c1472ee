-- models/visits
-- Material_visits_1, as of 2024-06-01 00:00:00 UTC

-- 1. One row per session: visitor, begin, end, what it began and ended with, facts and stages.
CREATE OR REPLACE TRANSIENT TABLE "PROFILES"."MATERIAL_VISITS_1"
DATA_RETENTION_TIME_IN_DAYS=0 AS
SELECT
  "S"."SESSION_ID",
  "S"."USER_MAIN_ID",
  "S"."SESSION_START_AT",
  ROW_NUMBER() OVER (PARTITION BY "S"."PROFILES_VISITOR" ORDER BY "S"."SESSION_START_AT") AS "SESSION_SEQUENCE_NUMBER",
  LEAD("S"."SESSION_START_AT") OVER (PARTITION BY "S"."PROFILES_VISITOR" ORDER BY "S"."SESSION_START_AT") AS "NEXT_SESSION_START_AT",
  "S"."ENDED_AT",
  "S"."NUMBER_OF_EVENTS",
  "S"."DURATION_SECONDS",
  "S"."ENTRY_EVENT",
  "S"."EXIT_EVENT",
  "S"."N_VIEWS",
  "S"."VIEWED_AT",
  "S"."BOUGHT_AT",
  CASE
    WHEN NOT "BOUGHT_AT" IS NULL
    THEN 'bought'
    WHEN NOT "VIEWED_AT" IS NULL
    THEN 'viewed'
  END AS "FURTHEST_STAGE"
FROM (
  WITH "GAPS" AS (
    SELECT
      "E".*,
      LAG("TIMESTAMP") OVER (PARTITION BY "PROFILES_VISITOR" ORDER BY "TIMESTAMP", "EVENT_ID") AS "PROFILES_PREVIOUS_AT",
      LEAD("TIMESTAMP") OVER (PARTITION BY "PROFILES_VISITOR" ORDER BY "TIMESTAMP", "EVENT_ID") AS "PROFILES_NEXT_AT"
    FROM (
      SELECT
        *
      FROM (
        SELECT
          "E".*,
          LAG("TIMESTAMP") OVER (
            PARTITION BY "PROFILES_VISITOR", "EVENT_ID"
            ORDER BY "TIMESTAMP", "SOURCE", "EVENT"
          ) AS "PROFILES_CAME_BEFORE"
        FROM (
          SELECT
            *
          FROM (
            SELECT
              "R"."USER_MAIN_ID" AS "PROFILES_VISITOR",
              CAST("ID" AS VARCHAR) AS "EVENT_ID",
              CAST("EVENT" AS VARCHAR) AS "EVENT",
              CASE
                WHEN TYPEOF(TO_VARIANT("TS")) = 'VARCHAR'
                THEN CAST(CONVERT_TIMEZONE('UTC', CAST(CAST("TS" AS VARCHAR) AS TIMESTAMPTZ)) AS TIMESTAMPNTZ)
                ELSE CAST("TS" AS TIMESTAMPNTZ)
              END AS "TIMESTAMP",
              'inputs/tracks' AS "SOURCE"
            FROM (
              SELECT
                COALESCE("USER_IDS_0"."COMPONENT", "USER_IDS_1"."COMPONENT") AS "USER_MAIN_ID",
                "R".*
                EXCLUDE ("USER.ID_0", "USER.ID_1")
              FROM (
                SELECT
                  "SOURCE_ROWS".*,
                  CASE
                    WHEN (
                      CAST("USER_ID" AS VARCHAR) BETWEEN '!' AND '~'
                      OR LENGTH(
                        TRANSLATE(
                          CAST("USER_ID" AS VARCHAR),
                          '\x01\x02\x03\x04\x05\x06\x07\b\t\n\x0b\f\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f \x7f ­؀؁؂؃؄؅؜۝܏࢐࢑࣢ ᠎           ​‌‍‎‏  ‪‫‬‭‮  ⁠⁡⁢⁣⁤⁦⁧⁨⁩⁪⁫⁬⁭⁮⁯　﻿￹￺￻𑂽𑃍𓐰𓐱𓐲𓐳𓐴𓐵𓐶𓐷𓐸𛲠𛲡𛲢𛲣𝅳𝅴𝅵𝅶𝅷𝅸𝅹𝅺󠀁󠀠󠀡󠀢󠀣󠀤󠀥󠀦󠀧󠀨󠀩󠀪󠀫󠀬󠀭󠀮󠀯󠀰󠀱󠀲󠀳󠀴󠀵󠀶󠀷󠀸󠀹󠀺󠀻󠀼󠀽󠀾󠀿󠁀󠁁󠁂󠁃󠁄󠁅󠁆󠁇󠁈󠁉󠁊󠁋󠁌󠁍󠁎󠁏󠁐󠁑󠁒󠁓󠁔󠁕󠁖󠁗󠁘󠁙󠁚󠁛󠁜󠁝󠁞󠁟󠁠󠁡󠁢󠁣󠁤󠁥󠁦󠁧󠁨󠁩󠁪󠁫󠁬󠁭󠁮󠁯󠁰󠁱󠁲󠁳󠁴󠁵󠁶󠁷󠁸󠁹󠁺󠁻󠁼󠁽󠁾󠁿',
                          ''
                        )
                      ) > 0
                    )
                    THEN CAST("USER_ID" AS VARCHAR)
                  END AS "USER.ID_0",
                  CASE
                    WHEN (
                      CAST("ANONYMOUS_ID" AS VARCHAR) BETWEEN '!' AND '~'
                      OR LENGTH(
                        TRANSLATE(
                          CAST("ANONYMOUS_ID" AS VARCHAR),
                          '\x01\x02\x03\x04\x05\x06\x07\b\t\n\x0b\f\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f \x7f ­؀؁؂؃؄؅؜۝܏࢐࢑࣢ ᠎           ​‌‍‎‏  ‪‫‬‭‮  ⁠⁡⁢⁣⁤⁦⁧⁨⁩⁪⁫⁬⁭⁮⁯　﻿￹￺￻𑂽𑃍𓐰𓐱𓐲𓐳𓐴𓐵𓐶𓐷𓐸𛲠𛲡𛲢𛲣𝅳𝅴𝅵𝅶𝅷𝅸𝅹𝅺󠀁󠀠󠀡󠀢󠀣󠀤󠀥󠀦󠀧󠀨󠀩󠀪󠀫󠀬󠀭󠀮󠀯󠀰󠀱󠀲󠀳󠀴󠀵󠀶󠀷󠀸󠀹󠀺󠀻󠀼󠀽󠀾󠀿󠁀󠁁󠁂󠁃󠁄󠁅󠁆󠁇󠁈󠁉󠁊󠁋󠁌󠁍󠁎󠁏󠁐󠁑󠁒󠁓󠁔󠁕󠁖󠁗󠁘󠁙󠁚󠁛󠁜󠁝󠁞󠁟󠁠󠁡󠁢󠁣󠁤󠁥󠁦󠁧󠁨󠁩󠁪󠁫󠁬󠁭󠁮󠁯󠁰󠁱󠁲󠁳󠁴󠁵󠁶󠁷󠁸󠁹󠁺󠁻󠁼󠁽󠁾󠁿',
                          ''
                        )
                      ) > 0
                    )
                    THEN CAST("ANONYMOUS_ID" AS VARCHAR)
                  END AS "USER.ID_1"
                FROM (
                  SELECT
                    *
                  FROM "TRACKS"
                  WHERE
                    CASE
                      WHEN TYPEOF(TO_VARIANT("TS")) = 'VARCHAR'
                      THEN CAST(CONVERT_TIMEZONE('UTC', CAST(CAST("TS" AS VARCHAR) AS TIMESTAMPTZ)) AS TIMESTAMPNTZ)
                      ELSE CAST("TS" AS TIMESTAMPNTZ)
                    END < CAST('2024-06-01 00:00:00' AS TIMESTAMPNTZ)
                    OR "TS" IS NULL
                ) AS "SOURCE_ROWS"
              ) AS "R"
              LEFT JOIN (
                SELECT
                  "OTHER_ID",
                  "COMPONENT"
                FROM "PROFILES"."MATERIAL_USER_DEFAULT_ID_STITCHER_1_MAPPINGS"
                WHERE
                  "OTHER_ID_TYPE" = 'user_id'
              ) AS "USER_IDS_0"
                ON "USER_IDS_0"."OTHER_ID" = "R"."USER.ID_0"
              LEFT JOIN (
                SELECT
                  "OTHER_ID",
                  "COMPONENT"
                FROM "PROFILES"."MATERIAL_USER_DEFAULT_ID_STITCHER_1_MAPPINGS"
                WHERE
                  "OTHER_ID_TYPE" = 'anonymous_id'
              ) AS "USER_IDS_1"
                ON "USER_IDS_1"."OTHER_ID" = CASE WHEN "R"."USER.ID_0" IS NULL THEN "R"."USER.ID_1" END
            ) AS "R"
          ) AS "E"
          WHERE
            NOT "PROFILES_VISITOR" IS NULL
            AND NOT "EVENT_ID" IS NULL
            AND "TIMESTAMP" >= CAST('0001-01-01 00:00:00' AS TIMESTAMPNTZ)
        ) AS "E"
      ) AS "N"
      WHERE
        "PROFILES_CAME_BEFORE" IS NULL
        OR "TIMESTAMP" > DATEADD(SECOND, 2592000, CAST("PROFILES_CAME_BEFORE" AS TIMESTAMP))
    ) AS "E"
  ), "RUNS" AS (
    SELECT
      "G".*,
      MAX(
        CASE
          WHEN "PROFILES_PREVIOUS_AT" IS NULL
          OR "TIMESTAMP" IS NULL
          OR "TIMESTAMP" > DATEADD(SECOND, 1800, CAST("PROFILES_PREVIOUS_AT" AS TIMESTAMP))
          THEN "TIMESTAMP"
        END
      ) OVER (
        PARTITION BY "PROFILES_VISITOR"
        ORDER BY "TIMESTAMP", "EVENT_ID"
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS "PROFILES_RUN_STARTED_AT"
    FROM "GAPS" AS "G"
  ), "MARKED" AS (
    SELECT
      "R".*,
      CASE
        WHEN "TIMESTAMP" = "PROFILES_RUN_STARTED_AT"
        THEN 0
        ELSE CAST((
          (
            DATEDIFF(MICROSECOND, "PROFILES_RUN_STARTED_AT", "TIMESTAMP") - 1
          ) - (
            DATEDIFF(MICROSECOND, "PROFILES_RUN_STARTED_AT", "TIMESTAMP") - 1
          ) % 43200000000
        ) / 43200000000 AS BIGINT)
      END AS "PROFILES_PIECE",
      (
        "PROFILES_PREVIOUS_AT" IS NULL
        OR "TIMESTAMP" IS NULL
        OR "TIMESTAMP" > DATEADD(SECOND, 1800, CAST("PROFILES_PREVIOUS_AT" AS TIMESTAMP))
      )
      OR CASE
        WHEN "TIMESTAMP" = "PROFILES_RUN_STARTED_AT"
        THEN 0
        ELSE CAST((
          (
            DATEDIFF(MICROSECOND, "PROFILES_RUN_STARTED_AT", "TIMESTAMP") - 1
          ) - (
            DATEDIFF(MICROSECOND, "PROFILES_RUN_STARTED_AT", "TIMESTAMP") - 1
          ) % 43200000000
        ) / 43200000000 AS BIGINT)
      END <> CASE
        WHEN "PROFILES_PREVIOUS_AT" = "PROFILES_RUN_STARTED_AT"
        THEN 0
        ELSE CAST((
          (
            DATEDIFF(MICROSECOND, "PROFILES_RUN_STARTED_AT", "PROFILES_PREVIOUS_AT") - 1
          ) - (
            DATEDIFF(MICROSECOND, "PROFILES_RUN_STARTED_AT", "PROFILES_PREVIOUS_AT") - 1
          ) % 43200000000
        ) / 43200000000 AS BIGINT)
      END AS "PROFILES_IS_FIRST",
      (
        "TIMESTAMP" IS NULL
        OR "PROFILES_NEXT_AT" IS NULL
        OR "PROFILES_NEXT_AT" > DATEADD(SECOND, 1800, CAST("TIMESTAMP" AS TIMESTAMP))
      )
      OR CASE
        WHEN "TIMESTAMP" = "PROFILES_RUN_STARTED_AT"
        THEN 0
        ELSE CAST((
          (
            DATEDIFF(MICROSECOND, "PROFILES_RUN_STARTED_AT", "TIMESTAMP") - 1
          ) - (
            DATEDIFF(MICROSECOND, "PROFILES_RUN_STARTED_AT", "TIMESTAMP") - 1
          ) % 43200000000
        ) / 43200000000 AS BIGINT)
      END <> CASE
        WHEN "PROFILES_NEXT_AT" = "PROFILES_RUN_STARTED_AT"
        THEN 0
        ELSE CAST((
          (
            DATEDIFF(MICROSECOND, "PROFILES_RUN_STARTED_AT", "PROFILES_NEXT_AT") - 1
          ) - (
            DATEDIFF(MICROSECOND, "PROFILES_RUN_STARTED_AT", "PROFILES_NEXT_AT") - 1
          ) % 43200000000
        ) / 43200000000 AS BIGINT)
      END AS "PROFILES_IS_LAST"
    FROM "RUNS" AS "R"
  ), "SESSIONS" AS (
    SELECT
      "PROFILES_VISITOR",
      MIN("TIMESTAMP") AS "SESSION_START_AT",
      MAX("TIMESTAMP") AS "ENDED_AT",
      COUNT(*) AS "NUMBER_OF_EVENTS",
      MAX(CASE WHEN "PROFILES_IS_FIRST" THEN "EVENT_ID" END) AS "PROFILES_FIRST_EVENT_ID",
      MAX(CASE WHEN "PROFILES_IS_FIRST" THEN "EVENT" END) AS "ENTRY_EVENT",
      MAX(CASE WHEN "PROFILES_IS_LAST" THEN "EVENT" END) AS "EXIT_EVENT",
      COUNT_IF("EVENT" = 'view') AS "N_VIEWS",
      MIN(CASE WHEN "EVENT" = 'view' THEN "TIMESTAMP" END) AS "VIEWED_AT",
      MIN(CASE WHEN "EVENT" = 'buy' THEN "TIMESTAMP" END) AS "BOUGHT_AT"
    FROM "MARKED" AS "M"
    GROUP BY
      "PROFILES_VISITOR",
      "PROFILES_RUN_STARTED_AT",
      "PROFILES_PIECE"
  )
  SELECT
    "S"."PROFILES_VISITOR",
    MD5(
      "P"."MAIN_ID" || '|' || "S"."PROFILES_FIRST_EVENT_ID" || '|' || CAST(DATEDIFF(MICROSECOND, CAST('1970-01-01 00:00:00' AS TIMESTAMPNTZ), "S"."SESSION_START_AT") AS VARCHAR)
    ) AS "SESSION_ID",
    "P"."MAIN_ID" AS "USER_MAIN_ID",
    "S"."SESSION_START_AT",
    "S"."ENDED_AT",
    "S"."NUMBER_OF_EVENTS",
    CAST(DATEDIFF(MICROSECOND, "S"."SESSION_START_AT", "S"."ENDED_AT") AS DOUBLE) / CAST(1000000 AS DOUBLE) AS "DURATION_SECONDS",
    "S"."ENTRY_EVENT",
    "S"."EXIT_EVENT",
    "S"."N_VIEWS",
    "S"."VIEWED_AT",
    "S"."BOUGHT_AT"
  FROM "SESSIONS" AS "S"
  JOIN (
    SELECT DISTINCT
      "COMPONENT" AS "PERSON",
      "MAIN_ID"
    FROM "PROFILES"."MATERIAL_USER_DEFAULT_ID_STITCHER_1_MAPPINGS"
  ) AS "P"
    ON "P"."PERSON" = "S"."PROFILES_VISITOR"
) AS "S";

-- 2. rows by whether they are events
CREATE OR REPLACE TEMPORARY TABLE "MATERIAL_VISITS_1_COUNTS" AS
SELECT
  "SOURCE",
  "REASON",
  CAST(SUM("N") AS BIGINT) AS "ROW_COUNT"
FROM (
  SELECT
    "SOURCE",
    "REASON",
    COUNT(*) AS "N"
  FROM (
    SELECT
      'inputs/tracks' AS "SOURCE",
      CASE
        WHEN CASE
          WHEN TYPEOF(TO_VARIANT("TS")) = 'VARCHAR'
          THEN CAST(CONVERT_TIMEZONE('UTC', CAST(CAST("TS" AS VARCHAR) AS TIMESTAMPTZ)) AS TIMESTAMPNTZ)
          ELSE CAST("TS" AS TIMESTAMPNTZ)
        END IS NULL
        OR CASE
          WHEN TYPEOF(TO_VARIANT("TS")) = 'VARCHAR'
          THEN CAST(CONVERT_TIMEZONE('UTC', CAST(CAST("TS" AS VARCHAR) AS TIMESTAMPTZ)) AS TIMESTAMPNTZ)
          ELSE CAST("TS" AS TIMESTAMPNTZ)
        END < CAST('0001-01-01 00:00:00' AS TIMESTAMPNTZ)
        THEN 'no time'
        WHEN CAST("ID" AS VARCHAR) IS NULL
        THEN 'no event id'
        WHEN NOT (
          (
            NOT CASE
              WHEN (
                CAST("USER_ID" AS VARCHAR) BETWEEN '!' AND '~'
                OR LENGTH(
                  TRANSLATE(
                    CAST("USER_ID" AS VARCHAR),
                    '\x01\x02\x03\x04\x05\x06\x07\b\t\n\x0b\f\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f \x7f ­؀؁؂؃؄؅؜۝܏࢐࢑࣢ ᠎           ​‌‍‎‏  ‪‫‬‭‮  ⁠⁡⁢⁣⁤⁦⁧⁨⁩⁪⁫⁬⁭⁮⁯　﻿￹￺￻𑂽𑃍𓐰𓐱𓐲𓐳𓐴𓐵𓐶𓐷𓐸𛲠𛲡𛲢𛲣𝅳𝅴𝅵𝅶𝅷𝅸𝅹𝅺󠀁󠀠󠀡󠀢󠀣󠀤󠀥󠀦󠀧󠀨󠀩󠀪󠀫󠀬󠀭󠀮󠀯󠀰󠀱󠀲󠀳󠀴󠀵󠀶󠀷󠀸󠀹󠀺󠀻󠀼󠀽󠀾󠀿󠁀󠁁󠁂󠁃󠁄󠁅󠁆󠁇󠁈󠁉󠁊󠁋󠁌󠁍󠁎󠁏󠁐󠁑󠁒󠁓󠁔󠁕󠁖󠁗󠁘󠁙󠁚󠁛󠁜󠁝󠁞󠁟󠁠󠁡󠁢󠁣󠁤󠁥󠁦󠁧󠁨󠁩󠁪󠁫󠁬󠁭󠁮󠁯󠁰󠁱󠁲󠁳󠁴󠁵󠁶󠁷󠁸󠁹󠁺󠁻󠁼󠁽󠁾󠁿',
                    ''
                  )
                ) > 0
              )
              THEN CAST("USER_ID" AS VARCHAR)
            END IS NULL
            OR NOT CASE
              WHEN (
                CAST("ANONYMOUS_ID" AS VARCHAR) BETWEEN '!' AND '~'
                OR LENGTH(
                  TRANSLATE(
                    CAST("ANONYMOUS_ID" AS VARCHAR),
                    '\x01\x02\x03\x04\x05\x06\x07\b\t\n\x0b\f\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f \x7f ­؀؁؂؃؄؅؜۝܏࢐࢑࣢ ᠎           ​‌‍‎‏  ‪‫‬‭‮  ⁠⁡⁢⁣⁤⁦⁧⁨⁩⁪⁫⁬⁭⁮⁯　﻿￹￺￻𑂽𑃍𓐰𓐱𓐲𓐳𓐴𓐵𓐶𓐷𓐸𛲠𛲡𛲢𛲣𝅳𝅴𝅵𝅶𝅷𝅸𝅹𝅺󠀁󠀠󠀡󠀢󠀣󠀤󠀥󠀦󠀧󠀨󠀩󠀪󠀫󠀬󠀭󠀮󠀯󠀰󠀱󠀲󠀳󠀴󠀵󠀶󠀷󠀸󠀹󠀺󠀻󠀼󠀽󠀾󠀿󠁀󠁁󠁂󠁃󠁄󠁅󠁆󠁇󠁈󠁉󠁊󠁋󠁌󠁍󠁎󠁏󠁐󠁑󠁒󠁓󠁔󠁕󠁖󠁗󠁘󠁙󠁚󠁛󠁜󠁝󠁞󠁟󠁠󠁡󠁢󠁣󠁤󠁥󠁦󠁧󠁨󠁩󠁪󠁫󠁬󠁭󠁮󠁯󠁰󠁱󠁲󠁳󠁴󠁵󠁶󠁷󠁸󠁹󠁺󠁻󠁼󠁽󠁾󠁿',
                    ''
                  )
                ) > 0
              )
              THEN CAST("ANONYMOUS_ID" AS VARCHAR)
            END IS NULL
          )
        )
        THEN 'no id'
      END AS "REASON"
    FROM (
      SELECT
        *
      FROM "TRACKS"
      WHERE
        CASE
          WHEN TYPEOF(TO_VARIANT("TS")) = 'VARCHAR'
          THEN CAST(CONVERT_TIMEZONE('UTC', CAST(CAST("TS" AS VARCHAR) AS TIMESTAMPTZ)) AS TIMESTAMPNTZ)
          ELSE CAST("TS" AS TIMESTAMPNTZ)
        END < CAST('2024-06-01 00:00:00' AS TIMESTAMPNTZ)
        OR "TS" IS NULL
    ) AS "R"
  ) AS "Q"
  GROUP BY
    1,
    2
) AS "P"
GROUP BY
  1,
  2;

-- 3. rows that are events of nobody
CREATE OR REPLACE TRANSIENT TABLE "PROFILES"."MATERIAL_VISITS_1_REJECTED"
DATA_RETENTION_TIME_IN_DAYS=0 AS
SELECT
  "SOURCE",
  "REASON",
  "ROW_COUNT"
FROM "MATERIAL_VISITS_1_COUNTS" AS "C"
WHERE
  NOT "REASON" IS NULL
UNION ALL
SELECT
  'inputs/tracks',
  'repeated event',
  "GIVEN" - "KEPT"
FROM (
  SELECT
    (
      SELECT
        CAST(COALESCE(SUM("ROW_COUNT"), 0) AS BIGINT)
      FROM "MATERIAL_VISITS_1_COUNTS" AS "C"
      WHERE
        "REASON" IS NULL
    ) AS "GIVEN",
    (
      SELECT
        CAST(COALESCE(SUM("NUMBER_OF_EVENTS"), 0) AS BIGINT)
      FROM "PROFILES"."MATERIAL_VISITS_1" AS "S"
    ) AS "KEPT"
) AS "SUMS"
WHERE
  "GIVEN" > "KEPT";

-- models/visits_mapped_tracks
-- Material_visits_mapped_tracks_1, as of 2024-06-01 00:00:00 UTC

-- 1. Events with their visitor, and the minutes since the visitor's event before.
CREATE OR REPLACE VIEW "PROFILES"."MATERIAL_VISITS_MAPPED_TRACKS_1" AS
SELECT
  "E"."EVENT_ID",
  "P"."MAIN_ID" AS "USER_MAIN_ID",
  "E"."TIMESTAMP",
  "E"."EVENT",
  "E"."SOURCE",
  CAST(DATEDIFF(MICROSECOND, "E"."PREVIOUS_AT", "E"."TIMESTAMP") AS DOUBLE) / CAST(60000000 AS DOUBLE) AS "IDLE_TIME_MINUTES"
FROM (
  SELECT
    "K".*,
    LAG("TIMESTAMP") OVER (PARTITION BY "PROFILES_VISITOR" ORDER BY "TIMESTAMP", "EVENT_ID") AS "PREVIOUS_AT"
  FROM (
    SELECT
      *
    FROM (
      SELECT
        "E".*,
        LAG("TIMESTAMP") OVER (
          PARTITION BY "PROFILES_VISITOR", "EVENT_ID"
          ORDER BY "TIMESTAMP", "SOURCE", "EVENT"
        ) AS "PROFILES_CAME_BEFORE"
      FROM (
        SELECT
          *
        FROM (
          SELECT
            "R"."USER_MAIN_ID" AS "PROFILES_VISITOR",
            CAST("ID" AS VARCHAR) AS "EVENT_ID",
            CAST("EVENT" AS VARCHAR) AS "EVENT",
            CASE
              WHEN TYPEOF(TO_VARIANT("TS")) = 'VARCHAR'
              THEN CAST(CONVERT_TIMEZONE('UTC', CAST(CAST("TS" AS VARCHAR) AS TIMESTAMPTZ)) AS TIMESTAMPNTZ)
              ELSE CAST("TS" AS TIMESTAMPNTZ)
            END AS "TIMESTAMP",
            'inputs/tracks' AS "SOURCE"
          FROM (
            SELECT
              COALESCE("USER_IDS_0"."COMPONENT", "USER_IDS_1"."COMPONENT") AS "USER_MAIN_ID",
              "R".*
              EXCLUDE ("USER.ID_0", "USER.ID_1")
            FROM (
              SELECT
                "SOURCE_ROWS".*,
                CASE
                  WHEN (
                    CAST("USER_ID" AS VARCHAR) BETWEEN '!' AND '~'
                    OR LENGTH(
                      TRANSLATE(
                        CAST("USER_ID" AS VARCHAR),
                        '\x01\x02\x03\x04\x05\x06\x07\b\t\n\x0b\f\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f \x7f ­؀؁؂؃؄؅؜۝܏࢐࢑࣢ ᠎           ​‌‍‎‏  ‪‫‬‭‮  ⁠⁡⁢⁣⁤⁦⁧⁨⁩⁪⁫⁬⁭⁮⁯　﻿￹￺￻𑂽𑃍𓐰𓐱𓐲𓐳𓐴𓐵𓐶𓐷𓐸𛲠𛲡𛲢𛲣𝅳𝅴𝅵𝅶𝅷𝅸𝅹𝅺󠀁󠀠󠀡󠀢󠀣󠀤󠀥󠀦󠀧󠀨󠀩󠀪󠀫󠀬󠀭󠀮󠀯󠀰󠀱󠀲󠀳󠀴󠀵󠀶󠀷󠀸󠀹󠀺󠀻󠀼󠀽󠀾󠀿󠁀󠁁󠁂󠁃󠁄󠁅󠁆󠁇󠁈󠁉󠁊󠁋󠁌󠁍󠁎󠁏󠁐󠁑󠁒󠁓󠁔󠁕󠁖󠁗󠁘󠁙󠁚󠁛󠁜󠁝󠁞󠁟󠁠󠁡󠁢󠁣󠁤󠁥󠁦󠁧󠁨󠁩󠁪󠁫󠁬󠁭󠁮󠁯󠁰󠁱󠁲󠁳󠁴󠁵󠁶󠁷󠁸󠁹󠁺󠁻󠁼󠁽󠁾󠁿',
                        ''
                      )
                    ) > 0
                  )
                  THEN CAST("USER_ID" AS VARCHAR)
                END AS "USER.ID_0",
                CASE
                  WHEN (
                    CAST("ANONYMOUS_ID" AS VARCHAR) BETWEEN '!' AND '~'
                    OR LENGTH(
                      TRANSLATE(
                        CAST("ANONYMOUS_ID" AS VARCHAR),
                        '\x01\x02\x03\x04\x05\x06\x07\b\t\n\x0b\f\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f \x7f ­؀؁؂؃؄؅؜۝܏࢐࢑࣢ ᠎           ​‌‍‎‏  ‪‫‬‭‮  ⁠⁡⁢⁣⁤⁦⁧⁨⁩⁪⁫⁬⁭⁮⁯　﻿￹￺￻𑂽𑃍𓐰𓐱𓐲𓐳𓐴𓐵𓐶𓐷𓐸𛲠𛲡𛲢𛲣𝅳𝅴𝅵𝅶𝅷𝅸𝅹𝅺󠀁󠀠󠀡󠀢󠀣󠀤󠀥󠀦󠀧󠀨󠀩󠀪󠀫󠀬󠀭󠀮󠀯󠀰󠀱󠀲󠀳󠀴󠀵󠀶󠀷󠀸󠀹󠀺󠀻󠀼󠀽󠀾󠀿󠁀󠁁󠁂󠁃󠁄󠁅󠁆󠁇󠁈󠁉󠁊󠁋󠁌󠁍󠁎󠁏󠁐󠁑󠁒󠁓󠁔󠁕󠁖󠁗󠁘󠁙󠁚󠁛󠁜󠁝󠁞󠁟󠁠󠁡󠁢󠁣󠁤󠁥󠁦󠁧󠁨󠁩󠁪󠁫󠁬󠁭󠁮󠁯󠁰󠁱󠁲󠁳󠁴󠁵󠁶󠁷󠁸󠁹󠁺󠁻󠁼󠁽󠁾󠁿',
                        ''
                      )
                    ) > 0
                  )
                  THEN CAST("ANONYMOUS_ID" AS VARCHAR)
                END AS "USER.ID_1"
              FROM (
                SELECT
                  *
                FROM "TRACKS"
                WHERE
                  CASE
                    WHEN TYPEOF(TO_VARIANT("TS")) = 'VARCHAR'
                    THEN CAST(CONVERT_TIMEZONE('UTC', CAST(CAST("TS" AS VARCHAR) AS TIMESTAMPTZ)) AS TIMESTAMPNTZ)
                    ELSE CAST("TS" AS TIMESTAMPNTZ)
                  END < CAST('2024-06-01 00:00:00' AS TIMESTAMPNTZ)
                  OR "TS" IS NULL
              ) AS "SOURCE_ROWS"
            ) AS "R"
            LEFT JOIN (
              SELECT
                "OTHER_ID",
                "COMPONENT"
              FROM "PROFILES"."MATERIAL_USER_DEFAULT_ID_STITCHER_1_MAPPINGS"
              WHERE
                "OTHER_ID_TYPE" = 'user_id'
            ) AS "USER_IDS_0"
              ON "USER_IDS_0"."OTHER_ID" = "R"."USER.ID_0"
            LEFT JOIN (
              SELECT
                "OTHER_ID",
                "COMPONENT"
              FROM "PROFILES"."MATERIAL_USER_DEFAULT_ID_STITCHER_1_MAPPINGS"
              WHERE
                "OTHER_ID_TYPE" = 'anonymous_id'
            ) AS "USER_IDS_1"
              ON "USER_IDS_1"."OTHER_ID" = CASE WHEN "R"."USER.ID_0" IS NULL THEN "R"."USER.ID_1" END
          ) AS "R"
        ) AS "E"
        WHERE
          NOT "PROFILES_VISITOR" IS NULL
          AND NOT "EVENT_ID" IS NULL
          AND "TIMESTAMP" >= CAST('0001-01-01 00:00:00' AS TIMESTAMPNTZ)
      ) AS "E"
    ) AS "N"
    WHERE
      "PROFILES_CAME_BEFORE" IS NULL
      OR "TIMESTAMP" > DATEADD(SECOND, 2592000, CAST("PROFILES_CAME_BEFORE" AS TIMESTAMP))
  ) AS "K"
) AS "E"
JOIN (
  SELECT DISTINCT
    "COMPONENT" AS "PERSON",
    "MAIN_ID"
  FROM "PROFILES"."MATERIAL_USER_DEFAULT_ID_STITCHER_1_MAPPINGS"
) AS "P"
  ON "P"."PERSON" = "E"."PROFILES_VISITOR";

-- models/visits_session_tracks
-- Material_visits_session_tracks_1, as of 2024-06-01 00:00:00 UTC

-- 1. Sessions: visitor, begin, number, and begin of the next one.
CREATE OR REPLACE VIEW "PROFILES"."MATERIAL_VISITS_SESSION_TRACKS_1" AS
SELECT
  "SESSION_ID",
  "USER_MAIN_ID",
  "SESSION_START_AT",
  "SESSION_SEQUENCE_NUMBER",
  "NEXT_SESSION_START_AT"
FROM "PROFILES"."MATERIAL_VISITS_1";

-- models/visits_session_duration
-- Material_visits_session_duration_1, as of 2024-06-01 00:00:00 UTC

-- 1. Minutes from the first to the last event of each session.
CREATE OR REPLACE VIEW "PROFILES"."MATERIAL_VISITS_SESSION_DURATION_1" AS
SELECT
  "USER_MAIN_ID",
  "SESSION_ID",
  CAST("DURATION_SECONDS" AS DOUBLE) / CAST(60 AS DOUBLE) AS "SESSION_DURATION"
FROM "PROFILES"."MATERIAL_VISITS_1";

-- models/visits_user_session_facts
-- Material_visits_user_session_facts_1, as of 2024-06-01 00:00:00 UTC

-- 1. First and last session and number of sessions of each visitor.
CREATE OR REPLACE TRANSIENT TABLE "PROFILES"."MATERIAL_VISITS_USER_SESSION_FACTS_1"
DATA_RETENTION_TIME_IN_DAYS=0 AS
SELECT
  "USER_MAIN_ID",
  MIN("SESSION_START_AT") AS "FIRST_SESSION_AT",
  MAX("SESSION_START_AT") AS "LAST_SESSION_AT",
  MAX("ENDED_AT") AS "LAST_SEEN_AT",
  COUNT(*) AS "NUMBER_OF_SESSIONS",
  CAST(SUM("NUMBER_OF_EVENTS") AS BIGINT) AS "NUMBER_OF_EVENTS",
  CAST(CAST(SUM(DATEDIFF(MICROSECOND, "SESSION_START_AT", "ENDED_AT")) AS DOUBLE) / NULLIF(COUNT("ENDED_AT"), 0) AS DOUBLE) / CAST(1000000 AS DOUBLE) AS "MEAN_SESSION_SECONDS",
  MIN("VIEWED_AT") AS "VIEWED_AT",
  MIN("BOUGHT_AT") AS "BOUGHT_AT",
  CASE
    WHEN NOT MIN("BOUGHT_AT") IS NULL
    THEN 'bought'
    WHEN NOT MIN("VIEWED_AT") IS NULL
    THEN 'viewed'
  END AS "FURTHEST_STAGE"
FROM "PROFILES"."MATERIAL_VISITS_1" AS "S"
GROUP BY
  "USER_MAIN_ID";

-- models/visits_rejected
-- Material_visits_rejected_1, as of 2024-06-01 00:00:00 UTC

-- 1. How many rows of each source are no events of anybody, and why.
CREATE OR REPLACE VIEW "PROFILES"."MATERIAL_VISITS_REJECTED_1" AS
SELECT
  *
FROM "PROFILES"."MATERIAL_VISITS_1_REJECTED";

-- models/visits_funnel
-- Material_visits_funnel_1, as of 2024-06-01 00:00:00 UTC

-- 1. How many sessions and visitors reach each stage, and how soon.
CREATE OR REPLACE TRANSIENT TABLE "PROFILES"."MATERIAL_VISITS_FUNNEL_1"
DATA_RETENTION_TIME_IN_DAYS=0 AS
WITH "COUNTS" AS (
  SELECT
    COUNT(CASE WHEN NOT "VIEWED_AT" IS NULL OR NOT "BOUGHT_AT" IS NULL THEN 1 END) AS "SESSIONS_0",
    COUNT(
      DISTINCT CASE
        WHEN NOT "VIEWED_AT" IS NULL OR NOT "BOUGHT_AT" IS NULL
        THEN "USER_MAIN_ID"
      END
    ) AS "VISITORS_0",
    CAST(CAST(SUM(DATEDIFF(MICROSECOND, "SESSION_START_AT", "VIEWED_AT")) AS DOUBLE) / NULLIF(COUNT("VIEWED_AT"), 0) AS DOUBLE) / CAST(1000000 AS DOUBLE) AS "SECONDS_0",
    COUNT(CASE WHEN NOT "BOUGHT_AT" IS NULL THEN 1 END) AS "SESSIONS_1",
    COUNT(DISTINCT CASE WHEN NOT "BOUGHT_AT" IS NULL THEN "USER_MAIN_ID" END) AS "VISITORS_1",
    CAST(CAST(SUM(DATEDIFF(MICROSECOND, "SESSION_START_AT", "BOUGHT_AT")) AS DOUBLE) / NULLIF(COUNT("BOUGHT_AT"), 0) AS DOUBLE) / CAST(1000000 AS DOUBLE) AS "SECONDS_1"
  FROM "PROFILES"."MATERIAL_VISITS_1" AS "S"
)
SELECT
  *
FROM (
  SELECT
    1 AS "STAGE_NUMBER",
    'viewed' AS "STAGE",
    "SESSIONS_0" AS "SESSIONS",
    "VISITORS_0" AS "VISITORS",
    CAST("SESSIONS_0" AS DOUBLE) / NULLIF("SESSIONS_0", 0) AS "SHARE_OF_FIRST",
    CAST("SESSIONS_0" AS DOUBLE) / NULLIF("SESSIONS_0", 0) AS "SHARE_OF_PREVIOUS",
    "SECONDS_0" AS "MEAN_SECONDS"
  FROM "COUNTS"
  UNION ALL
  SELECT
    2 AS "STAGE_NUMBER",
    'bought' AS "STAGE",
    "SESSIONS_1" AS "SESSIONS",
    "VISITORS_1" AS "VISITORS",
    CAST("SESSIONS_1" AS DOUBLE) / NULLIF("SESSIONS_0", 0) AS "SHARE_OF_FIRST",
    CAST("SESSIONS_1" AS DOUBLE) / NULLIF("SESSIONS_0", 0) AS "SHARE_OF_PREVIOUS",
    "SECONDS_1" AS "MEAN_SECONDS"
  FROM "COUNTS"
) AS "U";

-- models/visits_track_facts
-- Material_visits_track_facts_1, as of 2024-06-01 00:00:00 UTC

-- 1. Events with their session and their number in it.
CREATE OR REPLACE VIEW "PROFILES"."MATERIAL_VISITS_TRACK_FACTS_1" AS
SELECT
  "T"."TIMESTAMP",
  "T"."EVENT_ID",
  "T"."EVENT",
  "S"."SESSION_ID",
  "T"."USER_MAIN_ID",
  ROW_NUMBER() OVER (PARTITION BY "S"."SESSION_ID" ORDER BY "T"."TIMESTAMP", "T"."EVENT_ID") AS "TRACK_SEQUENCE_NUMBER"
FROM "PROFILES"."MATERIAL_VISITS_MAPPED_TRACKS_1" AS "T"
JOIN "PROFILES"."MATERIAL_VISITS_1" AS "S"
  ON "S"."USER_MAIN_ID" = "T"."USER_MAIN_ID"
  AND "T"."TIMESTAMP" >= "S"."SESSION_START_AT"
  AND (
    "T"."TIMESTAMP" < "S"."NEXT_SESSION_START_AT"
    OR "S"."NEXT_SESSION_START_AT" IS NULL
  );

-- models/visits_tracks_flow
-- Material_visits_tracks_flow_1, as of 2024-06-01 00:00:00 UTC

-- 1. Each event with those that follow it in its session.
CREATE OR REPLACE VIEW "PROFILES"."MATERIAL_VISITS_TRACKS_FLOW_1" AS
SELECT
  "EVENT_ID",
  "SESSION_ID",
  "TRACK_SEQUENCE_NUMBER",
  "EVENT",
  "USER_MAIN_ID",
  "TIMESTAMP",
  LEAD("EVENT", 1) OVER (PARTITION BY "SESSION_ID" ORDER BY "TRACK_SEQUENCE_NUMBER") AS "EVENT_2",
  LEAD("EVENT", 2) OVER (PARTITION BY "SESSION_ID" ORDER BY "TRACK_SEQUENCE_NUMBER") AS "EVENT_3"
FROM "PROFILES"."MATERIAL_VISITS_TRACK_FACTS_1";
