"""The text of trees that Databricks SQL understands."""

from __future__ import annotations

from typing import ClassVar

from sqlglot import exp
from sqlglot.generators.databricks import DatabricksGenerator

from profiles_pipeline.dialects.capabilities import DATABRICKS
from profiles_pipeline.dialects.folding import fitted
from profiles_pipeline.dialects.spoken import named

CALLS = named(
    """
    ALL AND ANY AS BETWEEN BY CASE DECIMAL DISTINCT ELSE EXCEPT EXISTS FILTER FROM IN INTERSECT JOIN LATERAL NOT
    ON OR OVER RLIKE SELECT THEN UNION USING VALUES WHEN WHERE

    ABS ACOS ANY_VALUE APPROX_COUNT_DISTINCT ARRAY ARRAYS_OVERLAP ARRAY_AGG ARRAY_APPEND ARRAY_CONTAINS
    ARRAY_DISTINCT ARRAY_JOIN ARRAY_SORT ASIN ATAN ATAN2 BASE64 BOOL_AND BOOL_OR CAST CBRT CEIL CHR COALESCE
    COLLECT_LIST COLLECT_SET CONCAT CONCAT_WS CONTAINS CORR COS COT COUNT COUNT_IF COVAR_POP COVAR_SAMP CUME_DIST
    CURRENT_TIMESTAMP DATE_FORMAT DATE_TRUNC DAY DAYOFMONTH DAYOFWEEK DAYOFYEAR DEGREES DENSE_RANK ENDSWITH EXP
    EXPLODE EXTRACT FILTER FIRST_VALUE FLATTEN FLOOR GET GREATEST GROUP GROUPING HEX HOUR IF
    INITCAP ISNAN KURTOSIS LAG LAST_DAY LAST_VALUE LEAD LEAST LEFT LENGTH LEVENSHTEIN LISTAGG LN LOCATE LOG
    LOG10 LOG2 LOWER LPAD LTRIM MAKE_DATE MAP_FROM_ARRAYS MAP_FROM_ENTRIES MAP_KEYS MAP_VALUES MAX MAX_BY MD5
    MEDIAN MIN MINUTE MIN_BY MOD MODE MONTH NAMED_STRUCT NTH_VALUE NTILE NULLIF OCTET_LENGTH PARSE_JSON
    PERCENTILE_CONT PERCENTILE_DISC PERCENT_RANK PI POSEXPLODE POSITION POWER QUARTER RADIANS RAND RANK
    REGEXP_EXTRACT REGEXP_EXTRACT_ALL REGEXP_LIKE REGEXP_REPLACE REPEAT REPLACE REVERSE RIGHT ROUND ROW_NUMBER
    RPAD RTRIM SCHEMA_OF_VARIANT SECOND SEQUENCE SHA SHA1 SHA2 SIGN SIN SIZE SKEWNESS SLICE SORT_ARRAY SPLIT
    SPLIT_PART SQRT STARTSWITH STDDEV STDDEV_POP STDDEV_SAMP STRUCT SUBSTR SUBSTRING SUM TAN TIMESTAMPADD
    TIMESTAMPDIFF TIMESTAMP_MICROS TO_JSON TO_TIMESTAMP TO_VARIANT_OBJECT TRANSFORM TRANSLATE TRIM TRUNC TRY_CAST
    TRY_PARSE_JSON TRY_TO_TIMESTAMP TRY_VARIANT_GET TYPEOF UNIX_MICROS UNIX_MILLIS UPPER URL_DECODE VARIANCE
    VARIANT_EXPLODE VAR_POP VAR_SAMP WEEKDAY WEEKOFYEAR WITHIN YEAR ZIP_WITH
    """
)
"""What may stand before a parenthesis: words of the language, and functions that mean what they mean elsewhere."""


class DatabricksText(DatabricksGenerator):
    """What the rewrites have said is written as it stands, without what sqlglot would add for other origins."""

    TRANSFORMS: ClassVar = {
        **{node: said for node, said in DatabricksGenerator.TRANSFORMS.items() if node is not exp.Create},
        exp.Div: lambda self, node: self.binary(node, "/"),
    }

    def create_sql(self, expression: exp.Create) -> str:
        """Write temporary tables as such: they are views to sqlglot, computed again whenever they are read."""
        if expression.args.get("kind") != "TABLE" or not expression.find(exp.TemporaryProperty):
            return super().create_sql(expression)
        replace = "OR REPLACE " if expression.args.get("replace") else ""
        query = self.sql(expression, "expression")
        return f"CREATE {replace}TEMPORARY TABLE {self.sql(expression, 'this')} AS{self.sep()}{query}"

    def identifier_sql(self, expression: exp.Identifier) -> str:
        """Write a name, a long one as its beginning and a hash of the whole."""
        expression.set("this", fitted(expression.name, DATABRICKS.max_identifier_length))
        return super().identifier_sql(expression)
