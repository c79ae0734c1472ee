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
-- fails where there are more nodes than numbers to tell them apart:
SELECT
  CAST(1 AS DOUBLE PRECISION) / CASE WHEN COUNT(*) < 2147483647 THEN 1 ELSE 0 END AS "holds"
FROM "material_ids_1_nodes" AS "t";
DROP TABLE IF EXISTS "material_ids_1_components_map" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_map" AS
SELECT
  CAST(CAST(1103515245 AS BIGINT) AS BIGINT) AS "factor",
  CAST(CAST(12345 AS BIGINT) AS BIGINT) AS "shift";
DROP TABLE IF EXISTS "material_ids_1_components_edges" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_edges" AS
SELECT DISTINCT
  GREATEST("x", "y") AS "high",
  LEAST("x", "y") AS "low"
FROM (
  SELECT
    (
      "m"."factor" * CAST("e"."a" AS BIGINT) + "m"."shift"
    ) % CAST(2147483647 AS BIGINT) AS "x",
    (
      "m"."factor" * CAST("e"."b" AS BIGINT) + "m"."shift"
    ) % CAST(2147483647 AS BIGINT) AS "y"
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
  CROSS JOIN "material_ids_1_components_map" AS "m"
  WHERE
    "e"."a" <> "e"."b"
) AS "ends";
DROP TABLE IF EXISTS "material_ids_1_components_roots" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_roots" AS
SELECT
  "n"."node",
  (
    "m"."factor" * CAST("n"."node" AS BIGINT) + "m"."shift"
  ) % CAST(2147483647 AS BIGINT) AS "root"
FROM "material_ids_1_nodes" AS "n"
CROSS JOIN "material_ids_1_components_map" AS "m";
-- there are no loops here: the same 8 times, by which few graphs are not done
-- 1 of 8:
DROP TABLE IF EXISTS "material_ids_1_components_pointers" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_pointers" AS
SELECT
  "node",
  MIN("target") AS "target"
FROM (
  SELECT
    "high" AS "node",
    "low" AS "target"
  FROM "material_ids_1_components_edges" AS "e"
  UNION ALL
  SELECT
    "low",
    "low"
  FROM "material_ids_1_components_edges" AS "e"
) AS "near"
GROUP BY
  "node";
DROP TABLE IF EXISTS "material_ids_1_components_followed" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_pointers" AS "p"
JOIN "material_ids_1_components_pointers" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_followed_twice" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed_twice" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_followed" AS "p"
JOIN "material_ids_1_components_followed" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_map_then" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_map_then" AS
SELECT
  "m"."factor",
  "m"."shift"
FROM "material_ids_1_components_map" AS "m";
DROP TABLE IF EXISTS "material_ids_1_components_roots_then" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_roots_then" AS
SELECT
  "r"."node",
  COALESCE("p"."target", "r"."root") AS "root"
FROM "material_ids_1_components_roots" AS "r"
CROSS JOIN "material_ids_1_components_map_then" AS "m"
LEFT JOIN "material_ids_1_components_followed_twice" AS "p"
  ON "p"."node" = "r"."root";
DROP TABLE IF EXISTS "material_ids_1_components_edges_then" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_edges_then" AS
SELECT DISTINCT
  GREATEST("x", "y") AS "high",
  LEAST("x", "y") AS "low"
FROM (
  SELECT
    "p"."target" AS "x",
    "q"."target" AS "y"
  FROM "material_ids_1_components_edges" AS "e"
  CROSS JOIN "material_ids_1_components_map_then" AS "m"
  JOIN "material_ids_1_components_followed_twice" AS "p"
    ON "p"."node" = "e"."high"
  JOIN "material_ids_1_components_followed_twice" AS "q"
    ON "q"."node" = "e"."low"
  WHERE
    "p"."target" <> "q"."target"
) AS "ends";
DROP TABLE IF EXISTS "material_ids_1_components_pointers" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_pointers" AS
SELECT
  "node",
  MIN("target") AS "target"
FROM (
  SELECT
    "high" AS "node",
    "low" AS "target"
  FROM "material_ids_1_components_edges_then" AS "e"
  UNION ALL
  SELECT
    "low",
    "low"
  FROM "material_ids_1_components_edges_then" AS "e"
) AS "near"
GROUP BY
  "node";
DROP TABLE IF EXISTS "material_ids_1_components_followed" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_pointers" AS "p"
JOIN "material_ids_1_components_pointers" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_followed_twice" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed_twice" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_followed" AS "p"
JOIN "material_ids_1_components_followed" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_map" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_map" AS
SELECT
  (
    "m"."factor" * CAST(48271 AS BIGINT) + CAST(0 AS BIGINT)
  ) % CAST(2147483647 AS BIGINT) AS "factor",
  (
    "m"."shift" * CAST(48271 AS BIGINT) + CAST(1 AS BIGINT)
  ) % CAST(2147483647 AS BIGINT) AS "shift"
FROM "material_ids_1_components_map_then" AS "m";
DROP TABLE IF EXISTS "material_ids_1_components_roots" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_roots" AS
SELECT
  "r"."node",
  (
    "m"."factor" * CAST(COALESCE("p"."target", "r"."root") AS BIGINT) + "m"."shift"
  ) % CAST(2147483647 AS BIGINT) AS "root"
FROM "material_ids_1_components_roots_then" AS "r"
CROSS JOIN "material_ids_1_components_map" AS "m"
LEFT JOIN "material_ids_1_components_followed_twice" AS "p"
  ON "p"."node" = "r"."root";
DROP TABLE IF EXISTS "material_ids_1_components_edges" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_edges" AS
SELECT DISTINCT
  GREATEST("x", "y") AS "high",
  LEAST("x", "y") AS "low"
FROM (
  SELECT
    (
      "m"."factor" * CAST("p"."target" AS BIGINT) + "m"."shift"
    ) % CAST(2147483647 AS BIGINT) AS "x",
    (
      "m"."factor" * CAST("q"."target" AS BIGINT) + "m"."shift"
    ) % CAST(2147483647 AS BIGINT) AS "y"
  FROM "material_ids_1_components_edges_then" AS "e"
  CROSS JOIN "material_ids_1_components_map" AS "m"
  JOIN "material_ids_1_components_followed_twice" AS "p"
    ON "p"."node" = "e"."high"
  JOIN "material_ids_1_components_followed_twice" AS "q"
    ON "q"."node" = "e"."low"
  WHERE
    "p"."target" <> "q"."target"
) AS "ends";
-- 2 of 8:
DROP TABLE IF EXISTS "material_ids_1_components_pointers" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_pointers" AS
SELECT
  "node",
  MIN("target") AS "target"
FROM (
  SELECT
    "high" AS "node",
    "low" AS "target"
  FROM "material_ids_1_components_edges" AS "e"
  UNION ALL
  SELECT
    "low",
    "low"
  FROM "material_ids_1_components_edges" AS "e"
) AS "near"
GROUP BY
  "node";
DROP TABLE IF EXISTS "material_ids_1_components_followed" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_pointers" AS "p"
JOIN "material_ids_1_components_pointers" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_followed_twice" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed_twice" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_followed" AS "p"
JOIN "material_ids_1_components_followed" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_map_then" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_map_then" AS
SELECT
  "m"."factor",
  "m"."shift"
FROM "material_ids_1_components_map" AS "m";
DROP TABLE IF EXISTS "material_ids_1_components_roots_then" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_roots_then" AS
SELECT
  "r"."node",
  COALESCE("p"."target", "r"."root") AS "root"
FROM "material_ids_1_components_roots" AS "r"
CROSS JOIN "material_ids_1_components_map_then" AS "m"
LEFT JOIN "material_ids_1_components_followed_twice" AS "p"
  ON "p"."node" = "r"."root";
DROP TABLE IF EXISTS "material_ids_1_components_edges_then" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_edges_then" AS
SELECT DISTINCT
  GREATEST("x", "y") AS "high",
  LEAST("x", "y") AS "low"
FROM (
  SELECT
    "p"."target" AS "x",
    "q"."target" AS "y"
  FROM "material_ids_1_components_edges" AS "e"
  CROSS JOIN "material_ids_1_components_map_then" AS "m"
  JOIN "material_ids_1_components_followed_twice" AS "p"
    ON "p"."node" = "e"."high"
  JOIN "material_ids_1_components_followed_twice" AS "q"
    ON "q"."node" = "e"."low"
  WHERE
    "p"."target" <> "q"."target"
) AS "ends";
DROP TABLE IF EXISTS "material_ids_1_components_pointers" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_pointers" AS
SELECT
  "node",
  MIN("target") AS "target"
FROM (
  SELECT
    "high" AS "node",
    "low" AS "target"
  FROM "material_ids_1_components_edges_then" AS "e"
  UNION ALL
  SELECT
    "low",
    "low"
  FROM "material_ids_1_components_edges_then" AS "e"
) AS "near"
GROUP BY
  "node";
DROP TABLE IF EXISTS "material_ids_1_components_followed" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_pointers" AS "p"
JOIN "material_ids_1_components_pointers" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_followed_twice" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed_twice" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_followed" AS "p"
JOIN "material_ids_1_components_followed" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_map" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_map" AS
SELECT
  (
    "m"."factor" * CAST(48271 AS BIGINT) + CAST(0 AS BIGINT)
  ) % CAST(2147483647 AS BIGINT) AS "factor",
  (
    "m"."shift" * CAST(48271 AS BIGINT) + CAST(1 AS BIGINT)
  ) % CAST(2147483647 AS BIGINT) AS "shift"
FROM "material_ids_1_components_map_then" AS "m";
DROP TABLE IF EXISTS "material_ids_1_components_roots" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_roots" AS
SELECT
  "r"."node",
  (
    "m"."factor" * CAST(COALESCE("p"."target", "r"."root") AS BIGINT) + "m"."shift"
  ) % CAST(2147483647 AS BIGINT) AS "root"
FROM "material_ids_1_components_roots_then" AS "r"
CROSS JOIN "material_ids_1_components_map" AS "m"
LEFT JOIN "material_ids_1_components_followed_twice" AS "p"
  ON "p"."node" = "r"."root";
DROP TABLE IF EXISTS "material_ids_1_components_edges" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_edges" AS
SELECT DISTINCT
  GREATEST("x", "y") AS "high",
  LEAST("x", "y") AS "low"
FROM (
  SELECT
    (
      "m"."factor" * CAST("p"."target" AS BIGINT) + "m"."shift"
    ) % CAST(2147483647 AS BIGINT) AS "x",
    (
      "m"."factor" * CAST("q"."target" AS BIGINT) + "m"."shift"
    ) % CAST(2147483647 AS BIGINT) AS "y"
  FROM "material_ids_1_components_edges_then" AS "e"
  CROSS JOIN "material_ids_1_components_map" AS "m"
  JOIN "material_ids_1_components_followed_twice" AS "p"
    ON "p"."node" = "e"."high"
  JOIN "material_ids_1_components_followed_twice" AS "q"
    ON "q"."node" = "e"."low"
  WHERE
    "p"."target" <> "q"."target"
) AS "ends";
-- 3 of 8:
DROP TABLE IF EXISTS "material_ids_1_components_pointers" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_pointers" AS
SELECT
  "node",
  MIN("target") AS "target"
FROM (
  SELECT
    "high" AS "node",
    "low" AS "target"
  FROM "material_ids_1_components_edges" AS "e"
  UNION ALL
  SELECT
    "low",
    "low"
  FROM "material_ids_1_components_edges" AS "e"
) AS "near"
GROUP BY
  "node";
DROP TABLE IF EXISTS "material_ids_1_components_followed" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_pointers" AS "p"
JOIN "material_ids_1_components_pointers" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_followed_twice" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed_twice" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_followed" AS "p"
JOIN "material_ids_1_components_followed" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_map_then" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_map_then" AS
SELECT
  "m"."factor",
  "m"."shift"
FROM "material_ids_1_components_map" AS "m";
DROP TABLE IF EXISTS "material_ids_1_components_roots_then" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_roots_then" AS
SELECT
  "r"."node",
  COALESCE("p"."target", "r"."root") AS "root"
FROM "material_ids_1_components_roots" AS "r"
CROSS JOIN "material_ids_1_components_map_then" AS "m"
LEFT JOIN "material_ids_1_components_followed_twice" AS "p"
  ON "p"."node" = "r"."root";
DROP TABLE IF EXISTS "material_ids_1_components_edges_then" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_edges_then" AS
SELECT DISTINCT
  GREATEST("x", "y") AS "high",
  LEAST("x", "y") AS "low"
FROM (
  SELECT
    "p"."target" AS "x",
    "q"."target" AS "y"
  FROM "material_ids_1_components_edges" AS "e"
  CROSS JOIN "material_ids_1_components_map_then" AS "m"
  JOIN "material_ids_1_components_followed_twice" AS "p"
    ON "p"."node" = "e"."high"
  JOIN "material_ids_1_components_followed_twice" AS "q"
    ON "q"."node" = "e"."low"
  WHERE
    "p"."target" <> "q"."target"
) AS "ends";
DROP TABLE IF EXISTS "material_ids_1_components_pointers" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_pointers" AS
SELECT
  "node",
  MIN("target") AS "target"
FROM (
  SELECT
    "high" AS "node",
    "low" AS "target"
  FROM "material_ids_1_components_edges_then" AS "e"
  UNION ALL
  SELECT
    "low",
    "low"
  FROM "material_ids_1_components_edges_then" AS "e"
) AS "near"
GROUP BY
  "node";
DROP TABLE IF EXISTS "material_ids_1_components_followed" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_pointers" AS "p"
JOIN "material_ids_1_components_pointers" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_followed_twice" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed_twice" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_followed" AS "p"
JOIN "material_ids_1_components_followed" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_map" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_map" AS
SELECT
  (
    "m"."factor" * CAST(48271 AS BIGINT) + CAST(0 AS BIGINT)
  ) % CAST(2147483647 AS BIGINT) AS "factor",
  (
    "m"."shift" * CAST(48271 AS BIGINT) + CAST(1 AS BIGINT)
  ) % CAST(2147483647 AS BIGINT) AS "shift"
FROM "material_ids_1_components_map_then" AS "m";
DROP TABLE IF EXISTS "material_ids_1_components_roots" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_roots" AS
SELECT
  "r"."node",
  (
    "m"."factor" * CAST(COALESCE("p"."target", "r"."root") AS BIGINT) + "m"."shift"
  ) % CAST(2147483647 AS BIGINT) AS "root"
FROM "material_ids_1_components_roots_then" AS "r"
CROSS JOIN "material_ids_1_components_map" AS "m"
LEFT JOIN "material_ids_1_components_followed_twice" AS "p"
  ON "p"."node" = "r"."root";
DROP TABLE IF EXISTS "material_ids_1_components_edges" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_edges" AS
SELECT DISTINCT
  GREATEST("x", "y") AS "high",
  LEAST("x", "y") AS "low"
FROM (
  SELECT
    (
      "m"."factor" * CAST("p"."target" AS BIGINT) + "m"."shift"
    ) % CAST(2147483647 AS BIGINT) AS "x",
    (
      "m"."factor" * CAST("q"."target" AS BIGINT) + "m"."shift"
    ) % CAST(2147483647 AS BIGINT) AS "y"
  FROM "material_ids_1_components_edges_then" AS "e"
  CROSS JOIN "material_ids_1_components_map" AS "m"
  JOIN "material_ids_1_components_followed_twice" AS "p"
    ON "p"."node" = "e"."high"
  JOIN "material_ids_1_components_followed_twice" AS "q"
    ON "q"."node" = "e"."low"
  WHERE
    "p"."target" <> "q"."target"
) AS "ends";
-- 4 of 8:
DROP TABLE IF EXISTS "material_ids_1_components_pointers" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_pointers" AS
SELECT
  "node",
  MIN("target") AS "target"
FROM (
  SELECT
    "high" AS "node",
    "low" AS "target"
  FROM "material_ids_1_components_edges" AS "e"
  UNION ALL
  SELECT
    "low",
    "low"
  FROM "material_ids_1_components_edges" AS "e"
) AS "near"
GROUP BY
  "node";
DROP TABLE IF EXISTS "material_ids_1_components_followed" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_pointers" AS "p"
JOIN "material_ids_1_components_pointers" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_followed_twice" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed_twice" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_followed" AS "p"
JOIN "material_ids_1_components_followed" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_map_then" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_map_then" AS
SELECT
  "m"."factor",
  "m"."shift"
FROM "material_ids_1_components_map" AS "m";
DROP TABLE IF EXISTS "material_ids_1_components_roots_then" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_roots_then" AS
SELECT
  "r"."node",
  COALESCE("p"."target", "r"."root") AS "root"
FROM "material_ids_1_components_roots" AS "r"
CROSS JOIN "material_ids_1_components_map_then" AS "m"
LEFT JOIN "material_ids_1_components_followed_twice" AS "p"
  ON "p"."node" = "r"."root";
DROP TABLE IF EXISTS "material_ids_1_components_edges_then" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_edges_then" AS
SELECT DISTINCT
  GREATEST("x", "y") AS "high",
  LEAST("x", "y") AS "low"
FROM (
  SELECT
    "p"."target" AS "x",
    "q"."target" AS "y"
  FROM "material_ids_1_components_edges" AS "e"
  CROSS JOIN "material_ids_1_components_map_then" AS "m"
  JOIN "material_ids_1_components_followed_twice" AS "p"
    ON "p"."node" = "e"."high"
  JOIN "material_ids_1_components_followed_twice" AS "q"
    ON "q"."node" = "e"."low"
  WHERE
    "p"."target" <> "q"."target"
) AS "ends";
DROP TABLE IF EXISTS "material_ids_1_components_pointers" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_pointers" AS
SELECT
  "node",
  MIN("target") AS "target"
FROM (
  SELECT
    "high" AS "node",
    "low" AS "target"
  FROM "material_ids_1_components_edges_then" AS "e"
  UNION ALL
  SELECT
    "low",
    "low"
  FROM "material_ids_1_components_edges_then" AS "e"
) AS "near"
GROUP BY
  "node";
DROP TABLE IF EXISTS "material_ids_1_components_followed" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_pointers" AS "p"
JOIN "material_ids_1_components_pointers" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_followed_twice" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed_twice" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_followed" AS "p"
JOIN "material_ids_1_components_followed" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_map" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_map" AS
SELECT
  (
    "m"."factor" * CAST(48271 AS BIGINT) + CAST(0 AS BIGINT)
  ) % CAST(2147483647 AS BIGINT) AS "factor",
  (
    "m"."shift" * CAST(48271 AS BIGINT) + CAST(1 AS BIGINT)
  ) % CAST(2147483647 AS BIGINT) AS "shift"
FROM "material_ids_1_components_map_then" AS "m";
DROP TABLE IF EXISTS "material_ids_1_components_roots" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_roots" AS
SELECT
  "r"."node",
  (
    "m"."factor" * CAST(COALESCE("p"."target", "r"."root") AS BIGINT) + "m"."shift"
  ) % CAST(2147483647 AS BIGINT) AS "root"
FROM "material_ids_1_components_roots_then" AS "r"
CROSS JOIN "material_ids_1_components_map" AS "m"
LEFT JOIN "material_ids_1_components_followed_twice" AS "p"
  ON "p"."node" = "r"."root";
DROP TABLE IF EXISTS "material_ids_1_components_edges" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_edges" AS
SELECT DISTINCT
  GREATEST("x", "y") AS "high",
  LEAST("x", "y") AS "low"
FROM (
  SELECT
    (
      "m"."factor" * CAST("p"."target" AS BIGINT) + "m"."shift"
    ) % CAST(2147483647 AS BIGINT) AS "x",
    (
      "m"."factor" * CAST("q"."target" AS BIGINT) + "m"."shift"
    ) % CAST(2147483647 AS BIGINT) AS "y"
  FROM "material_ids_1_components_edges_then" AS "e"
  CROSS JOIN "material_ids_1_components_map" AS "m"
  JOIN "material_ids_1_components_followed_twice" AS "p"
    ON "p"."node" = "e"."high"
  JOIN "material_ids_1_components_followed_twice" AS "q"
    ON "q"."node" = "e"."low"
  WHERE
    "p"."target" <> "q"."target"
) AS "ends";
-- 5 of 8:
DROP TABLE IF EXISTS "material_ids_1_components_pointers" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_pointers" AS
SELECT
  "node",
  MIN("target") AS "target"
FROM (
  SELECT
    "high" AS "node",
    "low" AS "target"
  FROM "material_ids_1_components_edges" AS "e"
  UNION ALL
  SELECT
    "low",
    "low"
  FROM "material_ids_1_components_edges" AS "e"
) AS "near"
GROUP BY
  "node";
DROP TABLE IF EXISTS "material_ids_1_components_followed" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_pointers" AS "p"
JOIN "material_ids_1_components_pointers" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_followed_twice" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed_twice" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_followed" AS "p"
JOIN "material_ids_1_components_followed" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_map_then" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_map_then" AS
SELECT
  "m"."factor",
  "m"."shift"
FROM "material_ids_1_components_map" AS "m";
DROP TABLE IF EXISTS "material_ids_1_components_roots_then" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_roots_then" AS
SELECT
  "r"."node",
  COALESCE("p"."target", "r"."root") AS "root"
FROM "material_ids_1_components_roots" AS "r"
CROSS JOIN "material_ids_1_components_map_then" AS "m"
LEFT JOIN "material_ids_1_components_followed_twice" AS "p"
  ON "p"."node" = "r"."root";
DROP TABLE IF EXISTS "material_ids_1_components_edges_then" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_edges_then" AS
SELECT DISTINCT
  GREATEST("x", "y") AS "high",
  LEAST("x", "y") AS "low"
FROM (
  SELECT
    "p"."target" AS "x",
    "q"."target" AS "y"
  FROM "material_ids_1_components_edges" AS "e"
  CROSS JOIN "material_ids_1_components_map_then" AS "m"
  JOIN "material_ids_1_components_followed_twice" AS "p"
    ON "p"."node" = "e"."high"
  JOIN "material_ids_1_components_followed_twice" AS "q"
    ON "q"."node" = "e"."low"
  WHERE
    "p"."target" <> "q"."target"
) AS "ends";
DROP TABLE IF EXISTS "material_ids_1_components_pointers" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_pointers" AS
SELECT
  "node",
  MIN("target") AS "target"
FROM (
  SELECT
    "high" AS "node",
    "low" AS "target"
  FROM "material_ids_1_components_edges_then" AS "e"
  UNION ALL
  SELECT
    "low",
    "low"
  FROM "material_ids_1_components_edges_then" AS "e"
) AS "near"
GROUP BY
  "node";
DROP TABLE IF EXISTS "material_ids_1_components_followed" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_pointers" AS "p"
JOIN "material_ids_1_components_pointers" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_followed_twice" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed_twice" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_followed" AS "p"
JOIN "material_ids_1_components_followed" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_map" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_map" AS
SELECT
  (
    "m"."factor" * CAST(48271 AS BIGINT) + CAST(0 AS BIGINT)
  ) % CAST(2147483647 AS BIGINT) AS "factor",
  (
    "m"."shift" * CAST(48271 AS BIGINT) + CAST(1 AS BIGINT)
  ) % CAST(2147483647 AS BIGINT) AS "shift"
FROM "material_ids_1_components_map_then" AS "m";
DROP TABLE IF EXISTS "material_ids_1_components_roots" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_roots" AS
SELECT
  "r"."node",
  (
    "m"."factor" * CAST(COALESCE("p"."target", "r"."root") AS BIGINT) + "m"."shift"
  ) % CAST(2147483647 AS BIGINT) AS "root"
FROM "material_ids_1_components_roots_then" AS "r"
CROSS JOIN "material_ids_1_components_map" AS "m"
LEFT JOIN "material_ids_1_components_followed_twice" AS "p"
  ON "p"."node" = "r"."root";
DROP TABLE IF EXISTS "material_ids_1_components_edges" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_edges" AS
SELECT DISTINCT
  GREATEST("x", "y") AS "high",
  LEAST("x", "y") AS "low"
FROM (
  SELECT
    (
      "m"."factor" * CAST("p"."target" AS BIGINT) + "m"."shift"
    ) % CAST(2147483647 AS BIGINT) AS "x",
    (
      "m"."factor" * CAST("q"."target" AS BIGINT) + "m"."shift"
    ) % CAST(2147483647 AS BIGINT) AS "y"
  FROM "material_ids_1_components_edges_then" AS "e"
  CROSS JOIN "material_ids_1_components_map" AS "m"
  JOIN "material_ids_1_components_followed_twice" AS "p"
    ON "p"."node" = "e"."high"
  JOIN "material_ids_1_components_followed_twice" AS "q"
    ON "q"."node" = "e"."low"
  WHERE
    "p"."target" <> "q"."target"
) AS "ends";
-- 6 of 8:
DROP TABLE IF EXISTS "material_ids_1_components_pointers" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_pointers" AS
SELECT
  "node",
  MIN("target") AS "target"
FROM (
  SELECT
    "high" AS "node",
    "low" AS "target"
  FROM "material_ids_1_components_edges" AS "e"
  UNION ALL
  SELECT
    "low",
    "low"
  FROM "material_ids_1_components_edges" AS "e"
) AS "near"
GROUP BY
  "node";
DROP TABLE IF EXISTS "material_ids_1_components_followed" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_pointers" AS "p"
JOIN "material_ids_1_components_pointers" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_followed_twice" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed_twice" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_followed" AS "p"
JOIN "material_ids_1_components_followed" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_map_then" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_map_then" AS
SELECT
  "m"."factor",
  "m"."shift"
FROM "material_ids_1_components_map" AS "m";
DROP TABLE IF EXISTS "material_ids_1_components_roots_then" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_roots_then" AS
SELECT
  "r"."node",
  COALESCE("p"."target", "r"."root") AS "root"
FROM "material_ids_1_components_roots" AS "r"
CROSS JOIN "material_ids_1_components_map_then" AS "m"
LEFT JOIN "material_ids_1_components_followed_twice" AS "p"
  ON "p"."node" = "r"."root";
DROP TABLE IF EXISTS "material_ids_1_components_edges_then" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_edges_then" AS
SELECT DISTINCT
  GREATEST("x", "y") AS "high",
  LEAST("x", "y") AS "low"
FROM (
  SELECT
    "p"."target" AS "x",
    "q"."target" AS "y"
  FROM "material_ids_1_components_edges" AS "e"
  CROSS JOIN "material_ids_1_components_map_then" AS "m"
  JOIN "material_ids_1_components_followed_twice" AS "p"
    ON "p"."node" = "e"."high"
  JOIN "material_ids_1_components_followed_twice" AS "q"
    ON "q"."node" = "e"."low"
  WHERE
    "p"."target" <> "q"."target"
) AS "ends";
DROP TABLE IF EXISTS "material_ids_1_components_pointers" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_pointers" AS
SELECT
  "node",
  MIN("target") AS "target"
FROM (
  SELECT
    "high" AS "node",
    "low" AS "target"
  FROM "material_ids_1_components_edges_then" AS "e"
  UNION ALL
  SELECT
    "low",
    "low"
  FROM "material_ids_1_components_edges_then" AS "e"
) AS "near"
GROUP BY
  "node";
DROP TABLE IF EXISTS "material_ids_1_components_followed" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_pointers" AS "p"
JOIN "material_ids_1_components_pointers" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_followed_twice" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed_twice" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_followed" AS "p"
JOIN "material_ids_1_components_followed" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_map" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_map" AS
SELECT
  (
    "m"."factor" * CAST(48271 AS BIGINT) + CAST(0 AS BIGINT)
  ) % CAST(2147483647 AS BIGINT) AS "factor",
  (
    "m"."shift" * CAST(48271 AS BIGINT) + CAST(1 AS BIGINT)
  ) % CAST(2147483647 AS BIGINT) AS "shift"
FROM "material_ids_1_components_map_then" AS "m";
DROP TABLE IF EXISTS "material_ids_1_components_roots" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_roots" AS
SELECT
  "r"."node",
  (
    "m"."factor" * CAST(COALESCE("p"."target", "r"."root") AS BIGINT) + "m"."shift"
  ) % CAST(2147483647 AS BIGINT) AS "root"
FROM "material_ids_1_components_roots_then" AS "r"
CROSS JOIN "material_ids_1_components_map" AS "m"
LEFT JOIN "material_ids_1_components_followed_twice" AS "p"
  ON "p"."node" = "r"."root";
DROP TABLE IF EXISTS "material_ids_1_components_edges" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_edges" AS
SELECT DISTINCT
  GREATEST("x", "y") AS "high",
  LEAST("x", "y") AS "low"
FROM (
  SELECT
    (
      "m"."factor" * CAST("p"."target" AS BIGINT) + "m"."shift"
    ) % CAST(2147483647 AS BIGINT) AS "x",
    (
      "m"."factor" * CAST("q"."target" AS BIGINT) + "m"."shift"
    ) % CAST(2147483647 AS BIGINT) AS "y"
  FROM "material_ids_1_components_edges_then" AS "e"
  CROSS JOIN "material_ids_1_components_map" AS "m"
  JOIN "material_ids_1_components_followed_twice" AS "p"
    ON "p"."node" = "e"."high"
  JOIN "material_ids_1_components_followed_twice" AS "q"
    ON "q"."node" = "e"."low"
  WHERE
    "p"."target" <> "q"."target"
) AS "ends";
-- 7 of 8:
DROP TABLE IF EXISTS "material_ids_1_components_pointers" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_pointers" AS
SELECT
  "node",
  MIN("target") AS "target"
FROM (
  SELECT
    "high" AS "node",
    "low" AS "target"
  FROM "material_ids_1_components_edges" AS "e"
  UNION ALL
  SELECT
    "low",
    "low"
  FROM "material_ids_1_components_edges" AS "e"
) AS "near"
GROUP BY
  "node";
DROP TABLE IF EXISTS "material_ids_1_components_followed" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_pointers" AS "p"
JOIN "material_ids_1_components_pointers" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_followed_twice" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed_twice" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_followed" AS "p"
JOIN "material_ids_1_components_followed" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_map_then" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_map_then" AS
SELECT
  "m"."factor",
  "m"."shift"
FROM "material_ids_1_components_map" AS "m";
DROP TABLE IF EXISTS "material_ids_1_components_roots_then" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_roots_then" AS
SELECT
  "r"."node",
  COALESCE("p"."target", "r"."root") AS "root"
FROM "material_ids_1_components_roots" AS "r"
CROSS JOIN "material_ids_1_components_map_then" AS "m"
LEFT JOIN "material_ids_1_components_followed_twice" AS "p"
  ON "p"."node" = "r"."root";
DROP TABLE IF EXISTS "material_ids_1_components_edges_then" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_edges_then" AS
SELECT DISTINCT
  GREATEST("x", "y") AS "high",
  LEAST("x", "y") AS "low"
FROM (
  SELECT
    "p"."target" AS "x",
    "q"."target" AS "y"
  FROM "material_ids_1_components_edges" AS "e"
  CROSS JOIN "material_ids_1_components_map_then" AS "m"
  JOIN "material_ids_1_components_followed_twice" AS "p"
    ON "p"."node" = "e"."high"
  JOIN "material_ids_1_components_followed_twice" AS "q"
    ON "q"."node" = "e"."low"
  WHERE
    "p"."target" <> "q"."target"
) AS "ends";
DROP TABLE IF EXISTS "material_ids_1_components_pointers" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_pointers" AS
SELECT
  "node",
  MIN("target") AS "target"
FROM (
  SELECT
    "high" AS "node",
    "low" AS "target"
  FROM "material_ids_1_components_edges_then" AS "e"
  UNION ALL
  SELECT
    "low",
    "low"
  FROM "material_ids_1_components_edges_then" AS "e"
) AS "near"
GROUP BY
  "node";
DROP TABLE IF EXISTS "material_ids_1_components_followed" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_pointers" AS "p"
JOIN "material_ids_1_components_pointers" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_followed_twice" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed_twice" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_followed" AS "p"
JOIN "material_ids_1_components_followed" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_map" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_map" AS
SELECT
  (
    "m"."factor" * CAST(48271 AS BIGINT) + CAST(0 AS BIGINT)
  ) % CAST(2147483647 AS BIGINT) AS "factor",
  (
    "m"."shift" * CAST(48271 AS BIGINT) + CAST(1 AS BIGINT)
  ) % CAST(2147483647 AS BIGINT) AS "shift"
FROM "material_ids_1_components_map_then" AS "m";
DROP TABLE IF EXISTS "material_ids_1_components_roots" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_roots" AS
SELECT
  "r"."node",
  (
    "m"."factor" * CAST(COALESCE("p"."target", "r"."root") AS BIGINT) + "m"."shift"
  ) % CAST(2147483647 AS BIGINT) AS "root"
FROM "material_ids_1_components_roots_then" AS "r"
CROSS JOIN "material_ids_1_components_map" AS "m"
LEFT JOIN "material_ids_1_components_followed_twice" AS "p"
  ON "p"."node" = "r"."root";
DROP TABLE IF EXISTS "material_ids_1_components_edges" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_edges" AS
SELECT DISTINCT
  GREATEST("x", "y") AS "high",
  LEAST("x", "y") AS "low"
FROM (
  SELECT
    (
      "m"."factor" * CAST("p"."target" AS BIGINT) + "m"."shift"
    ) % CAST(2147483647 AS BIGINT) AS "x",
    (
      "m"."factor" * CAST("q"."target" AS BIGINT) + "m"."shift"
    ) % CAST(2147483647 AS BIGINT) AS "y"
  FROM "material_ids_1_components_edges_then" AS "e"
  CROSS JOIN "material_ids_1_components_map" AS "m"
  JOIN "material_ids_1_components_followed_twice" AS "p"
    ON "p"."node" = "e"."high"
  JOIN "material_ids_1_components_followed_twice" AS "q"
    ON "q"."node" = "e"."low"
  WHERE
    "p"."target" <> "q"."target"
) AS "ends";
-- 8 of 8:
DROP TABLE IF EXISTS "material_ids_1_components_pointers" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_pointers" AS
SELECT
  "node",
  MIN("target") AS "target"
FROM (
  SELECT
    "high" AS "node",
    "low" AS "target"
  FROM "material_ids_1_components_edges" AS "e"
  UNION ALL
  SELECT
    "low",
    "low"
  FROM "material_ids_1_components_edges" AS "e"
) AS "near"
GROUP BY
  "node";
DROP TABLE IF EXISTS "material_ids_1_components_followed" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_pointers" AS "p"
JOIN "material_ids_1_components_pointers" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_followed_twice" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed_twice" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_followed" AS "p"
JOIN "material_ids_1_components_followed" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_map_then" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_map_then" AS
SELECT
  "m"."factor",
  "m"."shift"
FROM "material_ids_1_components_map" AS "m";
DROP TABLE IF EXISTS "material_ids_1_components_roots_then" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_roots_then" AS
SELECT
  "r"."node",
  COALESCE("p"."target", "r"."root") AS "root"
FROM "material_ids_1_components_roots" AS "r"
CROSS JOIN "material_ids_1_components_map_then" AS "m"
LEFT JOIN "material_ids_1_components_followed_twice" AS "p"
  ON "p"."node" = "r"."root";
DROP TABLE IF EXISTS "material_ids_1_components_edges_then" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_edges_then" AS
SELECT DISTINCT
  GREATEST("x", "y") AS "high",
  LEAST("x", "y") AS "low"
FROM (
  SELECT
    "p"."target" AS "x",
    "q"."target" AS "y"
  FROM "material_ids_1_components_edges" AS "e"
  CROSS JOIN "material_ids_1_components_map_then" AS "m"
  JOIN "material_ids_1_components_followed_twice" AS "p"
    ON "p"."node" = "e"."high"
  JOIN "material_ids_1_components_followed_twice" AS "q"
    ON "q"."node" = "e"."low"
  WHERE
    "p"."target" <> "q"."target"
) AS "ends";
DROP TABLE IF EXISTS "material_ids_1_components_pointers" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_pointers" AS
SELECT
  "node",
  MIN("target") AS "target"
FROM (
  SELECT
    "high" AS "node",
    "low" AS "target"
  FROM "material_ids_1_components_edges_then" AS "e"
  UNION ALL
  SELECT
    "low",
    "low"
  FROM "material_ids_1_components_edges_then" AS "e"
) AS "near"
GROUP BY
  "node";
DROP TABLE IF EXISTS "material_ids_1_components_followed" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_pointers" AS "p"
JOIN "material_ids_1_components_pointers" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_followed_twice" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_followed_twice" AS
SELECT
  "p"."node",
  "q"."target"
FROM "material_ids_1_components_followed" AS "p"
JOIN "material_ids_1_components_followed" AS "q"
  ON "q"."node" = "p"."target";
DROP TABLE IF EXISTS "material_ids_1_components_map" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_map" AS
SELECT
  (
    "m"."factor" * CAST(48271 AS BIGINT) + CAST(0 AS BIGINT)
  ) % CAST(2147483647 AS BIGINT) AS "factor",
  (
    "m"."shift" * CAST(48271 AS BIGINT) + CAST(1 AS BIGINT)
  ) % CAST(2147483647 AS BIGINT) AS "shift"
FROM "material_ids_1_components_map_then" AS "m";
DROP TABLE IF EXISTS "material_ids_1_components_roots" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_roots" AS
SELECT
  "r"."node",
  (
    "m"."factor" * CAST(COALESCE("p"."target", "r"."root") AS BIGINT) + "m"."shift"
  ) % CAST(2147483647 AS BIGINT) AS "root"
FROM "material_ids_1_components_roots_then" AS "r"
CROSS JOIN "material_ids_1_components_map" AS "m"
LEFT JOIN "material_ids_1_components_followed_twice" AS "p"
  ON "p"."node" = "r"."root";
DROP TABLE IF EXISTS "material_ids_1_components_edges" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components_edges" AS
SELECT DISTINCT
  GREATEST("x", "y") AS "high",
  LEAST("x", "y") AS "low"
FROM (
  SELECT
    (
      "m"."factor" * CAST("p"."target" AS BIGINT) + "m"."shift"
    ) % CAST(2147483647 AS BIGINT) AS "x",
    (
      "m"."factor" * CAST("q"."target" AS BIGINT) + "m"."shift"
    ) % CAST(2147483647 AS BIGINT) AS "y"
  FROM "material_ids_1_components_edges_then" AS "e"
  CROSS JOIN "material_ids_1_components_map" AS "m"
  JOIN "material_ids_1_components_followed_twice" AS "p"
    ON "p"."node" = "e"."high"
  JOIN "material_ids_1_components_followed_twice" AS "q"
    ON "q"."node" = "e"."low"
  WHERE
    "p"."target" <> "q"."target"
) AS "ends";
-- fails where edges are left: then what stands between is to be run once more
SELECT
  CAST(1 AS DOUBLE PRECISION) / CASE WHEN COUNT(*) = 0 THEN 1 ELSE 0 END AS "holds"
FROM "material_ids_1_components_edges" AS "t";
DROP TABLE IF EXISTS "material_ids_1_components" CASCADE;
CREATE TEMPORARY TABLE "material_ids_1_components" AS
SELECT
  "r"."node",
  MIN("r"."node") OVER (PARTITION BY "r"."root") AS "component"
FROM "material_ids_1_components_roots" AS "r";
DROP TABLE "material_ids_1_components_map";
DROP TABLE "material_ids_1_components_edges";
DROP TABLE "material_ids_1_components_roots";
DROP TABLE "material_ids_1_components_pointers";
DROP TABLE "material_ids_1_components_followed";
DROP TABLE "material_ids_1_components_followed_twice";
DROP TABLE "material_ids_1_components_map_then";
DROP TABLE "material_ids_1_components_roots_then";
DROP TABLE "material_ids_1_components_edges_then";

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
