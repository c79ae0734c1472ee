"""Checks that pipeline.yaml asks for, on real runs."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from profiles_pipeline.assets import build_definitions
from profiles_pipeline.cli import main
from profiles_pipeline.errors import RunError
from profiles_pipeline.run import Report
from profiles_pipeline_tests.test_run import Shop

PROJECT = """
name: shop
schema_version: 98
connection: none
model_folders: [models]
entities: [{name: user, id_types: [user_id, email]}]
id_types: [{name: user_id}, {name: email}]
"""
MODELS = """
inputs:
  - name: orders
    table: orders
    occurred_at_col: ts
    ids: [{select: user_id, type: user_id, entity: user}, {select: email, type: email, entity: user}]
var_groups:
  - name: vars
    entity_key: user
    vars:
      - entity_var: {name: total, select: sum(amount), from: inputs/orders}
"""
HEADER = "user_id,email,amount,ts\n"
EARLY = "u1,a@x,1,2024-01-01 00:00:00\nu2,b@x,2,2024-01-02 00:00:00\nu3,c@x,3,2024-01-02 00:00:00\n"
MERGE = "u2,a@x,4,2024-01-05 00:00:00\n"
EXPLOSION = "".join(f"u1,{letter}@y,5,2024-01-05 00:00:00\n" for letter in "abcdef")
MANY = "".join(f"n{number},{number}@z,5,2024-01-05 00:00:00\n" for number in range(4))
FIRST, SECOND = datetime(2024, 1, 3, tzinfo=UTC), datetime(2024, 1, 6, tzinfo=UTC)
STITCHER, VARS = "models/user_default_id_stitcher", "user/all/var_table"

Broken = Mapping[tuple[str, str], int]

CASES: list[tuple[str, str, str, Broken]] = [
    ("nothing is asked for", "{}", EXPLOSION, {}),
    ("clusters are small enough", "{largest_cluster: 8}", EXPLOSION, {}),
    ("a cluster explodes", "{largest_cluster: 7}", EXPLOSION, {(STITCHER, "largest_cluster"): 1}),
    ("ids of a type", "{ids_per_type: {email: 6, user_id: 1}}", EXPLOSION, {(STITCHER, "ids_per_type_email"): 1}),
    ("ids of a type in capitals", "{ids_per_type: {EMAIL: 6}}", EXPLOSION, {(STITCHER, "ids_per_type_email"): 1}),
    ("main ids that changed", "{changed_main_ids: 0.3}", MERGE, {(STITCHER, "changed_main_ids"): 2}),
    ("few main ids changed", "{changed_main_ids: 0.34}", MERGE, {}),
    ("new ids change no main ids", "{changed_main_ids: 0}", MANY, {}),
    ("more rows", "{row_count_change: 0.5}", MANY,
        {(STITCHER, "row_count_change"): 8, (VARS, "row_count_change"): 4, ("user/all", "row_count_change"): 4,
         ("user/all/feature_view", "row_count_change"): 4, ("inputs/orders/var_table", "row_count_change"): 4}),
    ("not that many more rows", "{row_count_change: 1.34}", MANY, {}),
    ("old rows", "{freshness: 12h}", MERGE, {(STITCHER, "freshness_orders"): 1}),
    ("rows of yesterday", "{freshness: 24h}", MERGE, {}),
]  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def write(shop: Shop, checks: str, rows: str) -> None:
    shop.write(MODELS, PROJECT, {"orders": HEADER + rows})
    (shop.folder / "pipeline.yaml").write_text(f"checks: {checks}\n", encoding="utf-8")


def broken(report: Report) -> Broken:
    return {(b.model.path, c.name): c.broken for b in report.built for c in b.checks if not c.passed}


@pytest.mark.parametrize(("checks", "rows", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_what_is_broken_is_told(shop: Shop, checks: str, rows: str, expected: Broken) -> None:
    write(shop, checks, EARLY)
    assert {c for c in broken(shop.run(end=FIRST)) if "freshness" not in c[1]} == set()
    write(shop, checks, EARLY + rows)
    report = shop.run(end=SECOND)
    assert broken(report) == expected
    assert all(c.severity == "warning" for b in report.built for c in b.checks if not c.passed)
    assert "user_feature_view" in report.promoted


def test_an_error_keeps_the_old_views(shop: Shop) -> None:
    checks = "{largest_cluster: 7, changed_main_ids: 0.9, severity: error}"
    total = "select total from user_feature_view order by 1"
    write(shop, checks, EARLY)
    shop.run(end=FIRST)
    write(shop, checks, EARLY + EXPLOSION)
    with pytest.raises(RunError, match=r"No user has more than 7 ids\. Broken by 1 rows") as caught:
        shop.run(end=SECOND)
    assert {c.name for c in caught.value.checks if not c.passed} == {"largest_cluster"}
    assert shop.query(total) == [(1,), (2,), (3,)]
    write(shop, "{largest_cluster: 8, severity: error}", EARLY + EXPLOSION)
    shop.run(end=SECOND)
    assert shop.query(total) == [(2,), (3,), (31,)]


def test_a_run_is_compared_with_the_one_before_its_window(shop: Shop) -> None:
    write(shop, "{row_count_change: 0.5}", EARLY + MANY)
    shop.run(end=SECOND)
    assert broken(shop.run(end=FIRST)) == {}  # nothing was built for an earlier window
    assert broken(shop.run(end=datetime(2024, 1, 4, tzinfo=UTC))) == {}  # compared with FIRST
    assert broken(shop.run(end=SECOND + timedelta(days=1))) == {}  # compared with SECOND


def test_a_changed_definition_is_compared_too(shop: Shop) -> None:
    write(shop, "{changed_main_ids: 0.1}", EARLY + MERGE)
    shop.run(end=SECOND)
    project = shop.folder / "pb_project.yaml"
    filtered = "id_types: [{name: user_id}, {name: email, filters: [{type: exclude, value: a@x}]}]"
    project.write_text(PROJECT.replace("id_types: [{name: user_id}, {name: email}]", filtered), encoding="utf-8")
    found = broken(shop.run(end=SECOND + timedelta(days=1)))
    assert found == {(STITCHER, "changed_main_ids"): 2}


def test_dagster_shows_them(shop: Shop) -> None:
    checks = "{largest_cluster: 7, row_count_change: 0.5, ids_per_type: {email: 3}, freshness: 24h}"
    write(shop, checks, EARLY + EXPLOSION)
    with (shop.folder / "pipeline.yaml").open("a", encoding="utf-8") as file:
        file.write("partitions: false\n")
    definitions = build_definitions(shop.folder)
    with dg.instance_for_test() as instance:
        job = definitions.resolve_job_def("profiles_run")
        at = {"resources": {"profiles": {"config": {"end_time": SECOND.isoformat()}}}}
        result = job.execute_in_process(instance=instance, run_config=at)
        assert result.success
        found = {(e.asset_key.to_user_string(), e.check_name): e for e in result.get_asset_check_evaluations()}
    failed = {key: e.severity for key, e in found.items() if not e.passed}
    warn = dg.AssetCheckSeverity.WARN
    assert failed == {(STITCHER, "largest_cluster"): warn, (STITCHER, "ids_per_type_email"): warn}
    assert {(STITCHER, "freshness_orders"), (VARS, "row_count_change")} <= found.keys()


@pytest.mark.parametrize(("severity", "blocking"), [("warn", False), ("error", True)])
def test_only_errors_block_what_comes_after(shop: Shop, severity: str, blocking: bool) -> None:
    write(shop, f"{{largest_cluster: 7, severity: {severity}}}", EARLY)
    specs = {s.name: s for a in build_definitions(shop.folder).assets or () if isinstance(a, dg.AssetsDefinition)
             for s in a.check_specs}  # fmt: skip
    assert specs["largest_cluster"].blocking is blocking
    assert specs["every_id_in_one_cluster"].blocking


def test_the_command_line_says_them(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    write(shop, "{largest_cluster: 7}", EARLY + EXPLOSION)
    with pytest.raises(SystemExit) as left:
        main(["run", "-p", str(shop.folder), "--end_time", "2024-01-06"])
    told = capsys.readouterr()
    assert left.value.code == 0
    assert f"warning: {STITCHER}: No user has more than 7 ids. Broken by 1 (largest_cluster)" in told.out + told.err
