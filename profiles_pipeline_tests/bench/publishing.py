"""Publishing: a million profiles at once, and the same million after one in a hundred has changed.

Both are of runs that keep profiles for as long as they are so, as daily runs do.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from profiles_pipeline_tests.bench.agreement import Difference, differences
from profiles_pipeline_tests.bench.cases import profiles
from profiles_pipeline_tests.bench.measure import Case, apart, measure
from profiles_pipeline_tests.bench.workspace import Workspace, warehouse_of

PUBLISH_ALL = "profiles publish, everybody"
PUBLISH_CHANGED = "profiles publish, 1 % changed"
START = "profiles publish, one person, nothing changed"

PEOPLE = 1_000_000
BEFORE, AFTER = "2024-01-01", "2024-01-02"
OUTPUTS = {"published_rows": ("user_id",)}

PROJECT = """
name: publishing
schema_version: 98
connection: none
model_folders: [models]
entities: [{name: user, id_types: [user_id]}]
id_types: [{name: user_id}]
"""
COLUMNS = {
    "country": "['de', 'fr', 'us', 'in'][1 + i % 4]",
    "plan": "['free', 'small', 'large'][1 + i % 3]",
    "n_orders": "i % 50 + {plus}",
    "revenue": "(i % 10007) / 7 + {plus}",
    "score": "(i % 997) / 997.0",
    "last_seen_at": "TIMESTAMP '2023-01-01' + INTERVAL (i % 31536000) SECOND",
    "is_member": "i % 2 = 0",
    "city": "'city ' || i % 5000",
}
MODELS = "\n".join(
    [
        "inputs:",
        "  - {name: people, table: people, ids: [{select: user_id, type: user_id, entity: user}]}",
        "var_groups:",
        "  - name: vars",
        "    entity_key: user",
        "    vars:",
        *(f"      - entity_var: {{name: {column}, select: max({column}), from: inputs/people}}" for column in COLUMNS),
    ]
)
PIPELINE = """
incremental: always
publish:
  - {name: crm, from: user/all/feature_view, key: user_id, destination: table, guards: {max_changed: 0.5}}
"""


def publish_runs(work: Workspace) -> Sequence[Case]:
    """Publish a finished state for the first time; and the same one where all but a part of it is published already."""
    apart(_write, work)
    for name in ("all", "changed"):
        if name == "changed":
            _put(work, name, "before")
            measure(_run(work, name, BEFORE), work.home)
            measure(_publish(work, name), work.home)
        _put(work, name, "after")
        measure(_run(work, name, AFTER), work.home)
        work.copy(f"{name}/.profiles", f"{name}_state")
    measure(_run(work, "one", AFTER), work.home)
    measure(_publish(work, "one"), work.home)
    return (
        Case(START, _publish(work, "one")),
        *(
            Case(title, _publish(work, name), lambda name=name: work.copy(f"{name}_state", f"{name}/.profiles"))  # type: ignore[misc]
            for title, name in ((PUBLISH_ALL, "all"), (PUBLISH_CHANGED, "changed"))
        ),
    )


def _write(work: Workspace) -> None:
    for name in ("one", "all", "changed"):
        folder = work.folder / name
        for file, text in {"pb_project.yaml": PROJECT, "models/all.yaml": MODELS, "pipeline.yaml": PIPELINE}.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text, encoding="utf-8")
        (folder / "data").mkdir()
    for name, plus in (("before", "0"), ("after", "(i % 100 = 0)::INT")):
        values = ", ".join(f"{sql.format(plus=plus)} AS {column}" for column, sql in COLUMNS.items())
        query = f"SELECT 'user-' || i AS user_id, {values} FROM range({PEOPLE}) AS r(i)"
        duckdb.execute(f"COPY ({query}) TO '{work.folder / name}.parquet'")
    duckdb.execute(f"COPY ({query} LIMIT 1) TO '{work.folder / 'one' / 'data' / 'people.parquet'}'")


def _put(work: Workspace, name: str, state: str) -> None:
    file = work.folder / name / "data" / "people.parquet"
    file.unlink(missing_ok=True)
    file.hardlink_to(work.folder / f"{state}.parquet")


def _run(work: Workspace, name: str, end: str) -> tuple[str, ...]:
    return profiles("run", "--quiet", "--no-report", "--project", work.folder / name, "--end-time", end)


def _publish(work: Workspace, name: str) -> tuple[str, ...]:
    return profiles("publish", "crm", "--project", work.folder / name)


def disagreements(work: Workspace) -> list[Difference]:
    """Return where the two tables differ, and whether it was one in a hundred that was written the second time."""
    files = [warehouse_of(work.folder / name) for name in ("all", "changed")]
    for file in files:
        _compare_columns(file)
    found = differences(*files, OUTPUTS, "profiles", other_schema="profiles")
    with duckdb.connect(str(files[1]), read_only=True) as connection:
        written = connection.sql("SELECT COUNT(*) FROM profiles.crm__changes WHERE publication = 2").fetchall()[0][0]
    expected = PEOPLE // 100
    return found if written == expected else [*found, Difference("crm__changes", f"{written} rows, not {expected}")]


def _compare_columns(file: Path) -> None:
    """Make a view of what is published, without when it was."""
    with duckdb.connect(str(file)) as connection:
        rows = "SELECT * EXCLUDE (published_at) FROM profiles.crm"
        connection.execute(f"CREATE OR REPLACE VIEW profiles.published_rows AS {rows}")
