"""Ordinary texts for columns that are about ordinary things."""

from __future__ import annotations

from collections.abc import Mapping

from profiles_pipeline.sample.naming import Theme
from profiles_pipeline.sample.people import FIRST_NAMES, LAST_NAMES

_NAMES = tuple(f"{first.title()} {last.title()}" for first in FIRST_NAMES for last in LAST_NAMES)

WORDS: Mapping[Theme, tuple[str, ...]] = {
    "first_name": tuple(name.title() for name in FIRST_NAMES),
    "last_name": tuple(name.title() for name in LAST_NAMES),
    "name": _NAMES,
    "email": tuple(f"{n.lower().replace(' ', '.')}@example.org" for n in _NAMES),
    "phone": tuple(f"+1555{n * 7919 % 10_000_000:07d}" for n in range(400)),
    "country": ("US", "GB", "DE", "IN", "FR", "BR"),
    "city": ("Berlin", "Austin", "Pune", "Lyon", "Leeds", "Recife"),
    "state": ("CA", "TX", "NY", "BE", "MH"),
    "gender": ("female", "male", "other"),
    "currency": ("USD", "EUR", "GBP"),
    "device": ("mobile", "desktop", "tablet"),
    "browser": ("Chrome", "Safari", "Firefox", "Edge"),
    "os": ("iOS", "Android", "Windows", "macOS"),
    "platform": ("web", "ios", "android"),
    "url": (
        "https://example.com/",
        "https://example.com/pricing",
        "https://example.com/products/1?utm_source=google",
        "https://example.com/blog/news?utm_source=newsletter&utm_medium=email&utm_campaign=launch",
        "https://www.google.com/",
        "https://example.com/cart?utm_source=facebook&utm_medium=social",
    ),
    "path": ("/", "/pricing", "/products/1", "/cart", "/blog"),
    "source": ("google", "newsletter", "facebook", "direct", "partner"),
    "medium": ("cpc", "email", "social", "organic"),
    "campaign": ("spring_sale", "brand", "retargeting", "launch"),
    "channel": ("email", "web", "store", "phone"),
    "status": ("active", "inactive", "pending", "completed", "cancelled"),
    "event": ("page_viewed", "product_viewed", "order_completed", "signed_up", "login"),
    "zip": ("10115", "78701", "94105", "69001"),
    "ip": ("203.0.113.7", "198.51.100.23", "192.0.2.44"),
    "language": ("en", "de", "fr", "pt"),
    "timezone": ("UTC", "Europe/Berlin", "America/New_York"),
    "category": ("shoes", "books", "garden", "toys", "kitchen"),
    "product": ("Trail shoe", "Desk lamp", "Tea kettle", "Atlas", "Kite"),
    "plan": ("free", "starter", "pro", "enterprise"),
    "size": ("small", "medium", "large"),
    "version": ("1.0.4", "2.3.1", "2.10.0", "3.1.2", "10.2.7"),
    "word": ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot"),
}
PERSONAL: frozenset[Theme] = frozenset(
    {
        "first_name", "last_name", "name", "email", "phone", "country", "city", "state", "gender", "birth", "zip",
        "language",
    }
)  # fmt: skip
"""Themes in which a person has one value, the same wherever it turns up."""
