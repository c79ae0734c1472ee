-- models/paid
-- Material_paid_1, as of 2024-02-01 00:00:00 UTC

-- 1. SQL model paid
CREATE OR REPLACE VIEW `profiles`.`Material_paid_1` AS
SELECT
  `o`.*,
  `r`.`rate`
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
) AS `o`
JOIN `shop`.`rates` AS `r`
  USING (`item`)
WHERE
  CAST(`ts` AS TIMESTAMP_NTZ) < CAST('2024-02-01' AS DATE);

-- models/per_day
-- Material_per_day_1, as of 2024-02-01 00:00:00 UTC

-- 1. SQL model per_day
CREATE OR REPLACE TABLE `profiles`.`Material_per_day_1` AS
WITH `days` AS (
  SELECT
    `user_id`,
    CAST(CAST(DATE_TRUNC('DAY', CAST(CAST(`ts` AS TIMESTAMP_NTZ) AS TIMESTAMP)) AS TIMESTAMP) AS TIMESTAMP_NTZ) AS `day`,
    COUNT(*) AS `n`
  FROM `profiles`.`Material_paid_1` AS `paid`
  GROUP BY
    1,
    2
)
SELECT
  *
FROM `days`;

-- models/by_hand
-- Material_by_hand_1, as of 2024-02-01 00:00:00 UTC

-- 1. statement 1 of by_hand
CREATE OR REPLACE TABLE `profiles`.`Material_by_hand_1` AS
(
  SELECT
    MAX(`n`) AS `most`
  FROM `profiles`.`Material_per_day_1` AS `per_day`
);
