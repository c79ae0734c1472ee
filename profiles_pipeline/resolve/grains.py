"""Which time grain each model and var has, and whether they fit together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from profiles_pipeline.errors import Problems, Span, did_you_mean
from profiles_pipeline.grains import GRAINS, TICK, is_finer
from profiles_pipeline.resolve.model import Input, Model
from profiles_pipeline.spec.model import EntityVarSpec, ProjectSpec, Text, VarGroupSpec


class TimeGrains:
    """The time grains that a project states. What is wrong with them is added to `problems`."""

    def __init__(self, spec: ProjectSpec, problems: Problems) -> None:
        self.problems = problems
        self.default = self._known(spec.default_time_grain, "default_time_grain") or TICK
        self._of_models = {
            f"models/{model.name.lower()}": self.read(getattr(model.body, "time_grain", None)) for model in spec.models
        }

    def read(self, text: Text | None) -> str | None:
        """Return the grain that a text names; None when there is no text, or no grain that can be used."""
        grain = self._known(text, "time_grain")
        if grain is not None and is_finer(grain, self.default):
            message = f"time_grain '{grain}' is finer than the default_time_grain '{self.default}' of the project"
            hint = f"let default_time_grain be {grain} or finer; {TICK} is the finest"
            self.problems.error("finer-time-grain", message, _span(text), hint=hint)
            return None
        return grain

    def of_var(self, var: EntityVarSpec, group: VarGroupSpec) -> str:
        """Return the grain of an entity var: its own, that of its group, or the project's."""
        return self.read(var.time_grain) or self.read(group.time_grain) or self.default

    def applied(self, models: Mapping[str, Model], stitchers: Mapping[str, Text]) -> dict[str, Model]:
        """Return the models with the grains they have, those that already have one as they are.

        Args:
            models: path -> model.
            stitchers: path of a default stitcher -> grain, where an entity states one.
        """
        stated = self._of_models | {path: self.read(text) for path, text in stitchers.items()}
        return {
            path: model
            if isinstance(model, Input) or model.time_grain != TICK
            else replace(model, time_grain=stated.get(path) or self.default)
            for path, model in models.items()
        }

    def _known(self, text: Text | None, key: str) -> str | None:
        if text is None:
            return None
        grain = text.strip().lower()
        if grain in GRAINS:
            return grain
        hint = did_you_mean(grain, GRAINS)
        self.problems.error("unknown-time-grain", f"'{text}' is no {key}", _span(text), hint=hint)
        return None


def _span(text: Text | None) -> Span | None:
    return getattr(text, "span", None)
