-- models/profile
-- Material_profile_1, as of 2024-02-01 00:00:00 UTC

-- 1. 2 features
CREATE OR REPLACE TABLE `profiles`.`Material_profile_1` AS
SELECT
  `f`.`user_main_id`,
  CAST('2024-02-01 00:00:00' AS TIMESTAMP_NTZ) AS `valid_at`,
  `f`.`n`,
  `f`.`total`
FROM `profiles`.`Material_user_var_table_1` AS `f`;
