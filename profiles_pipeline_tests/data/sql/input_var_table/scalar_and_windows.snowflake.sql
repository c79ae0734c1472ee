-- inputs/orders/var_table
-- Material_orders_var_table_1, as of 2024-02-01 00:00:00 UTC

-- 1. rows of inputs/orders with 4 input vars
CREATE OR REPLACE VIEW "PROFILES"."MATERIAL_ORDERS_VAR_TABLE_1" AS
WITH "IDENTIFIED" AS (
  SELECT
    COALESCE("USER_IDS_0"."MAIN_ID", "USER_IDS_1"."MAIN_ID") AS "USER_MAIN_ID",
    "R".*
    EXCLUDE ("USER.ID_0", "USER.ID_1")
  FROM (
    SELECT
      ROW_NUMBER() OVER (ORDER BY NULL) AS "INPUT_ROW_ID",
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
          CAST(LOWER(CAST("EMAIL" AS VARCHAR)) AS VARCHAR) BETWEEN '!' AND '~'
          OR LENGTH(
            TRANSLATE(
              CAST(LOWER(CAST("EMAIL" AS VARCHAR)) AS VARCHAR),
              '\x01\x02\x03\x04\x05\x06\x07\b\t\n\x0b\f\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f \x7f ­؀؁؂؃؄؅؜۝܏࢐࢑࣢ ᠎           ​‌‍‎‏  ‪‫‬‭‮  ⁠⁡⁢⁣⁤⁦⁧⁨⁩⁪⁫⁬⁭⁮⁯　﻿￹￺￻𑂽𑃍𓐰𓐱𓐲𓐳𓐴𓐵𓐶𓐷𓐸𛲠𛲡𛲢𛲣𝅳𝅴𝅵𝅶𝅷𝅸𝅹𝅺󠀁󠀠󠀡󠀢󠀣󠀤󠀥󠀦󠀧󠀨󠀩󠀪󠀫󠀬󠀭󠀮󠀯󠀰󠀱󠀲󠀳󠀴󠀵󠀶󠀷󠀸󠀹󠀺󠀻󠀼󠀽󠀾󠀿󠁀󠁁󠁂󠁃󠁄󠁅󠁆󠁇󠁈󠁉󠁊󠁋󠁌󠁍󠁎󠁏󠁐󠁑󠁒󠁓󠁔󠁕󠁖󠁗󠁘󠁙󠁚󠁛󠁜󠁝󠁞󠁟󠁠󠁡󠁢󠁣󠁤󠁥󠁦󠁧󠁨󠁩󠁪󠁫󠁬󠁭󠁮󠁯󠁰󠁱󠁲󠁳󠁴󠁵󠁶󠁷󠁸󠁹󠁺󠁻󠁼󠁽󠁾󠁿',
              ''
            )
          ) > 0
        )
        AND REGEXP_LIKE(CAST(LOWER(CAST("EMAIL" AS VARCHAR)) AS VARCHAR), '.+@.+')
        AND NOT (
          CAST(LOWER(CAST("EMAIL" AS VARCHAR)) AS VARCHAR) = 'x@x.com'
        )
        THEN CAST(LOWER(CAST("EMAIL" AS VARCHAR)) AS VARCHAR)
      END AS "USER.ID_1"
    FROM (
      SELECT
        *
      FROM "SHOP"."ORDERS"
      WHERE
        CASE
          WHEN TYPEOF(TO_VARIANT("TS")) = 'VARCHAR'
          THEN CAST(CONVERT_TIMEZONE('UTC', CAST(CAST("TS" AS VARCHAR) AS TIMESTAMPTZ)) AS TIMESTAMPNTZ)
          ELSE CAST("TS" AS TIMESTAMPNTZ)
        END < CAST('2024-02-01 00:00:00' AS TIMESTAMPNTZ)
        OR "TS" IS NULL
    ) AS "SOURCE_ROWS"
  ) AS "R"
  LEFT JOIN (
    SELECT
      "OTHER_ID",
      "MAIN_ID"
    FROM "PROFILES"."MATERIAL_IDS_1_MAPPINGS"
    WHERE
      "OTHER_ID_TYPE" = 'user_id'
  ) AS "USER_IDS_0"
    ON "USER_IDS_0"."OTHER_ID" = "R"."USER.ID_0"
  LEFT JOIN (
    SELECT
      "OTHER_ID",
      "MAIN_ID"
    FROM "PROFILES"."MATERIAL_IDS_1_MAPPINGS"
    WHERE
      "OTHER_ID_TYPE" = 'email'
  ) AS "USER_IDS_1"
    ON "USER_IDS_1"."OTHER_ID" = CASE WHEN "R"."USER.ID_0" IS NULL THEN "R"."USER.ID_1" END
), "VARS_1" AS (
  SELECT
    "AMOUNT" * 100 AS "CENTS",
    "G0"."GROUP_VALUE_0" AS "SESSION_START",
    CASE
      WHEN "AMOUNT" > 0
      THEN ROW_NUMBER() OVER (PARTITION BY "USER_MAIN_ID", CASE WHEN "AMOUNT" > 0 THEN 1 END ORDER BY "TS" DESC)
    END AS "POSITION",
    "R".*
  FROM "IDENTIFIED" AS "R"
  JOIN (
    SELECT
      "SESSION" AS "GROUP_KEY_0",
      "USER_MAIN_ID" AS "GROUP_KEY_1",
      MIN("TS") AS "GROUP_VALUE_0"
    FROM "IDENTIFIED"
    GROUP BY
      "SESSION",
      "USER_MAIN_ID"
  ) AS "G0"
    ON "G0"."GROUP_KEY_0" IS NOT DISTINCT FROM "SESSION"
    AND "G0"."GROUP_KEY_1" IS NOT DISTINCT FROM "USER_MAIN_ID"
), "VARS_2" AS (
  SELECT
    COALESCE(
      DATEDIFF(MINUTE, CAST("SESSION_START" AS TIMESTAMPNTZ), CAST("TS" AS TIMESTAMPNTZ)),
      0
    ) AS "MINUTES",
    "R".*
  FROM "VARS_1" AS "R"
)
SELECT
  *
FROM "VARS_2";
