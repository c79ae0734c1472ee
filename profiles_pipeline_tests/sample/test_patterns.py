"""Texts for patterns."""

from __future__ import annotations

import re

import pytest

from profiles_pipeline.sample.patterns import around_group, like_examples, like_matches, matches, regex_examples


@pytest.mark.parametrize(
    "pattern",
    [
        ".+@.+",
        "[A-Za-z0-9+_.-]+@(.+)",
        "([0-9a-z])*",
        "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|x-[a-z]{3,}",
        "^\\\\d{10}$",
        "[[:alnum:]]+",
        "[^x]{3}",
        "(?i)user-(one|two)?",
    ],
)
def test_examples_match_their_regular_expression(pattern: str) -> None:
    found = regex_examples(pattern, 5)
    assert found
    assert all(matches(pattern, text) for text in found)
    assert len(set(found)) == len(found)


def test_an_expression_that_cannot_be_read_has_no_examples() -> None:
    assert regex_examples("(", 5) == ()
    assert not matches("(", "(")


@pytest.mark.parametrize("pattern", ["%foo_bar%", "abc%", "%@%", "_x_", "plain", "%a%b%"])
def test_examples_match_their_like_pattern(pattern: str) -> None:
    assert like_examples(pattern)
    assert all(like_matches(pattern, text) for text in like_examples(pattern))


def test_like_matching_takes_other_characters_literally() -> None:
    assert like_matches("a.c%", "A.c and more")
    assert not like_matches("a.c", "abc")
    assert re.fullmatch("a.c", "abc")


@pytest.mark.parametrize(
    ("pattern", "group", "expected"),
    [
        ("/show/([a-z0-9-]+)/", 1, ("/show/", "/")),
        ("^https?://([^/]+)", 1, ("http://", "")),
        ("@(.+)$", 1, ("@", "")),
        ("[0-9.]+", 0, ("", "")),
        ("(a)(b)", 2, ("a", "")),
        ("a", 1, None),
        ("(", 1, None),
    ],
)
def test_what_stands_around_a_group(pattern: str, group: int, expected: tuple[str, str] | None) -> None:
    assert around_group(pattern, group) == expected


def test_any_number_of_digits_and_points_is_a_number() -> None:
    assert all(float(text) > 0 for text in regex_examples("[0-9.]+", 5))
    assert all(re.fullmatch("size-[0-9,]+", text) for text in regex_examples("size-[0-9,]+", 5))
