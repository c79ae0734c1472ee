"""What has been built, for which window, from which definition: tables in the output schema of the warehouse.

The registry is the truth. A material counts only when its row says complete, and that row is written in the same
transaction as the material itself.
"""

from __future__ import annotations

import getpass
import json
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from sqlglot import exp

from profiles_pipeline.compile.suppression import Suppressed
from profiles_pipeline.dialects import render, spelled
from profiles_pipeline.errors import Problem, ProjectError
from profiles_pipeline.held_tables import HeldTables
from profiles_pipeline.names import FORGET_REQUESTS, FORGOTTEN_IDS, INPUT_ROWS, REGISTRY_TABLES
from profiles_pipeline.registry_schema import TABLES, VERSION, VERSIONS_TABLE, pending, statements
from profiles_pipeline.stages import How
from profiles_pipeline.warehouse.base import Warehouse
from profiles_pipeline.windows import Held, Kept

_RUNS = "wht_seq_no"

GRAIN = "time_grain:"
"""How the invocation of a time context begins that was made for models with a time grain, not by a run of its own."""


@dataclass(frozen=True, slots=True)
class SeqNo:
    """A time context: its number, its window, and whether every model of its run was built."""

    number: int
    begin: datetime | None
    end: datetime
    created: datetime
    complete: bool
    invocation: str

    @property
    def is_run(self) -> bool:
        """False for one in which there are only materials that models with a time grain needed."""
        return self.complete or not self.invocation.startswith(GRAIN)


@dataclass(frozen=True, slots=True)
class Material:
    """A material as recorded.

    Attributes:
        kind: table or view.
        row_count: rows it had when it was built.
        seconds: how long building it took.
        sources: source -> hash of the state in which it was read, for all that the material is made from; None when
            that was not recorded.
        version: the state of what is kept from run to run that it may show; None for one that shows none.
        how: how it came to be; None where that was not recorded.
    """

    name: str
    model_path: str
    model_name: str
    model_type: str
    fingerprint: str
    seq_no: int
    end: datetime
    kind: str
    begin: datetime | None = None
    entity: str | None = None
    row_count: int | None = None
    seconds: float | None = None
    sql_file: str | None = None
    checks: tuple[str, ...] = ()
    sources: Mapping[str, str] | None = None
    version: int | None = None
    how: How | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A material with what the registry knows besides: when it was built, and for which project.

    `project` is None when the time context of the material is not recorded.
    """

    material: Material
    project: str | None
    created: datetime


class Registry:
    """The registry in one schema of one warehouse. One that has not been made yet remembers nothing."""

    def __init__(self, warehouse: Warehouse, schema: str, *, target: str = "", folder: str = "") -> None:
        self.warehouse = warehouse
        self.schema = schema
        self.target = target
        self.folder = folder
        self._exists = False
        self._held = HeldTables(warehouse, schema)

    def ensure(self) -> None:
        """Make sure that the schema and the registry's tables exist, and are those of this version.

        A registry that an earlier version has made is migrated, step by step. Writers take turns, so nobody else does
        the same. All of it holds or nothing does; where tables cannot be changed in a transaction, every statement may
        be run again, and a version is noted once all before it is done.

        Raises:
            ProjectError: the tables were made by a later version of this package.
        """
        with self.warehouse.transaction():
            self.warehouse.ensure_schema(self.schema)
            there = {name.lower() for name in self.warehouse.relations(self.schema)}
            found = self._version() if VERSIONS_TABLE in there else None
            for name in (name for name in TABLES if name not in there):
                self.warehouse.execute(f"CREATE TABLE IF NOT EXISTS {self._table(name)} ({TABLES[name]})")
            if found is None:
                self._note_version(VERSION)
            for migration in pending(VERSION if found is None else found):
                for statement in statements(migration, {name: self._table(name) for name in TABLES}):
                    self.warehouse.execute(statement)
                self._note_version(migration.number)

    def _note_version(self, number: int) -> None:
        table = self._table(VERSIONS_TABLE)
        self.warehouse.execute(
            f"INSERT INTO {table} (registry_version, created_at) VALUES (?, ?)", [number, _naive(_now())]
        )

    def _version(self) -> int | None:
        """Return the version of the tables; None where none is noted.

        Raises:
            ProjectError: they were made by a later version of this package.
        """
        found = self.warehouse.scalar(f"SELECT MAX(registry_version) FROM {self._table(VERSIONS_TABLE)}")
        if not isinstance(found, int) or found <= VERSION:
            return found if isinstance(found, int) else None
        message = f"the registry in schema '{self.schema}' has version {found}, this program knows {VERSION}"
        hint = "upgrade profiles-pipeline, or use another schema"
        raise ProjectError([Problem("newer-registry", message, hint=hint)])

    def exists(self) -> bool:
        """True when the registry's tables are there.

        Raises:
            ProjectError: they are of a later version of this package, or some of them are gone.
        """
        if not self._exists:
            missing = set(REGISTRY_TABLES) - {name.lower() for name in self.warehouse.relations(self.schema)}
            if not missing:
                self._version()
            elif _RUNS not in missing and self.warehouse.scalar(f"SELECT COUNT(*) FROM {self._table(_RUNS)}"):
                gone = ", ".join(sorted(missing))
                message = (
                    f"of the registry in schema '{self.schema}' there is no {gone}, so what is there cannot be told"
                )
                raise ProjectError(
                    [
                        Problem(
                            "broken-registry", message, hint=f"restore it, or drop schema '{self.schema}' and run again"
                        )
                    ]
                )
            self._exists = not missing
        return self._exists

    # --- time contexts --------------------------------------------------------------------------------------

    def seq_nos(self, project: str) -> tuple[SeqNo, ...]:
        """Return the time contexts of a project, newest number first."""
        if not self.exists():
            return ()
        found = self.warehouse.query(
            f"""SELECT seq_no, begin_ts, end_ts, creation_ts, completion_ts IS NOT NULL, invocation
            FROM {self._table("wht_seq_no")} WHERE project = ? ORDER BY seq_no DESC""",
            [project],
        )
        return tuple(
            SeqNo(int(str(n)), _utc(begin), _utc(end) or _now(), _utc(made) or _now(), bool(done), str(by))
            for n, begin, end, made, done, by in found.rows
        )

    def next_seq_no(self, begin: datetime | None, end: datetime, invocation: str) -> SeqNo:
        """Return a new time context that is not recorded yet; its number is one more than the highest of the schema."""
        table = self._table("wht_seq_no")
        highest = self.warehouse.scalar(f"SELECT COALESCE(MAX(seq_no), 0) FROM {table}") if self.exists() else 0
        return SeqNo(int(str(highest)) + 1, begin, end, _now(), False, invocation)

    def record_seq_no(self, project: str, made: SeqNo) -> None:
        """Record a time context. Nobody else can have taken its number, since writers take turns."""
        self.warehouse.execute(
            f"INSERT INTO {self._table('wht_seq_no')} VALUES (?, ?, ?, ?, ?, NULL, ?)",
            [made.number, project, _naive(made.begin), _naive(made.end), _naive(made.created), made.invocation],
        )

    def new_seq_no(self, project: str, begin: datetime | None, end: datetime, invocation: str) -> SeqNo:
        """Record and return a new time context."""
        made = self.next_seq_no(begin, end, invocation)
        self.record_seq_no(project, made)
        return made

    def complete(self, seq_no: int) -> None:
        """Record that every model asked for in a time context was built and promoted."""
        self.warehouse.execute(
            f"UPDATE {self._table('wht_seq_no')} SET completion_ts = ? WHERE seq_no = ?", [_naive(_now()), seq_no]
        )

    # --- materials ------------------------------------------------------------------------------------------

    def materials(self, seq_no: int | None = None) -> tuple[Material, ...]:
        """Return the complete materials of a time context, or of all, in the order in which they were built."""
        if not self.exists():
            return ()
        where = "" if seq_no is None else f"WHERE seq_no = {int(seq_no)}"
        found = self.warehouse.query(
            f"""SELECT material_name, model_ref, model_name, model_type, model_hash, seq_no, begin_ts, end_ts,
            entity_key, row_count, seconds, metadata FROM {self._table("material_registry")} {where}
            ORDER BY creation_ts, material_name"""
        )
        return tuple(_material(row) for row in found.rows)

    def kept(self, project: str) -> tuple[Kept, ...]:
        """Return what a plan needs to know of the complete materials in the time contexts of a project.

        One that somebody has dropped is complete no longer.
        """
        if not self.exists():
            return ()
        there = self.warehouse.relations(self.schema)
        found = self.warehouse.query(
            f"""SELECT material_name, model_ref, model_hash, seq_no, end_ts, begin_ts, row_count
            FROM {self._table("material_registry")}
            WHERE seq_no IN (SELECT seq_no FROM {self._table("wht_seq_no")} WHERE project = ?)
            ORDER BY creation_ts, material_name""",
            [project],
        )
        return tuple(
            Kept(str(name), str(path), str(fingerprint), int(str(number)), _utc(end) or _now(), _utc(begin),
                 None if rows is None else int(str(rows)))
            for name, path, fingerprint, number, end, begin, rows in found.rows
            if spelled(str(name), self.warehouse.dialect) in there
        )  # fmt: skip

    def held(self, project: str, *, examined: bool = False) -> tuple[Held, ...]:
        """Return the tables of a project that are kept from run to run.

        Args:
            project: the name of the project.
            examined: look at the tables as well: which files they have read, and what is wrong with them.
        """
        return self._held.of(project, self._version() or VERSION, examined=examined) if self.exists() else ()

    def held_names(self) -> frozenset[str]:
        """Return the tables that any project keeps from run to run, with all that they consist of, in lower case."""
        return self._held.names() if self.exists() else frozenset()

    def hold(self, project: str, tables: Iterable[Held]) -> None:
        """Write down the tables that a model keeps for later runs, as they are left now."""
        self._held.hold(project, tables)

    @contextmanager
    def changing_held(self, project: str) -> Iterator[None]:
        """Run the body, which changes rows of kept tables outside of a run; the registry says how many there are then.

        To be used within the transaction that changes them.
        """
        version = (self._version() or VERSION) if self.exists() else VERSION
        with self._held.changing(project, version):
            yield

    def let_go(self, tables: Iterable[str]) -> None:
        """Forget tables that are kept from run to run no longer."""
        self._held.let_go(tables)

    def input_rows(self, project: str) -> Mapping[str, int]:
        """Return path -> number of rows of each input of a project when a run read it last."""
        if INPUT_ROWS not in {name.lower() for name in self.warehouse.relations(self.schema)}:
            return {}
        text = f"SELECT input, row_count FROM {self._table(INPUT_ROWS)} WHERE project = ?"
        return {str(path): int(str(rows)) for path, rows in self.warehouse.query(text, [project]).rows}

    def note_input_rows(self, project: str, path: str, rows: int) -> None:
        """Write down how many rows an input has."""
        table = self._table(INPUT_ROWS)
        with self.warehouse.transaction():
            self.warehouse.execute(f"DELETE FROM {table} WHERE project = ? AND input = ?", [project, path])
            self.warehouse.execute(f"INSERT INTO {table} VALUES (?, ?, ?)", [project, path, rows])

    def suppressed(self, project: str) -> Suppressed | None:
        """Return the identifiers that a project does not read any more; None where nobody was ever forgotten."""
        if FORGOTTEN_IDS not in {name.lower() for name in self.warehouse.relations(self.schema)}:
            return None
        found = self.warehouse.query(
            f"""SELECT entity, id_type, COUNT(*), COUNT(undone_at) FROM {self._table(FORGOTTEN_IDS)}
            WHERE project = ? GROUP BY entity, id_type""",
            [project],
        ).rows
        if not found:
            return None
        salt = self.warehouse.scalar(
            f"SELECT MAX(salt) FROM {self._table(FORGET_REQUESTS)} WHERE project = ?", [project]
        )
        counts = [(str(entity), str(id_type), int(str(n)), int(str(undone))) for entity, id_type, n, undone in found]
        return Suppressed(
            table=exp.table_(FORGOTTEN_IDS, db=self.schema, quoted=True),
            project=project,
            salt=str(salt),
            id_types=frozenset((entity, id_type) for entity, id_type, n, undone in counts if undone < n),
            # Nothing is ever taken off the list, so that both numbers only grow.
            mark=f" forgotten {sum(each[2] for each in counts)}, undone {sum(each[3] for each in counts)}",
        )

    def being_forgotten(self, project: str) -> frozenset[str]:
        """Return the main ids of people who are in what was built, and are about to be taken out of it."""
        if FORGET_REQUESTS not in {name.lower() for name in self.warehouse.relations(self.schema)}:
            return frozenset()
        found = self.warehouse.query(
            f"""SELECT main_ids FROM {self._table(FORGET_REQUESTS)}
            WHERE project = ? AND done_at IS NULL AND undone_at IS NULL AND main_ids IS NOT NULL""",
            [project],
        )
        return frozenset(main_id for row in found.rows for main_id in json.loads(str(row[0])))

    def entries(self) -> tuple[Entry, ...]:
        """Return the complete materials of every project of the schema, in the order in which they were built."""
        if not self.exists():
            return ()
        found = self.warehouse.query(
            f"""SELECT m.material_name, s.project, m.creation_ts
            FROM {self._table("material_registry")} AS m
            LEFT JOIN {self._table("wht_seq_no")} AS s ON s.seq_no = m.seq_no"""
        )
        known = {str(name): row for name, *row in found.rows}
        return tuple(
            Entry(material, None if project is None else str(project), _utc(made) or _now())
            for material in self.materials()
            for project, made in [known[material.name]]
        )

    def forget(self, materials: Iterable[str]) -> None:
        """Remove the rows of materials."""
        table = self._table("material_registry")
        for name in materials:
            self.warehouse.execute(f"DELETE FROM {table} WHERE material_name = ?", [name])

    def record(self, material: Material) -> None:
        """Write the row of a material, replacing an older one of the same name."""
        self.warehouse.execute(
            f"DELETE FROM {self._table('material_registry')} WHERE material_name = ?", [material.name]
        )
        metadata = {
            "complete": {"status": 2},
            "kind": material.kind,
            "material_objects": [{"material_name": material.name}],
            "sql_file": material.sql_file,
            "checks": material.checks,
            "sources": material.sources and dict(material.sources),
            "version": material.version,
            "how": material.how and asdict(material.how),
        }
        self.warehouse.execute(
            f"INSERT INTO {self._table('material_registry')} VALUES ({', '.join('?' * 18)})",
            [
                material.name, material.model_path, material.model_name, material.model_type, material.fingerprint,
                material.entity, material.seq_no, _naive(material.begin), _naive(material.end), _naive(_now()),
                material.row_count, material.seconds, json.dumps(metadata), self.target, _user(), platform.node(),
                self.folder, VERSION,
            ],
        )  # fmt: skip

    @contextmanager
    def forgetting(self, material: str) -> Iterator[None]:
        """Run the body in one transaction that starts by forgetting the material: all of it holds, or none."""
        with self.warehouse.transaction():
            self.warehouse.execute(
                f"DELETE FROM {self._table('material_registry')} WHERE material_name = ?", [material]
            )
            yield

    def _table(self, name: str) -> str:
        return render(exp.table_(name, db=self.schema, quoted=True), self.warehouse.dialect)


def _material(row: Sequence[object]) -> Material:
    name, path, model, kind_of_model, fingerprint, seq_no, begin, end, entity, rows, seconds, metadata = row
    kept: Mapping[str, object] = json.loads(str(metadata))
    checks, sources, version = kept.get("checks"), kept.get("sources"), kept.get("version")
    return Material(
        name=str(name),
        model_path=str(path),
        model_name=str(model),
        model_type=str(kind_of_model),
        fingerprint=str(fingerprint),
        seq_no=int(str(seq_no)),
        begin=_utc(begin),
        end=_utc(end) or _now(),
        kind=str(kept.get("kind", "table")),
        entity=None if entity is None else str(entity),
        row_count=None if rows is None else int(str(rows)),
        seconds=None if seconds is None else float(str(seconds)),
        sql_file=str(kept["sql_file"]) if kept.get("sql_file") else None,
        checks=tuple(map(str, checks)) if isinstance(checks, list) else (),
        sources=sources if isinstance(sources, dict) else None,
        version=version if isinstance(version, int) else None,
        how=_how(kept.get("how")),
    )


def _how(recorded: object) -> How | None:
    if not isinstance(recorded, dict):
        return None
    return How(recorded["action"], recorded["reason"], tuple(map(tuple, recorded["strategies"])))


def _now() -> datetime:
    return datetime.now(UTC)


def _naive(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC).replace(tzinfo=None) if moment and moment.tzinfo else moment


def _utc(value: object) -> datetime | None:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
