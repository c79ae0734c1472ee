"""The cases of cases.yaml, on every engine."""

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet
import pytest
import yaml

from profiles_pipeline.errors import ProfilesError, ProjectError, RunError
from profiles_pipeline.resolve.publishing import Publisher
from profiles_pipeline_tests.publish.people import Shop, written

CASES = yaml.safe_load((Path(__file__).parent / "cases.yaml").read_text(encoding="utf-8"))


def slug(case: Mapping[str, object]) -> str:
    return re.sub(r"\W+", "_", str(case["case"])).lower()


def code_of(error: ProfilesError) -> str:
    return error.problem.code if isinstance(error, RunError) else getattr(error, "problems")[0].code  # noqa: B009


@pytest.mark.parametrize("case", CASES, ids=slug)
def test_case(opened: Shop, case: dict[str, object], request: pytest.FixtureRequest) -> None:
    on_snowflake = opened.session.warehouse.dialect == "snowflake"
    if on_snowflake and not case.get("snowflake") and not request.config.getoption("--every-project"):
        pytest.skip("the emulation is slow, and others show it")
    retyped = any("types" in step for step in case["steps"])  # type: ignore[attr-defined]
    if retyped and opened.session.warehouse.dialect != "duckdb":
        pytest.skip("elsewhere columns that a view shows keep their types")
    if retyped:
        request.addfinalizer(lambda: opened.retype({}))
    name = f"c{CASES.index(case)}"
    publisher = opened.publisher(name=name, **case["publish"])  # type: ignore[arg-type]
    steps = case["steps"]
    assert isinstance(steps, list)
    for number, step in enumerate(steps):
        if "types" in step:
            opened.retype(step["types"])
        if "publish" in step:
            publisher = opened.publisher(name=name, **step["publish"])
        if "crowd" in step:
            opened.put({f"p{n}": {"ids": [f"user{n:03}"], "n": n} for n in range(step["crowd"])})
        elif "people" in step:
            opened.put(step["people"])
        if "members" in step:
            opened.gather(step["members"])
        before = written(opened, name)
        _take(opened, publisher, step, number)
        after = written(opened, name)
        assert (after == before) is bool(step.get("unwritten", step.get("error", False))), f"step {number}"
        _compare(opened, publisher, step, number)


def _take(shop: Shop, publisher: Publisher, step: Mapping[str, object], number: int) -> None:
    if "error" in step:
        with pytest.raises((RunError, ProjectError)) as caught:
            shop.publish(publisher)
        assert code_of(caught.value) == step["error"], f"step {number}"
        assert str(step.get("told", "")).replace("NAME", publisher.name) in str(caught.value), f"step {number}"
        if step["error"] == "guard-tripped":
            assert f"profiles publish {publisher.name} --approve" in str(caught.value)
        return
    done = shop.publish(publisher, approve=bool(step.get("approve")))
    if "counts" in step:
        counts = done.counts
        found = [counts.inserted, counts.updated, counts.deleted, counts.unchanged, counts.rejected]
        assert found == step["counts"], f"step {number}"
    if "files" in step:
        folders = [Path(folder) for folder in done.delivered.files]
        tables = {f.parent.name: pyarrow.parquet.read_table(next(f.glob("*.parquet"))) for f in folders}
        found_keys = {content: table[publisher.key_column].to_pylist() for content, table in tables.items()}
        assert found_keys == step["files"], f"step {number}"
        assert all(p.name in table.column_names for table in tables.values() for p in publisher.properties)
    assert (done.publication is None) is bool(step.get("unwritten")), f"step {number}"


def _compare(shop: Shop, publisher: Publisher, step: Mapping[str, object], number: int) -> None:
    name = publisher.name
    if "rows" in step:
        columns = ", ".join([publisher.key_column, *(p.column for p in publisher.properties)])
        found = [
            [f"{v.normalize():f}" if isinstance(v, Decimal) else v for v in row] for row in shop.rows(name, columns)
        ]
        assert sorted(found) == step["rows"], f"step {number}"
    if "changes" in step:
        last = shop.rows(f"{name}__changes", "MAX(publication)")[0][0]
        found = shop.rows(f"{name}__changes", "op, key, changed_columns, publication", "seq")
        assert [list(row[:3]) for row in found if row[3] == last] == step["changes"], f"step {number}"
    if "rejects" in step:
        assert sorted(map(list, shop.rows(f"{name}__rejects", "key, reason"))) == step["rejects"]
    if "live" in step:
        assert shop.rows(name, "COUNT(*) - COUNT(deleted_at)") == [(step["live"],)], f"step {number}"
    if "emptied" in step:
        assert shop.rows(name, f"COUNT({step['emptied']})") == [(0,)]


def test_the_table_says_what_changed_when(local: Shop) -> None:
    """Braze and reverse ETL go by the time: it moves with what is published and with nothing else."""
    publisher = local.publisher(name="times", key="user_id", properties=["n"])
    local.put({"ann": {"ids": ["ann01"], "n": 1}, "bob": {"ids": ["bob01"], "n": 1}})
    local.publish(publisher)
    first = dict(local.rows("times", "user_id, published_at"))
    local.put({"ann": {"ids": ["ann01"], "n": 1}, "bob": {"ids": ["bob01"], "n": 2}})
    local.publish(publisher)
    second = dict(local.rows("times", "user_id, published_at"))
    assert first["ann01"] == first["bob01"] == second["ann01"]
    assert second["bob01"] > first["bob01"]  # type: ignore[operator]
