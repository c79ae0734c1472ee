"""The text of trees that BigQuery understands."""

from __future__ import annotations

from typing import ClassVar

from sqlglot import exp
from sqlglot.generators.bigquery import BigQueryGenerator

from profiles_pipeline.dialects.capabilities import BIGQUERY
from profiles_pipeline.dialects.folding import fitted
from profiles_pipeline.dialects.spoken import named

CALLS = named(
    """
    ALL AND ANY AS BETWEEN BIGNUMERIC BY CASE DISTINCT ELSE EXCEPT EXISTS FROM GROUP IN INTERSECT INTERVAL JOIN NOT
    NUMERIC ON OR OVER SELECT THEN UNION UNNEST USING VALUES WHEN WHERE

    ABS ACOS ANY_VALUE APPROX_COUNT_DISTINCT ARRAY ARRAY_AGG ARRAY_CONCAT ARRAY_LENGTH ARRAY_REVERSE ARRAY_SLICE
    ARRAY_TO_STRING ASIN ATAN ATAN2 AVG BIT_COUNT CAST CBRT CEIL CHR COALESCE CONCAT CORR COS COUNT COUNTIF COVAR_POP
    COVAR_SAMP CUME_DIST CURRENT_TIMESTAMP DATE DATETIME_ADD DATETIME_DIFF DATETIME_TRUNC DENSE_RANK DIV EDIT_DISTANCE
    ENDS_WITH EXP EXTRACT FIRST_VALUE FLOOR FORMAT_DATETIME GENERATE_ARRAY GREATEST IF IFNULL INITCAP IS_INF IS_NAN
    JSON_ARRAY JSON_KEYS JSON_OBJECT JSON_QUERY JSON_QUERY_ARRAY JSON_STRIP_NULLS JSON_TYPE JSON_VALUE LAG LAST_DAY
    LAST_VALUE LEAD LEAST LEFT LENGTH LN LOG LOG10 LOGICAL_AND LOGICAL_OR LOWER LPAD LTRIM MAX MAX_BY MD5 MIN MIN_BY MOD
    NTH_VALUE NTILE NULLIF OFFSET PARSE_DATETIME PARSE_JSON PERCENTILE_CONT PERCENTILE_DISC PERCENT_RANK POW POWER RAND
    RANGE_BUCKET RANK REGEXP_CONTAINS REGEXP_EXTRACT REGEXP_EXTRACT_ALL REGEXP_REPLACE REPEAT REPLACE REVERSE RIGHT
    ROUND ROW_NUMBER RPAD RTRIM SAFE_CAST SAFE_OFFSET SHA1 SHA256 SIGN SIN SPLIT SQRT STARTS_WITH STDDEV STDDEV_POP
    STDDEV_SAMP STRING_AGG STRPOS STRUCT SUBSTR SUBSTRING SUM TAN TIMESTAMP_MICROS TO_BASE64 TO_HEX TO_JSON
    TO_JSON_STRING TRANSLATE TRIM TRUNC UNIX_MICROS UNIX_MILLIS UPPER VARIANCE VAR_POP VAR_SAMP
    """
)
"""What may stand before a parenthesis: words of the language, and functions that mean what they mean elsewhere."""


class BigQueryText(BigQueryGenerator):
    """What the rewrites have said is written as it stands, without what sqlglot would add for other origins."""

    TRANSFORMS: ClassVar = {
        **BigQueryGenerator.TRANSFORMS,
        exp.Div: lambda self, node: self.binary(node, "/"),
        exp.RegexpReplace: lambda self, n: self.func("REGEXP_REPLACE", n.this, n.expression, n.args["replacement"]),
    }

    def identifier_sql(self, expression: exp.Identifier) -> str:
        """Write a name, a long one as its beginning and a hash of the whole."""
        expression.set("this", fitted(expression.name, BIGQUERY.max_identifier_length))
        return super().identifier_sql(expression)
