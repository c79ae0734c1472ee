from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import yaml

from profiles_pipeline.template import Ref, Rendered, Scope, render
from profiles_pipeline_tests.template.scopes import scope, without_begin

PAIRS = yaml.safe_load((Path(__file__).parent / "pairs.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair["name"])
def test_renders(pair: dict[str, str]) -> None:
    given = scope(dialect=pair.get("dialect", "snowflake"), past=bool(pair.get("past")))
    assert render(pair["given"], given).text == pair["expect"]


@pytest.mark.parametrize("text", ["", "select 1", "select '{a}' || '}}' % 3 from t -- %} #}", "a\n"])
def test_text_without_marks_is_kept(text: str) -> None:
    assert render(text, scope()) == Rendered(text)


def test_no_begin_time_is_nil() -> None:
    text = "{% if begin_time|isnil %}none{% endif %}[{{ begin_time }}][{{ this.WhtCtx.TimeInfo.BeginTime }}]"
    assert render(text, without_begin(scope())).text == "none[][]"


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2024, 1, 1, 22, 0),
        datetime(2024, 1, 1, 22, 0, tzinfo=UTC),
        datetime(2024, 1, 2, 3, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    ],
)
def test_times_are_utc(moment: datetime) -> None:
    given = Scope("models/a", {}, {}, moment)
    assert render("{{ end_time }} {{ end_time_sql }}", given).text == (
        "2024-01-01T22:00:00Z CAST('2024-01-01 22:00:00' AS TIMESTAMP)"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ user.x }} {{ orders.v }} {{ user.X }}", (Ref("var", "user/x"), Ref("row", "orders/v"))),
        ("{{ orders.v }}{{ orders }}", (Ref("row", "orders/v"), Ref("rows", "orders"))),
        ("{{ rowset.n }}{{ this.n }}{{ this }}", (Ref("rowset", "n"), Ref("this", "n"), Ref("ref", "this"))),
        ("{% set a = this.DeRef('inputs/A') %}{% if false %}{{ a }}{% endif %}", (Ref("ref", "inputs/a"),)),
        ("{% if false %}{{ user.x }}{% endif %}", ()),
        ("{{ warehouse.EntityCohortCondition('models/v', 'in') }}", (Ref("member", "models/v"),)),
        (
            "{% set a = this.DeRef('models/a', dependency='preferred', pre_existing=true) %}"
            "{% set b = this.DeRef('models/b', BuildContract('{\"is_optional\": true}'), prereqs=[a, a.Except()]) %}",
            (
                Ref("ref", "models/a", {"dependency": "coercive", "pre_existing": True}),
                Ref(
                    "ref",
                    "models/b",
                    {
                        "prereqs": ("ref:models/a?pre_existing=true", "!ref:models/a?pre_existing=true"),
                        "contract": {"is_optional": True},
                    },
                ),
            ),
        ),
    ],
)
def test_references_in_first_seen_order(text: str, expected: tuple[Ref, ...]) -> None:
    assert render(text, scope()).refs == expected


def test_every_printed_symbol_is_that_of_a_reference() -> None:
    text = "{{ user.x }} {{ orders }}.a {{ this.DeRef('models/x', pre_existing=true) }} {{ this }}"
    rendered = render(text, scope())
    for ref in rendered.refs:
        assert f'"{ref.symbol}"' in rendered.text
