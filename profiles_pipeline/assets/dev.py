"""Opens a project in the Dagster UI."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
import webbrowser
from collections.abc import Callable, Mapping
from pathlib import Path

from profiles_pipeline.assets.instance import HOME_VARIABLE, MODULE, prepare
from profiles_pipeline.assets.report import report_pending
from profiles_pipeline.assets.storage import BATCH_SIZE, BATCH_VARIABLE
from profiles_pipeline.assets.watch import stop_group
from profiles_pipeline.errors import fail

UNFOLDED_UP_TO = 150
"""How many assets can be taken in at once."""

_GROUPS = "{assetNodes {groupName}}"


def serve(
    project_folder: Path,
    host: str = "127.0.0.1",
    port: int = 3000,
    open_browser: bool = True,
    siteconfig: Path | None = None,
    target: str | None = None,
) -> int:
    """Serve the Dagster UI of a project until Ctrl-C or until it fails; return the exit code.

    The instance lives in ``.profiles/dagster`` of the project. Runs of the command line that it has not heard of are
    reported to it first. When this returns, every process it started has ended.

    Raises:
        ProjectError: the port is taken.
    """
    _check_port(host, port)
    folder = project_folder.expanduser().resolve()
    home = prepare(folder)
    reported = report_pending(folder)
    if reported:
        print(f"{reported} models built by earlier runs are now known to Dagster", flush=True)
    command = [sys.executable, "-m", "dagster", "dev", "-m", MODULE, "-h", host, "-p", str(port)]
    url = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"  # noqa: S104 - compared, not bound

    def on_up() -> None:
        graph = graph_address(url)
        print(f"\nDagster shows {folder.name} on {graph}  (Ctrl-C stops it)\n", flush=True)
        if open_browser:
            webbrowser.open(graph)

    return _until_stopped(command, _environment(folder, home, siteconfig, target), folder, url, on_up)


def graph_address(url: str) -> str:
    """Return the address of a server's asset graph, its groups unfolded as long as there is not too much to see."""
    question = json.dumps({"query": _GROUPS}).encode()
    request = urllib.request.Request(f"{url}/graphql", question, {"Content-Type": "application/json"})  # noqa: S310 - our own address
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            found = [str(node["groupName"]) for node in json.load(answer)["data"]["assetNodes"]]
    except (OSError, ValueError, LookupError, TypeError):
        return f"{url}/asset-groups"  # the project may not load, which the page says
    unfolded = sorted(set(found)) if len(found) <= UNFOLDED_UP_TO else []
    names = ",".join(f"global@global:{urllib.parse.quote(name)}" for name in unfolded)
    return f"{url}/asset-groups" + (f"?expanded={names}" if len(unfolded) > 1 else "")


def _check_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            fail("port-in-use", f"cannot listen on {host}:{port}: {error.strerror}", hint="choose another with --port")


def _environment(folder: Path, home: Path, siteconfig: Path | None, target: str | None) -> dict[str, str]:
    # The command says of itself that a newer one exists, which needs a package that this one does not install.
    quiet = ["ignore:Function `dev_command` is superseded", os.environ.get("PYTHONWARNINGS", "")]
    named: Mapping[str, object] = {
        "PYTHONWARNINGS": ",".join(filter(None, quiet)),
        HOME_VARIABLE: home,
        BATCH_VARIABLE: BATCH_SIZE,
        "PROFILES_PROJECT_DIR": folder,
        "PROFILES_SITECONFIG": siteconfig.expanduser().resolve() if siteconfig else None,
        "PROFILES_TARGET": target,
    }
    return os.environ | {name: str(value) for name, value in named.items() if value is not None}


def _until_stopped(
    command: list[str], environment: dict[str, str], folder: Path, url: str, on_up: Callable[[], None]
) -> int:
    """Run the servers in a session of their own, so that a signal to this process reaches them once, through us.

    A process that was started in the background of a script ignores Ctrl-C and would hand that down: the servers could
    not be stopped. Setting handlers here undoes it, because a handler becomes the default in a new program.
    """
    stop = threading.Event()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in signals}
    servers = subprocess.Popen(command, env=environment, cwd=folder, start_new_session=True)
    watcher = _watch(servers.pid)
    up = False
    try:
        while servers.poll() is None and not stop.wait(0.3):
            if not up and _answers(url):
                up = True
                on_up()
        return 0 if stop.is_set() else servers.wait()
    finally:
        stop_group(servers.pid, servers.poll)
        servers.wait()
        watcher.communicate()
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch(group: int) -> "subprocess.Popen[bytes]":
    """Start what ends the group when this process is killed and cannot do it itself."""
    script = Path(__file__).with_name("watch.py")
    command = [sys.executable, "-I", str(script), str(group)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/server_info", timeout=2):  # noqa: S310 - our own address
            return True
    except (urllib.error.URLError, OSError):
        return False
