-- user/all/feature_view
-- Material_customer_360_1, as of 2024-02-01 00:00:00 UTC

-- 1. feature view
CREATE OR REPLACE VIEW `profiles`.`Material_customer_360_1` AS
SELECT
  `f`.`user_main_id`,
  CAST('2024-02-01 00:00:00' AS DATETIME) AS `valid_at`,
  `f`.`total`
FROM `profiles`.`Material_user_var_table_1` AS `f`;

-- user/all/feature_view/using_email
-- Material_by_email_1, as of 2024-02-01 00:00:00 UTC

-- 1. features by email
CREATE OR REPLACE VIEW `profiles`.`Material_by_email_1` AS
SELECT
  `g`.`other_id` AS `email`,
  `f`.*
FROM `profiles`.`Material_ids_1` AS `g`
JOIN `profiles`.`Material_customer_360_1` AS `f`
  ON `f`.`user_main_id` = `g`.`user_main_id`
WHERE
  `g`.`other_id_type` = 'email';
