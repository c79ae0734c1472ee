"""Puts the changes of rows that are kept off to the end of a script, where they can be one transaction.

A server that commits before it makes a table cannot take back what a script has done to its rows before that. So what
comes is set aside, in temporary tables, and every statement after it that reads a changed table reads a query of its
rows as they will be. Then the changes are made, all or none, in the order in which the script has them. Nothing else is
moved: what a script makes for itself may be made again by the next one that begins where this one did.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from sqlglot import exp

from profiles_pipeline import sql
from profiles_pipeline.compile.statement import Bind, Script, SolveComponents, Statement, Step, UniteRows, create
from profiles_pipeline.sql import build

Name = tuple[str, str]
"""Schema and name of a relation; a temporary one has no schema."""


def put_off(script: Script) -> Script:
    """Return a script that does the same, with its changes of rows that others keep as `at_once`.

    Columns are dropped right before these: a table that has one too many is read as well as one that has not.
    Conditions of UPDATE and DELETE must not be NULL for any row.

    Raises:
        ValueError: what is put off reads a table that is made anew before.
    """
    walk = _Walk()
    for step in script.steps:
        walk.take(step)
    return replace(script, steps=(*walk.steps, *walk.altering), at_once=tuple(walk.at_once))


@dataclass
class _Walk:
    """A script on its way, step by step.

    Attributes:
        steps: what is done in its place.
        at_once: what is put off.
        altering: definitions of kept tables, which are done last of all before that.
        made: relations that the script makes itself.
        views: queries of the views among these.
        changed: rows of the tables as they will be of which changes are put off.
        needed: what statements that are put off will read.
    """

    steps: list[Step] = field(default_factory=list)
    at_once: list[Statement] = field(default_factory=list)
    altering: list[Statement] = field(default_factory=list)
    made: set[Name] = field(default_factory=set)
    views: dict[Name, exp.Expr] = field(default_factory=dict)
    changed: dict[Name, exp.Expr] = field(default_factory=dict)
    needed: set[Name] = field(default_factory=set)

    def take(self, step: Step) -> None:
        """Take the next step of the script."""
        match step:
            case Bind():
                self.steps.append(replace(step, query=self._read(step.query)))
            case SolveComponents():
                self.steps.append(replace(step, edges=self._read(step.edges), nodes=self._read(step.nodes)))
                self._make(step.result)
            case UniteRows():
                self.steps.append(replace(step, queries=tuple(map(self._read, step.queries))))
                self._make(step.relation)
            case Statement(tree=exp.Create() as tree):
                self._create(step, tree)
            case Statement(tree=exp.Insert() | exp.Update() | exp.Delete()) if _name(step.tree.this) not in self.made:
                self._change(step, step.tree)
            case Statement(tree=exp.Alter()) if _name(step.tree.this) not in self.made:
                self.altering.append(step)
            case _:
                self.steps.append(step)

    def _make(self, relation: exp.Table, query: exp.Expr | None = None) -> None:
        name = _name(relation)
        if name in self.needed or name in self.changed:
            raise ValueError(f"{relation.name} is made anew before it is read for the last time")
        self.made.add(name)
        self.views.pop(name, None)
        if query is not None:
            self.views[name] = query

    def _create(self, statement: Statement, tree: exp.Create) -> None:
        """What a table is made of is read as it will be; a view finds it so by itself."""
        if tree.args["kind"] == "VIEW":
            self.steps.append(statement)
            self._make(tree.this, tree.expression)
            return
        made = sql.copied(tree)
        made.set("expression", self._read(tree.expression))
        self.steps.append(replace(statement, tree=made))
        self._make(tree.this)

    def _change(self, statement: Statement, tree: exp.Expr) -> None:
        table, where = tree.this, tree.args.get("where")
        rows = self.changed.get(_name(table), build("SELECT * FROM :table", table=table))
        condition = self._read(where.this) if where is not None else exp.true()
        change = statement
        match tree:
            case exp.Insert():
                change, come = self._set_aside(statement, tree)
                rows = exp.Union(this=rows, expression=come, distinct=False, by_name=bool(tree.args.get("by_name")))
            case exp.Update():
                rows = _updated(tree, rows, condition)
            case _:
                rows = _those(rows, table, exp.Not(this=exp.paren(condition)))
        self.changed[_name(table)] = rows
        self.at_once.append(change)
        self.needed |= {_name(read) for read in sql.nodes_of(change.tree, exp.Table) if read is not change.tree.this}

    def _set_aside(self, statement: Statement, tree: exp.Insert) -> tuple[Statement, exp.Expr]:
        """Return the statement that puts rows in which are in a temporary table before, and the query of these."""
        query = tree.expression
        source = _all_of(query)
        if source is None or _name(source) not in self.made - self.views.keys():
            table = exp.Table(this=exp.to_identifier(f"{tree.this.name}_put_{len(self.at_once)}", quoted=True))
            self.steps.append(replace(statement, tree=create("temporary table", table, self._read(query))))
            self._make(table)
            query = build("SELECT * FROM :table", table=table)
        put = sql.copied(tree)
        put.set("expression", query.copy())
        return replace(statement, tree=put), query.copy()

    def _read(self, tree: exp.Expr) -> exp.Expr:
        """Return a query or condition that reads changed tables as they will be."""
        root = exp.Tuple(expressions=[sql.copied(tree)])
        for table in sql.nodes_of(root, exp.Table):
            if (rows := self._now(_name(table))) is not None:
                alias = exp.TableAlias(this=exp.to_identifier(table.alias or table.name, quoted=True))
                table.replace(exp.Subquery(this=rows, alias=alias))
        made: exp.Expr = root.expressions[0]
        return made.pop()

    def _now(self, name: Name) -> exp.Expr | None:
        """Return the query of a relation as it will be; None for one that is so already."""
        if name in self.changed:
            return sql.copied(self.changed[name])
        if name not in self.views:
            return None
        query = self.views[name]
        return self._read(query) if self._is_affected(query) else None

    def _is_affected(self, query: exp.Expr) -> bool:
        names = {_name(table) for table in sql.nodes_of(query, exp.Table)}
        return bool(names & self.changed.keys()) or any(
            self._is_affected(self.views[name]) for name in names & self.views.keys()
        )


def _name(relation: exp.Expr) -> Name:
    assert isinstance(relation, exp.Table)
    return (relation.db, relation.name)


def _all_of(query: exp.Expr) -> exp.Table | None:
    """Return the table of which a query reads all rows and columns, and nothing else."""
    source = query.args["from_"].this if isinstance(query, exp.Select) and query.args.get("from_") else None
    return source if isinstance(source, exp.Table) and query == build("SELECT * FROM :table", table=source) else None


def _those(rows: exp.Expr, table: exp.Expr, condition: exp.Expr) -> exp.Select:
    """Return the rows of which a condition is true that knows them by the name of their table."""
    query = build("SELECT * FROM :rows AS :name", rows=sql.copied(rows), name=table.name)
    assert isinstance(query, exp.Select)
    return query.where(condition, copy=False)


def _updated(tree: exp.Update, rows: exp.Expr, condition: exp.Expr) -> exp.Expr:
    """Return rows of which some have other values: those beside the others, since a condition may hold a query."""
    set_: Iterable[tuple[exp.Expr, exp.Expr]] = [(each.this, each.expression) for each in tree.expressions]
    others = _those(rows, tree.this, exp.Not(this=exp.paren(condition)))
    changed = _those(rows, tree.this, sql.copied(condition))
    star = exp.Star(except_=[exp.to_identifier(column.name, quoted=True) for column, _ in set_])
    values = [exp.alias_(sql.copied(value), column.name, quoted=True) for column, value in set_]
    changed.set("expressions", [star, *values])
    return exp.Union(this=others, expression=changed, distinct=False, by_name=True)
