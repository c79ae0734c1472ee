-- user/all/var_table
-- Material_user_var_table_1, as of 2024-02-01 00:00:00 UTC

-- 1. first_order from inputs/orders
CREATE OR REPLACE TEMPORARY TABLE `Material_user_var_table_1_inputs_orders_1` AS
SELECT
  `p`.`main_id` AS `user_main_id`,
  `s`.`first_order`
FROM (
  SELECT
    `r`.`user_main_id`,
    MIN(`ts`) AS `first_order`
  FROM (
    SELECT
      COALESCE(`user_ids_0`.`component`, `user_ids_1`.`component`) AS `user_main_id`,
      `r`.*
      EXCEPT (`user.id_0`, `user.id_1`)
    FROM (
      SELECT
        `source_rows`.*,
        CASE
          WHEN (
            CAST(`user_id` AS STRING) BETWEEN '!' AND '~'
            OR REGEXP_LIKE(CAST(`user_id` AS STRING), '[^\\p{Z}\\p{Cc}\\p{Cf}]')
          )
          THEN CAST(`user_id` AS STRING)
        END AS `user.id_0`,
        CASE
          WHEN (
            CAST(LOWER(CAST(`email` AS STRING)) AS STRING) BETWEEN '!' AND '~'
            OR REGEXP_LIKE(CAST(LOWER(CAST(`email` AS STRING)) AS STRING), '[^\\p{Z}\\p{Cc}\\p{Cf}]')
          )
          AND REGEXP_LIKE(CAST(LOWER(CAST(`email` AS STRING)) AS STRING), '^(?:.+@.+)\\z')
          AND NOT (
            CAST(LOWER(CAST(`email` AS STRING)) AS STRING) = 'x@x.com'
          )
          THEN CAST(LOWER(CAST(`email` AS STRING)) AS STRING)
        END AS `user.id_1`
      FROM (
        SELECT
          *
        FROM `shop`.`orders`
        WHERE
          CASE
            WHEN TYPEOF(`ts`) = 'string'
            THEN CAST(CAST(CAST(`ts` AS STRING) AS TIMESTAMP) AS TIMESTAMP_NTZ)
            ELSE CAST(`ts` AS TIMESTAMP_NTZ)
          END < CAST('2024-02-01 00:00:00' AS TIMESTAMP_NTZ)
          OR `ts` IS NULL
      ) AS `source_rows`
    ) AS `r`
    LEFT JOIN (
      SELECT
        `other_id`,
        `component`
      FROM `profiles`.`Material_ids_1_mappings`
      WHERE
        `other_id_type` = 'user_id'
    ) AS `user_ids_0`
      ON `user_ids_0`.`other_id` = `r`.`user.id_0`
    LEFT JOIN (
      SELECT
        `other_id`,
        `component`
      FROM `profiles`.`Material_ids_1_mappings`
      WHERE
        `other_id_type` = 'email'
    ) AS `user_ids_1`
      ON `user_ids_1`.`other_id` = CASE WHEN `r`.`user.id_0` IS NULL THEN `r`.`user.id_1` END
  ) AS `r`
  WHERE
    NOT `r`.`user_main_id` IS NULL
  GROUP BY
    `r`.`user_main_id`
) AS `s`
JOIN (
  SELECT DISTINCT
    `component`,
    `main_id`
  FROM `profiles`.`Material_ids_1_mappings`
) AS `p`
  ON `p`.`component` = `s`.`user_main_id`;

-- 2. vars that others need on their rows
CREATE OR REPLACE TEMPORARY TABLE `Material_user_var_table_1_stage_1` AS
SELECT
  `user_main_id`,
  `first_order`
FROM (
  SELECT
    `b`.*,
    `s0`.`first_order` AS `first_order`
  FROM (
    SELECT
      `user_main_id`
    FROM `profiles`.`Material_user_all_1`
  ) AS `b`
  LEFT JOIN `Material_user_var_table_1_inputs_orders_1` AS `s0`
    ON `s0`.`user_main_id` = `b`.`user_main_id`
) AS `n`;

-- 3. early from inputs/orders
CREATE OR REPLACE TEMPORARY TABLE `Material_user_var_table_1_inputs_orders_2` AS
SELECT
  `p`.`main_id` AS `user_main_id`,
  `s`.`early`
FROM (
  SELECT
    `r`.`user_main_id`,
    CASE
      WHEN COUNT(*) FILTER(WHERE
        CAST(`ts` AS TIMESTAMP_NTZ) < TIMESTAMPADD(DAY, 7, CAST(CAST(`user.first_order` AS TIMESTAMP_NTZ) AS TIMESTAMP))) > 0
      THEN COUNT(*) FILTER(WHERE
        CAST(`ts` AS TIMESTAMP_NTZ) < TIMESTAMPADD(DAY, 7, CAST(CAST(`user.first_order` AS TIMESTAMP_NTZ) AS TIMESTAMP)))
    END AS `early`
  FROM (
    SELECT
      `r`.*,
      `v0`.`first_order` AS `user.first_order`
    FROM (
      SELECT
        COALESCE(`user_ids_0`.`component`, `user_ids_1`.`component`) AS `user_main_id`,
        `r`.*
        EXCEPT (`user.id_0`, `user.id_1`)
      FROM (
        SELECT
          `source_rows`.*,
          CASE
            WHEN (
              CAST(`user_id` AS STRING) BETWEEN '!' AND '~'
              OR REGEXP_LIKE(CAST(`user_id` AS STRING), '[^\\p{Z}\\p{Cc}\\p{Cf}]')
            )
            THEN CAST(`user_id` AS STRING)
          END AS `user.id_0`,
          CASE
            WHEN (
              CAST(LOWER(CAST(`email` AS STRING)) AS STRING) BETWEEN '!' AND '~'
              OR REGEXP_LIKE(CAST(LOWER(CAST(`email` AS STRING)) AS STRING), '[^\\p{Z}\\p{Cc}\\p{Cf}]')
            )
            AND REGEXP_LIKE(CAST(LOWER(CAST(`email` AS STRING)) AS STRING), '^(?:.+@.+)\\z')
            AND NOT (
              CAST(LOWER(CAST(`email` AS STRING)) AS STRING) = 'x@x.com'
            )
            THEN CAST(LOWER(CAST(`email` AS STRING)) AS STRING)
          END AS `user.id_1`
        FROM (
          SELECT
            *
          FROM `shop`.`orders`
          WHERE
            CASE
              WHEN TYPEOF(`ts`) = 'string'
              THEN CAST(CAST(CAST(`ts` AS STRING) AS TIMESTAMP) AS TIMESTAMP_NTZ)
              ELSE CAST(`ts` AS TIMESTAMP_NTZ)
            END < CAST('2024-02-01 00:00:00' AS TIMESTAMP_NTZ)
            OR `ts` IS NULL
        ) AS `source_rows`
      ) AS `r`
      LEFT JOIN (
        SELECT
          `other_id`,
          `component`
        FROM `profiles`.`Material_ids_1_mappings`
        WHERE
          `other_id_type` = 'user_id'
      ) AS `user_ids_0`
        ON `user_ids_0`.`other_id` = `r`.`user.id_0`
      LEFT JOIN (
        SELECT
          `other_id`,
          `component`
        FROM `profiles`.`Material_ids_1_mappings`
        WHERE
          `other_id_type` = 'email'
      ) AS `user_ids_1`
        ON `user_ids_1`.`other_id` = CASE WHEN `r`.`user.id_0` IS NULL THEN `r`.`user.id_1` END
    ) AS `r`
    LEFT JOIN (
      SELECT
        `p`.`component` AS `user_main_id`,
        `v`.*
        EXCEPT (`user_main_id`)
      FROM `Material_user_var_table_1_stage_1` AS `v`
      JOIN (
        SELECT DISTINCT
          `component`,
          `main_id`
        FROM `profiles`.`Material_ids_1_mappings`
      ) AS `p`
        ON `p`.`main_id` = `v`.`user_main_id`
    ) AS `v0`
      ON `v0`.`user_main_id` = `r`.`user_main_id`
  ) AS `r`
  WHERE
    NOT `r`.`user_main_id` IS NULL
  GROUP BY
    `r`.`user_main_id`
) AS `s`
JOIN (
  SELECT DISTINCT
    `component`,
    `main_id`
  FROM `profiles`.`Material_ids_1_mappings`
) AS `p`
  ON `p`.`component` = `s`.`user_main_id`;

-- 4. 2 vars joined
CREATE OR REPLACE TABLE `profiles`.`Material_user_var_table_1` AS
SELECT
  `user_main_id`,
  CAST('2024-02-01 00:00:00' AS TIMESTAMP_NTZ) AS `valid_at`,
  `first_order`,
  `early`
FROM (
  SELECT
    `b`.*,
    `s0`.`early` AS `early`
  FROM (
    SELECT
      `b`.*,
      `s0`.`first_order` AS `first_order`
    FROM (
      SELECT
        `user_main_id`
      FROM `profiles`.`Material_user_all_1`
    ) AS `b`
    LEFT JOIN `Material_user_var_table_1_inputs_orders_1` AS `s0`
      ON `s0`.`user_main_id` = `b`.`user_main_id`
  ) AS `b`
  LEFT JOIN `Material_user_var_table_1_inputs_orders_2` AS `s0`
    ON `s0`.`user_main_id` = `b`.`user_main_id`
);
