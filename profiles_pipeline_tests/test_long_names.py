"""A project whose names are longer than a server allows: built, gone on with, read and cleaned up as any other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from profiles_pipeline.cli import main
from profiles_pipeline.dialects import capabilities, spelled
from profiles_pipeline.resolve.model import Stitcher
from profiles_pipeline.warehouse.connect import connect
from profiles_pipeline_tests.test_postgres_projects import Place, cells, engine, place
from profiles_pipeline_tests.warehouse.engines import Engine

__all__ = ["engine"]

DAY = datetime(2024, 2, 1, tzinfo=UTC)


@pytest.fixture
def built(engine: Engine, tmp_path: Path) -> Place:
    """The quickstart with a stitcher and a view whose names do not fit, built for two days."""
    made = place("quickstart", engine, tmp_path / "quickstart", DAY)
    for file in (made.folder / "models").glob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("user_id_stitcher", long_name(made)), encoding="utf-8")
    project = made.folder / "pb_project.yaml"
    project.write_text(
        project.read_text(encoding="utf-8").replace("user_id_stitcher", long_name(made)), encoding="utf-8"
    )
    (made.folder / "pipeline.yaml").write_text("incremental: always\n", encoding="utf-8")
    made.run(made.engine)
    return made


def long_name(place: Place) -> str:
    """A name whose first letters alone would be those of another one."""
    return "stitcher_" * (capabilities(place.engine).max_identifier_length // 9 + 1)


def relations(place: Place) -> frozenset[str]:
    output = place.output(place.engine)
    with connect(output.settings, purpose="test", read_only=True) as warehouse:
        return warehouse.relations(output.schema)


def test_names_that_do_not_fit_are_shortened_and_found_again(built: Place) -> None:
    longest = capabilities(built.engine).max_identifier_length
    there = relations(built)
    assert all(len(name.encode()) <= longest for name in there)
    assert spelled(long_name(built), built.engine) in there
    later = replace(built, end=DAY.replace(day=2))
    (ids,) = (item for item in later.run(later.engine).built if isinstance(item.model, Stitcher))
    assert ids.how.action == "increment"
    assert all(item.reused for item in later.run(later.engine).built)
    later.run("dev")
    here, shown = ({name: cells(rows) for name, rows in later.views(t).items()} for t in ("dev", later.engine))
    called = {spelled(name, built.engine).lower() for name in here}
    assert called == shown.keys()
    assert {spelled(name, built.engine).lower(): rows for name, rows in here.items()} == shown
    before = relations(later)
    given = ["-p", str(later.folder), "-c", str(later.siteconfig), "-t", later.engine]
    with pytest.raises(SystemExit) as left:
        main(["cleanup", "materials", *given, "-r", "0d", "-y"])
    assert left.value.code == 0
    gone = before - relations(later)
    assert {spelled(f"{ids.material[:-1]}1{part}", built.engine) for part in ("", "_mappings")} <= gone
    assert {name: cells(rows) for name, rows in later.views(later.engine).items()} == shown
