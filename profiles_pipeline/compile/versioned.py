"""Tables of which every state can be read: a row holds from one version on until another one, which it is not part of.

A run that changes few rows closes these and adds others. What earlier runs made stays readable, without a copy.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlglot import exp

from profiles_pipeline.compile.statement import Statement, Step, create
from profiles_pipeline.sql import build

SINCE, UNTIL = "state.since", "state.until"
"""Names of the columns with the first version that has a row, and with the first one after it that has it no more."""

OPEN = 2**63 - 1
"""What stands for the version at which a row ends that is still there."""


@dataclass(frozen=True)
class Versioned:
    """A table of which every state can be read, and the state that is made now.

    Attributes:
        table: the table.
        columns: its columns, the bounds aside.
        version: number of the state that is made now, higher than those of all that the table has.
        exists: whether there is such a table.
        is_current: whether it has the state that the run before left behind.
    """

    table: exp.Table
    columns: tuple[str, ...]
    version: int
    exists: bool = False
    is_current: bool = False

    def now(self) -> exp.Expr:
        """Return the query of the state that is made now."""
        return self._as_of(self.version)

    def before(self) -> exp.Expr:
        """Return the query of the state before; also once rows have been closed and added."""
        return self._as_of(self.version - 1)

    def _as_of(self, version: int) -> exp.Expr:
        return build(
            "SELECT :columns FROM :table AS v WHERE :since <= :version AND :until > :version",
            columns=list(self.columns),
            table=self.table,
            since=SINCE,
            until=UNTIL,
            version=exp.Literal.number(version),
        )

    def begun(self, rows: exp.Expr, title: str, vars_: tuple[str, ...] = ()) -> list[Step]:
        """Return the steps after which the state of now is `rows`, a query; those before are as they were."""
        if not self.exists:
            query = build("SELECT :columns, :bounds FROM :rows AS r", columns=list(self.columns),
                          bounds=self._bounds(), rows=rows)  # fmt: skip
            return [Statement(create("table", self.table, query), title, vars_)]
        return self.replaced(None, rows, title, vars_)

    def replaced(self, gone: exp.Expr | None, rows: exp.Expr, title: str, vars_: tuple[str, ...] = ()) -> list[Step]:
        """Return the steps that take rows out of the state of now, and put others in.

        Args:
            gone: the condition of what goes; None for all.
            rows: a query of what comes, with the columns of the table.
            title: what comes, for people.
            vars_: the vars that are computed for it.
        """
        is_open = build(":until = :open", until=UNTIL, open=exp.Literal.number(OPEN))
        close = build(
            "UPDATE :table SET :until = :version WHERE :goes",
            table=self.table,
            until=UNTIL,
            version=exp.Literal.number(self.version),
            goes=is_open if gone is None else exp.and_(is_open, gone),
        )
        put = build(
            "INSERT INTO :table BY NAME SELECT :columns, :bounds FROM :rows AS r",
            table=self.table,
            columns=list(self.columns),
            bounds=self._bounds(),
            rows=rows,
        )
        return [Statement(close, f"{title}: what goes"), Statement(put, title, vars_)]

    def _bounds(self) -> Sequence[exp.Expr]:
        bounds = ((self.version, SINCE), (OPEN, UNTIL))
        return [build("CAST(:value AS BIGINT) AS :name", value=exp.Literal.number(v), name=n) for v, n in bounds]


def without_states(table: exp.Table, needed: Collection[int]) -> exp.Expr:
    """Return the statement that takes the rows out of such a table that none of the needed states has."""
    has_one = [
        build(":since <= :version AND :until > :version", since=SINCE, until=UNTIL, version=exp.Literal.number(number))
        for number in sorted(needed)
    ]
    return build("DELETE FROM :table WHERE NOT :needed", table=table, needed=exp.paren(exp.or_(*has_one)))
