"""Boundaries of time grains."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from profiles_pipeline.grains import GRAINS, floor, is_finer


@pytest.mark.parametrize(
    ("grain", "moment", "boundary"),
    [
        ("tick", "2024-02-01T10:20:30", "2024-02-01T10:20:30"),
        ("hour", "2024-02-01T10:20:30", "2024-02-01T10:00:00"),
        ("hour", "2024-02-01T10:00:00", "2024-02-01T10:00:00"),
        ("day", "2024-02-01T23:59:59", "2024-02-01T00:00:00"),
        ("day", "2024-02-01T00:00:00", "2024-02-01T00:00:00"),
        ("week", "2024-02-04T12:00:00", "2024-01-29T00:00:00"),
        ("week", "2024-02-05T00:00:00", "2024-02-05T00:00:00"),
        ("month", "2024-02-05T00:00:00", "2024-02-05T00:00:00"),
        ("month", "2024-02-04T23:59:59", "2024-01-01T00:00:00"),
        ("month", "2024-03-31T00:00:00", "2024-03-04T00:00:00"),
        ("month", "2023-01-01T12:00:00", "2022-12-05T00:00:00"),
        ("year", "2024-12-31T00:00:00", "2024-01-01T00:00:00"),
        ("year", "2023-01-01T23:00:00", "2022-01-03T00:00:00"),
        ("year", "2023-01-02T00:00:00", "2023-01-02T00:00:00"),
    ],
)
def test_the_last_boundary_that_is_not_later(grain: str, moment: str, boundary: str) -> None:
    assert floor(datetime.fromisoformat(moment), grain) == datetime.fromisoformat(boundary)


def test_boundaries_are_in_utc() -> None:
    east = datetime(2024, 2, 1, 1, 0, tzinfo=timezone(timedelta(hours=5)))
    assert floor(east, "day") == datetime(2024, 1, 31, tzinfo=UTC)


def test_a_boundary_of_a_grain_is_one_of_every_finer_grain() -> None:
    moments = [datetime(2023, 12, 20, 13, 7) + timedelta(hours=17) * n for n in range(700)]
    for coarse in GRAINS:
        for fine in GRAINS:
            if is_finer(fine, coarse):
                assert all(floor(floor(m, coarse), fine) == floor(m, coarse) for m in moments)
                assert all(floor(floor(m, fine), coarse) == floor(m, coarse) for m in moments)


def test_what_is_no_grain_is_refused() -> None:
    with pytest.raises(ValueError, match="fortnight"):
        floor(datetime(2024, 1, 1), "fortnight")
