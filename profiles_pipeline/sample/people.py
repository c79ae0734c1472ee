"""The people of the sample and their identifiers, so that ids agree between tables and give stitching work to do."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import IdType, Input, SqlModel
from profiles_pipeline.sample.evidence import IdForm, IdUse
from profiles_pipeline.sample.naming import theme_of
from profiles_pipeline.sample.patterns import matches, regex_examples

Ints = npt.NDArray[np.int64]

_BUSINESS = re.compile(r"account|compan|organi|workspace|tenant|business|employer|merchant")
_COARSER = re.compile(rf"{_BUSINESS.pattern}|household|team|group|store|brand|family")
_FINER = re.compile(
    r"session|order|device|cart|transaction|visit|subscription|ticket|booking|invoice|event|lead|contract"
)
_PER_PERSON = 4
_DIGITS = 6
_SEVERAL = re.compile(r"anon|device|cookie|session|visitor|client|browser|idfa|gaid|mobile_ad|uuid")
_PEOPLE = ("user", "customer", "person", "contact")
_STYLES = ("plain", "slug", "uuid", "digits", "hex", "email", "phone")
FIRST_NAMES = tuple(
    ["anna", "ben", "carla", "deniz", "eva", "farid", "gita", "hugo", "ines", "jon", "kira", "liam", "mona", "noor"]
)
LAST_NAMES = tuple(
    ["arden", "bauer", "cho", "diaz", "evans", "fischer", "garcia", "haddad", "ito", "jensen", "kumar", "lopez"]
)


@dataclass(frozen=True, slots=True)
class IdPool:
    """The identifiers of one type: `per` for each instance of the entity, those of one instance side by side."""

    values: tuple[str, ...]
    per: int
    junk: tuple[str, ...] = ()


@dataclass(frozen=True)
class Population:
    """A number of people, and whatever else the project profiles, in proportion.

    Attributes:
        people: number of instances of the entity called user, or else of the first, a business only if all are.
        uses: how columns use identifiers.
    """

    project: ProfilesProject
    people: int
    seed: int
    uses: tuple[IdUse, ...] = ()

    @cached_property
    def base(self) -> str:
        """Key of the entity that the others are counted by."""
        keys = list(self.project.project.entities)
        single = (key for key in keys if not _COARSER.search(key) and not _FINER.search(key))
        first = keys[0] if keys else _PEOPLE[0]
        first = next(single, first) if _BUSINESS.search(first) else first
        return next((key for key in _PEOPLE if key in keys), first)

    def count(self, entity: str) -> int:
        """Return how many instances of an entity there are."""
        if entity == self.base:
            return self.people
        if _FINER.search(entity) and not _COARSER.search(entity):
            return self.people * _PER_PERSON
        return max(1, self.people // _PER_PERSON)

    def instances(self, entity: str, person: Ints, luck: Ints) -> Ints:
        """Return which instance of an entity goes with each person: a user has one account and several sessions."""
        if entity == self.base:
            return person
        if _FINER.search(entity) and not _COARSER.search(entity):
            return person * _PER_PERSON + luck % _PER_PERSON
        return person % self.count(entity)

    def rows_of(self, entity: str) -> tuple[Ints, Ints]:
        """Return the people and the luck with which each instance of an entity comes up once, in order."""
        number = np.arange(self.count(entity))
        if self.count(entity) <= self.people:
            return number, np.zeros_like(number)
        return number // _PER_PERSON, number % _PER_PERSON

    def pool(self, use: IdUse, digits: bool = False) -> IdPool:
        """Return the identifiers of a type, all of which its filters keep, and some junk, which they do not."""
        key = (use.entity, use.id_type.lower(), digits, use.form if use.form.made else IdForm())
        if key not in self._pools:
            self._pools[key] = self._made(use, digits)
        return self._pools[key]

    @cached_property
    def _pools(self) -> dict[tuple[str, str, bool, IdForm], IdPool]:
        return {}

    def _made(self, use: IdUse, digits: bool) -> IdPool:
        id_type = self.project.project.id_types.get(use.id_type) or IdType(use.id_type)
        per = 3 if _SEVERAL.search(use.id_type.lower()) and use.entity == self.base else 1
        per = 2 if "mail" in use.id_type.lower() else per
        count = self.count(use.entity) * per
        forms = self._forms(use)
        made = next((form for form in (use.form, *forms) if form.made), None)
        forms = tuple(form for form in forms if form == made or not form.made)
        use = replace(use, form=made or use.form)
        for style in ("made",) if made else ("digits",) if digits else (_style(use.id_type), *_STYLES):
            tried = [identifier(style, use, n) for n in (0, 1, count // 2)]
            if all(accepted(id_type, value) and all(form.gives(value) for form in forms) for value in tried):
                values = tuple(identifier(style, use, n) for n in range(count))
                values = self._at_work(values, use, per) if style == "email" else values
                break
        else:
            values = self._by_pattern(id_type, count, forms) or tuple(identifier("plain", use, n) for n in range(count))
        sound = digits or (style == "email" and self._mail_domains is not None)
        return IdPool(values, per, () if sound else _junk(id_type, values[0]))

    def _forms(self, use: IdUse) -> tuple[IdForm, ...]:
        """Return the ways in which columns write the identifiers of a type, but for the plain one."""
        kind = (use.entity, use.id_type.lower())
        return tuple(u.form for u in self.uses if (u.entity, u.id_type.lower()) == kind and u.form != IdForm())

    @cached_property
    def _mail_domains(self) -> IdUse | None:
        """The identifiers of another entity that the project cuts out of mail addresses, if it does."""
        models = (m for m in self.project.project.models.values() if isinstance(m, Input | SqlModel))
        cut = (i for model in models for i in model.ids if "'@" in i.select and i.id_type is not None)
        return next((IdUse(i.entity, str(i.id_type), "sound") for i in cut if "mail" not in str(i.id_type)), None)

    def _at_work(self, mails: tuple[str, ...], use: IdUse, per: int) -> tuple[str, ...]:
        """Return mail addresses in the domains of what their owners belong to."""
        domains = self._mail_domains
        if domains is None or domains.entity == use.entity or use.entity != self.base:
            return mails
        pool, owner = self.pool(domains), np.arange(len(mails)) // per
        group = self.instances(domains.entity, owner, np.zeros_like(owner))
        parts = zip(mails, (group * pool.per).tolist(), strict=True)
        return tuple(f"{mail.partition('@')[0]}@{pool.values[place]}" for mail, place in parts)

    def _by_pattern(self, id_type: IdType, count: int, forms: tuple[IdForm, ...]) -> tuple[str, ...]:
        """Return identifiers made from the filters themselves."""
        wanted = [str(rule.value) for rule in id_type.filters if rule.type == "include" and rule.value is not None]
        for rule in id_type.filters:
            if rule.type == "include" and rule.regex is not None:
                wanted += regex_examples(str(rule.regex), count * (3 if forms else 1), self.seed)
        kept = [v for v in wanted if accepted(id_type, v) and all(form.gives(v) for form in forms)]
        return tuple(kept[n % len(kept)] for n in range(count)) if kept else ()


def accepted(id_type: IdType, value: str) -> bool:
    """Tell whether the filters of an id type keep a value; those that ask a table do not count."""
    for rule in id_type.filters:
        if rule.value is not None:
            match = value == str(rule.value)
        elif rule.regex is not None:
            match = matches(str(rule.regex), value)
        else:
            continue
        if match is not (rule.type == "include"):
            return False
    return bool(value.strip())


def identifier(style: str, use: IdUse, number: int) -> str:
    """Return identifier `number` of a type, written in a style; "made" is as SQL makes it of a number."""
    space = f"{use.entity}/{use.id_type.lower()}/{number}"
    # Every so often two people share a mailbox.
    owner = number - 1 if number % 40 == 3 else number
    first, last = FIRST_NAMES[owner % len(FIRST_NAMES)], LAST_NAMES[owner // 3 % len(LAST_NAMES)]
    plain = re.sub("[^a-z0-9]+", "_", use.id_type.lower()).removesuffix("_id")
    made, short = use.form, 0 < use.form.width < _DIGITS
    written = {
        "made": f"{made.prefix}{number + (1 if short else 100_000):0{made.width}d}{made.suffix}",
        "ip": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        "slug": f"{plain.replace('_', '-')}-{number + 1}",
        "email": f"{first}.{last}{owner}@example.com",
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, space)),
        "hex": uuid.uuid5(uuid.NAMESPACE_OID, space).hex,
        "digits": str(100_000 + number),
        "domain": f"company{number + 1}.example",
        "phone": f"+1555{number:07d}",
    }
    return written.get(style, f"{plain}_{number + 1:05d}")


def _style(id_type: str) -> str:
    name = id_type.lower()
    if "hash" in name or "sha" in name or "md5" in name:
        return "hex"
    if "mail" in name:
        return "email"
    if "phone" in name or "mobile" in name:
        return "phone"
    if "domain" in name:
        return "domain"
    if theme_of(name) == "ip":
        return "ip"
    return "uuid" if re.search(r"anon|device|cookie|uuid|guid|idfa|gaid", name) else "plain"


def _junk(id_type: IdType, example: str) -> tuple[str, ...]:
    """Return values that the filters drop, and a blank."""
    found = ["", example[:1] + " ?"] if id_type.filters else [""]
    for rule in id_type.filters:
        if rule.type == "exclude":
            found += [str(rule.value)] if rule.value is not None else []
            found += regex_examples(str(rule.regex), 2) if rule.regex is not None else []
    return tuple(value for value in dict.fromkeys(found) if not accepted(id_type, value))
