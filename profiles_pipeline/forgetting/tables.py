"""The tables of a project in its output schema, and the rows of people in them. Views show these tables alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from profiles_pipeline import cleanup, versions
from profiles_pipeline.compile.accumulators import LATER
from profiles_pipeline.compile.rows import moment, not_suppressed, text
from profiles_pipeline.compile.session_carried import TO
from profiles_pipeline.compile.versioned import OPEN, UNTIL
from profiles_pipeline.dialects import render, spelled
from profiles_pipeline.forgetting.people import is_among
from profiles_pipeline.forgetting.requests import Id
from profiles_pipeline.names import KEPT_PARTS
from profiles_pipeline.publish.ledger import published_names
from profiles_pipeline.publish.standing import key_columns
from profiles_pipeline.registry import Material
from profiles_pipeline.resolve.model import SqlModel
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.resolve.session_models import SessionTable
from profiles_pipeline.session import Session
from profiles_pipeline.sql import build

SHORT = 4
"""Identifiers of fewer characters are looked for in columns of identifiers only: elsewhere they mean other things."""

_SIDE_TABLES = ("", "__changes", "__rejects", "__dead_letters")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the output schema.

    Attributes:
        columns: name -> type, in lower case.
        seq_no: the run that it is of; None for one that is kept from run to run, or published.
        material: what the registry knows of the material that it is; None for tables beside one, and all others.
        excepted: the condition of rows that are to be there, although they name people: deletions to be read.
    """

    name: str
    columns: Mapping[str, str]
    seq_no: int | None = None
    material: Material | None = None
    excepted: str | None = None


@dataclass(frozen=True, slots=True)
class Whom:
    """Whom to look for.

    Attributes:
        ids: all their identifiers.
        own: the main ids that are nobody else's.
        ever: those and the ones that they had together with somebody who has them now.
        by_run: number of a run -> the main ids that they had in it.
    """

    ids: tuple[Id, ...]
    own: frozenset[str]
    ever: frozenset[str]
    by_run: Mapping[int, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Left:
    """Where something of people is left: how many rows of a table have it in a column."""

    table: str
    column: str
    rows: int


def built_tables(session: Session) -> tuple[Table, ...]:
    """Return the tables of all runs of a project, and those kept from run to run."""
    project, registry = session.project.name, session.registry
    numbers = {each.number for each in registry.seq_nos(project)}
    materials = {each.name.lower(): each for each in registry.materials() if each.seq_no in numbers}
    held = {f"{each.name}{suffix}".lower() for each in registry.held(project) for suffix in KEPT_PARTS}
    short = cleanup.shortened(session, registry.entries())
    found = []
    for name, columns in _columns(session).items():
        match = cleanup.MATERIAL_RELATION.fullmatch(name)
        if (material := materials.get(short.get(name, ""))) is not None:
            is_it = name == spelled(material.name, session.warehouse.dialect)
            found.append(Table(name, columns, material.seq_no, material if is_it else None))
        elif match and int(match["seq_no"]) in numbers:
            found.append(Table(name, columns, int(match["seq_no"]), materials.get(name.lower())))
        elif name.lower() in held:
            found.append(Table(name, columns))
    return tuple(found)


def published_tables(session: Session) -> tuple[Table, ...]:
    """Return the tables of all publishers that a project has, and of those that it had."""
    warehouse, project = session.warehouse, session.project
    names = {*published_names(warehouse, session.output.schema, project.name), *(p.name for p in project.publishers)}
    own = {
        spelled(f"{name}{suffix}", warehouse.dialect).lower(): suffix
        for name in sorted(names)
        for suffix in _SIDE_TABLES
    }
    found = []
    for name, columns in _columns(session).items():
        if (suffix := own.get(name.lower())) is not None:
            marks = suffix == "" and "deleted_at" in {column.lower() for column in columns}
            excepted = "NOT deleted_at IS NULL" if marks else "op = 'D'" if suffix == "__changes" else None
            found.append(Table(name, columns, excepted=excepted))
    return tuple(found)


def _columns(session: Session) -> Mapping[str, Mapping[str, str]]:
    """Return the tables of the output schema, views aside: name -> column -> type in lower case."""
    warehouse, schema = session.warehouse, session.output.schema
    views = warehouse.views(schema)
    rows = warehouse.query(
        """SELECT table_name, column_name, data_type FROM information_schema.columns
        WHERE table_catalog = CURRENT_DATABASE() AND LOWER(table_schema) = LOWER(?)
        ORDER BY table_name, ordinal_position""",
        [schema],
    ).rows
    found: dict[str, dict[str, str]] = {}
    for table, column, type_name in rows:
        if str(table) not in views:
            found.setdefault(str(table), {})[str(column)] = str(type_name).lower()
    return found


# --- taking out ---------------------------------------------------------------------------------------------------


def take_out(session: Session, whom: Whom, note: Callable[[Mapping[str, int]], None]) -> None:
    """Take the rows of people out of everything that was built; all go, or none.

    `note` is told table -> number of rows within the transaction.
    """
    taken: dict[str, int] = {}
    with session.warehouse.transaction():
        with session.registry.changing_held(session.project.name):
            for table in built_tables(session):
                condition = _rows_of(session, table, whom)
                if condition is not None and (rows := deleted(session, _relation(session, table), condition)):
                    taken[table.name] = rows
        note(taken)


def deleted(session: Session, table: exp.Table, condition: exp.Expr) -> int:
    """Delete the rows of a table for which a condition holds; return how many there were."""
    count = build("SELECT COUNT(*) FROM :table AS t WHERE :rows", table=table, rows=condition)
    found = int(str(session.warehouse.scalar(render(count, session.warehouse.dialect))))
    if found:
        gone = build("DELETE FROM :table WHERE :rows", table=table, rows=condition)
        session.warehouse.execute(render(gone, session.warehouse.dialect))
    return found


def _rows_of(session: Session, table: Table, whom: Whom) -> exp.Expr | None:
    """Return the condition of the rows of people in a table; None where there can be none.

    What holds now is left to runs: they find out by themselves that rows are not there any more.
    """
    texts = [name for name, type_name in table.columns.items() if _is_text(type_name)]
    parts = [is_among(whom.ids, pair) for pair in _pairs(table)]
    if table.seq_no is None:
        parts += _among(texts, whom.own)
        if (closed := _is_closed(table)) is not None:
            parts += [exp.and_(closed.copy(), one) for one in _among(texts, whom.ever)]
    else:
        parts += _among(texts, whom.by_run.get(table.seq_no, whom.ever))
    if table.material is not None:
        parts += _of_model(session, table.material, table.columns, whom)
    return exp.or_(*parts) if parts else None


def _of_model(session: Session, material: Material, columns: Mapping[str, str], whom: Whom) -> Iterator[exp.Expr]:
    """Yield conditions of rows that only the model of a material can tell."""
    model = session.project.graph.models.get(material.model_path)
    if isinstance(model, SessionTable):  # published sessions go by the identifiers themselves
        yield from _among((n for n, type_name in columns.items() if _is_text(type_name)), {i.value for i in whom.ids})
    elif isinstance(model, SqlModel) and session.project.fingerprints[model.path] == material.fingerprint:
        reader = Reader(session.project.project, material.end, bound=False)
        c = replace(versions.symbolic(session.project.graph, reader), suppressed=session.sources.suppressed())
        if (stays := not_suppressed(c, model)) is not None:
            yield exp.not_(stays)
    if isinstance(model, SqlModel) and not model.ids:  # it says of no row whose it is: the names of columns tell
        yield from _are_called_so(session, columns, {each.value for each in whom.ids})


def _are_called_so(session: Session, columns: Mapping[str, str], values: Iterable[str]) -> Iterator[exp.Expr]:
    """Yield conditions that a column whose name is one of identifiers has one of some values, as a number or a text."""
    listed, known = [text(each) for each in sorted(values)], _id_columns(session)
    for name, type_name in columns.items():
        if name.lower() in known and not _is_nested(type_name):
            yield build("CAST(:c AS VARCHAR) IN (:values)", c=name, values=listed)


def _pairs(table: Table) -> list[tuple[str, str]]:
    """Return the pairs of columns that have an identifier and its type."""
    known = {name.lower(): name for name in table.columns}
    return [(name, known[f"{name.lower()}_type"]) for name in table.columns if f"{name.lower()}_type" in known]


def _is_closed(table: Table) -> exp.Expr | None:
    """Return the condition that a row holds for earlier runs alone; None for a table that has what holds now only."""
    known = {name.lower() for name in table.columns}
    if UNTIL in known:
        return build(":until <> :open", until=UNTIL, open=exp.Literal.number(OPEN))
    return build(":to <> :never", to=TO, never=moment(LATER)) if TO in known else None


def _among(columns: Iterable[str], values: Iterable[str]) -> list[exp.Expr]:
    listed = [text(each) for each in sorted(values)]
    return [build(":c IN (:values)", c=name, values=listed) for name in columns] if listed else []


def _is_text(type_name: str) -> bool:
    return ("char" in type_name or "text" in type_name) and not _is_nested(type_name)


def _is_nested(type_name: str) -> bool:
    return any(part in type_name for part in ("[]", "struct", "map(", "json", "array", "variant", "object"))


# --- looking whether anything is left -----------------------------------------------------------------------------


def what_is_left(session: Session, whom: Whom) -> tuple[Left, ...]:
    """Return where anything of people is left in the tables of a project, those of its publishers included.

    Every column is looked through that can hold a text: for the identifiers and main ids as its value, and as a value
    inside of documents and lists.
    """
    needles = sorted({each.value for each in whom.ids} | whom.own)
    id_columns = _id_columns(session)
    left = []
    for table in (*built_tables(session), *published_tables(session)):
        conditions = {
            name: condition
            for name, type_name in table.columns.items()
            if (condition := _has_one(name, type_name, needles, name.lower() in id_columns)) is not None
        }
        if not conditions:
            continue
        counts = [build("COUNT(CASE WHEN :has THEN 1 END)", has=condition) for condition in conditions.values()]
        where = build(f"NOT COALESCE({table.excepted}, FALSE)") if table.excepted else None
        query = build(
            "SELECT :counts FROM :table AS t WHERE :where", counts=counts, table=_relation(session, table), where=where
        )
        row = session.warehouse.query(render(query, session.warehouse.dialect)).rows[0]
        left += [Left(table.name, n, int(str(v))) for n, v in zip(conditions, row, strict=True) if int(str(v))]
    return tuple(left)


def _has_one(name: str, type_name: str, needles: Sequence[str], is_id: bool) -> exp.Expr | None:
    """Return the condition that a column holds one of some texts; None where it cannot."""
    sought = [each for each in needles if is_id or len(each) >= SHORT]
    if not sought or not (is_id or _is_text(type_name) or _is_nested(type_name)):
        return None
    column: exp.Expr = exp.column(name, quoted=True)
    if _is_nested(type_name):
        inside = build("CAST(TO_JSON(:c) AS VARCHAR)", c=column)
        return exp.or_(*_inside(inside, sought))
    value = exp.cast(column, "VARCHAR")
    found = build(":v IN (:sought)", v=value, sought=[text(each) for each in sought])
    return exp.or_(found, *(_inside(value, sought) if _is_text(type_name) else ()))


def _inside(value: exp.Expr, sought: Iterable[str]) -> Iterator[exp.Expr]:
    for each in sought:
        yield build("STRPOS(:v, :quoted) > 0", v=value, quoted=text(json.dumps(each, ensure_ascii=False)))


def _id_columns(session: Session) -> frozenset[str]:
    """Return the lower-case names of columns that hold identifiers."""
    project = session.project
    declared = {name for names in project.id_columns.values() for name in names}
    types = {name.lower() for name in project.project.id_types}
    keys = {name.lower() for name in key_columns(session)} | {each.key_column.lower() for each in project.publishers}
    mains = {entity.id_column.lower() for entity in project.project.entities.values()}
    return frozenset(declared | types | keys | mains | {"other_id", "id1", "id2", "key", "main_id"})


def _relation(session: Session, table: Table) -> exp.Table:
    return exp.table_(table.name, db=session.output.schema, quoted=True)
