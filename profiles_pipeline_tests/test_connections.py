"""Where a project is built: what a connection leads to, and what stands in for one that cannot be built in yet."""

from pathlib import Path

import pytest

from profiles_pipeline.connections import find_output
from profiles_pipeline.errors import ProjectError

SITECONFIG = """\
connections:
  shop:
    target: prod
    outputs:
      prod: {type: snowflake, account: a, dbname: d, schema: s, user: u, role: r, warehouse: w, password: p}
      dev: {type: redshift, host: h, dbname: d, schema: s, user: u, password: p}
      local: {type: duckdb, path: shop.duckdb, schema: analytics}
"""


@pytest.fixture
def siteconfig(tmp_path: Path) -> Path:
    path = tmp_path / "siteconfig.yaml"
    path.write_text(SITECONFIG)
    return path


@pytest.mark.parametrize(("target", "kind"), [(None, "snowflake"), ("dev", "redshift")])
def test_the_embedded_default_stands_in_and_says_so(siteconfig: Path, target: str | None, kind: str) -> None:
    output = find_output(siteconfig.parent, "shop", siteconfig, target)
    assert (output.target, output.schema, output.dialect) == ("dev", "profiles", kind)
    assert output.notice is not None
    assert output.notice.startswith(
        f"connection 'shop' is of type '{kind}', which cannot be built in yet: building on the embedded default instead"
    )


def test_nothing_stands_in_for_another_target_that_was_asked_for(siteconfig: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        find_output(siteconfig.parent, "shop", siteconfig, "prod")
    (problem,) = caught.value.problems
    assert problem.render() == (
        "error[unsupported-warehouse]: target 'prod' of connection 'shop' is of type 'snowflake', which cannot be "
        "built in yet\n"
        "    hint: without a target it is built on the embedded default; or name a target of type duckdb"
    )


def test_a_target_that_can_be_built_in_is_what_was_asked_for(siteconfig: Path) -> None:
    output = find_output(siteconfig.parent, "shop", siteconfig, "local")
    assert (output.target, output.schema, output.notice) == ("local", "analytics", None)


@pytest.mark.parametrize("target", ["local", None])
def test_a_relative_folder_means_the_same_from_everywhere(
    siteconfig: Path, target: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(siteconfig.parent)
    relative = find_output(Path("project"), "shop", siteconfig, target).settings
    whole = find_output(siteconfig.parent / "project", "shop", siteconfig, target).settings
    assert (relative.path, relative.sources_dir, relative.base) == (whole.path, whole.sources_dir, whole.base)
    assert relative.base.is_absolute()
