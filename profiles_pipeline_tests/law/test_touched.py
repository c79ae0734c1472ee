"""Each part of the rule of who is touched is needed: left out, one of the kept histories breaks the law."""

from __future__ import annotations

import pytest
from sqlglot import exp

from profiles_pipeline import increments
from profiles_pipeline.compile import accumulators, carrying, restitch
from profiles_pipeline.compile.carrying import Carrying
from profiles_pipeline.sql import build
from profiles_pipeline_tests.law.controls import Patch, is_broken
from profiles_pipeline_tests.law.kept import HISTORIES

pytestmark = pytest.mark.slow


def keep_from_the_first_run_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run but the first goes on from what was kept."""
    monkeypatch.setattr(increments, "was_built_before", lambda *_: True)


def people_with_other_rows_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Carrying, "with_other_rows", lambda *_: [])


def people_with_another_graph_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = build("SELECT CAST(NULL AS TEXT) AS main_id")
    monkeypatch.setattr(Carrying, "whose_graph_changed", lambda *_: [nobody.copy(), nobody.copy()])


def people_in_moved_windows_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Carrying, "in_moved_windows", lambda *_: [])


def what_others_need_on_rows_never_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Carrying, "_replayed_column", lambda _, var: f"r_{var.name.lower()}")


def who_lost_an_edge_stays_together(monkeypatch: pytest.MonkeyPatch) -> None:
    none = build("SELECT CAST(NULL AS TEXT) AS id, CAST(NULL AS TEXT) AS id_type WHERE FALSE")
    monkeypatch.setattr(restitch, "ids_of_fallen", lambda *_: none.copy())


def values_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Days are known by the number of their rows and the latest time alone."""
    fingerprints = accumulators.fingerprints

    def blind(*arguments: object) -> exp.Expr:
        found = fingerprints(*arguments)  # type: ignore[arg-type]
        for content in found.find_all(exp.Alias):
            if content.alias == "content":
                content.set("this", build("CAST(0 AS HUGEINT)"))
        return found

    monkeypatch.setattr(carrying, "fingerprints", blind)
    monkeypatch.setattr(restitch, "fingerprints", blind)


@pytest.mark.parametrize("name", HISTORIES)
def test_histories_hold_when_every_run_goes_on(name: str) -> None:
    assert not is_broken(name, keep_from_the_first_run_on)


@pytest.mark.parametrize(
    ("patch", "name"),
    [
        (people_with_other_rows_are_left_out, "vars come, change and go"),
        (people_with_another_graph_are_left_out, "a row of today joins two old persons"),
        (people_in_moved_windows_are_left_out, "the eldest id goes and its person gets another name"),
        (what_others_need_on_rows_never_moves, "nothing new, but windows move on"),
        (who_lost_an_edge_stays_together, "the second of two rows that join goes, then the first"),
        (values_are_not_looked_at, "a value moves to another day"),
    ],
    ids=lambda each: each if isinstance(each, str) else each.__name__,
)
def test_a_part_left_out_breaks_the_law(patch: Patch, name: str) -> None:
    assert is_broken(name, keep_from_the_first_run_on, patch)
