"""Behaviour as data: every file under data/cases gives rows and a project, and says which rows follow."""

from pathlib import Path

import pytest

from profiles_pipeline.testing import load_case, run_case

CASES = sorted((Path(__file__).parent / "data" / "cases").glob("**/*.yaml"))


@pytest.mark.parametrize("file", CASES, ids=lambda path: path.stem)
def test_case(file: Path, tmp_path: Path) -> None:
    assert "\n".join(map(str, run_case(load_case(file), tmp_path))) == ""
