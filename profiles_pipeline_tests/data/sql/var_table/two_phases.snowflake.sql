-- user/all/var_table
-- Material_user_var_table_1, as of 2024-02-01 00:00:00 UTC

-- 1. first_order from inputs/orders
CREATE OR REPLACE TEMPORARY TABLE "MATERIAL_USER_VAR_TABLE_1_INPUTS_ORDERS_1" AS
SELECT
  "P"."MAIN_ID" AS "USER_MAIN_ID",
  "S"."FIRST_ORDER"
FROM (
  SELECT
    "R"."USER_MAIN_ID",
    MIN("TS") AS "FIRST_ORDER"
  FROM (
    SELECT
      COALESCE("USER_IDS_0"."COMPONENT", "USER_IDS_1"."COMPONENT") AS "USER_MAIN_ID",
      "R".*
      EXCLUDE ("USER.ID_0", "USER.ID_1")
    FROM (
      SELECT
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
        "COMPONENT"
      FROM "PROFILES"."MATERIAL_IDS_1_MAPPINGS"
      WHERE
        "OTHER_ID_TYPE" = 'user_id'
    ) AS "USER_IDS_0"
      ON "USER_IDS_0"."OTHER_ID" = "R"."USER.ID_0"
    LEFT JOIN (
      SELECT
        "OTHER_ID",
        "COMPONENT"
      FROM "PROFILES"."MATERIAL_IDS_1_MAPPINGS"
      WHERE
        "OTHER_ID_TYPE" = 'email'
    ) AS "USER_IDS_1"
      ON "USER_IDS_1"."OTHER_ID" = CASE WHEN "R"."USER.ID_0" IS NULL THEN "R"."USER.ID_1" END
  ) AS "R"
  WHERE
    NOT "R"."USER_MAIN_ID" IS NULL
  GROUP BY
    "R"."USER_MAIN_ID"
) AS "S"
JOIN (
  SELECT DISTINCT
    "COMPONENT",
    "MAIN_ID"
  FROM "PROFILES"."MATERIAL_IDS_1_MAPPINGS"
) AS "P"
  ON "P"."COMPONENT" = "S"."USER_MAIN_ID";

-- 2. vars that others need on their rows
CREATE OR REPLACE TEMPORARY TABLE "MATERIAL_USER_VAR_TABLE_1_STAGE_1" AS
SELECT
  "USER_MAIN_ID",
  "FIRST_ORDER"
FROM (
  SELECT
    "B".*,
    "S0"."FIRST_ORDER" AS "FIRST_ORDER"
  FROM (
    SELECT
      "USER_MAIN_ID"
    FROM "PROFILES"."MATERIAL_USER_ALL_1"
  ) AS "B"
  LEFT JOIN "MATERIAL_USER_VAR_TABLE_1_INPUTS_ORDERS_1" AS "S0"
    ON "S0"."USER_MAIN_ID" = "B"."USER_MAIN_ID"
) AS "N";

-- 3. early from inputs/orders
CREATE OR REPLACE TEMPORARY TABLE "MATERIAL_USER_VAR_TABLE_1_INPUTS_ORDERS_2" AS
SELECT
  "P"."MAIN_ID" AS "USER_MAIN_ID",
  "S"."EARLY"
FROM (
  SELECT
    "R"."USER_MAIN_ID",
    CASE
      WHEN COUNT_IF(
        CAST("TS" AS TIMESTAMPNTZ) < DATEADD(DAY, 7, CAST(CAST("USER.FIRST_ORDER" AS TIMESTAMPNTZ) AS TIMESTAMP))
      ) > 0
      THEN COUNT_IF(
        CAST("TS" AS TIMESTAMPNTZ) < DATEADD(DAY, 7, CAST(CAST("USER.FIRST_ORDER" AS TIMESTAMPNTZ) AS TIMESTAMP))
      )
    END AS "EARLY"
  FROM (
    SELECT
      "R".*,
      "V0"."FIRST_ORDER" AS "USER.FIRST_ORDER"
    FROM (
      SELECT
        COALESCE("USER_IDS_0"."COMPONENT", "USER_IDS_1"."COMPONENT") AS "USER_MAIN_ID",
        "R".*
        EXCLUDE ("USER.ID_0", "USER.ID_1")
      FROM (
        SELECT
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
          "COMPONENT"
        FROM "PROFILES"."MATERIAL_IDS_1_MAPPINGS"
        WHERE
          "OTHER_ID_TYPE" = 'user_id'
      ) AS "USER_IDS_0"
        ON "USER_IDS_0"."OTHER_ID" = "R"."USER.ID_0"
      LEFT JOIN (
        SELECT
          "OTHER_ID",
          "COMPONENT"
        FROM "PROFILES"."MATERIAL_IDS_1_MAPPINGS"
        WHERE
          "OTHER_ID_TYPE" = 'email'
      ) AS "USER_IDS_1"
        ON "USER_IDS_1"."OTHER_ID" = CASE WHEN "R"."USER.ID_0" IS NULL THEN "R"."USER.ID_1" END
    ) AS "R"
    LEFT JOIN (
      SELECT
        "P"."COMPONENT" AS "USER_MAIN_ID",
        "V".*
        EXCLUDE ("USER_MAIN_ID")
      FROM "MATERIAL_USER_VAR_TABLE_1_STAGE_1" AS "V"
      JOIN (
        SELECT DISTINCT
          "COMPONENT",
          "MAIN_ID"
        FROM "PROFILES"."MATERIAL_IDS_1_MAPPINGS"
      ) AS "P"
        ON "P"."MAIN_ID" = "V"."USER_MAIN_ID"
    ) AS "V0"
      ON "V0"."USER_MAIN_ID" = "R"."USER_MAIN_ID"
  ) AS "R"
  WHERE
    NOT "R"."USER_MAIN_ID" IS NULL
  GROUP BY
    "R"."USER_MAIN_ID"
) AS "S"
JOIN (
  SELECT DISTINCT
    "COMPONENT",
    "MAIN_ID"
  FROM "PROFILES"."MATERIAL_IDS_1_MAPPINGS"
) AS "P"
  ON "P"."COMPONENT" = "S"."USER_MAIN_ID";

-- 4. 2 vars joined
CREATE OR REPLACE TRANSIENT TABLE "PROFILES"."MATERIAL_USER_VAR_TABLE_1"
DATA_RETENTION_TIME_IN_DAYS=0 AS
SELECT
  "USER_MAIN_ID",
  CAST('2024-02-01 00:00:00' AS TIMESTAMPNTZ) AS "VALID_AT",
  "FIRST_ORDER",
  "EARLY"
FROM (
  SELECT
    "B".*,
    "S0"."EARLY" AS "EARLY"
  FROM (
    SELECT
      "B".*,
      "S0"."FIRST_ORDER" AS "FIRST_ORDER"
    FROM (
      SELECT
        "USER_MAIN_ID"
      FROM "PROFILES"."MATERIAL_USER_ALL_1"
    ) AS "B"
    LEFT JOIN "MATERIAL_USER_VAR_TABLE_1_INPUTS_ORDERS_1" AS "S0"
      ON "S0"."USER_MAIN_ID" = "B"."USER_MAIN_ID"
  ) AS "B"
  LEFT JOIN "MATERIAL_USER_VAR_TABLE_1_INPUTS_ORDERS_2" AS "S0"
    ON "S0"."USER_MAIN_ID" = "B"."USER_MAIN_ID"
);
