"""Running: what is recorded, reused, rebuilt and promoted, and what is left after a failure."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from profiles_pipeline import connections, plan
from profiles_pipeline.errors import ProjectError, RunError
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.run import Event, Options, Planned, Rehearsing, Report, run
from profiles_pipeline.warehouse.connect import connect_duckdb

JANUARY, FEBRUARY = datetime(2024, 1, 3, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC)

PROJECT = """
name: shop
schema_version: 98
connection: none
model_folders: [models]
entities: [{name: user, id_types: [user_id]}]
id_types: [{name: user_id}]
"""
MODELS = """
inputs:
  - {name: orders, table: orders, occurred_at_col: ts, ids: [{select: user_id, type: user_id, entity: user}]}
  - {name: visits, table: visits, ids: [{select: user_id, type: user_id, entity: user}]}
macros:
  - {name: large, value: amount > 15}
models:
  - {name: rich, model_type: entity_cohort, model_spec: {extends: user/all, filter_expression: "{{user.total}} > 20"}}
  - {name: by_hand, model_type: sql_template, model_spec: {materialization: {output_type: table},
     multi_sql: "create {{this.GetMaterialization().OutputType.ToSql()}} {{this}} as (select 1 as one)"}}
  - {name: days, model_type: sql_template, model_spec: {materialization: {output_type: table},
     single_sql: "select user_id, count(*) as n from {{this.DeRef('inputs/orders')}} group by 1"}}
var_groups:
  - name: vars
    entity_key: user
    vars:
      - entity_var: {name: total, select: sum(amount), from: inputs/orders}
      - entity_var: {name: n_large, select: count(*), from: inputs/orders, where: "{{large}}"}
      - entity_var: {name: n_visits, select: count(*), from: inputs/visits}
"""
DATA = {
    "orders": "user_id,amount,ts\nu1,10,2024-01-01 00:00:00\nu1,20,2024-01-10 00:00:00\nu2,30,2024-01-02 00:00:00\n",
    "visits": "user_id\nu1\nu1\nu2\n",
}


@dataclass(frozen=True)
class Shop:
    """A project folder with its data."""

    folder: Path

    def write(self, models: str = MODELS, project: str = PROJECT, data: Mapping[str, str] = DATA) -> None:
        for name, text in {"pb_project.yaml": project, "models/all.yaml": models}.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)
        for name, text in data.items():
            (self.folder / "data").mkdir(exist_ok=True)
            (self.folder / "data" / f"{name}.csv").write_text(text)

    def load(self) -> ProfilesProject:
        return ProfilesProject.load(self.folder)

    def run(self, **options: object) -> Report:
        return run(self.load(), connections.embedded(self.folder), Options(**options))  # type: ignore[arg-type]

    def query(self, sql: str) -> list[tuple[object, ...]]:
        with connect_duckdb(connections.embedded(self.folder).settings, purpose="test", read_only=True) as warehouse:
            warehouse.execute("SET schema = 'profiles'")
            return warehouse.query(sql).rows


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    made = Shop(tmp_path)
    made.write()
    return made


@pytest.fixture(scope="module")
def run_twice(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, Report, Report]:
    """A shop as of early January, then as of February."""
    made = Shop(tmp_path_factory.mktemp("shop"))
    made.write()
    return made, made.run(end=JANUARY), made.run(end=FEBRUARY)


def built(report: Report) -> set[str]:
    """The paths that were built anew."""
    return {item.model.path for item in report.built if not item.reused}


def reused(report: Report) -> set[str]:
    return {item.model.path for item in report.built if item.reused}


# --- names, views, registry ---------------------------------------------------------------------------------------


def test_materials_carry_model_fingerprint_and_number(run_twice: tuple[Shop, Report, Report]) -> None:
    shop, first, second = run_twice
    fingerprints = shop.load().fingerprints
    for number, report in enumerate((first, second), start=1):
        assert report.window.seq_no == number
        expected = {f"Material_{b.model.name}_{fingerprints[b.model.path][:8]}_{number}" for b in report.built}
        assert {b.material for b in report.built} == expected
    assert {"user_feature_view", "user_var_table", "user_default_id_stitcher", "rich", "days"} <= set(second.promoted)


def test_plain_views_show_the_newest_run_and_older_materials_stay(run_twice: tuple[Shop, Report, Report]) -> None:
    shop, first, _ = run_twice
    newest = "SELECT total, n_visits, valid_at FROM user_feature_view ORDER BY total, n_visits"
    february = datetime(2024, 2, 1)
    assert shop.query(newest) == [(30, 1, february), (30, 2, february)]
    old = next(b.relation for b in first.built if b.model.path == "user/all/feature_view")
    assert shop.query(f"SELECT total, n_visits FROM {old} ORDER BY total") == [(10, 2), (30, 1)]


def test_the_registry_has_a_row_for_each_material(run_twice: tuple[Shop, Report, Report]) -> None:
    shop, *reports = run_twice
    rows = shop.query(
        "SELECT material_name, model_ref, model_hash, seq_no, begin_ts, end_ts, row_count, entity_key, metadata"
        " FROM material_registry"
    )
    recorded = {row[0]: row[1:] for row in rows}
    everything = [(report, item) for report in reports for item in report.built]
    assert recorded.keys() == {item.material for _, item in everything}
    for report, item in everything:
        path, fingerprint, seq_no, begin, end, row_count, _, metadata = recorded[item.material]
        window = (report.window.seq_no, None, report.window.end.replace(tzinfo=None))
        assert (path, fingerprint, (seq_no, begin, end)) == (item.model.path, item.fingerprint, window)
        assert row_count == item.rows
        assert '"status": 2' in str(metadata)
    entities = dict(shop.query("SELECT model_ref, entity_key FROM material_registry"))
    assert entities["models/user_default_id_stitcher"] == entities["user/all"] == "user"


def test_time_contexts_are_numbered_and_marked_complete(run_twice: tuple[Shop, Report, Report]) -> None:
    shop, *_ = run_twice
    rows = shop.query("SELECT seq_no, project, end_ts, completion_ts IS NOT NULL FROM wht_seq_no ORDER BY 1")
    assert rows == [(1, "shop", datetime(2024, 1, 3), True), (2, "shop", datetime(2024, 2, 1), True)]


def test_the_sql_of_a_run_lies_in_the_output_folder(run_twice: tuple[Shop, Report, Report]) -> None:
    shop, _, second = run_twice
    for item in second.built:
        for kind in ("compile", "run"):
            text = (second.sql_folder / kind / f"{item.material}.sql").read_text()
            assert item.model.path in text
            assert "2024-02-01" in text
    assert (shop.folder / "output" / "dev" / "seq_no" / "latest").resolve() == second.sql_folder.resolve()


# --- reuse --------------------------------------------------------------------------------------------------------


def test_the_same_end_time_is_the_same_time_context_and_nothing_is_built_again(shop: Shop) -> None:
    first, second = shop.run(end=FEBRUARY), shop.run(end=FEBRUARY)
    assert second.window == first.window
    assert built(second) == set()
    assert reused(second) == built(first)
    assert [b.columns for b in second.built] == [b.columns for b in first.built]
    assert [b.rows for b in second.built] == [b.rows for b in first.built]


def test_a_changed_definition_rebuilds_the_model_and_what_depends_on_it_alone(shop: Shop) -> None:
    shop.run(end=FEBRUARY)
    shop.write(MODELS.replace("as n from", "as n_orders from"), data={})
    assert built(shop.run(end=FEBRUARY)) == {"models/days"}
    shop.write(MODELS.replace("as n from", "as n_orders from").replace("> 20", "> 25"), data={})
    assert built(shop.run(end=FEBRUARY)) == {"models/rich", "models/rich/var_table", "models/rich/feature_view"}
    shop.write(MODELS.replace("as n from", "as n_orders from").replace("> 20", "> 25").replace("sum(", "max("), data={})
    changed = built(shop.run(end=FEBRUARY))
    assert {"user/all/var_table", "user/all/feature_view", "models/rich"} <= changed
    assert not changed & {"models/user_default_id_stitcher", "user/all", "models/days"}
    assert shop.query("SELECT total FROM user_feature_view ORDER BY 1") == [(20,), (30,)]


def test_force_builds_everything_again_in_the_same_context(shop: Shop) -> None:
    first = shop.run(end=FEBRUARY)
    shop.write(data={"visits": "user_id\nu1\n"})
    again = shop.run(end=FEBRUARY, request=plan.Request(force=True))
    assert (again.window, built(again)) == (first.window, built(first))
    assert shop.query("SELECT n_visits FROM user_feature_view ORDER BY 1") == [(1,), (None,)]


def test_models_asked_for_are_built_with_what_they_need(shop: Shop) -> None:
    report = shop.run(end=FEBRUARY, request=plan.Request(("models/days",)))
    assert built(report) == {"models/days"}
    assert set(report.promoted) == {"days"}
    report = shop.run(end=FEBRUARY, request=plan.Request(("entity/user/total",)))
    assert "user/all/var_table" in built(report)
    assert "models/rich" not in built(report)
    assert reused(shop.run(end=FEBRUARY)) >= {"models/days", "user/all/var_table"}


def test_a_feature_table_of_inherited_features_is_built_with_the_var_table_that_it_reads(shop: Shop) -> None:
    table = "model_type: feature_table_model, model_spec: {entity_cohort: models/rich, features: [total]}"
    own = "vars: [{entity_var: {name: k, select: count(*), from: inputs/orders}}]"
    models = MODELS.replace("models:\n", f"models:\n  - {{name: rich_totals, {table}}}\n", 1)
    shop.write(f"{models}  - {{name: own, entity_cohort: models/rich, {own}}}\n")
    report = shop.run(end=FEBRUARY, request=plan.Request(("models/rich_totals",)))
    assert {"models/rich/var_table", "models/rich_totals"} <= built(report)


# --- time contexts ------------------------------------------------------------------------------------------------


def test_latest_new_and_numbers(shop: Shop) -> None:
    shop.run(end=JANUARY)
    shop.run(end=FEBRUARY)
    assert shop.run(seq_no="latest").window.seq_no == 2
    assert shop.run(seq_no=1).window.end == JANUARY
    fresh = shop.run(seq_no="new", end=FEBRUARY)
    assert (fresh.window.seq_no, reused(fresh)) == (3, set())
    assert shop.run(end=FEBRUARY).window.seq_no == 3
    with pytest.raises(ProjectError, match="there is no seq_no 9"):
        shop.run(seq_no=9)
    with pytest.raises(ProjectError, match="seq_no 1 ends at 2024-01-03"):
        shop.run(seq_no=1, end=FEBRUARY)


def test_begin_time_makes_a_context_of_its_own(shop: Shop) -> None:
    shop.run(end=FEBRUARY)
    report = shop.run(begin=datetime(2024, 1, 2, tzinfo=UTC), end=FEBRUARY)
    assert report.window.seq_no == 2
    assert shop.query("SELECT total FROM user_feature_view ORDER BY total") == [(20,), (30,)]
    with pytest.raises(ProjectError, match="is not before end_time"):
        shop.run(begin=FEBRUARY, end=FEBRUARY)


def test_a_run_without_a_time_is_as_of_now(shop: Shop) -> None:
    before = datetime.now(UTC).replace(microsecond=0)  # windows end at whole seconds
    first = shop.run()
    assert before <= first.window.end <= datetime.now(UTC)
    assert shop.run().window.seq_no == 2


# --- plain views --------------------------------------------------------------------------------------------------


def test_plain_views_stay_on_the_later_window(shop: Shop) -> None:
    newest = shop.run(end=FEBRUARY)
    older = shop.run(end=JANUARY)
    assert (older.promoted, older.stays_on) == ((), newest.window)
    assert shop.query("SELECT total FROM user_feature_view ORDER BY 1") == [(30,), (30,)]
    old = next(b.relation for b in older.built if b.model.path == "user/all/feature_view")
    assert shop.query(f"SELECT total FROM {old} ORDER BY 1") == [(10,), (30,)]
    again = shop.run(end=FEBRUARY)
    assert (again.stays_on, set(again.promoted)) == (None, set(newest.promoted))


def test_a_later_window_of_another_definition_does_not_hold_the_views(shop: Shop) -> None:
    shop.run(end=FEBRUARY)
    shop.write(MODELS.replace("sum(", "max("))
    older = shop.run(end=JANUARY)
    assert older.stays_on is None
    assert shop.query("SELECT total FROM user_feature_view ORDER BY 1") == [(10,), (30,)]


def test_a_later_window_without_the_model_does_not_hold_its_view(shop: Shop) -> None:
    shop.run(end=FEBRUARY, request=plan.Request(("models/days",)))
    assert set(shop.run(end=JANUARY).promoted) > {"days"}
    assert shop.run(end=JANUARY, request=plan.Request(("models/days",))).stays_on is not None


def test_an_unfinished_later_window_does_not_hold_the_views(shop: Shop) -> None:
    shop.write(BROKEN, data={})
    with pytest.raises(RunError):
        shop.run(end=FEBRUARY)
    shop.write(data={})
    assert shop.run(end=JANUARY).stays_on is None


def test_a_project_is_shown_in_one_line(shop: Shop) -> None:
    assert repr(shop.load()) == f"<ProfilesProject shop in {shop.folder}: 13 models, 3 vars, 0 errors>"


# --- failure ------------------------------------------------------------------------------------------------------

BROKEN = MODELS.replace(
    "select: count(*), from: inputs/visits", "select: max(cast(user_id as integer)), from: inputs/visits"
)
PAGES = "  - {name: pages, table: pages, occurred_at_col: ts, ids: [{select: user_id, type: user_id, entity: user}]}\n"


def test_a_failing_model_leaves_the_views_and_the_next_run_goes_on(shop: Shop) -> None:
    shop.run(end=JANUARY)
    shop.write(BROKEN, data={})
    with pytest.raises(RunError) as caught:
        shop.run(end=FEBRUARY)
    error = caught.value
    assert (error.model, error.seq_no) == ("user/all/var_table", 2)
    assert error.problem.span is not None
    assert error.problem.span.file in {"models/all.yaml", "pb_project.yaml"}
    assert error.sql_file is not None
    assert "CAST" in (shop.folder / error.sql_file).read_text()
    assert shop.query("SELECT total FROM user_feature_view ORDER BY 1") == [(10,), (30,)]
    assert shop.query("SELECT completion_ts IS NULL FROM wht_seq_no WHERE seq_no = 2") == [(True,)]
    shop.write(data={})
    resumed = shop.run()
    assert (resumed.window.seq_no, resumed.window.end) == (2, FEBRUARY)
    assert {"models/user_default_id_stitcher", "user/all"} <= reused(resumed)
    assert shop.query("SELECT total FROM user_feature_view ORDER BY 1") == [(30,), (30,)]


def test_a_run_that_was_begun_yesterday_is_not_gone_on_with(shop: Shop) -> None:
    """However short ago that is: tonight's run is as of tonight."""
    shop.run(end=JANUARY)
    shop.write(BROKEN, data={})
    with pytest.raises(RunError):
        shop.run()
    yesterday = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(seconds=1)
    settings = connections.embedded(shop.folder).settings
    with connect_duckdb(settings, purpose="test") as warehouse:
        text = "UPDATE profiles.wht_seq_no SET creation_ts = ?, end_ts = ? WHERE seq_no = 2"
        warehouse.execute(text, [yesterday.replace(tzinfo=None)] * 2)
    shop.write(data={})
    done = shop.run()
    assert (done.window.seq_no, done.window.end.date()) == (3, datetime.now(UTC).date())


@pytest.mark.parametrize("wrong", ["orders", "pages"])
def test_a_time_that_cannot_be_read_is_blamed_on_its_input(shop: Shop, wrong: str) -> None:
    models = MODELS.replace("macros:", PAGES + "macros:")
    rows = {"orders": "user_id,amount,ts\nu1,10,{}\n", "pages": "user_id,ts\nu1,{}\n"}
    times = {name: "not-a-date" if name == wrong else "2024-01-01 00:00:00" for name in rows}
    shop.write(models, data={name: text.format(times[name]) for name, text in rows.items()})
    with pytest.raises(RunError) as caught:
        shop.run(end=FEBRUARY)
    problem = caught.value.problem
    assert f" (occurred_at_col of input '{wrong}'): Conversion Error: " in problem.message
    (line,) = (n for n, text in enumerate(models.splitlines(), 1) if f"table: {wrong}, occurred_at_col" in text)
    column = models.splitlines()[line - 1].index("ts, ids") + 1
    assert str(problem.span) == f"models/all.yaml:{line}:{column}"


def test_what_cannot_work_is_refused_before_anything_is_built(shop: Shop) -> None:
    shop.write(MODELS.replace("sum(amount)", "sum(amont)"))
    events: list[Event] = []
    with pytest.raises(ProjectError, match="did you mean 'amount'"):
        run(shop.load(), connections.embedded(shop.folder), Options(end=FEBRUARY), events.append)
    tried = [event for event in events if isinstance(event, Rehearsing)]
    assert tried == events
    assert [event.number for event in tried[: tried[0].total]] == list(range(1, tried[0].total + 1))
    assert not (shop.folder / ".profiles").exists()


def test_a_refused_project_leaves_an_existing_warehouse_as_it_is(shop: Shop) -> None:
    file = shop.folder / ".profiles" / "warehouse.duckdb"
    file.parent.mkdir()
    duckdb.connect(str(file)).close()
    shop.write(MODELS.replace("sum(amount)", "sum(amont)"))
    with pytest.raises(ProjectError, match="did you mean 'amount'"):
        shop.run(end=FEBRUARY)
    with duckdb.connect(str(file), read_only=True) as warehouse:
        assert warehouse.sql("SELECT count(*) FROM duckdb_tables()").fetchall() == [(0,)]


def test_a_source_that_lost_a_column_is_refused_and_the_views_stand(shop: Shop) -> None:
    shop.run(end=JANUARY)
    shop.write(data={"orders": "user_id,ts\nu1,2024-01-01 00:00:00\n"})
    with pytest.raises(ProjectError, match="unknown-column"):
        shop.run(end=FEBRUARY)
    assert shop.query("SELECT total FROM user_feature_view ORDER BY 1") == [(10,), (30,)]


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE user_feature_view (a INT)", "CREATE VIEW user_feature_view AS SELECT 1 AS a"]
)
def test_what_no_run_has_made_is_not_replaced(shop: Shop, statement: str) -> None:
    output = connections.embedded(shop.folder)
    with connect_duckdb(output.settings, purpose="test") as warehouse:
        warehouse.execute("CREATE SCHEMA profiles")
        warehouse.execute("SET schema = 'profiles'")
        warehouse.execute(statement)
    with pytest.raises(ProjectError) as caught:
        shop.run(end=FEBRUARY)
    (problem,) = caught.value.problems
    kind = statement.split()[1].lower()
    assert problem.code == "name-taken"
    assert (
        problem.message
        == f"profiles.user_feature_view is a {kind} that no run of a project has made, and it is not replaced"
    )
    assert shop.query("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'material_registry'") == [(0,)]


def test_a_view_that_was_that_of_another_project_is_told(shop: Shop, tmp_path: Path) -> None:
    shop.run(end=FEBRUARY)
    other = Shop(tmp_path / "other")
    other.write(project=PROJECT.replace("name: shop", "name: copy"))
    output = connections.embedded(shop.folder)
    told: list[Planned] = []
    run(other.load(), output, Options(end=FEBRUARY), lambda e: told.append(e) if isinstance(e, Planned) else None)
    warned = [problem.message for problem in told[0].warnings if problem.code == "name-taken"]
    assert "the view profiles.user_feature_view was that of project 'shop' and is now this one's" in warned
    told.clear()
    run(other.load(), output, Options(end=FEBRUARY), lambda e: told.append(e) if isinstance(e, Planned) else None)
    assert [problem for problem in told[0].warnings if problem.code == "name-taken"] == []


def test_two_projects_share_a_schema_without_sharing_contexts(shop: Shop, tmp_path: Path) -> None:
    shop.run(end=JANUARY)
    other = Shop(tmp_path / "other")
    shutil.copytree(shop.folder / "data", other.folder / "data")
    other.write(project=PROJECT.replace("name: shop", "name: other"))
    output = connections.embedded(shop.folder)
    report = run(other.load(), output, Options(end=JANUARY))
    assert report.window.seq_no == 2
    assert built(report)


# --- fingerprints -------------------------------------------------------------------------------------------------


def changed_by(shop: Shop, models: str, project: str = PROJECT) -> set[str]:
    """The paths whose fingerprint differs once the files are rewritten."""
    before = shop.load().fingerprints
    shop.write(models, project)
    after = shop.load().fingerprints
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


@pytest.mark.parametrize(
    "models",
    [
        MODELS.replace("name: vars\n", "name: vars\n    # a remark\n"),
        MODELS.replace("name: total, ", "name: total, description: All they ever spent., "),
        MODELS.replace("sum(amount)", "SUM( amount )"),
        MODELS.replace('{{large}}"', '{{ large }}"'),
        "macros:" + MODELS.partition("macros:")[2] + MODELS.partition("macros:")[0],
    ],
    ids=["a comment", "a description", "layout of SQL", "layout of a template", "order of sections"],
)  # fmt: skip
def test_fingerprints_ignore_what_changes_no_result(shop: Shop, models: str) -> None:
    assert changed_by(shop, models) == set()


def test_fingerprints_do_not_depend_on_the_order_of_inputs(shop: Shop) -> None:
    first, orders, visits, *rest = MODELS.strip().splitlines()
    assert changed_by(shop, "\n".join([first, visits, orders, *rest])) == set()


def test_fingerprints_do_not_depend_on_the_order_of_vars(shop: Shop) -> None:
    lines = MODELS.rstrip().splitlines()
    swapped = "\n".join([*lines[:-3], lines[-1], lines[-2], lines[-3]]) + "\n"
    assert swapped != MODELS.rstrip()
    changed = changed_by(shop, swapped)
    assert not changed & {"models/user_default_id_stitcher", "user/all", "models/days"}


def test_fingerprints_follow_macros_and_everything_upstream(shop: Shop) -> None:
    below_vars = {
        "user/all/var_table",
        "user/all/feature_view",
        "models/rich",
        "models/rich/var_table",
        "models/rich/feature_view",
    }
    assert changed_by(shop, MODELS.replace("amount > 15", "amount > 16")) == below_vars
    shop.write(data={})
    changed = changed_by(shop, MODELS.replace("table: visits", "table: other.visits"))
    assert {"inputs/visits", "models/user_default_id_stitcher", "user/all", *below_vars} <= changed
    assert "models/days" not in changed
    shop.write(data={})
    filtered = PROJECT.replace("[{name: user_id}]", "[{name: user_id, filters: [{type: exclude, value: u9}]}]")
    changed = changed_by(shop, MODELS, filtered)
    assert {"models/user_default_id_stitcher", *below_vars} <= changed
    assert not changed & {"inputs/visits", "models/days"}


def test_fingerprints_do_not_depend_on_the_clock_or_the_folder(shop: Shop, tmp_path: Path) -> None:
    shop.write(MODELS.replace("amount > 15", "ts > current_date() - 7"))
    copy = Shop(tmp_path / "copy")
    copy.write(MODELS.replace("amount > 15", "ts > current_date() - 7"))
    assert copy.load().fingerprints == shop.load().fingerprints


def test_a_model_named_as_its_source_does_not_read_what_it_wrote(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.write(
        """
inputs:
  - {name: raw, table: orders, occurred_at_col: ts, ids: [{select: user_id, type: user_id, entity: user}]}
models:
  - {name: orders, model_type: sql_template, model_spec: {materialization: {output_type: table},
     single_sql: "select user_id, ts, amount * 10 as amount from {{this.DeRef('inputs/raw')}}"}}
var_groups:
  - {name: vars, entity_key: user, vars: [{entity_var: {name: total, select: sum(amount), from: inputs/raw}}]}
"""
    )
    for end in (JANUARY, FEBRUARY, datetime(2024, 3, 1, tzinfo=UTC)):
        shop.run(end=end)
    assert shop.query("SELECT sum(total) FROM user_feature_view") == [(60,)]
    assert shop.query("SELECT sum(amount) FROM orders") == [(600,)]


def test_what_is_made_from_data_that_changed_is_built_anew(shop: Shop) -> None:
    shop.run(end=FEBRUARY)
    again = shop.run(end=FEBRUARY)
    assert built(again) == set()
    (shop.folder / "data" / "visits.csv").write_text("user_id\nu1\nu2\nu2\nu2\n")
    third = shop.run(end=FEBRUARY)
    assert "models/days" in reused(third)  # made from the orders alone
    assert {"user/all/var_table", "models/user_default_id_stitcher"} <= built(third)
    assert shop.query("SELECT n_visits FROM user_feature_view ORDER BY 1") == [(1,), (3,)]
    assert built(shop.run(end=FEBRUARY)) == set()


def test_a_table_that_grew_counts_as_changed(shop: Shop) -> None:
    (shop.folder / "data" / "visits.csv").unlink()
    output = connections.embedded(shop.folder)
    with connect_duckdb(output.settings, purpose="load") as warehouse:
        warehouse.execute("CREATE TABLE main.visits AS SELECT 'u1' AS user_id")
    shop.run(end=FEBRUARY)
    assert built(shop.run(end=FEBRUARY)) == set()
    with connect_duckdb(output.settings, purpose="load") as warehouse:
        warehouse.execute("INSERT INTO main.visits VALUES ('u2')")
    assert "user/all/var_table" in built(shop.run(end=FEBRUARY))


def test_what_changed_behind_a_view_is_seen(shop: Shop) -> None:
    (shop.folder / "data" / "visits.csv").unlink()
    output = connections.embedded(shop.folder)

    def change(statement: str) -> Report:
        with connect_duckdb(output.settings, purpose="load") as warehouse:
            warehouse.execute(statement)
        return shop.run(end=FEBRUARY)

    change(
        """CREATE TABLE main.raw AS FROM (VALUES ('u1', 1), ('u1', 2)) AS v (user_id, n);
        CREATE VIEW main.cleaned AS SELECT DISTINCT user_id, n FROM main.raw WHERE n < 10;
        CREATE VIEW main.visits AS SELECT user_id FROM main.cleaned"""
    )
    assert built(change("SELECT 1")) == set()
    assert built(change("INSERT INTO main.raw VALUES ('u1', 1), ('u1', 11)")) == set(), "not in the view"
    for statement, visits in (
        ("INSERT INTO main.raw VALUES ('u1', 3)", 3),
        ("UPDATE main.raw SET n = 12 WHERE n = 2", 2),
        ("DELETE FROM main.raw WHERE n = 3", 1),
        ("CREATE OR REPLACE VIEW main.cleaned AS SELECT user_id, n FROM main.raw", 4),
    ):
        assert "user/all/var_table" in built(change(statement)), statement
        assert shop.query("SELECT max(n_visits) FROM user_feature_view") == [(visits,)]


def test_sources_that_moved_count_as_changed(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> None:
    shop.run(end=FEBRUARY)
    moved = Shop(shop.folder.rename(tmp_path_factory.mktemp("elsewhere") / "shop"))
    assert "user/all/var_table" in built(moved.run(end=FEBRUARY))


@pytest.mark.parametrize(
    ("old", "new", "made_from_it", "query"),
    [
        (
            "from {{this.DeRef('inputs/orders')}} group by 1",
            "from raw.visits group by 1",
            "models/days",
            "SELECT n FROM days",
        ),
        (
            "as (select 1 as one)",
            "as (select count(*) as one from raw.visits)",
            "models/by_hand",
            "SELECT one FROM by_hand",
        ),
        (
            "select: sum(amount), from: inputs/orders",
            "select: (select count(*) from raw.visits)",
            "user/all/var_table",
            "SELECT total FROM user_feature_view WHERE user_main_id IS NOT NULL LIMIT 1",
        ),
        (
            'where: "{{large}}"',
            "where: user_id in (select user_id from raw.visits)",
            "user/all/var_table",
            "SELECT sum(n_large) FROM user_feature_view",
        ),
    ],
    ids=["sql model", "several statements", "var", "filter of a var"],
)
def test_a_table_that_only_sql_names_counts_as_well(
    shop: Shop, old: str, new: str, made_from_it: str, query: str
) -> None:
    assert old in MODELS
    models = MODELS.replace(old, new)
    shop.write(models, data={"raw.visits": "user_id\nu1\n"})
    shop.run(end=FEBRUARY)
    before = shop.query(query)
    assert built(shop.run(end=FEBRUARY)) == set()
    shop.write(models, data={"raw.visits": "user_id\nu1\nu2\n"})
    changed = built(shop.run(end=FEBRUARY))
    assert made_from_it in changed
    assert "models/user_default_id_stitcher" not in changed
    assert shop.query(query) != before
