"""What the name of a column suggests about its values. Suggestions only: how a column is used counts for more."""

from __future__ import annotations

import re
from typing import Literal

from profiles_pipeline.sample.evidence import Kind

Theme = Literal[
    "email", "phone", "first_name", "last_name", "name", "country", "city", "state", "gender", "currency", "device",
    "browser", "os", "platform", "url", "path", "source", "medium", "campaign", "channel", "status", "event", "zip",
    "ip", "language", "timezone", "category", "product", "plan", "birth", "future", "created", "received", "age",
    "year", "id", "version", "latitude", "longitude", "deduction", "size", "word",
]  # fmt: skip

_BOOLEAN = re.compile(
    r"^(is|has|was|can|did|should|opt(ed)?_in)_|_(flag|enabled|verified|opt_in|opted_in)$"
    r"|^(active|subscribed|verified|opt_in)$"
)
_DATE = re.compile(r"(^|_)(date|dt|dob)$|^(birth_?(date|day)|date_of_birth|date|day)$")
_TIME = re.compile(
    r"(_at|_time|_ts|timestamp\w*|_timestamp|_datetime|_on|_seen|_tstamp)$|^(ts|time|loaded_at|sent_at|received_at|datetime|uuid_ts)$"
    r"|createdat$|updatedat$|occurred|modified$|createddate$|modstamp$"
)
_NOT_TIME = re.compile(
    r"(duration|spent|elapsed|_on_time|opt|seconds|minutes|hours|run|response|read|half)_?\w*_?(time|on)$|timezone"
)
_NUMBER = re.compile(
    r"(^|_)(amount|amt|price|revenue|total|subtotal|qty|quantity|count|cnt|num|number_of|n|sum|score|rate|value|cost|"
    r"discount|tax|ltv|aov|balance|spend|spent|fee|points|rank|length|duration|seconds|minutes|hours|days|age|lat|"
    r"lng|lon|latitude|longitude|weight|percent|pct|rating|arr|mrr|views|clicks|visits|sessions|employees|margin|profit|"
    r"budget|index|position|level|year|month|gross|net|units|salary|income)$|^(num|n|nb|number_of|count|total|avg|sum|max|min)_"
)
_JSON = re.compile(
    r"(_json|^properties|^traits|^context|payload|^metadata|^attributes|_properties|_variant_|^raw_data|^line_items"
    r"|^items)$"
)
_THEMES: tuple[tuple[Theme, str], ...] = (
    ("email", r"e_?mail|correo"),
    ("phone", r"phone|mobile|msisdn|(^|_)tel($|_)"),
    ("first_name", r"first_?name|given_?name|fname"),
    ("last_name", r"last_?name|surname|family_?name|lname"),
    ("birth", r"birth|(^|_)dob($|_)"),
    ("country", r"country|nation"),
    ("city", r"(^|_)(city|town|locality)"),
    ("state", r"(^|_)(state|province|region)($|_)"),
    ("gender", r"gender|(^|_)sex($|_)"),
    ("currency", r"currency"),
    ("device", r"device_(type|category|kind)|device$"),
    ("browser", r"browser|user_?agent"),
    ("os", r"(^|_)os(_name)?($|_)"),
    ("platform", r"platform"),
    ("url", r"url|uri|referr?er|href|link$|page_?location|website"),
    ("path", r"(^|_)(path|page|screen)$"),
    ("medium", r"medium"),
    ("campaign", r"campaign"),
    ("source", r"source|utm"),
    ("channel", r"channel"),
    ("status", r"status|stage"),
    ("event", r"^event(_name|_type|_text)?$|action$"),
    ("zip", r"(^|_)(zip|postal|postcode)"),
    ("ip", r"(^|_)ip(_address)?$"),
    ("language", r"lang|locale"),
    ("timezone", r"timezone|time_zone"),
    ("category", r"category|(^|_)type$|segment|vertical|industry"),
    ("product", r"product|sku|item"),
    ("plan", r"plan|tier|subscription"),
    ("future", r"expir|(^|_)(end|next|due|renewal|until|valid_to)(_|$)|ends_at|end_date"),
    ("created", r"created|signup|sign_up|registered|joined|first_|original_"),
    ("received", r"received|loaded|uuid_ts|sent_at|ingest|synced|_fivetran"),
    ("age", r"(^|_)age$"),
    ("year", r"(^|_)year$"),
    ("latitude", r"(^|_|geo)lat(itude)?$"),
    ("longitude", r"(^|_|geo)(lng|lon|long|longitude)$"),
    ("deduction", r"refund|discount|rebate"),
    ("size", r"(^|_)size$"),
    ("version", r"(^|_)version$|firmware"),
    ("name", r"name$"),
)
_SAYS_LITTLE = ("word", "birth", "future", "created", "received", "latitude", "longitude", "deduction")
_ID = re.compile(r"(^|_)(id|ids|uuid|guid|key|token|code|number|no|hash|sku)$|[a-z](Id|ID|Uuid|Key)$")
_COMPILED = tuple((theme, re.compile(pattern)) for theme, pattern in _THEMES)


def suggested_kind(name: str) -> Kind | None:
    """Return the kind of value that a column of this name usually holds, or None when the name says nothing."""
    lower = name.lower()
    signs: tuple[tuple[Kind, bool], ...] = (
        ("text", re.search(r"^(string|str|text)_val", lower) is not None),
        ("boolean", _BOOLEAN.search(lower) is not None),
        ("date", _DATE.search(lower) is not None),
        ("timestamp", _TIME.search(lower) is not None and _NOT_TIME.search(lower) is None),
        ("text", looks_like_key(name)),
        ("json", _JSON.search(lower) is not None),
        ("number", _NUMBER.search(lower) is not None),
        ("text", theme_of(name) not in _SAYS_LITTLE),
    )
    return next((kind for kind, says_so in signs if says_so), None)


def looks_like_key(name: str) -> bool:
    """Tell whether a column of this name identifies something."""
    return _ID.search(name) is not None or _ID.search(name.lower()) is not None


def theme_of(name: str) -> Theme:
    """Return what the values of a column of this name are about."""
    lower = name.lower()
    if looks_like_key(name) and not re.search(r"e_?mail|phone|zip|country|currency|language|postal", lower):
        return "id"
    return next((theme for theme, pattern in _COMPILED if pattern.search(lower)), "word")
