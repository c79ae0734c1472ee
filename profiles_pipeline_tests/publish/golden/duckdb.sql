-- create
CREATE TABLE IF NOT EXISTS "profiles"."golden" (
  "user_id" TEXT NOT NULL,
  "n" BIGINT,
  "score" DOUBLE,
  "old" TEXT,
  "row_hash" TEXT USING COMPRESSION zstd,
  "published_at" TIMESTAMP,
  "main_id" TEXT
);

-- create, soft deletes
CREATE TABLE IF NOT EXISTS "profiles"."golden" (
  "user_id" TEXT NOT NULL,
  "n" BIGINT,
  "score" DOUBLE,
  "old" TEXT,
  "row_hash" TEXT,
  "published_at" TIMESTAMP,
  "main_id" TEXT,
  "deleted_at" TIMESTAMP
);

-- comment
COMMENT ON TABLE "profiles"."golden" IS 'published';

-- add a column
ALTER TABLE "profiles"."golden"
ADD COLUMN "score" DOUBLE;

-- desired
SELECT
  d.*,
  CASE
    WHEN publish_key IS NULL
    THEN 'no key'
    WHEN LENGTH(publish_key) < 5
    THEN 'key too short'
    WHEN LOWER(TRIM(publish_key)) IN (
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
  END AS publish_reason
FROM (
  SELECT
    CAST(publish_key AS TEXT) AS publish_key,
    main_id,
    CAST(s."n" AS BIGINT) AS "n",
    CAST(ROUND(s."score", 2) + 0.0 AS DOUBLE) AS "score"
  FROM (
    SELECT
      f."user_main_id" AS main_id,
      g.other_id AS publish_key,
      f."n",
      f."score"
    FROM profiles.Material_feature_view AS f
    JOIN (
      SELECT
        other_id,
        main_id
      FROM (
        SELECT
          other_id,
          main_id,
          ROW_NUMBER() OVER (PARTITION BY main_id ORDER BY valid_at DESC, other_id) AS place
        FROM profiles."Material_user_default_id_stitcher_mappings"
        WHERE
          other_id_type = 'user_id'
      ) AS ranked
      WHERE
        place = 1
    ) AS g
      ON g.main_id = f."user_main_id"
  ) AS s
) AS d;

-- delta
SELECT
  COALESCE(d.publish_key, p."user_id") AS publish_key,
  CASE
    WHEN d.publish_key IS NULL
    THEN 'D'
    WHEN p."user_id" IS NULL
    THEN 'I'
    ELSE 'U'
  END AS publish_op,
  d.main_id AS main_id,
  p.main_id AS main_id_before,
  d."n" AS "n",
  d."score" AS "score",
  CAST(NULL AS TEXT) AS "old",
  CASE
    WHEN NOT d.publish_key IS NULL
    THEN LEFT(
      MD5(
        'v1;' || COALESCE('n=' || LENGTH(CAST(d."n" AS TEXT)) || ':' || CAST(d."n" AS TEXT) || ';', '') || COALESCE(
          'score=' || LENGTH(CAST(d."score" AS TEXT)) || ':' || CAST(d."score" AS TEXT) || ';',
          ''
        )
      ),
      16
    )
  END AS row_hash,
  CASE
    WHEN NOT d.publish_key IS NULL AND NOT (
      (
        p."user_id" IS NULL
      )
    )
    THEN SUBSTRING(
      '' || CASE WHEN NOT (
        d."n" IS NOT DISTINCT FROM p."n"
      ) THEN ',n' ELSE '' END || CASE
        WHEN NOT (
          d."score" IS NOT DISTINCT FROM p."score"
        )
        THEN ',score'
        ELSE ''
      END || CASE
        WHEN NOT (
          CAST(NULL AS TEXT) IS NOT DISTINCT FROM p."old"
        )
        THEN ',old'
        ELSE ''
      END,
      2
    )
  END AS changed_columns,
  NOT p."user_id" IS NULL
  AND NOT (
    (
      p."user_id" IS NULL
    )
  )
  AND NOT (
    p.row_hash IS NOT DISTINCT FROM LEFT(
      MD5(
        'v1;' || COALESCE('n=' || LENGTH(CAST(p."n" AS TEXT)) || ':' || CAST(p."n" AS TEXT) || ';', '') || COALESCE('old=' || LENGTH(CAST(p."old" AS TEXT)) || ':' || CAST(p."old" AS TEXT) || ';', '') || COALESCE(
          'score=' || LENGTH(CAST(p."score" AS TEXT)) || ':' || CAST(p."score" AS TEXT) || ';',
          ''
        )
      ),
      16
    )
  ) AS by_hand
FROM (
  SELECT
    *
  FROM "golden_desired"
  WHERE
    publish_reason IS NULL
) AS d
FULL JOIN "profiles"."golden" AS p
  ON p."user_id" = d.publish_key
WHERE
  (
    (
      d.publish_key IS NULL
    )
  )
  OR (
    (
      NOT d.publish_key IS NULL
      AND (
        (
          p."user_id" IS NULL
        )
        OR (
          NOT (
            d."n" IS NOT DISTINCT FROM p."n"
          )
          OR NOT (
            d."score" IS NOT DISTINCT FROM p."score"
          )
          OR NOT (
            CAST(NULL AS TEXT) IS NOT DISTINCT FROM p."old"
          )
        )
      )
    )
  );

-- merge
MERGE INTO "profiles"."golden" AS t
USING "golden_delta" AS d
ON t."user_id" = d.publish_key
WHEN MATCHED AND d.publish_op = 'D' THEN DELETE
WHEN MATCHED THEN UPDATE SET
  "n" = d."n",
  "score" = d."score",
  "old" = d."old",
  "row_hash" = d."row_hash",
  "main_id" = d."main_id",
  "published_at" = CAST('2024-01-01 00:00:00.000001' AS TIMESTAMP)
WHEN NOT MATCHED THEN INSERT ("user_id", "n", "score", "old", "row_hash", "main_id", "published_at") VALUES (
  d."publish_key",
  d."n",
  d."score",
  d."old",
  d."row_hash",
  d."main_id",
  CAST('2024-01-01 00:00:00.000001' AS TIMESTAMP)
);

-- merge where one column differs
MERGE INTO "profiles"."golden" AS t
USING "golden_delta" AS d
ON t."user_id" = d.publish_key
WHEN MATCHED AND d.publish_op = 'D' THEN DELETE
WHEN MATCHED THEN UPDATE SET
  "n" = d."n",
  "row_hash" = d."row_hash",
  "published_at" = CAST('2024-01-01 00:00:00.000001' AS TIMESTAMP)
WHEN NOT MATCHED THEN INSERT ("user_id", "n", "score", "old", "row_hash", "main_id", "published_at") VALUES (
  d."publish_key",
  d."n",
  d."score",
  d."old",
  d."row_hash",
  d."main_id",
  CAST('2024-01-01 00:00:00.000001' AS TIMESTAMP)
);

-- merge, soft deletes
MERGE INTO "profiles"."golden" AS t
USING "golden_delta" AS d
ON t."user_id" = d.publish_key
WHEN MATCHED AND d.publish_op = 'D' THEN UPDATE SET
  "n" = d."n",
  "score" = d."score",
  "old" = d."old",
  "row_hash" = d."row_hash",
  "main_id" = d."main_id",
  "published_at" = CAST('2024-01-01 00:00:00.000001' AS TIMESTAMP),
  "deleted_at" = CAST('2024-01-01 00:00:00.000001' AS TIMESTAMP)
WHEN MATCHED THEN UPDATE SET
  "n" = d."n",
  "score" = d."score",
  "old" = d."old",
  "row_hash" = d."row_hash",
  "main_id" = d."main_id",
  "published_at" = CAST('2024-01-01 00:00:00.000001' AS TIMESTAMP),
  "deleted_at" = NULL
WHEN NOT MATCHED THEN INSERT ("user_id", "n", "score", "old", "row_hash", "main_id", "published_at") VALUES (
  d."publish_key",
  d."n",
  d."score",
  d."old",
  d."row_hash",
  d."main_id",
  CAST('2024-01-01 00:00:00.000001' AS TIMESTAMP)
);

-- changes
INSERT INTO "profiles"."golden__changes"
SELECT
  7 + ROW_NUMBER() OVER (ORDER BY publish_key),
  2,
  publish_op,
  publish_key,
  main_id,
  main_id_before,
  changed_columns,
  CAST('2024-01-01 00:00:00.000001' AS TIMESTAMP)
FROM "golden_delta";

