-- user/all
-- Material_user_all_1, as of 2024-02-01 00:00:00 UTC

-- 1. members of user_all
DROP TABLE IF EXISTS "profiles"."material_user_all_1" CASCADE;
CREATE TABLE "profiles"."material_user_all_1" AS
SELECT DISTINCT
  "main_id" AS "user_main_id"
FROM "profiles"."material_ids_1_mappings";

-- models/paying
-- Material_paying_1, as of 2024-02-01 00:00:00 UTC

-- 1. members of paying
DROP VIEW IF EXISTS "profiles"."material_paying_1" CASCADE;
CREATE VIEW "profiles"."material_paying_1" AS
SELECT
  "m"."user_main_id"
FROM (
  SELECT
    "r".*,
    "v0"."country" AS "user.country",
    "v0"."total" AS "user.total"
  FROM "profiles"."material_user_all_1" AS "r"
  LEFT JOIN "profiles"."material_user_var_table_1" AS "v0"
    ON "v0"."user_main_id" = "r"."user_main_id"
) AS "m"
WHERE
  (
    "user.total" > 0
  )
  AND NOT COALESCE((
    "user.country" = 'DE'
  ), FALSE)
  AND "m"."user_main_id" IN (
    SELECT
      "user_main_id"
    FROM "profiles"."material_ids_1" AS "ids"
    WHERE
      "other_id_type" = 'email'
  );

-- models/chosen
-- Material_chosen_1, as of 2024-02-01 00:00:00 UTC

-- 1. members of chosen
DROP TABLE IF EXISTS "profiles"."material_chosen_1" CASCADE;
CREATE TABLE "profiles"."material_chosen_1" AS
SELECT
  "m"."user_main_id"
FROM (
  SELECT
    "r".*,
    "v0"."country" AS "user.country",
    "v0"."total" AS "user.total"
  FROM "profiles"."material_paying_1" AS "r"
  LEFT JOIN "profiles"."material_user_var_table_1" AS "v0"
    ON "v0"."user_main_id" = "r"."user_main_id"
) AS "m"
WHERE
  (
    (
      "user.total" < 100
    )
    AND (
      (
        "user.country" = 'US'
      ) OR (
        "user.country" IS NULL
      )
    )
  );
