"""Which columns of the sources carry ids: their texts must not be taken for numbers or times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlglot import exp

from profiles_pipeline import sql
from profiles_pipeline.errors import ProjectError
from profiles_pipeline.resolve.model import Input
from profiles_pipeline.resolve.reader import Reader

_KEEPING_TEXT = (
    exp.Paren,
    exp.Cast,
    exp.TryCast,
    exp.ToChar,
    exp.Lower,
    exp.Upper,
    exp.Trim,
    exp.Concat,
    exp.DPipe,
    exp.Coalesce,
    exp.Nullif,
    exp.Case,
    exp.If,
)
_ASIDE = ((exp.If, "this"), (exp.Nullif, "expression"))
"""What such an expression compares with, and does not hand on."""


def id_columns(reader: Reader) -> Mapping[str, frozenset[str]]:
    """Return table, in lower case -> lower-case names of the columns whose texts the ids on its inputs are."""
    found: dict[str, frozenset[str]] = {}
    for model in reader.project.models.values():
        if isinstance(model, Input) and model.csv is None and (names := frozenset(_of_input(model, reader))):
            table = str(model.table).lower()
            found[table] = found.get(table, frozenset()) | names
    return found


def _of_input(model: Input, reader: Reader) -> Iterator[str]:
    for row_id in model.ids:
        try:
            tree = reader.expression(row_id.select, model.path, "id").tree
        except ProjectError:
            continue  # it is told where the input is compiled
        yield from _handed_on(tree)


def _handed_on(tree: exp.Expr) -> Iterator[str]:
    """Yield the columns of which an expression hands on the text."""
    if isinstance(tree, exp.Column) and not sql.symbols(tree):
        yield tree.name.lower()
    elif isinstance(tree, _KEEPING_TEXT):
        for child in tree.iter_expressions():
            if not any(isinstance(tree, kind) and child.arg_key == key for kind, key in _ASIDE):
                yield from _handed_on(child)
