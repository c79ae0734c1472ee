-- inputs/orders/var_table
-- Material_orders_var_table_1, as of 2024-02-01 00:00:00 UTC

-- 1. rows of inputs/orders with 4 input vars
CREATE OR REPLACE VIEW `profiles`.`Material_orders_var_table_1` AS
WITH `identified` AS (
  SELECT
    COALESCE(`user_ids_0`.`main_id`, `user_ids_1`.`main_id`) AS `user_main_id`,
    `r`.*
    EXCEPT (`user.id_0`, `user.id_1`)
  FROM (
    SELECT
      ROW_NUMBER() OVER (ORDER BY NULL NULLS LAST) AS `input_row_id`,
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
      `main_id`
    FROM `profiles`.`Material_ids_1_mappings`
    WHERE
      `other_id_type` = 'user_id'
  ) AS `user_ids_0`
    ON `user_ids_0`.`other_id` = `r`.`user.id_0`
  LEFT JOIN (
    SELECT
      `other_id`,
      `main_id`
    FROM `profiles`.`Material_ids_1_mappings`
    WHERE
      `other_id_type` = 'email'
  ) AS `user_ids_1`
    ON `user_ids_1`.`other_id` = CASE WHEN `r`.`user.id_0` IS NULL THEN `r`.`user.id_1` END
), `vars_1` AS (
  SELECT
    `amount` * 100 AS `cents`,
    `g0`.`group_value_0` AS `session_start`,
    CASE
      WHEN `amount` > 0
      THEN ROW_NUMBER() OVER (
        PARTITION BY `user_main_id`, CASE WHEN `amount` > 0 THEN 1 END
        ORDER BY `ts` DESC NULLS FIRST
      )
    END AS `position`,
    `r`.*
  FROM `identified` AS `r`
  JOIN (
    SELECT
      `session` AS `group_key_0`,
      `user_main_id` AS `group_key_1`,
      MIN(`ts`) AS `group_value_0`
    FROM `identified`
    GROUP BY
      `session`,
      `user_main_id`
  ) AS `g0`
    ON `g0`.`group_key_0` IS NOT DISTINCT FROM `session`
    AND `g0`.`group_key_1` IS NOT DISTINCT FROM `user_main_id`
), `vars_2` AS (
  SELECT
    COALESCE(
      TIMESTAMPDIFF(
        MINUTE,
        DATE_TRUNC('MINUTE', CAST(CAST(`session_start` AS TIMESTAMP_NTZ) AS TIMESTAMP)),
        DATE_TRUNC('MINUTE', CAST(CAST(`ts` AS TIMESTAMP_NTZ) AS TIMESTAMP))
      ),
      0
    ) AS `minutes`,
    `r`.*
  FROM `vars_1` AS `r`
)
SELECT
  *
FROM `vars_2`;
