-- user/all/var_table
-- Material_user_var_table_1, as of 2024-02-01 00:00:00 UTC

-- 1. first_order from inputs/orders
DROP TABLE IF EXISTS "material_user_var_table_1_inputs_orders_1" CASCADE;
CREATE TEMPORARY TABLE "material_user_var_table_1_inputs_orders_1" AS
SELECT
  "p"."main_id" AS "user_main_id",
  "s"."first_order"
FROM (
  SELECT
    "r"."user_main_id",
    MIN("ts") AS "first_order"
  FROM (
    SELECT
      COALESCE("user_ids_0"."component", "user_ids_1"."component") AS "user_main_id",
      "r".*
      EXCLUDE ("user.id_0", "user.id_1")
    FROM (
      SELECT
        "source_rows".*,
        CASE
          WHEN (
            CAST("user_id" AS VARCHAR(MAX)) BETWEEN '!' AND '~'
            OR (
              LENGTH(
                TRANSLATE(
                  CAST("user_id" AS VARCHAR(MAX)),
                  '\001\002\003\004\005\006\007\b\t\n\013\f\r\016\017\020\021\022\023\024\025\026\027\030\031\032\033\034\035\036\037 \177 ­؀؁؂؃؄؅؜۝܏࢐࢑࣢ ᠎           ​‌‍‎‏  ‪‫‬‭‮  ⁠⁡⁢⁣⁤⁦⁧⁨⁩⁪⁫⁬⁭⁮⁯　﻿￹￺￻𑂽𑃍𓐰𓐱𓐲𓐳𓐴𓐵𓐶𓐷𓐸𛲠𛲡𛲢𛲣𝅳𝅴𝅵𝅶𝅷𝅸𝅹𝅺󠀁󠀠󠀡󠀢󠀣󠀤󠀥󠀦󠀧󠀨󠀩󠀪󠀫󠀬󠀭󠀮󠀯󠀰󠀱󠀲󠀳󠀴󠀵󠀶󠀷󠀸󠀹󠀺󠀻󠀼󠀽󠀾󠀿󠁀󠁁󠁂󠁃󠁄󠁅󠁆󠁇󠁈󠁉󠁊󠁋󠁌󠁍󠁎󠁏󠁐󠁑󠁒󠁓󠁔󠁕󠁖󠁗󠁘󠁙󠁚󠁛󠁜󠁝󠁞󠁟󠁠󠁡󠁢󠁣󠁤󠁥󠁦󠁧󠁨󠁩󠁪󠁫󠁬󠁭󠁮󠁯󠁰󠁱󠁲󠁳󠁴󠁵󠁶󠁷󠁸󠁹󠁺󠁻󠁼󠁽󠁾󠁿',
                  ''
                )
              ) > 0
            )
          )
          THEN CAST("user_id" AS VARCHAR(MAX))
        END AS "user.id_0",
        CASE
          WHEN (
            CAST(LOWER(CAST("email" AS VARCHAR(MAX))) AS VARCHAR(MAX)) BETWEEN '!' AND '~'
            OR (
              LENGTH(
                TRANSLATE(
                  CAST(LOWER(CAST("email" AS VARCHAR(MAX))) AS VARCHAR(MAX)),
                  '\001\002\003\004\005\006\007\b\t\n\013\f\r\016\017\020\021\022\023\024\025\026\027\030\031\032\033\034\035\036\037 \177 ­؀؁؂؃؄؅؜۝܏࢐࢑࣢ ᠎           ​‌‍‎‏  ‪‫‬‭‮  ⁠⁡⁢⁣⁤⁦⁧⁨⁩⁪⁫⁬⁭⁮⁯　﻿￹￺￻𑂽𑃍𓐰𓐱𓐲𓐳𓐴𓐵𓐶𓐷𓐸𛲠𛲡𛲢𛲣𝅳𝅴𝅵𝅶𝅷𝅸𝅹𝅺󠀁󠀠󠀡󠀢󠀣󠀤󠀥󠀦󠀧󠀨󠀩󠀪󠀫󠀬󠀭󠀮󠀯󠀰󠀱󠀲󠀳󠀴󠀵󠀶󠀷󠀸󠀹󠀺󠀻󠀼󠀽󠀾󠀿󠁀󠁁󠁂󠁃󠁄󠁅󠁆󠁇󠁈󠁉󠁊󠁋󠁌󠁍󠁎󠁏󠁐󠁑󠁒󠁓󠁔󠁕󠁖󠁗󠁘󠁙󠁚󠁛󠁜󠁝󠁞󠁟󠁠󠁡󠁢󠁣󠁤󠁥󠁦󠁧󠁨󠁩󠁪󠁫󠁬󠁭󠁮󠁯󠁰󠁱󠁲󠁳󠁴󠁵󠁶󠁷󠁸󠁹󠁺󠁻󠁼󠁽󠁾󠁿',
                  ''
                )
              ) > 0
            )
          )
          AND (
            REGEXP_INSTR(CAST(LOWER(CAST("email" AS VARCHAR(MAX))) AS VARCHAR(MAX)), '^(?:.+@.+)\\z', 1, 1, 0, 'p') > 0
          )
          AND NOT (
            CAST(LOWER(CAST("email" AS VARCHAR(MAX))) AS VARCHAR(MAX)) = 'x@x.com'
          )
          THEN CAST(LOWER(CAST("email" AS VARCHAR(MAX))) AS VARCHAR(MAX))
        END AS "user.id_1"
      FROM (
        SELECT
          *
        FROM "shop"."orders"
        WHERE
          CAST(CAST(CAST("ts" AS VARCHAR(MAX)) AS TIMESTAMP WITH TIME ZONE) AS TIMESTAMP) < CAST('2024-02-01 00:00:00' AS TIMESTAMP)
          OR "ts" IS NULL
      ) AS "source_rows"
    ) AS "r"
    LEFT JOIN (
      SELECT
        "other_id",
        "component"
      FROM "profiles"."material_ids_1_mappings"
      WHERE
        "other_id_type" = 'user_id'
    ) AS "user_ids_0"
      ON "user_ids_0"."other_id" = "r"."user.id_0"
    LEFT JOIN (
      SELECT
        "other_id",
        "component"
      FROM "profiles"."material_ids_1_mappings"
      WHERE
        "other_id_type" = 'email'
    ) AS "user_ids_1"
      ON "user_ids_1"."other_id" = CASE WHEN "r"."user.id_0" IS NULL THEN "r"."user.id_1" END
  ) AS "r"
  WHERE
    NOT "r"."user_main_id" IS NULL
  GROUP BY
    "r"."user_main_id"
) AS "s"
JOIN (
  SELECT DISTINCT
    "component",
    "main_id"
  FROM "profiles"."material_ids_1_mappings"
) AS "p"
  ON "p"."component" = "s"."user_main_id";

-- 2. vars that others need on their rows
DROP TABLE IF EXISTS "material_user_var_table_1_stage_1" CASCADE;
CREATE TEMPORARY TABLE "material_user_var_table_1_stage_1" AS
SELECT
  "user_main_id",
  "first_order"
FROM (
  SELECT
    "b".*,
    "s0"."first_order" AS "first_order"
  FROM (
    SELECT
      "user_main_id"
    FROM "profiles"."material_user_all_1"
  ) AS "b"
  LEFT JOIN "material_user_var_table_1_inputs_orders_1" AS "s0"
    ON "s0"."user_main_id" = "b"."user_main_id"
) AS "n";

-- 3. early from inputs/orders
DROP TABLE IF EXISTS "material_user_var_table_1_inputs_orders_2" CASCADE;
CREATE TEMPORARY TABLE "material_user_var_table_1_inputs_orders_2" AS
SELECT
  "p"."main_id" AS "user_main_id",
  "s"."early"
FROM (
  SELECT
    "r"."user_main_id",
    CASE
      WHEN COUNT(
        CASE
          WHEN CAST("ts" AS TIMESTAMP) < DATEADD(DAY, 7, CAST(CAST("user.first_order" AS TIMESTAMP) AS TIMESTAMP))
          THEN 1
          ELSE NULL
        END
      ) > 0
      THEN COUNT(
        CASE
          WHEN CAST("ts" AS TIMESTAMP) < DATEADD(DAY, 7, CAST(CAST("user.first_order" AS TIMESTAMP) AS TIMESTAMP))
          THEN 1
          ELSE NULL
        END
      )
    END AS "early"
  FROM (
    SELECT
      "r".*,
      "v0"."first_order" AS "user.first_order"
    FROM (
      SELECT
        COALESCE("user_ids_0"."component", "user_ids_1"."component") AS "user_main_id",
        "r".*
        EXCLUDE ("user.id_0", "user.id_1")
      FROM (
        SELECT
          "source_rows".*,
          CASE
            WHEN (
              CAST("user_id" AS VARCHAR(MAX)) BETWEEN '!' AND '~'
              OR (
                LENGTH(
                  TRANSLATE(
                    CAST("user_id" AS VARCHAR(MAX)),
                    '\001\002\003\004\005\006\007\b\t\n\013\f\r\016\017\020\021\022\023\024\025\026\027\030\031\032\033\034\035\036\037 \177 ­؀؁؂؃؄؅؜۝܏࢐࢑࣢ ᠎           ​‌‍‎‏  ‪‫‬‭‮  ⁠⁡⁢⁣⁤⁦⁧⁨⁩⁪⁫⁬⁭⁮⁯　﻿￹￺￻𑂽𑃍𓐰𓐱𓐲𓐳𓐴𓐵𓐶𓐷𓐸𛲠𛲡𛲢𛲣𝅳𝅴𝅵𝅶𝅷𝅸𝅹𝅺󠀁󠀠󠀡󠀢󠀣󠀤󠀥󠀦󠀧󠀨󠀩󠀪󠀫󠀬󠀭󠀮󠀯󠀰󠀱󠀲󠀳󠀴󠀵󠀶󠀷󠀸󠀹󠀺󠀻󠀼󠀽󠀾󠀿󠁀󠁁󠁂󠁃󠁄󠁅󠁆󠁇󠁈󠁉󠁊󠁋󠁌󠁍󠁎󠁏󠁐󠁑󠁒󠁓󠁔󠁕󠁖󠁗󠁘󠁙󠁚󠁛󠁜󠁝󠁞󠁟󠁠󠁡󠁢󠁣󠁤󠁥󠁦󠁧󠁨󠁩󠁪󠁫󠁬󠁭󠁮󠁯󠁰󠁱󠁲󠁳󠁴󠁵󠁶󠁷󠁸󠁹󠁺󠁻󠁼󠁽󠁾󠁿',
                    ''
                  )
                ) > 0
              )
            )
            THEN CAST("user_id" AS VARCHAR(MAX))
          END AS "user.id_0",
          CASE
            WHEN (
              CAST(LOWER(CAST("email" AS VARCHAR(MAX))) AS VARCHAR(MAX)) BETWEEN '!' AND '~'
              OR (
                LENGTH(
                  TRANSLATE(
                    CAST(LOWER(CAST("email" AS VARCHAR(MAX))) AS VARCHAR(MAX)),
                    '\001\002\003\004\005\006\007\b\t\n\013\f\r\016\017\020\021\022\023\024\025\026\027\030\031\032\033\034\035\036\037 \177 ­؀؁؂؃؄؅؜۝܏࢐࢑࣢ ᠎           ​‌‍‎‏  ‪‫‬‭‮  ⁠⁡⁢⁣⁤⁦⁧⁨⁩⁪⁫⁬⁭⁮⁯　﻿￹￺￻𑂽𑃍𓐰𓐱𓐲𓐳𓐴𓐵𓐶𓐷𓐸𛲠𛲡𛲢𛲣𝅳𝅴𝅵𝅶𝅷𝅸𝅹𝅺󠀁󠀠󠀡󠀢󠀣󠀤󠀥󠀦󠀧󠀨󠀩󠀪󠀫󠀬󠀭󠀮󠀯󠀰󠀱󠀲󠀳󠀴󠀵󠀶󠀷󠀸󠀹󠀺󠀻󠀼󠀽󠀾󠀿󠁀󠁁󠁂󠁃󠁄󠁅󠁆󠁇󠁈󠁉󠁊󠁋󠁌󠁍󠁎󠁏󠁐󠁑󠁒󠁓󠁔󠁕󠁖󠁗󠁘󠁙󠁚󠁛󠁜󠁝󠁞󠁟󠁠󠁡󠁢󠁣󠁤󠁥󠁦󠁧󠁨󠁩󠁪󠁫󠁬󠁭󠁮󠁯󠁰󠁱󠁲󠁳󠁴󠁵󠁶󠁷󠁸󠁹󠁺󠁻󠁼󠁽󠁾󠁿',
                    ''
                  )
                ) > 0
              )
            )
            AND (
              REGEXP_INSTR(CAST(LOWER(CAST("email" AS VARCHAR(MAX))) AS VARCHAR(MAX)), '^(?:.+@.+)\\z', 1, 1, 0, 'p') > 0
            )
            AND NOT (
              CAST(LOWER(CAST("email" AS VARCHAR(MAX))) AS VARCHAR(MAX)) = 'x@x.com'
            )
            THEN CAST(LOWER(CAST("email" AS VARCHAR(MAX))) AS VARCHAR(MAX))
          END AS "user.id_1"
        FROM (
          SELECT
            *
          FROM "shop"."orders"
          WHERE
            CAST(CAST(CAST("ts" AS VARCHAR(MAX)) AS TIMESTAMP WITH TIME ZONE) AS TIMESTAMP) < CAST('2024-02-01 00:00:00' AS TIMESTAMP)
            OR "ts" IS NULL
        ) AS "source_rows"
      ) AS "r"
      LEFT JOIN (
        SELECT
          "other_id",
          "component"
        FROM "profiles"."material_ids_1_mappings"
        WHERE
          "other_id_type" = 'user_id'
      ) AS "user_ids_0"
        ON "user_ids_0"."other_id" = "r"."user.id_0"
      LEFT JOIN (
        SELECT
          "other_id",
          "component"
        FROM "profiles"."material_ids_1_mappings"
        WHERE
          "other_id_type" = 'email'
      ) AS "user_ids_1"
        ON "user_ids_1"."other_id" = CASE WHEN "r"."user.id_0" IS NULL THEN "r"."user.id_1" END
    ) AS "r"
    LEFT JOIN (
      SELECT
        "p"."component" AS "user_main_id",
        "v".*
        EXCLUDE ("user_main_id")
      FROM "material_user_var_table_1_stage_1" AS "v"
      JOIN (
        SELECT DISTINCT
          "component",
          "main_id"
        FROM "profiles"."material_ids_1_mappings"
      ) AS "p"
        ON "p"."main_id" = "v"."user_main_id"
    ) AS "v0"
      ON "v0"."user_main_id" = "r"."user_main_id"
  ) AS "r"
  WHERE
    NOT "r"."user_main_id" IS NULL
  GROUP BY
    "r"."user_main_id"
) AS "s"
JOIN (
  SELECT DISTINCT
    "component",
    "main_id"
  FROM "profiles"."material_ids_1_mappings"
) AS "p"
  ON "p"."component" = "s"."user_main_id";

-- 4. 2 vars joined
DROP TABLE IF EXISTS "profiles"."material_user_var_table_1" CASCADE;
CREATE TABLE "profiles"."material_user_var_table_1" AS
SELECT
  "user_main_id",
  CAST('2024-02-01 00:00:00' AS TIMESTAMP) AS "valid_at",
  "first_order",
  "early"
FROM (
  SELECT
    "b".*,
    "s0"."early" AS "early"
  FROM (
    SELECT
      "b".*,
      "s0"."first_order" AS "first_order"
    FROM (
      SELECT
        "user_main_id"
      FROM "profiles"."material_user_all_1"
    ) AS "b"
    LEFT JOIN "material_user_var_table_1_inputs_orders_1" AS "s0"
      ON "s0"."user_main_id" = "b"."user_main_id"
  ) AS "b"
  LEFT JOIN "material_user_var_table_1_inputs_orders_2" AS "s0"
    ON "s0"."user_main_id" = "b"."user_main_id"
);
