-- user/all/var_table
-- Material_user_var_table_1, as of 2024-02-01 00:00:00 UTC

-- 1. listed from inputs/list
DROP TABLE IF EXISTS "material_user_var_table_1_inputs_list_1" CASCADE;
CREATE TEMPORARY TABLE "material_user_var_table_1_inputs_list_1" AS
SELECT
  "p"."main_id" AS "user_main_id",
  "s"."listed"
FROM (
  SELECT
    "r"."user_main_id",
    COUNT(*) AS "listed"
  FROM (
    SELECT
      "user_ids_0"."component" AS "user_main_id",
      "r".*
      EXCLUDE ("user.id_0")
    FROM (
      SELECT
        "source_rows".*,
        CASE
          WHEN (
            CAST("email" AS VARCHAR(MAX)) BETWEEN '!' AND '~'
            OR (
              LENGTH(
                TRANSLATE(
                  CAST("email" AS VARCHAR(MAX)),
                  '\001\002\003\004\005\006\007\b\t\n\013\f\r\016\017\020\021\022\023\024\025\026\027\030\031\032\033\034\035\036\037 \177 ­؀؁؂؃؄؅؜۝܏࢐࢑࣢ ᠎           ​‌‍‎‏  ‪‫‬‭‮  ⁠⁡⁢⁣⁤⁦⁧⁨⁩⁪⁫⁬⁭⁮⁯　﻿￹￺￻𑂽𑃍𓐰𓐱𓐲𓐳𓐴𓐵𓐶𓐷𓐸𛲠𛲡𛲢𛲣𝅳𝅴𝅵𝅶𝅷𝅸𝅹𝅺󠀁󠀠󠀡󠀢󠀣󠀤󠀥󠀦󠀧󠀨󠀩󠀪󠀫󠀬󠀭󠀮󠀯󠀰󠀱󠀲󠀳󠀴󠀵󠀶󠀷󠀸󠀹󠀺󠀻󠀼󠀽󠀾󠀿󠁀󠁁󠁂󠁃󠁄󠁅󠁆󠁇󠁈󠁉󠁊󠁋󠁌󠁍󠁎󠁏󠁐󠁑󠁒󠁓󠁔󠁕󠁖󠁗󠁘󠁙󠁚󠁛󠁜󠁝󠁞󠁟󠁠󠁡󠁢󠁣󠁤󠁥󠁦󠁧󠁨󠁩󠁪󠁫󠁬󠁭󠁮󠁯󠁰󠁱󠁲󠁳󠁴󠁵󠁶󠁷󠁸󠁹󠁺󠁻󠁼󠁽󠁾󠁿',
                  ''
                )
              ) > 0
            )
          )
          AND (
            REGEXP_INSTR(CAST("email" AS VARCHAR(MAX)), '^(?:.+@.+)\\z', 1, 1, 0, 'p') > 0
          )
          AND NOT (
            CAST("email" AS VARCHAR(MAX)) = 'x@x.com'
          )
          THEN CAST("email" AS VARCHAR(MAX))
        END AS "user.id_0"
      FROM (
        SELECT
          *
        FROM "shop"."list"
      ) AS "source_rows"
    ) AS "r"
    LEFT JOIN (
      SELECT
        "other_id",
        "component"
      FROM "profiles"."material_ids_1_mappings"
      WHERE
        "other_id_type" = 'email'
    ) AS "user_ids_0"
      ON "user_ids_0"."other_id" = "r"."user.id_0"
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

-- 2. 3 vars in one scan of inputs/orders
DROP TABLE IF EXISTS "material_user_var_table_1_inputs_orders_1" CASCADE;
CREATE TEMPORARY TABLE "material_user_var_table_1_inputs_orders_1" AS
SELECT
  "p"."main_id" AS "user_main_id",
  "s"."n",
  "s"."paid",
  "s"."first_item"
FROM (
  SELECT
    "r"."user_main_id",
    COUNT(*) AS "n",
    SUM(CASE WHEN "status" = 'paid' THEN "amount" ELSE NULL END) AS "paid",
    ANY_VALUE("first_of_0") AS "first_item"
  FROM (
    SELECT
      "r".*,
      FIRST_VALUE("item") OVER (
        PARTITION BY "r"."user_main_id"
        ORDER BY "ts" ASC, "item" ASC
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
      ) AS "first_of_0"
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
  ) AS "r"
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

-- 3. 6 vars joined
DROP TABLE IF EXISTS "profiles"."material_user_var_table_1" CASCADE;
CREATE TABLE "profiles"."material_user_var_table_1" AS
SELECT
  "user_main_id",
  CAST('2024-02-01 00:00:00' AS TIMESTAMP) AS "valid_at",
  "n",
  "paid",
  "first_item",
  "listed",
  "mean",
  "place"
FROM (
  SELECT
    *,
    CAST(CAST("paid" AS DOUBLE PRECISION) / "n" AS DOUBLE PRECISION) AS "mean",
    RANK() OVER (ORDER BY "paid" DESC) AS "place"
  FROM (
    SELECT
      "b".*,
      "s0"."listed" AS "listed",
      COALESCE("s1"."n", 0) AS "n",
      "s1"."paid" AS "paid",
      "s1"."first_item" AS "first_item"
    FROM (
      SELECT
        "user_main_id"
      FROM "profiles"."material_user_all_1"
    ) AS "b"
    LEFT JOIN "material_user_var_table_1_inputs_list_1" AS "s0"
      ON "s0"."user_main_id" = "b"."user_main_id"
    LEFT JOIN "material_user_var_table_1_inputs_orders_1" AS "s1"
      ON "s1"."user_main_id" = "b"."user_main_id"
  ) AS "level_0"
);
