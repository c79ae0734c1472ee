"""Where text goes: results to standard output, what is to say of them to standard error. Text is never markup."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable, Sequence

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

_ENDLESS = 100_000


def out() -> Console:
    """Return the console of standard output."""
    return Console(file=sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=True)


def err() -> Console:
    """Return the console of standard error."""
    return Console(file=sys.stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)


def say(text: str, style: str = "") -> None:
    """Print a line to standard output, as it is."""
    out().print(Text(text, style=style))


def note(text: str, style: str = "") -> None:
    """Print a line to standard error, as it is."""
    err().print(Text(text, style=style))


def print_document(document: object) -> None:
    """Print a JSON document to standard output."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_table(
    console: Console, head: Sequence[str], rows: Sequence[Sequence[str | None]], right: Collection[str] = ()
) -> None:
    """Print a table in which no cell is cut; None is shown as a dimmed ``null``.

    Args:
        console: where to print.
        head: names of the columns.
        rows: one text per column.
        right: names of the columns that hold numbers.
    """
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in head:
        table.add_column(Text(name), justify="right" if name in right else "left", overflow="fold", no_wrap=True)
    for row in rows:
        table.add_row(*(Text("null", style="dim") if cell is None else Text(_one_line(cell)) for cell in row))
    _print_in_full(console, table)


def print_trees(console: Console, trees: Iterable[Tree]) -> None:
    """Print trees in which no label is cut."""
    for tree in trees:
        _print_in_full(console, tree)


def _print_in_full(console: Console, wide: Table | Tree) -> None:
    endless = console.options.update(width=_ENDLESS, max_width=_ENDLESS)
    console.width = max(Measurement.get(console, endless, wide).maximum, 1)
    console.print(wide, soft_wrap=False)


def plural(count: int, noun: str) -> str:
    """Return ``1 row``, ``1,234 rows``."""
    ending = noun if count == 1 else noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{count:,} {ending}"


def _one_line(text: str) -> str:
    return text.replace("\r", "\\r").replace("\n", "\\n").replace("\t", " ")
