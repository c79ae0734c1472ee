"""Rows written down in the project: a CSV file whose cells are SQL literals, inlined as one SELECT.

Cells are ``'quoted'``, numbers, NULL or other constant SQL; anything else is taken as text. The file is a template, so
a cell may differ by warehouse; cells are therefore split after rendering.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence

from sqlglot import exp

from profiles_pipeline.errors import Problem, ProjectError
from profiles_pipeline.resolve.model import Input
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.sql import build


def csv_rows(reader: Reader, model: Input) -> exp.Expr:
    """Return ``SELECT ... FROM (VALUES ...)`` of the file of an input, columns cast to the types its contract promises.

    Raises:
        ProjectError: the file cannot be read, or a line has more or fewer cells than the header.
    """
    assert model.csv is not None
    text = reader.render(reader.read_file(model.csv), model.path).text
    header, *lines = [line for line in text.splitlines() if line.strip()] or [""]
    names = [name.strip().strip('"') for name in header.split(",")]
    rows = [_cells(reader, model, line, number, len(names)) for number, line in enumerate(lines, start=2)]
    shown = rows or [[exp.Null() for _ in names]]
    values = exp.Values(
        expressions=[exp.Tuple(expressions=cells) for cells in shown],
        alias=exp.TableAlias(this=exp.to_identifier("t"), columns=[exp.to_identifier(n, quoted=True) for n in names]),
    )
    columns = [_column(reader, model, name) for name in names]
    return build(
        "SELECT :columns FROM :rows WHERE :some", columns=columns, rows=values, some=None if rows else exp.false()
    )


def _column(reader: Reader, model: Input, name: str) -> exp.Expr:
    promised = {str(column): data_type for column, data_type in model.column_types}
    data_type = promised.get(name.lower())
    column = exp.column(exp.to_identifier(name, quoted=True))
    value = reader.typed(column, data_type, model.path) if data_type else column
    return exp.Alias(this=value, alias=exp.to_identifier(name, quoted=True))


def _cells(reader: Reader, model: Input, line: str, number: int, count: int) -> list[exp.Expr]:
    raw = [cell.strip() for cell in next(csv.reader([line], quotechar="'", doublequote=True, skipinitialspace=True))]
    try:
        parsed: Sequence[exp.Expr | None] = reader.expressions(line, model.path)
    except ProjectError:
        parsed = [None] * len(raw)
    if len(parsed) != count:
        parsed = [None] * len(raw)
    if len(parsed) != count:
        message = f"line {number} of '{model.csv}' has {len(raw)} cells, its header has {count}"
        raise ProjectError([Problem("csv-cells", message, model.csv.span if model.csv else None)])
    return [
        tree if tree is not None and _is_constant(tree) else _text(raw[n] if n < len(raw) else "")
        for n, tree in enumerate(parsed)
    ]


def _is_constant(tree: exp.Expr) -> bool:
    """True for literals, NULL and calls on them; not for names or for arithmetic, which a date would look like."""
    return not isinstance(tree, exp.Binary) and tree.find(exp.Column) is None


def _text(cell: str) -> exp.Expr:
    return exp.Null() if cell == "" or cell.upper() == "NULL" else exp.Literal.string(cell)
