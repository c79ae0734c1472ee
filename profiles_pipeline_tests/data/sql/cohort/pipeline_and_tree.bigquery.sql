-- user/all
-- Material_user_all_1, as of 2024-02-01 00:00:00 UTC

-- 1. members of user_all
CREATE OR REPLACE TABLE `profiles`.`Material_user_all_1` AS
SELECT DISTINCT
  `main_id` AS `user_main_id`
FROM `profiles`.`Material_ids_1_mappings`;

-- models/paying
-- Material_paying_1, as of 2024-02-01 00:00:00 UTC

-- 1. members of paying
CREATE OR REPLACE VIEW `profiles`.`Material_paying_1` AS
SELECT
  `m`.`user_main_id`
FROM (
  SELECT
    `r`.*,
    `v0`.`country` AS `user__country`,
    `v0`.`total` AS `user__total`
  FROM `profiles`.`Material_user_all_1` AS `r`
  LEFT JOIN `profiles`.`Material_user_var_table_1` AS `v0`
    ON `v0`.`user_main_id` = `r`.`user_main_id`
) AS `m`
WHERE
  (
    `user__total` > 0
  )
  AND NOT COALESCE((
    `user__country` = 'DE'
  ), FALSE)
  AND `m`.`user_main_id` IN (
    SELECT
      `user_main_id`
    FROM `profiles`.`Material_ids_1` AS `ids`
    WHERE
      `other_id_type` = 'email'
  );

-- models/chosen
-- Material_chosen_1, as of 2024-02-01 00:00:00 UTC

-- 1. members of chosen
CREATE OR REPLACE TABLE `profiles`.`Material_chosen_1` AS
SELECT
  `m`.`user_main_id`
FROM (
  SELECT
    `r`.*,
    `v0`.`country` AS `user__country`,
    `v0`.`total` AS `user__total`
  FROM `profiles`.`Material_paying_1` AS `r`
  LEFT JOIN `profiles`.`Material_user_var_table_1` AS `v0`
    ON `v0`.`user_main_id` = `r`.`user_main_id`
) AS `m`
WHERE
  (
    (
      `user__total` < 100
    )
    AND (
      (
        `user__country` = 'US'
      ) OR (
        `user__country` IS NULL
      )
    )
  );
