-- inputs/orders/var_table
-- Material_orders_var_table_1, as of 2024-02-01 00:00:00 UTC

-- 1. rows of inputs/orders with 4 input vars
DROP VIEW IF EXISTS "profiles"."material_orders_var_table_1" CASCADE;
CREATE VIEW "profiles"."material_orders_var_table_1" AS
WITH "identified" AS (
  SELECT
    COALESCE("user_ids_0"."main_id", "user_ids_1"."main_id") AS "user_main_id",
    "r".*
    EXCLUDE ("user.id_0", "user.id_1")
  FROM (
    SELECT
      ROW_NUMBER() OVER () AS "input_row_id",
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
      "main_id"
    FROM "profiles"."material_ids_1_mappings"
    WHERE
      "other_id_type" = 'user_id'
  ) AS "user_ids_0"
    ON "user_ids_0"."other_id" = "r"."user.id_0"
  LEFT JOIN (
    SELECT
      "other_id",
      "main_id"
    FROM "profiles"."material_ids_1_mappings"
    WHERE
      "other_id_type" = 'email'
  ) AS "user_ids_1"
    ON "user_ids_1"."other_id" = CASE WHEN "r"."user.id_0" IS NULL THEN "r"."user.id_1" END
), "vars_1" AS (
  SELECT
    "amount" * 100 AS "cents",
    "g0"."group_value_0" AS "session_start",
    CASE
      WHEN "amount" > 0
      THEN ROW_NUMBER() OVER (PARTITION BY "user_main_id", CASE WHEN "amount" > 0 THEN 1 END ORDER BY "ts" DESC)
    END AS "position",
    "r".*
  FROM "identified" AS "r"
  JOIN (
    SELECT
      "session" AS "group_key_0",
      "user_main_id" AS "group_key_1",
      MIN("ts") AS "group_value_0"
    FROM "identified"
    GROUP BY
      "session",
      "user_main_id"
  ) AS "g0"
    ON (
      "g0"."group_key_0" = "session"
      OR (
        "g0"."group_key_0" IS NULL AND "session" IS NULL
      )
    )
    AND (
      "g0"."group_key_1" = "user_main_id"
      OR (
        "g0"."group_key_1" IS NULL AND "user_main_id" IS NULL
      )
    )
), "vars_2" AS (
  SELECT
    COALESCE(
      DATEDIFF(
        MINUTE,
        CAST(CAST("session_start" AS TIMESTAMP) AS TIMESTAMP),
        CAST(CAST("ts" AS TIMESTAMP) AS TIMESTAMP)
      ),
      0
    ) AS "minutes",
    "r".*
  FROM "vars_1" AS "r"
)
SELECT
  *
FROM "vars_2";
