"""Inputs that lie in an object store: read from a real S3 server on this machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyarrow.fs import S3FileSystem

from profiles_pipeline.connections import find_output
from profiles_pipeline.errors import ProjectError
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.queries.reading import open_for_reading
from profiles_pipeline.run import Options, Report, run
from profiles_pipeline.spec.stores import StoreCredential, StoreError, bring
from profiles_pipeline_tests.test_run import FEBRUARY
from profiles_pipeline_tests.warehouse.stores import KEYS, put, s3_server

PROJECT = """
name: shop
schema_version: 98
connection: shop
model_folders: [models]
entities: [{name: user, id_types: [user_id, email]}]
id_types: [{name: user_id}, {name: email}]
"""
MODELS = """
inputs:
  - name: people
    app_defaults:
      s3: s3://lists/crm/people.csv
      ids:
        - {select: user_id, type: user_id, entity: user}
        - {select: email, type: email, entity: user}
  - name: orders
    app_defaults:
      s3: s3://sales/orders/*.csv
      ids: [{select: user_id, type: user_id, entity: user}]
var_groups:
  - name: vars
    entity_key: user
    vars:
      - entity_var: {name: n_orders, select: count(*), from: inputs/orders}
      - entity_var: {name: email, select: min(email), from: inputs/people}
"""
OBJECTS = {
    "lists/crm/people.csv": "user_id,email\nu1,a@x\nu2,a@x\nu3,c@x\n",
    "sales/orders/1.csv": "user_id,amount\nu1,1\nu2,2\n",
    "sales/orders/2.csv": "user_id,amount,note\nu3,3,late\n",
}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server(OBJECTS) as address:
        yield address


class Shop:
    """A project whose inputs lie in two buckets, each with its own credentials."""

    def __init__(self, folder: Path, server: str) -> None:
        self.folder = folder
        (folder / "models").mkdir()
        (folder / "pb_project.yaml").write_text(PROJECT)
        (folder / "models" / "all.yaml").write_text(MODELS)
        self.siteconfig = folder / "siteconfig.yaml"
        self.log_in(
            f"aws_credential: {{region: us-east-1, access_key: key, secret_access_key: secret, endpoint: '{server}'}}\n"
            "block_store_creds:\n"
            "  - {type: minio, bucket: sales, region: us-east-1, access_key_id: other, secret_access_key: hidden,"
            f" endpoint: '{server}'}}\n"
        )

    def log_in(self, stores: str) -> None:
        shop = "connections: {shop: {outputs: {dev: {type: duckdb, path: shop.duckdb, schema: profiles}}}}\n"
        self.siteconfig.write_text(shop + stores)

    def run(self) -> Report:
        return run(self.load(), find_output(self.folder, "shop", self.siteconfig), Options(end=FEBRUARY))

    def load(self) -> ProfilesProject:
        return ProfilesProject.load(self.folder)


@pytest.fixture
def shop(tmp_path: Path, server: str) -> Shop:
    return Shop(tmp_path, server)


def test_a_project_over_two_buckets(shop: Shop) -> None:
    shop.run()
    with open_for_reading(shop.load(), find_output(shop.folder, "shop", shop.siteconfig), "test") as session:
        rows = session.warehouse.query("SELECT email, n_orders FROM profiles.user_feature_view ORDER BY 1").rows
        kept = session.warehouse.query("SELECT count(*) FROM profiles.orders_var_table").rows
    assert (rows, kept) == ([("a@x", 2), ("c@x", 1)], [(3,)])


def test_an_object_that_is_replaced_counts_as_changed(shop: Shop, server: str) -> None:
    shop.run()
    assert not [item for item in shop.run().built if not item.reused]
    store = S3FileSystem(**KEYS, region="us-east-1", endpoint_override=server)
    put(store, "sales/orders/2.csv", "user_id,amount\nu3,3\nu3,4\n")
    try:
        built = {item.model.path for item in shop.run().built if not item.reused}
    finally:
        put(store, "sales/orders/2.csv", OBJECTS["sales/orders/2.csv"])
    assert "user/all/var_table" in built


@pytest.mark.parametrize(
    ("stores", "reason"),
    [
        (
            "aws_credential: {region: us-east-1, access_key: k, secret_access_key: s, endpoint: 'http://127.0.0.1:9'}",
            "",
        ),
        ("aws_credential: {access_key: '${NO_SUCH_VARIABLE}'}", "NO_SUCH_VARIABLE is not set"),
        ("aws_credential: {access_key: lone}", "one of access_key and secret_access_key, which go together"),
    ],
)
def test_a_store_that_cannot_be_reached(shop: Shop, stores: str, reason: str) -> None:
    shop.log_in(stores)
    with pytest.raises(ProjectError) as caught:
        shop.run()
    text = str(caught.value)
    assert reason in text
    assert reason or "error[missing-table]: s3://lists/crm/people.csv cannot be read: " in text


def test_an_object_that_is_not_there(shop: Shop) -> None:
    models = shop.folder / "models" / "all.yaml"
    models.write_text(MODELS.replace("crm/people", "crm/peple"))
    with pytest.raises(ProjectError) as caught:
        shop.run()
    assert str(caught.value) == (
        "models/all.yaml:5:11: error[missing-table]: s3://lists/crm/peple.csv cannot be read: there is no such object\n"
        "    hint: make it reachable, or put a file called peple.parquet or .csv into the sources folder"
    )


def test_folders_are_brought_whole(tmp_path: Path, server: str) -> None:
    credentials = [
        StoreCredential.model_validate(
            {"endpoint": server, "region": "us-east-1", "access_key": "k", "secret_access_key": "s"}
        )
    ]
    bring("s3://sales/orders/", tmp_path / "got", credentials)
    assert {file.name: file.read_text() for file in (tmp_path / "got").iterdir()} == {
        "1.csv": OBJECTS["sales/orders/1.csv"],
        "2.csv": OBJECTS["sales/orders/2.csv"],
    }
    with pytest.raises(StoreError, match="there is nothing at this address"):
        bring("s3://sales/nothing", tmp_path / "none", credentials)
