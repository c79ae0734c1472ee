"""What was built, written down for the project's Dagster instance; needs no Dagster itself.

A run leaves one file per model under ``.profiles/dagster/pending``, with one JSON object per line, each a `Record`. A
separate process reads them into the instance later, so that a run never waits for it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlglot import exp

from profiles_pipeline.connections import STATE_FOLDER
from profiles_pipeline.errors import Check
from profiles_pipeline.plan import has_plain_name, material_names
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import Input, Project
from profiles_pipeline.windows import Window

if TYPE_CHECKING:
    from profiles_pipeline.events import Built

INSTANCE_FOLDER = "dagster"
REPORTER = "profiles_pipeline.assets.report"
CODE_VERSION_LENGTH = 16

AssetPath = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """What there is to say about a model that was built.

    Attributes:
        key: path of the asset.
        run: name of the run that built it.
        built_at: ISO 8601, UTC.
        material: name of the material; also the version of its data.
        relation: the material as it is written in SQL.
        view: the plain-named view that shows it once it is promoted, ``schema.name``; None for one without.
        code_version: what it was built from.
        rows: how many there are; None when nobody counted.
        reused: True when an earlier run had built it for the same window.
        begin: start of the window, ISO 8601; None when everything before `end` counts.
        end: end of the window, ISO 8601.
        columns: names and types.
        sql_file: the SQL that was run, relative to the project folder.
        defined_in: file of the project and line where the model stands.
        inputs: path and data version of every asset it was built from.
        dialect: the SQL dialect in which the project is written.
    """

    key: AssetPath
    run: str
    built_at: str
    material: str
    relation: str
    view: str | None
    code_version: str
    kind: str
    rows: int | None
    seconds: float
    reused: bool
    seq_no: int
    begin: str | None
    end: str
    columns: tuple[tuple[str, str], ...]
    checks: tuple[Check, ...]
    sql_file: str | None
    defined_in: tuple[str, int] | None
    inputs: tuple[tuple[AssetPath, str | None], ...]
    dialect: str = "snowflake"

    @property
    def identity(self) -> str:
        """Name of the event: the same for the same material built at the same time."""
        return f"{self.material}@{self.built_at}"


def asset_path(project: Project, path: str) -> AssetPath:
    """Return the asset path of a model: its path with the names as the project writes them."""
    parts = path.split("/")
    return tuple(_as_written(project, "/".join(parts[: n + 1])) for n in range(len(parts)))


def _as_written(project: Project, path: str) -> str:
    last = path.rpartition("/")[2]
    model, entity = project.models.get(path), project.entities.get(path)
    name = model.name if model else entity.name if entity else last
    return name if name.lower() == last else last


def record(project: ProfilesProject, built: Built, window: Window, run: str) -> Record:
    """Return what there is to say about a model that was just built."""
    model, graph = built.model, project.graph
    own = window.of(model.time_grain)
    names = material_names(project, window)
    parents = [
        (asset_path(project.project, p), None if isinstance(graph.models[p], Input) else names[p])
        for p in graph.parents[model.path]
    ]
    return Record(
        key=asset_path(project.project, model.path),
        run=run,
        built_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        material=built.material,
        relation=built.relation,
        view=f"{exp.to_table(built.relation, dialect='duckdb').db}.{model.name}" if has_plain_name(model) else None,
        code_version=built.fingerprint[:CODE_VERSION_LENGTH],
        kind=built.kind,
        rows=built.rows,
        seconds=built.seconds,
        reused=built.reused,
        seq_no=own.seq_no,
        begin=own.begin.isoformat() if own.begin else None,
        end=own.end.isoformat(),
        columns=built.columns,
        checks=built.checks,
        sql_file=built.sql_file,
        defined_in=(model.span.file, model.span.line) if model.span else None,
        inputs=tuple(parents),
        dialect=project.project.source_dialect,
    )


# --- files --------------------------------------------------------------------------------------------------------


def instance_folder(project_folder: Path) -> Path:
    """Return the home of a project's own Dagster instance."""
    return project_folder / STATE_FOLDER / INSTANCE_FOLDER


def pending_folder(project_folder: Path) -> Path:
    """Return the folder of the files that have not been read into the instance yet."""
    return instance_folder(project_folder) / "pending"


def append(project_folder: Path, *records: Record) -> Path:
    """Leave records for the reporter in a file of their own, which appears whole or not at all; return the file."""
    folder = pending_folder(project_folder)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{uuid.uuid4().hex[:8]}"
    draft, final = folder / f"{name}.draft", folder / f"{name}.jsonl"
    draft.write_text("".join(json.dumps(asdict(r)) + "\n" for r in records), encoding="utf-8")
    draft.replace(final)
    return final


def pending(project_folder: Path) -> tuple[Path, ...]:
    """Return the files left for the reporter, oldest first."""
    return tuple(sorted(pending_folder(project_folder).glob("*.jsonl")))


def read(file: Path) -> Iterator[Record]:
    """Yield the records of a file.

    Raises:
        ValueError: a line is no record of this version.
    """
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            yield _record(json.loads(line))
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"{file}:{number} is no record of a built model: {error}") from error


def _record(found: dict[str, object]) -> Record:
    plain = {name: _frozen(value) for name, value in found.items() if name != "checks"}
    checks = found["checks"]
    if not isinstance(checks, list):
        raise TypeError("checks is not a list")
    return Record(**plain, checks=tuple(Check(**check) for check in checks))  # type: ignore[arg-type]


def _frozen(value: object) -> object:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


# --- the reporter -------------------------------------------------------------------------------------------------


def spawn_reporter(project_folder: Path) -> int | None:
    """Start the process that reads pending records into the instance; return its id, None if Dagster is not installed.

    It outlives the caller and writes to ``reporter.log`` in the instance's folder.
    """
    if importlib.util.find_spec("dagster") is None:
        return None
    folder = instance_folder(project_folder)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "reporter.log").open("ab") as log:
        started = subprocess.Popen(
            [sys.executable, "-P", "-m", REPORTER, str(project_folder)],  # -P: modules of the project hide nothing
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=project_folder,
            env=os.environ | {"DAGSTER_HOME": str(folder)},
            start_new_session=True,
        )
    return started.pid
