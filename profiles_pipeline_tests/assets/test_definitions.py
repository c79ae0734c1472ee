"""What Dagster is told about a project before anything runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from profiles_pipeline.assets import ModelProps, ProfilesTranslator, build_asset_specs, build_assets, build_definitions
from profiles_pipeline.assets.assets import op_name
from profiles_pipeline.connections import embedded
from profiles_pipeline.errors import ProjectError
from profiles_pipeline.examples import copy_example
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline_tests.test_projects import PROJECTS

PARENTS = {
    "inputs/rsIdentifies": set(),
    "inputs/rsTracks": set(),
    "models/user_id_stitcher": {"inputs/rsIdentifies", "inputs/rsTracks"},
    "user/all": {"models/user_id_stitcher"},
    "inputs/rsIdentifies/var_table": {"inputs/rsIdentifies", "models/user_id_stitcher"},
    "inputs/rsTracks/var_table": {"inputs/rsTracks", "models/user_id_stitcher"},
    "user/all/var_table": {"user/all", "inputs/rsIdentifies/var_table", "inputs/rsTracks/var_table"},
    "models/user_profile": {"user/all", "user/all/var_table"},
    "user/all/feature_view": {"user/all/var_table"},
}


def specs_by_key(definitions: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}


def test_keys_and_dependencies_are_those_of_the_models(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)
    graph = definitions.resolve_asset_graph()
    found = {
        key.to_user_string(): {parent.to_user_string() for parent in graph.get(key).parent_keys}
        for key in graph.get_all_asset_keys()
    }
    assert found == PARENTS


def test_inputs_are_shown_and_never_built(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    external = {key.to_user_string() for key in graph.get_all_asset_keys() if graph.get(key).is_external}
    assert external == {"inputs/rsIdentifies", "inputs/rsTracks"}
    assert all(graph.get(dg.AssetKey(key.split("/"))).is_observable for key in external)
    job = definitions.resolve_job_def("profiles_run")
    built = {key.to_user_string() for key in job.asset_layer.selected_asset_keys}
    assert built == PARENTS.keys() - external


def test_looks_of_a_table(definitions: dg.Definitions, quickstart: Path) -> None:
    spec = specs_by_key(definitions)["models/user_profile"]
    project = ProfilesProject.load(quickstart)
    assert spec.group_name == "user"
    assert spec.kinds == {"duckdb", "table"}
    assert spec.code_version == project.fingerprints["models/user_profile"][:16]
    assert spec.tags["profiles/model_type"] == "feature_table_model"
    assert spec.tags["profiles/entity"] == "user"
    assert spec.metadata["dagster/relation_identifier"] == "profiles.user_profile"
    assert spec.description is not None
    assert "- `first_seen_date`: Day of the first activity, time as an anonymous visitor included." in spec.description
    assert "first_seen_tracks" not in spec.description


def test_looks_of_an_input(definitions: dg.Definitions) -> None:
    spec = specs_by_key(definitions)["inputs/rsTracks"]
    assert spec.group_name == "user"  # a single group is never folded
    assert spec.tags["profiles/entity"] == "user"
    assert spec.kinds == {"duckdb", "input"}
    assert spec.code_version is None
    assert spec.metadata["dagster/relation_identifier"] == "profiles_sample.ecommerce.tracks"


def test_a_var_table_lists_its_vars(definitions: dg.Definitions) -> None:
    description = specs_by_key(definitions)["user/all/var_table"].description or ""
    assert "- `n_active_days_total`: Number of different days with at least one event." in description
    assert "- `first_seen_tracks`: Day of the first event." in description


def test_assets_link_to_the_line_of_the_yaml(definitions: dg.Definitions, quickstart: Path) -> None:
    found = specs_by_key(definitions)["models/user_profile"].metadata["dagster/code_references"]
    assert isinstance(found, dg.CodeReferencesMetadataValue)
    (place,) = found.code_references
    assert isinstance(place, dg.LocalFileCodeReference)
    assert place.file_path == str(quickstart / "models" / "profiles.yaml")
    assert place.line_number is not None
    line = (quickstart / "models" / "profiles.yaml").read_text(encoding="utf-8").splitlines()[place.line_number - 1]
    assert "user_profile" in line


def test_columns_have_lineage(definitions: dg.Definitions) -> None:
    found = specs_by_key(definitions)["user/all/var_table"].metadata["dagster/column_lineage"]
    assert isinstance(found, dg.TableColumnLineage)
    assert found.deps_by_column["orders_completed_in_past_365_days"] == [
        dg.TableColumnDep(dg.AssetKey(["inputs", "rsTracks", "var_table"]), "event"),
        dg.TableColumnDep(dg.AssetKey(["inputs", "rsTracks", "var_table"]), "timestamp"),
    ]


def test_audits_are_blocking_checks(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    keys = graph.asset_check_keys
    checks = {f"{key.asset_key.to_user_string()}:{key.name}": graph.get_check_spec(key) for key in keys}
    assert {"user/all/var_table:one_row_per_member", "models/user_id_stitcher:every_id_in_one_cluster"} <= checks.keys()
    assert all(check.blocking for check in checks.values())
    assert checks["user/all:main_id_unique"].description == "No main id has two rows."


def test_models_of_a_cohort_and_views_by_id(tmp_path: Path) -> None:
    copy_example("ecommerce", tmp_path / "shop")
    definitions = build_definitions(tmp_path / "shop")
    dg.Definitions.validate_loadable(definitions)
    specs = specs_by_key(definitions)
    by_email = specs["user/all/feature_view/using_email"]
    assert by_email.kinds == {"duckdb", "view"}
    assert by_email.metadata["dagster/relation_identifier"] == "profiles.user_by_email"
    assert {d.asset_key.to_user_string() for d in specs["models/high_value_users"].deps} >= {"user/all/var_table"}
    assert specs["models/order_details"].group_name == "user"
    assert specs["models/campaign_report"].group_name == "models"


class Renamed(ProfilesTranslator):
    """A team's own keys, owners and groups."""

    def get_asset_spec(self, model: ModelProps) -> dg.AssetSpec:
        spec = super().get_asset_spec(model)
        group = "outside" if model.is_input else "c360"
        return spec.replace_attributes(key=spec.key.with_prefix("crm"), owners=["team:growth"], group_name=group)


def test_a_translator_changes_looks_and_keys_alike(quickstart: Path) -> None:
    definitions = build_definitions(quickstart, translator=Renamed())
    graph = definitions.resolve_asset_graph()
    node = graph.get(dg.AssetKey(["crm", "models", "user_profile"]))
    assert {key.to_user_string() for key in node.parent_keys} == {"crm/user/all", "crm/user/all/var_table"}
    assert node.owners == ["team:growth"]
    assert {graph.get(key).group_name for key in graph.get_all_asset_keys()} == {"outside", "c360"}
    lineage = specs_by_key(definitions)["crm/models/user_profile"].metadata["dagster/column_lineage"]
    sources = {dep.asset_key.to_user_string() for deps in lineage.deps_by_column.values() for dep in deps}
    assert sources == {"crm/user/all/var_table"}


def test_specs_alone_need_nothing_but_the_project(quickstart: Path) -> None:
    specs = build_asset_specs(ProfilesProject.load(quickstart), embedded(quickstart))
    assert {spec.key.to_user_string() for spec in specs} == PARENTS.keys()


def test_one_file_one_pool(quickstart: Path) -> None:
    project = ProfilesProject.load(quickstart)
    pools, again = (
        {a.op.pool for a in build_assets(project) if isinstance(a, dg.AssetsDefinition) and a.is_materializable}
        for _ in range(2)
    )
    assert len(pools) == 1
    assert pools == again
    assert next(iter(pools)).startswith("profiles_duckdb_warehouse_")


@pytest.mark.parametrize(
    ("one", "two"),
    [(["models", "a-b"], ["models", "a_b"]), (["models", "a b"], ["models", "a-b"]), (["x__y"], ["x", "y"])],
)
def test_ops_of_different_assets_have_different_names(one: list[str], two: list[str]) -> None:
    assert op_name(dg.AssetKey(one)) != op_name(dg.AssetKey(two))
    assert op_name(dg.AssetKey(one)) == op_name(dg.AssetKey(one))


def test_a_wrong_project_says_why(quickstart: Path) -> None:
    file = quickstart / "models" / "profiles.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("from: inputs/rsTracks", "from: inputs/rsTrack"), "utf-8")
    with pytest.raises(ProjectError, match="did you mean 'inputs/rsTracks'"):
        build_definitions(quickstart)


# --- the module ---------------------------------------------------------------------------------------------------

PROBE = """
import json, sys
from profiles_pipeline.definitions import defs
keys = [key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()]
engine = {"scipy", "pyarrow", "numpy", "pandas", "profiles_pipeline.run"}
print(json.dumps({"keys": keys, "engine": sorted(engine & sys.modules.keys())}))
"""


def load_module(cwd: Path, **variables: str) -> dict[str, list[str]]:
    """Import the definitions module in a fresh process and say what it holds and what it has imported."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PROFILES_")}
    done = subprocess.run(
        [sys.executable, "-c", PROBE], cwd=cwd, env=clean | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_loading_touches_no_warehouse_and_imports_no_engine(quickstart: Path, tmp_path: Path) -> None:
    before = sorted(quickstart.rglob("*"))
    found = load_module(tmp_path, PROFILES_PROJECT_DIR=str(quickstart))
    assert set(found["keys"]) == PARENTS.keys()
    assert found["engine"] == []
    assert sorted(quickstart.rglob("*")) == before


def test_the_project_of_the_current_directory_is_loaded(quickstart: Path) -> None:
    assert set(load_module(quickstart)["keys"]) == PARENTS.keys()


def test_without_a_project_the_example_is_copied_once(tmp_path: Path) -> None:
    first = load_module(tmp_path)
    project_file = tmp_path / ".profiles_example" / "ecommerce" / "pb_project.yaml"
    assert "user/all/feature_view/using_email" in first["keys"]
    with project_file.open("a", encoding="utf-8") as file:
        file.write("# mine now\n")
    assert set(load_module(tmp_path)["keys"]) == set(first["keys"])
    assert "# mine now" in project_file.read_text(encoding="utf-8")


def test_siteconfig_and_target_are_honoured(quickstart: Path, tmp_path: Path) -> None:
    site = tmp_path / "siteconfig.yaml"
    site.write_text(
        "connections:\n  test:\n    target: one\n    outputs:\n"
        "      one: {type: duckdb, path: one.duckdb, schema: first}\n"
        "      two: {type: duckdb, path: two.duckdb, schema: second}\n",
        encoding="utf-8",
    )
    script = (
        "from profiles_pipeline.definitions import defs\n"
        "specs = {s.key.to_user_string(): s for s in defs.resolve_all_asset_specs()}\n"
        "print(specs['models/user_profile'].metadata['dagster/relation_identifier'])"
    )
    for variables, expected in (({}, "first.user_profile"), ({"PROFILES_TARGET": "two"}, "second.user_profile")):
        named = {"PROFILES_PROJECT_DIR": str(quickstart), "PROFILES_SITECONFIG": str(site)}
        environment = os.environ | named | variables
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.stdout.splitlines()[-1:] == [expected], done.stderr


def test_two_projects_share_a_code_location(quickstart: Path, tmp_path: Path) -> None:
    class Prefixed(ProfilesTranslator):
        def get_asset_spec(self, model: ModelProps) -> dg.AssetSpec:
            spec = super().get_asset_spec(model)
            return spec.replace_attributes(key=spec.key.with_prefix("second"))

    copy_example("quickstart", tmp_path / "second")
    both = dg.Definitions.merge(
        build_definitions(quickstart),
        build_definitions(tmp_path / "second", translator=Prefixed(), job_name="second_run"),
    )
    dg.Definitions.validate_loadable(both)
    built = both.resolve_job_def("second_run").asset_layer.selected_asset_keys
    assert {key.path[0] for key in built} == {"second"}
    assert both.resolve_job_def("profiles_run").asset_layer.selected_asset_keys.isdisjoint(built)


def test_tables_that_sql_names_are_upstream() -> None:
    project = ProfilesProject.load(PROJECTS / "leading_comma")
    specs = {spec.key.to_user_string(): spec for spec in build_asset_specs(project, embedded(project.folder))}
    above = {dep.asset_key.to_user_string() for dep in specs["models/plan_names"].deps}
    assert "raw/app/plans" in above
    graph = build_definitions(project.folder).resolve_asset_graph()
    assert dg.AssetKey(["models", "plan_names"]) in graph.get(dg.AssetKey(["raw", "app", "plans"])).child_keys
