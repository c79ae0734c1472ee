"""What a path in a text means: a model, or a var."""

from __future__ import annotations

from collections.abc import Sequence

from profiles_pipeline.enable import Node
from profiles_pipeline.errors import MOST_LISTED, BrokenReferenceError, Problem, ProjectError, Span, as_written, nearest
from profiles_pipeline.names import VAR_TABLE
from profiles_pipeline.resolve.model import Project, Unsupported


def locate(project: Project, path: str, span: Span | None = None) -> Node:
    """Return what a path means: a model's path, or the key of a var.

    Raises:
        ProjectError: there is nothing of that name.
    """
    if "?" in path:
        wanted = path.partition("?")[0]
        message = f"a past material of '{wanted}' is asked for, and there is none"
        hint = "guard it: {% if x.IsEnabled() %}, with dependency='optional'"
        raise ProjectError([Problem("no-past-material", message, span, hint)])
    wanted = project.meant(path)
    if wanted in project.models:
        return wanted
    bare = project.meant(wanted.removeprefix("entity/"))
    if bare in project.models:
        return bare
    head, _, last = bare.rpartition("/")
    if head in project.models and (head.endswith(f"/{VAR_TABLE}") or isinstance(project.models[head], Unsupported)):
        return head  # a column of an input's var table, or a child of a model that is not computed
    if last in project.input_vars.get(head, {}):
        return f"{head}/{VAR_TABLE}"
    for owner in (head, f"{head}/all"):
        if last in project.entity_vars.get(owner, {}):
            return owner, last
    if project.broken.bears(bare) or f"var/{last}" in project.broken:
        raise BrokenReferenceError
    kind = "unknown-input" if wanted.startswith("inputs/") else "unknown-model"
    noun = "model or var" if head in project.entity_vars or f"{head}/all" in project.entity_vars else "model"
    raise ProjectError([Problem(kind, f"there is no {noun} '{path}'", span, _hint(project, wanted))])


def _hint(project: Project, wanted: str) -> str | None:
    """Return a hint that names the model or var most like a path or, for a name that stands alone, of most alike name.

    Paths have long parts in common: the last parts must be alike as well.
    """
    tables = wanted.endswith(f"/{VAR_TABLE}")
    known = [path for path in project.models if path.endswith(f"/{VAR_TABLE}") == tables]
    vars_ = [(owner, name) for owner, own in project.entity_vars.items() for name in own] if not tables else []
    short = {f"{owner}/{name}": f"{owner.removesuffix('/all')}/{name}" for owner, name in vars_}
    paths = dict(zip(known, known, strict=True)) | short | {path: path for path in short.values()}
    names = {path.rpartition("/")[2]: path for path in short.values()}
    names |= {project.models[path].name.lower(): path for path in known}
    last = wanted.rpartition("/")[2]
    found = nearest(wanted, paths)
    if found and (tables or nearest(last, [found.rpartition("/")[2]])):
        return f"did you mean '{paths[found]}'?"
    found = nearest(last, names) if not tables else None
    if found:
        return f"did you mean '{names[found]}'?"
    head = wanted.rpartition("/")[0]
    of_owner = [path for path in short.values() if path.rpartition("/")[0] == head]
    return _listed(of_owner) or _listed(known)


def _listed(found: Sequence[str]) -> str | None:
    paths = as_written(found)
    return "known: " + ", ".join(sorted(paths)) if 0 < len(paths) <= MOST_LISTED else None
