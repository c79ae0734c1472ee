-- models/paid
-- Material_paid_1, as of 2024-02-01 00:00:00 UTC

-- 1. SQL model paid
DROP VIEW IF EXISTS "profiles"."material_paid_1" CASCADE;
CREATE VIEW "profiles"."material_paid_1" AS
SELECT
  "o".*,
  "r"."rate"
FROM (
  SELECT
    *
  FROM "shop"."orders"
  WHERE
    CAST(CAST(CAST("ts" AS VARCHAR(MAX)) AS TIMESTAMP WITH TIME ZONE) AS TIMESTAMP) < CAST('2024-02-01 00:00:00' AS TIMESTAMP)
    OR "ts" IS NULL
) AS "o"
JOIN "shop"."rates" AS "r"
  USING ("item")
WHERE
  CAST("ts" AS TIMESTAMP) < CAST('2024-02-01' AS DATE);

-- models/per_day
-- Material_per_day_1, as of 2024-02-01 00:00:00 UTC

-- 1. SQL model per_day
DROP TABLE IF EXISTS "profiles"."material_per_day_1" CASCADE;
CREATE TABLE "profiles"."material_per_day_1" AS
WITH "days" AS (
  SELECT
    "user_id",
    CAST(DATE_TRUNC('day', CAST(CAST("ts" AS TIMESTAMP) AS TIMESTAMP)) AS TIMESTAMP) AS "day",
    COUNT(*) AS "n"
  FROM "profiles"."material_paid_1" AS "paid"
  GROUP BY
    1,
    2
)
SELECT
  *
FROM "days";

-- models/by_hand
-- Material_by_hand_1, as of 2024-02-01 00:00:00 UTC

-- 1. statement 1 of by_hand
DROP TABLE IF EXISTS "profiles"."material_by_hand_1" CASCADE;
CREATE TABLE "profiles"."material_by_hand_1" AS
(
  SELECT
    MAX("n") AS "most"
  FROM "profiles"."material_per_day_1" AS "per_day"
);
