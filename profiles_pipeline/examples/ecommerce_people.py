"""The people of the synthetic shop: who they are, which identifiers they show and when they sign up.

Everything about a person follows from the seed and the person's number by hashing, so no table of people is ever
held: any chunk of events can be written without knowing the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]

DAYS = 730
EVENTS_PER_PERSON = 38
KIOSK_ANONYMOUS_ID = "00000000-0000-4000-8000-6b696f736b31"
TEST_EMAIL = "test@example.com"
SHARED_MAILBOXES = ("info@example.org", "office@example.org", "orders@example.org")

FIRST_NAMES = (
    "ada", "ben", "carla", "dan", "eva", "finn", "grace", "hugo", "ines", "jan", "kira", "leo", "mona", "nils", "olga",
    "paul", "rosa", "sam", "tess", "udo", "vera", "will", "xenia", "yann", "zoe",
)  # fmt: skip
LAST_NAMES = (
    "adler", "baker", "costa", "dubois", "ekman", "fischer", "garcia", "hansen", "ito", "jones", "kowalski", "lopez",
    "meyer", "novak", "olsen", "perez", "rossi", "smith", "tanaka", "urban", "vogel", "weber", "young", "zeman",
)  # fmt: skip
MAIL_DOMAINS = ("example.com", "mail.example.com", "post.example.net", "work.example.org")  # the last one: work
COUNTRIES = ("US", "US", "US", "GB", "DE", "DE", "FR", "ES", "IN", "BR")

_JOINED_BEFORE_START = 0.05  # share of the people who had signed up before the first day
_VISITOR_LEAD = 10 / DAYS  # people are anonymous visitors about this share of the period before they sign up
_HEX_PAIRS = np.frombuffer(b"".join(b"%02x" % i for i in range(256)), dtype=np.uint8).reshape(256, 2)


@dataclass(frozen=True)
class People:
    """`count` people numbered from 0 in the order in which they sign up.

    Times are shares of the period covered: 0 is its start, 1 its end.
    """

    count: int
    seed: int

    def draw(self, share: Floats, rng: np.random.Generator) -> Ints:
        """One person per moment: newcomers more often than others, every twentieth person far more often."""
        known = self.count * self._joined(np.minimum(share + _VISITOR_LEAD, 1.0))
        newcomers = self.count * 2 * _VISITOR_LEAD
        back = np.where(rng.random(share.size) < 0.4, np.minimum(newcomers, known), known) * rng.random(share.size)
        person = np.minimum(known - back, self.count - 1).astype(np.int64)
        regular = rng.random(share.size) < 0.3
        return np.where(regular, person - person % 20, person)

    def signed_up(self, person: Ints, share: Floats) -> Flags:
        """Whether a person has an account at a moment. One in five never gets one."""
        return self.wants_account(person) & (person < self.count * self._joined(share))

    def wants_account(self, person: Ints) -> Flags:
        """Whether a person signs up sooner or later."""
        return self._pick(person, 1, 5) > 0

    def sign_ups(self, first: float, last: float) -> tuple[Ints, Floats]:
        """Everyone who signs up from share `first` (included) to `last` (left out), and when."""
        low, high = np.ceil(self.count * self._joined(np.array([first, last]))).astype(np.int64)
        person = np.arange(low, high, dtype=np.int64)
        person = person[self.wants_account(person)]
        moment = (person / self.count - _JOINED_BEFORE_START) / (1 - _JOINED_BEFORE_START)
        return person, np.clip(moment, first, last)

    def anonymous_ids(self, person: Ints, luck: Floats) -> pa.Array:
        """The id of one of the person's one to four devices; `luck` from 0 to 1 chooses, mostly the first."""
        owned = 1 + self._pick(person, 2, 4)
        device = (owned * luck**2).astype(np.int64)
        return _uuids(self._hash(person * 4 + device, 3), self._hash(person * 4 + device, 4))

    def user_ids(self, person: Ints, luck: Floats) -> pa.Array:
        """The person's account number; one person in thirty has two accounts, between which `luck` chooses."""
        second = (self._pick(person, 5, 30) == 0) & (luck < 0.5)
        return numbered("cus_", np.where(second, 500_000_000 + person, person))

    def emails(self, person: Ints, luck: Floats) -> pa.Array:
        """The address of a person: an own one, that of a household of two, or one of three shared mailboxes.

        One person in twelve has a work address besides; `luck` from 0 to 1 chooses.
        """
        own = pc.binary_join_element_wise(
            self.first_names(person),
            pc.binary_join_element_wise(self.last_names(person), pa.array(person).cast(pa.string()), ""),
            ".",
        )
        at_work = (self._pick(person, 11, 12) == 0) & (luck < 0.5)
        domain = np.where(at_work, len(MAIL_DOMAINS) - 1, self._pick(person, 6, len(MAIL_DOMAINS) - 1))
        own = pc.binary_join_element_wise(own, words(MAIL_DOMAINS, domain), "@")
        home = pc.binary_join_element_wise("home", pa.array(person // 2).cast(pa.string()), "@example.net", "")
        shared = words(SHARED_MAILBOXES, person // 40 % len(SHARED_MAILBOXES))
        own = pc.if_else(pa.array(self._pick(person // 2, 7, 25) == 0), home, own)
        return pc.if_else(pa.array(person % 40 == 13), shared, own)

    def first_names(self, person: Ints) -> pa.Array:
        """First names in lower case."""
        return self._words(FIRST_NAMES, person, 8)

    def last_names(self, person: Ints) -> pa.Array:
        """Last names in lower case."""
        return self._words(LAST_NAMES, person, 9)

    def countries(self, person: Ints) -> pa.Array:
        """Two-letter codes of the countries people live in."""
        return self._words(COUNTRIES, person, 10)

    def _joined(self, share: Floats) -> Floats:
        return _JOINED_BEFORE_START + (1 - _JOINED_BEFORE_START) * share

    def _words(self, choices: Sequence[str], person: Ints, salt: int) -> pa.Array:
        return words(choices, self._pick(person, salt, len(choices)))

    def _pick(self, number: Ints, salt: int, choices: int) -> Ints:
        return (self._hash(number, salt) % np.uint64(choices)).astype(np.int64)

    def _hash(self, number: Ints, salt: int) -> NDArray[np.uint64]:
        """Splitmix64 of the number, keyed by seed and salt."""
        key = np.random.SeedSequence([self.seed, salt]).generate_state(1, np.uint64)
        mixed = number.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + key
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))


def words(choices: Sequence[str], index: Ints) -> pa.Array:
    """The chosen texts as one string column; a negative index stands for null."""
    return pa.array(choices, pa.string()).take(pa.array(index, mask=index < 0))


def numbered(prefix: str, number: Ints) -> pa.Array:
    """Texts such as `cus_000000042`: the prefix and the number in at least nine digits."""
    digits = pc.utf8_lpad(pa.array(number).cast(pa.string()), 9, "0")
    return pc.binary_join_element_wise(prefix, digits, "")


def _uuids(high: NDArray[np.uint64], low: NDArray[np.uint64]) -> pa.Array:
    raw = np.column_stack([high, low]).astype(">u8").view(np.uint8).reshape(-1, 16)
    digits = _HEX_PAIRS[raw].reshape(-1, 32)
    dash = np.full((len(digits), 1), ord("-"), dtype=np.uint8)
    blocks = np.split(digits, [8, 12, 16, 20], axis=1)
    text = np.hstack([part for block in blocks for part in (dash, block)][1:])
    offsets = np.arange(len(text) + 1, dtype=np.int32) * 36
    return pa.StringArray.from_buffers(len(text), pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(text)))
