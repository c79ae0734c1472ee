-- models/user_graph
-- Material_user_graph_1, as of 2024-02-01 00:00:00 UTC

-- 1. ids seen together in inputs/people
CREATE OR REPLACE TEMPORARY TABLE "MATERIAL_USER_GRAPH_1_TUPLES_0" AS
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
        CAST("EMAIL" AS VARCHAR) BETWEEN '!' AND '~'
        OR LENGTH(
          TRANSLATE(
            CAST("EMAIL" AS VARCHAR),
            '\x01\x02\x03\x04\x05\x06\x07\b\t\n\x0b\f\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f \x7f ­؀؁؂؃؄؅؜۝܏࢐࢑࣢ ᠎           ​‌‍‎‏  ‪‫‬‭‮  ⁠⁡⁢⁣⁤⁦⁧⁨⁩⁪⁫⁬⁭⁮⁯　﻿￹￺￻𑂽𑃍𓐰𓐱𓐲𓐳𓐴𓐵𓐶𓐷𓐸𛲠𛲡𛲢𛲣𝅳𝅴𝅵𝅶𝅷𝅸𝅹𝅺󠀁󠀠󠀡󠀢󠀣󠀤󠀥󠀦󠀧󠀨󠀩󠀪󠀫󠀬󠀭󠀮󠀯󠀰󠀱󠀲󠀳󠀴󠀵󠀶󠀷󠀸󠀹󠀺󠀻󠀼󠀽󠀾󠀿󠁀󠁁󠁂󠁃󠁄󠁅󠁆󠁇󠁈󠁉󠁊󠁋󠁌󠁍󠁎󠁏󠁐󠁑󠁒󠁓󠁔󠁕󠁖󠁗󠁘󠁙󠁚󠁛󠁜󠁝󠁞󠁟󠁠󠁡󠁢󠁣󠁤󠁥󠁦󠁧󠁨󠁩󠁪󠁫󠁬󠁭󠁮󠁯󠁰󠁱󠁲󠁳󠁴󠁵󠁶󠁷󠁸󠁹󠁺󠁻󠁼󠁽󠁾󠁿',
            ''
          )
        ) > 0
      )
      THEN CAST("EMAIL" AS VARCHAR)
    END AS "ID_1",
    CASE
      WHEN TYPEOF(TO_VARIANT("SEEN_AT")) = 'VARCHAR'
      THEN CAST(CONVERT_TIMEZONE('UTC', CAST(CAST("SEEN_AT" AS VARCHAR) AS TIMESTAMPTZ)) AS TIMESTAMPNTZ)
      ELSE CAST("SEEN_AT" AS TIMESTAMPNTZ)
    END AS "OCCURRED_AT"
  FROM (
    SELECT
      *
    FROM "SHOP"."PEOPLE"
    WHERE
      CASE
        WHEN TYPEOF(TO_VARIANT("SEEN_AT")) = 'VARCHAR'
        THEN CAST(CONVERT_TIMEZONE('UTC', CAST(CAST("SEEN_AT" AS VARCHAR) AS TIMESTAMPTZ)) AS TIMESTAMPNTZ)
        ELSE CAST("SEEN_AT" AS TIMESTAMPNTZ)
      END < CAST('2024-02-01 00:00:00' AS TIMESTAMPNTZ)
      OR "SEEN_AT" IS NULL
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

-- 2. distinct edges, before caps and rules
CREATE OR REPLACE TRANSIENT TABLE "PROFILES"."MATERIAL_USER_GRAPH_1_RAW_EDGES"
DATA_RETENTION_TIME_IN_DAYS=0 AS
SELECT
  "ID_1" AS "ID1",
  'email' AS "ID1_TYPE",
  "ID_0" AS "ID2",
  'user_id' AS "ID2_TYPE",
  'inputs/people' AS "SOURCE",
  "FIRST_SEEN_AT",
  "LAST_SEEN_AT",
  "ROW_COUNT"
FROM "MATERIAL_USER_GRAPH_1_TUPLES_0"
WHERE
  NOT "ID_1" IS NULL AND NOT "ID_0" IS NULL
UNION ALL
SELECT
  "ID_0" AS "ID1",
  'user_id' AS "ID1_TYPE",
  "ID_0" AS "ID2",
  'user_id' AS "ID2_TYPE",
  'inputs/people' AS "SOURCE",
  "FIRST_SEEN_AT",
  "LAST_SEEN_AT",
  "ROW_COUNT"
FROM "MATERIAL_USER_GRAPH_1_TUPLES_0"
WHERE
  NOT "ID_0" IS NULL AND "ID_1" IS NULL
UNION ALL
SELECT
  "ID_1" AS "ID1",
  'email' AS "ID1_TYPE",
  "ID_1" AS "ID2",
  'email' AS "ID2_TYPE",
  'inputs/people' AS "SOURCE",
  "FIRST_SEEN_AT",
  "LAST_SEEN_AT",
  "ROW_COUNT"
FROM "MATERIAL_USER_GRAPH_1_TUPLES_0"
WHERE
  NOT "ID_1" IS NULL AND "ID_0" IS NULL;

-- 3. manual rules that count
CREATE OR REPLACE TEMPORARY TABLE "MATERIAL_USER_GRAPH_1_RULES" AS
WITH "TYPES" AS (
  SELECT
    "NAME",
    "NUMBER"
  FROM (VALUES
    ('email', 0),
    ('user_id', 1)) AS "ID_TYPES"("NAME", "NUMBER")
), "NAMED" AS (
  SELECT
    "R"."ID1",
    "ONE"."NAME" AS "ID1_TYPE",
    "ONE"."NUMBER" AS "NUMBER1",
    "R"."ACTION",
    "R"."CREATED_AT",
    COALESCE("R"."ID2", "R"."ID1") AS "ID2",
    COALESCE("TWO"."NAME", "ONE"."NAME") AS "ID2_TYPE",
    COALESCE("TWO"."NUMBER", "ONE"."NUMBER") AS "NUMBER2"
  FROM (
    SELECT
      LOWER(TRIM(CAST("ENTITY" AS VARCHAR))) AS "ENTITY",
      CASE WHEN TRIM(CAST("ID1" AS VARCHAR)) <> '' THEN CAST("ID1" AS VARCHAR) END AS "ID1",
      NULLIF(LOWER(TRIM(CAST("ID1_TYPE" AS VARCHAR))), '') AS "ID1_TYPE",
      CASE WHEN TRIM(CAST("ID2" AS VARCHAR)) <> '' THEN CAST("ID2" AS VARCHAR) END AS "ID2",
      NULLIF(LOWER(TRIM(CAST("ID2_TYPE" AS VARCHAR))), '') AS "ID2_TYPE",
      UPPER(TRIM(CAST("ACTION" AS VARCHAR))) AS "ACTION",
      CAST("CREATED_AT" AS TIMESTAMPNTZ) AS "CREATED_AT"
    FROM "ID_STITCH_RULES" AS "WRITTEN"
  ) AS "R"
  JOIN "TYPES" AS "ONE"
    ON LOWER("ONE"."NAME") = "R"."ID1_TYPE"
  LEFT JOIN "TYPES" AS "TWO"
    ON LOWER("TWO"."NAME") = "R"."ID2_TYPE"
  WHERE
    "R"."ENTITY" IN ('user')
), "PLACED" AS (
  SELECT
    *,
    "NUMBER1" < "NUMBER2" OR (
      "NUMBER1" = "NUMBER2" AND "ID1" <= "ID2"
    ) AS "IN_ORDER"
  FROM "NAMED"
), "ORDERED" AS (
  SELECT
    CASE WHEN "IN_ORDER" THEN "ID1" ELSE "ID2" END AS "ID1",
    CASE WHEN "IN_ORDER" THEN "ID1_TYPE" ELSE "ID2_TYPE" END AS "ID1_TYPE",
    CASE WHEN "IN_ORDER" THEN "ID2" ELSE "ID1" END AS "ID2",
    CASE WHEN "IN_ORDER" THEN "ID2_TYPE" ELSE "ID1_TYPE" END AS "ID2_TYPE",
    "ACTION",
    "CREATED_AT"
  FROM "PLACED"
), "RANKED" AS (
  SELECT
    "ID1",
    "ID1_TYPE",
    "ID2",
    "ID2_TYPE",
    "ACTION",
    ROW_NUMBER() OVER (
      PARTITION BY "ID1", "ID1_TYPE", "ID2", "ID2_TYPE"
      ORDER BY "CREATED_AT" DESC NULLS LAST, "ACTION" ASC
    ) AS "AGE"
  FROM "ORDERED"
)
SELECT
  "ID1",
  "ID1_TYPE",
  "ID2",
  "ID2_TYPE",
  "ACTION"
FROM "RANKED"
WHERE
  "AGE" = 1;

-- 4. edges after manual rules
CREATE OR REPLACE TRANSIENT TABLE "PROFILES"."MATERIAL_USER_GRAPH_1_INTERNAL_EDGES"
DATA_RETENTION_TIME_IN_DAYS=0 AS
WITH "GONE" AS (
  SELECT
    "ID1" AS "ID",
    "ID1_TYPE" AS "ID_TYPE"
  FROM "MATERIAL_USER_GRAPH_1_RULES"
  WHERE
    "ACTION" = 'EXCLUDE' AND (
      "ID1" = "ID2" AND "ID1_TYPE" = "ID2_TYPE"
    )
), "KEPT" AS (
  SELECT
    "E".*
  FROM "PROFILES"."MATERIAL_USER_GRAPH_1_RAW_EDGES" AS "E"
  WHERE
    NOT EXISTS(
      SELECT
        1
      FROM "MATERIAL_USER_GRAPH_1_RULES" AS "R"
      WHERE
        "R"."ACTION" = 'EXCLUDE'
        AND "R"."ID1" = "E"."ID1"
        AND "R"."ID1_TYPE" = "E"."ID1_TYPE"
        AND "R"."ID2" = "E"."ID2"
        AND "R"."ID2_TYPE" = "E"."ID2_TYPE"
    )
    AND NOT EXISTS(
      SELECT
        1
      FROM "GONE" AS "G"
      WHERE
        "G"."ID" = "E"."ID1" AND "G"."ID_TYPE" = "E"."ID1_TYPE"
    )
    AND NOT EXISTS(
      SELECT
        1
      FROM "GONE" AS "G"
      WHERE
        "G"."ID" = "E"."ID2" AND "G"."ID_TYPE" = "E"."ID2_TYPE"
    )
), "ADDED" AS (
  SELECT
    "ID1",
    "ID1_TYPE",
    "ID2",
    "ID2_TYPE",
    'id_stitcher_rules' AS "SOURCE",
    CAST(NULL AS TIMESTAMPNTZ) AS "FIRST_SEEN_AT",
    CAST(NULL AS TIMESTAMPNTZ) AS "LAST_SEEN_AT",
    CAST(0 AS BIGINT) AS "ROW_COUNT"
  FROM "MATERIAL_USER_GRAPH_1_RULES" AS "R"
  WHERE
    "ACTION" = 'INCLUDE'
    AND (
      NOT EXISTS(
        SELECT
          1
        FROM "GONE" AS "G"
        WHERE
          "G"."ID" = "R"."ID1" AND "G"."ID_TYPE" = "R"."ID1_TYPE"
      )
      AND NOT EXISTS(
        SELECT
          1
        FROM "GONE" AS "G"
        WHERE
          "G"."ID" = "R"."ID2" AND "G"."ID_TYPE" = "R"."ID2_TYPE"
      )
    )
), "TOGETHER" AS (
  SELECT
    *
  FROM "KEPT"
  UNION ALL
  SELECT
    *
  FROM "ADDED"
  WHERE
    NOT (
      (
        "ID1" = "ID2" AND "ID1_TYPE" = "ID2_TYPE"
      )
    )
), "ENDS" AS (
  SELECT
    "ID1" AS "ID",
    "ID1_TYPE" AS "ID_TYPE"
  FROM "TOGETHER"
  UNION
  SELECT
    "ID2",
    "ID2_TYPE"
  FROM "TOGETHER"
), "SEEN" AS (
  SELECT
    "ID1" AS "ID",
    "ID1_TYPE" AS "ID_TYPE",
    "SOURCE",
    "FIRST_SEEN_AT",
    "LAST_SEEN_AT",
    "ROW_COUNT"
  FROM "PROFILES"."MATERIAL_USER_GRAPH_1_RAW_EDGES"
  UNION ALL
  SELECT
    "ID2",
    "ID2_TYPE",
    "SOURCE",
    "FIRST_SEEN_AT",
    "LAST_SEEN_AT",
    "ROW_COUNT"
  FROM "PROFILES"."MATERIAL_USER_GRAPH_1_RAW_EDGES"
  UNION ALL
  SELECT
    "ID1",
    "ID1_TYPE",
    "SOURCE",
    "FIRST_SEEN_AT",
    "LAST_SEEN_AT",
    "ROW_COUNT"
  FROM "ADDED"
  WHERE
    "ID1" = "ID2" AND "ID1_TYPE" = "ID2_TYPE"
)
SELECT
  "ID1",
  "ID1_TYPE",
  "ID2",
  "ID2_TYPE",
  "SOURCE",
  "FIRST_SEEN_AT",
  "LAST_SEEN_AT",
  "ROW_COUNT"
FROM "TOGETHER"
UNION ALL
SELECT
  "S"."ID",
  "S"."ID_TYPE",
  "S"."ID",
  "S"."ID_TYPE",
  "S"."SOURCE",
  MIN("S"."FIRST_SEEN_AT"),
  MAX("S"."LAST_SEEN_AT"),
  CAST(SUM("S"."ROW_COUNT") AS BIGINT)
FROM "SEEN" AS "S"
WHERE
  NOT EXISTS(
    SELECT
      1
    FROM "ENDS" AS "E"
    WHERE
      "E"."ID" = "S"."ID" AND "E"."ID_TYPE" = "S"."ID_TYPE"
  )
  AND NOT EXISTS(
    SELECT
      1
    FROM "GONE" AS "G"
    WHERE
      "G"."ID" = "S"."ID" AND "G"."ID_TYPE" = "S"."ID_TYPE"
  )
GROUP BY
  "S"."ID",
  "S"."ID_TYPE",
  "S"."SOURCE";

-- 5. distinct ids, numbered
CREATE OR REPLACE TEMPORARY TABLE "MATERIAL_USER_GRAPH_1_NODES" AS
WITH "ENDS" AS (
  SELECT
    "ID1" AS "ID",
    "ID1_TYPE" AS "ID_TYPE",
    "FIRST_SEEN_AT",
    "LAST_SEEN_AT"
  FROM (
    SELECT
      *
    FROM "PROFILES"."MATERIAL_USER_GRAPH_1_RAW_EDGES"
    UNION ALL
    SELECT
      *
    FROM "PROFILES"."MATERIAL_USER_GRAPH_1_INTERNAL_EDGES"
  )
  UNION ALL
  SELECT
    "ID2",
    "ID2_TYPE",
    "FIRST_SEEN_AT",
    "LAST_SEEN_AT"
  FROM (
    SELECT
      *
    FROM "PROFILES"."MATERIAL_USER_GRAPH_1_RAW_EDGES"
    UNION ALL
    SELECT
      *
    FROM "PROFILES"."MATERIAL_USER_GRAPH_1_INTERNAL_EDGES"
  )
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
FROM "IDS"
WHERE
  ("ID", "ID_TYPE") IN (
    SELECT
      "ID1",
      "ID1_TYPE"
    FROM "PROFILES"."MATERIAL_USER_GRAPH_1_INTERNAL_EDGES"
    UNION ALL
    SELECT
      "ID2",
      "ID2_TYPE"
    FROM "PROFILES"."MATERIAL_USER_GRAPH_1_INTERNAL_EDGES"
  );

-- 6. connected components
-- makes Material_user_graph_1_components (node, component) with rounds of contraction in SQL over the edges of
SELECT
  "ONE"."NODE" AS "A",
  "TWO"."NODE" AS "B"
FROM "PROFILES"."MATERIAL_USER_GRAPH_1_INTERNAL_EDGES" AS "E"
JOIN "MATERIAL_USER_GRAPH_1_NODES" AS "ONE"
  ON "ONE"."ID" = "E"."ID1" AND "ONE"."ID_TYPE" = "E"."ID1_TYPE"
JOIN "MATERIAL_USER_GRAPH_1_NODES" AS "TWO"
  ON "TWO"."ID" = "E"."ID2" AND "TWO"."ID_TYPE" = "E"."ID2_TYPE"
WHERE
  "ONE"."NODE" <> "TWO"."NODE";

-- 7. evidence of each id
CREATE OR REPLACE TEMPORARY TABLE "MATERIAL_USER_GRAPH_1_METADATA" AS
SELECT
  "I"."ID",
  "I"."ID_TYPE",
  OBJECT_CONSTRUCT_KEEP_NULL(
    'node_info',
    "N"."NODE_INFO",
    'direct_edge_info',
    OBJECT_CONSTRUCT_KEEP_NULL('edges_by_type', COALESCE("D"."EDGES_BY_TYPE", PARSE_JSON('{}')))
  ) AS "METADATA"
FROM (
  SELECT
    "ID1" AS "ID",
    "ID1_TYPE" AS "ID_TYPE"
  FROM "PROFILES"."MATERIAL_USER_GRAPH_1_INTERNAL_EDGES"
  UNION
  SELECT
    "ID2",
    "ID2_TYPE"
  FROM "PROFILES"."MATERIAL_USER_GRAPH_1_INTERNAL_EDGES"
) AS "I"
LEFT JOIN (
  SELECT
    "ID",
    "ID_TYPE",
    ARRAY_CONSTRUCT(
      OBJECT_CONSTRUCT_KEEP_NULL(
        'first_seen_at',
        MIN("FIRST_SEEN_AT"),
        'source_model',
        ARRAY_AGG(DISTINCT "SOURCE") WITHIN GROUP (ORDER BY
          "SOURCE")
      )
    ) AS "NODE_INFO"
  FROM (
    SELECT
      *,
      RANK() OVER (PARTITION BY "ID", "ID_TYPE" ORDER BY "FIRST_SEEN_AT") AS "SIGHTING"
    FROM (
      SELECT
        "ID1" AS "ID",
        "ID1_TYPE" AS "ID_TYPE",
        "ID2" AS "OTHER",
        "ID2_TYPE" AS "OTHER_TYPE",
        "SOURCE",
        "FIRST_SEEN_AT"
      FROM (
        SELECT
          *
        FROM "PROFILES"."MATERIAL_USER_GRAPH_1_RAW_EDGES"
        UNION ALL
        SELECT
          *
        FROM "PROFILES"."MATERIAL_USER_GRAPH_1_INTERNAL_EDGES"
      )
      UNION ALL
      SELECT
        "ID2",
        "ID2_TYPE",
        "ID1",
        "ID1_TYPE",
        "SOURCE",
        "FIRST_SEEN_AT"
      FROM (
        SELECT
          *
        FROM "PROFILES"."MATERIAL_USER_GRAPH_1_RAW_EDGES"
        UNION ALL
        SELECT
          *
        FROM "PROFILES"."MATERIAL_USER_GRAPH_1_INTERNAL_EDGES"
      )
      WHERE
        "ID1" <> "ID2" OR "ID1_TYPE" <> "ID2_TYPE"
    ) AS "ALL_ENDS"
  ) AS "E"
  WHERE
    "SIGHTING" = 1
  GROUP BY
    "ID",
    "ID_TYPE"
) AS "N"
  ON "N"."ID" = "I"."ID" AND "N"."ID_TYPE" = "I"."ID_TYPE"
LEFT JOIN (
  WITH "ENDS" AS (
    SELECT
      *,
      RANK() OVER (PARTITION BY "ID", "ID_TYPE", "OTHER", "OTHER_TYPE" ORDER BY "FIRST_SEEN_AT") AS "SIGHTING"
    FROM (
      SELECT
        "ID1" AS "ID",
        "ID1_TYPE" AS "ID_TYPE",
        "ID2" AS "OTHER",
        "ID2_TYPE" AS "OTHER_TYPE",
        "SOURCE",
        "FIRST_SEEN_AT"
      FROM "PROFILES"."MATERIAL_USER_GRAPH_1_INTERNAL_EDGES"
      UNION ALL
      SELECT
        "ID2",
        "ID2_TYPE",
        "ID1",
        "ID1_TYPE",
        "SOURCE",
        "FIRST_SEEN_AT"
      FROM "PROFILES"."MATERIAL_USER_GRAPH_1_INTERNAL_EDGES"
      WHERE
        "ID1" <> "ID2" OR "ID1_TYPE" <> "ID2_TYPE"
    ) AS "ALL_ENDS"
    WHERE
      "ID" <> "OTHER" OR "ID_TYPE" <> "OTHER_TYPE"
  ), "NEIGHBOURS" AS (
    SELECT
      "ID",
      "ID_TYPE",
      "OTHER_TYPE",
      "OTHER",
      MIN("FIRST_SEEN_AT") AS "FIRST_SEEN_AT",
      ARRAY_AGG(DISTINCT IFF("SIGHTING" = 1, "SOURCE", NULL)) WITHIN GROUP (ORDER BY
        IFF("SIGHTING" = 1, "SOURCE", NULL)) AS "FIRST_SEEN_SOURCE_MODEL"
    FROM "ENDS"
    GROUP BY
      "ID",
      "ID_TYPE",
      "OTHER_TYPE",
      "OTHER"
  ), "LISTS" AS (
    SELECT
      "ID",
      "ID_TYPE",
      "OTHER_TYPE",
      COUNT(*) AS "COUNT",
      ARRAY_AGG(
        OBJECT_CONSTRUCT_KEEP_NULL(
          'id',
          "OTHER",
          'first_seen_at',
          "FIRST_SEEN_AT",
          'first_seen_source_model',
          "FIRST_SEEN_SOURCE_MODEL"
        )
      ) WITHIN GROUP (ORDER BY
        "OTHER") AS "EDGES"
    FROM "NEIGHBOURS"
    GROUP BY
      "ID",
      "ID_TYPE",
      "OTHER_TYPE"
  ), "ORIGINS" AS (
    SELECT
      "ID",
      "ID_TYPE",
      "OTHER_TYPE",
      ARRAY_AGG(DISTINCT "SOURCE") WITHIN GROUP (ORDER BY
        "SOURCE") AS "SOURCES"
    FROM "ENDS"
    GROUP BY
      "ID",
      "ID_TYPE",
      "OTHER_TYPE"
  ), "CAPS" AS (
    SELECT
      "ID",
      "ID_TYPE",
      "OTHER_TYPE",
      ARRAY_AGG(
        OBJECT_CONSTRUCT_KEEP_NULL(
          'id',
          "OTHER",
          'reason',
          "REASON",
          'rule_details',
          PARSE_JSON(CAST("RULE_DETAILS" AS VARCHAR))
        )
      ) WITHIN GROUP (ORDER BY
        "OTHER") AS "CARDINALITY_INFO"
    FROM (
      SELECT
        '' AS "ID",
        '' AS "ID_TYPE",
        '' AS "OTHER",
        '' AS "OTHER_TYPE",
        '' AS "REASON",
        '{}' AS "RULE_DETAILS"
      WHERE
        FALSE
    ) AS "R"
    GROUP BY
      "ID",
      "ID_TYPE",
      "OTHER_TYPE"
  ), "TYPES" AS (
    SELECT
      "ID",
      "ID_TYPE",
      "OTHER_TYPE"
    FROM "LISTS"
    UNION
    SELECT
      "ID",
      "ID_TYPE",
      "OTHER_TYPE"
    FROM "CAPS"
  )
  SELECT
    "T"."ID",
    "T"."ID_TYPE",
    TO_VARIANT(
      ARRAYS_TO_OBJECT(
        ARRAY_AGG("T"."OTHER_TYPE") WITHIN GROUP (ORDER BY
          "T"."OTHER_TYPE"),
        ARRAY_AGG(
          OBJECT_CONSTRUCT_KEEP_NULL(
            'count',
            COALESCE("L"."COUNT", 0),
            'edges',
            COALESCE("L"."EDGES", CAST(PARSE_JSON('[]') AS ARRAY)),
            'sources',
            COALESCE("O"."SOURCES", CAST(PARSE_JSON('[]') AS ARRAY)),
            'cardinality_info',
            COALESCE("C"."CARDINALITY_INFO", CAST(PARSE_JSON('[]') AS ARRAY))
          )
        ) WITHIN GROUP (ORDER BY
          "T"."OTHER_TYPE")
      )
    ) AS "EDGES_BY_TYPE"
  FROM "TYPES" AS "T"
  LEFT JOIN "LISTS" AS "L"
    ON "L"."ID" = "T"."ID"
    AND "L"."ID_TYPE" = "T"."ID_TYPE"
    AND "L"."OTHER_TYPE" = "T"."OTHER_TYPE"
  LEFT JOIN "ORIGINS" AS "O"
    ON "O"."ID" = "T"."ID"
    AND "O"."ID_TYPE" = "T"."ID_TYPE"
    AND "O"."OTHER_TYPE" = "T"."OTHER_TYPE"
  LEFT JOIN "CAPS" AS "C"
    ON "C"."ID" = "T"."ID"
    AND "C"."ID_TYPE" = "T"."ID_TYPE"
    AND "C"."OTHER_TYPE" = "T"."OTHER_TYPE"
  GROUP BY
    "T"."ID",
    "T"."ID_TYPE"
) AS "D"
  ON "D"."ID" = "I"."ID" AND "D"."ID_TYPE" = "I"."ID_TYPE";

-- 8. main id of each id
CREATE OR REPLACE TRANSIENT TABLE "PROFILES"."MATERIAL_USER_GRAPH_1_MAPPINGS"
DATA_RETENTION_TIME_IN_DAYS=0 AS
SELECT
  "F".*,
  "M"."METADATA"
FROM (
  WITH "LABELLED" AS (
    SELECT
      "N"."ID",
      "N"."ID_TYPE",
      "N"."FIRST_SEEN_AT",
      "N"."LAST_SEEN_AT",
      "C"."COMPONENT",
      COALESCE("N"."FIRST_SEEN_AT", CAST('9999-12-31 00:00:00' AS TIMESTAMPNTZ)) AS "SEEN_FROM"
    FROM "MATERIAL_USER_GRAPH_1_NODES" AS "N"
    JOIN "MATERIAL_USER_GRAPH_1_COMPONENTS" AS "C"
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
    ON "NAMED"."COMPONENT" = "L"."COMPONENT"
) AS "F"
JOIN "MATERIAL_USER_GRAPH_1_METADATA" AS "M"
  ON "M"."ID" = "F"."OTHER_ID" AND "M"."ID_TYPE" = "F"."OTHER_ID_TYPE";

-- 9. id graph
CREATE OR REPLACE VIEW "PROFILES"."MATERIAL_USER_GRAPH_1" AS
SELECT
  "MAIN_ID" AS "USER_MAIN_ID",
  "OTHER_ID",
  "OTHER_ID_TYPE",
  "VALID_AT",
  "FIRST_SEEN_AT",
  "METADATA"
FROM "PROFILES"."MATERIAL_USER_GRAPH_1_MAPPINGS";
