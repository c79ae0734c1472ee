"""docs/parity.md says what of the format works; here it is held to its word."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "parity.md"
STATES = {"works", "partly", "not yet", "out of scope"}
ROW = re.compile(r"\| (\d+) \|(.*)\|$")


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    number: int
    feature: str
    keys: tuple[str, ...]
    state: str
    shown_by: tuple[str, ...]
    note: str


def rows() -> list[Row]:
    """Every line of the table, in order."""
    found = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if match := ROW.match(line):
            feature, keys, state, shown_by, note = (cell.strip() for cell in match[2].split("|"))
            texts = tuple(re.findall(r"`([^`]+)`", keys))
            found.append(Row(int(match[1]), feature, texts, state, tuple(re.findall(r"`([^`]+)`", shown_by)), note))
    return found


def test_no_feature_is_left_out() -> None:
    assert [row.number for row in rows()] == list(range(1, 119))


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.number}-{row.feature}")
def test_row(row: Row) -> None:
    """What is said to work is shown by tests that are there, run, and use the very keys; the rest says what lacks."""
    assert row.state in STATES
    assert row.note or row.state == "works"
    if row.state in ("works", "partly"):
        assert row.shown_by
        text = "\n".join(_text(TESTS / place) for place in row.shown_by)
        assert [key for key in row.keys if key not in text] == []


def _text(place: Path) -> str:
    """Return the text of a case file, a test module, or everything of a whole project."""
    assert place.exists(), place
    assert not place.name.startswith("not_yet_")
    files = sorted(file for file in place.rglob("*") if file.is_file()) if place.is_dir() else [place]
    return "\n".join(file.read_text(encoding="utf-8", errors="replace") for file in files)
