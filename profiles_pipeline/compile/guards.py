"""Guards: checks that the pipeline.yaml of a project asks for, of what may not happen to a result from run to run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from profiles_pipeline.compile.rows import moment, occurred, text, visible_rows
from profiles_pipeline.compile.statement import Audit, Compilation, beside
from profiles_pipeline.errors import Severity
from profiles_pipeline.names import safe_identifier
from profiles_pipeline.resolve.model import Input, Model, Stitcher
from profiles_pipeline.spec.pipeline import ChecksSpec
from profiles_pipeline.sql import build


@dataclass(frozen=True, slots=True)
class Before:
    """The material that the last run made of a model.

    Attributes:
        relation: the material.
        rows: how many it had; None when nobody counted.
    """

    relation: exp.Table
    rows: int | None


ANY_BEFORE = Before(exp.table_("before"), 1)
NO_COUNT = exp.Literal.number(0)
"""Stand for the last run, and for counting, where only the names of guards are asked for."""


def guards(
    c: Compilation, checks: ChecksSpec, model: Model, count: exp.Expr, before: Before | None
) -> tuple[Audit, ...]:
    """Return the guards of a model.

    Args:
        c: what the model is compiled against.
        checks: what may not happen.
        model: the model.
        count: query that counts its rows.
        before: what the last run made of it; without that nothing is compared.
    """
    severity: Severity = "error" if checks.severity == "error" else "warning"
    found = [*_of_inputs(c, checks, model)]
    if isinstance(model, Stitcher):
        found += _of_clusters(c, checks, model)
        found += _of_main_ids(c, checks, model, before)
    found += _of_rows(checks, count, before)
    return tuple(Audit(name, tree, description, severity) for name, tree, description in found)


Guard = tuple[str, exp.Expr, str]
"""Name, query of how many break the rule, and the rule."""


def _of_clusters(c: Compilation, checks: ChecksSpec, model: Stitcher) -> Iterator[Guard]:
    mappings = beside(c.relation(model.path), "_mappings")
    entity = c.project.entities[model.entity].name
    clusters = """
        SELECT COUNT(*) FROM (
            SELECT main_id FROM :mappings WHERE :condition GROUP BY main_id HAVING COUNT(*) > :most
        ) AS too_large
    """
    if checks.largest_cluster is not None:
        most = exp.Literal.number(checks.largest_cluster)
        tree = build(clusters, mappings=mappings, condition=exp.true(), most=most)
        yield "largest_cluster", tree, f"No {entity} has more than {checks.largest_cluster} ids."
    for id_type, limit in checks.ids_per_type.items():
        own = next((t for t in c.project.id_types if t.lower() == id_type.lower()), id_type)
        if own in c.project.entities[model.entity].id_types:
            of_type = build("other_id_type = :type", type=text(own))
            tree = build(clusters, mappings=mappings, condition=of_type, most=exp.Literal.number(limit))
            yield f"ids_per_type_{safe_identifier(own)}", tree, f"No {entity} has more than {limit} ids of type {own}."


def _of_main_ids(c: Compilation, checks: ChecksSpec, model: Stitcher, before: Before | None) -> Iterator[Guard]:
    if checks.changed_main_ids is None or before is None:
        return
    tree = build(
        """
        SELECT CASE WHEN changed > :share * known THEN changed ELSE 0 END FROM (
            SELECT COUNT(*) AS known, COUNT(*) FILTER (old.main_id <> now.main_id) AS changed
            FROM :old AS old JOIN :now AS now ON now.other_id = old.other_id AND now.other_id_type = old.other_id_type
        ) AS counted
        """,
        share=exp.Literal.number(checks.changed_main_ids),
        old=beside(before.relation, "_mappings"),
        now=beside(c.relation(model.path), "_mappings"),
    )
    share = _percent(checks.changed_main_ids)
    yield "changed_main_ids", tree, f"Of the ids of the last run, no more than {share} have another main id now."


def _of_rows(checks: ChecksSpec, count: exp.Expr, before: Before | None) -> Iterator[Guard]:
    if checks.row_count_change is None or before is None or not before.rows:
        return
    tree = build(
        """
        SELECT CASE WHEN ABS(n - :before) > :share * :before THEN ABS(n - :before) ELSE 0 END
        FROM (SELECT (:count) AS n) AS counted
        """,
        before=exp.Literal.number(before.rows),
        share=exp.Literal.number(checks.row_count_change),
        count=count,
    )
    share = _percent(checks.row_count_change)
    yield "row_count_change", tree, f"There are at most {share} more or fewer rows than after the last run."


def _of_inputs(c: Compilation, checks: ChecksSpec, model: Model) -> Iterator[Guard]:
    """Yield a guard for each input that no model before this one reads."""
    if checks.freshness is None:
        return
    oldest = (c.reader.end_time - checks.freshness).replace(tzinfo=None)
    for path in c.graph.parents[model.path]:
        source = c.graph.models[path]
        first = next(other for other, parents in c.graph.parents.items() if path in parents)
        if not isinstance(source, Input) or source.occurred_at is None or source.csv is not None or first != model.path:
            continue
        tree = build(
            "SELECT CASE WHEN MAX(:time) >= :oldest THEN 0 ELSE 1 END FROM :rows AS r",
            time=occurred(c, source.occurred_at, path),
            oldest=moment(oldest.isoformat(sep=" ")),
            rows=visible_rows(c, source),
        )
        hours = f"{checks.freshness.total_seconds() / 3600:g} hours"
        yield (
            f"freshness_{safe_identifier(source.name)}",
            tree,
            f"The newest row of {source.name} is from the last {hours}.",
        )


def _percent(share: float) -> str:
    return f"{share * 100:g} %"
