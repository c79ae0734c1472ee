"""Column lineage, known from the project alone."""

from pathlib import Path

import pytest

from profiles_pipeline import lineage, versions
from profiles_pipeline.examples import EXAMPLES
from profiles_pipeline.lineage import ColumnLineage, ColumnSource
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.reader import Reader

SHIPPED = Path(lineage.__file__).parent / "examples"


def lineages(folder: Path) -> dict[str, ColumnLineage]:
    project = ProfilesProject.load(folder)
    reader = Reader(project.project, versions.ANY_TIME, bound=False)
    return lineage.column_lineage(versions.symbolic(project.graph, reader))


@pytest.fixture(scope="module")
def by_example() -> dict[str, dict[str, ColumnLineage]]:
    return {name: lineages(SHIPPED / name) for name in EXAMPLES}


TRACKS, IDENTIFIES = "inputs/rstracks", "inputs/rsidentifies"

CASES = [
    # The graph: ids from every source, through expressions; times from the time columns.
    ("quickstart", "models/user_id_stitcher", "valid_at", [f"{IDENTIFIES}.timestamp", f"{TRACKS}.timestamp"]),
    (
        "quickstart",
        "models/user_id_stitcher",
        "other_id",
        [f"{IDENTIFIES}.{c}" for c in ("anonymous_id", "email", "user_id")]
        + [f"{TRACKS}.{c}" for c in ("anonymous_id", "user_id")],
    ),
    ("quickstart", "user/all", "main_id", ["models/user_id_stitcher.main_id"]),
    # An input var of input vars: what those are made of; the main id comes from the graph.
    (
        "quickstart",
        f"{TRACKS}/var_table",
        "session_length",
        [f"{TRACKS}.session_id", f"{TRACKS}.timestamp", "models/user_id_stitcher.main_id"],
    ),
    ("quickstart", f"{TRACKS}/var_table", "event", [f"{TRACKS}.event"]),
    # An entity var of an input var stops at the table that holds it; conditions count.
    (
        "quickstart",
        "user/all/var_table",
        "avg_session_length_in_sec_last_7_days",
        [f"{TRACKS}/var_table.session_length", f"{TRACKS}/var_table.session_start_time"],
    ),
    # A var of vars of the same table: the columns behind those.
    (
        "quickstart",
        "user/all/var_table",
        "first_seen_date",
        [f"{IDENTIFIES}/var_table.timestamp", f"{TRACKS}/var_table.timestamp"],
    ),
    ("quickstart", "models/user_profile", "first_seen_date", ["user/all/var_table.first_seen_date"]),
    # SQL models: through a common table expression and a function.
    ("ecommerce", "models/order_details", "main_category", ["inputs/orders.line_items"]),
    ("ecommerce", "models/campaign_report", "revenue", ["models/user_profile.total_revenue"]),
    # A var that row-level SQL of another table uses.
    (
        "ecommerce",
        "user/all/var_table",
        "n_events_before_first_order",
        ["inputs/tracks/var_table.timestamp", "models/order_details/var_table.ordered_at"],
    ),
    ("ecommerce", "user/all/var_table", "n_emails", ["models/user_id_stitcher.other_id_type"]),
    # Cohorts: the members of the parent, chosen by the vars of the filter.
    (
        "ecommerce",
        "models/high_value_users",
        "user_main_id",
        ["user/all.user_main_id", "user/all/var_table.total_revenue"],
    ),
    ("ecommerce", "models/high_value_users/var_table", "n_orders", ["user/all/var_table.n_orders"]),
    # Views by id: the id from the graph, features from the view by main id.
    ("ecommerce", "user/all/feature_view/using_email", "email", ["models/user_id_stitcher.other_id"]),
    ("ecommerce", "user/all/feature_view/using_email", "n_orders", ["user/all/feature_view.n_orders"]),
]


@pytest.mark.parametrize(("example", "path", "column", "expected"), CASES, ids=[f"{p}.{c}" for _, p, c, _ in CASES])
def test_a_column_comes_from(
    by_example: dict[str, dict[str, ColumnLineage]], example: str, path: str, column: str, expected: list[str]
) -> None:
    assert [f"{s.path}.{s.column}" for s in by_example[example][path][column]] == expected


@pytest.mark.parametrize("example", EXAMPLES)
def test_columns_come_from_parents_only(by_example: dict[str, dict[str, ColumnLineage]], example: str) -> None:
    graph = ProfilesProject.load(SHIPPED / example).graph
    strays = {
        (path, source.path)
        for path, columns in by_example[example].items()
        for sources in columns.values()
        for source in sources
        if source.path not in graph.parents[path]
    }
    assert strays == set()


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_named_column_exists_in_its_model(by_example: dict[str, dict[str, ColumnLineage]], example: str) -> None:
    found = by_example[example]
    known = {path: {name.lower() for name in columns} for path, columns in found.items()}
    named = {s for columns in found.values() for each in columns.values() for s in each}
    sources = {s for s in named if not s.path.startswith("inputs/") or s.path.endswith("/var_table")}
    unnamed = {"user/all/var_table.n_events", "models/user_id_stitcher.other_id_type"}  # count(*), and a constant
    missing = {f"{s.path}.{s.column}" for s in sources if s.column.lower() not in known[s.path]} - unnamed
    assert missing == set()


def test_rows_pass_on_the_columns_nobody_names() -> None:
    project = ProfilesProject.load(SHIPPED / "quickstart")
    rows = project.graph.models[f"{TRACKS}/var_table"]
    found = lineage.passed_on(rows, ["main_id", "event"], ["input_row_id", "EVENT", "context_ip", "main_id"])
    assert found == {"context_ip": (ColumnSource(TRACKS, "context_ip"),)}


def test_other_models_pass_on_nothing() -> None:
    profile = ProfilesProject.load(SHIPPED / "quickstart").graph.models["models/user_profile"]
    assert lineage.passed_on(profile, [], ["anything"]) == {}


def test_a_union_passes_on_the_columns_of_all_its_sources() -> None:
    folder = Path(__file__).parent.parent / "projects" / "common_column_union"
    union = ProfilesProject.load(folder).graph.models["models/sightings"]
    expected = (ColumnSource("models/everybody", "seen_at"), ColumnSource("models/places", "seen_at"))
    assert lineage.passed_on(union, [], ["seen_at"]) == {"seen_at": expected}
