-- user/all/var_table
-- Material_user_var_table_1, as of 2024-02-01 00:00:00 UTC

-- 1. first_order from inputs/orders
CREATE OR REPLACE TEMPORARY TABLE "Material_user_var_table_1_inputs_orders_1" AS
SELECT
  r."user_main_id",
  MIN(ts) AS "first_order"
FROM "profiles"."Material_orders_var_table_1" AS r
WHERE
  NOT r."user_main_id" IS NULL
GROUP BY
  r."user_main_id";

-- 2. vars that others need, phase 1
CREATE OR REPLACE TEMPORARY TABLE "Material_user_var_table_1_stage_1" AS
SELECT
  b.*,
  s0."first_order" AS "first_order"
FROM (
  SELECT
    "user_main_id"
  FROM "profiles"."Material_user_all_1"
) AS b
LEFT JOIN "Material_user_var_table_1_inputs_orders_1" AS s0
  ON s0."user_main_id" = b."user_main_id";

-- 3. early from inputs/orders
CREATE OR REPLACE TEMPORARY TABLE "Material_user_var_table_1_inputs_orders_2" AS
SELECT
  r."user_main_id",
  CASE
    WHEN COUNT(*) FILTER(WHERE
      CAST(ts AS TIMESTAMP) < CAST("user.first_order" AS TIMESTAMP) + INTERVAL 7 DAY) > 0
    THEN COUNT(*) FILTER(WHERE
      CAST(ts AS TIMESTAMP) < CAST("user.first_order" AS TIMESTAMP) + INTERVAL 7 DAY)
  END AS "early"
FROM (
  SELECT
    r.*,
    v0."first_order" AS "user.first_order"
  FROM "profiles"."Material_orders_var_table_1" AS r
  LEFT JOIN "Material_user_var_table_1_stage_1" AS v0
    ON v0."user_main_id" = r."user_main_id"
) AS r
WHERE
  NOT r."user_main_id" IS NULL
GROUP BY
  r."user_main_id";

-- 4. 2 vars joined
CREATE OR REPLACE TABLE "profiles"."Material_user_var_table_1" AS
SELECT
  "user_main_id",
  CAST('2024-02-01 00:00:00' AS TIMESTAMP) AS valid_at,
  "first_order",
  "early"
FROM (
  SELECT
    b.*,
    s0."early" AS "early"
  FROM "Material_user_var_table_1_stage_1" AS b
  LEFT JOIN "Material_user_var_table_1_inputs_orders_2" AS s0
    ON s0."user_main_id" = b."user_main_id"
);
