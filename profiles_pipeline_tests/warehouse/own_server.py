"""A PostgreSQL server that a test may kill and start again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from profiles_pipeline_tests.deploy import services


@dataclass
class OwnServer:
    """A server with its data in a folder, a child of this process; database and user are called `dagster`."""

    programs: Path
    folder: Path
    port: int
    user: str | None
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        options = ("-p", str(self.port), "-k", str(self.folder), "-c", "listen_addresses=127.0.0.1")
        with (self.folder / "log").open("ab") as log:
            command = [str(self.programs / "postgres"), "-D", "data", *options]
            self.process = subprocess.Popen(command, user=self.user, cwd=self.folder, stdout=log, stderr=log)
        ready = [str(self.programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        services.wait_for("the server", lambda: subprocess.run(ready, check=False).returncode == 0)

    def kill(self) -> None:
        """End all of its processes at once, as if the power had failed."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)  # or it would start others in the place of those that go
        others = _children(self.process.pid)
        for pid in others:
            os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        services.wait_for("its processes to be gone", lambda: not any(map(_is_there, others)))

    def stop(self) -> None:
        """End it, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()

    def run(self, program: str, *arguments: str) -> None:
        """Run one of its programs."""
        command = [str(self.programs / program), *arguments]
        subprocess.run(command, user=self.user, cwd=self.folder, check=True, capture_output=True)


def _children(parent: int) -> list[int]:
    return [pid for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))) if _stat(pid)[1:2] == [str(parent)]]


def _stat(pid: int) -> list[str]:
    """State and parent of a process, nothing of one that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _is_there(pid: int) -> bool:
    return _stat(pid)[:1] not in ([], ["Z"])


@contextmanager
def own_server(*options: str) -> Iterator[OwnServer]:
    """Run a server of one's own inside the block; `options` are those of ``initdb``."""
    programs = services.postgresql_programs()
    assert programs is not None
    user = "postgres" if os.getuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="postgresql_") as folder:
        if user is not None:
            shutil.chown(folder, user)
        server = OwnServer(programs, Path(folder), services.free_port(), user)
        server.run("initdb", "-D", "data", "-U", "dagster", "-A", "trust", "--no-sync", "--encoding=UTF8", *options)
        server.start()
        try:
            server.run("createdb", "-h", "127.0.0.1", "-p", str(server.port), "-U", "dagster", "dagster")
            yield server
        finally:
            server.stop()
