"""The SQL texts in the filters of cohorts."""

from __future__ import annotations

from collections.abc import Iterator

from profiles_pipeline.resolve.model import Cohort
from profiles_pipeline.spec.model import CohortFilter, FilterNode, Text


def filter_texts(cohort: Cohort) -> Iterator[Text]:
    """Yield every SQL condition of a cohort's own filters."""
    yield from (item.value for item in cohort.pipeline if item.value is not None)
    if cohort.expression is not None:
        yield from _leaves(cohort.expression)


def sql_filter_text(item: CohortFilter) -> str:
    """Return the query that lists the main ids an SQL filter keeps or drops."""
    assert item.sql is not None
    where = f" where {item.sql.where}" if item.sql.where else ""
    return f"select {item.sql.select} from {item.sql.from_}{where}"


def _leaves(node: FilterNode) -> Iterator[Text]:
    if node.expression is not None:
        yield node.expression
    for child in (*node.AND, *node.OR):
        yield from _leaves(child)
