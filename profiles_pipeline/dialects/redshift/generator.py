"""The text of trees that Redshift understands."""

from __future__ import annotations

from typing import ClassVar

from sqlglot import exp
from sqlglot.generators.redshift import RedshiftGenerator

from profiles_pipeline.dialects.capabilities import REDSHIFT
from profiles_pipeline.dialects.folding import fitted
from profiles_pipeline.dialects.spoken import named

CALLS = named(
    """
    ALL AND ANY AS BETWEEN BY CASE DECIMAL DISTINCT ELSE EXCEPT EXCLUDE EXISTS FROM GROUP IN INTERSECT JOIN LIKE NOT
    NUMERIC ON OR OVER SELECT THEN UNION USING VALUES VARCHAR WHEN WHERE WITHIN

    ABS ACOS ANY_VALUE ARRAY ARRAY_CONCAT ASIN ATAN ATAN2 AVG BOOL_AND BOOL_OR CAST CBRT CEIL CHR COALESCE CONCAT COS
    COT COUNT CUME_DIST DATEADD DATEDIFF DATE_TRUNC DEGREES DENSE_RANK EXP EXTRACT FIRST_VALUE FLOOR
    GET_ARRAY_LENGTH GREATEST INITCAP IS_VALID_JSON IS_VALID_JSON_ARRAY JSON_ARRAY_LENGTH
    JSON_EXTRACT_ARRAY_ELEMENT_TEXT JSON_EXTRACT_PATH_TEXT JSON_PARSE JSON_SERIALIZE JSON_TYPEOF LAG LAST_DAY
    LAST_VALUE LEAD LEAST LEFT LENGTH LISTAGG LN LOG LOWER LPAD LTRIM MAX MD5 MIN MOD NTH_VALUE NTILE NULLIF OBJECT
    OCTET_LENGTH PERCENTILE_CONT PERCENTILE_DISC PERCENT_RANK PI POWER RADIANS RANDOM RANK REGEXP_INSTR
    REGEXP_REPLACE REGEXP_SUBSTR REPEAT REPLACE REVERSE RIGHT ROUND ROW_NUMBER RPAD RTRIM SHA SHA1 SHA2 SIGN SIN
    SPLIT_PART SPLIT_TO_ARRAY SQRT STDDEV STDDEV_POP STDDEV_SAMP STRPOS SUBARRAY SUBSTRING SUM TAN TO_CHAR TO_TIMESTAMP
    TRANSLATE TRIM TRUNC TRY_CAST UPPER VARIANCE VAR_POP VAR_SAMP
    """
)
"""What may stand before a parenthesis: words of the language, and functions that mean what they mean elsewhere."""


class RedshiftText(RedshiftGenerator):
    """What the rewrites have said is written as it stands, without what sqlglot would add for other origins."""

    TRANSFORMS: ClassVar = {
        **RedshiftGenerator.TRANSFORMS,
        exp.Div: lambda self, node: self.binary(node, "/"),
        exp.Substring: lambda self, node: self.func(
            "SUBSTRING", node.this, node.args.get("start"), node.args.get("length")
        ),
    }

    def create_sql(self, expression: exp.Create) -> str:
        """Write CREATE OR REPLACE of tables and views as what it means; there is none of tables."""
        kind = str(expression.args.get("kind"))
        if not expression.args.get("replace") or kind not in ("TABLE", "VIEW"):
            return super().create_sql(expression)
        expression.set("replace", False)
        made = super().create_sql(expression)
        return f"DROP {kind} IF EXISTS {self.sql(expression, 'this')} CASCADE;\n{made}"

    def identifier_sql(self, expression: exp.Identifier) -> str:
        """Write a name, a long one as its beginning and a hash of the whole."""
        expression.set("this", fitted(expression.name, REDSHIFT.max_identifier_length))
        return super().identifier_sql(expression)
