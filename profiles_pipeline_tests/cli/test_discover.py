"""discover: what there is, in the project and in the warehouse."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from .conftest import Call
from .test_check import edit
from .test_run import rows

TWO_ENTITIES = Path(__file__).parent.parent / "projects" / "two_entities"
LATER = "2023-11-09T00:00:00Z"


def found(call: Call, project: Path, *arguments: object) -> list[dict[str, object]]:
    """Return what a list as data holds."""
    listed: list[dict[str, object]] = json.loads(call("discover", *arguments, "-p", project, "--json").out)
    return listed


def test_models_before_and_after_a_run(call: Call, built: Path) -> None:
    models = {m["model"]: m for m in found(call, built, "models")}
    profile = models["models/user_profile"]
    assert (profile["rows"], profile["seq_no"], profile["relation"]) == (5, 1, "profiles.user_profile")
    assert (profile["entity"], profile["source"]) == ("user", "inputs/rsidentifies, inputs/rstracks")
    before = call("discover", "models", "-p", TWO_ENTITIES)
    assert before.code == 0
    assert "models/" in before.out
    assert "built at" not in before.out


def test_entities(call: Call, built: Path) -> None:
    assert found(call, built, "entities") == [
        {
            "entity": "user",
            "id_column": "main_id",
            "id_types": "main_id, user_id, anonymous_id, email",
            "model": "models/user_id_stitcher",
            "features": 5,
            "members": 5,
            "description": None,
        }
    ]
    assert [e["members"] for e in found(call, TWO_ENTITIES, "entities")] == [None, None]


def test_features_have_types_once_they_are_built(call: Call, built: Path) -> None:
    features = {f["feature"]: f for f in found(call, built, "features")}
    assert features["first_seen_date"]["type"] == "DATE"
    assert features["n_active_days_total"]["source"] == "inputs/rstracks"
    assert features["n_active_days_total"]["model"] == "user/all/var_table"


def test_sources_say_where_their_rows_are(call: Call, built: Path) -> None:
    (built / "data" / "profiles_sample.ecommerce.tracks.csv").unlink()
    sources = {s["source"]: s for s in found(call, built, "sources")}
    place = sources["inputs/rsidentifies"]["found"]
    assert place == str(built / "data" / "profiles_sample.ecommerce.identifies.csv")
    assert sources["inputs/rstracks"]["found"] is None
    assert sources["inputs/rstracks"]["id_types"] == "user_id, anonymous_id"


def test_materials_of_every_run(call: Call, built: Path) -> None:
    assert call("run", "-p", built, "--end-time", LATER, "-m", "user/all", "--no-report", "-q").code == 0
    materials = found(call, built, "materials")
    assert [(m["seq_no"], m["model"]) for m in materials if m["model"] == "user/all"] == [
        (1, "user/all"),
        (2, "user/all"),
    ]
    names = {m["material"] for m in materials}
    there = "select table_name from information_schema.tables where table_schema = 'profiles'"
    assert names <= {row["table_name"] for row in rows(call, built, there)}


def test_what_only_the_registry_knows_is_listed(call: Call, built: Path) -> None:
    edit(built, "name: user_profile", "name: customer_profile")
    statuses = {m["model"]: m["status"] for m in found(call, built, "models")}
    assert statuses["models/customer_profile"] == "enabled"
    assert statuses["models/user_profile"] == "no longer in the project"


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["features", "-k", "session"], {"avg_session_length_in_sec_last_7_days"}),
        (["features", "-s", "rsidentifies"], {"campaign_source_first_touch"}),
        (["features", "-e", "nobody"], set()),
        (["models", "-m", "user/all", "-e", "USER"], {"user/all", "user/all/var_table", "user/all/feature_view"}),
        (["models", "-k", "id_stitcher", "-m", "models/"], {"models/user_id_stitcher"}),
        (["sources", "-k", "tracks.csv"], {"inputs/rstracks"}),
        (["sources", "-m", "rsIdentifies/var_table"], {"inputs/rsidentifies"}),
    ],
)
def test_looking_for_something(call: Call, built: Path, arguments: list[str], names: set[str]) -> None:
    key = {"features": "feature", "models": "model", "sources": "source"}[arguments[0]]
    assert {row[key] for row in found(call, built, *arguments)} == names


def test_everything_at_once(call: Call, built: Path) -> None:
    lines = call("discover", "-p", built).out.splitlines()
    heads = [line for line in lines if line in ("models", "entities", "features", "sources", "materials")]
    assert heads == ["models", "entities", "features", "sources", "materials"]
    assert [line for line in lines if line.endswith(" found")] == [
        "7 found",
        "1 found",
        "5 found",
        "2 found",
        "7 found",
    ]
    narrowed = json.loads(call("discover", "-p", built, "-s", "rstracks", "--json").out)
    assert narrowed.keys() == {"models", "features", "sources"}
    assert call("discover", "-p", built, "-s", "*").out.splitlines() == lines


def test_a_list_as_a_file(call: Call, built: Path, tmp_path: Path) -> None:
    outcome = call("discover", "features", "-p", built, "--csv", tmp_path / "features.csv")
    assert (outcome.code, outcome.out) == (0, "")
    with (tmp_path / "features.csv").open(newline="") as stream:
        written = list(csv.DictReader(stream))
    assert {row["feature"]: row["type"] for row in written}["first_seen_date"] == "DATE"
    assert len(written) == 5


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["modles"], "bad-kind"),
        (["entities", "-s", "tracks"], "options-clash"),
        (["features", "-s", "analytics"], "unknown-input"),
        (["--csv", "all.csv"], "options-clash"),
        (["models", "--csv", "no/such/folder/models.csv"], "cannot-write"),
    ],
)
def test_a_wrong_call_exits_with_2(call: Call, built: Path, arguments: list[str], code: str) -> None:
    outcome = call("discover", "-p", built, *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert f"error[{code}]" in outcome.err
