"""Which vars read the var table of their source, and which read the source itself instead.

A var table has the main ids of all entities on its rows, its input vars and the number of the row, and so it waits for
all that these need. A var only needs a part of it, and where the table would wait for the var, that part is enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from profiles_pipeline.enable import Node
from profiles_pipeline.errors import Problems
from profiles_pipeline.resolve.declared import default_stitcher
from profiles_pipeline.resolve.model import EdgeSource, EntityVar, InputVar, Project, Source, SqlModel, Stitcher
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.resolve.readings import VarKey


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


def without_circular_edges(project: Project, fine: dict[Node, set[Node]], problems: Problems) -> Project:
    """Return the project whose default stitchers leave out the models that are made from what they themselves give.

    A roll-up is one, when its rows have main ids of the entity it is for, as those of a var table do. Nothing is lost
    where its rows carry a single id, which ties nobody: its ids come from the rows it is made from. Each such model is
    a warning. A model with more ids stays, and so does the circle. Changes `fine` likewise.
    """
    models = dict(project.models)
    left_out = False
    for entity in project.entities.values():
        stitcher = models.get(entity.stitcher)
        if entity.stitcher != default_stitcher(entity.name) or not isinstance(stitcher, Stitcher):
            continue
        made_from_it = {s.path for s in stitcher.sources if _is_roll_up(project, fine, s, stitcher.path)}
        kept = tuple(source for source in stitcher.sources if source.path not in made_from_it)
        if not made_from_it or not kept:
            continue
        left_out = True
        models[stitcher.path] = replace(stitcher, sources=kept)
        fine[stitcher.path] = fine[stitcher.path] - made_from_it
        for path in sorted(made_from_it):
            message = f"'{models[path].name}' is made from main ids of '{entity.name}', and adds no ids to their graph"
            hint = "to say so, write to_default_stitcher: false on its id"
            problems.warn("circular-edges", message, models[path].span, hint=hint)
    return replace(project, models=models) if left_out else project


def _is_roll_up(project: Project, fine: Mapping[Node, set[Node]], source: EdgeSource, stitcher: str) -> bool:
    model = project.models[source.path]
    return isinstance(model, SqlModel) and len(source.ids) == 1 and stitcher in _above(fine, source.path)


def _above(fine: Mapping[Node, set[Node]], node: Node) -> set[Node]:
    """Return everything that a node depends on, directly or not."""
    found: set[Node] = set()
    todo = [node]
    while todo:
        new = fine.get(todo.pop(), set()) - found
        found |= new
        todo += new
    return found


def reads_var_table(project: Project, reader: Reader, var: EntityVar, source: Source, columns: frozenset[str]) -> bool:
    """True when a var that uses these columns of its source is computed from the source's var table.

    It is, unless the input vars need entity vars while this var needs nothing that only the table has: then it reads
    the source itself, so that those entity vars can be computed first.
    """
    own = project.input_vars.get(source.path, {})
    if columns & (own.keys() | columns_of_table(project, source, var.entity)):
        return True
    return not any(reader.input_var(iv).vars for iv in own.values())


def columns_of_table(project: Project, source: Source, entity: str) -> frozenset[str]:
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
