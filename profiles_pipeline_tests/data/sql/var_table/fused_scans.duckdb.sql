-- user/all/var_table
-- Material_user_var_table_1, as of 2024-02-01 00:00:00 UTC

-- 1. listed from inputs/list
CREATE OR REPLACE TEMPORARY TABLE "Material_user_var_table_1_inputs_list_1" AS
SELECT
  r."user_main_id",
  COUNT(*) AS "listed"
FROM "profiles"."Material_list_var_table_1" AS r
WHERE
  NOT r."user_main_id" IS NULL
GROUP BY
  r."user_main_id";

-- 2. 3 vars in one scan of inputs/orders
CREATE OR REPLACE TEMPORARY TABLE "Material_user_var_table_1_inputs_orders_1" AS
SELECT
  r."user_main_id",
  COUNT(*) AS "n",
  SUM(amount) FILTER(WHERE
    status = 'paid') AS "paid",
  FIRST(item ORDER BY ts ASC, item ASC) AS "first_item"
FROM "profiles"."Material_orders_var_table_1" AS r
WHERE
  NOT r."user_main_id" IS NULL
GROUP BY
  r."user_main_id";

-- 3. 6 vars joined
CREATE OR REPLACE TABLE "profiles"."Material_user_var_table_1" AS
SELECT
  "user_main_id",
  CAST('2024-02-01 00:00:00' AS TIMESTAMP) AS valid_at,
  "n",
  "paid",
  "first_item",
  "listed",
  "mean",
  "place"
FROM (
  SELECT
    *,
    CAST("paid" / "n" AS DOUBLE) AS "mean",
    RANK() OVER (ORDER BY "paid" DESC NULLS FIRST) AS "place"
  FROM (
    SELECT
      b.*,
      s0."listed" AS "listed",
      COALESCE(s1."n", 0) AS "n",
      s1."paid" AS "paid",
      s1."first_item" AS "first_item"
    FROM (
      SELECT
        "user_main_id"
      FROM "profiles"."Material_user_all_1"
    ) AS b
    LEFT JOIN "Material_user_var_table_1_inputs_list_1" AS s0
      ON s0."user_main_id" = b."user_main_id"
    LEFT JOIN "Material_user_var_table_1_inputs_orders_1" AS s1
      ON s1."user_main_id" = b."user_main_id"
  ) AS "level_0"
);
