"""The finished rows of a var table, kept from run to run: only those of people for whom something changed are made.

All states of the rows lie in one table (`versioned`), and a material is a view of one of them. What follows from other
vars and moves with the end time, such as the days since something, is for the view to compute: else it would make
everybody's row another one every day.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sqlglot import exp

from profiles_pipeline import sql
from profiles_pipeline.compile.rollups import Strategy
from profiles_pipeline.compile.rows import timestamp
from profiles_pipeline.compile.statement import Compilation, Statement, Step, create
from profiles_pipeline.compile.versioned import Versioned
from profiles_pipeline.resolve.model import EntityVar, VarTable
from profiles_pipeline.resolve.readings import ReadVar
from profiles_pipeline.sql import build


@dataclass(frozen=True)
class KeptRows:
    """Where the rows of a var table are kept.

    Attributes:
        states: the table of all their states.
        late: lower-case names of the vars that are computed by the view.
    """

    states: Versioned
    late: frozenset[str]


@dataclass(frozen=True)
class Vars:
    """What is known of the vars of a table, by their lower-case names.

    Attributes:
        read: the vars as read.
        strategies: how they are brought up to date.
        still: those that read the same at any end time.
        filled_the_same: those whose defaults read the same at any end time.
        on_rows: var that goes over rows -> the vars that it needs on these.
    """

    read: Mapping[str, ReadVar]
    strategies: Mapping[str, Strategy]
    still: Collection[str]
    filled_the_same: Collection[str]
    on_rows: Mapping[str, Collection[str]]


def late_vars(c: Compilation, model: VarTable, known: Vars) -> frozenset[str] | None:
    """Return the vars that the view of kept rows has to compute; None where the rows cannot be kept.

    They cannot where the row of somebody may change although nothing touched this person: with vars that are computed
    for everybody, that look at the rows of others, or that come from tables with ways of their own.
    """
    if model.previous is not None or model.inherited is not None or model.coarser:
        return None
    derived = {name for name, strategy in known.strategies.items() if strategy.kind == "derived"}
    own = all(c.graph.var_homes.get(key) == model.path for read in known.read.values() for key in read.vars)
    reading = {var.name.lower() for var in model.vars if var.source is not None}
    if not own or not all(_changes_with_rows(known, name) for name in reading):
        return None
    if any(_looks_around(known.read[name]) for name in derived):
        return None
    late = {name for name in derived if name not in known.still}
    while more := {n for n in known.strategies if n not in late and late & {key[1] for key in known.read[n].vars}}:
        late |= more
    return frozenset(late) if late <= derived else None


def _changes_with_rows(known: Vars, name: str) -> bool:
    """True when a var over rows has another value only for people whose rows are others, or lie in other windows."""
    strategy = known.strategies[name]
    if strategy.kind == "state" and strategy.split is not None:
        return name in known.filled_the_same and not strategy.split.moves
    return strategy.kind == "replay" and {name, *known.on_rows[name]} <= set(known.still)


def _looks_around(read: ReadVar) -> bool:
    """True when a var that follows from others looks at the rows of other people or at other tables."""
    trees = [tree for tree in (read.select, read.where, read.default) if tree is not None]
    if read.window is not None or read.models:
        return True
    return any(sql.has_window(tree) or sql.has_subquery(tree) or not sql.is_deterministic(tree) for tree in trees)


def stored(kept: KeptRows, id_column: str, rows: exp.Expr, people: exp.Table, vars_: tuple[str, ...]) -> list[Step]:
    """Return the steps that leave the rows of now behind.

    Args:
        kept: where they are kept.
        id_column: the column with the main id.
        rows: the rows of these people; of everybody where there is no state to go on from.
        people: a table of main ids of those for whom something changed.
        vars_: the vars that are computed in `rows`.
    """
    title = f"rows with {len(kept.states.columns) - 1} vars"
    if not kept.states.is_current:
        return kept.states.begun(rows, title, vars_)
    gone = build(":id IN (SELECT main_id FROM :people)", id=id_column, people=people)
    return kept.states.replaced(gone, rows, title, vars_)


def shown(
    c: Compilation,
    kept: KeptRows,
    relation: exp.Table,
    names: Iterable[str],
    levels: Iterable[Iterable[tuple[EntityVar, exp.Expr]]],
) -> Statement:
    """Return the statement that makes the view of the rows of now.

    Args:
        c: what to compile against.
        kept: where the rows are.
        relation: the view.
        names: its columns beside `valid_at`, in order, the main id first.
        levels: the vars that it computes, each over the columns of the rows and of the levels before.
    """
    rows = kept.states.now()
    for number, level in enumerate(levels):
        columns = [exp.alias_(value, var.name, quoted=True) for var, value in level]
        rows = build("SELECT *, :columns FROM :rows AS :name", columns=columns, rows=rows, name=f"level_{number}")
    id_column, *others = names
    query = build("SELECT :id, :valid_at AS valid_at, :columns FROM :rows AS r", id=id_column, valid_at=timestamp(c),
                  columns=others, rows=rows)  # fmt: skip
    return Statement(create("view", relation, query), f"{len(others)} vars, as of this run")
