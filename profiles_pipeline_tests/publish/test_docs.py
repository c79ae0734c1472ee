"""What docs/publishing.md shows works as it stands there."""

import re
from pathlib import Path

import pytest
import yaml
from sqlglot import exp

from profiles_pipeline.compile.publishing import relations_of
from profiles_pipeline.destinations import DESTINATIONS, contract, documents
from profiles_pipeline.dialects import render
from profiles_pipeline.errors import Problems
from profiles_pipeline.spec import read_pipeline
from profiles_pipeline.sql import build
from profiles_pipeline_tests.publish.people import Shop


@pytest.fixture(scope="module")
def page(repository_root: Path) -> str:
    return (repository_root / "docs" / "publishing.md").read_text(encoding="utf-8")


def test_the_declaration_is_one(page: str, tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "pipeline.yaml").write_text(block, encoding="utf-8")
    problems = Problems()
    (found,) = read_pipeline(tmp_path, problems).spec.publish
    assert problems.found == []
    assert found.model_fields_set - {"span"} == {
        k.replace("from", "from_") for k in yaml.safe_load(block)["publish"][0]
    }


def test_the_destination_that_is_added_works_on_every_engine(page: str, local: Shop) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names = {**vars(contract), "document": documents.document, "exp": exp, "build": build}
    exec(block, names)
    newsletter = names["NEWSLETTER"]
    assert isinstance(newsletter, contract.Destination)
    publisher = local.publisher(name="docs", key="email", properties=["n"])
    for view in newsletter.views(relations_of(publisher, "profiles")):
        for dialect in ("duckdb", "postgres", "snowflake"):
            assert "published_at" in render(view.query, dialect).lower()


def test_every_destination_and_each_of_its_options_is_told(page: str) -> None:
    for name, destination in DESTINATIONS.items():
        (row,) = re.findall(rf"^\| `{name}` \|.*$", page, re.MULTILINE)
        assert all(f"`{option}`" in row for option in destination.options)
