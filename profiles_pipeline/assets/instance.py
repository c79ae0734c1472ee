"""The Dagster instance of a project: its home is ``.profiles/dagster``, beside the embedded warehouse."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from profiles_pipeline.assets.storage import BATCH_SIZE, BATCH_VARIABLE
from profiles_pipeline.report import instance_folder
from profiles_pipeline.warehouse.lock import OnWait, hold

CONFIG_FILE = "dagster.yaml"
HOME_VARIABLE = "DAGSTER_HOME"

MODULE = "profiles_pipeline.definitions"
"""The code location of the project, as `profiles dev` calls it."""

CONFIG = """\
# The Dagster instance of this project. Change what you like; it is written only where it is missing.
telemetry:
  enabled: false

# As Dagster's own SQLite storage, only that events about many partitions are written together.
storage:
  custom:
    module: profiles_pipeline.assets.storage
    class: BatchedSqliteStorage
    config:
      base_dir:
        env: DAGSTER_HOME

# The welcome dialog would cover the first page.
nux:
  enabled: false

# One DuckDB file takes one writer.
concurrency:
  pools:
    default_limit: 1
    granularity: op

# A run that was killed keeps its place in the pool, which others would wait for in vain.
run_monitoring:
  enabled: true
  free_slots_after_run_end_seconds: 30
"""


def prepare(project_folder: Path) -> Path:
    """Make sure that the home of the project's instance exists and has its tables; return it.

    Two processes that make the tables of a new home at once would get in each other's way, so they take turns.
    """
    with open_instance(project_folder, "making the Dagster instance"):
        return instance_folder(project_folder)


@contextmanager
def open_instance(project_folder: Path, purpose: str, on_wait: OnWait | None = None) -> Iterator[dg.DagsterInstance]:
    """Yield the project's instance; only one caller at a time has it through this function."""
    home = instance_folder(project_folder)
    home.mkdir(parents=True, exist_ok=True)
    with hold(home / "instance", purpose, on_wait=on_wait):
        config = home / CONFIG_FILE
        if not config.exists():
            config.write_text(CONFIG, encoding="utf-8")
        os.environ.setdefault(BATCH_VARIABLE, str(BATCH_SIZE))
        with _called_home(home), dg.DagsterInstance.from_config(str(home)) as instance:
            instance.get_run_records(limit=1)
            instance.fetch_materializations(dg.AssetKey(["none"]), limit=1)
            yield instance


@contextmanager
def _called_home(folder: Path) -> Iterator[None]:
    """Let a folder be the home of Dagster in this process."""
    before = os.environ.get(HOME_VARIABLE)
    os.environ[HOME_VARIABLE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[HOME_VARIABLE]
        else:
            os.environ[HOME_VARIABLE] = before
