-- user/all/var_table
-- Material_user_var_table_1, as of 2024-02-01 00:00:00 UTC

-- 1. listed from inputs/list
CREATE OR REPLACE TEMPORARY TABLE `Material_user_var_table_1_inputs_list_1` AS
SELECT
  `p`.`main_id` AS `user_main_id`,
  `s`.`listed`
FROM (
  SELECT
    `r`.`user_main_id`,
    COUNT(*) AS `listed`
  FROM (
    SELECT
      `user_ids_0`.`component` AS `user_main_id`,
      `r`.*
      EXCEPT (`user.id_0`)
    FROM (
      SELECT
        `source_rows`.*,
        CASE
          WHEN (
            CAST(`email` AS STRING) BETWEEN '!' AND '~'
            OR REGEXP_LIKE(CAST(`email` AS STRING), '[^\\p{Z}\\p{Cc}\\p{Cf}]')
          )
          AND REGEXP_LIKE(CAST(`email` AS STRING), '^(?:.+@.+)\\z')
          AND NOT (
            CAST(`email` AS STRING) = 'x@x.com'
          )
          THEN CAST(`email` AS STRING)
        END AS `user.id_0`
      FROM (
        SELECT
          *
        FROM `shop`.`list`
      ) AS `source_rows`
    ) AS `r`
    LEFT JOIN (
      SELECT
        `other_id`,
        `component`
      FROM `profiles`.`Material_ids_1_mappings`
      WHERE
        `other_id_type` = 'email'
    ) AS `user_ids_0`
      ON `user_ids_0`.`other_id` = `r`.`user.id_0`
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

-- 2. 3 vars in one scan of inputs/orders
CREATE OR REPLACE TEMPORARY TABLE `Material_user_var_table_1_inputs_orders_1` AS
SELECT
  `p`.`main_id` AS `user_main_id`,
  `s`.`n`,
  `s`.`paid`,
  `s`.`first_item`
FROM (
  SELECT
    `r`.`user_main_id`,
    COUNT(*) AS `n`,
    SUM(`amount`) FILTER(WHERE
      `status` = 'paid') AS `paid`,
    ANY_VALUE(`FIRST_OF_0`) AS `first_item`
  FROM (
    SELECT
      `r`.*,
      FIRST_VALUE(`item`) OVER (
        PARTITION BY `r`.`user_main_id`
        ORDER BY `ts` ASC NULLS LAST, `item` ASC NULLS LAST
      ) AS `FIRST_OF_0`
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
  ) AS `r`
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

-- 3. 6 vars joined
CREATE OR REPLACE TABLE `profiles`.`Material_user_var_table_1` AS
SELECT
  `user_main_id`,
  CAST('2024-02-01 00:00:00' AS TIMESTAMP_NTZ) AS `valid_at`,
  `n`,
  `paid`,
  `first_item`,
  `listed`,
  `mean`,
  `place`
FROM (
  SELECT
    *,
    CAST(CAST(`paid` AS DOUBLE) / `n` AS DOUBLE) AS `mean`,
    RANK() OVER (ORDER BY `paid` DESC NULLS FIRST) AS `place`
  FROM (
    SELECT
      `b`.*,
      `s0`.`listed` AS `listed`,
      COALESCE(`s1`.`n`, 0) AS `n`,
      `s1`.`paid` AS `paid`,
      `s1`.`first_item` AS `first_item`
    FROM (
      SELECT
        `user_main_id`
      FROM `profiles`.`Material_user_all_1`
    ) AS `b`
    LEFT JOIN `Material_user_var_table_1_inputs_list_1` AS `s0`
      ON `s0`.`user_main_id` = `b`.`user_main_id`
    LEFT JOIN `Material_user_var_table_1_inputs_orders_1` AS `s1`
      ON `s1`.`user_main_id` = `b`.`user_main_id`
  ) AS `level_0`
);
