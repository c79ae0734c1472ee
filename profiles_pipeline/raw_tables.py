"""The warehouse tables that models read without an input in between: the SQL of their authors names them."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from profiles_pipeline import plan, versions
from profiles_pipeline.compile import Compilation, Script, compile_model
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import Model
from profiles_pipeline.resolve.reader import Reader


def raw_tables(project: ProfilesProject) -> dict[str, tuple[str, ...]]:
    """Return path -> names of such tables, each as the first model in build order spells it; most models have none.

    The vars of a table, and the ids and filters of the sources that a model reads, are part of its SQL.
    """
    compilation = versions.symbolic(project.graph, Reader(project.project, versions.ANY_TIME, bound=False))
    spelt: dict[str, str] = {}
    found = {}
    for path, model in project.graph.models.items():
        named = [spelt.setdefault(name.lower(), name) for name in compiled(compilation, model)[1]]
        if named:
            found[path] = tuple(dict.fromkeys(named))
    return found


def compiled(c: Compilation, model: Model) -> tuple[Script | None, tuple[str, ...]]:
    """Return the script of a model and the names of such tables in it, as they are written."""
    names: list[str] = []

    def outside(table: exp.Table) -> exp.Expr:
        names.append(plan.written_name(table))
        return c.outside(table)

    return compile_model(replace(c, outside=outside), model), tuple(dict.fromkeys(names))
