"""The component, in sandboxes and in a fresh project made by Dagster's own tools."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from dagster.components.testing.utils import DefsFolderSandbox, create_defs_folder_sandbox

from profiles_pipeline import ProfilesProjectComponent, ProfilesTranslator
from profiles_pipeline.assets import ModelProps
from profiles_pipeline.errors import ProjectError
from profiles_pipeline.examples import copy_example
from profiles_pipeline_tests.assets.test_runs import ROW_COUNTS

TYPE = "profiles_pipeline.ProfilesProjectComponent"


class Numbered(ProfilesTranslator):
    def get_asset_spec(self, model: ModelProps) -> dg.AssetSpec:
        return super().get_asset_spec(model).replace_attributes(owners=[f"team:{len(model.path)}"])


class Mailing(ProfilesProjectComponent):
    """A component of a team that wants other groups."""

    def get_asset_spec(self, model: ModelProps, spec: dg.AssetSpec) -> dg.AssetSpec:
        return super().get_asset_spec(model, spec).replace_attributes(group_name="mailing")


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[DefsFolderSandbox]:
    copy_example("quickstart", tmp_path / "c360")
    with create_defs_folder_sandbox() as made:
        yield made


def write(sandbox: DefsFolderSandbox, attributes: str, name: str = "c360", type_name: str = TYPE) -> Path:
    """Write a defs.yaml as somebody would type it; `attributes` are indented."""
    folder = sandbox.defs_folder_path / name
    folder.mkdir()
    (folder / "defs.yaml").write_text(f"type: {type_name}\nattributes:\n{attributes}\n", encoding="utf-8")
    return folder


def loaded(sandbox: DefsFolderSandbox, attributes: str, type_name: str = TYPE) -> dg.Definitions:
    folder = write(sandbox, attributes, type_name=type_name)
    with sandbox.load_component_and_build_defs(defs_path=folder) as (_, definitions):
        return definitions


def test_a_project_is_its_assets_and_its_job(sandbox: DefsFolderSandbox, tmp_path: Path) -> None:
    definitions = loaded(sandbox, f"  project: {tmp_path}/c360")
    keys = {key.to_user_string() for key in definitions.resolve_asset_graph().executable_asset_keys}
    assert set(ROW_COUNTS) <= keys
    assert definitions.resolve_job_def("profiles_run").executor_def is not None
    dg.Definitions.validate_loadable(definitions)


def test_a_path_starts_at_the_file_that_has_it(sandbox: DefsFolderSandbox) -> None:
    copy_example("quickstart", sandbox.project_root / "customers")
    assert loaded(sandbox, "  project: ../../../../customers").resolve_job_def("profiles_run")


def test_two_projects_in_one_code_location(sandbox: DefsFolderSandbox, tmp_path: Path) -> None:
    write(sandbox, f"  project: {tmp_path}/c360", "one")
    write(
        sandbox,
        f"  project: {tmp_path}/c360\n  job_name: other\n  target: dev\n  translation: {{key_prefix: other}}",
        "two",
    )
    with sandbox.build_all_defs() as definitions:
        keys = {key.to_user_string() for key in definitions.resolve_asset_graph().executable_asset_keys}
        assert {"models/user_profile", "other/models/user_profile"} <= keys
        jobs = {name: definitions.resolve_job_def(name) for name in ("profiles_run", "other")}
        assert {len(job.asset_layer.executable_asset_keys) for job in jobs.values()} == {len(ROW_COUNTS)}


def spec_of(definitions: dg.Definitions, key: str) -> dg.AssetSpec:
    wanted = dg.AssetKey(key.split("/"))
    return next(spec for spec in definitions.resolve_all_asset_specs() if spec.key == wanted)


def test_assets_can_be_translated_in_yaml(sandbox: DefsFolderSandbox, tmp_path: Path) -> None:
    attributes = f"""
  project: {tmp_path}/c360
  translation:
    group_name: "{{{{ model.model_type }}}}"
    tags: {{team: growth}}
"""
    spec = spec_of(loaded(sandbox, attributes), "models/user_profile")
    assert spec.group_name == "feature_table_model"
    assert (spec.tags["team"], spec.tags["profiles/entity"]) == ("growth", "user")


def test_assets_can_be_translated_by_a_class(sandbox: DefsFolderSandbox, tmp_path: Path) -> None:
    attributes = f"  project: {tmp_path}/c360\n  translator: {__name__}.Numbered"
    assert list(spec_of(loaded(sandbox, attributes), "user/all/var_table").owners) == ["team:3"]


def test_a_component_can_be_subclassed(sandbox: DefsFolderSandbox, tmp_path: Path) -> None:
    definitions = loaded(sandbox, f"  project: {tmp_path}/c360", type_name=f"{__name__}.Mailing")
    assert {spec.group_name for spec in definitions.resolve_all_asset_specs()} == {"mailing"}


@pytest.mark.parametrize("name", ["Numbered", f"{__name__}.TYPE", "dagster.Definitions"])
def test_what_is_no_translator_is_told(sandbox: DefsFolderSandbox, tmp_path: Path, name: str) -> None:
    told = told_of(sandbox, f"  project: {tmp_path}/c360\n  translator: {name}")
    assert f"error[bad-translator]: translator '{name}' is no class of translators" in told


def test_sections_take_the_place_of_those_of_the_project(sandbox: DefsFolderSandbox, tmp_path: Path) -> None:
    (tmp_path / "c360" / "pipeline.yaml").write_text(
        "partitions: {cadence: weekly, start: 2023-01-02}\nsensor: {at_most: 3}\n", encoding="utf-8"
    )
    folder = write(sandbox, f"  project: {tmp_path}/c360\n  partitions: {{cadence: hourly}}\n  incremental: never")
    with sandbox.load_component_and_build_defs(defs_path=folder) as (component, _):
        assert isinstance(component, ProfilesProjectComponent)
        pipeline = component.loaded(folder).pipeline
    assert (pipeline.partitions.cadence, pipeline.partitions.start) == ("hourly", None)
    assert (pipeline.incremental, pipeline.sensor.at_most) == ("never", 3)


def test_the_project_is_read_in_the_dialect_of_its_connection(sandbox: DefsFolderSandbox, tmp_path: Path) -> None:
    outputs = "{target: a, outputs: {a: {type: duckdb, dialect: redshift}, b: {type: duckdb, dialect: databricks}}}"
    (tmp_path / "site.yaml").write_text(f"connections: {{test: {outputs}}}\n", encoding="utf-8")
    folder = write(sandbox, f"  project: {tmp_path}/c360\n  siteconfig: {tmp_path}/site.yaml\n  target: b")
    with sandbox.load_component_and_build_defs(defs_path=folder) as (component, _):
        assert isinstance(component, ProfilesProjectComponent)
        assert component.loaded(folder).project.source_dialect == "databricks"


WRONG = {
    "a misspelt key": ("sensor: {at_mots: 3}", "defs.yaml:4:12: error[unknown-key]", "did you mean 'at_most'?"),
    "a wrong value": ("partitions: {cadence: dayly}", "defs.yaml:4:25: error[wrong-value]", "did you mean 'daily'?"),
    "an unknown input": ("inputs: {tracks: {changes: late}}", "defs.yaml:4:12: error[unknown-input]", "rsTracks"),
    "beside what YAML takes for a date": (
        "partitions: {start: 2024-01-01, timezone: Mars}", "defs.yaml:4:", "a time zone such as UTC",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("section", "place", "hint"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_at_its_place(
    sandbox: DefsFolderSandbox, tmp_path: Path, section: str, place: str, hint: str
) -> None:
    told = told_of(sandbox, f"  project: {tmp_path}/c360\n  {section}")
    assert place in told
    assert hint in told


def told_of(sandbox: DefsFolderSandbox, attributes: str) -> str:
    """What is said of a component that cannot be loaded."""
    with pytest.raises(Exception, match="error") as caught:
        loaded(sandbox, attributes)
    cause: BaseException | None = caught.value
    while cause is not None and not isinstance(cause, ProjectError):
        cause = cause.__cause__ or cause.__context__
    return str(cause)


def test_the_package_is_imported_without_dagster() -> None:
    script = """
import sys, profiles_pipeline
assert "ProfilesProjectComponent" in dir(profiles_pipeline)
assert "dagster" not in sys.modules
profiles_pipeline.ProfilesProjectComponent
assert "dagster" in sys.modules
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


# --- a fresh project ----------------------------------------------------------------------------------------------


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A project as `create-dagster` makes it."""
    if importlib.util.find_spec("create_dagster") is None or importlib.util.find_spec("dagster_dg_cli") is None:
        pytest.skip("create-dagster and dagster-dg-cli are not installed: pip install -e '.[dev]'")
    dg_tool(tmp_path, "create-dagster", "project", "--no-uv-sync", "shop")
    return tmp_path / "shop"


def dg_tool(folder: Path, program: str, *arguments: str) -> str:
    """Run a program of the environment in a folder and return what it says."""
    environment = os.environ | {"PYTHONPATH": "src", "DAGSTER_HOME": str(folder), "COLUMNS": "200"}
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_what_is_scaffolded_in_a_fresh_project_runs(fresh: Path) -> None:
    assert TYPE in dg_tool(fresh, "dg", "list", "components")
    dg_tool(fresh, "dg", "scaffold", "defs", TYPE, "c360")
    assert (fresh / "src" / "shop" / "defs" / "c360" / "defs.yaml").is_file()
    dg_tool(fresh, "dg", "check", "yaml")
    dg_tool(fresh, "dg", "check", "defs")
    (fresh / "c360" / "pipeline.yaml").write_text("partitions: false\n", encoding="utf-8")
    dg_tool(fresh, "dg", "launch", "--job", "profiles_run")
    with duckdb.connect(str(fresh / "c360" / ".profiles" / "warehouse.duckdb"), read_only=True) as connection:
        assert connection.sql("select count(*) from profiles.user_profile").fetchall() == [(5,)]


def test_a_project_that_is_there_already_is_not_copied(tmp_path: Path) -> None:
    copy_example("quickstart", tmp_path / "c360")
    with create_defs_folder_sandbox() as sandbox:
        folder = sandbox.scaffold_component(
            component_cls=ProfilesProjectComponent, scaffold_params={"project": str(tmp_path / "c360")}
        )
        assert not list(sandbox.project_root.rglob("pb_project.yaml"))
        with sandbox.load_component_and_build_defs(defs_path=folder) as (component, _):
            assert isinstance(component, ProfilesProjectComponent)
            assert component.loaded(folder).folder == tmp_path / "c360"


def test_the_calendar_is_that_of_the_component(sandbox: DefsFolderSandbox, tmp_path: Path) -> None:
    definitions = loaded(sandbox, f"  project: {tmp_path}/c360\n  partitions: {{cadence: monthly, start: 2024-01-01}}")
    spec = spec_of(definitions, "models/user_id_stitcher")
    assert isinstance(spec.partitions_def, dg.MonthlyPartitionsDefinition)
    assert spec.partitions_def.get_first_partition_key() == "2024-01-01"
