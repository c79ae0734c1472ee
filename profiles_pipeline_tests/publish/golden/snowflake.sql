-- create
CREATE TABLE IF NOT EXISTS "PROFILES"."GOLDEN" (
  "USER_ID" VARCHAR NOT NULL,
  "N" BIGINT,
  "SCORE" DOUBLE,
  "OLD" VARCHAR,
  "ROW_HASH" VARCHAR,
  "PUBLISHED_AT" TIMESTAMPNTZ,
  "MAIN_ID" VARCHAR
);

-- create, soft deletes
CREATE TABLE IF NOT EXISTS "PROFILES"."GOLDEN" (
  "USER_ID" VARCHAR NOT NULL,
  "N" BIGINT,
  "SCORE" DOUBLE,
  "OLD" VARCHAR,
  "ROW_HASH" VARCHAR,
  "PUBLISHED_AT" TIMESTAMPNTZ,
  "MAIN_ID" VARCHAR,
  "DELETED_AT" TIMESTAMPNTZ
);

-- comment
COMMENT ON TABLE "PROFILES"."GOLDEN" IS 'published';

-- add a column
ALTER TABLE "PROFILES"."GOLDEN"
ADD "SCORE" DOUBLE;

-- desired
SELECT
  "D".*,
  CASE
    WHEN "PUBLISH_KEY" IS NULL
    THEN 'no key'
    WHEN LENGTH("PUBLISH_KEY") < 5
    THEN 'key too short'
    WHEN LOWER(TRIM("PUBLISH_KEY")) IN (
      '-1',
      '0',
      '00000000-0000-0000-0000-000000000000',
      'anonymous',
      'empty',
      'lmy47d',
      'n/a',
      'na',
      'nil',
      'none',
      'null',
      'undefined',
      'unknown',
      '{}'
    )
    THEN 'key stands for nobody'
  END AS "PUBLISH_REASON"
FROM (
  SELECT
    CAST("PUBLISH_KEY" AS VARCHAR) AS "PUBLISH_KEY",
    "MAIN_ID",
    CAST("S"."N" AS BIGINT) AS "N",
    CAST(ROUND("S"."SCORE", 2) + 0.0 AS DOUBLE) AS "SCORE"
  FROM (
    SELECT
      "F"."USER_MAIN_ID" AS "MAIN_ID",
      "G"."OTHER_ID" AS "PUBLISH_KEY",
      "F"."N",
      "F"."SCORE"
    FROM "PROFILES"."MATERIAL_FEATURE_VIEW" AS "F"
    JOIN (
      SELECT
        "OTHER_ID",
        "MAIN_ID"
      FROM (
        SELECT
          "OTHER_ID",
          "MAIN_ID",
          ROW_NUMBER() OVER (PARTITION BY "MAIN_ID" ORDER BY "VALID_AT" DESC NULLS LAST, "OTHER_ID") AS "PLACE"
        FROM "PROFILES"."MATERIAL_USER_DEFAULT_ID_STITCHER_MAPPINGS"
        WHERE
          "OTHER_ID_TYPE" = 'user_id'
      ) AS "RANKED"
      WHERE
        "PLACE" = 1
    ) AS "G"
      ON "G"."MAIN_ID" = "F"."USER_MAIN_ID"
  ) AS "S"
) AS "D";

-- delta
SELECT
  COALESCE("D"."PUBLISH_KEY", "P"."USER_ID") AS "PUBLISH_KEY",
  CASE
    WHEN "D"."PUBLISH_KEY" IS NULL
    THEN 'D'
    WHEN "P"."USER_ID" IS NULL
    THEN 'I'
    ELSE 'U'
  END AS "PUBLISH_OP",
  "D"."MAIN_ID" AS "MAIN_ID",
  "P"."MAIN_ID" AS "MAIN_ID_BEFORE",
  "D"."N" AS "N",
  "D"."SCORE" AS "SCORE",
  CAST(NULL AS VARCHAR) AS "OLD",
  CASE
    WHEN NOT "D"."PUBLISH_KEY" IS NULL
    THEN LEFT(
      MD5(
        'v1;' || COALESCE(
          'n=' || LENGTH(CAST("D"."N" AS VARCHAR)) || ':' || CAST("D"."N" AS VARCHAR) || ';',
          ''
        ) || COALESCE(
          'score=' || LENGTH(CAST("D"."SCORE" AS VARCHAR)) || ':' || CAST("D"."SCORE" AS VARCHAR) || ';',
          ''
        )
      ),
      16
    )
  END AS "ROW_HASH",
  CASE
    WHEN NOT "D"."PUBLISH_KEY" IS NULL AND NOT (
      (
        "P"."USER_ID" IS NULL
      )
    )
    THEN SUBSTRING(
      '' || CASE WHEN NOT (
        "D"."N" IS NOT DISTINCT FROM "P"."N"
      ) THEN ',n' ELSE '' END || CASE
        WHEN NOT (
          "D"."SCORE" IS NOT DISTINCT FROM "P"."SCORE"
        )
        THEN ',score'
        ELSE ''
      END || CASE
        WHEN NOT (
          CAST(NULL AS VARCHAR) IS NOT DISTINCT FROM "P"."OLD"
        )
        THEN ',old'
        ELSE ''
      END,
      2
    )
  END AS "CHANGED_COLUMNS",
  NOT "P"."USER_ID" IS NULL
  AND NOT (
    (
      "P"."USER_ID" IS NULL
    )
  )
  AND NOT (
    "P"."ROW_HASH" IS NOT DISTINCT FROM LEFT(
      MD5(
        'v1;' || COALESCE(
          'n=' || LENGTH(CAST("P"."N" AS VARCHAR)) || ':' || CAST("P"."N" AS VARCHAR) || ';',
          ''
        ) || COALESCE(
          'old=' || LENGTH(CAST("P"."OLD" AS VARCHAR)) || ':' || CAST("P"."OLD" AS VARCHAR) || ';',
          ''
        ) || COALESCE(
          'score=' || LENGTH(CAST("P"."SCORE" AS VARCHAR)) || ':' || CAST("P"."SCORE" AS VARCHAR) || ';',
          ''
        )
      ),
      16
    )
  ) AS "BY_HAND"
FROM (
  SELECT
    *
  FROM "GOLDEN_DESIRED"
  WHERE
    "PUBLISH_REASON" IS NULL
) AS "D"
FULL JOIN "PROFILES"."GOLDEN" AS "P"
  ON "P"."USER_ID" = "D"."PUBLISH_KEY"
WHERE
  (
    (
      "D"."PUBLISH_KEY" IS NULL
    )
  )
  OR (
    (
      NOT "D"."PUBLISH_KEY" IS NULL
      AND (
        (
          "P"."USER_ID" IS NULL
        )
        OR (
          NOT (
            "D"."N" IS NOT DISTINCT FROM "P"."N"
          )
          OR NOT (
            "D"."SCORE" IS NOT DISTINCT FROM "P"."SCORE"
          )
          OR NOT (
            CAST(NULL AS VARCHAR) IS NOT DISTINCT FROM "P"."OLD"
          )
        )
      )
    )
  );

-- merge
MERGE INTO "PROFILES"."GOLDEN" AS "T"
USING "GOLDEN_DELTA" AS "D"
ON "T"."USER_ID" = "D"."PUBLISH_KEY"
WHEN MATCHED AND "D"."PUBLISH_OP" = 'D' THEN DELETE
WHEN MATCHED THEN UPDATE SET
  "N" = "D"."N",
  "SCORE" = "D"."SCORE",
  "OLD" = "D"."OLD",
  "ROW_HASH" = "D"."ROW_HASH",
  "MAIN_ID" = "D"."MAIN_ID",
  "PUBLISHED_AT" = CAST('2024-01-01 00:00:00.000001' AS TIMESTAMPNTZ)
WHEN NOT MATCHED THEN INSERT ("USER_ID", "N", "SCORE", "OLD", "ROW_HASH", "MAIN_ID", "PUBLISHED_AT") VALUES (
  "D"."PUBLISH_KEY",
  "D"."N",
  "D"."SCORE",
  "D"."OLD",
  "D"."ROW_HASH",
  "D"."MAIN_ID",
  CAST('2024-01-01 00:00:00.000001' AS TIMESTAMPNTZ)
);

-- merge where one column differs
MERGE INTO "PROFILES"."GOLDEN" AS "T"
USING "GOLDEN_DELTA" AS "D"
ON "T"."USER_ID" = "D"."PUBLISH_KEY"
WHEN MATCHED AND "D"."PUBLISH_OP" = 'D' THEN DELETE
WHEN MATCHED THEN UPDATE SET
  "N" = "D"."N",
  "ROW_HASH" = "D"."ROW_HASH",
  "PUBLISHED_AT" = CAST('2024-01-01 00:00:00.000001' AS TIMESTAMPNTZ)
WHEN NOT MATCHED THEN INSERT ("USER_ID", "N", "SCORE", "OLD", "ROW_HASH", "MAIN_ID", "PUBLISHED_AT") VALUES (
  "D"."PUBLISH_KEY",
  "D"."N",
  "D"."SCORE",
  "D"."OLD",
  "D"."ROW_HASH",
  "D"."MAIN_ID",
  CAST('2024-01-01 00:00:00.000001' AS TIMESTAMPNTZ)
);

-- merge, soft deletes
MERGE INTO "PROFILES"."GOLDEN" AS "T"
USING "GOLDEN_DELTA" AS "D"
ON "T"."USER_ID" = "D"."PUBLISH_KEY"
WHEN MATCHED AND "D"."PUBLISH_OP" = 'D' THEN UPDATE SET
  "N" = "D"."N",
  "SCORE" = "D"."SCORE",
  "OLD" = "D"."OLD",
  "ROW_HASH" = "D"."ROW_HASH",
  "MAIN_ID" = "D"."MAIN_ID",
  "PUBLISHED_AT" = CAST('2024-01-01 00:00:00.000001' AS TIMESTAMPNTZ),
  "DELETED_AT" = CAST('2024-01-01 00:00:00.000001' AS TIMESTAMPNTZ)
WHEN MATCHED THEN UPDATE SET
  "N" = "D"."N",
  "SCORE" = "D"."SCORE",
  "OLD" = "D"."OLD",
  "ROW_HASH" = "D"."ROW_HASH",
  "MAIN_ID" = "D"."MAIN_ID",
  "PUBLISHED_AT" = CAST('2024-01-01 00:00:00.000001' AS TIMESTAMPNTZ),
  "DELETED_AT" = NULL
WHEN NOT MATCHED THEN INSERT ("USER_ID", "N", "SCORE", "OLD", "ROW_HASH", "MAIN_ID", "PUBLISHED_AT") VALUES (
  "D"."PUBLISH_KEY",
  "D"."N",
  "D"."SCORE",
  "D"."OLD",
  "D"."ROW_HASH",
  "D"."MAIN_ID",
  CAST('2024-01-01 00:00:00.000001' AS TIMESTAMPNTZ)
);

-- changes
INSERT INTO "PROFILES"."GOLDEN__CHANGES"
SELECT
  7 + ROW_NUMBER() OVER (ORDER BY "PUBLISH_KEY"),
  2,
  "PUBLISH_OP",
  "PUBLISH_KEY",
  "MAIN_ID",
  "MAIN_ID_BEFORE",
  "CHANGED_COLUMNS",
  CAST('2024-01-01 00:00:00.000001' AS TIMESTAMPNTZ)
FROM "GOLDEN_DELTA";

-- tracking 1
ALTER TABLE "PROFILES"."GOLDEN" SET DATA_RETENTION_TIME_IN_DAYS = 7;

-- tracking 2
ALTER TABLE "PROFILES"."GOLDEN" SET CHANGE_TRACKING = TRUE;

