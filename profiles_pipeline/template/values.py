"""What template expressions may hold: only these objects, and of them only what is listed as exposed.

Nothing here gives a way to Python's own attributes: a template reaches a member through `Value.member`, which looks
into an explicit table.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from profiles_pipeline.errors import did_you_mean
from profiles_pipeline.template.faults import RenderError
from profiles_pipeline.template.gotime import go_duration, go_format, in_utc, iso
from profiles_pipeline.template.scope import Ref
from profiles_pipeline.template.session import Session


@dataclass(frozen=True)
class Exposed:
    """A Python function that templates may use, as a method or (computed at once) as a field."""

    function: Callable[..., object]
    is_method: bool


def method(*names: str) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Expose a function as a method under `names`."""
    return _expose(names, is_method=True)


def field(*names: str) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Expose a function without arguments as a field under `names`."""
    return _expose(names, is_method=False)


def _expose(names: tuple[str, ...], *, is_method: bool) -> Callable[[Callable[..., object]], Callable[..., object]]:
    def mark(function: Callable[..., object]) -> Callable[..., object]:
        function.__dict__["exposed_as"] = {name: Exposed(function, is_method) for name in names}
        return function

    return mark


class Value:
    """An object in a template. `noun` says in problems what it is."""

    noun: ClassVar[str] = "this value"
    exposed: ClassVar[Mapping[str, Exposed]] = {}

    def __init_subclass__(cls) -> None:
        """Collect the exposed functions of the class below those of its bases."""
        super().__init_subclass__()
        own: dict[str, Exposed] = {}
        for function in vars(cls).values():
            own |= getattr(function, "exposed_as", {})
        cls.exposed = {**cls.exposed, **own}

    def member(self, name: str) -> object:
        """Return the exposed member `name`, or what `missing_member` makes of it."""
        entry = self.exposed.get(name)
        if entry is None:
            return self.missing_member(name)
        return Method(name, self, entry.function) if entry.is_method else entry.function(self)

    def missing_member(self, name: str) -> object:
        """Raise; classes whose members are columns or vars answer instead."""
        raise RenderError(
            "template-runtime",
            f"{self.noun} has no '{name}'",
            hint=did_you_mean(name, list(self.exposed)),
            needle=name,
        )

    def __str__(self) -> str:
        raise RenderError("template-runtime", f"{self.noun} cannot be printed")


class Method(Value):
    """A method of a value, ready to be called."""

    def __init__(self, name: str, owner: object, function: Callable[..., object]) -> None:
        self.name = name
        self._owner = owner
        self._function = function

    def call(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> object:
        """Return the method's answer. Raises RenderError ``template-runtime`` when the arguments do not fit."""
        try:
            inspect.signature(self._function).bind(self._owner, *args, **kwargs)
        except TypeError as error:
            message = f"{self.name}() cannot be called like this: {error}"
            raise RenderError("template-runtime", message, needle=self.name) from None
        return self._function(self._owner, *args, **kwargs)

    def __str__(self) -> str:
        raise RenderError(
            "template-runtime", f"'{self.name}' is a method", hint=f"write {self.name}(...)", needle=self.name
        )


class Word(str):
    """A text that Go spells as a field or as a method: it may be called, and answers ``ToSql`` and ``String``."""


class NamedNumber(int):
    """A number that prints as a name, such as a month."""

    name: str

    def __new__(cls, number: int, name: str) -> NamedNumber:
        """Return `number`, to be printed as `name`."""
        value = super().__new__(cls, number)
        value.name = name
        return value

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, eq=False)
class Symbol(Value):
    """A reference that prints as a quoted symbol; recorded when it is made."""

    noun = "a column"

    session: Session
    ref: Ref

    def __post_init__(self) -> None:
        self.session.record(self.ref)

    def __str__(self) -> str:
        return self.session.symbol(self.ref)


@dataclass(frozen=True, eq=False)
class Verbatim(Value):
    """SQL text or the name of a warehouse object, printed as it is."""

    text: str

    def __str__(self) -> str:
        return self.text

    @field("Name", "ObjName")
    def _name(self) -> object:
        return Word(self.text)


@dataclass(frozen=True, eq=False)
class Contract(Value):
    """A contract built in a template."""

    noun = "a contract"

    terms: Mapping[str, object]


@dataclass(frozen=True, order=True)
class GoTime(Value):
    """A moment in UTC."""

    noun = "a time"

    moment: datetime

    def __str__(self) -> str:
        return iso(self.moment)

    @method("Format")
    def _format(self, layout: str) -> object:
        return go_format(self.moment, str(layout))

    @method("String")
    def _string(self) -> object:
        return iso(self.moment)

    @method("UTC", "Local")
    def _utc(self) -> object:
        return self

    @method("Unix")
    def _unix(self) -> object:
        return int(self.moment.timestamp())

    @method("UnixMilli")
    def _unix_milli(self) -> object:
        return int(self.moment.timestamp() * 1000)

    @method("Year")
    def _year(self) -> object:
        return self.moment.year

    @method("Month")
    def _month(self) -> object:
        return NamedNumber(self.moment.month, self.moment.strftime("%B"))

    @method("Day")
    def _day(self) -> object:
        return self.moment.day

    @method("YearDay")
    def _year_day(self) -> object:
        return self.moment.timetuple().tm_yday

    @method("Weekday")
    def _weekday(self) -> object:
        return NamedNumber(self.moment.isoweekday() % 7, self.moment.strftime("%A"))

    @method("Hour")
    def _hour(self) -> object:
        return self.moment.hour

    @method("Minute")
    def _minute(self) -> object:
        return self.moment.minute

    @method("Second")
    def _second(self) -> object:
        return self.moment.second

    @method("IsZero")
    def _is_zero(self) -> object:
        return False

    @method("Add")
    def _add(self, duration: str) -> object:
        return shifted(self.moment, duration, 1)

    @method("AddDate")
    def _add_date(self, years: int, months: int, days: int) -> object:
        month = self.moment.month - 1 + months
        first = self.moment.replace(year=self.moment.year + years + month // 12, month=month % 12 + 1, day=1)
        return shifted(first, f"{(self.moment.day - 1 + days) * 24}h", 1)

    @method("Before")
    def _before(self, other: object) -> object:
        return self.moment < moment_of(other)

    @method("After")
    def _after(self, other: object) -> object:
        return self.moment > moment_of(other)

    @method("Equal")
    def _equal(self, other: object) -> object:
        return self.moment == moment_of(other)


def shifted(moment: datetime, duration: object, sign: int) -> GoTime:
    """Return `moment` plus (sign 1) or minus (sign -1) a Go duration. Raises RenderError."""
    try:
        return GoTime(moment + sign * go_duration(duration))
    except OverflowError:
        raise RenderError("template-runtime", f"'{duration}' leads out of the calendar") from None


def moment_of(value: object) -> datetime:
    """Return the moment a value stands for: a time, a time context, or an ISO text. Raises RenderError."""
    if isinstance(value, GoTime):
        return value.moment
    if isinstance(value, TimeWindow):
        return value.end
    if isinstance(value, str):
        try:
            return in_utc(datetime.fromisoformat(value))
        except ValueError:
            raise RenderError("template-runtime", f"'{value}' is not a time", needle=value) from None
    raise RenderError("template-runtime", "a time is needed here")


@dataclass(frozen=True)
class TimeWindow(Value):
    """The time context of a model."""

    noun = "a time context"

    end: datetime
    begin: datetime | None

    def __str__(self) -> str:
        return iso(self.end)

    @field("EndTime")
    def _end(self) -> object:
        return GoTime(self.end)

    @field("BeginTime")
    def _begin(self) -> object:
        return GoTime(self.begin) if self.begin else None

    @method("Subtract")
    def _subtract(self, duration: str) -> object:
        return TimeWindow(shifted(self.end, duration, -1).moment, self.begin)

    @method("Add")
    def _add(self, duration: str) -> object:
        return TimeWindow(shifted(self.end, duration, 1).moment, self.begin)


@dataclass(frozen=True)
class WhtContext(Value):
    """The context of a material, reached as ``this.WhtCtx``."""

    noun = "a context"

    window: TimeWindow

    @field("TimeInfo")
    def _time_info(self) -> object:
        return self.window


def plain(value: object) -> object:
    """Return a template value as plain Python: values as their text, containers element by element."""
    if isinstance(value, Contract):
        return dict(value.terms)
    if isinstance(value, list | tuple):
        return tuple(plain(item) for item in value)
    return str(value) if isinstance(value, Value | Word) else value
