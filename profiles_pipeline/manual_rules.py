"""Writes the table of manual rules: makes it, and adds what somebody knows about ids that the data does not say."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from profiles_pipeline import run
from profiles_pipeline.compile.rules import RULE_COLUMNS
from profiles_pipeline.connections import Output
from profiles_pipeline.dialects import identifier
from profiles_pipeline.errors import Problem, Problems, ProjectError, Span, did_you_mean, fail
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import Project
from profiles_pipeline.warehouse.base import Warehouse
from profiles_pipeline.warehouse.sources import parse_table_name

ACTIONS = ("INCLUDE", "EXCLUDE", "REMOVE")
_NEEDED = ("id1", "id1_type", "action")
_TIMES = "write 2024-01-31 or 2024-01-31 12:00:00, in UTC"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule about an id, or about the edge between two.

    Attributes:
        entity: name of the entity; None means the only one there is.
        action: INCLUDE or EXCLUDE; REMOVE takes back every earlier rule about the same ids.
        created_at: when it was made, in UTC without a zone; None means now.
        span: where it is written, if it comes from a file.
    """

    id1: str
    id1_type: str
    action: str
    id2: str | None = None
    id2_type: str | None = None
    entity: str | None = None
    reason: str | None = None
    created_at: datetime | None = None
    span: Span | None = None

    @property
    def ids(self) -> tuple[str, frozenset[tuple[str, str]]]:
        """What it is about, whichever id is written first."""
        ends = {(self.id1_type.lower(), self.id1)}
        if self.id2 is not None:
            ends.add((str(self.id2_type).lower(), self.id2))
        return str(self.entity).lower(), frozenset(ends)

    def __str__(self) -> str:
        ends = ((self.id1_type, self.id1), (self.id2_type, self.id2) if self.id2 is not None else ())
        return " - ".join(" ".join(filter(None, end)) for end in ends if end)


@dataclass(frozen=True, slots=True)
class RulesTable:
    """The table of rules: its name in the project, the relation, whether it was made just now, and its rows."""

    name: str
    relation: str
    made: bool
    rules: int


@dataclass(frozen=True, slots=True)
class Change:
    """What became of the rules given.

    Attributes:
        added: rules written, in order, each with the action it overrules, if any.
        known: rules that held already and were not written again.
        removed: how many rows were taken out for rules with the action REMOVE.
    """

    table: RulesTable
    added: tuple[tuple[Rule, str | None], ...]
    known: tuple[Rule, ...]
    removed: int


def create(
    project: ProfilesProject, output: Output, name: str | None = None, lock_timeout: float | None = None
) -> RulesTable:
    """Make the table of rules, without rules, unless it is there; return it.

    Args:
        project: the project.
        output: where it is built; a name without a schema means the output schema.
        name: of the table; None for the one that the project names.
        lock_timeout: seconds to wait for a run to finish.

    Raises:
        WarehouseError: the warehouse refuses.
        LockTimeoutError: a run kept the warehouse for too long.
    """
    table = name or str(project.project.spec.id_stitcher_rules.table_name)
    with run.open_session(project, output, "profiles idstitch rules create", lock_timeout=lock_timeout) as session:
        found = _found(session.warehouse, table)
        if found is not None:
            return found
        parts = parse_table_name(table)
        qualified = parts if len(parts) > 1 else (output.schema, *parts)
        dialect = session.warehouse.dialect
        relation = ".".join(identifier(part, dialect) for part in qualified)
        columns = ", ".join(f"{c} {'TIMESTAMP' if c == 'created_at' else 'VARCHAR'}" for c in RULE_COLUMNS)
        schema = ".".join(identifier(part, dialect) for part in qualified[:-1])
        with session.warehouse.transaction():
            session.warehouse.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            session.warehouse.execute(f"CREATE TABLE {relation} ({columns})")
        return RulesTable(table, relation, True, 0)


def update(
    project: ProfilesProject,
    output: Output,
    rules: Sequence[Rule],
    name: str | None = None,
    lock_timeout: float | None = None,
) -> Change:
    """Write rules into the table, in order, and return what became of each. All are written, or none.

    Raises:
        ProjectError: there is no table, it is a file, or a rule names what the project does not know.
        WarehouseError: the warehouse refuses.
        LockTimeoutError: a run kept the warehouse for too long.
    """
    table = name or str(project.project.spec.id_stitcher_rules.table_name)
    known = checked(project.project, rules)
    with run.open_session(project, output, "profiles idstitch rules update", lock_timeout=lock_timeout) as session:
        warehouse = session.warehouse
        found = _found(warehouse, table)
        if found is None:
            fail("missing-table", f"there is no table '{table}'", hint="profiles idstitch rules create")
        source = warehouse.source(table)
        if source.kind != "relation":
            message = f"the rules are in the file {source.origin}, which is not written to"
            fail("rules-in-file", message, hint="edit the file, or move it away and create the table")
        with warehouse.transaction():
            change = _written(warehouse, found, known)
        return replace(change, table=replace(found, rules=warehouse.row_count(source.sql)))


def checked(project: Project, rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Return the rules as the table has them: entity, types and action spelt as the project spells them.

    Raises:
        ProjectError: with every rule that names an entity, id type or action that is not known.
    """
    problems = Problems()
    known = tuple(_checked(project, rule, problems) for rule in rules)
    problems.raise_errors()
    return known


def read_csv(file: Path) -> tuple[Rule, ...]:
    """Return the rules of a CSV file with a header. Columns beyond those of the table are left alone.

    Raises:
        ProjectError: a column that must be there is not, or a value cannot be read.
    """
    text = file.expanduser().read_text(encoding="utf-8-sig")
    reader = csv.DictReader(io.StringIO(text))
    columns = [str(name).strip().lower() for name in reader.fieldnames or ()]
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        message = f"{file} has no column {' and no column '.join(missing)}"
        fail("missing-column", message, hint=f"its first line names columns: {', '.join(RULE_COLUMNS)}")
    reader.fieldnames = columns
    problems: list[Problem] = []
    rules = []
    for row in reader:
        cells = {name: (value or "").strip() for name, value in row.items() if isinstance(name, str)}
        try:
            rules.append(_rule(cells, Span(str(file), reader.line_num, 1)))
        except ProjectError as error:
            problems += error.problems
    if problems:
        raise ProjectError(problems)
    return tuple(rules)


def moment(text: str, span: Span | None = None) -> datetime:
    """Return a time in UTC, without a zone. Raises ProjectError when it is none."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        fail("bad-time", f"'{text}' is no moment", span, hint=_TIMES)
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found


def _rule(cells: Mapping[str, str], span: Span) -> Rule:
    written = cells.get("created_at")
    return Rule(
        id1=cells["id1"],
        id1_type=cells["id1_type"],
        action=cells["action"],
        id2=cells.get("id2") or None,
        id2_type=cells.get("id2_type") or None,
        entity=cells.get("entity") or None,
        reason=cells.get("reason") or None,
        created_at=moment(written, span) if written else None,
        span=span,
    )


def _checked(project: Project, rule: Rule, problems: Problems) -> Rule:
    entities = {e.name: e for e in project.entities.values()}
    types = [t for e in entities.values() for t in e.id_types if t in project.id_types]
    meant = [rule.entity] if rule.entity else _with_types_of(rule, project) or list(entities)
    if len(meant) > 1:
        problems.error("missing-entity", f"the rule about {rule} names no entity", rule.span, hint=_listed(meant))
    entity = _spelt(meant[0], entities, "entity", rule, problems)
    if entity in entities:
        types = list(entities[entity].id_types)
    if (rule.id2 is None) != (rule.id2_type is None):
        what = "a second id without its type" if rule.id2_type is None else "the type of a second id, but no id"
        problems.error("missing-id", f"the rule about {rule.id1_type} {rule.id1} has {what}", rule.span)
    if not rule.id1.strip():
        problems.error("missing-id", f"the rule about {rule} has no id1", rule.span, hint="fill in id1 and id1_type")
    return replace(
        rule,
        entity=entity,
        action=_spelt(rule.action, ACTIONS, "action", rule, problems),
        id1_type=_spelt(rule.id1_type, types, "id type", rule, problems),
        id2_type=_spelt(rule.id2_type, types, "id type", rule, problems) if rule.id2_type else None,
    )


def _with_types_of(rule: Rule, project: Project) -> list[str]:
    """Return the names of the entities that have ids of all the types in a rule."""
    wanted = {id_type.strip().lower() for id_type in (rule.id1_type, rule.id2_type) if id_type}
    return [e.name for e in project.entities.values() if wanted <= {id_type.lower() for id_type in e.id_types}]


def _spelt(value: str, known: Iterable[str], what: str, rule: Rule, problems: Problems) -> str:
    names = list(known)
    found = next((name for name in names if name.lower() == value.strip().lower()), None)
    if found is None:
        hint = did_you_mean(value, names) or _listed(names)
        problems.error(f"unknown-{what.replace(' ', '-')}", f"there is no {what} '{value}'", rule.span, hint=hint)
    return found or value


def _listed(names: Iterable[str]) -> str:
    return "known: " + ", ".join(names)


def _found(warehouse: Warehouse, table: str) -> RulesTable | None:
    try:
        source = warehouse.source(table)
    except ProjectError as error:
        if any(problem.code != "missing-table" for problem in error.problems):
            raise
        return None
    return RulesTable(table, source.origin, False, warehouse.row_count(source.sql))


def _written(warehouse: Warehouse, table: RulesTable, rules: Iterable[Rule]) -> Change:
    relation = warehouse.source(table.name).sql
    columns = ", ".join(identifier(name, warehouse.dialect) for name in RULE_COLUMNS)
    marks = ", ".join("?" * len(RULE_COLUMNS))
    written = _history(warehouse, relation)
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    added: list[tuple[Rule, str | None]] = []
    known: list[Rule] = []
    removed = 0
    for number, rule in enumerate(rules):
        earlier = written.setdefault(rule.ids, [])
        if rule.action == "REMOVE":
            removed += _taken_out(warehouse, relation, rule)
            earlier.clear()
        elif _is_known(rule, earlier):
            known.append(rule)
        else:
            # Later lines of one call count as newer than earlier ones, and all of them as newer than what was there.
            last = max((e.created_at for e in earlier if e.created_at), default=now)
            moment = max(now, last + timedelta(seconds=1)) if earlier else now
            dated = replace(rule, created_at=rule.created_at or moment + timedelta(microseconds=number))
            values = [getattr(dated, name) for name in RULE_COLUMNS]
            warehouse.execute(f"INSERT INTO {relation} ({columns}) VALUES ({marks})", values)
            added.append((dated, earlier[-1].action if earlier and not _is_older(dated, earlier[-1]) else None))
            earlier.append(dated)
            earlier.sort(key=_age)
    return Change(table, tuple(added), tuple(known), removed)


def _age(rule: Rule) -> datetime:
    return rule.created_at or datetime.min


def _is_older(rule: Rule, other: Rule) -> bool:
    return _age(rule) < _age(other)


def _is_known(rule: Rule, earlier: Sequence[Rule]) -> bool:
    """True when writing the rule would change nothing: it is the newest about its ids, or is there with its time."""
    if rule.created_at is not None:
        return any((e.action, e.created_at) == (rule.action, rule.created_at) for e in earlier)
    return bool(earlier) and earlier[-1].action == rule.action


def _history(warehouse: Warehouse, relation: str) -> dict[tuple[str, frozenset[tuple[str, str]]], list[Rule]]:
    """Return what the rules are about -> the rules about it, newest last."""
    listed = "entity, id1, id1_type, id2, id2_type, action, created_at"
    rows = warehouse.query(f"SELECT {listed} FROM {relation} ORDER BY created_at NULLS FIRST").rows
    found: dict[tuple[str, frozenset[tuple[str, str]]], list[Rule]] = {}
    for entity, id1, id1_type, id2, id2_type, action, created_at in rows:
        rule = Rule(
            id1=str(id1),
            id1_type=str(id1_type),
            action=str(action).strip().upper(),
            id2=str(id2) if id2 else None,
            id2_type=str(id2_type) if id2 else None,
            entity=str(entity),
            created_at=created_at if isinstance(created_at, datetime) else None,
        )
        found.setdefault(rule.ids, []).append(rule)
    return found


def _taken_out(warehouse: Warehouse, relation: str, rule: Rule) -> int:
    """Delete every rule about the same ids, whichever end is written first; return how many there were."""
    one, two = (rule.id1, rule.id1_type), (rule.id2, rule.id2_type)
    end = "CAST({0} AS TEXT) IS NOT DISTINCT FROM ? AND LOWER(CAST({0}_type AS TEXT)) IS NOT DISTINCT FROM LOWER(?)"
    same = f"LOWER(entity) = LOWER(?) AND {end.format('id1')} AND {end.format('id2')}"
    before = warehouse.row_count(relation)
    for first, second in ((one, two), (two, one)):
        warehouse.execute(f"DELETE FROM {relation} WHERE {same}", [rule.entity, *first, *second])
    return before - warehouse.row_count(relation)
