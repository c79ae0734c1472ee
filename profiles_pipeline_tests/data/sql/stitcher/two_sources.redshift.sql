-- models/ids
-- Material_ids_1, as of 2024-02-01 00:00:00 UTC

-- 1. ids seen together in inputs/list
DROP TABLE IF EXISTS "material_ids_1_tuples_0" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_tuples_0" AS
WITH "rows" AS (
  SELECT
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
    END AS "id_0",
    CAST(NULL AS TIMESTAMP) AS "occurred_at"
  FROM (
    SELECT
      *
    FROM "shop"."list"
  ) AS "source_rows"
)
SELECT
  "id_0",
  MIN("occurred_at") AS "first_seen_at",
  MAX("occurred_at") AS "last_seen_at",
  COUNT(*) AS "row_count"
FROM "rows"
WHERE
  NOT "id_0" IS NULL
GROUP BY
  "id_0";

-- 2. ids seen together in inputs/orders
DROP TABLE IF EXISTS "material_ids_1_tuples_1" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_tuples_1" AS
WITH "rows" AS (
  SELECT
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
    END AS "id_0",
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
    END AS "id_1",
    CAST(CAST(CAST("ts" AS VARCHAR(MAX)) AS TIMESTAMP WITH TIME ZONE) AS TIMESTAMP) AS "occurred_at"
  FROM (
    SELECT
      *
    FROM "shop"."orders"
    WHERE
      CAST(CAST(CAST("ts" AS VARCHAR(MAX)) AS TIMESTAMP WITH TIME ZONE) AS TIMESTAMP) < CAST('2024-02-01 00:00:00' AS TIMESTAMP)
      OR "ts" IS NULL
  ) AS "source_rows"
)
SELECT
  "id_0",
  "id_1",
  MIN("occurred_at") AS "first_seen_at",
  MAX("occurred_at") AS "last_seen_at",
  COUNT(*) AS "row_count"
FROM "rows"
WHERE
  NOT "id_0" IS NULL OR NOT "id_1" IS NULL
GROUP BY
  "id_0",
  "id_1";

-- 3. distinct edges
DROP TABLE IF EXISTS "profiles"."material_ids_1_internal_edges" CASCADE;
CREATE TABLE "profiles"."material_ids_1_internal_edges" AS
SELECT
  "id_0" AS "id1",
  'email' AS "id1_type",
  "id_0" AS "id2",
  'email' AS "id2_type",
  'inputs/list' AS "source",
  "first_seen_at",
  "last_seen_at",
  "row_count"
FROM "material_ids_1_tuples_0"
WHERE
  NOT "id_0" IS NULL
UNION ALL
SELECT
  "id_1" AS "id1",
  'email' AS "id1_type",
  "id_0" AS "id2",
  'user_id' AS "id2_type",
  'inputs/orders' AS "source",
  "first_seen_at",
  "last_seen_at",
  "row_count"
FROM "material_ids_1_tuples_1"
WHERE
  NOT "id_1" IS NULL AND NOT "id_0" IS NULL
UNION ALL
SELECT
  "id_0" AS "id1",
  'user_id' AS "id1_type",
  "id_0" AS "id2",
  'user_id' AS "id2_type",
  'inputs/orders' AS "source",
  "first_seen_at",
  "last_seen_at",
  "row_count"
FROM "material_ids_1_tuples_1"
WHERE
  NOT "id_0" IS NULL AND "id_1" IS NULL
UNION ALL
SELECT
  "id_1" AS "id1",
  'email' AS "id1_type",
  "id_1" AS "id2",
  'email' AS "id2_type",
  'inputs/orders' AS "source",
  "first_seen_at",
  "last_seen_at",
  "row_count"
FROM "material_ids_1_tuples_1"
WHERE
  NOT "id_1" IS NULL AND "id_0" IS NULL;

-- 4. distinct ids, numbered
DROP TABLE IF EXISTS "material_ids_1_nodes" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_nodes" AS
WITH "ends" AS (
  SELECT
    "id1" AS "id",
    "id1_type" AS "id_type",
    "first_seen_at",
    "last_seen_at"
  FROM "profiles"."material_ids_1_internal_edges"
  UNION ALL
  SELECT
    "id2",
    "id2_type",
    "first_seen_at",
    "last_seen_at"
  FROM "profiles"."material_ids_1_internal_edges"
), "ids" AS (
  SELECT
    "id",
    "id_type",
    MIN("first_seen_at") AS "first_seen_at",
    MAX("last_seen_at") AS "last_seen_at"
  FROM "ends"
  GROUP BY
    "id",
    "id_type"
)
SELECT
  ROW_NUMBER() OVER () - 1 AS "node",
  "id",
  "id_type",
  "first_seen_at",
  "last_seen_at"
FROM "ids";

-- 5. connected components
-- makes Material_ids_1_components (node, component) in rounds that contract the graph, until no edge is left.
-- This is the first; each further one says the same of further tables, with other numbers in its maps.
DROP TABLE IF EXISTS "material_ids_1_components_edges_0" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_edges_0" AS
SELECT DISTINCT
  GREATEST("one", "other") AS "high",
  LEAST("one", "other") AS "low"
FROM (
  SELECT
    CAST((
      CAST(1944846389 AS BIGINT) * CAST("a" AS BIGINT) + CAST(1552200962 AS BIGINT)
    ) % CAST(2147483647 AS BIGINT) AS BIGINT) AS "one",
    CAST((
      CAST(1944846389 AS BIGINT) * CAST("b" AS BIGINT) + CAST(1552200962 AS BIGINT)
    ) % CAST(2147483647 AS BIGINT) AS BIGINT) AS "other"
  FROM (
    SELECT
      "one"."node" AS "a",
      "two"."node" AS "b"
    FROM "profiles"."material_ids_1_internal_edges" AS "e"
    JOIN "material_ids_1_nodes" AS "one"
      ON "one"."id" = "e"."id1" AND "one"."id_type" = "e"."id1_type"
    JOIN "material_ids_1_nodes" AS "two"
      ON "two"."id" = "e"."id2" AND "two"."id_type" = "e"."id2_type"
    WHERE
      "one"."node" <> "two"."node"
  ) AS "e"
  WHERE
    "a" <> "b"
) AS "moved";
-- where this is not 0, another round follows:
SELECT
  COUNT(*)
FROM "material_ids_1_components_edges_0";
DROP TABLE IF EXISTS "material_ids_1_components_pointers_0_0" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_pointers_0_0" AS
SELECT
  "node",
  MIN("target") AS "target"
FROM (
  SELECT
    "high" AS "node",
    "low" AS "target"
  FROM "material_ids_1_components_edges_0" AS "e"
  UNION ALL
  SELECT
    "low",
    "low"
  FROM "material_ids_1_components_edges_0" AS "e"
) AS "near"
GROUP BY
  "node";
-- where this is not 0, another jump follows:
SELECT
  COUNT(*)
FROM "material_ids_1_components_pointers_0_0" AS "p"
JOIN "material_ids_1_components_pointers_0_0" AS "q"
  ON "q"."node" = "p"."target"
WHERE
  "q"."target" <> "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_pointers_0_1" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_pointers_0_1" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_pointers_0_0" AS "p"
JOIN "material_ids_1_components_pointers_0_0" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE "material_ids_1_components_pointers_0_0";
-- where this is not 0, another jump follows:
SELECT
  COUNT(*)
FROM "material_ids_1_components_pointers_0_1" AS "p"
JOIN "material_ids_1_components_pointers_0_1" AS "q"
  ON "q"."node" = "p"."target"
WHERE
  "q"."target" <> "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_edges_1" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_edges_1" AS
SELECT DISTINCT
  GREATEST("one", "other") AS "high",
  LEAST("one", "other") AS "low"
FROM (
  SELECT
    CAST((
      CAST(1 AS BIGINT) * CAST("x" AS BIGINT) + CAST(0 AS BIGINT)
    ) % CAST(2147483647 AS BIGINT) AS BIGINT) AS "one",
    CAST((
      CAST(1 AS BIGINT) * CAST("y" AS BIGINT) + CAST(0 AS BIGINT)
    ) % CAST(2147483647 AS BIGINT) AS BIGINT) AS "other"
  FROM (
    SELECT
      "p"."target" AS "x",
      "q"."target" AS "y"
    FROM "material_ids_1_components_edges_0" AS "e"
    JOIN "material_ids_1_components_pointers_0_1" AS "p"
      ON "p"."node" = "e"."high"
    JOIN "material_ids_1_components_pointers_0_1" AS "q"
      ON "q"."node" = "e"."low"
  ) AS "e"
  WHERE
    "x" <> "y"
) AS "moved";
DROP TABLE "material_ids_1_components_edges_0";
-- where this is not 0, another round follows:
SELECT
  COUNT(*)
FROM "material_ids_1_components_edges_1";
DROP TABLE "material_ids_1_components_edges_1";
DROP TABLE IF EXISTS "material_ids_1_components_roots_0" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_roots_0" AS
SELECT
  "p"."node",
  CAST((
    CAST(169106526 AS BIGINT) * CAST("p"."target" AS BIGINT) + CAST(382188448 AS BIGINT)
  ) % CAST(2147483647 AS BIGINT) AS BIGINT) AS "root"
FROM "material_ids_1_components_pointers_0_1" AS "p";
DROP TABLE "material_ids_1_components_pointers_0_1";
DROP TABLE IF EXISTS "material_ids_1_components" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components" AS
SELECT
  "n"."node",
  COALESCE("r"."root", "n"."node") AS "component"
FROM "material_ids_1_nodes" AS "n"
LEFT JOIN "material_ids_1_components_roots_0" AS "r"
  ON "r"."node" = CAST((
    CAST(1944846389 AS BIGINT) * CAST("n"."node" AS BIGINT) + CAST(1552200962 AS BIGINT)
  ) % CAST(2147483647 AS BIGINT) AS BIGINT);
DROP TABLE "material_ids_1_components_roots_0";

-- 6. main id of each id
DROP TABLE IF EXISTS "profiles"."material_ids_1_mappings" CASCADE;
CREATE TABLE "profiles"."material_ids_1_mappings" AS
WITH "labelled" AS (
  SELECT
    "n"."id",
    "n"."id_type",
    "n"."first_seen_at",
    "n"."last_seen_at",
    "c"."component",
    COALESCE("n"."first_seen_at", CAST('9999-12-31 00:00:00' AS TIMESTAMP)) AS "seen_from"
  FROM "material_ids_1_nodes" AS "n"
  JOIN "material_ids_1_components" AS "c"
    ON "c"."node" = "n"."node"
), "eldest" AS (
  SELECT
    "component",
    MIN("seen_from") AS "seen_from"
  FROM "labelled"
  GROUP BY
    "component"
), "named" AS (
  SELECT
    "l"."component",
    MIN(
      'rid' || SUBSTRING(
        SHA(
          SUBSTRING(SHA('fe971b24-9572-4005-b22f-351e9c09274d' || "l"."id"), 1, 32) || "l"."id_type"
        ),
        1,
        32
      )
    ) AS "main_id"
  FROM "labelled" AS "l"
  JOIN "eldest" AS "e"
    ON "e"."component" = "l"."component" AND "e"."seen_from" = "l"."seen_from"
  GROUP BY
    "l"."component"
)
SELECT
  "named"."main_id",
  "l"."id" AS "other_id",
  "l"."id_type" AS "other_id_type",
  "l"."last_seen_at" AS "valid_at",
  "l"."first_seen_at",
  "l"."component"
FROM "labelled" AS "l"
JOIN "named"
  ON "named"."component" = "l"."component";

-- 7. id graph
DROP VIEW IF EXISTS "profiles"."material_ids_1" CASCADE;
CREATE VIEW "profiles"."material_ids_1" AS
SELECT
  "main_id" AS "user_main_id",
  "other_id",
  "other_id_type",
  "valid_at",
  "first_seen_at"
FROM "profiles"."material_ids_1_mappings";
