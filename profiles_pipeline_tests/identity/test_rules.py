"""Manual rules are part of what a graph means: a change of theirs is a change of the definition."""

import shutil
from pathlib import Path

from profiles_pipeline import connections
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.run import Options, Report, run
from profiles_pipeline_tests.identity.stitching import END

PROJECT = Path(__file__).parent.parent / "projects" / "id_stitcher_rules"


def built(report: Report) -> set[str]:
    return {item.model.path for item in report.built if not item.reused}


def test_a_changed_rule_builds_the_graph_anew_in_the_same_window(tmp_path: Path) -> None:
    place = tmp_path / "project"
    shutil.copytree(PROJECT, place)
    rules = place / "data" / "id_stitch_rules.csv"
    written = rules.read_text()
    project, output = ProfilesProject.load(place), connections.embedded(place)

    def again() -> Report:
        return run(project, output, Options(end=END))

    first = again()
    everything = {item.model.path for item in first.built}
    assert built(first) == everything
    assert built(again()) == set()

    rules.write_text(written.replace("INCLUDE", "EXCLUDE"))
    second = again()
    assert second.window == first.window
    assert built(second) == everything

    rules.write_text(written)  # what was built under these rules is still there
    assert built(again()) == set()
