"""Cohorts of one name: who keeps its name, who gets another, and what is meant by the name they share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from profiles_pipeline.assets import build_definitions
from profiles_pipeline.errors import ProjectError
from profiles_pipeline.namesakes import AmbiguousCohortError, Namesakes
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import Cohort, Model

ENTITIES = ("user", "account", "team")


def cohort(name: str, **spec: object) -> dict[str, Any]:
    return {"name": name, "model_type": "entity_cohort", "model_spec": spec}


def written(folder: Path, *models: dict[str, Any], groups: tuple[dict[str, Any], ...] = (), **more: object) -> Path:
    """A project of users, accounts and teams with these models, and a var `n` for each entity."""
    ids = [{"select": f"{e}_id", "type": f"{e}_id", "entity": e} for e in ENTITIES]
    count = {"entity_var": {"name": "n", "select": "count(*)", "from": "inputs/orders"}}
    project = {
        "name": folder.name,
        "schema_version": 98,
        "connection": "none",
        "model_folders": ["models"],
        "entities": [{"name": e, "id_types": [f"{e}_id"]} for e in ENTITIES],
        "id_types": [{"name": f"{e}_id"} for e in ENTITIES],
        **more,
    }
    things = {
        "inputs": [
            {"name": "orders", "table": "orders", "ids": ids},
            {"name": "visits", "table": "visits", "ids": ids[:1]},
        ],
        "models": list(models),
        "var_groups": [*({"name": f"of_{e}", "entity_key": e, "vars": [count]} for e in ENTITIES), *groups],
    }
    (folder / "models").mkdir(parents=True)
    (folder / "pb_project.yaml").write_text(yaml.safe_dump(project))
    (folder / "models" / "all.yaml").write_text(yaml.safe_dump(things, sort_keys=False))
    return folder


def of_cohorts(project: ProfilesProject) -> dict[str, str]:
    """Path -> relation of all that belongs to cohorts with a name of their own."""
    found: dict[str, Model] = dict(project.graph.models)
    return {path: model.name for path, model in found.items() if path.startswith("models/") and "stitcher" not in path}


USERS = cohort("vip", extends="user/all", filter_expression="{{ user.n }} > 1", feature_views={"name": "best"})
ACCOUNTS = cohort("vip", extends="account/all", filter_expression="{{ account.n }} > 1")
OTHERS = cohort("big", extends="account/all", filter_expression="{{ account.n }} > 2")


def test_a_name_that_is_used_once_stays_and_so_do_all_other_names(tmp_path: Path) -> None:
    alone = ProfilesProject.load(written(tmp_path / "alone", USERS, OTHERS))
    beside = ProfilesProject.load(written(tmp_path / "beside", USERS, OTHERS, ACCOUNTS))
    big = {"models/big": "big", "models/big/var_table": "big_var_table", "models/big/feature_view": "big_feature_view"}
    assert of_cohorts(alone) == big | {
        "models/vip": "vip",
        "models/vip/var_table": "vip_var_table",
        "models/vip/feature_view": "best",
    }
    assert of_cohorts(beside) == big | {
        "models/user_vip": "user_vip",
        "models/user_vip/var_table": "user_vip_var_table",
        "models/user_vip/feature_view": "best",
        "models/account_vip": "account_vip",
        "models/account_vip/var_table": "account_vip_var_table",
        "models/account_vip/feature_view": "account_vip_feature_view",
    }
    kept = {path: found for path, found in alone.fingerprints.items() if not path.startswith("models/vip")}
    assert {path: beside.fingerprints[path] for path in kept} == kept


def test_a_cohort_is_the_same_whether_its_name_is_shared_or_written_out(tmp_path: Path) -> None:
    shared = ProfilesProject.load(written(tmp_path / "shared", USERS, ACCOUNTS))
    out = [cohort(f"{e}_vip", **c["model_spec"]) for e, c in (("user", USERS), ("account", ACCOUNTS))]
    assert shared.fingerprints == ProfilesProject.load(written(tmp_path / "out", *out)).fingerprints


def test_assets_have_keys_of_their_own(tmp_path: Path) -> None:
    definitions = build_definitions(written(tmp_path / "shop", USERS, ACCOUNTS))
    dg.Definitions.validate_loadable(definitions)
    keys = {spec.key.to_user_string() for spec in definitions.resolve_all_asset_specs()}
    parts = ("", "/var_table", "/feature_view")
    assert {key for key in keys if "vip" in key} == {f"models/{e}_vip{p}" for e in ENTITIES[:2] for p in parts}


@pytest.mark.parametrize(
    "told",
    [
        {"extends": "account/all"},
        {"entity_key": "Account"},
        {"extends": "models/big"},
        {"extends": "models/bigger"},
        {"extends": "models/account_gold"},
        {"entity_key": "account", "extends": "models/gold"},
    ],
)
def test_how_the_entity_of_a_cohort_is_told(tmp_path: Path, told: dict[str, str]) -> None:
    bigger = cohort("bigger", extends="models/big")
    gold = [cohort("gold", extends=f"{entity}/all") for entity in ("account", "team")]
    project = ProfilesProject.load(written(tmp_path / "p", cohort("vip", **told), USERS, OTHERS, bigger, *gold))
    found = project.graph.models["models/account_vip"]
    assert isinstance(found, Cohort)
    assert found.entity == "account"
    assert "models/user_vip" in project.graph.models


@pytest.mark.parametrize(
    "group",
    [
        {"entity_cohort": "models/account_vip"},
        {"entity_cohort": "packages/lib/models/Vip", "entity_key": "account"},
    ],
)
def test_how_the_cohort_of_a_group_is_told(tmp_path: Path, group: dict[str, str]) -> None:
    label = {"entity_var": {"name": "label", "select": "'x'"}}
    project = ProfilesProject.load(
        written(tmp_path / "p", USERS, ACCOUNTS, groups=({"name": "g", "vars": [label], **group},))
    )
    assert ("models/account_vip", "label") in project.graph.var_homes


def test_a_source_tells_the_cohort_of_a_group(tmp_path: Path) -> None:
    visits = {"entity_var": {"name": "visits", "select": "count(*)", "from": "inputs/visits"}}
    orders = {"entity_var": {"name": "orders", "select": "count(*)", "from": "inputs/orders"}}
    group = {"name": "g", "entity_cohort": "models/vip", "vars": [visits, orders]}
    project = ProfilesProject.load(written(tmp_path / "p", USERS, ACCOUNTS, groups=(group,)))
    assert ("models/user_vip", "orders") in project.graph.var_homes


def test_two_cohorts_of_one_entity_cannot_share_a_name(tmp_path: Path) -> None:
    same = cohort("vip", extends="models/big", filter_expression="{{ account.n }} > 3")
    with pytest.raises(ProjectError, match="model 'vip' is defined twice"):
        ProfilesProject.load(written(tmp_path / "p", ACCOUNTS, OTHERS, same))


def test_a_package_that_has_namesakes(tmp_path: Path) -> None:
    written(tmp_path / "lib", USERS, ACCOUNTS)
    packages = [{"name": "lib", "url": "../lib"}]
    gold = cohort("gold", extends="user/all", filter_expression="{{ warehouse.EntityCohortCondition('models/vip') }}")
    project = ProfilesProject.load(written(tmp_path / "app", gold, packages=packages))
    assert "models/account_vip" in project.graph.models
    assert set(project.graph.parents["models/gold"]) == {"user/all", "models/user_vip"}


def test_what_a_project_calls_so_takes_the_place_of_what_its_package_does(tmp_path: Path) -> None:
    written(tmp_path / "one", USERS)
    written(tmp_path / "two", USERS, ACCOUNTS)
    both = written(tmp_path / "a", USERS, ACCOUNTS, packages=[{"name": "one", "url": "../one"}])
    assert "models/vip" not in ProfilesProject.load(both).graph.models
    mine = cohort("vip", extends="team/all", filter_expression="{{ team.n }} > 1")
    reading = "{{ warehouse.EntityCohortCondition('models/vip') }}"
    big = cohort("big", extends="team/all", filter_expression=reading)
    project = ProfilesProject.load(written(tmp_path / "b", mine, big, packages=[{"name": "two", "url": "../two"}]))
    assert {"models/user_vip", "models/account_vip"} <= project.graph.models.keys()
    assert set(project.graph.parents["models/big"]) == {"team/all", "models/vip"}


def test_what_a_path_means() -> None:
    namesakes = Namesakes({"vip": {"user": "user_VIP", "account": "account_vip"}})
    assert namesakes.path("models/vip/var_table", "user") == "models/user_vip/var_table"
    assert namesakes.path("models/gold/vip", None) == "models/gold/vip"
    assert namesakes.path("inputs/vip", None) == "inputs/vip"
    assert namesakes.name("vip", "account") == "account_vip"
    with pytest.raises(AmbiguousCohortError, match="models/user_VIP/x or models/account_vip/x, and nothing here"):
        namesakes.path("models/vip/x", None)
    with pytest.raises(AmbiguousCohortError, match="'vip' can mean user_VIP or account_vip, and entity 'team'"):
        namesakes.name("vip", "team")
