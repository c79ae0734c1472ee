-- models/user_graph
-- Material_user_graph_1, as of 2024-02-01 00:00:00 UTC

-- 1. ids seen together in inputs/people
CREATE OR REPLACE TEMPORARY TABLE `Material_user_graph_1_tuples_0` AS
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
        CAST(`email` AS STRING) BETWEEN '!' AND '~'
        OR REGEXP_CONTAINS(CAST(`email` AS STRING), '[^\\p{Z}\\p{Cc}\\p{Cf}]')
      )
      THEN CAST(`email` AS STRING)
    END AS `id_1`,
    CAST(CAST(CAST(`seen_at` AS STRING) AS TIMESTAMP) AS DATETIME) AS `occurred_at`
  FROM (
    SELECT
      *
    FROM `shop`.`people`
    WHERE
      CAST(CAST(CAST(`seen_at` AS STRING) AS TIMESTAMP) AS DATETIME) < CAST('2024-02-01 00:00:00' AS DATETIME)
      OR `seen_at` IS NULL
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

-- 2. distinct edges, before caps and rules
CREATE OR REPLACE TABLE `profiles`.`Material_user_graph_1_raw_edges` AS
SELECT
  `id_1` AS `id1`,
  'email' AS `id1_type`,
  `id_0` AS `id2`,
  'user_id' AS `id2_type`,
  'inputs/people' AS `source`,
  `first_seen_at`,
  `last_seen_at`,
  `row_count`
FROM `Material_user_graph_1_tuples_0`
WHERE
  NOT `id_1` IS NULL AND NOT `id_0` IS NULL
UNION ALL
SELECT
  `id_0` AS `id1`,
  'user_id' AS `id1_type`,
  `id_0` AS `id2`,
  'user_id' AS `id2_type`,
  'inputs/people' AS `source`,
  `first_seen_at`,
  `last_seen_at`,
  `row_count`
FROM `Material_user_graph_1_tuples_0`
WHERE
  NOT `id_0` IS NULL AND `id_1` IS NULL
UNION ALL
SELECT
  `id_1` AS `id1`,
  'email' AS `id1_type`,
  `id_1` AS `id2`,
  'email' AS `id2_type`,
  'inputs/people' AS `source`,
  `first_seen_at`,
  `last_seen_at`,
  `row_count`
FROM `Material_user_graph_1_tuples_0`
WHERE
  NOT `id_1` IS NULL AND `id_0` IS NULL;

-- 3. manual rules that count
CREATE OR REPLACE TEMPORARY TABLE `Material_user_graph_1_rules` AS
WITH `types` AS (
  SELECT
    `name`,
    `number`
  FROM UNNEST([
    STRUCT('email' AS `name`, 0 AS `number`),
    STRUCT('user_id' AS `name`, 1 AS `number`)
  ]) AS `id_types`
), `named` AS (
  SELECT
    `r`.`id1`,
    `one`.`name` AS `id1_type`,
    `one`.`number` AS `number1`,
    `r`.`action`,
    `r`.`created_at`,
    COALESCE(`r`.`id2`, `r`.`id1`) AS `id2`,
    COALESCE(`two`.`name`, `one`.`name`) AS `id2_type`,
    COALESCE(`two`.`number`, `one`.`number`) AS `number2`
  FROM (
    SELECT
      LOWER(TRIM(CAST(`entity` AS STRING))) AS `entity`,
      CASE WHEN TRIM(CAST(`id1` AS STRING)) <> '' THEN CAST(`id1` AS STRING) END AS `id1`,
      NULLIF(LOWER(TRIM(CAST(`id1_type` AS STRING))), '') AS `id1_type`,
      CASE WHEN TRIM(CAST(`id2` AS STRING)) <> '' THEN CAST(`id2` AS STRING) END AS `id2`,
      NULLIF(LOWER(TRIM(CAST(`id2_type` AS STRING))), '') AS `id2_type`,
      UPPER(TRIM(CAST(`action` AS STRING))) AS `action`,
      CAST(`created_at` AS DATETIME) AS `created_at`
    FROM `id_stitch_rules` AS `written`
  ) AS `r`
  JOIN `types` AS `one`
    ON LOWER(`one`.`name`) = `r`.`id1_type`
  LEFT JOIN `types` AS `two`
    ON LOWER(`two`.`name`) = `r`.`id2_type`
  WHERE
    `r`.`entity` IN ('user')
), `placed` AS (
  SELECT
    *,
    `number1` < `number2` OR (
      `number1` = `number2` AND `id1` <= `id2`
    ) AS `in_order`
  FROM `named`
), `ordered` AS (
  SELECT
    CASE WHEN `in_order` THEN `id1` ELSE `id2` END AS `id1`,
    CASE WHEN `in_order` THEN `id1_type` ELSE `id2_type` END AS `id1_type`,
    CASE WHEN `in_order` THEN `id2` ELSE `id1` END AS `id2`,
    CASE WHEN `in_order` THEN `id2_type` ELSE `id1_type` END AS `id2_type`,
    `action`,
    `created_at`
  FROM `placed`
), `ranked` AS (
  SELECT
    `id1`,
    `id1_type`,
    `id2`,
    `id2_type`,
    `action`,
    ROW_NUMBER() OVER (
      PARTITION BY `id1`, `id1_type`, `id2`, `id2_type`
      ORDER BY `created_at` IS NULL ASC, `created_at` DESC, `action` IS NULL ASC, `action` ASC
    ) AS `age`
  FROM `ordered`
)
SELECT
  `id1`,
  `id1_type`,
  `id2`,
  `id2_type`,
  `action`
FROM `ranked`
WHERE
  `age` = 1;

-- 4. edges after manual rules
CREATE OR REPLACE TABLE `profiles`.`Material_user_graph_1_internal_edges` AS
WITH `gone` AS (
  SELECT
    `id1` AS `id`,
    `id1_type` AS `id_type`
  FROM `Material_user_graph_1_rules`
  WHERE
    `action` = 'EXCLUDE' AND (
      `id1` = `id2` AND `id1_type` = `id2_type`
    )
), `kept` AS (
  SELECT
    `e`.*
  FROM `profiles`.`Material_user_graph_1_raw_edges` AS `e`
  WHERE
    NOT EXISTS(
      SELECT
        1
      FROM `Material_user_graph_1_rules` AS `r`
      WHERE
        `r`.`action` = 'EXCLUDE'
        AND `r`.`id1` = `e`.`id1`
        AND `r`.`id1_type` = `e`.`id1_type`
        AND `r`.`id2` = `e`.`id2`
        AND `r`.`id2_type` = `e`.`id2_type`
    )
    AND NOT EXISTS(
      SELECT
        1
      FROM `gone` AS `g`
      WHERE
        `g`.`id` = `e`.`id1` AND `g`.`id_type` = `e`.`id1_type`
    )
    AND NOT EXISTS(
      SELECT
        1
      FROM `gone` AS `g`
      WHERE
        `g`.`id` = `e`.`id2` AND `g`.`id_type` = `e`.`id2_type`
    )
), `added` AS (
  SELECT
    `id1`,
    `id1_type`,
    `id2`,
    `id2_type`,
    'id_stitcher_rules' AS `source`,
    CAST(NULL AS DATETIME) AS `first_seen_at`,
    CAST(NULL AS DATETIME) AS `last_seen_at`,
    CAST(0 AS INT64) AS `row_count`
  FROM `Material_user_graph_1_rules` AS `r`
  WHERE
    `action` = 'INCLUDE'
    AND (
      NOT EXISTS(
        SELECT
          1
        FROM `gone` AS `g`
        WHERE
          `g`.`id` = `r`.`id1` AND `g`.`id_type` = `r`.`id1_type`
      )
      AND NOT EXISTS(
        SELECT
          1
        FROM `gone` AS `g`
        WHERE
          `g`.`id` = `r`.`id2` AND `g`.`id_type` = `r`.`id2_type`
      )
    )
), `together` AS (
  SELECT
    *
  FROM `kept`
  UNION ALL
  SELECT
    *
  FROM `added`
  WHERE
    NOT (
      (
        `id1` = `id2` AND `id1_type` = `id2_type`
      )
    )
), `ends` AS (
  SELECT
    `id1` AS `id`,
    `id1_type` AS `id_type`
  FROM `together`
  UNION DISTINCT
  SELECT
    `id2`,
    `id2_type`
  FROM `together`
), `seen` AS (
  SELECT
    `id1` AS `id`,
    `id1_type` AS `id_type`,
    `source`,
    `first_seen_at`,
    `last_seen_at`,
    `row_count`
  FROM `profiles`.`Material_user_graph_1_raw_edges`
  UNION ALL
  SELECT
    `id2`,
    `id2_type`,
    `source`,
    `first_seen_at`,
    `last_seen_at`,
    `row_count`
  FROM `profiles`.`Material_user_graph_1_raw_edges`
  UNION ALL
  SELECT
    `id1`,
    `id1_type`,
    `source`,
    `first_seen_at`,
    `last_seen_at`,
    `row_count`
  FROM `added`
  WHERE
    `id1` = `id2` AND `id1_type` = `id2_type`
)
SELECT
  `id1`,
  `id1_type`,
  `id2`,
  `id2_type`,
  `source`,
  `first_seen_at`,
  `last_seen_at`,
  `row_count`
FROM `together`
UNION ALL
SELECT
  `s`.`id`,
  `s`.`id_type`,
  `s`.`id`,
  `s`.`id_type`,
  `s`.`source`,
  MIN(`s`.`first_seen_at`),
  MAX(`s`.`last_seen_at`),
  CAST(SUM(`s`.`row_count`) AS INT64)
FROM `seen` AS `s`
WHERE
  NOT EXISTS(
    SELECT
      1
    FROM `ends` AS `e`
    WHERE
      `e`.`id` = `s`.`id` AND `e`.`id_type` = `s`.`id_type`
  )
  AND NOT EXISTS(
    SELECT
      1
    FROM `gone` AS `g`
    WHERE
      `g`.`id` = `s`.`id` AND `g`.`id_type` = `s`.`id_type`
  )
GROUP BY
  `s`.`id`,
  `s`.`id_type`,
  `s`.`source`;

-- 5. distinct ids, numbered
CREATE OR REPLACE TEMPORARY TABLE `Material_user_graph_1_nodes` AS
WITH `ends` AS (
  SELECT
    `id1` AS `id`,
    `id1_type` AS `id_type`,
    `first_seen_at`,
    `last_seen_at`
  FROM (
    SELECT
      *
    FROM `profiles`.`Material_user_graph_1_raw_edges`
    UNION ALL
    SELECT
      *
    FROM `profiles`.`Material_user_graph_1_internal_edges`
  )
  UNION ALL
  SELECT
    `id2`,
    `id2_type`,
    `first_seen_at`,
    `last_seen_at`
  FROM (
    SELECT
      *
    FROM `profiles`.`Material_user_graph_1_raw_edges`
    UNION ALL
    SELECT
      *
    FROM `profiles`.`Material_user_graph_1_internal_edges`
  )
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
FROM `ids`
WHERE
  (`id`, `id_type`) IN (
    SELECT
      (`id1`, `id1_type`)
    FROM `profiles`.`Material_user_graph_1_internal_edges`
    UNION ALL
    SELECT
      (`id2`, `id2_type`)
    FROM `profiles`.`Material_user_graph_1_internal_edges`
  );

-- 6. connected components
-- makes Material_user_graph_1_components (node, component) in rounds that contract the graph, until no edge is left.
-- fails where there are more nodes than numbers to tell them apart:
SELECT
  CAST(1 AS FLOAT64) / CASE WHEN COUNT(*) < 2147483647 THEN 1 ELSE 0 END AS `holds`
FROM `Material_user_graph_1_nodes` AS `t`;
CREATE OR REPLACE TEMPORARY TABLE `Material_user_graph_1_components_map` AS
SELECT
  CAST(CAST(1103515245 AS INT64) AS INT64) AS `factor`,
  CAST(CAST(12345 AS INT64) AS INT64) AS `shift`;
CREATE OR REPLACE TEMPORARY TABLE `Material_user_graph_1_components_edges` AS
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
    FROM `profiles`.`Material_user_graph_1_internal_edges` AS `e`
    JOIN `Material_user_graph_1_nodes` AS `one`
      ON `one`.`id` = `e`.`id1` AND `one`.`id_type` = `e`.`id1_type`
    JOIN `Material_user_graph_1_nodes` AS `two`
      ON `two`.`id` = `e`.`id2` AND `two`.`id_type` = `e`.`id2_type`
    WHERE
      `one`.`node` <> `two`.`node`
  ) AS `e`
  CROSS JOIN `Material_user_graph_1_components_map` AS `m`
  WHERE
    `e`.`a` <> `e`.`b`
) AS `ends`;
CREATE OR REPLACE TEMPORARY TABLE `Material_user_graph_1_components_roots` AS
SELECT
  `n`.`node`,
  MOD(`m`.`factor` * CAST(`n`.`node` AS INT64) + `m`.`shift`, CAST(2147483647 AS INT64)) AS `root`
FROM `Material_user_graph_1_nodes` AS `n`
CROSS JOIN `Material_user_graph_1_components_map` AS `m`;
BEGIN
  DECLARE edges_left INT64;
  LOOP
    CREATE OR REPLACE TEMPORARY TABLE `Material_user_graph_1_components_pointers` AS
    SELECT
      `node`,
      MIN(`target`) AS `target`
    FROM (
      SELECT
        `high` AS `node`,
        `low` AS `target`
      FROM `Material_user_graph_1_components_edges` AS `e`
      UNION ALL
      SELECT
        `low`,
        `low`
      FROM `Material_user_graph_1_components_edges` AS `e`
    ) AS `near`
    GROUP BY
      `node`;
    CREATE OR REPLACE TEMPORARY TABLE `Material_user_graph_1_components_followed` AS
    SELECT
      `p`.`node`,
      `q`.`target`
    FROM `Material_user_graph_1_components_pointers` AS `p`
    JOIN `Material_user_graph_1_components_pointers` AS `q`
      ON `q`.`node` = `p`.`target`;
    CREATE OR REPLACE TEMPORARY TABLE `Material_user_graph_1_components_followed_twice` AS
    SELECT
      `p`.`node`,
      `q`.`target`
    FROM `Material_user_graph_1_components_followed` AS `p`
    JOIN `Material_user_graph_1_components_followed` AS `q`
      ON `q`.`node` = `p`.`target`;
    CREATE OR REPLACE TEMPORARY TABLE `Material_user_graph_1_components_map_then` AS
    SELECT
      `m`.`factor`,
      `m`.`shift`
    FROM `Material_user_graph_1_components_map` AS `m`;
    CREATE OR REPLACE TEMPORARY TABLE `Material_user_graph_1_components_roots_then` AS
    SELECT
      `r`.`node`,
      COALESCE(`p`.`target`, `r`.`root`) AS `root`
    FROM `Material_user_graph_1_components_roots` AS `r`
    CROSS JOIN `Material_user_graph_1_components_map_then` AS `m`
    LEFT JOIN `Material_user_graph_1_components_followed_twice` AS `p`
      ON `p`.`node` = `r`.`root`;
    CREATE OR REPLACE TEMPORARY TABLE `Material_user_graph_1_components_edges_then` AS
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
      FROM `Material_user_graph_1_components_edges` AS `e`
      CROSS JOIN `Material_user_graph_1_components_map_then` AS `m`
      JOIN `Material_user_graph_1_components_followed_twice` AS `p`
        ON `p`.`node` = `e`.`high`
      JOIN `Material_user_graph_1_components_followed_twice` AS `q`
        ON `q`.`node` = `e`.`low`
      WHERE
        `p`.`target` <> `q`.`target`
    ) AS `ends`;
    CREATE OR REPLACE TEMPORARY TABLE `Material_user_graph_1_components_pointers` AS
    SELECT
      `node`,
      MIN(`target`) AS `target`
    FROM (
      SELECT
        `high` AS `node`,
        `low` AS `target`
      FROM `Material_user_graph_1_components_edges_then` AS `e`
      UNION ALL
      SELECT
        `low`,
        `low`
      FROM `Material_user_graph_1_components_edges_then` AS `e`
    ) AS `near`
    GROUP BY
      `node`;
    CREATE OR REPLACE TEMPORARY TABLE `Material_user_graph_1_components_followed` AS
    SELECT
      `p`.`node`,
      `q`.`target`
    FROM `Material_user_graph_1_components_pointers` AS `p`
    JOIN `Material_user_graph_1_components_pointers` AS `q`
      ON `q`.`node` = `p`.`target`;
    CREATE OR REPLACE TEMPORARY TABLE `Material_user_graph_1_components_followed_twice` AS
    SELECT
      `p`.`node`,
      `q`.`target`
    FROM `Material_user_graph_1_components_followed` AS `p`
    JOIN `Material_user_graph_1_components_followed` AS `q`
      ON `q`.`node` = `p`.`target`;
    CREATE OR REPLACE TEMPORARY TABLE `Material_user_graph_1_components_map` AS
    SELECT
      MOD(`m`.`factor` * CAST(48271 AS INT64) + CAST(0 AS INT64), CAST(2147483647 AS INT64)) AS `factor`,
      MOD(`m`.`shift` * CAST(48271 AS INT64) + CAST(1 AS INT64), CAST(2147483647 AS INT64)) AS `shift`
    FROM `Material_user_graph_1_components_map_then` AS `m`;
    CREATE OR REPLACE TEMPORARY TABLE `Material_user_graph_1_components_roots` AS
    SELECT
      `r`.`node`,
      MOD(
        `m`.`factor` * CAST(COALESCE(`p`.`target`, `r`.`root`) AS INT64) + `m`.`shift`,
        CAST(2147483647 AS INT64)
      ) AS `root`
    FROM `Material_user_graph_1_components_roots_then` AS `r`
    CROSS JOIN `Material_user_graph_1_components_map` AS `m`
    LEFT JOIN `Material_user_graph_1_components_followed_twice` AS `p`
      ON `p`.`node` = `r`.`root`;
    CREATE OR REPLACE TEMPORARY TABLE `Material_user_graph_1_components_edges` AS
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
      FROM `Material_user_graph_1_components_edges_then` AS `e`
      CROSS JOIN `Material_user_graph_1_components_map` AS `m`
      JOIN `Material_user_graph_1_components_followed_twice` AS `p`
        ON `p`.`node` = `e`.`high`
      JOIN `Material_user_graph_1_components_followed_twice` AS `q`
        ON `q`.`node` = `e`.`low`
      WHERE
        `p`.`target` <> `q`.`target`
    ) AS `ends`;
    SET edges_left = (SELECT COUNT(*) AS `edges_left` FROM `Material_user_graph_1_components_edges` AS `e`);
    IF edges_left = 0 THEN
      BREAK;
    END IF;
  END LOOP;
END;
CREATE OR REPLACE TEMPORARY TABLE `Material_user_graph_1_components` AS
SELECT
  `r`.`node`,
  MIN(`r`.`node`) OVER (PARTITION BY `r`.`root`) AS `component`
FROM `Material_user_graph_1_components_roots` AS `r`;
DROP TABLE `Material_user_graph_1_components_map`;
DROP TABLE `Material_user_graph_1_components_edges`;
DROP TABLE `Material_user_graph_1_components_roots`;
DROP TABLE `Material_user_graph_1_components_pointers`;
DROP TABLE `Material_user_graph_1_components_followed`;
DROP TABLE `Material_user_graph_1_components_followed_twice`;
DROP TABLE `Material_user_graph_1_components_map_then`;
DROP TABLE `Material_user_graph_1_components_roots_then`;
DROP TABLE `Material_user_graph_1_components_edges_then`;

-- 7. evidence of each id
CREATE OR REPLACE TEMPORARY TABLE `Material_user_graph_1_metadata` AS
SELECT
  `i`.`id`,
  `i`.`id_type`,
  JSON_OBJECT(
    'node_info',
    `n`.`node_info`,
    'direct_edge_info',
    STRUCT(COALESCE(`d`.`edges_by_type`, PARSE_JSON('{}')) AS edges_by_type)
  ) AS `metadata`
FROM (
  SELECT
    `id1` AS `id`,
    `id1_type` AS `id_type`
  FROM `profiles`.`Material_user_graph_1_internal_edges`
  UNION DISTINCT
  SELECT
    `id2`,
    `id2_type`
  FROM `profiles`.`Material_user_graph_1_internal_edges`
) AS `i`
LEFT JOIN (
  SELECT
    `id`,
    `id_type`,
    [
      STRUCT(
        MIN(`first_seen_at`) AS first_seen_at,
        ARRAY_AGG(DISTINCT `source` ORDER BY `source` ASC) AS source_model
      )
    ] AS `node_info`
  FROM (
    SELECT
      *,
      RANK() OVER (
        PARTITION BY `id`, `id_type`
        ORDER BY `first_seen_at` IS NULL ASC, `first_seen_at` ASC
      ) AS `sighting`
    FROM (
      SELECT
        `id1` AS `id`,
        `id1_type` AS `id_type`,
        `id2` AS `other`,
        `id2_type` AS `other_type`,
        `source`,
        `first_seen_at`
      FROM (
        SELECT
          *
        FROM `profiles`.`Material_user_graph_1_raw_edges`
        UNION ALL
        SELECT
          *
        FROM `profiles`.`Material_user_graph_1_internal_edges`
      )
      UNION ALL
      SELECT
        `id2`,
        `id2_type`,
        `id1`,
        `id1_type`,
        `source`,
        `first_seen_at`
      FROM (
        SELECT
          *
        FROM `profiles`.`Material_user_graph_1_raw_edges`
        UNION ALL
        SELECT
          *
        FROM `profiles`.`Material_user_graph_1_internal_edges`
      )
      WHERE
        `id1` <> `id2` OR `id1_type` <> `id2_type`
    ) AS `all_ends`
  ) AS `e`
  WHERE
    `sighting` = 1
  GROUP BY
    `id`,
    `id_type`
) AS `n`
  ON `n`.`id` = `i`.`id` AND `n`.`id_type` = `i`.`id_type`
LEFT JOIN (
  WITH `ends` AS (
    SELECT
      *,
      RANK() OVER (
        PARTITION BY `id`, `id_type`, `other`, `other_type`
        ORDER BY `first_seen_at` IS NULL ASC, `first_seen_at` ASC
      ) AS `sighting`
    FROM (
      SELECT
        `id1` AS `id`,
        `id1_type` AS `id_type`,
        `id2` AS `other`,
        `id2_type` AS `other_type`,
        `source`,
        `first_seen_at`
      FROM `profiles`.`Material_user_graph_1_internal_edges`
      UNION ALL
      SELECT
        `id2`,
        `id2_type`,
        `id1`,
        `id1_type`,
        `source`,
        `first_seen_at`
      FROM `profiles`.`Material_user_graph_1_internal_edges`
      WHERE
        `id1` <> `id2` OR `id1_type` <> `id2_type`
    ) AS `all_ends`
    WHERE
      `id` <> `other` OR `id_type` <> `other_type`
  ), `neighbours` AS (
    SELECT
      `id`,
      `id_type`,
      `other_type`,
      `other`,
      MIN(`first_seen_at`) AS `first_seen_at`,
      ARRAY_AGG(
        DISTINCT IF(`sighting` = 1, `source`, NULL) IGNORE NULLS ORDER BY IF(`sighting` = 1, `source`, NULL) ASC
      ) AS `first_seen_source_model`
    FROM `ends`
    GROUP BY
      `id`,
      `id_type`,
      `other_type`,
      `other`
  ), `lists` AS (
    SELECT
      `id`,
      `id_type`,
      `other_type`,
      COUNT(*) AS `count`,
      ARRAY_AGG(
        STRUCT(
          `other` AS id,
          `first_seen_at` AS first_seen_at,
          `first_seen_source_model` AS first_seen_source_model
        ) ORDER BY `other` IS NULL ASC, `other` ASC
      ) AS `edges`
    FROM `neighbours`
    GROUP BY
      `id`,
      `id_type`,
      `other_type`
  ), `origins` AS (
    SELECT
      `id`,
      `id_type`,
      `other_type`,
      ARRAY_AGG(DISTINCT `source` ORDER BY `source` ASC) AS `sources`
    FROM `ends`
    GROUP BY
      `id`,
      `id_type`,
      `other_type`
  ), `caps` AS (
    SELECT
      `id`,
      `id_type`,
      `other_type`,
      ARRAY_AGG(
        STRUCT(
          `other` AS id,
          `reason` AS reason,
          PARSE_JSON(CAST(`rule_details` AS STRING)) AS rule_details
        ) ORDER BY `other` IS NULL ASC, `other` ASC
      ) AS `cardinality_info`
    FROM (
      SELECT
        '' AS `id`,
        '' AS `id_type`,
        '' AS `other`,
        '' AS `other_type`,
        '' AS `reason`,
        '{}' AS `rule_details`
      WHERE
        FALSE
    ) AS `r`
    GROUP BY
      `id`,
      `id_type`,
      `other_type`
  ), `types` AS (
    SELECT
      `id`,
      `id_type`,
      `other_type`
    FROM `lists`
    UNION DISTINCT
    SELECT
      `id`,
      `id_type`,
      `other_type`
    FROM `caps`
  )
  SELECT
    `t`.`id`,
    `t`.`id_type`,
    TO_JSON(
      JSON_OBJECT(
        ARRAY_AGG(`t`.`other_type` ORDER BY `t`.`other_type` IS NULL ASC, `t`.`other_type` ASC),
        ARRAY_AGG(
          STRUCT(
            COALESCE(`l`.`count`, 0) AS count,
            COALESCE(`l`.`edges`, []) AS edges,
            COALESCE(`o`.`sources`, []) AS sources,
            COALESCE(`c`.`cardinality_info`, []) AS cardinality_info
          ) ORDER BY `t`.`other_type` IS NULL ASC, `t`.`other_type` ASC
        )
      )
    ) AS `edges_by_type`
  FROM `types` AS `t`
  LEFT JOIN `lists` AS `l`
    ON `l`.`id` = `t`.`id`
    AND `l`.`id_type` = `t`.`id_type`
    AND `l`.`other_type` = `t`.`other_type`
  LEFT JOIN `origins` AS `o`
    ON `o`.`id` = `t`.`id`
    AND `o`.`id_type` = `t`.`id_type`
    AND `o`.`other_type` = `t`.`other_type`
  LEFT JOIN `caps` AS `c`
    ON `c`.`id` = `t`.`id`
    AND `c`.`id_type` = `t`.`id_type`
    AND `c`.`other_type` = `t`.`other_type`
  GROUP BY
    `t`.`id`,
    `t`.`id_type`
) AS `d`
  ON `d`.`id` = `i`.`id` AND `d`.`id_type` = `i`.`id_type`;

-- 8. main id of each id
CREATE OR REPLACE TABLE `profiles`.`Material_user_graph_1_mappings` AS
SELECT
  `f`.*,
  `m`.`metadata`
FROM (
  WITH `labelled` AS (
    SELECT
      `n`.`id`,
      `n`.`id_type`,
      `n`.`first_seen_at`,
      `n`.`last_seen_at`,
      `c`.`component`,
      COALESCE(`n`.`first_seen_at`, CAST('9999-12-31 00:00:00' AS DATETIME)) AS `seen_from`
    FROM `Material_user_graph_1_nodes` AS `n`
    JOIN `Material_user_graph_1_components` AS `c`
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
    ON `named`.`component` = `l`.`component`
) AS `f`
JOIN `Material_user_graph_1_metadata` AS `m`
  ON `m`.`id` = `f`.`other_id` AND `m`.`id_type` = `f`.`other_id_type`;

-- 9. id graph
CREATE OR REPLACE VIEW `profiles`.`Material_user_graph_1` AS
SELECT
  `main_id` AS `user_main_id`,
  `other_id`,
  `other_id_type`,
  `valid_at`,
  `first_seen_at`,
  `metadata`
FROM `profiles`.`Material_user_graph_1_mappings`;
