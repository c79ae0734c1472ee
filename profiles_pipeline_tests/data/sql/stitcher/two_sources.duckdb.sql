-- models/ids
-- Material_ids_1, as of 2024-02-01 00:00:00 UTC

-- 1. ids seen together in inputs/list
CREATE OR REPLACE TEMPORARY TABLE "Material_ids_1_tuples_0" AS
WITH rows AS (
  SELECT
    CASE
      WHEN (
        CAST(email AS TEXT) BETWEEN '!' AND '~'
        OR REGEXP_MATCHES(CAST(email AS TEXT), '[^\p{Z}\p{Cc}\p{Cf}]')
      )
      AND REGEXP_FULL_MATCH(CAST(email AS TEXT), '.+@.+')
      AND NOT (
        CAST(email AS TEXT) = 'x@x.com'
      )
      THEN CAST(email AS TEXT)
    END AS "id_0",
    CAST(NULL AS TIMESTAMP) AS occurred_at
  FROM (
    SELECT
      *
    FROM shop.list
  ) AS source_rows
)
SELECT
  "id_0",
  MIN(occurred_at) AS first_seen_at,
  MAX(occurred_at) AS last_seen_at,
  COUNT(*) AS row_count
FROM rows
WHERE
  NOT "id_0" IS NULL
GROUP BY
  "id_0";

-- 2. ids seen together in inputs/orders
CREATE OR REPLACE TEMPORARY TABLE "Material_ids_1_tuples_1" AS
WITH rows AS (
  SELECT
    CASE
      WHEN (
        CAST(user_id AS TEXT) BETWEEN '!' AND '~'
        OR REGEXP_MATCHES(CAST(user_id AS TEXT), '[^\p{Z}\p{Cc}\p{Cf}]')
      )
      THEN CAST(user_id AS TEXT)
    END AS "id_0",
    CASE
      WHEN (
        CAST(LOWER(CAST(email AS TEXT)) AS TEXT) BETWEEN '!' AND '~'
        OR REGEXP_MATCHES(CAST(LOWER(CAST(email AS TEXT)) AS TEXT), '[^\p{Z}\p{Cc}\p{Cf}]')
      )
      AND REGEXP_FULL_MATCH(CAST(LOWER(CAST(email AS TEXT)) AS TEXT), '.+@.+')
      AND NOT (
        CAST(LOWER(CAST(email AS TEXT)) AS TEXT) = 'x@x.com'
      )
      THEN CAST(LOWER(CAST(email AS TEXT)) AS TEXT)
    END AS "id_1",
    CASE
      WHEN TYPEOF(ts) = 'VARCHAR'
      THEN CAST(CAST(CAST(ts AS TEXT) AS TIMESTAMPTZ) AS TIMESTAMP)
      ELSE CAST(ts AS TIMESTAMP)
    END AS occurred_at
  FROM (
    SELECT
      *
    FROM shop.orders
    WHERE
      CASE
        WHEN TYPEOF(ts) = 'VARCHAR'
        THEN CAST(CAST(CAST(ts AS TEXT) AS TIMESTAMPTZ) AS TIMESTAMP)
        ELSE CAST(ts AS TIMESTAMP)
      END < CAST('2024-02-01 00:00:00' AS TIMESTAMP)
      OR ts IS NULL
  ) AS source_rows
)
SELECT
  "id_0",
  "id_1",
  MIN(occurred_at) AS first_seen_at,
  MAX(occurred_at) AS last_seen_at,
  COUNT(*) AS row_count
FROM rows
WHERE
  NOT "id_0" IS NULL OR NOT "id_1" IS NULL
GROUP BY
  "id_0",
  "id_1";

-- 3. distinct edges
CREATE OR REPLACE TABLE "profiles"."Material_ids_1_internal_edges" AS
SELECT
  "id_0" AS id1,
  'email' AS id1_type,
  "id_0" AS id2,
  'email' AS id2_type,
  'inputs/list' AS source,
  first_seen_at,
  last_seen_at,
  row_count
FROM "Material_ids_1_tuples_0"
WHERE
  NOT "id_0" IS NULL
UNION ALL
SELECT
  "id_1" AS id1,
  'email' AS id1_type,
  "id_0" AS id2,
  'user_id' AS id2_type,
  'inputs/orders' AS source,
  first_seen_at,
  last_seen_at,
  row_count
FROM "Material_ids_1_tuples_1"
WHERE
  NOT "id_1" IS NULL AND NOT "id_0" IS NULL
UNION ALL
SELECT
  "id_0" AS id1,
  'user_id' AS id1_type,
  "id_0" AS id2,
  'user_id' AS id2_type,
  'inputs/orders' AS source,
  first_seen_at,
  last_seen_at,
  row_count
FROM "Material_ids_1_tuples_1"
WHERE
  NOT "id_0" IS NULL AND "id_1" IS NULL
UNION ALL
SELECT
  "id_1" AS id1,
  'email' AS id1_type,
  "id_1" AS id2,
  'email' AS id2_type,
  'inputs/orders' AS source,
  first_seen_at,
  last_seen_at,
  row_count
FROM "Material_ids_1_tuples_1"
WHERE
  NOT "id_1" IS NULL AND "id_0" IS NULL;

-- 4. distinct ids, numbered
CREATE OR REPLACE TEMPORARY TABLE "Material_ids_1_nodes" AS
WITH ends AS (
  SELECT
    id1 AS id,
    id1_type AS id_type,
    first_seen_at,
    last_seen_at
  FROM "profiles"."Material_ids_1_internal_edges"
  UNION ALL
  SELECT
    id2,
    id2_type,
    first_seen_at,
    last_seen_at
  FROM "profiles"."Material_ids_1_internal_edges"
), ids AS (
  SELECT
    id,
    id_type,
    MIN(first_seen_at) AS first_seen_at,
    MAX(last_seen_at) AS last_seen_at
  FROM ends
  GROUP BY
    id,
    id_type
)
SELECT
  ROW_NUMBER() OVER () - 1 AS node,
  id,
  id_type,
  first_seen_at,
  last_seen_at
FROM ids;

-- 5. connected components
-- makes Material_ids_1_components (node, component) with scipy's connected components over the edges of
SELECT
  one.node AS a,
  two.node AS b
FROM "profiles"."Material_ids_1_internal_edges" AS e
JOIN "Material_ids_1_nodes" AS one
  ON one.id = e.id1 AND one.id_type = e.id1_type
JOIN "Material_ids_1_nodes" AS two
  ON two.id = e.id2 AND two.id_type = e.id2_type
WHERE
  one.node <> two.node;

-- 6. main id of each id
CREATE OR REPLACE TABLE "profiles"."Material_ids_1_mappings" AS
WITH labelled AS (
  SELECT
    n.id,
    n.id_type,
    n.first_seen_at,
    n.last_seen_at,
    c.component,
    COALESCE(n.first_seen_at, CAST('9999-12-31 00:00:00' AS TIMESTAMP)) AS seen_from
  FROM "Material_ids_1_nodes" AS n
  JOIN "Material_ids_1_components" AS c
    ON c.node = n.node
), eldest AS (
  SELECT
    component,
    MIN(seen_from) AS seen_from
  FROM labelled
  GROUP BY
    component
), named AS (
  SELECT
    l.component,
    MIN(
      'rid' || SUBSTRING(
        SHA1(
          SUBSTRING(SHA1('fe971b24-9572-4005-b22f-351e9c09274d' || l."id"), 1, 32) || l."id_type"
        ),
        1,
        32
      )
    ) AS main_id
  FROM labelled AS l
  JOIN eldest AS e
    ON e.component = l.component AND e.seen_from = l.seen_from
  GROUP BY
    l.component
)
SELECT
  named.main_id,
  l.id AS other_id,
  l.id_type AS other_id_type,
  l.last_seen_at AS valid_at,
  l.first_seen_at,
  l.component
FROM labelled AS l
JOIN named
  ON named.component = l.component;

-- 7. id graph
CREATE OR REPLACE VIEW "profiles"."Material_ids_1" AS
SELECT
  main_id AS "user_main_id",
  other_id,
  other_id_type,
  valid_at,
  first_seen_at
FROM "profiles"."Material_ids_1_mappings";
