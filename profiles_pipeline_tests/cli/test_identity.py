"""audit id_stitcher, idstitcher-report, entity-lookup and idstitch rules: who is who, why, and how to say otherwise."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from profiles_pipeline.cli.radial import in_circles
from profiles_pipeline.testing import main_id

from .conftest import Call

PROJECTS = Path(__file__).parent.parent / "projects"
END = "2024-02-01T00:00:00Z"


@pytest.fixture
def ruled(call: Call, tmp_path: Path) -> Path:
    """u1 - a - u2 and u3 - b, stitched under an empty table of rules."""
    place = tmp_path / "ruled"
    shutil.copytree(PROJECTS / "id_stitcher_rules", place)
    (place / "data" / "id_stitch_rules.csv").rename(tmp_path / "rules.csv")
    assert call("idstitch", "rules", "create", "-p", place).code == 0
    run_again(call, place)
    return place


def run_again(call: Call, place: Path) -> None:
    outcome = call("run", "-p", place, "--end-time", END, "--no-report", "-q")
    assert (outcome.code, outcome.err) == (0, "")


def document(call: Call, *arguments: object) -> object:
    outcome = call(*arguments, "--json")
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def cells(text: str) -> list[list[str]]:
    return [re.split(r" {2,}", line.strip()) for line in text.splitlines()]


# --- rules ----------------------------------------------------------------------------------------------------------


def test_without_its_table_a_project_of_rules_says_how_to_make_it(call: Call, tmp_path: Path) -> None:
    place = tmp_path / "project"
    shutil.copytree(PROJECTS / "id_stitcher_rules", place)
    (place / "data" / "id_stitch_rules.csv").unlink()
    outcome = call("run", "-p", place, "--no-report")
    assert outcome.code == 2
    assert "pb_project.yaml:13:" in outcome.err
    assert "hint: profiles idstitch rules create" in outcome.err


def test_sample_data_has_a_table_without_rules(call: Call, tmp_path: Path) -> None:
    place = tmp_path / "project"
    shutil.copytree(PROJECTS / "id_stitcher_rules", place)
    shutil.rmtree(place / "data")
    assert call("sample-data", "-p", place, "--rows", "50", "--end", END).code == 0
    run_again(call, place)
    (found,) = document(call, "audit", "id_stitcher", "-p", place)  # type: ignore[misc]
    assert {s["source"] for s in found["sources"]} == {"inputs/people"}


def test_a_table_is_made_once(call: Call, ruled: Path) -> None:
    again = document(call, "idstitch", "rules", "create", "-p", ruled)
    assert again == {
        "name": "id_stitch_rules",
        "relation": "warehouse.profiles.id_stitch_rules",
        "made": False,
        "rules": 0,
    }
    other = document(call, "idstitch", "rules", "create", "-p", ruled, "--name", "stewards.rules")
    assert (other["made"], other["relation"]) == (True, '"stewards"."rules"')  # type: ignore[index]
    said = call("idstitch", "rules", "create", "-p", ruled, "--name", "stewards.rules")
    assert "the project obeys the rules in 'id_stitch_rules', not those in 'stewards.rules'" in said.err


def test_the_table_can_be_queried_before_the_first_run(call: Call, tmp_path: Path) -> None:
    place = tmp_path / "project"
    shutil.copytree(PROJECTS / "id_stitcher_rules", place)
    (place / "data" / "id_stitch_rules.csv").unlink()
    assert call("idstitch", "rules", "create", "-p", place).code == 0
    rows = call("query", "-p", place, "select count(*) as n from id_stitch_rules", "--format", "csv")
    assert (rows.code, rows.out) == (0, "n\n0\n"), rows.err
    for text, code in (
        ("select * from user_graph", "query-rejected"),
        ('select * from {{this.DeRef("models/user_graph")}}', "nothing-built"),
        ("select {{end_time_sql}}", "nothing-built"),
    ):
        outcome = call("query", "-p", place, text)
        assert (outcome.code, outcome.out) == (2, "")
        assert f"error[{code}]" in outcome.err
        assert "profiles run" in outcome.err


def test_an_entity_need_not_be_named_where_only_one_has_ids_of_such_types(call: Call, tmp_path: Path) -> None:
    place = tmp_path / "project"
    shutil.copytree(PROJECTS / "id_stitcher_rules", place)
    (place / "data" / "id_stitch_rules.csv").unlink()
    file = place / "pb_project.yaml"
    other = "entities:\n  - {name: account, id_types: [email]}\n"
    file.write_text(file.read_text(encoding="utf-8").replace("entities:\n", other, 1), encoding="utf-8")
    ids = "[{select: email, type: email, entity: account}]"
    accounts = f"inputs:\n  - {{name: accounts, table: people, ids: {ids}}}\n"
    (place / "models" / "accounts.yaml").write_text(accounts, encoding="utf-8")
    assert call("idstitch", "rules", "create", "-p", place).code == 0
    update = ["idstitch", "rules", "update", "-p", place, "--action", "EXCLUDE"]
    (rule,) = document(call, *update, "--id1", "u5", "--id1-type", "user_id")["added"]  # type: ignore[index]
    assert rule["entity"] == "user"
    edge = [*update, "--id1", "u5", "--id1-type", "user_id", "--id2", "a@x.example", "--id2-type", "email"]
    (rule,) = document(call, *edge)["added"]  # type: ignore[index]
    assert rule["entity"] == "user"
    unclear = call(*update, "--id1", "a@x.example", "--id1-type", "email", "--id2", "b@x.example")
    assert unclear.code == 2
    assert "the rule about email a@x.example - b@x.example names no entity" in unclear.err
    assert "known: account, user" in unclear.err


def test_rules_of_a_file_are_obeyed_by_the_next_run(call: Call, ruled: Path, tmp_path: Path) -> None:
    outcome = call("idstitch", "rules", "update", "-p", ruled, "-f", tmp_path / "rules.csv")
    assert outcome.code == 0
    assert ["EXCLUDE", "user_id u2 - email a@x.example", "new", "a shared address"] in cells(outcome.out)
    assert "2 rules added, 0 held already" in outcome.out
    again = call("idstitch", "rules", "update", "-p", ruled, "-f", tmp_path / "rules.csv")
    assert "0 rules added, 2 held already; warehouse.profiles.id_stitch_rules has 2 rules now" in again.out
    run_again(call, ruled)
    query = "select string_agg(other_id, ' ' order by other_id) as ids from user_graph group by user_main_id order by 1"
    assert call("query", "-p", ruled, query, "--format", "csv").out == "ids\na@x.example u1\nb@x.example u2 u3\n"


def test_a_rule_of_options_overrules_and_is_taken_back(call: Call, ruled: Path) -> None:
    ends = ["--id1", "u2", "--id1-type", "USER_ID", "--id2", "a@x.example", "--id2-type", "email"]
    update = ["idstitch", "rules", "update", "-p", ruled]
    first = document(call, *update, "--action", "exclude", *ends, "--reason", "a shared box")
    rule = first["added"][0]  # type: ignore[index]
    wanted = {
        "entity": "user",
        "action": "EXCLUDE",
        "id1_type": "user_id",
        "instead_of": None,
        "reason": "a shared box",
    }
    assert wanted.items() <= rule.items()
    turned = ["--id2", "u2", "--id2-type", "user_id", "--id1", "a@x.example", "--id1-type", "email"]
    second = document(call, *update, "--action", "INCLUDE", *turned)
    assert [rule["instead_of"] for rule in second["added"]] == ["EXCLUDE"]  # type: ignore[index]
    run_again(call, ruled)
    assert call("show", "entity-lookup", "-p", ruled, "--explain", "u1", "u2").out.startswith(
        "user_id:u1 and user_id:u2 are one"
    )
    third = document(call, *update, "--action", "REMOVE", *ends)
    assert (third["removed"], third["table"]["rules"]) == (2, 0)  # type: ignore[index]


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        ([], ["error[bad-call]: say one rule with options, or name a file"]),
        (["--id1", "u1"], ["error[bad-call]: a rule needs --action, --id1 and --id1-type"]),
        (["-f", "no.csv"], ["no.csv"]),
        (["-f", "headless.csv"], ["error[missing-column]: headless.csv has no column id1_type and no column action"]),
        (
            ["-f", "wrong.csv"],
            [
                "wrong.csv:2:1: error[unknown-action]",
                "did you mean 'EXCLUDE'?",
                "wrong.csv:3:1: error[missing-id]",
                "wrong.csv:3:1: error[unknown-entity]",
            ],
        ),
        (["-f", "late.csv"], ["late.csv:2:1: error[bad-time]: 'soon' is no moment"]),
        (
            ["--action", "EXCLUDE", "--id1", "u1", "--id1-type", "userid"],
            ["error[unknown-id-type]", "did you mean 'user_id'?"],
        ),
        (
            ["--action", "EXCLUDE", "--id1", "u1", "--id1-type", "user_id", "--name", "nowhere"],
            ["error[missing-table]: there is no table 'nowhere'"],
        ),
    ],
)
def test_wrong_rules_are_refused(call: Call, ruled: Path, arguments: list[str], lines: list[str]) -> None:
    Path("headless.csv").write_text("id1\nu1\n")
    Path("wrong.csv").write_text(
        "entity,id1,id1_type,id2,id2_type,action\nuser,u1,user_id,,,EXCLUD\nuse,u1,user_id,u2,,INCLUDE\n"
    )
    Path("late.csv").write_text("id1,id1_type,action,created_at\nu1,user_id,EXCLUDE,soon\n")
    outcome = call("idstitch", "rules", "update", "-p", ruled, *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert [line for line in lines if line not in outcome.err] == []
    assert document(call, "idstitch", "rules", "create", "-p", ruled)["rules"] == 0  # type: ignore[index]


def test_rules_in_a_file_of_the_project_are_left_to_their_owner(call: Call, tmp_path: Path) -> None:
    place = tmp_path / "project"
    shutil.copytree(PROJECTS / "id_stitcher_rules", place)
    outcome = call(
        "idstitch", "rules", "update", "-p", place, "--action", "EXCLUDE", "--id1", "u1", "--id1-type", "user_id"
    )
    assert outcome.code == 2
    assert "error[rules-in-file]" in outcome.err


# --- lookup ---------------------------------------------------------------------------------------------------------


def test_everything_known_of_a_person(call: Call, ruled: Path) -> None:
    wanted = main_id("user_id", "u1")
    for value in ("u2", "user_id:u2", "a@x.example", "email:a@x.example"):
        (person,) = document(call, "show", "entity-lookup", "-p", ruled, "-v", value)  # type: ignore[misc]
        assert person["main_id"] in (wanted, main_id("email", "a@x.example"))
        assert person["ids"] == [
            {
                "type": "email",
                "id": "a@x.example",
                "first_seen_at": "2024-01-01 10:00:00",
                "last_seen_at": "2024-01-02 10:00:00",
                "neighbours": 2,
            },
            {
                "type": "user_id",
                "id": "u1",
                "first_seen_at": "2024-01-01 10:00:00",
                "last_seen_at": "2024-01-01 10:00:00",
                "neighbours": 1,
            },
            {
                "type": "user_id",
                "id": "u2",
                "first_seen_at": "2024-01-02 10:00:00",
                "last_seen_at": "2024-01-02 10:00:00",
                "neighbours": 1,
            },
        ]
        assert person["features"]["n_rows"] == 2
    (same,) = document(call, "show", "entity-lookup", "-p", ruled, "-v", person["main_id"])  # type: ignore[misc]
    assert same == person
    shown = cells(call("show", "entity-lookup", "-p", ruled, "-v", "u2").out)
    assert ["user_id", "u2", "2024-01-02 10:00:00", "2024-01-02 10:00:00", "1 id"] in shown
    assert ["n_rows", "2"] in shown


def test_a_person_as_of_an_earlier_moment(call: Call, ruled: Path) -> None:
    assert call("run", "-p", ruled, "--end-time", "2024-01-02", "--no-report", "-q").code == 0
    lookup = ("show", "entity-lookup", "-p", ruled, "--as-of")
    for moment in ("2024-01-02", "2024-01-02T09:00:00Z"):
        (person,) = document(call, *lookup, moment, "-v", "u1")  # type: ignore[misc]
        assert [each["id"] for each in person["ids"]] == ["a@x.example", "u1"]
        assert person["features"]["n_rows"] == 1
        assert "no user has the id 'u2' in seq_no 2" in call(*lookup, moment, "-v", "u2").err
    (now,) = document(call, *lookup, END, "-v", "u1")  # type: ignore[misc]
    assert [each["id"] for each in now["ids"]] == ["a@x.example", "u1", "u2"]
    before = call(*lookup, "2024-01-01", "-v", "u1").err
    assert "has not been built as of 2024-01-01T00:00:00Z or earlier" in before
    assert "hint: profiles run --end-time 2024-01-01T00:00:00Z" in before
    assert "error[bad-call]" in call(*lookup, END, "--seq-no", "1", "-v", "u1").err


def test_the_chain_of_evidence(call: Call, ruled: Path) -> None:
    found = document(call, "show", "entity-lookup", "-p", ruled, "--explain", "u1", "user_id:u2")
    assert found["connected"] is True  # type: ignore[index]
    assert [(hop["one"]["id"], hop["two"]["id"], hop["removed"]) for hop in found["chain"]] == [  # type: ignore[index]
        ("u1", "a@x.example", False),
        ("a@x.example", "u2", False),
    ]
    assert found["chain"][1]["evidence"] == [  # type: ignore[index]
        {
            "source": "inputs/people",
            "rows": 1,
            "first_seen_at": "2024-01-02 10:00:00",
            "last_seen_at": "2024-01-02 10:00:00",
        }
    ]
    assert "no rows join them" in call("show", "entity-lookup", "-p", ruled, "--explain", "u1", "u3").out


def test_what_a_rule_cut_or_tied_is_said(call: Call, ruled: Path, tmp_path: Path) -> None:
    call("idstitch", "rules", "update", "-p", ruled, "-f", tmp_path / "rules.csv")
    call(
        "idstitch", "rules", "update", "-p", ruled, "--action", "EXCLUDE", "--id1", "b@x.example", "--id1-type", "email"
    )
    run_again(call, ruled)
    cut = document(call, "show", "entity-lookup", "-p", ruled, "--explain", "u1", "u2")
    assert (cut["connected"], [hop["removed"] for hop in cut["chain"]]) == (False, [False, True])  # type: ignore[index]
    tied = call("show", "entity-lookup", "-p", ruled, "--explain", "u2", "u3").out
    assert ["user_id:u2", "user_id:u3", "a manual rule", "0", "null", "null"] in cells(tied)
    gone = call("show", "entity-lookup", "-p", ruled, "-v", "b@x.example")
    assert gone.code == 2
    assert "its rows were seen, but a manual rule leaves it out" in gone.err


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (["-v", "nobody"], ["error[unknown-id]: no user has the id 'nobody' in seq_no 1"]),
        (["-v", "A@X.example"], ["there is email 'a@x.example'"]),
        (["-v", "u1", "--entity", "usr"], ["error[unknown-entity]", "did you mean 'user'?"]),
        (["-v", "u1", "--seq-no", "9"], ["error[unknown-seq-no]"]),
        (["-v", "u1", "--seq-no", "new"], ["error[bad-seq-no]"]),
        ([], ["error[bad-call]"]),
        (["-v", "u1", "--explain", "u1", "u2"], ["error[bad-call]"]),
    ],
)
def test_a_wrong_lookup_exits_with_2(call: Call, ruled: Path, arguments: list[str], lines: list[str]) -> None:
    outcome = call("show", "entity-lookup", "-p", ruled, *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert [line for line in lines if line not in outcome.err] == []


# --- audit and report -----------------------------------------------------------------------------------------------


def test_an_audit_counts_what_went_in_and_out(call: Call, ruled: Path, tmp_path: Path) -> None:
    call("idstitch", "rules", "update", "-p", ruled, "-f", tmp_path / "rules.csv")
    run_again(call, ruled)
    (found,) = document(call, "audit", "id_stitcher", "-p", ruled)  # type: ignore[misc]
    wanted = {
        "model": "models/user_graph",
        "ids": {"before": 5, "after": 5},
        "edges": {"before": 3, "after": 3},
        "clusters": 2,
        "cluster_sizes": {"2": 1, "3": 1},
        "hubs": [
            {
                "main_id": found["largest_clusters"][0]["main_id"],
                "type": "user_id",
                "id": "u3",
                "neighbours": {"email": 1, "user_id": 1},
                "parts_without_it": [1, 1],
                "groups": 0,
                "separated_ids": 0,
            }
        ],
    }
    assert wanted.items() <= found.items()
    assert [c["by_type"] for c in found["largest_clusters"]] == [{"email": 1, "user_id": 2}, {"email": 1, "user_id": 1}]
    users = next(use for use in found["id_types"] if use["type"] == "user_id")
    assert users == {"type": "user_id", "ids": 3, "clusters": 2, "most": 2, "per_cluster": {"1": 1, "2": 1}}
    by_rule = next(s for s in found["sources"] if s["source"] == "id_stitcher_rules")
    assert (by_rule["edges"], by_rule["rows"]) == (1, 0)
    shown = cells(call("audit", "id_stitcher", "-p", ruled).out)
    assert ["edges", "3", "3"] in shown
    assert ["user_id", "3", "2", "1.50", "2"] in shown


def test_an_id_that_strangers_share_is_suspected(call: Call, tmp_path: Path) -> None:
    place = tmp_path / "project"
    shutil.copytree(PROJECTS / "shared_stitcher", place)
    rows = [f"u{n},{mail},2024-01-01" for n in range(4) for mail in (f"u{n}@x.example", "info@x.example")]
    (place / "data" / "people.csv").write_text("\n".join(["user_id,email,seen_at", *rows]))
    run_again(call, place)
    (found,) = document(call, "audit", "id_stitcher", "-p", place)  # type: ignore[misc]
    worst = found["hubs"][0]
    assert (worst["id"], worst["parts_without_it"], worst["separated_ids"]) == ("info@x.example", [2, 2, 2, 2], 6)
    assert any("email 'info@x.example' alone holds 4 groups together" in finding for finding in found["findings"])


def test_the_report_is_one_page_that_fetches_nothing(call: Call, ruled: Path, tmp_path: Path) -> None:
    outcome = call("show", "idstitcher-report", "-p", ruled)
    assert outcome.code == 0
    file = ruled / "output" / "dev" / "seq_no" / "1" / "user_graph_report.html"
    assert outcome.out.splitlines()[0] == "models/user_graph: 5 ids and 3 edges make 2 users"
    assert outcome.out.splitlines()[1].startswith("wrote ")
    text = file.read_text()
    assert "u1" in text
    assert text.count("<svg") == 5
    assert re.findall(r"(?:src|href|url)\s*[=(]|https?:|@import|<script", text) == []
    other = document(call, "show", "idstitcher-report", "-p", ruled, "-o", tmp_path / "page.html")
    assert Path(other[0]["file"]).read_text() == text  # type: ignore[index]


def test_the_clusters_of_some_ids(call: Call, ruled: Path, tmp_path: Path) -> None:
    (largest,) = document(call, "show", "idstitcher-report", "-p", ruled)  # type: ignore[misc]
    smaller = largest["largest_clusters"][1]
    file = tmp_path / "ids.csv"
    file.write_text("ID,id_type\nnobody,email\nu3,USER_ID\n")
    outcome = call("show", "idstitcher-report", "-p", ruled, "--seed_clusters_csv", file, "--json")
    assert outcome.code == 0, outcome.err
    (found,) = json.loads(outcome.out)
    assert found["largest_clusters"] == [smaller]
    file.write_text("id,id_type\nnobody,email\n")
    outcome = call("show", "idstitcher-report", "-p", ruled, "--seed_clusters_csv", file)
    assert (outcome.code, outcome.out) == (2, "")
    assert "error[unknown-id]: there is no email 'nobody', nor any other of the seeds" in outcome.err
    file.write_text("name\nnobody\n")
    assert "error[bad-seeds]" in call("show", "idstitcher-report", "-p", ruled, "--seed_clusters_csv", file).err


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (["-m", "models/user_grap"], ["error[unknown-model]", "did you mean 'models/user_graph'?"]),
        (["--seq-no", "7"], ["error[unknown-seq-no]"]),
        (["-o", "no/such/folder/page.html"], ["error[cannot-write]"]),
        (["--seed-clusters-csv", "none.csv"], ["error[cannot-read]", "the columns id and id_type"]),
        (["-l"], ["error[usage]", "hint: profiles show idstitcher-report --help"]),
    ],
)
def test_a_wrong_report_exits_with_2(call: Call, ruled: Path, arguments: list[str], lines: list[str]) -> None:
    outcome = call("show", "idstitcher-report", "-p", ruled, *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert [line for line in lines if line not in outcome.err] == []


@pytest.mark.parametrize("command", [["audit", "id_stitcher"], ["show", "entity-lookup", "-v", "u1"]])
def test_before_the_first_run_there_is_no_graph(call: Call, quickstart: Path, command: list[str]) -> None:
    outcome = call(*command, "-p", quickstart)
    assert outcome.code == 2
    assert "error[nothing-built]" in outcome.err


def test_a_drawing_puts_each_node_as_far_out_as_it_is_away() -> None:
    found = in_circles([(0, 1), (1, 2), (0, 3), (3, 4), (4, 0)], 0, 10)
    radius = {node: round((x * x + y * y) ** 0.5, 6) for node, (x, y) in found.places.items()}
    assert (radius, found.hidden) == ({0: 0, 1: 0.5, 2: 1, 3: 0.5, 4: 0.5}, 0)
    assert len(set(found.places.values())) == 5
    assert in_circles([(0, 1), (1, 2), (0, 3)], 0, 2).hidden == 2
