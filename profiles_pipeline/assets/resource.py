"""Resources: the warehouse a project is built in, and DuckDB files that are shared with it."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from dagster_duckdb import DuckDBResource
from pydantic import Field

from profiles_pipeline.connections import Output, find_output
from profiles_pipeline.garbage import rare_collection
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.warehouse.lock import Holder, hold

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from profiles_pipeline.run import Event, Session

Log = Callable[[str], None]
MEMORY = ":memory:"


class ProfilesResource(dg.ConfigurableResource[object]):
    """Where a project is built and for which moment.

    Every field may be left out: the project is then built as ``profiles run`` builds it.
    """

    siteconfig: str | None = Field(default=None, description="File with connections; the usual one when not set.")
    target: str | None = Field(default=None, description="Output of the connection; its default one when not set.")
    project_folder: str | None = Field(
        default=None, description="Folder from which relative paths of the warehouse start; the project's when not set."
    )
    end_time: str | None = Field(
        default=None, description="ISO 8601: everything is as of this moment; the start of the run when not set."
    )
    lock_timeout_s: float | None = Field(
        default=None, description="Seconds to wait for others to leave the warehouse; for ever when not set."
    )

    def output(self, project: ProfilesProject) -> Output:
        """Return the place a project is built in.

        Raises:
            ProjectError: the connection or target does not exist.
        """
        folder = Path(self.project_folder).expanduser().resolve() if self.project_folder else project.folder
        siteconfig = Path(self.siteconfig).expanduser() if self.siteconfig else None
        connection = project.project.spec.connection
        return find_output(folder, str(connection) if connection else None, siteconfig, self.target)

    @property
    def end(self) -> datetime | None:
        """The end of the window, UTC; None for now."""
        if not self.end_time:
            return None
        moment = datetime.fromisoformat(self.end_time)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)

    @contextmanager
    def session(self, project: ProfilesProject, output: Output | None, purpose: str, log: Log) -> "Iterator[Session]":
        """Yield the project open on its warehouse, alone on it; what happens meanwhile is logged.

        Raises:
            LockTimeoutError: others kept the warehouse for too long.
        """
        from profiles_pipeline import run  # noqa: PLC0415 - loads scipy, which definitions do not need

        def observe(event: "Event") -> None:
            if isinstance(event, run.Waiting):
                log(f"waiting for {event.holder}")
            elif isinstance(event, run.Working):
                log(event.title)

        where = output or self.output(project)
        with rare_collection(), run.open_session(project, where, purpose, observe, self.lock_timeout_s) as session:
            yield session


class ProfilesDuckDBResource(DuckDBResource):
    """A DuckDBResource that takes turns with profiles runs on the same file, and always closes its connection.

    Example:
        .. code-block:: python

            @dg.asset(deps=[dg.AssetKey(["models", "user_profile"])])
            def top_customers(duckdb: ProfilesDuckDBResource):
                with duckdb.get_connection() as connection:
                    connection.execute("create or replace table top as from profiles.user_profile limit 10")
    """

    lock_timeout_s: float | None = Field(
        default=None, description="Seconds to wait for others to leave the file; for ever when not set."
    )

    @contextmanager
    def get_connection(self) -> "Iterator[DuckDBPyConnection]":
        """Yield a connection, alone on the file until the block ends.

        Raises:
            LockTimeoutError: others kept the file for too long.
        """
        if self.database == MEMORY:
            with super().get_connection() as connection, closing(connection):
                yield connection
            return
        file = Path(self.database).expanduser().resolve()
        file.parent.mkdir(parents=True, exist_ok=True)
        log = dg.get_dagster_logger()

        def on_wait(holder: Holder) -> None:
            log.info(f"waiting for {holder}")

        with (
            hold(file, "a Dagster asset", self.lock_timeout_s, on_wait),
            super().get_connection() as connection,
            closing(connection),
        ):
            yield connection
