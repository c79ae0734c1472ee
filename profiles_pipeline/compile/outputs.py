"""Compiles what users read: cohorts, feature tables and feature views; and the SQL models they write."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from sqlglot import exp

from profiles_pipeline import sql
from profiles_pipeline.compile.audits import main_id_audits
from profiles_pipeline.compile.join_vars import column_of, home, joined
from profiles_pipeline.compile.rows import (
    alias,
    col,
    left_join,
    not_suppressed,
    placed,
    resolve_symbols,
    text,
    timestamp,
    visible_rows,
)
from profiles_pipeline.compile.statement import Audit, Compilation, Script, Statement, UniteRows, beside, create
from profiles_pipeline.errors import fail
from profiles_pipeline.names import VAR_TABLE
from profiles_pipeline.resolve.cohort_filters import filter_texts, sql_filter_text
from profiles_pipeline.resolve.features import features_in
from profiles_pipeline.resolve.model import Cohort, ColumnUnion, FeatureTable, FeatureView, SqlModel
from profiles_pipeline.resolve.readings import VarKey
from profiles_pipeline.spec.model import CohortFilter, FilterNode
from profiles_pipeline.sql import build
from profiles_pipeline.sql.rights import why_left_out

# --- cohorts ------------------------------------------------------------------------------------------------------


def compile_cohort(c: Compilation, model: Cohort, main_ids: exp.Expr | None = None) -> Script:
    """Return the script that makes a cohort: the main ids of its members.

    The cohort of all is every distinct main id of the graph. A filter pipeline starts with all members of the parent;
    ``include`` keeps those for which its condition holds, ``exclude`` drops those for which it holds, in order.

    Args:
        c: what to compile against.
        model: the cohort.
        main_ids: for the cohort of all, a query of the main ids where these are kept.
    """
    entity = c.project.entities[model.entity]
    relation = c.relation(model.path)
    kind = "table" if model.as_table else "view"
    if main_ids is not None:
        kind, query = "view", build("SELECT main_id AS :id FROM :people", id=entity.id_column, people=main_ids)
    elif model.parent is None:
        mappings = beside(c.relation(entity.stitcher), "_mappings")
        query = build("SELECT DISTINCT main_id AS :id FROM :mappings", id=entity.id_column, mappings=mappings)
    else:
        query = _members(c, model, entity.id_column)
    title = f"members of {model.name}"
    audits = main_id_audits(relation, entity.id_column)
    return Script(kind, (Statement(create(kind, relation, query), title),), audits)  # type: ignore[arg-type]


def _members(c: Compilation, model: Cohort, id_column: str) -> exp.Expr:
    keys: set[VarKey] = set()
    for condition in filter_texts(model):
        keys |= c.reader.expression(condition, model.path, "filter").vars
    rows = joined(c.relation(model.parent or ""), id_column, keys, lambda key: c.relation(home(c, key)))
    conditions = [_step(c, model, item, id_column) for item in model.pipeline]
    if model.expression is not None:
        conditions.append(_tree(c, model, model.expression))
    return build(
        "SELECT m.:id FROM :rows AS m WHERE :conditions",
        id=id_column,
        rows=rows,
        conditions=exp.and_(*conditions) if conditions else None,
    )


def _step(c: Compilation, model: Cohort, item: CohortFilter, id_column: str) -> exp.Expr:
    if item.value is not None:
        holds: exp.Expr = _condition(c, model, item.value)
    else:
        listed = placed(c, c.reader.query(sql_filter_text(item), model.path).tree)
        holds = exp.In(this=col(id_column, "m"), query=exp.Subquery(this=listed))
    return holds if item.type == "include" else build("NOT COALESCE(:holds, FALSE)", holds=holds)


def _tree(c: Compilation, model: Cohort, node: FilterNode) -> exp.Expr:
    if node.expression is not None:
        return _condition(c, model, node.expression)
    parts = [_tree(c, model, child) for child in (*node.AND, *node.OR)]
    if not parts:
        fail("missing-key", f"an empty filter in cohort '{model.name}'", node.span, hint="give it a condition")
    return exp.paren(exp.and_(*parts) if node.AND else exp.or_(*parts))


def _condition(c: Compilation, model: Cohort, condition: str) -> exp.Expr:
    def as_column(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and node.name.startswith("var:"):
            return col(column_of(c.reader.var_key(node.name.removeprefix("var:"))))
        return node

    tree = placed(c, c.reader.expression(condition, model.path, "filter").tree)
    return exp.paren(tree.transform(as_column))


# --- feature tables and views -------------------------------------------------------------------------------------


def compile_feature_table(c: Compilation, model: FeatureTable) -> Script:
    """Return the script that makes a feature table: main id, valid_at and the chosen features of a cohort."""
    relation = c.relation(model.path)
    id_column = _id_column(c, model.cohort)
    query = _features(c, model.cohort, model.features)
    title = f"{len(model.features)} features"
    return Script("table", (Statement(create("table", relation, query), title),), main_id_audits(relation, id_column))


def compile_feature_view(c: Compilation, model: FeatureView) -> Script:
    """Return the script that makes a feature view: all features, keyed by main id or by an id type."""
    relation = c.relation(model.path)
    if model.id_type is None:
        shown = features_in(c.project).of(model.cohort).values() if model.features is None else model.features
        query = _features(c, model.cohort, shown)
        return Script(
            "view",
            (Statement(create("view", relation, query), "feature view"),),
            main_id_audits(relation, _id_column(c, model.cohort)),
        )
    cohort = c.graph.models[model.cohort]
    assert isinstance(cohort, Cohort)
    assert model.base is not None
    query = build(
        """
        SELECT g.other_id AS :id_type, f.*
        FROM :graph AS g JOIN :features AS f ON f.:id = g.:id
        WHERE g.other_id_type = :type
        """,
        id_type=model.id_type,
        graph=c.relation(c.project.entities[cohort.entity].stitcher),
        features=c.relation(model.base),
        id=_id_column(c, model.cohort),
        type=text(model.id_type),
    )
    unique = Audit(
        "id_unique",
        build("SELECT COUNT(*) - COUNT(DISTINCT :id) FROM :view", id=model.id_type, view=relation),
        f"No {model.id_type} has two rows.",
    )
    return Script("view", (Statement(create("view", relation, query), f"features by {model.id_type}"),), (unique,))


def _id_column(c: Compilation, cohort_path: str) -> str:
    cohort = c.graph.models[cohort_path]
    assert isinstance(cohort, Cohort)
    return c.project.entities[cohort.entity].id_column


def _features(c: Compilation, cohort: str, names: Collection[str]) -> exp.Expr:
    """Return main id, valid_at and the named features; each is read from the model that has it.

    Vars are read from the cohort's own var table where it has them, so that inherited ones cost no further join.
    """
    id_column = _id_column(c, cohort)
    final = f"{cohort}/{VAR_TABLE}"
    owned: dict[str, list[exp.Expr]] = {}
    for name in names:
        owned.setdefault(_home_of(c, cohort, name), []).append(col(name))
    homes = sorted(owned, key=lambda path: path != final)
    has_everybody = bool(homes) and (homes[0].endswith(VAR_TABLE) or homes[0].startswith(f"{final}/part_"))
    base, others = (homes[0], homes[1:]) if has_everybody else (cohort, homes)
    query = exp.select(col(id_column, "f"), alias(timestamp(c), "valid_at")).from_(_as(c.relation(base), "f"))
    aliases = {base: "f"}
    for number, path in enumerate(others):
        aliases[path] = f"f{number}"
        on = exp.EQ(this=col(id_column, aliases[path]), expression=col(id_column, "f"))
        left_join(query, _as(c.relation(path), aliases[path]), on)
    return query.select(*(col(name, aliases[_home_of(c, cohort, name)]) for name in names))


def _as(relation: exp.Table, name: str) -> exp.Expr:
    return exp.alias_(relation.copy(), name, table=True)


def _home_of(c: Compilation, cohort: str, name: str) -> str:
    """Return the path of the model to read a feature of a cohort from: the smallest that has it.

    A feature table that needs only an early part of a var table must not wait for the whole.
    """
    key = c.reader.var_key(f"{cohort}/{name}")
    found = home(c, key)
    if key[0] != cohort and key in c.graph.var_homes:
        return f"{cohort}/{VAR_TABLE}"
    return found


# --- SQL models ---------------------------------------------------------------------------------------------------


def compile_sql_model(c: Compilation, model: SqlModel) -> Script:
    """Return the script that makes a SQL model.

    An ephemeral model becomes a view that no plain name points at: it costs nothing and can be looked into.
    """
    relation = c.relation(model.path)
    if isinstance(model, ColumnUnion):
        return _united(c, model, relation)
    if model.spec.single_sql is not None:
        kind = "table" if model.output == "table" else "view"
        tree = _without_suppressed(
            c, model, _named(c, c.reader.query(model.spec.single_sql, model.path).tree, relation)
        )
        made = Statement(create(kind, relation, tree), f"SQL model {model.name}")  # type: ignore[arg-type]
        return Script(kind, (made,), _feature_audits(c, model, relation))  # type: ignore[arg-type]
    read = c.reader.statements(model.spec.multi_sql or "", model.path)
    readings = [reading for reading in read if why_left_out(reading.tree, c.reader.target) is None]
    own = frozenset(name for reading in readings if (name := _created(reading.tree)))
    steps = tuple(
        Statement(_named(c, reading.tree, relation, own), f"statement {number} of {model.name}")
        for number, reading in enumerate(readings, start=1)
    )
    return Script("table", (*steps, *_suppressed_taken_out(c, model, relation)), _feature_audits(c, model, relation))


def _without_suppressed(c: Compilation, model: SqlModel, tree: exp.Expr) -> exp.Expr:
    """Return the rows of a query of which none is of somebody who was forgotten.

    It may read tables that are no inputs, whose rows nobody has looked at before.
    """
    if (stays := not_suppressed(c, model)) is None:
        return tree
    return build("SELECT * FROM :rows AS source_rows WHERE :stays", rows=tree, stays=stays)


def _suppressed_taken_out(c: Compilation, model: SqlModel, relation: exp.Table) -> tuple[Statement, ...]:
    """Return the statement that takes the rows of those who were forgotten out of what several statements made."""
    if (stays := not_suppressed(c, model)) is None:
        return ()
    gone = build("DELETE FROM :table WHERE NOT :stays", table=relation, stays=stays)
    return (Statement(gone, f"rows of those who were forgotten, out of {model.name}"),)


def _united(c: Compilation, model: ColumnUnion, relation: exp.Table) -> Script:
    kind: Literal["table", "view"] = "table" if model.output == "table" else "view"
    queries = tuple(visible_rows(c, c.graph.models[path]) for path in model.united)
    step = UniteRows(queries, kind, relation, f"rows of {len(queries)} models, common columns")
    return Script(kind, (step,), _feature_audits(c, model, relation))


def _feature_audits(c: Compilation, model: SqlModel, relation: exp.Table) -> tuple[Audit, ...]:
    """Return the audit of a SQL model whose columns are features: no main id has two rows; rows of nobody are many."""
    if model.cohort is None or model.cohort not in c.graph.models:  # its features are then nobody's
        return ()
    tree = build("SELECT COUNT(:id) - COUNT(DISTINCT :id) FROM :table", id=_id_column(c, model.cohort), table=relation)
    return (Audit("main_id_unique", tree, "No main id has two rows."),)


def _created(statement: exp.Expr) -> str | None:
    """Return the lower-case name without a schema of the table or view that a statement creates, if it does."""
    target = statement.find(exp.Table) if isinstance(statement, exp.Create) else None
    return target.name.lower() if target is not None and not target.db else None


def _named(c: Compilation, tree: exp.Expr, relation: exp.Table, own: frozenset[str] = frozenset()) -> exp.Expr:
    """Return the user's SQL with models, and tables that are no models, replaced by where they are found.

    Tables named in `own` are made by the statements themselves and keep their names.
    """

    def this(node: exp.Expr) -> exp.Expr:
        return relation.copy() if isinstance(node, exp.Table) and node.name == "ref:this" else node

    outside = {id(table) for table in sql.external_tables(tree)}
    found = [table for table in tree.find_all(exp.Table) if id(table) in outside]
    for table in [table for table in found if table.db or table.name.lower() not in own]:
        table.replace(c.outside(table))
    statement = tree.transform(this)
    if isinstance(statement, exp.Create) and statement.find(exp.Table) == relation:
        statement.set("replace", True)  # an unfinished run or a forced one may have left the relation behind
    return resolve_symbols(c, statement)
