-- models/ids
-- Material_ids_1, as of 2024-02-01 00:00:00 UTC

-- 1. ids seen together in inputs/list
CREATE OR REPLACE TEMPORARY TABLE "MATERIAL_IDS_1_TUPLES_0" AS
WITH "ROWS" AS (
  SELECT
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
    END AS "ID_0",
    CAST(NULL AS TIMESTAMPNTZ) AS "OCCURRED_AT"
  FROM (
    SELECT
      *
    FROM "SHOP"."LIST"
  ) AS "SOURCE_ROWS"
)
SELECT
  "ID_0",
  MIN("OCCURRED_AT") AS "FIRST_SEEN_AT",
  MAX("OCCURRED_AT") AS "LAST_SEEN_AT",
  COUNT(*) AS "ROW_COUNT"
FROM "ROWS"
WHERE
  NOT "ID_0" IS NULL
GROUP BY
  "ID_0";

-- 2. ids seen together in inputs/orders
CREATE OR REPLACE TEMPORARY TABLE "MATERIAL_IDS_1_TUPLES_1" AS
WITH "ROWS" AS (
  SELECT
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
    END AS "ID_0",
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
    END AS "ID_1",
    CASE
      WHEN TYPEOF(TO_VARIANT("TS")) = 'VARCHAR'
      THEN CAST(CONVERT_TIMEZONE('UTC', CAST(CAST("TS" AS VARCHAR) AS TIMESTAMPTZ)) AS TIMESTAMPNTZ)
      ELSE CAST("TS" AS TIMESTAMPNTZ)
    END AS "OCCURRED_AT"
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
)
SELECT
  "ID_0",
  "ID_1",
  MIN("OCCURRED_AT") AS "FIRST_SEEN_AT",
  MAX("OCCURRED_AT") AS "LAST_SEEN_AT",
  COUNT(*) AS "ROW_COUNT"
FROM "ROWS"
WHERE
  NOT "ID_0" IS NULL OR NOT "ID_1" IS NULL
GROUP BY
  "ID_0",
  "ID_1";

-- 3. distinct edges
CREATE OR REPLACE TRANSIENT TABLE "PROFILES"."MATERIAL_IDS_1_INTERNAL_EDGES"
DATA_RETENTION_TIME_IN_DAYS=0 AS
SELECT
  "ID_0" AS "ID1",
  'email' AS "ID1_TYPE",
  "ID_0" AS "ID2",
  'email' AS "ID2_TYPE",
  'inputs/list' AS "SOURCE",
  "FIRST_SEEN_AT",
  "LAST_SEEN_AT",
  "ROW_COUNT"
FROM "MATERIAL_IDS_1_TUPLES_0"
WHERE
  NOT "ID_0" IS NULL
UNION ALL
SELECT
  "ID_1" AS "ID1",
  'email' AS "ID1_TYPE",
  "ID_0" AS "ID2",
  'user_id' AS "ID2_TYPE",
  'inputs/orders' AS "SOURCE",
  "FIRST_SEEN_AT",
  "LAST_SEEN_AT",
  "ROW_COUNT"
FROM "MATERIAL_IDS_1_TUPLES_1"
WHERE
  NOT "ID_1" IS NULL AND NOT "ID_0" IS NULL
UNION ALL
SELECT
  "ID_0" AS "ID1",
  'user_id' AS "ID1_TYPE",
  "ID_0" AS "ID2",
  'user_id' AS "ID2_TYPE",
  'inputs/orders' AS "SOURCE",
  "FIRST_SEEN_AT",
  "LAST_SEEN_AT",
  "ROW_COUNT"
FROM "MATERIAL_IDS_1_TUPLES_1"
WHERE
  NOT "ID_0" IS NULL AND "ID_1" IS NULL
UNION ALL
SELECT
  "ID_1" AS "ID1",
  'email' AS "ID1_TYPE",
  "ID_1" AS "ID2",
  'email' AS "ID2_TYPE",
  'inputs/orders' AS "SOURCE",
  "FIRST_SEEN_AT",
  "LAST_SEEN_AT",
  "ROW_COUNT"
FROM "MATERIAL_IDS_1_TUPLES_1"
WHERE
  NOT "ID_1" IS NULL AND "ID_0" IS NULL;

-- 4. distinct ids, numbered
CREATE OR REPLACE TEMPORARY TABLE "MATERIAL_IDS_1_NODES" AS
WITH "ENDS" AS (
  SELECT
    "ID1" AS "ID",
    "ID1_TYPE" AS "ID_TYPE",
    "FIRST_SEEN_AT",
    "LAST_SEEN_AT"
  FROM "PROFILES"."MATERIAL_IDS_1_INTERNAL_EDGES"
  UNION ALL
  SELECT
    "ID2",
    "ID2_TYPE",
    "FIRST_SEEN_AT",
    "LAST_SEEN_AT"
  FROM "PROFILES"."MATERIAL_IDS_1_INTERNAL_EDGES"
), "IDS" AS (
  SELECT
    "ID",
    "ID_TYPE",
    MIN("FIRST_SEEN_AT") AS "FIRST_SEEN_AT",
    MAX("LAST_SEEN_AT") AS "LAST_SEEN_AT"
  FROM "ENDS"
  GROUP BY
    "ID",
    "ID_TYPE"
)
SELECT
  ROW_NUMBER() OVER (ORDER BY NULL) - 1 AS "NODE",
  "ID",
  "ID_TYPE",
  "FIRST_SEEN_AT",
  "LAST_SEEN_AT"
FROM "IDS";

-- 5. connected components
-- makes Material_ids_1_components (node, component) with rounds of contraction in SQL over the edges of
SELECT
  "ONE"."NODE" AS "A",
  "TWO"."NODE" AS "B"
FROM "PROFILES"."MATERIAL_IDS_1_INTERNAL_EDGES" AS "E"
JOIN "MATERIAL_IDS_1_NODES" AS "ONE"
  ON "ONE"."ID" = "E"."ID1" AND "ONE"."ID_TYPE" = "E"."ID1_TYPE"
JOIN "MATERIAL_IDS_1_NODES" AS "TWO"
  ON "TWO"."ID" = "E"."ID2" AND "TWO"."ID_TYPE" = "E"."ID2_TYPE"
WHERE
  "ONE"."NODE" <> "TWO"."NODE";

-- 6. main id of each id
CREATE OR REPLACE TRANSIENT TABLE "PROFILES"."MATERIAL_IDS_1_MAPPINGS"
DATA_RETENTION_TIME_IN_DAYS=0 AS
WITH "LABELLED" AS (
  SELECT
    "N"."ID",
    "N"."ID_TYPE",
    "N"."FIRST_SEEN_AT",
    "N"."LAST_SEEN_AT",
    "C"."COMPONENT",
    COALESCE("N"."FIRST_SEEN_AT", CAST('9999-12-31 00:00:00' AS TIMESTAMPNTZ)) AS "SEEN_FROM"
  FROM "MATERIAL_IDS_1_NODES" AS "N"
  JOIN "MATERIAL_IDS_1_COMPONENTS" AS "C"
    ON "C"."NODE" = "N"."NODE"
), "ELDEST" AS (
  SELECT
    "COMPONENT",
    MIN("SEEN_FROM") AS "SEEN_FROM"
  FROM "LABELLED"
  GROUP BY
    "COMPONENT"
), "NAMED" AS (
  SELECT
    "L"."COMPONENT",
    MIN(
      'rid' || SUBSTRING(
        SHA1(
          SUBSTRING(SHA1('fe971b24-9572-4005-b22f-351e9c09274d' || "L"."ID"), 1, 32) || "L"."ID_TYPE"
        ),
        1,
        32
      )
    ) AS "MAIN_ID"
  FROM "LABELLED" AS "L"
  JOIN "ELDEST" AS "E"
    ON "E"."COMPONENT" = "L"."COMPONENT" AND "E"."SEEN_FROM" = "L"."SEEN_FROM"
  GROUP BY
    "L"."COMPONENT"
)
SELECT
  "NAMED"."MAIN_ID",
  "L"."ID" AS "OTHER_ID",
  "L"."ID_TYPE" AS "OTHER_ID_TYPE",
  "L"."LAST_SEEN_AT" AS "VALID_AT",
  "L"."FIRST_SEEN_AT",
  "L"."COMPONENT"
FROM "LABELLED" AS "L"
JOIN "NAMED"
  ON "NAMED"."COMPONENT" = "L"."COMPONENT";

-- 7. id graph
CREATE OR REPLACE VIEW "PROFILES"."MATERIAL_IDS_1" AS
SELECT
  "MAIN_ID" AS "USER_MAIN_ID",
  "OTHER_ID",
  "OTHER_ID_TYPE",
  "VALID_AT",
  "FIRST_SEEN_AT"
FROM "PROFILES"."MATERIAL_IDS_1_MAPPINGS";
