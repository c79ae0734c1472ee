"""Where a piece of rendered text comes from: the place in the template, and the way through macros."""

from __future__ import annotations

import pytest

from profiles_pipeline.errors import Span
from profiles_pipeline.places import Origin, origin_of, placed, readable
from profiles_pipeline.spec.model import Text
from profiles_pipeline.template import Macro, place_of, render
from profiles_pipeline_tests.template.scopes import scope

HERE, THERE = Span("models/a.yaml", 10, 5), Span("models/macros.yaml", 3, 7)
SUM = Macro("total", ("x",), Text("coalesce(\n  sum({{ x }}), zero)", THERE, block=True))
TWICE = Macro("twice", ("x",), Text("{{ total(x) }} * two", Span("models/macros.yaml", 8, 7)))


def origin(text: str, word: str) -> Origin:
    rendered = render(Text(text, HERE, block=True), scope(SUM, TWICE)).text
    return origin_of(rendered, rendered.index(word))


@pytest.mark.parametrize(
    ("text", "word", "line", "column"),
    [
        ("select {{ user.x }} as a, b from t", "b from", 10, 31),
        ("{% if true %}\nselect a,\n  wrong\n{% endif %}", "wrong", 12, 7),
        ("{% with t = this.DeRef('models/x') %}\nselect wrong\nfrom {{ t }}\n{% endwith %}", "wrong", 11, 12),
        ("{% with t = this.DeRef('models/x') %}\nselect wrong\nfrom {{ t }}\n{% endwith %}", '"ref:', 12, 10),
        ("a {%- if true -%}   b   {%- endif %} c", "b", 10, 25),
        ("a {{- user.x -}}   b", '"var:', 10, 7),
        ("a {{- user.x -}}   b", "b", 10, 24),
        ("{# {{ user.x }} #}{% raw %}{{ x }}{% endraw %} b", "b", 10, 52),
        ("{% for i in 'xy' %}{{ i }}one,{% endfor %}", "one,y", 10, 31),
        ("{% exec %}select b{% endexec %}", "b", 10, 22),
    ],
)
def test_a_piece_is_found_in_the_template(text: str, word: str, line: int, column: int) -> None:
    assert origin(text, word).span == Span("models/a.yaml", line, column)


def test_a_piece_of_a_macro_has_its_definition_and_the_call() -> None:
    found = origin("select 1,\n  {{ twice('amount') }}", "zero")
    assert (found.macro, found.span, found.call_site) == (
        "total",
        Span("models/macros.yaml", 4, 23),
        Span("models/a.yaml", 11, 7),
    )
    assert found.through == ", in macro 'total', called at models/a.yaml:11:7"
    assert found.excerpt == "  sum({{ x }}), zero)\n                ^"
    assert origin("{{ twice('amount') }}", "two").span == Span("models/macros.yaml", 8, 24)


def test_a_template_that_looks_at_its_own_text_is_told_as_a_whole() -> None:
    text = "{% macro m() %}abc{% endmacro %}select {% if m() == 'abc' %}1{% else %}2{% endif %}"
    found = origin(text, "1")
    assert (found.text, found.offset, found.excerpt, found.span) == (text, None, None, HERE)


@pytest.mark.parametrize(
    ("text", "target", "column"),
    [
        ("select {{ user.Var('Revenue') }}", "user/revenue", 25),
        ("from {{ this.DeRef('models/x') }} x", "models/x", 32),
        ("from {% with t = this.DeRef('models/x') %}{{ t }}{% endwith %}", "models/x", 41),
        ("from {{ this.DeRef('models/' + 'x') }}", "models/x", 37),
        ("from {{ this.DeRef('mod' + 'els/purchases') }}", "models/purchases", 37),
        ("from {{ this }}", "models/z", None),
    ],
)
def test_a_reference_is_found_where_it_is_made(text: str, target: str, column: int | None) -> None:
    rendered = render(Text(text, HERE, block=True), scope()).text
    found = place_of(rendered, target)
    assert found == (Span("models/a.yaml", 10, column) if column else None)


def test_text_without_a_place_has_none() -> None:
    assert origin_of("select 1", 3).span is None
    assert origin_of(placed("select 1", HERE), 3).span == Span("models/a.yaml", 10, 8)
    assert origin_of(Text("\n\nselect\n a", HERE, block=True), 10).span == Span("models/a.yaml", 11, 6)


def test_symbols_are_shown_as_they_could_have_been_written() -> None:
    shown = readable('"var:user/all/x" + "row:orders/amount" from "ref:inputs/orders", "this:y", "ref:this"')
    assert shown == "{{ user.x }} + amount from {{ this.DeRef('inputs/orders') }}, {{ this.y }}, {{ this }}"
