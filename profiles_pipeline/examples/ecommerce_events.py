"""What happens in the synthetic shop: sessions of people and the events in them, as arrays without any text."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from profiles_pipeline.examples.ecommerce_people import (
    DAYS,
    KIOSK_ANONYMOUS_ID,
    Flags,
    Floats,
    Ints,
    People,
)

PAGES = ("/", "/new", "/sale", "/search", "/basket", "/account", "/help", "/stores", "/about", "/blog")
CATEGORIES = ("books", "garden", "kitchen", "music", "outdoor", "shoes", "toys")
PRODUCTS = 500
EVENT_NAMES = ("page_viewed", "product_viewed", "products_searched", "product_added", "product_removed",
               "coupon_applied", "product_reviewed", "checkout_started", "order_completed")  # fmt: skip
EVENT_SHARES = (0.42, 0.34, 0.08, 0.10, 0.03, 0.01, 0.02)  # the last two names only end a purchase
PAGE, ADDED, CHECKOUT, ORDER = (EVENT_NAMES.index(n) for n in
                                ("page_viewed", "product_added", "checkout_started", "order_completed"))  # fmt: skip
PRODUCT_EVENTS = tuple(EVENT_NAMES.index(n) for n in ("product_viewed", "product_added", "product_removed"))
SOURCES = ("", "google", "facebook", "newsletter", "affiliate", "tiktok")
MEDIUMS = ("", "cpc", "social", "email", "referral", "social")
DEVICES = (("mobile", "iOS"), ("mobile", "Android"), ("desktop", "Windows"), ("desktop", "macOS"), ("tablet", "iPadOS"))
STATUSES = ("paid", "paid", "paid", "paid", "paid", "paid", "shipped", "shipped", "refunded", "cancelled")
COUPONS = ("WELCOME10", "SUMMER15", "FREESHIP")

MILLISECOND = 1_000  # in microseconds, the unit of every time here
SECOND = 1_000 * MILLISECOND
DAY = 86_400 * SECOND
_LONGEST_GAP = 360 * SECOND
_LONGEST_SESSION = 60
_TAIL = _LONGEST_SESSION * _LONGEST_GAP  # sessions begin this long before the end, so none crosses it


@dataclass(frozen=True)
class Shop:
    """What all chunks share. `end` is in microseconds since 1970."""

    people: People
    events: int
    seed: int
    end: int

    def moment(self, share: Floats) -> Ints:
        """Microseconds at a share of the period; noon (UTC) is busier than midnight, order is kept."""
        span = DAYS * DAY - _TAIL
        days = share * (span / DAY)
        days = days + 0.1 * np.sin(2 * np.pi * (days % 1))
        time = self.end - _TAIL - span + np.minimum((days * DAY).astype(np.int64), span)
        return time // MILLISECOND * MILLISECOND


@dataclass(frozen=True)
class Sessions:
    """One entry per session of a chunk, in order of time."""

    number: Ints
    size: Ints
    share: Floats
    person: Ints
    known: Flags
    campaign: Ints
    anonymous_id: pa.Array = field(repr=False)
    user_id: pa.Array = field(repr=False)


@dataclass(frozen=True)
class Events:
    """One entry per event of a chunk; `of` is the position of its session, `revenue` counts for orders only."""

    number: Ints
    of: Ints
    time: Ints
    name: Ints
    product: Ints
    quantity: Ints
    revenue: Floats


def draw_sessions(shop: Shop, first: int, last: int, events: int, rng: np.random.Generator) -> Sessions:
    """Sessions with `events` events in all, spread evenly over the slots from `first` to `last` of the whole."""
    size = np.clip(rng.geometric(1 / 8, size=events // 4 + 20), 1, _LONGEST_SESSION)
    total = np.cumsum(size)
    count = int(np.searchsorted(total, events)) + 1
    size, total = size[:count], total[:count]
    size[-1] -= total[-1] - events
    begin = np.cumsum(size) - size
    share = (first + (begin + rng.random(count) * size) * ((last - first) / events)) / shop.events
    person = shop.people.draw(share, rng)
    known = shop.people.signed_up(person, share) & (rng.random(count) < 0.85)
    own_device = shop.people.anonymous_ids(person, rng.random(count))
    return Sessions(
        number=first + begin,
        size=size,
        share=share,
        person=person,
        known=known,
        campaign=draw_campaigns(count, rng),
        anonymous_id=pc.if_else(pa.array(rng.random(count) < 0.03), KIOSK_ANONYMOUS_ID, own_device),
        user_id=shop.people.user_ids(person, rng.random(count)),
    )


def draw_events(shop: Shop, sessions: Sessions, first: int, rng: np.random.Generator) -> Events:
    """The events of the sessions, session by session; the first one has number `first`."""
    of = np.repeat(np.arange(sessions.size.size), sessions.size)
    position = np.arange(of.size) - (np.cumsum(sessions.size) - sessions.size)[of]
    product = (PRODUCTS * rng.random(of.size) ** 2).astype(np.int64)
    quantity = rng.integers(1, 4, of.size)
    return Events(
        number=first + np.arange(of.size),
        of=of,
        time=_times(shop, sessions, of, position, rng),
        name=_event_names(sessions, of, position, rng),
        product=product,
        quantity=quantity,
        revenue=np.round(prices(product) * quantity + rng.exponential(25, of.size), 2),
    )


def _times(shop: Shop, sessions: Sessions, of: Ints, position: Ints, rng: np.random.Generator) -> Ints:
    gap = np.minimum(rng.exponential(40 * SECOND, of.size), _LONGEST_GAP - MILLISECOND).astype(np.int64)
    gap[position == 0] = 0
    passed = np.cumsum(gap)
    within = passed - passed[np.flatnonzero(position == 0)][of]
    return (shop.moment(sessions.share)[of] + within) // MILLISECOND * MILLISECOND + position * MILLISECOND


def _event_names(sessions: Sessions, of: Ints, position: Ints, rng: np.random.Generator) -> Ints:
    name = np.searchsorted(np.cumsum(EVENT_SHARES)[:-1], rng.random(of.size), side="right")
    name[position == 0] = PAGE
    buys = (sessions.size >= 4) & (rng.random(sessions.size.size) < 0.25)
    left = np.where(buys, sessions.size, _LONGEST_SESSION * 2)[of] - position - 1
    for steps, event in enumerate((ORDER, CHECKOUT, ADDED)):
        name[left == steps] = event
    return name


def draw_campaigns(count: int, rng: np.random.Generator) -> Ints:
    """Positions in `SOURCES` and `MEDIUMS`; -1, most often, for no campaign at all."""
    luck = rng.random(count)
    named = 1 + ((luck - 0.65) / 0.35 * (len(SOURCES) - 1)).astype(np.int64)
    return np.where(luck < 0.60, -1, np.where(luck < 0.65, 0, named))


def prices(product: Ints) -> Floats:
    """The price of one piece of each product."""
    return np.round(np.float64(4.99) + product * 37 % 120 + product % 7 * np.float64(0.5), 2)
