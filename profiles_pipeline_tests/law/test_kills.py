"""A run that goes on from earlier ones may be killed anywhere: the next one says what a full rebuild says."""

import subprocess
import sys

import pytest

from profiles_pipeline_tests.law.profiles import EVERY_RUN

pytestmark = pytest.mark.slow

EVERY = {(): 61, ("--committing",): 183}
"""Options of the sweep -> how many statements lie between two that are tried, of some hundreds: fewer where definitions
commit. With ``make law`` all of them are."""


@pytest.mark.timeout(0 if EVERY_RUN else 600)
@pytest.mark.parametrize("options", EVERY, ids=["all or nothing", "definitions commit"])
@pytest.mark.parametrize("name", ["the second of two rows that join goes, then the first"])
def test_the_next_run_mends_what_a_killed_one_left(name: str, options: tuple[str, ...]) -> None:
    command = [
        sys.executable,
        "-m",
        "profiles_pipeline_tests.law.kills",
        name,
        str(1 if EVERY_RUN else EVERY[options]),
        *options,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not mended after: none" in done.stdout
