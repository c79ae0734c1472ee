"""Sessions in Dagster: an asset for each relation, what each is made from, and a funnel that can be seen."""

import base64
from pathlib import Path

import dagster as dg
import pytest

from profiles_pipeline.assets import build_definitions
from profiles_pipeline.testing import load_case, write_case

from .conftest import NO_PARTITIONS, materialize

CASES = Path(__file__).parents[1] / "data" / "cases"
AT_END = {"resources": {"profiles": {"config": {"end_time": "2024-06-01T00:00:00Z"}}}}

PARENTS = {
    "models/user_sessions": {"inputs/tracks", "models/user_default_id_stitcher"},
    "models/user_sessions_session_tracks": {"models/user_sessions"},
    "models/user_sessions_track_facts": {"models/user_sessions", "models/user_sessions_mapped_tracks"},
    "models/user_sessions_tracks_flow": {"models/user_sessions_track_facts"},
    "models/user_sessions_session_duration": {"models/user_sessions"},
    "models/user_sessions_user_session_facts": {"models/user_sessions"},
    "models/user_sessions_rejected": {"models/user_sessions"},
    "models/user_sessions_funnel": {"models/user_sessions"},
}


@pytest.fixture
def definitions(tmp_path: Path) -> dg.Definitions:
    folder = tmp_path / "project"
    write_case(load_case(CASES / "sessions_by_main_id.yaml"), folder)
    (folder / "pipeline.yaml").write_text(NO_PARTITIONS, encoding="utf-8")
    return build_definitions(folder)


def test_each_relation_is_an_asset_and_a_funnel_can_be_seen(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for path, parents in PARENTS.items():
        node = graph.get(dg.AssetKey(path.split("/")))
        assert {key.to_user_string() for key in node.parent_keys} == parents
        assert node.tags["profiles/model_type"] == "sessions"
        assert node.group_name == "user"
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(definitions, instance, run_config=AT_END)
        assert result.success
        funnel = result.asset_materializations_for_node("models__user_sessions_funnel")[0].metadata
    picture = str(funnel["profiles/funnel"].value).partition("base64,")[2].removesuffix(")")
    assert "6 of 2 visitors" in base64.b64decode(picture).decode()
    assert [record.data["sessions"] for record in funnel["profiles/stages"].value.records] == [6, 1]
