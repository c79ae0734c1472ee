"""What was built, written down for the project's Dagster instance; needs no Dagster itself.

A run leaves one file per model under ``.profiles/dagster/pending``, and at its end one for the inputs it has read and
one for itself, with one JSON object per line: a `Record`, an `InputSeen` or a `RunRecord`. A separate process reads
them into the instance later, so that a run never waits for it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

from sqlglot import exp

from profiles_pipeline import observations
from profiles_pipeline.connections import STATE_FOLDER
from profiles_pipeline.errors import Check
from profiles_pipeline.plan import has_plain_name, material_names
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import RULES, Input, Model, Project
from profiles_pipeline.windows import Window

if TYPE_CHECKING:
    from profiles_pipeline.events import Built
    from profiles_pipeline.session import Session

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
        partitions: keys of the partitions it stands for, in order.
        action: reuse, increment or build; empty when a run of an older version of this tool left it.
        reason: why so.
        strategies: vars over rows, how each was brought up to date, and why so.
        funnel: of a funnel, its stages: name, sessions, visitors, and mean seconds until it was reached.
        bytes_scanned: what building it has read; None where the warehouse does not tell.
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
    partitions: tuple[str, ...] = ()
    action: str = ""
    reason: str = ""
    strategies: tuple[tuple[str, str, str], ...] = ()
    funnel: tuple[tuple[str, int, int, float | None], ...] = ()
    bytes_scanned: int | None = None

    @property
    def identity(self) -> str:
        """Name of the event: the same for the same material built at the same time."""
        return f"{self.material}@{self.built_at}"


@dataclass(frozen=True, slots=True)
class InputSeen:
    """What a run saw of an input.

    Attributes:
        key: path of the asset.
        run: name of the run.
        seen_at: ISO 8601, UTC.
        table: the input's table as the project writes it.
        origin: what stands for it in the warehouse: a relation, or the files.
        rows: how many there are, whatever their time.
        columns: names and types.
        version: of the rows as they were when somebody looked for changes last; None when nobody has.
        ahead: how many of them lie in the future, and count once their time has come.
        early: how many are from before 1971, which mostly means that nobody knew when.
    """

    key: AssetPath
    run: str
    seen_at: str
    table: str
    origin: str
    rows: int
    columns: tuple[tuple[str, str], ...]
    version: str | None = None
    ahead: int = 0
    early: int = 0


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run of the command line that has ended.

    Attributes:
        run: its name, a UUID in hexadecimal digits.
        started_at: ISO 8601, UTC; as is `ended_at`.
        seq_no: number of its time context.
        end: end of its window, ISO 8601.
        target: the output it was built in.
        failure: why it failed; None for one that did not.
        failed: path of the asset that failed, where it was one.
        interrupted: somebody stopped it.
        partitions: keys of the first and the last partition of the project that it brought up to date, if any.
    """

    run: str
    started_at: str
    ended_at: str
    seq_no: int
    end: str
    target: str
    failure: str | None = None
    failed: AssetPath | None = None
    interrupted: bool = False
    partitions: tuple[str, ...] = ()


Entry = Record | InputSeen | RunRecord

_ENTRIES: Mapping[str, type[Entry]] = {"built": Record, "read": InputSeen, "run": RunRecord}
_NAMES = {entry: name for name, entry in _ENTRIES.items()}


def asset_path(project: Project, path: str) -> AssetPath:
    """Return the asset path of a model: its path with the names as the project writes them."""
    parts = path.split("/")
    return tuple(_as_written(project, "/".join(parts[: n + 1])) for n in range(len(parts)))


def _as_written(project: Project, path: str) -> str:
    last = path.rpartition("/")[2]
    model, entity = project.models.get(path), project.entities.get(path)
    name = model.name if model else entity.name if entity else last
    return name if name.lower() == last else last


def record(
    project: ProfilesProject, built: Built, window: Window, run: str, partitions: tuple[str, ...] = ()
) -> Record:
    """Return what there is to say about a model that was just built, and stands for partitions with these keys.

    The project is the one that was planned for: the columns of sources may have cut it down, or shown a name to be a
    var, so that it has other parts than the project as it was read.
    """
    model, graph = built.model, project.graph
    own = window.of(model.time_grain)
    names = material_names(project, window)
    parents = [
        (asset_path(project.project, p), built.versions.get(p) if isinstance(graph.models[p], Input) else names[p])
        for p in graph.parents[model.path]
    ]
    return Record(
        key=asset_path(project.project, model.path),
        run=run,
        built_at=_now(),
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
        partitions=partitions,
        action=built.how.action if built.how else "",
        reason=built.how.reason if built.how else "",
        strategies=built.how.strategies if built.how else (),
        funnel=built.funnel,
        bytes_scanned=built.bytes_scanned,
    )


def is_observable(model: Model) -> TypeGuard[Input]:
    """True for an input whose rows are kept somewhere else and can be looked at."""
    return isinstance(model, Input) and model.csv is None and model.path != RULES


def inputs_behind(session: Session, built: Iterable[Built]) -> tuple[Input, ...]:
    """Return the observable inputs from which models were built; models that were reused have read none."""
    graph = session.project.graph
    paths = {parent for item in built if not item.reused for parent in graph.parents.get(item.model.path, ())}
    models = (graph.models[path] for path in sorted(paths))
    return tuple(model for model in models if is_observable(model))


def input_seen(session: Session, model: Input, run: str) -> InputSeen:
    """Return what there is to see of an input as of now: its rows are counted, so text files are read.

    Raises:
        ProjectError: its table is not there.
        WarehouseError: its rows cannot be read.
    """
    source = session.warehouse.source(str(model.table))
    ahead, early = observations.odd_times(session.project, session.registry, model, datetime.now(UTC))
    return InputSeen(
        key=asset_path(session.project.project, model.path),
        run=run,
        seen_at=_now(),
        table=str(model.table),
        origin=source.origin,
        rows=session.warehouse.row_count(source.sql),
        columns=tuple((c.name, c.type) for c in session.warehouse.describe(source.select)),
        version=observations.versions_of(session.project, session.registry).get(model.path),
        ahead=ahead,
        early=early,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


# --- files --------------------------------------------------------------------------------------------------------


def instance_folder(project_folder: Path) -> Path:
    """Return the home of a project's own Dagster instance."""
    return project_folder / STATE_FOLDER / INSTANCE_FOLDER


def pending_folder(project_folder: Path) -> Path:
    """Return the folder of the files that have not been read into the instance yet."""
    return instance_folder(project_folder) / "pending"


def append(project_folder: Path, *entries: Entry) -> Path:
    """Leave entries for the reporter in a file of their own, which appears whole or not at all; return the file."""
    folder = pending_folder(project_folder)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{uuid.uuid4().hex[:8]}"
    draft, final = folder / f"{name}.draft", folder / f"{name}.jsonl"
    lines = (json.dumps({"entry": _NAMES[type(entry)], **asdict(entry)}) + "\n" for entry in entries)
    draft.write_text("".join(lines), encoding="utf-8")
    draft.replace(final)
    return final


def pending(project_folder: Path) -> tuple[Path, ...]:
    """Return the files left for the reporter, oldest first."""
    return tuple(sorted(pending_folder(project_folder).glob("*.jsonl")))


def read(file: Path) -> Iterator[Entry]:
    """Yield the entries of a file.

    Raises:
        ValueError: a line is no entry of this version.
    """
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            yield _entry(json.loads(line))
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"{file}:{number} is no entry about a run: {error}") from error


def _entry(found: dict[str, object]) -> Entry:
    plain = {name: _frozen(value) for name, value in found.items() if name not in ("entry", "checks")}
    made = _ENTRIES[str(found.get("entry", "built"))]
    if made is not Record:
        return made(**plain)  # type: ignore[arg-type]
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
