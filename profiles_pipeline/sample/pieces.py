"""Pieces that SQL cuts out of texts, and texts that it puts together: what stands around the part that varies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sqlglot import exp

from profiles_pipeline.sample.evidence import IdForm
from profiles_pipeline.sample.patterns import around_group

Around = tuple[str, str]
"""What stands before and after a piece."""

SITE = "https://example.com"
MAILBOX = "one@"
"""What stands before the domain of a mail address, whosever it is."""


def around_part(mark: str, number: int) -> Around:
    """Return what may stand around a part of a text: other parts, with the delimiter between them."""
    after = ("" if number > 1 else "@example.com") if mark == "@" else f"{mark}two"
    return f"one{mark}" * (number - 1), after


def around_split(node: exp.SplitPart | exp.SubstringIndex) -> Around:
    """Return what may stand around the part that ``split_part(text, mark, number)`` takes, or around the first or last
    ones that ``substring_index(text, mark, number)`` takes."""
    delimiter, index = node.args["delimiter"], node.args.get("part_index") or node.args["count"]
    mark = delimiter.name if isinstance(delimiter, exp.Literal) else "-"
    if isinstance(node, exp.SubstringIndex):
        return (f"one{mark}", "") if isinstance(index, exp.Neg) else around_part(mark, 1)
    return around_part(mark, int(index.name) if isinstance(index, exp.Literal) and index.is_int else 1)


def around_span(node: exp.Left | exp.Right | exp.Substring) -> Around | None:
    """Return what may stand around so many characters of a text; None when it is not written where they begin."""
    if isinstance(node, exp.Left | exp.Right):
        return "", ""
    start = node.args.get("start")
    at = int(start.name) if isinstance(start, exp.Literal) and start.is_int else None
    return ("0" * (at - 1), "") if at is not None else None


def around_match(node: exp.RegexpExtract) -> Around | None:
    """Return what may stand around what a regular expression takes out of a text; None when it cannot be read."""
    around = around_group(*_pattern(node)) if is_text(node.expression) else None
    return (MAILBOX, around[1]) if around is not None and around[0] == "@" else around


def is_text(tree: exp.Expr) -> bool:
    """Tell whether an expression is a text that is written out."""
    return tree.is_string or isinstance(tree, exp.RawString)


def around_in_url(steps: Iterable[str]) -> Around | None:
    """Return what stands around a part of a URL, ``host`` or ``parameters`` and a name; None for other parts."""
    match [step.lower() for step in list(steps)[:1]] + list(steps)[1:]:
        case ["host"]:
            return "https://", "/"
        case ["path"]:
            return f"{SITE}/", ""
        case ["query"]:
            return f"{SITE}/?", ""
        case ["parameters" | "query", name]:
            return f"{SITE}/?{name}=", "" if name.startswith("utm_") else "&utm_source=google&utm_medium=cpc"
    return None


def inside_form(around: Around, tree: exp.Expr) -> IdForm:
    """Return the form of texts out of which an expression cuts identifiers."""
    match = tree.find(exp.RegexpExtract)
    pattern, group = _pattern(match) if match is not None and is_text(match.expression) else ("", 0)
    span = tree.find(exp.Left, exp.Right, exp.Substring)
    length = (span.args.get("length") or span.expression) if span is not None else None
    longest = int(length.name) if isinstance(length, exp.Literal) and length.is_int else 0
    return IdForm(*around, pattern=pattern, group=group, longest=longest)


def outside_form(tree: exp.Expr) -> IdForm | None:
    """Return how an expression makes identifiers: ``'CL' || lpad(number, 8, '0')``; None when it does otherwise."""
    while isinstance(tree, exp.Paren | exp.Upper | exp.Lower | exp.Trim | exp.Cast):
        tree = tree.this
    parts = list(_parts(tree))
    varying = [n for n, part in enumerate(parts) if not part.is_string]
    if len(varying) != 1:
        return None
    place, part = varying[0], parts[varying[0]]
    padded = part if isinstance(part, exp.Pad) and part.args.get("is_left") else None
    width, fill = (padded.expression, padded.args.get("fill_pattern")) if padded is not None else (None, None)
    zeros = isinstance(width, exp.Literal) and width.is_int and fill is not None and fill.name == "0"
    before, after = (("".join(p.name for p in some)) for some in (parts[:place], parts[place + 1 :]))
    if not (before or after or zeros):
        return None
    return IdForm(prefix=before, suffix=after, width=int(width.name) if zeros and width is not None else 0)


def on_site(form: IdForm) -> IdForm:
    """Return the form in which the values are whole URLs, if it begins with a path that needs no beginning."""
    whole = replace(form, before=f"{SITE}{form.before}")
    fits = form.before.startswith("/") and (not form.pattern or not form.pattern.startswith("^"))
    return whole if fits else form


def _parts(tree: exp.Expr) -> Iterable[exp.Expr]:
    if isinstance(tree, exp.DPipe):
        return [*_parts(tree.this), *_parts(tree.expression)]
    if isinstance(tree, exp.Concat):
        return list(tree.expressions)
    return [tree]


def _pattern(node: exp.RegexpExtract) -> tuple[str, int]:
    group = node.args.get("group")
    return node.expression.name, int(group.name) if isinstance(group, exp.Literal) and group.is_int else 0
