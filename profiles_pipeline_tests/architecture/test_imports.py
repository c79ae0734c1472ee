"""The command line starts fast, and each third-party package is imported only where it belongs."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import profiles_pipeline

PACKAGE = Path(profiles_pipeline.__file__).parent
# Snowpark's installer puts an empty module `snowflake` into every process; what is slow is below it.
SLOW_TO_IMPORT = (
    *("dagster", "duckdb", "numpy", "pandas", "pyarrow", "scipy", "snowflake.connector", "snowflake.snowpark"),
    *("sqlalchemy", "sqlglot"),
)
# Third-party package: the modules directly below profiles_pipeline that may import it.
HOMES = {
    "dagster": {"assets", "cli", "definitions", "testing"},
    "duckdb": {"assets", "registry", "testing", "warehouse"},  # assets: the resource for users' own assets
    "psycopg": {"registry", "testing", "warehouse"},
    "pydantic": {"assets", "spec"},  # assets: Dagster resources are pydantic models
    "snowflake": {"registry", "testing", "warehouse"},
    "sqlalchemy": {"registry", "testing", "warehouse"},
    "yaml": {"spec"},
}


def imported_packages(source: str) -> set[str]:
    """Top-level names of everything `source` imports, at any depth, lazily or not."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def strays(package: Path) -> Iterator[str]:
    """Every file that imports a package of `HOMES` outside its homes, as `file imports name`."""
    for path in sorted(package.rglob("*.py")):
        relative = path.relative_to(package)
        home = relative.parts[0].removesuffix(".py")
        for name in sorted(imported_packages(path.read_text(encoding="utf-8")) & HOMES.keys()):
            if home not in HOMES[name]:
                yield f"{relative} imports {name}"


def test_command_line_loads_nothing_slow() -> None:
    code = "import sys, profiles_pipeline.cli.app; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=120)
    assert loaded.returncode == 0, loaded.stderr
    assert set(loaded.stdout.split()).intersection(SLOW_TO_IMPORT) == set()


def test_third_party_packages_stay_at_home() -> None:
    assert list(strays(PACKAGE)) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import duckdb", ["plan.py imports duckdb"]),
        ("from yaml import safe_load", ["plan.py imports yaml"]),
        ("def late():\n    import snowflake.connector", ["plan.py imports snowflake"]),
        ("import json\nfrom . import duckdb", []),
    ],
)
def test_a_stray_import_is_found(tmp_path: Path, source: str, expected: list[str]) -> None:
    (tmp_path / "plan.py").write_text(source, encoding="utf-8")
    assert list(strays(tmp_path)) == expected
