"""A project that was built once, whose finished profiles tests replace by others: what the next run would have left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow

from profiles_pipeline import connections, run
from profiles_pipeline.dialects import identifier, literal
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.publish.difference import Difference, find_difference
from profiles_pipeline.publish.publishing import Outcome, publish_in
from profiles_pipeline.resolve.publishing import Publisher
from profiles_pipeline.session import Session
from profiles_pipeline_tests.warehouse.engines import Engine

PROJECT = """
name: shop
schema_version: 98
connection: test
model_folders: [models]
entities: [{name: user, id_types: [user_id, email]}]
id_types: [{name: user_id}, {name: email}]
"""
COLUMNS = {
    "name": "VARCHAR",
    "city": "VARCHAR",
    "n": "BIGINT",
    "score": "DOUBLE",
    "price": "DECIMAL(18,2)",
    "is_new": "BOOLEAN",
    "seen_at": "TIMESTAMP",
    "born_on": "DATE",
}
MODELS = "\n".join(
    [
        "inputs:",
        "  - {name: people, table: people, ids: [{select: user_id, type: user_id, entity: user},",
        "     {select: email, type: email, entity: user}]}",
        "models:",
        "  - {name: named, model_type: entity_cohort,",
        '     model_spec: {extends: user/all, filter_expression: "{{user.name}} is not null"}}',
        "var_groups:",
        "  - name: vars",
        "    entity_key: user",
        "    vars:",
        *(f"      - entity_var: {{name: {c}, select: 'max(cast({c} as {t}))', from: inputs/people}}"
          for c, t in COLUMNS.items()),
    ]
)  # fmt: skip
ROW = {"user_id": "first", "email": "first@example.com", **dict.fromkeys(COLUMNS, None)}

Person = Mapping[str, object]


@dataclass
class Shop:
    """The project, open on its warehouse."""

    session: Session
    vars: str
    mappings: str
    members: str
    types: dict[str, str] = field(default_factory=lambda: dict(COLUMNS))

    def publisher(self, **spec: object) -> Publisher:
        """The publisher that a declaration makes; the project has it and no other then."""
        stated = {"from": "user/all/feature_view", "destination": "table", "guards": {"max_deleted": 1.0}} | spec
        project = self.session.project.run_as({"publish": [stated]}, Path("pb_project.yaml"))
        self.session = replace(self.session, project=project)
        return project.publishers[0]

    def publish(self, publisher: Publisher, **options: bool) -> Outcome:
        return publish_in(self.session, publisher, **options)

    def find(self, publisher: Publisher) -> Difference:
        return find_difference(self.session, publisher)

    def put(self, people: Mapping[str, Person]) -> None:
        """Let the finished profiles be these: main id -> ids and vars."""
        columns = ["user_main_id", *COLUMNS]
        rows = [[main_id, *(person.get(name) for name in COLUMNS)] for main_id, person in people.items()]
        self._replace(self.vars, columns, rows, {**self.types, "user_main_id": "VARCHAR"})
        ids = [
            [main_id, str(each).partition(" ")[0], "email" if "@" in str(each) else "user_id", *_seen(str(each))]
            for main_id, person in people.items()
            for each in _listed(person.get("ids"))
        ]
        names = ["main_id", "other_id", "other_id_type", "first_seen_at", "valid_at"]
        times = {"first_seen_at": "TIMESTAMP", "valid_at": "TIMESTAMP"}
        self._replace(self.mappings, names, ids, dict.fromkeys(names[:3], "VARCHAR") | times)

    def retype(self, types: Mapping[str, str]) -> None:
        """Let the vars have these types, and those that they were made with where none is given; nobody is left."""
        self.session.warehouse.execute(f"DELETE FROM {self.vars}")
        wanted = {**COLUMNS, **types}
        for name in (name for name in COLUMNS if wanted[name] != self.types[name]):
            self.session.warehouse.execute(
                f"ALTER TABLE {self.vars} ALTER COLUMN {name} TYPE {wanted[name]} USING NULL"
            )
        self.types = wanted

    def gather(self, main_ids: Sequence[str]) -> None:
        """Let the cohort of the named have these members."""
        self._replace(self.members, ["user_main_id"], [[each] for each in main_ids], {"user_main_id": "VARCHAR"})

    def _replace(
        self, relation: str, columns: Sequence[str], rows: Sequence[Sequence[object]], types: Mapping[str, str]
    ) -> None:
        warehouse = self.session.warehouse
        warehouse.execute(f"DELETE FROM {relation}")
        if not rows:
            return
        names = ", ".join(identifier(name, warehouse.dialect) for name in columns)

        def cell(value: object, name: str) -> str:
            spelled = literal(value, warehouse.dialect)  # type: ignore[arg-type]
            return f"CAST({spelled} AS {_spelled(types[name], warehouse.dialect)})"

        values = ", ".join(f"({', '.join(map(cell, row, columns))})" for row in rows)
        warehouse.execute(f"INSERT INTO {relation} ({names}) VALUES {values}")

    def rows(self, relation: str, columns: str = "*", order: str = "1") -> list[tuple[object, ...]]:
        """Rows of a relation of the output schema."""
        return self.session.warehouse.query(f"SELECT {columns} FROM {self.name(relation)} ORDER BY {order}").rows

    def name(self, relation: str) -> str:
        dialect = self.session.warehouse.dialect
        return f"{identifier(self.session.output.schema, dialect)}.{identifier(relation, dialect)}"


def written(shop: Shop, name: str) -> list[object]:
    """Everything that a publisher writes: its tables, and its rows in the ledger."""
    there = {relation.lower() for relation in shop.session.warehouse.relations(shop.session.output.schema)}
    found: list[object] = [shop.rows(table) for table in (name, f"{name}__changes") if table in there]
    if "publications" in there:
        found += [row for row in shop.rows("publications", order="3") if row[1] == name]
    return found


def _spelled(type_name: str, dialect: str) -> str:
    return {"DOUBLE": "DOUBLE PRECISION"}.get(type_name, type_name) if dialect == "postgres" else type_name


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []


def _seen(text: str) -> tuple[str | None, str | None]:
    """First and last day of an id that is written ``id 2024-01-01 2024-02-01``; none where it is the id alone."""
    _, *days = text.split(" ")
    return (days[0], days[1]) if days else (None, None)


@contextmanager
def shop(folder: Path, engine: Engine | None) -> Iterator[Shop]:
    """Yield the project, built once: in a DuckDB file, or on an engine that has its table."""
    (folder / "models").mkdir(parents=True)
    (folder / "pb_project.yaml").write_text(PROJECT, encoding="utf-8")
    (folder / "models" / "all.yaml").write_text(MODELS, encoding="utf-8")
    if engine is None:
        (folder / "data").mkdir()
        header, row = ",".join(ROW), ",".join("" if v is None else v for v in ROW.values())
        (folder / "data" / "people.csv").write_text(f"{header}\n{row}\n", encoding="utf-8")
        output = connections.embedded(folder)
    else:
        schema = "publishing"
        engine.drop(schema, f"{schema}_in")
        table = pyarrow.table({name: pyarrow.array([value], pyarrow.string()) for name, value in ROW.items()})
        with engine.loading(f"{schema}_in") as load:
            load(f"{schema}_in", "people", table)
        settings = replace(engine.settings(schema), sources={"people": f"{schema}_in.people"}, base=folder)  # type: ignore[call-arg]
        output = connections.Output(engine.name, schema, settings)
    project = ProfilesProject.load(folder)
    run.run(project, output)
    with run.open_session(project, output, "test") as session:
        known = {m.model_path: m.name for m in session.registry.materials()}
        mappings = f"{known['models/user_default_id_stitcher']}_mappings"
        made = Shop(session, "", "", "")
        names = (known["user/all/var_table"], mappings, known["models/named"])
        yield Shop(session, *map(made.name, names))
