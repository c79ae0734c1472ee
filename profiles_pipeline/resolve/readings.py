"""Texts of a project as a `Reader` reads them: trees with symbols, and what these refer to. Values only."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from profiles_pipeline import template
from profiles_pipeline.errors import Span
from profiles_pipeline.resolve.past import PastRef

VALUE = "value:this"
"""Symbol of the value that a cast is applied to."""


VarKey = tuple[str, str]
"""Path of the cohort that defines a var, and the var's name in lower case."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window clause as read: partition keys, order and frame."""

    partition_by: tuple[exp.Expr, ...] = ()
    order_by: tuple[exp.Ordered, ...] = ()
    frame: exp.WindowSpec | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as read: its tree, the models it dereferences and the entity vars it names."""

    tree: exp.Expr
    models: frozenset[str] = frozenset()
    vars: frozenset[VarKey] = frozenset()
    optional: frozenset[str] = frozenset()
    """Models among those that the text can do without."""
    text: str = ""
    """The rendered text, with symbols."""
    past: frozenset[PastRef] = frozenset()
    """What it asks of earlier windows."""

    def place(self, path: str) -> Span | None:
        """Return where the text names a model or var."""
        return template.place_of(self.text, path)


@dataclass(frozen=True, slots=True)
class ReadVar:
    """A var as read.

    `select` None means that only a default is given. `cast` converts the symbol VALUE to the declared type.
    """

    select: exp.Expr | None
    where: exp.Expr | None
    window: Window | None
    default: exp.Expr | None
    cast: exp.Expr | None
    models: frozenset[str]
    vars: frozenset[VarKey]
    columns: frozenset[str]
    """Lower-case names of the columns of the source it uses; input vars among them."""
    texts: tuple[str, ...] = ()
    """Its texts, rendered."""

    def place(self, path: str) -> Span | None:
        """Return where one of its texts names a model or var."""
        return next((place for text in self.texts if (place := template.place_of(text, path))), None)
