-- user/all/var_table
-- Material_user_var_table_1, as of 2024-02-01 00:00:00 UTC

-- 1. n_emails from models/ids
CREATE OR REPLACE TEMPORARY TABLE `Material_user_var_table_1_models_ids_rows_1` AS
SELECT
  `r`.`user_main_id`,
  SUM(CASE WHEN `other_id_type` = 'email' THEN 1 ELSE 0 END) AS `n_emails`
FROM `profiles`.`Material_ids_1` AS `r`
WHERE
  NOT `r`.`user_main_id` IS NULL
GROUP BY
  `r`.`user_main_id`;

-- 2. 2 vars joined
CREATE OR REPLACE TABLE `profiles`.`Material_user_var_table_1` AS
SELECT
  `user_main_id`,
  CAST('2024-02-01 00:00:00' AS TIMESTAMP_NTZ) AS `valid_at`,
  `n_emails`,
  `tier`
FROM (
  SELECT
    *,
    'basic' AS `tier`
  FROM (
    SELECT
      `b`.*,
      `s0`.`n_emails` AS `n_emails`
    FROM (
      SELECT
        `user_main_id`
      FROM `profiles`.`Material_user_all_1`
    ) AS `b`
    LEFT JOIN `Material_user_var_table_1_models_ids_rows_1` AS `s0`
      ON `s0`.`user_main_id` = `b`.`user_main_id`
  ) AS `level_0`
);
