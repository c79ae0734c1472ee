"""dev: what can be wrong before the Dagster UI opens."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path

import pytest

from .conftest import Call
from .test_check import edit

pytestmark = pytest.mark.skipif(importlib.util.find_spec("dagster") is None, reason="Dagster is not installed")


def test_a_port_that_is_taken_is_named(call: Call, quickstart: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = call("dev", "-p", quickstart, "--port", port, "--no-browser")
    assert outcome.code == 2
    assert f"error[port-in-use]: cannot listen on 127.0.0.1:{port}" in outcome.err
    assert "hint: choose another with --port" in outcome.err


def test_a_wrong_project_is_not_served(call: Call, quickstart: Path) -> None:
    edit(quickstart, "type: email", "type: mail", "models/inputs.yaml")
    outcome = call("dev", "-p", quickstart, "--no-browser")
    assert outcome.code == 2
    assert outcome.err.startswith("../quickstart/models/inputs.yaml:14:15: error[")
