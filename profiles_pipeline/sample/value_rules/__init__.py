"""How each kind of expression is read for clues, a module for each field."""

from collections.abc import Mapping

from sqlglot import exp

from profiles_pipeline.sample.value_clues import Rule
from profiles_pipeline.sample.value_rules import choices, nested, numbers, plain, texts, times

VALUE_RULES: Mapping[type[exp.Expr], Rule] = {
    **plain.RULES,
    **numbers.RULES,
    **texts.RULES,
    **times.RULES,
    **choices.RULES,
    **nested.RULES,
}
