"""What a run built: the materials of a time context, and what each was made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from profiles_pipeline import run, time_contexts
from profiles_pipeline.connections import Output
from profiles_pipeline.errors import fail
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.queries.listing import list_models
from profiles_pipeline.queries.reading import open_for_reading
from profiles_pipeline.registry import Material, SeqNo


@dataclass(frozen=True, slots=True)
class MaterialRow:
    """A material of a run.

    Attributes:
        reads: materials of the run that it was made from, and inputs by their paths.
        read_by: materials of the run that were made from it.
    """

    material: Material
    time_grain: str | None
    reads: tuple[str, ...]
    read_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class History:
    """What a run built, in the order of building.

    Attributes:
        missing: paths of models that the project has and the run did not build as they are defined now.
    """

    seq_no: SeqNo
    rows: tuple[MaterialRow, ...]
    missing: tuple[str, ...]


def history(
    project: ProfilesProject,
    output: Output,
    seq_no: int | Literal["latest"],
    observe: run.Observer = lambda _: None,
    lock_timeout: float | None = None,
) -> History:
    """Return what was built in a time context.

    Raises:
        ProjectError: nothing has been built, or there is no such time context.
        LockTimeoutError: a run kept the warehouse for too long.
    """
    with open_for_reading(project, output, "profiles show plan", observe, lock_timeout) as session:
        if not session.registry.seq_nos(session.project.name):
            fail("nothing-built", "there is no run to show", hint="profiles plan shows what the next run would do")
        found = time_contexts.choose_seq_no(session, run.Options(seq_no=seq_no))[0]
        made = session.registry.materials(found.number)
        names = {material.model_path: material.name for material in made}
        models = {row.path: row for row in list_models(session.project, output.schema)}
        current = {m.model_path for m in made if session.project.fingerprints.get(m.model_path) == m.fingerprint}
        rows = tuple(
            MaterialRow(
                material,
                row.time_grain if row else None,
                tuple(names.get(path, path) for path in row.reads) if row else (),
                tuple(names[path] for path in row.read_by if path in names) if row else (),
            )
            for material in made
            for row in [models.get(material.model_path)]
        )
        missing = tuple(path for path, row in models.items() if row.output != "source" and path not in current)
        return History(found, rows, missing)
