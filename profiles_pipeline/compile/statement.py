"""What compiling a model yields: a script of SQL trees, in which finding components is a step of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from sqlglot import exp

from profiles_pipeline.compile.suppression import Suppressed
from profiles_pipeline.errors import Severity
from profiles_pipeline.graph import Graph
from profiles_pipeline.resolve.model import Input, Project
from profiles_pipeline.resolve.past import PastRef
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.spec.pipeline import Level

Kind = Literal["table", "view", "temporary table", "transient table"]
"""What can be made: of a transient table nobody asks for what it held before."""


@dataclass(frozen=True, slots=True)
class Past:
    """An earlier material, and the end of its window as a timestamp.

    `relation` holds the rows of the material; of a stitcher that is asked for its changes, the mappings.
    """

    relation: exp.Expr
    end: exp.Expr


@dataclass(frozen=True, slots=True)
class Files:
    """The files that an input is read from.

    Attributes:
        relation: what to select from to see the file of each row, in a column FILE.
        states: file -> a text that is another one once the file has changed.
    """

    relation: exp.Expr
    states: Mapping[str, str]


FILE = "state.file"
"""Name of the column with the file that a row is from."""


def no_past(_: PastRef) -> Past | None:
    """Return None: nothing has been built yet."""
    return None


@dataclass(frozen=True)
class Compilation:
    """Everything a model is compiled against.

    Attributes:
        relation: path of a model -> the relation that holds it in this time context.
        source: an input -> what to select from, for example ``read_parquet('...')``.
        outside: a table named in SQL text that is no model -> what to select from.
        past: a reference to earlier windows -> what was found; None when there is nothing.
        mappings: path of a stitcher -> what to look up main ids in, where that is not all of its mappings.
        files: an input -> the files that it is read from; None where it is not read from local files.
        changes: path of an input -> how closely its rows are compared with what was read; ``content`` for others.
        structs: whether a column can hold several values, each of its own type.
        suppressed: identifiers whose rows are not read; None where there are none.
    """

    graph: Graph
    reader: Reader
    relation: Callable[[str], exp.Table]
    source: Callable[[Input], exp.Expr]
    outside: Callable[[exp.Table], exp.Expr]
    past: Callable[[PastRef], Past | None] = no_past
    mappings: Mapping[str, exp.Table] = field(default_factory=dict)
    files: Callable[[Input], Files | None] = lambda _: None
    changes: Mapping[str, Level] = field(default_factory=dict)
    structs: bool = True
    suppressed: Suppressed | None = None

    @property
    def project(self) -> Project:
        """The project that is compiled."""
        return self.graph.project


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement.

    Attributes:
        tree: the whole statement.
        title: what it does, for people.
        vars: names of the entity vars or input vars it computes, to find the culprit when it fails.
        columns: var -> its columns in the statement, where that is not one of its name.
    """

    tree: exp.Expr
    title: str
    vars: tuple[str, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def columns_of(self, *names: str) -> frozenset[str]:
        """Return the lower-case names of the columns that are computed for these vars."""
        return frozenset(column.lower() for var in names for column in self.columns.get(var, (var,)))

    def columns_beside(self, name: str) -> frozenset[str]:
        """Return the lower-case names of the columns that are computed for other vars only."""
        return self.columns_of(*(var for var in self.vars if var != name)) - self.columns_of(name)


@dataclass(frozen=True, slots=True)
class SolveComponents:
    """Label each node of a graph with a number that all nodes of its connected component share.

    Attributes:
        edges: query with two integer columns ``a`` and ``b``, the ends of an edge.
        nodes: query that counts the nodes; they are numbered 0 to count - 1.
        vertices: the table with these numbers, in a column ``node``.
        result: temporary table to make, with columns ``node`` and ``component``.
    """

    edges: exp.Expr
    nodes: exp.Expr
    vertices: exp.Table
    result: exp.Table
    title: str


@dataclass(frozen=True, slots=True)
class UniteRows:
    """Make a relation of the rows of several queries, with the columns that all of these have.

    Which columns these are is only known to the warehouse. Names are compared without regard to case.
    """

    queries: tuple[exp.Expr, ...]
    kind: Literal["table", "view", "transient table"]
    relation: exp.Table
    title: str


@dataclass(frozen=True, slots=True)
class Bind:
    """Look up values that the statements after it need as literals, so that the warehouse can skip what they rule out.

    Attributes:
        names: the placeholders that stand for the values in later statements of the script.
        query: query of one row with a value for each of them.
    """

    names: tuple[str, ...]
    query: exp.Expr
    title: str


Step = Statement | SolveComponents | UniteRows | Bind


@dataclass(frozen=True, slots=True)
class Audit:
    """A question whose answer must be no rows broken.

    Attributes:
        name: stable name of the check.
        tree: query that returns one number: how many rows break the rule; 0 is a pass.
        description: the rule, as a sentence.
        severity: a warning is told; an error keeps what breaks the rule from being shown.
    """

    name: str
    tree: exp.Expr
    description: str
    severity: Severity = "error"


@dataclass(frozen=True, slots=True)
class Script:
    """How one model is built: steps in order, then its audits.

    Attributes:
        kind: what the model becomes.
        steps: what is done; in one transaction where the making of tables can be taken back.
        audits: what is asked of the result.
        count: query that counts the rows of the result where that is cheaper than counting the result itself.
        at_once: changes of rows that are kept, to be made all or none once the steps are done.
    """

    kind: Literal["table", "view"]
    steps: tuple[Step, ...]
    audits: tuple[Audit, ...] = ()
    count: exp.Expr | None = None
    at_once: tuple[Statement, ...] = ()


def create(kind: Kind, relation: exp.Table, query: exp.Expr) -> exp.Create:
    """Return ``CREATE OR REPLACE [TEMPORARY|TRANSIENT] TABLE|VIEW relation AS query``."""
    said = {"temporary table": exp.TemporaryProperty, "transient table": exp.TransientProperty}
    properties = exp.Properties(expressions=[said[kind]()]) if kind in said else None
    return exp.Create(
        this=relation.copy(),
        kind="VIEW" if kind == "view" else "TABLE",
        expression=query,
        replace=True,
        properties=properties,
    )


def transient(script: Script, prefixes: tuple[str, ...]) -> Script:
    """Return a script that says of the tables whose names begin so that nobody asks for what they held before."""

    def marked(step: Step) -> Step:
        if isinstance(step, UniteRows) and step.kind == "table" and step.relation.name.startswith(prefixes):
            return replace(step, kind="transient table")
        if not isinstance(step, Statement) or not isinstance(step.tree, exp.Create):
            return step
        tree = step.tree
        if tree.args["kind"] != "TABLE" or tree.args.get("properties") or not tree.this.name.startswith(prefixes):
            return step
        return replace(step, tree=create("transient table", tree.this, tree.expression.copy()))

    return replace(script, steps=tuple(map(marked, script.steps)))


def beside(relation: exp.Table, suffix: str) -> exp.Table:
    """Return a relation in the same schema whose name is that of `relation` plus `suffix`."""
    table = relation.copy()
    table.set("this", exp.to_identifier(f"{relation.name}{suffix}", quoted=True))
    return table


def scratch(relation: exp.Table, suffix: str) -> exp.Table:
    """Return a temporary table that belongs to `relation`."""
    return exp.Table(this=exp.to_identifier(f"{relation.name}_{suffix}", quoted=True))
