"""What a pipeline.yaml says of publishers, as it is written."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from profiles_pipeline import durations
from profiles_pipeline.destinations import DESTINATIONS
from profiles_pipeline.errors import nearest
from profiles_pipeline.spec.model import Spec, Text
from profiles_pipeline.spec.placed import PlacedMap


def refuse(expected: str, hint: str | None = None) -> PydanticCustomError:
    """Return the error of a value that is none of those expected."""
    return PydanticCustomError("wrong_value", "wrong value", {"expected": expected, "hint": hint or ""})


def _share(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise refuse("a share from 0 to 1, such as 0.1, which is 10 %")
    return value


def _destination(value: object) -> Text:
    text = Text._validate(value)
    if text not in DESTINATIONS:
        near = nearest(text, DESTINATIONS)
        raise refuse(f"one of {', '.join(DESTINATIONS)}", f"did you mean '{near}'?" if near else None)
    return text


def _count(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and value < 0:
        raise refuse("a whole number from 0 on")
    return value


def _kept(value: object) -> object:
    if value is False:
        return None
    found = value if isinstance(value, timedelta) else durations.duration(str(Text._validate(value)))
    if not found:
        raise refuse(f"{durations.EXPECTED}, or false to keep all")
    return found


Share = Annotated[float, BeforeValidator(_share)]
Count = Annotated[int, BeforeValidator(_count)]
Decimals = Annotated[int, BeforeValidator(_count)]
Kept = Annotated[timedelta | None, BeforeValidator(_kept)]


class DestinationSpec(Spec):
    """Where to publish to. Further keys are options of the destination, checked against what it declares."""

    type: Annotated[Text, BeforeValidator(_destination)]
    options: PlacedMap = Field(default_factory=PlacedMap)

    @model_validator(mode="before")
    @classmethod
    def _gather_options(cls, value: object) -> object:
        if not isinstance(value, dict):
            return {"type": value}
        if "options" in value:
            return value
        rest = PlacedMap(value.span) if isinstance(value, PlacedMap) else PlacedMap()
        for key, given in value.items():
            if key not in ("type", "span"):
                place = value if isinstance(value, PlacedMap) else rest
                rest.put(key, given, place.key_span(key), place.value_span(key))
        return {key: value[key] for key in ("type", "span") if key in value} | {"options": rest}


class PropertySpec(Spec):
    """A property: the column that it comes from, and how many decimals of a number count."""

    column: Text
    decimals: Decimals | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_column(cls, value: object) -> object:
        return value if isinstance(value, dict) else {"column": value}


class GuardsSpec(Spec):
    """What stops a publication until it is approved; None stops nothing.

    Attributes:
        max_deleted: share of the published rows that one publication may delete.
        max_changed: share of the published rows that it may update.
        max_row_drop: share by which the number of rows may fall.
        max_rejected: share of the rows with a key that the destination may refuse.
        first_run: whether the first publication, which sends everybody, waits for approval.
        monthly_operations: rows written, updated and deleted in a calendar month; that of the destination if not given.
    """

    max_deleted: Share | None = 0.1
    max_changed: Share | None = None
    max_row_drop: Share | None = None
    max_rejected: Share | None = 0.05
    first_run: Literal["write", "ask"] = "write"
    monthly_operations: Count | None = None


class PublisherSpec(Spec):
    """A publisher.

    Attributes:
        from_: path of a feature view, a feature table or a cohort.
        key: id type or column that is the key of the destination; the main id when not given.
        fan_out: which ids of a person with several get a row.
        cohort: path of a cohort whose members alone are published.
        properties: columns, or name at the destination -> column; all features when not given.
        decimals: how many decimals of numbers count; where not given, six of floating point ones, and all of others.
        deletes: what becomes of rows of those who are there no more.
        keep_changes: how long changes are kept that have arrived; None for ever.
    """

    name: Text
    from_: Annotated[Text, Field(alias="from")]
    destination: DestinationSpec
    key: Text | None = None
    fan_out: Literal["all", "latest", "oldest"] = "all"
    cohort: Text | None = None
    properties: dict[str, PropertySpec] | None = None
    decimals: Decimals | None = None
    deletes: Literal["hard", "soft", "keep"] = "hard"
    keep_changes: Kept = timedelta(days=90)
    guards: GuardsSpec = GuardsSpec()

    @field_validator("properties", mode="before")
    @classmethod
    def _read_list(cls, value: object) -> object:
        if not isinstance(value, list | tuple):
            return value
        named = PlacedMap(getattr(value, "span", None) or PlacedMap().span)
        for place, item in enumerate(value):
            span = (
                item.span if isinstance(item, Text) and item.span else getattr(value, "span_at", lambda _: None)(place)
            )
            if str(item) in named:
                raise refuse(f"a list in which nothing stands twice, and '{item}' does")
            named.put(str(item), item, span, span)
        return named
