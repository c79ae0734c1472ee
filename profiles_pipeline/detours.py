"""Which vars read the var table of their source, and which read the source itself instead.

A var table has the main ids of all entities on its rows, its input vars and the number of the row, and so it waits for
all that these need. A var only needs a part of it, and where the table would wait for the var, that part is enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from profiles_pipeline.enable import Node
from profiles_pipeline.resolve.model import EntityVar, Input, InputVar, Project, SqlModel
from profiles_pipeline.resolve.reader import Reader, VarKey


@dataclass(frozen=True, slots=True)
class Detour:
    """How a var can do without the var table of its source: what it needs then; None when it cannot."""

    table: str
    needs: frozenset[Node] | None


def without_false_circles(fine: dict[Node, set[Node]], detours: Mapping[VarKey, Detour]) -> frozenset[VarKey]:
    """Let vars on which the var table of their source depends read the source itself, where they can.

    Changes `fine`, which has for each node what it depends on.

    Returns: the vars that go on reading a var table.
    """
    above = {table: _above(fine, table) for table in {d.table for d in detours.values() if d.needs is not None}}
    led_around = {key: d for key, d in detours.items() if key in above.get(d.table, ())}
    for key, detour in led_around.items():
        if detour.needs is not None:
            fine[key] = (fine[key] - {detour.table}) | detour.needs
    return frozenset(key for key, detour in detours.items() if key not in led_around or detour.needs is None)


def _above(fine: Mapping[Node, set[Node]], node: Node) -> set[Node]:
    """Return everything that a node depends on, directly or not."""
    found: set[Node] = set()
    todo = [node]
    while todo:
        new = fine.get(todo.pop(), set()) - found
        found |= new
        todo += new
    return found


def reads_var_table(
    project: Project, reader: Reader, var: EntityVar, source: Input | SqlModel, columns: frozenset[str]
) -> bool:
    """True when a var that uses these columns of its source is computed from the source's var table.

    It is, unless the input vars need entity vars while this var needs nothing that only the table has: then it reads
    the source itself, so that those entity vars can be computed first.
    """
    own = project.input_vars.get(source.path, {})
    if columns & (own.keys() | columns_of_table(project, source, var.entity)):
        return True
    return not any(reader.input_var(iv).vars for iv in own.values())


def columns_of_table(project: Project, source: Input | SqlModel, entity: str) -> frozenset[str]:
    """Return the lower-case columns that the var table of a source has for vars of an entity beyond input vars.

    These are the number of the row and the main ids of other entities.
    """
    others = {row_id.entity for row_id in source.ids} - {entity}
    return frozenset({"input_row_id", *(project.entities[key].id_column.lower() for key in others)})


def input_vars_behind(project: Project, reader: Reader, source: str, columns: frozenset[str]) -> tuple[InputVar, ...]:
    """Return the input vars of a source among these columns, and those that they use in turn, as declared."""
    own = project.input_vars.get(source, {})
    found: set[str] = set()
    todo = columns & own.keys()
    while todo:
        found |= todo
        todo = frozenset().union(*(reader.input_var(own[name]).columns for name in todo)) & own.keys() - found
    return tuple(var for name, var in own.items() if name in found)
