"""pyproject.toml and constraints.txt agree, and the pins can be installed from any index."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[0-9][A-Za-z0-9.!+]*)")


def constraint_lines(root: Path) -> list[str]:
    return (root / "constraints.txt").read_text(encoding="utf-8").splitlines()


def declared_requirements(root: Path) -> list[Requirement]:
    """Runtime requirements and those of every extra."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        declared += extra
    return [Requirement(line) for line in declared]


def test_constraints_are_plain_pins(repository_root: Path) -> None:
    lines = constraint_lines(repository_root)
    assert [line for line in lines if not PIN.fullmatch(line)] == []


def test_every_requirement_is_pinned_inside_its_range(repository_root: Path) -> None:
    pins = {
        canonicalize_name(match["name"]): match["version"]
        for match in map(PIN.fullmatch, constraint_lines(repository_root))
        if match
    }
    outside = [
        f"{requirement} is pinned to {pins.get(canonicalize_name(requirement.name))}"
        for requirement in declared_requirements(repository_root)
        if not requirement.specifier.contains(pins.get(canonicalize_name(requirement.name), "0"))
    ]
    assert outside == []


def test_every_requirement_has_a_floor(repository_root: Path) -> None:
    unbounded = [
        str(requirement)
        for requirement in declared_requirements(repository_root)
        if not any(clause.operator in {">=", "==", "~="} for clause in requirement.specifier)
    ]
    assert unbounded == []
