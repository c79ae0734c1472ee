"""Sample rows for any project: which tables it reads, what they must look like, and files that look like it."""

from profiles_pipeline.sample.coverage import EmptyColumn, coverage
from profiles_pipeline.sample.schema import ColumnSchema, TableSchema, infer
from profiles_pipeline.sample.writing import Size, WrittenTable, write

__all__ = ["ColumnSchema", "EmptyColumn", "Size", "TableSchema", "WrittenTable", "coverage", "infer", "write"]
