"""Fixtures shared by all tests."""

import gc
import importlib.util
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from profiles_pipeline.garbage import RARE
from profiles_pipeline_tests.deploy import services

if TYPE_CHECKING:
    from profiles_pipeline_tests.warehouse.snowflake import Account


@pytest.fixture(scope="session")
def repository_root() -> Path:
    """The directory that holds pyproject.toml."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def browser_path() -> Path:
    """The system's Chromium. Without one the test is skipped, on CI (`CI=true`) it fails."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is not None:
        return Path(found)
    reason = "browser tests need Chromium on the PATH (Debian: apt-get install chromium)"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def postgres_port() -> Iterator[int]:
    """The port of a PostgreSQL server of the tests' own, database and user `dagster`. Its texts sort as in English.

    Without its programs or its driver the test is skipped, on CI (`CI=true`) it fails.
    """
    programs = services.postgresql_programs()
    missing = "PostgreSQL (Debian: apt-get install postgresql)" if programs is None else None
    if importlib.util.find_spec("psycopg") is None:
        missing = "the extra 'postgres'"
    if missing is not None or programs is None:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"tests of PostgreSQL need {missing}")
        pytest.skip(f"tests of PostgreSQL need {missing}")
    english = ("--locale-provider=icu", "--icu-locale=en-US", "--encoding=UTF8")
    with services.postgresql(programs, *english) as port:
        yield port


@pytest.fixture(scope="session")
def snowflake_account() -> Iterator["Account"]:
    """A Snowflake of the tests' own, over loopback. Where its packages are missing the test is skipped."""
    pytest.importorskip("fakesnow")
    from profiles_pipeline_tests.warehouse.snowflake import running  # noqa: PLC0415 - slow to load, not always needed

    with running() as account:
        yield account


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden` writes what is expected anew, to be read in the diff before it is committed.

    `--every-project` takes some minutes: the emulation of Snowflake is slow, so only some are built there usually.
    """
    parser.addoption("--update-golden", action="store_true", help="rewrite the files that hold expected texts")
    parser.addoption(
        "--every-project", action="store_true", help="build every fixture project on Snowflake's emulation"
    )


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether expected texts are rewritten instead of only compared."""
    return bool(request.config.getoption("--update-golden"))


def pytest_configure() -> None:
    """Look for garbage as seldom as a command does: with the defaults that would take a quarter of the time.

    And listen to Ctrl-C again where a shell has started the tests in the background: programs inherit not to.
    """
    gc.set_threshold(*RARE)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure() -> None:
    """Let go of connections that tests left to the garbage collector: the driver reports those still there at exit."""
    gc.collect()
