"""What there is of earlier windows: finds the materials that references to them mean. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from profiles_pipeline.errors import ProjectError
from profiles_pipeline.grains import GRAINS, floor
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.past import PastRef
from profiles_pipeline.windows import Kept, Window


@dataclass(frozen=True, slots=True)
class Found:
    """The material that a reference to earlier windows means, and the end of the checkpoint."""

    material: Kept
    end: datetime


def found(
    project: ProfilesProject, kept: Iterable[Kept], window: Window, context: Window, path: str
) -> Mapping[str, Found]:
    """Return address -> what it means, for all that a model asks of earlier windows and that is there.

    A checkpoint is the latest earlier window in which every model that is read from it was built as it is defined now;
    where only changes are asked for, in which the asking model itself was.

    Args:
        project: the project.
        kept: the complete materials.
        window: the window of the run.
        context: the window the model is built in.
        path: the model.
    """
    refs = sorted((r for r in project.graph.past.get(path, ()) if _is_built(project, r)), key=lambda r: r.checkpoint)
    by_path: dict[str, list[Kept]] = {}
    for material in kept if refs else ():
        if material.fingerprint == project.fingerprints.get(material.path) and material.begin == context.begin:
            by_path.setdefault(material.path, []).append(material)
    meanings: dict[str, Found] = {}
    for _, group in groupby(refs, key=lambda ref: ref.checkpoint):
        meanings |= _checkpoint(project, by_path, window, context, path, list(group))
    return meanings


def read_later(project: ProfilesProject) -> frozenset[str]:
    """Return the paths of the models whose earlier states others ask for."""
    refs = (ref for refs in project.graph.past.values() for ref in refs)
    return frozenset(project.graph.find(ref.path) for ref in refs if _is_built(project, ref))


def _is_built(project: ProfilesProject, ref: PastRef) -> bool:
    """False for a reference to a model that is left out."""
    try:
        return project.graph.find(ref.path) in project.graph.models
    except ProjectError:
        return False


def _checkpoint(
    project: ProfilesProject,
    kept: Mapping[str, list[Kept]],
    window: Window,
    context: Window,
    path: str,
    refs: list[PastRef],
) -> dict[str, Found]:
    """Return the meanings of all references to one checkpoint; none when there is no such window."""
    targets = {ref.address: project.graph.find(ref.path) for ref in refs if ref.kind != "rows"}
    asker = set() if refs[0].checkpoint == "" or any(ref.kind == "material" for ref in refs) else {path}
    read = {*targets.values(), *asker}
    grain_of = {target: project.graph.models[target].time_grain for target in read}
    lead = min(sorted(read), key=lambda target: GRAINS.index(grain_of[target]))
    bound = min(ref.latest(context.end) for ref in refs)
    for first in sorted(kept.get(lead, ()), key=lambda k: (k.end, k.seq_no), reverse=True):
        if first.end > bound or first.end >= window.within(context, project.graph.models[lead]).end:
            continue
        whole = {
            target: other
            for target in read
            if (other := _of_window(kept.get(target, ()), floor(first.end, grain_of[target]), first)) is not None
        }
        if len(whole) == len(read):
            return {ref.address: Found(whole.get(targets.get(ref.address, ""), first), first.end) for ref in refs}
    return {}


def _of_window(kept: Iterable[Kept], end: datetime, first: Kept) -> Kept | None:
    """Return the material whose window ends at `end`, that of the same time context as `first` if there are several."""
    found = [material for material in kept if material.end == end]
    return next((m for m in found if m.seq_no == first.seq_no), found[-1] if found else None)
