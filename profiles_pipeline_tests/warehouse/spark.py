"""A local Spark session that stands for Databricks SQL: the same statements, but for what Spark alone does not have."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from profiles_pipeline.warehouse.base import Column, Rows

if TYPE_CHECKING:
    import pyarrow
    from pyspark.sql import SparkSession

_MADE = re.compile(r"CREATE OR REPLACE (TEMPORARY )?TABLE (\S+) AS\b", re.ASCII)


def missing() -> str:
    """Why there can be no session; nothing when there can."""
    if shutil.which("java") is None:
        return "there is no Java for Spark: on Debian, apt-get install openjdk-17-jre-headless"
    try:
        import pyspark  # noqa: F401, PLC0415 - loads slowly
    except ImportError:
        return "pyspark is not installed: pip install pyspark"
    return ""


@contextmanager
def session(folder: Path) -> Iterator[SparkSession]:
    """A session in UTC whose tables lie in a folder."""
    from pyspark.sql import SparkSession  # noqa: PLC0415 - loads slowly

    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.scripting.enabled": "true",
        "spark.sql.shuffle.partitions": "1",
        "spark.default.parallelism": "1",
        "spark.sql.warehouse.dir": str(folder / "tables"),
        "spark.sql.timestampType": "TIMESTAMP_LTZ",
        "spark.ui.enabled": "false",
        "spark.driver.memory": "1g",
        "spark.sql.sources.default": "parquet",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
    }
    builder = SparkSession.builder.master("local[1]").appName("profiles")
    for name, value in settings.items():
        builder = builder.config(name, value)
    opened = builder.getOrCreate()
    opened.sparkContext.setLogLevel("ERROR")
    try:
        yield opened
    finally:
        opened.stop()


@dataclass
class Spark:
    """What a script needs of a warehouse.

    Attributes:
        otherwise: statements that Databricks SQL has and Spark does not, and how often each was said otherwise.
    """

    session: SparkSession
    dialect: str = "databricks"
    external_access: bool = False
    otherwise: dict[str, int] = field(default_factory=dict)

    def execute(self, sql: str, params: Sequence[object] | None = None) -> None:  # noqa: ARG002 - none are given
        """Run a statement; what cannot be replaced is dropped first, and no table is temporary."""
        made, found = _MADE.subn(self._said, sql)
        is_script = not found or made.startswith("BEGIN")
        for statement in [made] if is_script else made.split(";\n", 1):
            self.session.sql(statement)

    def _said(self, made: re.Match[str]) -> str:
        """The two statements that make a table anew where none replaces it."""
        kind = "CREATE OR REPLACE TEMPORARY TABLE" if made[1] else "CREATE OR REPLACE TABLE"
        self.otherwise[kind] = self.otherwise.get(kind, 0) + 1
        return f"DROP TABLE IF EXISTS {made[2]};\nCREATE TABLE {made[2]} AS"

    def query(self, sql: str, params: Sequence[object] | None = None) -> Rows:  # noqa: ARG002 - none are given
        """Return the whole result."""
        found = self.session.sql(sql)
        types = tuple(kind for _, kind in found.dtypes)
        return Rows(tuple(found.columns), types, [tuple(row) for row in found.collect()])

    def scalar(self, sql: str, params: Sequence[object] | None = None) -> object:
        """Return the first column of the first row."""
        rows = self.query(sql, params).rows
        return rows[0][0] if rows else None

    def describe(self, select_sql: str) -> tuple[Column, ...]:
        """Return the columns of a query."""
        return tuple(Column(name, kind) for name, kind in self.session.sql(select_sql).dtypes)

    def load(self, table: str, rows: pyarrow.Table) -> None:
        """Make a table of a name with a schema."""
        schema, _, _ = table.rpartition(".")
        self.session.sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        self.session.createDataFrame(rows).write.mode("overwrite").saveAsTable(table)
