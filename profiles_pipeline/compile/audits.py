"""Audits that several kinds of models share."""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline.compile.statement import Audit
from profiles_pipeline.sql import build


def main_id_audits(relation: exp.Table, id_column: str) -> tuple[Audit, ...]:
    """Return the audits of every table keyed by a main id: not null, and each once."""
    return (
        Audit(
            "main_id_not_null",
            build("SELECT COUNT(*) FROM :table WHERE :id IS NULL", table=relation, id=id_column),
            "Every row has a main id.",
        ),
        Audit(
            "main_id_unique",
            build("SELECT COUNT(*) - COUNT(DISTINCT :id) FROM :table", table=relation, id=id_column),
            "No main id has two rows.",
        ),
    )
