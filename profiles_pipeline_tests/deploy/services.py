"""The services of a deployment as processes: PostgreSQL, code server, webserver and daemon."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

WITHIN_S = 300
DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: str, happened: Callable[[], object], within: float = WITHIN_S) -> None:
    deadline = time.monotonic() + within
    while not happened():
        assert time.monotonic() < deadline, f"{what} has not happened within {within:.0f} s"
        time.sleep(0.5)


def postgresql_programs() -> Path | None:
    """The folder of `initdb` and `postgres`, which Debian keeps off the PATH."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


@contextmanager
def postgresql(programs: Path, *options: str) -> Iterator[int]:
    """Run a server of its own, without a password for users of this machine; yield its port.

    Args:
        programs: the folder of its programs.
        options: further options of ``initdb``.
    """
    user = "postgres" if os.getuid() == 0 else None  # it refuses to be run by root
    with tempfile.TemporaryDirectory(prefix="postgresql_") as folder:
        if user is not None:
            shutil.chown(folder, user)
        with _server(programs, Path(folder), user, options) as port:
            yield port


@contextmanager
def _server(programs: Path, folder: Path, user: str | None, options: Sequence[str]) -> Iterator[int]:
    port = free_port()

    def run(*command: str) -> None:
        done = subprocess.run(
            [str(programs / command[0]), *command[1:]],
            user=user,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    run("initdb", "-D", "data", "-U", "dagster", "-A", "trust", "--no-sync", *options)
    settings = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    run("pg_ctl", "start", "-w", "-D", "data", "-l", "log", "-o", settings)
    try:
        run("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "dagster", "dagster")
        yield port
    finally:
        run("pg_ctl", "stop", "-D", "data", "-m", "immediate")


@dataclass
class Deployment:
    """What runs, and where."""

    project: Path
    environment: Mapping[str, str]
    logs: Path
    code_port: int
    web_port: int
    _code: subprocess.Popen[bytes] | None = None

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        """Start a service in a process group of its own, as a container would be."""
        with (self.logs / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [str(Path(sys.executable).with_name(command[0])), *command[1:]],
                env=dict(self.environment),
                cwd=self.project,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
            )

    def start_code(self) -> None:
        """Start the code server as the Dockerfile does, and wait until it answers."""
        line = next(x for x in (DEPLOY / "Dockerfile").read_text().splitlines() if x.startswith("CMD "))
        command = [self._placed(word) for word in json.loads(line.removeprefix("CMD "))]
        self._code = self.start("code", *command)
        check = [str(Path(sys.executable).with_name("dagster")), "api", "grpc-health-check", "-p", str(self.code_port)]
        wait_for("the code server", lambda: subprocess.run(check, capture_output=True, check=False).returncode == 0)

    def _placed(self, word: str) -> str:
        return {"0.0.0.0": "127.0.0.1", "4000": str(self.code_port)}.get(word, word)

    def kill_code(self) -> None:
        """Kill the code server and every run beside it, as losing its container would."""
        assert self._code is not None
        os.killpg(self._code.pid, signal.SIGKILL)
        self._code.wait()

    def stop_code(self) -> None:
        """End the code server if it runs."""
        if self._code is not None and self._code.poll() is None:
            self.kill_code()

    def ask(self, question: str, **variables: object) -> dict[str, object]:
        """Ask the webserver in GraphQL."""
        body = json.dumps({"query": question, "variables": variables}).encode()
        address = f"http://127.0.0.1:{self.web_port}/graphql"
        request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = json.load(answer)
        assert "errors" not in found, found
        data: dict[str, object] = found["data"]
        return data

    def is_up(self) -> bool:
        """True once the webserver answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.web_port}/server_info", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False


@contextmanager
def deployed(project: Path, folder: Path, postgresql_port: int) -> Iterator[Deployment]:
    """Run the services of deploy/ for a project, with its files and its commands; all have ended afterwards."""
    home, logs = folder / "home", folder / "logs"
    for path in (home, logs):
        path.mkdir()
    for name in ("dagster.yaml", "workspace.yaml"):
        text = (DEPLOY / name).read_text(encoding="utf-8")
        (home / name).write_text(
            re.sub(r"(poll_interval|run_end)_seconds: 30", r"\1_seconds: 2", text), encoding="utf-8"
        )
    code, web = free_port(), free_port()
    environment = os.environ | {
        "DAGSTER_HOME": str(home),
        "DAGSTER_LOGS": str(logs),
        "DAGSTER_PG_HOST": "127.0.0.1",
        "DAGSTER_PG_PORT": str(postgresql_port),
        "DAGSTER_PG_USERNAME": "dagster",
        "DAGSTER_PG_PASSWORD": "not needed",
        "DAGSTER_PG_DB": "dagster",
        "DAGSTER_EVENT_BATCH_SIZE": "1000",
        "DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS": "1",
        "PROFILES_PROJECT_DIR": str(project),
        "PROFILES_CODE_HOST": "127.0.0.1",
        "PROFILES_CODE_PORT": str(code),
    }
    made = Deployment(project, environment, logs, code, web)
    workspace = ("-w", str(home / "workspace.yaml"))
    with ExitStack() as services:
        services.callback(made.stop_code)
        made.start_code()
        for name, command in {
            "webserver": ("dagster-webserver", "-h", "127.0.0.1", "-p", str(web), *workspace),
            "daemon": ("dagster-daemon", "run", *workspace),
        }.items():
            process = made.start(name, *command)
            services.callback(_end, process)
            if name == "webserver":  # two services that make the tables at once would get in each other's way
                wait_for("the webserver", made.is_up)
        yield made


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
