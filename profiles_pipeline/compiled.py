"""Writes the SQL of a plan to files that people can read: one file per material, statements in order."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from profiles_pipeline.compile import Bind, SolveComponents, Step, UniteRows
from profiles_pipeline.connections import Output
from profiles_pipeline.dialects import Texts, capabilities
from profiles_pipeline.dialects.folding import fitted
from profiles_pipeline.dialects.loops import repeated
from profiles_pipeline.errors import WarehouseError
from profiles_pipeline.identity import contraction_script
from profiles_pipeline.names import MATERIAL
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.stages import BuildMaterial, Plan, ReuseMaterial, RunHook

_LONGEST = 255
"""How many bytes the name of a file may have."""


@dataclass(frozen=True, slots=True)
class Files:
    """Where the SQL of a plan lies.

    Attributes:
        folder: the folder of the time context.
        root: the project folder.
        by_material: material -> its file.
    """

    folder: Path
    root: Path
    by_material: Mapping[str, Path]

    def relative(self, material: str) -> str | None:
        """Return the file of a material relative to the project folder."""
        file = self.by_material.get(material)
        return os.path.relpath(file, self.root) if file else None

    def place(self, material: str, statement: str | None, said: str) -> str | None:
        """Return the file of a material and the line in it that a warehouse complains about, as far as it says so.

        Args:
            material: name of the material.
            statement: the statement that failed.
            said: what the warehouse said, which may begin a line with ``LINE n:``.
        """
        file, relative = self.by_material.get(material), self.relative(material)
        if file is None or statement is None or (start := file.read_text(encoding="utf-8").find(statement.strip())) < 0:
            return relative
        before = file.read_text(encoding="utf-8").count("\n", 0, start)
        inside = re.search(r"^LINE (\d+):", said, re.MULTILINE)
        return f"{relative}:{before + (int(inside[1]) if inside else 1)}"


def folder_of(project: ProfilesProject, output: Output, seq_no: int) -> Path:
    """Return the folder of the SQL of a time context."""
    return project.folder / "output" / output.target / "seq_no" / str(seq_no)


def write(
    plan: Plan, project: ProfilesProject, output: Output, written: Texts, kind: Literal["compile", "run"]
) -> Files:
    """Write ``output/<target>/seq_no/<n>/<kind>/<material>.sql`` for every material of the plan, and return where.

    A run writes its compile folder too, since compiling is a part of it, and points ``seq_no/latest`` at its own.
    """
    folder = folder_of(project, output, plan.window.seq_no)
    files: dict[str, Path] = {}
    texts = {stage.material: text(stage, plan, written) for stage in plan.materials}
    for name in ("compile",) if kind == "compile" else ("compile", "run"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for stage in plan.materials:
            if name == "run" and isinstance(stage, ReuseMaterial):
                continue
            files[stage.material] = folder / name / _file_name(stage.material)
            files[stage.material].write_text(texts[stage.material], encoding="utf-8")
    if kind == "run":
        _point_latest(folder.parent, plan.window.seq_no)
    return Files(folder, project.folder, files)


def remove(project: ProfilesProject, output: Output, materials: Iterable[str]) -> None:
    """The SQL of materials that are no more is gone, and so are the folders that held nothing else.

    Raises:
        OSError: somebody does not let us.
    """
    folders: set[Path] = set()
    for material in materials:
        number = material.rpartition("_")[2]
        if material.startswith(MATERIAL) and number.isdecimal():
            folders.add(folder_of(project, output, int(number)))
            for name in ("compile", "run"):
                (folder_of(project, output, int(number)) / name / _file_name(material)).unlink(missing_ok=True)
    for folder in sorted(folders):
        for emptied in (folder / "compile", folder / "run", folder):
            if emptied.is_dir() and not any(emptied.iterdir()):
                emptied.rmdir()


def _file_name(material: str) -> str:
    """Return the name of the file of a material, which file systems want no longer than most engines their names."""
    return f"{fitted(material, _LONGEST - len('.sql'))}.sql"


def text(stage: BuildMaterial | ReuseMaterial, plan: Plan, written: Texts) -> str:
    """Return the SQL of a material as one readable text, its hooks before and after it."""
    head = [
        f"-- {stage.model.path}",
        f"-- {stage.material}, as of {stage.window.end:%Y-%m-%d %H:%M:%S} UTC",
    ]
    before: list[Step] = []
    after: list[Step] = []
    for other in plan.stages:
        if isinstance(other, RunHook) and other.material == stage.material:
            (before if other.hook.when == "pre_run" else after).extend(other.statements)
    script = stage.script
    before += script.steps
    lines = [*head, *_steps(before, written)]
    if script.at_once:
        changes = _steps(script.at_once, written, len(before) + 1)
        lines += ["", "-- all of what follows, or none:", "BEGIN;", *changes, "", "COMMIT;"]
    return "\n".join([*lines, *_steps(after, written, len(before) + len(script.at_once) + 1), ""])


_COMPONENTS = {"in_memory": "scipy's connected components", "contraction": "rounds of contraction in SQL"}


def _steps(steps: Iterable[Step], written: Texts, first: int = 1) -> list[str]:
    lines = []
    for number, step in enumerate(steps, start=first):
        lines += ["", f"-- {number}. {step.title}", *_said(step, written)]
    return lines


def _said(step: Step, written: Texts) -> list[str]:
    """Return the SQL of a step, or why it has none: the run that takes it refuses it, with its place."""
    try:
        return _sql(step, written)
    except WarehouseError as error:
        return [f"-- {error}"]


def _sql(step: Step, written: Texts) -> list[str]:
    if isinstance(step, SolveComponents) and capabilities(written.dialect).loops != "counted":
        return _contracted(step, written)
    if isinstance(step, SolveComponents):
        way = _COMPONENTS[capabilities(written.dialect).components]
        return [
            f"-- makes {step.result.name} (node, component) with {way} over the edges of",
            f"{written(step.edges)};",
        ]
    if isinstance(step, Bind):
        return [f"-- {', '.join('$' + name for name in step.names)}:", f"{written(step.query)};"]
    if isinstance(step, UniteRows):
        queries = "\nUNION ALL\n".join(written(query) for query in step.queries)
        made = f"{step.kind} {written(step.relation)}"
        return [f"-- makes the {made} with the columns that all of these have", f"{queries};"]
    return [f"{written(step.tree)};"]


def _contracted(step: SolveComponents, written: Texts) -> list[str]:
    """Return a script that finds components without anybody who counts its rounds."""
    script = contraction_script(step)
    rounds = [written(tree) for tree in script.rounds]
    return [
        f"-- makes {step.result.name} (node, component) in rounds that contract the graph, until no edge is left.",
        "-- fails where there are more nodes than numbers to tell them apart:",
        *(f"{written(tree)};" for tree in (script.guard, *script.before)),
        *repeated(rounds, written(script.left), written(script.check), written.dialect),
        *(f"{written(tree)};" for tree in script.after),
    ]


def _point_latest(base: Path, seq_no: int) -> None:
    """Make the link ``latest`` show the newest time context; replaced in one step so that it is never missing."""
    link, fresh = base / "latest", base / f".latest-{os.getpid()}"
    if link.is_dir() and not link.is_symlink():
        return  # the project was copied by something that follows links: what is there is no link of ours
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(str(seq_no), target_is_directory=True)
    fresh.replace(link)
