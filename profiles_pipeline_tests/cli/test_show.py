"""show dependencies, show dataflow and show plan: the graph as trees, data and pictures, and what a run built of it."""

from __future__ import annotations

import json
import random
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest

from profiles_pipeline.cli import drawing
from profiles_pipeline.cli.layout import Point, Size, lay_out

from .conftest import Call
from .test_check import edit

SVG = "{http://www.w3.org/2000/svg}"
LATER = "2023-11-09T00:00:00Z"
TIME_GRAIN = Path(__file__).parent.parent / "projects" / "time_grain"
ML_MODELS = Path(__file__).parent.parent / "projects" / "ml_models"


def test_dependencies_begin_with_the_results(call: Call, quickstart: Path) -> None:
    lines = call("show", "dependencies", "-p", quickstart).out.splitlines()
    tops = [line for line in lines if line[0] not in "│├└ "]
    assert tops == [
        "models/user_profile  feature_table_model  profiles.user_profile",
        "user/all/feature_view  feature_view  profiles.user_feature_view",
    ]
    leaves = {line.split("── ")[-1].split()[0] for line in lines if "  input  " in line}
    assert leaves == {"inputs/rsidentifies", "inputs/rstracks"}


def test_data_flows_from_the_source_tables(call: Call, quickstart: Path) -> None:
    lines = call("show", "dataflow", "-p", quickstart).out.splitlines()
    tops = [line for line in lines if line[0] not in "│├└ "]
    assert tops == [
        "inputs/rsidentifies  input  profiles_sample.ecommerce.identifies",
        "inputs/rstracks  input  profiles_sample.ecommerce.tracks",
    ]
    stitcher = next(line for line in lines if "models/user_id_stitcher" in line)
    assert "user_id → main_id, other_id" in stitcher
    assert "timestamp → valid_at, first_seen_at" in stitcher


def edges(document: str) -> dict[tuple[str, str], set[tuple[str, str]]]:
    return {
        (edge["from"], edge["to"]): {(column["from"], column["to"]) for column in edge["columns"]}
        for edge in json.loads(document)["edges"]
    }


def test_the_flow_as_data_names_the_columns(call: Call, quickstart: Path) -> None:
    found = edges(call("show", "dataflow", "-p", quickstart, "--json").out)
    assert found["models/user_id_stitcher", "user/all"] == {("main_id", "main_id")}
    into_profile = found["user/all/var_table", "models/user_profile"]
    assert ("first_seen_date", "first_seen_date") in into_profile
    assert ("context_campaign_source", "campaign_source_first_touch") in found[
        "inputs/rsidentifies/var_table", "user/all/var_table"
    ]
    plain = edges(call("show", "dependencies", "-p", quickstart, "--json").out)
    assert plain == {edge: set() for edge in found}


@pytest.mark.parametrize(
    ("options", "paths"),
    [
        (
            ["-m", "user/all", "--upstream"],
            {"inputs/rsidentifies", "inputs/rstracks", "models/user_id_stitcher", "user/all"},
        ),
        (["--model_refs", "models/user_profile", "--downstream"], {"models/user_profile"}),
        (
            ["-m", "user/first_seen_date", "--downstream"],
            {"user/all/var_table", "models/user_profile", "user/all/feature_view"},
        ),
        (
            ["--model-refs", "inputs/rstracks/var_table,models/user_profile", "--upstream"],
            {
                "inputs/rsidentifies", "inputs/rstracks", "models/user_id_stitcher", "user/all",
                "inputs/rsidentifies/var_table", "inputs/rstracks/var_table", "user/all/var_table",
                "models/user_profile",
            },
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["dependencies", "dataflow"])
def test_a_part_of_the_graph(call: Call, quickstart: Path, command: str, options: list[str], paths: set[str]) -> None:
    outcome = call("show", command, "-p", quickstart, "--json", *options)
    assert {model["path"] for model in json.loads(outcome.out)["models"]} == paths
    assert all(edge[0] in paths and edge[1] in paths for edge in edges(outcome.out))


def test_both_directions_meet_in_the_model(call: Call, quickstart: Path) -> None:
    def part(*options: str) -> set[str]:
        found = call("show", "dependencies", "-p", quickstart, "--json", "-m", "user/all/var_table", *options)
        return {model["path"] for model in json.loads(found.out)["models"]}

    up, down = part("--upstream"), part("--downstream")
    assert part() == part("--upstream", "--downstream") == up | down
    assert up & down == {"user/all/var_table"}


def test_what_is_left_out_can_be_shown(call: Call) -> None:
    assert "disabled" not in call("show", "dependencies", "-p", ML_MODELS).out
    shown = call("show", "dependencies", "-p", ML_MODELS, "--include_disabled")
    assert "disabled: models/learned: models of type 'training_model' are not computed" in shown.out.splitlines()
    models = json.loads(call("show", "dataflow", "-p", ML_MODELS, "--include-disabled", "--json").out)["models"]
    assert {m["path"]: m["reason"] for m in models if not m["enabled"]}["models/at_risk"] == (
        "it needs 'models/churn_within_a_week', which is disabled"
    )


def test_a_picture_has_a_box_for_each_model_and_a_line_for_each_edge(
    call: Call, quickstart: Path, tmp_path: Path
) -> None:
    for command in ("dependencies", "dataflow"):
        data = json.loads(call("show", command, "-p", quickstart, "--json").out)
        file = tmp_path / f"{command}.svg"
        outcome = call("show", command, "-p", quickstart, "-o", file)
        assert (outcome.code, outcome.out) == (0, "")
        root = ElementTree.parse(file).getroot()
        assert root.tag == f"{SVG}svg"
        texts = [text.text for text in root.iter(f"{SVG}text")]
        assert {model["path"] for model in data["models"]} <= set(texts)
        lines = [path for path in root.iter(f"{SVG}path") if path.get("marker-end")]
        assert len(lines) == len(data["edges"])
    assert "first_seen_date" in texts


def test_a_picture_as_png(call: Call, quickstart: Path, tmp_path: Path) -> None:
    assert call("show", "dependencies", "-p", quickstart, "-o", tmp_path / "models.PNG").code == 0
    head = (tmp_path / "models.PNG").read_bytes()[:24]
    assert head.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = (int.from_bytes(head[at : at + 4], "big") for at in (16, 20))
    assert width > height > 100


def test_png_without_its_renderer(
    call: Call, quickstart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "RENDERER", "no_such_renderer")
    outcome = call("show", "dependencies", "-p", quickstart, "-o", tmp_path / "models.png")
    assert outcome.code == 2
    assert "error[no-png]" in outcome.err
    assert "profiles-pipeline[pictures]" in outcome.err
    assert not (tmp_path / "models.png").exists()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["-o", "models.pdf"], "bad-format"),
        (["-o", "no/such/folder/models.svg"], "cannot-write"),
        (["-m", "models/user_profil"], "unknown-model"),
        (["--upstream"], "options-clash"),
    ],
)
def test_a_wrong_call_exits_with_2(call: Call, quickstart: Path, options: list[str], code: str) -> None:
    outcome = call("show", "dependencies", "-p", quickstart, *options)
    assert (outcome.code, outcome.out) == (2, "")
    assert f"error[{code}]" in outcome.err


# --- whether models are enabled -------------------------------------------------------------------------------------


def listed(call: Call, project: Path) -> dict[str, dict[str, object]]:
    return {model["path"]: model for model in json.loads(call("show", "models", "-p", project, "--json").out)}


def test_models_that_are_left_out_are_shown_with_the_reason(call: Call) -> None:
    models = listed(call, ML_MODELS)
    assert models["user/all"]["enable_status"] == "enabled"
    learned = models["models/learned"]
    assert (learned["enable_status"], learned["type"]) == ("disabled", "training_model")
    assert learned["reason"] == "models of type 'training_model' are not computed"
    for tree in ([], ["--tree"]):
        lines = call("show", "models", "-p", ML_MODELS, *tree).out.splitlines()
        assert "disabled: models/learned: models of type 'training_model' are not computed" in lines


def test_what_hinges_on_an_optional_input_is_maybe_enabled(call: Call, quickstart: Path) -> None:
    plain = call("show", "models", "-p", quickstart)
    assert "status" not in plain.out
    edit(
        quickstart,
        "  - name: rsTracks\n",
        "  - name: rsTracks\n    contract: {is_optional: true}\n",
        "models/inputs.yaml",
    )
    models = listed(call, quickstart)
    maybe = {path for path, model in models.items() if model["enable_status"] == "maybe enabled"}
    assert maybe == {"inputs/rstracks", "inputs/rstracks/var_table"}
    assert str(models["inputs/rstracks"]["reason"]).startswith("its contract says that it is optional")
    assert (
        "maybe enabled: it needs 'inputs/rstracks', which may be left out"
        in call("show", "models", "-p", quickstart).out
    )
    assert "inputs/rstracks  input  (maybe enabled)" in call("show", "models", "-p", quickstart, "--tree").out


def test_time_grains_are_shown_where_there_are_any(call: Call, quickstart: Path) -> None:
    assert "time grain" not in call("show", "models", "-p", quickstart).out
    assert "time grain" in call("show", "models", "-p", TIME_GRAIN).out
    assert {model["time_grain"] for model in listed(call, TIME_GRAIN).values()} > {None}


# --- show plan ------------------------------------------------------------------------------------------------------


def test_what_a_run_built(call: Call, built: Path) -> None:
    edit(built, "select: count( * )", "select: 1000 + count( * )")
    assert call("run", "-p", built, "--end-time", LATER, "-m", "user/all", "--no-report", "-q").code == 0
    first = json.loads(call("show", "plan", "-p", built, "--seq_no", "1", "--show_dependents", "--json").out)
    by_model = {m["model"]: m for m in first["materials"]}
    stitcher, everybody = by_model["models/user_id_stitcher"], by_model["user/all"]
    assert everybody["dependencies"] == [stitcher["material"]]
    assert everybody["material"] in stitcher["dependents"]
    assert stitcher["dependencies"] == ["inputs/rsidentifies", "inputs/rstracks"]
    assert everybody["rows"] == 5
    assert set(first["missing"]) == {"user/all/var_table", "models/user_profile", "user/all/feature_view"}
    last = json.loads(call("show", "plan", "-p", built, "--json").out)
    assert (last["seq_no"], last["end_time"]) == (2, "2023-11-09T00:00:00+00:00")
    assert [m["model"] for m in last["materials"]] == ["models/user_id_stitcher", "user/all"]
    assert "dependents" not in last["materials"][0]


def test_how_a_run_built_it_is_what_the_plan_said(call: Call, built: Path) -> None:
    planned = json.loads(call("plan", "-p", built, "--end-time", LATER, "--json").out)
    assert call("run", "-p", built, "--end-time", LATER, "--no-report", "-q").code == 0
    shown = json.loads(call("show", "plan", "-p", built, "--json").out)
    assert {m["model"]: (m["action"], m["reason"]) for m in shown["materials"]} == {
        m["path"]: (m["action"], m["reason"]) for m in planned["models"]
    }
    assert shown["vars"] == planned["vars"]
    assert {each["strategy"] for each in shown["vars"]} == {"state", "full"}
    assert "kept per id and day" in call("show", "plan", "-p", built).out


def test_what_a_run_built_as_a_table(call: Call, built: Path) -> None:
    lines = call("show", "plan", "-p", built).out.splitlines()
    assert lines[0] == "seq_no 1, as of 2023-11-08T00:00:00Z: finished"
    assert lines[1].split()[:5] == ["model", "material", "kind", "rows", "seconds"]
    assert "read by" not in lines[1]
    assert "read by" in call("show", "plan", "-p", built, "--show-dependents").out


@pytest.mark.parametrize(("seq_no", "code"), [("9", "unknown-seq-no"), ("new", "bad-seq-no"), ("x", "bad-seq-no")])
def test_a_run_that_is_not_there(call: Call, built: Path, seq_no: str, code: str) -> None:
    outcome = call("show", "plan", "-p", built, "--seq-no", seq_no)
    assert outcome.code == 2
    assert f"error[{code}]" in outcome.err


def test_before_the_first_run_there_is_no_plan_to_show(call: Call, quickstart: Path) -> None:
    outcome = call("show", "plan", "-p", quickstart)
    assert outcome.code == 2
    assert "error[nothing-built]" in outcome.err
    assert not (quickstart / ".profiles").exists()


# --- layout ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_no_box_lies_on_another_and_lines_run_to_the_right(seed: int) -> None:
    chance = random.Random(seed)
    names = [f"n{number}" for number in range(chance.randint(1, 30))]
    sizes = {name: Size(chance.randint(40, 300), chance.randint(20, 200)) for name in names}
    arrows = [pair for pair in combinations(names, 2) if chance.random() < 0.15]
    found = lay_out(sizes, arrows)

    def overlap(one: str, other: str) -> bool:
        a, b = found.boxes[one], found.boxes[other]
        beside = a.x + sizes[one].width <= b.x or b.x + sizes[other].width <= a.x
        below = a.y + sizes[one].height <= b.y or b.y + sizes[other].height <= a.y
        return not (beside or below)

    assert [pair for pair in combinations(names, 2) if overlap(*pair)] == []
    for (source, target), points in found.edges.items():
        assert [p.x for p in points] == sorted(p.x for p in points)
        assert points[0].x == found.boxes[source].x + sizes[source].width
        assert points[-1].x == found.boxes[target].x
    places = [*found.boxes.values(), *(point for points in found.edges.values() for point in points)]
    assert all(0 <= p.x <= found.size.width and 0 <= p.y <= found.size.height for p in places)


def test_a_line_over_several_layers_crosses_no_box_of_its_row() -> None:
    names = ["a", "b", "c"]
    found = lay_out(dict.fromkeys(names, Size(100, 40)), [("a", "b"), ("b", "c"), ("a", "c")])
    bends = found.edges["a", "c"][1:-1]
    box = found.boxes["b"]
    assert bends[0].y == bends[1].y
    assert {point.x for point in bends} == {box.x, box.x + 100}
    assert not box.y <= bends[0].y <= box.y + 40
    assert found.edges["a", "b"][0] == Point(found.boxes["a"].x + 100, found.boxes["a"].y + 20)


# --- tables that SQL names itself -------------------------------------------------------------------------------------

NAMED_IN_SQL = """\
models:
  - name: trials
    model_type: sql_template
    model_spec:
      single_sql: select t.user_id from {{this.DeRef("inputs/rsTracks")}} t join CRM.trials x using (user_id)
      ids: [{select: user_id, type: user_id, entity: user}]
  - name: ended
    model_type: sql_template
    model_spec:
      materialization: {output_type: table}
      multi_sql: |
        create temporary table long_trials as (select user_id from crm.trials where days > 30);
        create {{this.GetMaterialization().OutputType.ToSql()}} {{this}} as (select user_id from long_trials);
var_groups:
  - name: of_trials
    entity_key: user
    vars:
      - entity_var:
          name: n_paid
          select: count(*)
          from: models/trials
          where: exists (select 1 from crm.paid p where p.user_id = trials.user_id)
"""


def test_tables_that_sql_names_itself_are_part_of_the_graph(call: Call, quickstart: Path) -> None:
    (quickstart / "models" / "trials.yaml").write_text(NAMED_IN_SQL, encoding="utf-8")
    expected = {"models/trials": ["crm.trials"], "models/ended": ["crm.trials"], "user/all/var_table": ["crm.paid"]}
    models = json.loads(call("show", "models", "-p", quickstart, "--json").out)
    assert {model["path"]: model["tables"] for model in models if model["tables"]} == expected
    assert "inputs/rstracks, crm.trials" in call("show", "models", "-p", quickstart).out
    assert "── crm.paid  table" in call("show", "models", "-p", quickstart, "--tree").out
    for command in ("dependencies", "dataflow"):
        dag = json.loads(call("show", command, "-p", quickstart, "--json").out)
        tables = {box["path"] for box in dag["models"] if box["type"] == "table"}
        found = {(edge["to"], edge["from"]) for edge in dag["edges"] if edge["from"] in tables}
        assert found == {(path, name) for path, names in expected.items() for name in names}
    assert "── crm.trials  table" in call("show", "dependencies", "-p", quickstart).out
    assert "crm.paid  table" in call("show", "dataflow", "-p", quickstart).out.splitlines()
    assert "crm.paid" not in call("show", "dependencies", "-p", quickstart, "-m", "models/trials", "--upstream").out
    assert "crm.trials" not in call("show", "dependencies", "-p", quickstart, "-m", "models/trials", "--downstream").out

    (quickstart / "data" / "crm.paid.csv").write_text("user_id\nu1\n", encoding="utf-8")
    sources = json.loads(call("discover", "sources", "-p", quickstart, "--json").out)
    named = {row["table"]: (row["found"], row["model"]) for row in sources if not row["source"]}
    assert named["crm.trials"] == (None, "models/ended, models/trials")
    assert named["crm.paid"] == (str(quickstart / "data" / "crm.paid.csv"), "user/all/var_table")
