-- user/all/var_table
-- Material_user_var_table_1, as of 2024-02-01 00:00:00 UTC

-- 1. listed from inputs/list
CREATE OR REPLACE TEMPORARY TABLE "MATERIAL_USER_VAR_TABLE_1_INPUTS_LIST_1" AS
SELECT
  "P"."MAIN_ID" AS "USER_MAIN_ID",
  "S"."LISTED"
FROM (
  SELECT
    "R"."USER_MAIN_ID",
    COUNT(*) AS "LISTED"
  FROM (
    SELECT
      "USER_IDS_0"."COMPONENT" AS "USER_MAIN_ID",
      "R".*
      EXCLUDE ("USER.ID_0")
    FROM (
      SELECT
        "SOURCE_ROWS".*,
        CASE
          WHEN (
            CAST("EMAIL" AS VARCHAR) BETWEEN '!' AND '~'
            OR LENGTH(
              TRANSLATE(
                CAST("EMAIL" AS VARCHAR),
                '\x01\x02\x03\x04\x05\x06\x07\b\t\n\x0b\f\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f \x7f ­؀؁؂؃؄؅؜۝܏࢐࢑࣢ ᠎           ​‌‍‎‏  ‪‫‬‭‮  ⁠⁡⁢⁣⁤⁦⁧⁨⁩⁪⁫⁬⁭⁮⁯　﻿￹￺￻𑂽𑃍𓐰𓐱𓐲𓐳𓐴𓐵𓐶𓐷𓐸𛲠𛲡𛲢𛲣𝅳𝅴𝅵𝅶𝅷𝅸𝅹𝅺󠀁󠀠󠀡󠀢󠀣󠀤󠀥󠀦󠀧󠀨󠀩󠀪󠀫󠀬󠀭󠀮󠀯󠀰󠀱󠀲󠀳󠀴󠀵󠀶󠀷󠀸󠀹󠀺󠀻󠀼󠀽󠀾󠀿󠁀󠁁󠁂󠁃󠁄󠁅󠁆󠁇󠁈󠁉󠁊󠁋󠁌󠁍󠁎󠁏󠁐󠁑󠁒󠁓󠁔󠁕󠁖󠁗󠁘󠁙󠁚󠁛󠁜󠁝󠁞󠁟󠁠󠁡󠁢󠁣󠁤󠁥󠁦󠁧󠁨󠁩󠁪󠁫󠁬󠁭󠁮󠁯󠁰󠁱󠁲󠁳󠁴󠁵󠁶󠁷󠁸󠁹󠁺󠁻󠁼󠁽󠁾󠁿',
                ''
              )
            ) > 0
          )
          AND REGEXP_LIKE(CAST("EMAIL" AS VARCHAR), '.+@.+')
          AND NOT (
            CAST("EMAIL" AS VARCHAR) = 'x@x.com'
          )
          THEN CAST("EMAIL" AS VARCHAR)
        END AS "USER.ID_0"
      FROM (
        SELECT
          *
        FROM "SHOP"."LIST"
      ) AS "SOURCE_ROWS"
    ) AS "R"
    LEFT JOIN (
      SELECT
        "OTHER_ID",
        "COMPONENT"
      FROM "PROFILES"."MATERIAL_IDS_1_MAPPINGS"
      WHERE
        "OTHER_ID_TYPE" = 'email'
    ) AS "USER_IDS_0"
      ON "USER_IDS_0"."OTHER_ID" = "R"."USER.ID_0"
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

-- 2. 3 vars in one scan of inputs/orders
CREATE OR REPLACE TEMPORARY TABLE "MATERIAL_USER_VAR_TABLE_1_INPUTS_ORDERS_1" AS
SELECT
  "P"."MAIN_ID" AS "USER_MAIN_ID",
  "S"."N",
  "S"."PAID",
  "S"."FIRST_ITEM"
FROM (
  SELECT
    "R"."USER_MAIN_ID",
    COUNT(*) AS "N",
    SUM(IFF("STATUS" = 'paid', "AMOUNT", NULL)) AS "PAID",
    ANY_VALUE("FIRST_OF_0") AS "FIRST_ITEM"
  FROM (
    SELECT
      "R".*,
      FIRST_VALUE("ITEM") OVER (PARTITION BY "R"."USER_MAIN_ID" ORDER BY "TS" ASC, "ITEM" ASC) AS "FIRST_OF_0"
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
  ) AS "R"
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

-- 3. 6 vars joined
CREATE OR REPLACE TRANSIENT TABLE "PROFILES"."MATERIAL_USER_VAR_TABLE_1"
DATA_RETENTION_TIME_IN_DAYS=0 AS
SELECT
  "USER_MAIN_ID",
  CAST('2024-02-01 00:00:00' AS TIMESTAMPNTZ) AS "VALID_AT",
  "N",
  "PAID",
  "FIRST_ITEM",
  "LISTED",
  "MEAN",
  "PLACE"
FROM (
  SELECT
    *,
    CAST(CAST("PAID" AS DOUBLE) / "N" AS DOUBLE) AS "MEAN",
    RANK() OVER (ORDER BY "PAID" DESC) AS "PLACE"
  FROM (
    SELECT
      "B".*,
      "S0"."LISTED" AS "LISTED",
      COALESCE("S1"."N", 0) AS "N",
      "S1"."PAID" AS "PAID",
      "S1"."FIRST_ITEM" AS "FIRST_ITEM"
    FROM (
      SELECT
        "USER_MAIN_ID"
      FROM "PROFILES"."MATERIAL_USER_ALL_1"
    ) AS "B"
    LEFT JOIN "MATERIAL_USER_VAR_TABLE_1_INPUTS_LIST_1" AS "S0"
      ON "S0"."USER_MAIN_ID" = "B"."USER_MAIN_ID"
    LEFT JOIN "MATERIAL_USER_VAR_TABLE_1_INPUTS_ORDERS_1" AS "S1"
      ON "S1"."USER_MAIN_ID" = "B"."USER_MAIN_ID"
  ) AS "LEVEL_0"
);
