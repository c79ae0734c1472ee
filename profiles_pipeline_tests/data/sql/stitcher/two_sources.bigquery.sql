-- models/ids
-- Material_ids_1, as of 2024-02-01 00:00:00 UTC

-- 1. ids seen together in inputs/list
CREATE OR REPLACE TEMPORARY TABLE `Material_ids_1_tuples_0` AS
WITH `rows` AS (
  SELECT
    CASE
      WHEN (
        CAST(`email` AS STRING) BETWEEN '!' AND '~'
        OR REGEXP_CONTAINS(CAST(`email` AS STRING), '[^\\p{Z}\\p{Cc}\\p{Cf}]')
      )
      AND REGEXP_CONTAINS(CAST(`email` AS STRING), '^(?:.+@.+)$')
      AND NOT (
        CAST(`email` AS STRING) = 'x@x.com'
      )
      THEN CAST(`email` AS STRING)
    END AS `id_0`,
    CAST(NULL AS DATETIME) AS `occurred_at`
  FROM (
    SELECT
      *
    FROM `shop`.`list`
  ) AS `source_rows`
)
SELECT
  `id_0`,
  MIN(`occurred_at`) AS `first_seen_at`,
  MAX(`occurred_at`) AS `last_seen_at`,
  COUNT(*) AS `row_count`
FROM `rows`
WHERE
  NOT `id_0` IS NULL
GROUP BY
  `id_0`;

-- 2. ids seen together in inputs/orders
CREATE OR REPLACE TEMPORARY TABLE `Material_ids_1_tuples_1` AS
WITH `rows` AS (
  SELECT
    CASE
      WHEN (
        CAST(`user_id` AS STRING) BETWEEN '!' AND '~'
        OR REGEXP_CONTAINS(CAST(`user_id` AS STRING), '[^\\p{Z}\\p{Cc}\\p{Cf}]')
      )
      THEN CAST(`user_id` AS STRING)
    END AS `id_0`,
    CASE
      WHEN (
        CAST(LOWER(CAST(`email` AS STRING)) AS STRING) BETWEEN '!' AND '~'
        OR REGEXP_CONTAINS(CAST(LOWER(CAST(`email` AS STRING)) AS STRING), '[^\\p{Z}\\p{Cc}\\p{Cf}]')
      )
      AND REGEXP_CONTAINS(CAST(LOWER(CAST(`email` AS STRING)) AS STRING), '^(?:.+@.+)$')
      AND NOT (
        CAST(LOWER(CAST(`email` AS STRING)) AS STRING) = 'x@x.com'
      )
      THEN CAST(LOWER(CAST(`email` AS STRING)) AS STRING)
    END AS `id_1`,
    CAST(CAST(CAST(`ts` AS STRING) AS TIMESTAMP) AS DATETIME) AS `occurred_at`
  FROM (
    SELECT
      *
    FROM `shop`.`orders`
    WHERE
      CAST(CAST(CAST(`ts` AS STRING) AS TIMESTAMP) AS DATETIME) < CAST('2024-02-01 00:00:00' AS DATETIME)
      OR `ts` IS NULL
  ) AS `source_rows`
)
SELECT
  `id_0`,
  `id_1`,
  MIN(`occurred_at`) AS `first_seen_at`,
  MAX(`occurred_at`) AS `last_seen_at`,
  COUNT(*) AS `row_count`
FROM `rows`
WHERE
  NOT `id_0` IS NULL OR NOT `id_1` IS NULL
GROUP BY
  `id_0`,
  `id_1`;

-- 3. distinct edges
CREATE OR REPLACE TABLE `profiles`.`Material_ids_1_internal_edges` AS
SELECT
  `id_0` AS `id1`,
  'email' AS `id1_type`,
  `id_0` AS `id2`,
  'email' AS `id2_type`,
  'inputs/list' AS `source`,
  `first_seen_at`,
  `last_seen_at`,
  `row_count`
FROM `Material_ids_1_tuples_0`
WHERE
  NOT `id_0` IS NULL
UNION ALL
SELECT
  `id_1` AS `id1`,
  'email' AS `id1_type`,
  `id_0` AS `id2`,
  'user_id' AS `id2_type`,
  'inputs/orders' AS `source`,
  `first_seen_at`,
  `last_seen_at`,
  `row_count`
FROM `Material_ids_1_tuples_1`
WHERE
  NOT `id_1` IS NULL AND NOT `id_0` IS NULL
UNION ALL
SELECT
  `id_0` AS `id1`,
  'user_id' AS `id1_type`,
  `id_0` AS `id2`,
  'user_id' AS `id2_type`,
  'inputs/orders' AS `source`,
  `first_seen_at`,
  `last_seen_at`,
  `row_count`
FROM `Material_ids_1_tuples_1`
WHERE
  NOT `id_0` IS NULL AND `id_1` IS NULL
UNION ALL
SELECT
  `id_1` AS `id1`,
  'email' AS `id1_type`,
  `id_1` AS `id2`,
  'email' AS `id2_type`,
  'inputs/orders' AS `source`,
  `first_seen_at`,
  `last_seen_at`,
  `row_count`
FROM `Material_ids_1_tuples_1`
WHERE
  NOT `id_1` IS NULL AND `id_0` IS NULL;

-- 4. distinct ids, numbered
CREATE OR REPLACE TEMPORARY TABLE `Material_ids_1_nodes` AS
WITH `ends` AS (
  SELECT
    `id1` AS `id`,
    `id1_type` AS `id_type`,
    `first_seen_at`,
    `last_seen_at`
  FROM `profiles`.`Material_ids_1_internal_edges`
  UNION ALL
  SELECT
    `id2`,
    `id2_type`,
    `first_seen_at`,
    `last_seen_at`
  FROM `profiles`.`Material_ids_1_internal_edges`
), `ids` AS (
  SELECT
    `id`,
    `id_type`,
    MIN(`first_seen_at`) AS `first_seen_at`,
    MAX(`last_seen_at`) AS `last_seen_at`
  FROM `ends`
  GROUP BY
    `id`,
    `id_type`
)
SELECT
  ROW_NUMBER() OVER () - 1 AS `node`,
  `id`,
  `id_type`,
  `first_seen_at`,
  `last_seen_at`
FROM `ids`;

-- 5. connected components
-- makes Material_ids_1_components (node, component) in rounds that contract the graph, until no edge is left.
-- fails where there are more nodes than numbers to tell them apart:
SELECT
  CAST(1 AS FLOAT64) / CASE WHEN COUNT(*) < 2147483647 THEN 1 ELSE 0 END AS `holds`
FROM `Material_ids_1_nodes` AS `t`;
CREATE OR REPLACE TEMPORARY TABLE `Material_ids_1_components_map` AS
SELECT
  CAST(CAST(1103515245 AS INT64) AS INT64) AS `factor`,
  CAST(CAST(12345 AS INT64) AS INT64) AS `shift`;
CREATE OR REPLACE TEMPORARY TABLE `Material_ids_1_components_edges` AS
SELECT DISTINCT
  (
    SELECT
      MAX(item)
    FROM UNNEST([`x`, `y`]) AS item
  ) AS `high`,
  (
    SELECT
      MIN(item)
    FROM UNNEST([`x`, `y`]) AS item
  ) AS `low`
FROM (
  SELECT
    MOD(`m`.`factor` * CAST(`e`.`a` AS INT64) + `m`.`shift`, CAST(2147483647 AS INT64)) AS `x`,
    MOD(`m`.`factor` * CAST(`e`.`b` AS INT64) + `m`.`shift`, CAST(2147483647 AS INT64)) AS `y`
  FROM (
    SELECT
      `one`.`node` AS `a`,
      `two`.`node` AS `b`
    FROM `profiles`.`Material_ids_1_internal_edges` AS `e`
    JOIN `Material_ids_1_nodes` AS `one`
      ON `one`.`id` = `e`.`id1` AND `one`.`id_type` = `e`.`id1_type`
    JOIN `Material_ids_1_nodes` AS `two`
      ON `two`.`id` = `e`.`id2` AND `two`.`id_type` = `e`.`id2_type`
    WHERE
      `one`.`node` <> `two`.`node`
  ) AS `e`
  CROSS JOIN `Material_ids_1_components_map` AS `m`
  WHERE
    `e`.`a` <> `e`.`b`
) AS `ends`;
CREATE OR REPLACE TEMPORARY TABLE `Material_ids_1_components_roots` AS
SELECT
  `n`.`node`,
  MOD(`m`.`factor` * CAST(`n`.`node` AS INT64) + `m`.`shift`, CAST(2147483647 AS INT64)) AS `root`
FROM `Material_ids_1_nodes` AS `n`
CROSS JOIN `Material_ids_1_components_map` AS `m`;
BEGIN
  DECLARE edges_left INT64;
  LOOP
    CREATE OR REPLACE TEMPORARY TABLE `Material_ids_1_components_pointers` AS
    SELECT
      `node`,
      MIN(`target`) AS `target`
    FROM (
      SELECT
        `high` AS `node`,
        `low` AS `target`
      FROM `Material_ids_1_components_edges` AS `e`
      UNION ALL
      SELECT
        `low`,
        `low`
      FROM `Material_ids_1_components_edges` AS `e`
    ) AS `near`
    GROUP BY
      `node`;
    CREATE OR REPLACE TEMPORARY TABLE `Material_ids_1_components_followed` AS
    SELECT
      `p`.`node`,
      `q`.`target`
    FROM `Material_ids_1_components_pointers` AS `p`
    JOIN `Material_ids_1_components_pointers` AS `q`
      ON `q`.`node` = `p`.`target`;
    CREATE OR REPLACE TEMPORARY TABLE `Material_ids_1_components_followed_twice` AS
    SELECT
      `p`.`node`,
      `q`.`target`
    FROM `Material_ids_1_components_followed` AS `p`
    JOIN `Material_ids_1_components_followed` AS `q`
      ON `q`.`node` = `p`.`target`;
    CREATE OR REPLACE TEMPORARY TABLE `Material_ids_1_components_map_then` AS
    SELECT
      `m`.`factor`,
      `m`.`shift`
    FROM `Material_ids_1_components_map` AS `m`;
    CREATE OR REPLACE TEMPORARY TABLE `Material_ids_1_components_roots_then` AS
    SELECT
      `r`.`node`,
      COALESCE(`p`.`target`, `r`.`root`) AS `root`
    FROM `Material_ids_1_components_roots` AS `r`
    CROSS JOIN `Material_ids_1_components_map_then` AS `m`
    LEFT JOIN `Material_ids_1_components_followed_twice` AS `p`
      ON `p`.`node` = `r`.`root`;
    CREATE OR REPLACE TEMPORARY TABLE `Material_ids_1_components_edges_then` AS
    SELECT DISTINCT
      (
        SELECT
          MAX(item)
        FROM UNNEST([`x`, `y`]) AS item
      ) AS `high`,
      (
        SELECT
          MIN(item)
        FROM UNNEST([`x`, `y`]) AS item
      ) AS `low`
    FROM (
      SELECT
        `p`.`target` AS `x`,
        `q`.`target` AS `y`
      FROM `Material_ids_1_components_edges` AS `e`
      CROSS JOIN `Material_ids_1_components_map_then` AS `m`
      JOIN `Material_ids_1_components_followed_twice` AS `p`
        ON `p`.`node` = `e`.`high`
      JOIN `Material_ids_1_components_followed_twice` AS `q`
        ON `q`.`node` = `e`.`low`
      WHERE
        `p`.`target` <> `q`.`target`
    ) AS `ends`;
    CREATE OR REPLACE TEMPORARY TABLE `Material_ids_1_components_pointers` AS
    SELECT
      `node`,
      MIN(`target`) AS `target`
    FROM (
      SELECT
        `high` AS `node`,
        `low` AS `target`
      FROM `Material_ids_1_components_edges_then` AS `e`
      UNION ALL
      SELECT
        `low`,
        `low`
      FROM `Material_ids_1_components_edges_then` AS `e`
    ) AS `near`
    GROUP BY
      `node`;
    CREATE OR REPLACE TEMPORARY TABLE `Material_ids_1_components_followed` AS
    SELECT
      `p`.`node`,
      `q`.`target`
    FROM `Material_ids_1_components_pointers` AS `p`
    JOIN `Material_ids_1_components_pointers` AS `q`
      ON `q`.`node` = `p`.`target`;
    CREATE OR REPLACE TEMPORARY TABLE `Material_ids_1_components_followed_twice` AS
    SELECT
      `p`.`node`,
      `q`.`target`
    FROM `Material_ids_1_components_followed` AS `p`
    JOIN `Material_ids_1_components_followed` AS `q`
      ON `q`.`node` = `p`.`target`;
    CREATE OR REPLACE TEMPORARY TABLE `Material_ids_1_components_map` AS
    SELECT
      MOD(`m`.`factor` * CAST(48271 AS INT64) + CAST(0 AS INT64), CAST(2147483647 AS INT64)) AS `factor`,
      MOD(`m`.`shift` * CAST(48271 AS INT64) + CAST(1 AS INT64), CAST(2147483647 AS INT64)) AS `shift`
    FROM `Material_ids_1_components_map_then` AS `m`;
    CREATE OR REPLACE TEMPORARY TABLE `Material_ids_1_components_roots` AS
    SELECT
      `r`.`node`,
      MOD(
        `m`.`factor` * CAST(COALESCE(`p`.`target`, `r`.`root`) AS INT64) + `m`.`shift`,
        CAST(2147483647 AS INT64)
      ) AS `root`
    FROM `Material_ids_1_components_roots_then` AS `r`
    CROSS JOIN `Material_ids_1_components_map` AS `m`
    LEFT JOIN `Material_ids_1_components_followed_twice` AS `p`
      ON `p`.`node` = `r`.`root`;
    CREATE OR REPLACE TEMPORARY TABLE `Material_ids_1_components_edges` AS
    SELECT DISTINCT
      (
        SELECT
          MAX(item)
        FROM UNNEST([`x`, `y`]) AS item
      ) AS `high`,
      (
        SELECT
          MIN(item)
        FROM UNNEST([`x`, `y`]) AS item
      ) AS `low`
    FROM (
      SELECT
        MOD(
          `m`.`factor` * CAST(`p`.`target` AS INT64) + `m`.`shift`,
          CAST(2147483647 AS INT64)
        ) AS `x`,
        MOD(
          `m`.`factor` * CAST(`q`.`target` AS INT64) + `m`.`shift`,
          CAST(2147483647 AS INT64)
        ) AS `y`
      FROM `Material_ids_1_components_edges_then` AS `e`
      CROSS JOIN `Material_ids_1_components_map` AS `m`
      JOIN `Material_ids_1_components_followed_twice` AS `p`
        ON `p`.`node` = `e`.`high`
      JOIN `Material_ids_1_components_followed_twice` AS `q`
        ON `q`.`node` = `e`.`low`
      WHERE
        `p`.`target` <> `q`.`target`
    ) AS `ends`;
    SET edges_left = (SELECT COUNT(*) AS `edges_left` FROM `Material_ids_1_components_edges` AS `e`);
    IF edges_left = 0 THEN
      BREAK;
    END IF;
  END LOOP;
END;
CREATE OR REPLACE TEMPORARY TABLE `Material_ids_1_components` AS
SELECT
  `r`.`node`,
  MIN(`r`.`node`) OVER (PARTITION BY `r`.`root`) AS `component`
FROM `Material_ids_1_components_roots` AS `r`;
DROP TABLE `Material_ids_1_components_map`;
DROP TABLE `Material_ids_1_components_edges`;
DROP TABLE `Material_ids_1_components_roots`;
DROP TABLE `Material_ids_1_components_pointers`;
DROP TABLE `Material_ids_1_components_followed`;
DROP TABLE `Material_ids_1_components_followed_twice`;
DROP TABLE `Material_ids_1_components_map_then`;
DROP TABLE `Material_ids_1_components_roots_then`;
DROP TABLE `Material_ids_1_components_edges_then`;

-- 6. main id of each id
CREATE OR REPLACE TABLE `profiles`.`Material_ids_1_mappings` AS
WITH `labelled` AS (
  SELECT
    `n`.`id`,
    `n`.`id_type`,
    `n`.`first_seen_at`,
    `n`.`last_seen_at`,
    `c`.`component`,
    COALESCE(`n`.`first_seen_at`, CAST('9999-12-31 00:00:00' AS DATETIME)) AS `seen_from`
  FROM `Material_ids_1_nodes` AS `n`
  JOIN `Material_ids_1_components` AS `c`
    ON `c`.`node` = `n`.`node`
), `eldest` AS (
  SELECT
    `component`,
    MIN(`seen_from`) AS `seen_from`
  FROM `labelled`
  GROUP BY
    `component`
), `named` AS (
  SELECT
    `l`.`component`,
    MIN(
      'rid' || SUBSTRING(
        TO_HEX(
          SHA1(
            SUBSTRING(TO_HEX(SHA1('fe971b24-9572-4005-b22f-351e9c09274d' || `l`.`id`)), 1, 32) || `l`.`id_type`
          )
        ),
        1,
        32
      )
    ) AS `main_id`
  FROM `labelled` AS `l`
  JOIN `eldest` AS `e`
    ON `e`.`component` = `l`.`component` AND `e`.`seen_from` = `l`.`seen_from`
  GROUP BY
    `l`.`component`
)
SELECT
  `named`.`main_id`,
  `l`.`id` AS `other_id`,
  `l`.`id_type` AS `other_id_type`,
  `l`.`last_seen_at` AS `valid_at`,
  `l`.`first_seen_at`,
  `l`.`component`
FROM `labelled` AS `l`
JOIN `named`
  ON `named`.`component` = `l`.`component`;

-- 7. id graph
CREATE OR REPLACE VIEW `profiles`.`Material_ids_1` AS
SELECT
  `main_id` AS `user_main_id`,
  `other_id`,
  `other_id_type`,
  `valid_at`,
  `first_seen_at`
FROM `profiles`.`Material_ids_1_mappings`;
