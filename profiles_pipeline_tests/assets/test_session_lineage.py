"""Which columns decide which of those of sessions."""

from pathlib import Path

from profiles_pipeline import lineage, versions
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.testing import load_case, write_case

CASES = Path(__file__).parents[1] / "data" / "cases"


def behind(case: str, folder: Path, path: str) -> dict[str, set[str]]:
    write_case(load_case(CASES / f"{case}.yaml"), folder)
    project = ProfilesProject.load(folder)
    compilation = versions.symbolic(project.graph, Reader(project.project, versions.ANY_TIME, bound=False))
    found = lineage.column_lineage(compilation)[path]
    return {name: {f"{source.path}.{source.column}" for source in sources} for name, sources in found.items()}


def test_columns_of_sessions(tmp_path: Path) -> None:
    found = behind("sessions_of_several_sources", tmp_path, "models/visits")
    times = {"inputs/pages.ts", "inputs/calls.ts", "models/graph.user_main_id"}
    assert found["user_main_id"] == {"models/graph.user_main_id"}
    assert found["duration_seconds"] == times
    assert found["session_id"] == times | {"inputs/pages.id", "inputs/calls.number"}
    assert found["entry_event"] == times | {"inputs/pages.title"}
    assert found["spent"] == times | {"inputs/pages.price"}


def test_columns_of_visitors(tmp_path: Path) -> None:
    found = behind("sessions_by_main_id", tmp_path, "models/user_sessions_user_session_facts")
    own = "models/user_sessions."
    assert found["mean_session_seconds"] == {f"{own}session_start_at", f"{own}ended_at"}
    assert found["furthest_stage"] == {f"{own}viewed_at", f"{own}bought_at"}


def test_columns_of_the_published_tables(tmp_path: Path) -> None:
    found = behind("sessions_as_published", tmp_path, "models/dbt_mapped_tracks")
    assert found["event_id"] == {"inputs/tracks.id"}
    assert found["dbt_visitor_id"] == {"models/dbt_aliases_mapping.dbt_visitor_id"}
