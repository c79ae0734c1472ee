"""Models and vars that depend on themselves."""

from __future__ import annotations

import graphlib
from collections.abc import Mapping

from profiles_pipeline.enable import Node
from profiles_pipeline.errors import Problem, Problems
from profiles_pipeline.resolve.declared import default_stitcher
from profiles_pipeline.resolve.model import Project


def find_circles(project: Project, fine: Mapping[Node, set[Node]], problems: Problems) -> set[Node]:
    """Return the nodes that depend on themselves; each circle is added to `problems`."""
    found: set[Node] = set()
    while True:
        try:
            graphlib.TopologicalSorter({n: () if n in found else parents for n, parents in fine.items()}).prepare()
            return found
        except graphlib.CycleError as error:
            problems.found.append(circle_problem(project, error.args[1]))
            found |= set(error.args[1])


def circle_problem(project: Project, nodes: list[Node]) -> Problem:
    """Return the problem that these nodes depend on each other, each on the one before it."""
    shown = [n if isinstance(n, str) else "/".join(n) for n in nodes]
    first = nodes[0]
    if isinstance(first, tuple):
        span = project.entity_vars[first[0]][first[1]].spec.span
    else:
        span = project.models[first.partition("/part_")[0]].span
    message = f"these depend on each other in a circle: {' -> '.join(reversed(shown))}"
    hint = "break the circle by computing one of them from something else"
    if stitchers := {e.stitcher for e in project.entities.values() if e.stitcher == default_stitcher(e.name)} & set(
        shown
    ):
        hint += f", or keep a model out of '{stitchers.pop()}': to_default_stitcher: false on its ids"
    return Problem("cycle", message, span, hint)
