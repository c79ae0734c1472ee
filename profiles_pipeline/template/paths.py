"""Paths of models and vars: lower-case, absolute, and who owns a var."""

from __future__ import annotations

import re
from collections.abc import Callable

from profiles_pipeline.template.faults import RenderError
from profiles_pipeline.template.scope import Ref

Meant = Callable[[str, str | None], str]

_SEGMENT = re.compile(r"[\w$][\w$. -]*")


def resolve_path(path: object, base: str) -> str:
    """Return `path` as a lower-case path from the root of the project.

    ``~/x`` begins at the root, ``./x`` below `base`, ``../x`` beside it; anything else is already absolute.
    Raises RenderError ``bad-path``.
    """
    if not isinstance(path, str) or not path.strip():
        raise RenderError("bad-path", "a path is a text such as 'inputs/orders'")
    segments = path.strip().strip("/").lower().split("/")
    resolved: list[str] = []
    if segments[0] in (".", ".."):
        resolved = base.lower().split("/")
    elif segments[0] == "~":
        segments = segments[1:]
    for segment in segments:
        if segment == "..":
            if not resolved:
                raise RenderError("bad-path", f"the path '{path}' leaves the project", needle=path)
            resolved.pop()
        elif segment != ".":
            if not _SEGMENT.fullmatch(segment):
                raise RenderError(
                    "bad-path", f"'{path}' is not a path", hint="write it like 'models/name'", needle=path
                )
            resolved.append(segment)
    if not resolved:
        raise RenderError("bad-path", f"the path '{path}' names nothing", needle=path)
    return "/".join(resolved)


def var_ref(path: object, owner: str, kind: str, meant: Meant = lambda name, _: name) -> Ref:
    """Return the reference made by ``owner.Var(path)``; `kind` is ``rows`` for named rows, else anything.

    A bare name or ``./name`` is the owner's own. A longer path names the owner itself: ``entity/user/x``,
    ``user/all/x`` and ``~/entity/user/all/x`` are x of user, ``user/known/x`` and ``models/known/x`` are x of the
    cohort known, ``inputs/orders/x`` is column x of the rows of orders. `meant` tells what an owner that is called so
    within an entity, or here, is called in the whole project. Raises RenderError ``bad-path``.
    """
    own = Ref("row" if kind == "rows" else "var", "")
    if isinstance(path, str) and "/" not in path.removeprefix("./"):
        name = resolve_path(path.removeprefix("./"), owner)
        return Ref(own.kind, f"{owner}/{name}")
    segments = resolve_path(path, f"entity/{owner}").split("/")
    if segments[0] == "packages":
        segments = segments[2:]
    if segments and segments[0] == "inputs" and len(segments) == 3:
        return Ref("row", "/".join(segments[1:]))
    if segments and segments[0] in ("entity", "models"):
        segments = segments[1:]
    if len(segments) == 3 and segments[1] == "all":
        del segments[1]
    if len(segments) not in (2, 3):
        raise RenderError(
            "bad-path", f"'{path}' does not name a var", hint="write 'entity/user/name'", needle=str(path)
        )
    entity = segments[0] if len(segments) == 3 else owner if kind == "entity" else None
    return Ref("var", f"{meant(segments[-2], entity)}/{segments[-1]}")
