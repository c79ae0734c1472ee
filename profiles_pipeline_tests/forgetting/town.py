"""A project with everything that people leave traces in, and its rows, which tests change from run to run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow

from profiles_pipeline import connections, run
from profiles_pipeline.connections import Output
from profiles_pipeline.dialects import identifier, spelled
from profiles_pipeline.plan import Request
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.session import open_session
from profiles_pipeline_tests.warehouse.engines import Engine

PROJECT = """
name: town
schema_version: 98
connection: test
model_folders: [models]
entities:
  - {name: user, id_types: [user_id, email, device, badge]}
  - {name: account, id_types: [account_id]}
id_types: [{name: user_id}, {name: email}, {name: device}, {name: badge}, {name: account_id}]
"""
MODELS = """
inputs:
  - name: events
    table: events
    occurred_at_col: ts
    ids: &ids
      - {select: user_id, type: user_id, entity: user}
      - {select: email, type: email, entity: user}
      - {select: device, type: device, entity: user}
      - {select: "40700000 + ascii(substr(user_id, 3, 1))", type: badge, entity: user}
      - {select: account_id, type: account_id, entity: account}
models:
  - name: orders
    model_type: sql_template
    model_spec:
      materialization: {output_type: table}
      ids: *ids
      occurred_at_col: ts
      single_sql: "select * from {{this.DeRef('inputs/events')}} where amount is not null"
  - name: weekly
    model_type: sql_template
    model_spec:
      materialization: {output_type: table}
      time_grain: week
      ids: *ids
      occurred_at_col: ts
      single_sql: "select * from {{this.DeRef('inputs/events')}} where amount > 1"
  - name: views_of_everybody_which_have_a_name_that_does_not_fit_into_the_names_of_postgresql
    model_type: sql_template
    model_spec:
      materialization: {output_type: table}
      single_sql: >-
        select id, case when user_id is null then device end as device,
        40700000 + ascii(substr(user_id, 3, 1)) as badge from {{this.DeRef('inputs/events')}} where what = 'view'
  - name: buyers
    model_type: entity_cohort
    model_spec: {extends: user/all, filter_expression: "{{user.total}} > 0"}
var_groups:
  - name: of_users
    entity_key: user
    vars:
      - entity_var: {name: total, select: sum(amount), from: models/orders}
      - entity_var: {name: n_events, select: count(*), from: inputs/events}
      - entity_var: {name: middle, select: median(amount), from: inputs/events}
      - entity_var: {name: address, select: max(email), from: inputs/events}
      - entity_var: {name: twice, select: "{{user.total}} * 2"}
  - name: of_accounts
    entity_key: account
    vars:
      - entity_var: {name: turnover, select: sum(amount), from: inputs/events}
      - entity_var: {name: n_devices, select: count(distinct device), from: inputs/events}
"""
PIPELINE = """
models:
  - name: visits
    model_type: sessions
    model_spec: {entity_key: user, from: inputs/events, event_id: id, event: what, timeout: 30m}
publish:
  - {name: by_user, from: user/all/feature_view, destination: table, key: user_id, guards: {max_deleted: 0}}
  - {name: by_mail, from: models/buyers, destination: {type: braze, identifier: email}, key: email, deletes: soft}
  - name: in_files
    from: user/all/feature_view
    key: user_id
    destination: {type: files, path: published, formats: [csv], contents: [delta]}
"""

COLUMNS = ("id", "user_id", "email", "device", "account_id", "what", "amount", "ts")
_TYPES = {"amount": pyarrow.int64(), "ts": pyarrow.timestamp("us")}

Event = tuple[str, str | None, str | None, str | None, str | None, str, int | None, str]

MAY: tuple[Event, ...] = (
    ("e01", "u-ann", "ann@example.com", "d-ann-1", "acme", "order", 5, "2024-05-06 10:00:00"),
    ("e02", None, None, "d-ann-1", "acme", "view", None, "2024-05-06 09:50:00"),
    ("e03", "u-bob", "bob@example.com", "d-bob-1", "acme", "order", 7, "2024-05-06 11:00:00"),
    ("e04", "u-cat", None, "d-cat-1", "bolt", "order", 2, "2024-05-06 12:00:00"),
    ("e05", "u-ann", None, "d-ann-2", None, "view", None, "2024-05-07 08:00:00"),
    ("e06", None, None, "d-bob-1", "bolt", "order", 11, "2024-05-07 08:10:00"),
    ("e07", "u-ann", None, "d-ann-2", "crux", "order", 3, "2024-05-08 08:00:00"),
    ("e08", "u-dan", "dan@example.com", None, None, "order", 4, "2024-05-08 09:00:00"),
)
LATER: tuple[Event, ...] = (
    ("e09", "u-ann", "ann@example.com", "d-new", "acme", "order", 100, "2024-05-09 10:00:00"),
    ("e10", None, None, "d-new", "acme", "order", 6, "2024-05-09 11:00:00"),
    ("e11", "u-bob", None, "d-bob-2", None, "order", 8, "2024-05-09 12:00:00"),
    ("e12", None, None, "d-ann-1", None, "view", None, "2024-05-06 13:00:00"),
    ("e13", "u-cat", None, "d-ann-2", None, "order", 9, "2024-05-09 13:00:00"),
)
OF_ANN = frozenset({"u-ann", "ann@example.com", "d-ann-1", "d-ann-2", "40700097"})


def without(events: Iterable[Event], ids: Iterable[str]) -> tuple[Event, ...]:
    """The events that carry none of some ids."""
    gone = set(ids)
    return tuple(event for event in events if gone.isdisjoint(event[1:4]))


@dataclass
class Town:
    """The project in a folder, on an engine or in a DuckDB file, with its rows."""

    folder: Path
    engine: Engine | None = None
    pipeline: str = PIPELINE

    def __post_init__(self) -> None:
        (self.folder / "models").mkdir(parents=True)
        (self.folder / "data").mkdir()
        (self.folder / "pb_project.yaml").write_text(PROJECT, encoding="utf-8")
        (self.folder / "models" / "all.yaml").write_text(MODELS, encoding="utf-8")
        (self.folder / "pipeline.yaml").write_text(self.pipeline, encoding="utf-8")
        self.schema = f"forgetting_{self.folder.name}"
        if self.engine is not None:
            self.engine.drop(self.schema, f"{self.schema}_in")
        self.project = ProfilesProject.load(self.folder)

    @property
    def output(self) -> Output:
        if self.engine is None:
            return connections.embedded(self.folder)
        settings = self.engine.settings(self.schema)
        settings = replace(settings, sources={"events": f"{self.schema}_in.events"}, base=self.folder)  # type: ignore[call-arg]
        return Output(self.engine.name, self.schema, settings)

    def write(self, events: Iterable[Event]) -> None:
        """Let the rows of the source be these."""
        rows = list(events)
        if self.engine is None:
            lines = [",".join("" if value is None else str(value) for value in row) for row in rows]
            text = "\n".join([",".join(COLUMNS), *lines])
            (self.folder / "data" / "events.csv").write_text(f"{text}\n", encoding="utf-8")
            return
        columns = {
            name: pyarrow.array(
                [datetime.fromisoformat(str(row[n])) if name == "ts" else row[n] for row in rows],
                _TYPES.get(name, pyarrow.string()),
            )
            for n, name in enumerate(COLUMNS)
        }
        self.engine.drop(f"{self.schema}_in")
        with self.engine.loading(f"{self.schema}_in") as load:
            load(f"{self.schema}_in", "events", pyarrow.table(columns))

    def run(self, day: str, **request: bool) -> run.Report:
        """Run as of the beginning of a day."""
        end = datetime.fromisoformat(day).replace(tzinfo=UTC)
        return run.run(self.project, self.output, run.Options(Request(**request), end=end, seq_no="new"))  # type: ignore[arg-type]

    def views(self) -> dict[str, list[tuple[object, ...]]]:
        """What the plain views show, in order; what names the run itself aside."""
        with open_session(self.project, self.output, "test") as session:
            warehouse, found = session.warehouse, {}
            names = {name.lower(): name for name in warehouse.views(self.output.schema)}
            called = {name: spelled(name, warehouse.dialect).lower() for name in sorted(self.project.relation_names)}
            for model in (name for name in called if called[name] in names):
                schema, view = (identifier(n, warehouse.dialect) for n in (self.output.schema, names[called[model]]))
                rows = warehouse.query(f"SELECT * FROM {schema}.{view}").rows
                found[model] = sorted(tuple(map(str, row)) for row in rows)
            return found  # type: ignore[return-value]

    def tables(self) -> dict[str, list[tuple[object, ...]]]:
        """Everything that stands in a table of the output schema, read without the program's own knowledge of them."""
        with open_session(self.project, self.output, "test") as session:
            warehouse, schema = session.warehouse, self.output.schema
            tables = sorted(warehouse.relations(schema) - warehouse.views(schema))
            quoted = {t: f"{identifier(schema, warehouse.dialect)}.{identifier(t, warehouse.dialect)}" for t in tables}
            return {table: warehouse.query(f"SELECT * FROM {name}").rows for table, name in quoted.items()}

    def traces(self, of: Iterable[str]) -> dict[str, list[tuple[object, ...]]]:
        """The rows of tables in which one of some texts stands anywhere, also inside of others."""
        texts = tuple(of)
        found = {
            table: [row for row in rows if any(text in str(cell) for cell in row for text in texts)]
            for table, rows in self.tables().items()
        }
        return {table: rows for table, rows in found.items() if rows}
