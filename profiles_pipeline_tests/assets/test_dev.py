"""The Dagster UI of a project: real servers, a real browser."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from profiles_pipeline import report
from profiles_pipeline.assets.dev import serve
from profiles_pipeline.errors import ProjectError
from profiles_pipeline.examples import copy_example

UP_WITHIN_S = 180
WAIT_MS = 120_000
ARTIFACTS_VARIABLE = "PROFILES_TEST_ARTIFACTS"
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
]
MODELS_BUILT = 7
MODELS = ["user_id_stitcher", "user_profile", "feature_view", "rsTracks", "rsIdentifies"]
SERVE = """
import sys
from pathlib import Path
from profiles_pipeline.assets.dev import serve
sys.exit(serve(Path(sys.argv[1]), port=int(sys.argv[2]), open_browser=False))
"""


@pytest.fixture
def artifacts() -> Path:
    """Where screenshots are kept."""
    folder = Path(os.environ.get(ARTIFACTS_VARIABLE) or Path(__file__).parent.parent / "artifacts")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    return folder


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(project: Path, log: Path) -> Iterator[str]:
    """Serve a project's UI and yield its address; Ctrl-C at the end must stop everything, with success.

    The server starts with Ctrl-C ignored, as what a script starts in the background does.
    """
    port = free_port()
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(project), str(port)],
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # noqa: PLW1509 - no threads yet
        )
    try:
        deadline = time.monotonic() + UP_WITHIN_S
        while "Dagster shows" not in log.read_text(encoding="utf-8"):
            assert server.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
            time.sleep(0.3)
        yield f"http://127.0.0.1:{port}"
        server.send_signal(signal.SIGINT)
        assert server.wait(timeout=90) == 0, log.read_text(encoding="utf-8")
    finally:
        if server.poll() is None:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=90)


def ask(address: str, question: str) -> dict[str, list[dict[str, object]]]:
    """Ask the server in GraphQL."""
    body = json.dumps({"query": question}).encode()
    request = urllib.request.Request(f"{address}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: dict[str, list[dict[str, object]]] = json.load(answer)["data"]
        return found


def materialized(address: str) -> set[str]:
    """Models that the server knows to be built, as paths."""
    nodes = ask(address, "{assetNodes {assetKey {path} assetMaterializations(limit: 1) {timestamp}}}")["assetNodes"]
    return {"/".join(node["assetKey"]["path"]) for node in nodes if node["assetMaterializations"]}  # type: ignore[index]


def processes_about(project: Path) -> list[int]:
    """Processes whose environment names the Dagster instance of a project."""
    wanted = f"PROFILES_PROJECT_DIR={project}\0".encode()
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and wanted in (entry / "environ").read_bytes() + b"\0":
                found.append(int(entry.name))
    return found


@contextmanager
def shown_by(browser_path: Path) -> Iterator[Page]:
    """Yield a page of a new browser; scripts that fail on it are an error."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(browser_path), args=CHROMIUM_ARGUMENTS)
        try:
            page = chromium.new_page(viewport={"width": 1600, "height": 1000})
            page.set_default_timeout(WAIT_MS)
            errors: list[str] = []
            page.on("pageerror", lambda error: errors.append(str(error)))
            yield page
        finally:
            chromium.close()
        assert errors == []


def listening(address: str) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", int(address.rpartition(":")[2]))) == 0


def test_a_taken_port_is_said_at_once(quickstart: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ProjectError, match=r"cannot listen on 127\.0\.0\.1"):
            serve(quickstart, port=taken.getsockname()[1], open_browser=False)
    assert not report.instance_folder(quickstart).exists()


@pytest.mark.slow
@pytest.mark.browser
def test_runs_of_the_command_line_are_known_when_the_ui_opens(
    quickstart: Path, tmp_path: Path, browser_path: Path, artifacts: Path
) -> None:
    command = [sys.executable, "-m", "profiles_pipeline", "run", "-p", str(quickstart), "--no-report"]
    subprocess.run(command, check=True, capture_output=True)
    with served(quickstart, tmp_path / "server.log") as address, shown_by(browser_path) as page:
        assert len(materialized(address)) == MODELS_BUILT
        assert ask(address, "{runsOrError {... on Runs {results {jobName status}}}}")["runsOrError"] == {
            "results": [{"jobName": "profiles_run", "status": "SUCCESS"}]
        }
        page.goto(f"{address}/runs")
        expect(page.get_by_text("Success", exact=True).first).to_be_visible(timeout=WAIT_MS)
        page.goto(f"{address}/assets/inputs/rsTracks")
        for text in ("Latest observation", "Row count", "42"):
            expect(page.get_by_text(text, exact=True).first).to_be_visible(timeout=WAIT_MS)
        page.screenshot(path=artifacts / "dagster_input.png")
        assert listening(address)
    assert not listening(address)
    assert report.pending(quickstart) == ()


@pytest.mark.slow
@pytest.mark.browser
def test_publishers_of_the_shop_are_used_by_a_click_and_say_what_they_wrote(
    tmp_path: Path, browser_path: Path, artifacts: Path
) -> None:
    shop, log = tmp_path / "shop", tmp_path / "server.log"
    copy_example("ecommerce", shop)
    command = [sys.executable, "-m", "profiles_pipeline", "run", "-p", str(shop), "--no-report"]
    subprocess.run(command, check=True, capture_output=True)
    with served(shop, log) as address, shown_by(browser_path) as page:
        unfolded = "global@global:models,global@global:publish,global@global:user"
        assert f" on {address}/asset-groups?expanded={unfolded} " in log.read_text(encoding="utf-8")
        publishers = {"publish/amplitude_profiles", "publish/high_value_files"}
        assert not publishers & materialized(address)
        page.goto(f"{address}/locations/profiles_pipeline.definitions/jobs/profiles_run_publish")
        page.get_by_role("button", name="Materialize all").click()
        expect(page.get_by_text("Launched run").first).to_be_visible(timeout=WAIT_MS)
        page.get_by_text("View", exact=True).first.click()
        expect(page.get_by_text("Success", exact=True).first).to_be_visible(timeout=WAIT_MS)
        assert publishers <= materialized(address)
        page.goto(f"{address}/assets/publish/amplitude_profiles")
        for text in ("Latest materialization", "Latest check results", "profiles/inserted", "210", "profiles/rejected"):
            expect(page.get_by_text(text, exact=True).first).to_be_visible(timeout=WAIT_MS)
        page.screenshot(path=artifacts / "dagster_publisher.png")
        page.goto(f"{address}/assets/publish/high_value_files?view=checks")
        for text in ("untouched", "deleted_share", "rejected_share"):
            expect(page.get_by_text(text, exact=True).first).to_be_visible(timeout=WAIT_MS)
        expect(page.get_by_text("Succeeded", exact=True)).to_have_count(3, timeout=WAIT_MS)
        page.screenshot(path=artifacts / "dagster_publisher_checks.png")
        assert sorted(folder.name for folder in (shop / "exports/high_value_files").iterdir()) == ["delta", "full"]


@pytest.mark.slow
def test_a_killed_command_leaves_no_server_behind(quickstart: Path, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "server.log"
    with log.open("wb") as output:
        command = [sys.executable, "-c", SERVE, str(quickstart), str(port)]
        server = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + UP_WITHIN_S
    while "Dagster shows" not in log.read_text(encoding="utf-8"):
        assert server.poll() is None, log.read_text(encoding="utf-8")
        assert time.monotonic() < deadline
        time.sleep(0.3)
    server.kill()
    server.wait()
    while listening(f"http://127.0.0.1:{port}") or processes_about(quickstart):
        assert time.monotonic() < deadline, processes_about(quickstart)
        time.sleep(0.3)


@pytest.mark.slow
@pytest.mark.browser
def test_everything_is_built_with_one_click(
    quickstart: Path, tmp_path: Path, browser_path: Path, artifacts: Path
) -> None:
    with served(quickstart, tmp_path / "server.log") as address:
        with shown_by(browser_path) as page:
            open_graph(page, address)
            page.get_by_role("button", name="Materialize all").click()
            expect(page.get_by_text("Launched run").first).to_be_visible(timeout=WAIT_MS)
            wait_for_success(page, address)
            page.screenshot(path=artifacts / "dagster_run.png")
            open_graph(page, address)
            page.wait_for_timeout(2000)  # colours of the nodes, for the picture alone
            page.screenshot(path=artifacts / "dagster_asset_graph.png")
            page.goto(f"{address}/assets/models/user_profile")
            expect(page.get_by_text("n_active_days_total").first).to_be_visible(timeout=WAIT_MS)
            for text in ("Latest materialization", "Row count"):
                expect(page.get_by_text(text).first).to_be_visible(timeout=WAIT_MS)
            expect(page.locator('a[href*="models/profiles.yaml:"]').first).to_be_visible(timeout=WAIT_MS)
            page.screenshot(path=artifacts / "dagster_user_profile.png")
        assert len(materialized(address)) == MODELS_BUILT


def open_graph(page: Page, address: str) -> None:
    """Show the graph as it is opened first and wait until the models are there."""
    page.goto(f"{address}/asset-groups")
    expect(page.get_by_role("button", name="Materialize all")).to_be_visible(timeout=WAIT_MS)
    for name in MODELS:
        expect(page.get_by_text(name, exact=True).first).to_be_visible(timeout=WAIT_MS)


def wait_for_success(page: Page, address: str) -> None:
    page.goto(f"{address}/runs")
    expect(page.get_by_text("Success", exact=True).first).to_be_visible(timeout=WAIT_MS)
