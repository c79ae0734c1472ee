"""What a path in a text means: a model, or a var."""

from __future__ import annotations

from profiles_pipeline.enable import Node
from profiles_pipeline.errors import BrokenReferenceError, Problem, ProjectError, Span, did_you_mean
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
    known = [path for path in project.models if path.endswith(f"/{VAR_TABLE}") == wanted.endswith(f"/{VAR_TABLE}")]
    kind = "unknown-input" if wanted.startswith("inputs/") else "unknown-model"
    raise ProjectError([Problem(kind, f"there is no model '{path}'", span, did_you_mean(wanted, known))])
