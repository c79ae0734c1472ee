"""Texts for patterns."""

from __future__ import annotations

import re

import pytest

from profiles_pipeline.sample.patterns import like_examples, like_matches, matches, regex_examples


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
