"""A funnel on the screen, as JSON and as a page."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from profiles_pipeline.funnels import ReachedStage, drawing
from profiles_pipeline.testing import load_case, write_case

from .conftest import Call

CASE = Path(__file__).parents[1] / "data" / "cases" / "sessions_by_main_id.yaml"


@pytest.fixture
def project(tmp_path: Path, call: Call) -> Path:
    write_case(load_case(CASE), tmp_path / "project")
    outcome = call("run", "--no-report", "--end-time", "2024-06-01T00:00:00Z", "-p", tmp_path / "project")
    assert outcome.code == 0, outcome.err
    return tmp_path / "project"


def test_a_funnel_is_shown_and_drawn(call: Call, project: Path, tmp_path: Path) -> None:
    page = tmp_path / "funnel.html"
    outcome = call("show", "funnel", "-m", "user_sessions", "-o", page, "-p", project)
    assert outcome.code == 0, outcome.err
    assert re.search(r"viewed +6 +2 +100\.0 % +100\.0 % +360 s", outcome.out)
    assert re.search(r"bought +1 +1 +16\.7 % +16\.7 % +0 s", outcome.out)
    text = page.read_text(encoding="utf-8")
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    widths = re.findall(r'<rect x="170" y="\d+" width="([\d.]+)"', text)
    assert [round(float(width)) for width in widths] == [440, 73]
    assert "6 of 2 visitors" in text
    assert "16.7 % went on" in text


def test_a_funnel_as_json(call: Call, project: Path) -> None:
    (found,) = json.loads(call("show", "funnel", "--json", "-p", project).out)
    assert found["path"] == "models/user_sessions_funnel"
    assert [(s["name"], s["sessions"], s["visitors"], s["mean_seconds"]) for s in found["stages"]] == [
        ("viewed", 6, 2, 359.8),
        ("bought", 1, 1, 0.0),
    ]


def test_sessions_without_stages_have_none(call: Call, project: Path) -> None:
    outcome = call("show", "funnel", "-m", "models/tracks", "-p", project)
    assert outcome.code == 2
    assert "error[no-funnel]: 'models/tracks' has no funnel" in outcome.err


def test_a_drawing_holds_whatever_a_stage_is_called() -> None:
    stages = [ReachedStage("<b>&", 0, 0, None), ReachedStage("then", 0, 0, None)]
    texts = [node.text for node in ET.fromstring(drawing("a & b", stages)).iter() if node.tag.endswith("text")]
    assert "<b>&" in texts
    assert "nobody got this far" in texts
