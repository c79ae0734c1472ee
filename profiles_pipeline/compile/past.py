"""The SQL of what has changed since an earlier window."""

from __future__ import annotations

from sqlglot import exp

from profiles_pipeline.sql import build


def moved_ids(before: exp.Expr, now: exp.Expr) -> exp.Expr:
    """Return the main ids that have become others, by the mappings of two windows; an id that is new is no move."""
    return build(
        """
        SELECT DISTINCT o.main_id AS old_main_id, n.main_id AS new_main_id
        FROM :before AS o JOIN :now AS n ON n.other_id = o.other_id AND n.other_id_type = o.other_id_type
        WHERE o.main_id <> n.main_id
        """,
        before=before,
        now=now,
    )


def no_moved_ids() -> exp.Expr:
    """Return what `moved_ids` returns where there is no earlier window."""
    return build("SELECT CAST(NULL AS TEXT) AS old_main_id, CAST(NULL AS TEXT) AS new_main_id WHERE FALSE")
