"""What may be written for times, durations, time contexts and model paths."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from profiles_pipeline.cli import values
from profiles_pipeline.errors import ProjectError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023-01-02", datetime(2023, 1, 2, tzinfo=UTC)),
        ("2023-01-02T12:00", datetime(2023, 1, 2, 12, tzinfo=UTC)),
        ("2023-01-02T12:00:00Z", datetime(2023, 1, 2, 12, tzinfo=UTC)),
        ("2023-01-02t12:00:00z", datetime(2023, 1, 2, 12, tzinfo=UTC)),
        ("2023-01-02 12:00:00", datetime(2023, 1, 2, 12, tzinfo=UTC)),
        ("2023-01-02T12:00:00.250Z", datetime(2023, 1, 2, 12, 0, 0, 250_000, tzinfo=UTC)),
        ("2023-01-02T12:00:00+02:00", datetime(2023, 1, 2, 10, tzinfo=UTC)),
        ("2023-01-01T23:00:00-0330", datetime(2023, 1, 2, 2, 30, tzinfo=UTC)),
        ("1672660800", datetime(2023, 1, 2, 12, tzinfo=UTC)),
        ("0", datetime(1970, 1, 1, tzinfo=UTC)),
        (" 1672660800.5 ", datetime(2023, 1, 2, 12, 0, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_times(text: str, expected: datetime) -> None:
    assert values.moment(text, "--end-time") == expected
    assert values.moment(text, "--end-time").utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("yesterday", "is neither a date, nor a time, nor unix seconds"),
        ("20230102", "is neither a date, nor a time, nor unix seconds"),
        ("1672660800000", "is neither a date, nor a time, nor unix seconds"),
        ("2023-1-2", "is neither a date, nor a time, nor unix seconds"),
        ("", "is neither a date, nor a time, nor unix seconds"),
        ("2023-02-30", "is no moment: day is out of range for month"),
        ("2023-01-02T25:00:00Z", "is no moment: hour must be in 0..23"),
    ],
)
def test_what_is_no_time(text: str, message: str) -> None:
    with pytest.raises(ProjectError) as raised:
        values.moment(text, "--end-time")
    (problem,) = raised.value.problems
    assert problem.code == "bad-time"
    assert f"'{text}' {message}" in problem.message
    assert "2023-01-02T12:00:00Z" in str(problem.hint)
    assert "unix seconds" in str(problem.hint)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("20230102", "2023-01-02"),
        ("2023-1-2", "2023-01-02"),
        ("2023/01/02", "2023-01-02"),
        ("1672660800000", "1672660800"),
    ],
)
def test_times_in_other_forms(text: str, meant: str) -> None:
    with pytest.raises(ProjectError) as raised:
        values.moment(text, "--end-time")
    (problem,) = raised.value.problems
    assert str(problem.hint).startswith(f"did you mean {meant}?")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("45m", timedelta(minutes=45)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("2d", timedelta(days=2)),
        ("90s", timedelta(seconds=90)),
        ("1D", timedelta(days=1)),
    ],
)
def test_durations(text: str, expected: timedelta) -> None:
    assert values.duration(text, "--end-time-offset") == expected


@pytest.mark.parametrize("text", ["", "45", "m", "45 minutes", "30m1h", "-5m"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ProjectError, match="is no duration"):
        values.duration(text, "--end-time-offset")


@pytest.mark.parametrize(("text", "expected"), [(None, None), ("7", 7), ("latest", "latest"), ("NEW", "new")])
def test_time_contexts(text: str | None, expected: object) -> None:
    assert values.seq_no(text) == expected


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "last", ""])
def test_what_is_no_time_context(text: str) -> None:
    with pytest.raises(ProjectError, match="is no time context"):
        values.seq_no(text)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (None, None),
        ([], None),
        ([" , "], None),
        (["models/a"], ("models/a",)),
        (["models/a, user/b", "models/c"], ("models/a", "user/b", "models/c")),
        (["models/a", "models/a"], ("models/a",)),
    ],
)
def test_model_paths(texts: list[str] | None, expected: tuple[str, ...] | None) -> None:
    assert values.model_refs(texts) == expected
