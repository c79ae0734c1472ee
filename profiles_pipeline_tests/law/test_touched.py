"""Each part of the rule of who is touched is needed: left out, one of the kept histories breaks the law."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from profiles_pipeline import increments
from profiles_pipeline.compile import Step, carrying, fingerprints, kept_rows, recontract
from profiles_pipeline.compile.carrying import Carrying
from profiles_pipeline.compile.touched import Found, Touched
from profiles_pipeline.compile.versioned import Versioned
from profiles_pipeline.sql import build
from profiles_pipeline_tests.law.check import check
from profiles_pipeline_tests.law.controls import Patch, is_broken
from profiles_pipeline_tests.law.kept import HISTORIES
from profiles_pipeline_tests.law.profiles import EVERY_RUN

pytestmark = pytest.mark.slow


def keep_from_the_first_run_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run but the first goes on from what was kept."""
    monkeypatch.setattr(increments, "was_built_before", lambda *_: True)


def people_with_other_rows_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Touched, "with_other_rows", lambda *_: Found())


def people_with_another_graph_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = build("SELECT CAST(NULL AS TEXT) AS main_id")
    monkeypatch.setattr(Touched, "whose_graph_changed", lambda *_: Found((nobody.copy(),)))


def people_in_moved_windows_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Touched, "in_moved_windows", lambda *_: Found())


def what_others_need_on_rows_never_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Carrying, "_replayed_column", lambda _, var: f"r_{var.name.lower()}")


def what_moves_with_the_time_is_kept_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    late = kept_rows.late_vars

    def none(*arguments: object) -> frozenset[str] | None:
        return None if late(*arguments) is None else frozenset()  # type: ignore[arg-type]

    monkeypatch.setattr(kept_rows, "late_vars", none)


def rows_that_go_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    replaced = Versioned.replaced

    def put_only(self: Versioned, *arguments: object) -> list[Step]:
        return replaced(self, *arguments)[1:]  # type: ignore[arg-type]

    monkeypatch.setattr(Versioned, "replaced", put_only)


def tables_of_states_are_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = Versioned.begun

    def made(self: Versioned, *arguments: object) -> list[Step]:
        return begun(replace(self, exists=False), *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Versioned, "begun", made)


def less_evidence_is_no_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    none = build("SELECT id1, id1_type, id2, id2_type FROM (:nothing) AS n WHERE FALSE", nothing=_EDGES)
    monkeypatch.setattr(recontract, "lost_evidence", lambda *_: none.copy())


_EDGES = build("SELECT '' AS id1, '' AS id1_type, '' AS id2, '' AS id2_type")


def who_lost_an_edge_stays_together(monkeypatch: pytest.MonkeyPatch) -> None:
    none = build("SELECT CAST(NULL AS TEXT) AS id, CAST(NULL AS TEXT) AS id_type WHERE FALSE")
    monkeypatch.setattr(recontract, "ids_of_fallen", lambda *_: none.copy())


def rows_to_go_over_are_known_by_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying, "content_of_rows", lambda _: build("COUNT(*)"))


def values_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Days are known by the number of their rows and the latest time alone."""
    monkeypatch.setattr(fingerprints, "content", lambda _: build("CAST(0 AS HUGEINT)"))


@contextmanager
def every_run_goes_on() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        keep_from_the_first_run_on(monkeypatch)
        yield


@pytest.mark.parametrize("name", HISTORIES)
def test_histories_hold_when_every_run_goes_on(name: str) -> None:
    check(HISTORIES[name], every_run=EVERY_RUN, patched=every_run_goes_on)


@pytest.mark.parametrize(
    ("patch", "name"),
    [
        (people_with_other_rows_are_left_out, "vars come, change and go"),
        (people_with_another_graph_are_left_out, "a row of today joins two old persons"),
        (people_in_moved_windows_are_left_out, "the eldest id goes and its person gets another name"),
        (what_others_need_on_rows_never_moves, "nothing new, but windows that others need on rows move on"),
        (what_moves_with_the_time_is_kept_as_it_was, "nothing new, but windows move on"),
        (rows_that_go_stay, "a row of today joins two old persons"),
        (tables_of_states_are_made_anew, "a var that looks at others comes, and goes"),
        (less_evidence_is_no_loss, "the second of two rows that join goes, then the first"),
        (who_lost_an_edge_stays_together, "the second of two rows that join goes, then the first"),
        (rows_to_go_over_are_known_by_their_number, "a value moves to another day"),
        (values_are_not_looked_at, "a value moves to another day"),
    ],
    ids=lambda each: each if isinstance(each, str) else each.__name__,
)
def test_a_part_left_out_breaks_the_law(patch: Patch, name: str) -> None:
    assert is_broken(name, keep_from_the_first_run_on, patch, judge="oracle")
