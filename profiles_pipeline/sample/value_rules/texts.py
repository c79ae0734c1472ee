"""What functions of texts say about the columns in them: parts, patterns, separators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlglot import exp

from profiles_pipeline.sample.evidence import WEAK
from profiles_pipeline.sample.patterns import regex_examples
from profiles_pipeline.sample.pieces import (
    Around,
    around_in_url,
    around_match,
    around_span,
    around_split,
    is_text,
)
from profiles_pipeline.sample.relations import Scope, Value
from profiles_pipeline.sample.value_clues import Rule, ValueClues

_TEXTS = (
    exp.Length, exp.Substring, exp.Left, exp.Right, exp.Replace, exp.RegexpReplace, exp.RegexpExtract, exp.SplitPart,
    exp.Strtok, exp.StrPosition, exp.SubstringIndex, exp.Pad, exp.Repeat, exp.Reverse, exp.RegexpCount, exp.Translate,
)  # fmt: skip
_SAME_TEXT = (exp.Lower, exp.Upper, exp.Trim, exp.Initcap)
_HASHES = (exp.MD5, exp.MD5Digest, exp.SHA, exp.SHA2)


def _text(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    reader.others(node, scope)
    found = reader.value(node.this, scope)
    reader.vote(found, "text")
    if isinstance(node, exp.RegexpExtract) and is_text(node.expression):
        for slot in found.slots:
            reader.ledger.of(slot).regexes[node.expression.name] = None
    if isinstance(node, exp.Replace | exp.RegexpReplace):
        return replace(found, kind="text", literal=None)
    if isinstance(node, exp.StrPosition) and node.args["substr"].is_string:
        for slot in found.slots:
            reader.ledger.of(slot).likes[f"%{node.args['substr'].name}%"] = None
    if isinstance(node, exp.SplitPart | exp.SubstringIndex):
        return piece(found, around_split(node))
    if isinstance(node, exp.RegexpExtract):
        return piece(found, around_match(node))
    if isinstance(node, exp.Left | exp.Right | exp.Substring):
        return piece(found, around_span(node))
    if isinstance(node, exp.Length):
        return Value(kind="number", measured=found.slots)
    counts = isinstance(node, exp.StrPosition | exp.RegexpCount)
    return Value(kind="number" if counts else "text")


def same_text(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    """Return the value of a text whose letters are changed at most."""
    reader.others(node, scope)
    found = reader.value(node.this, scope)
    reader.vote(found, "text")
    return replace(found, kind="text", literal=None)


def _concat(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    for child in node.iter_expressions():
        reader.vote(reader.value(child, scope), "text", WEAK)
    return Value(kind="text")


def _url(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    """``parse_url(url, 'HOST')``: a part of a text; without a part the text itself, into which a path may lead."""
    found = reader.value(node.this, scope)
    reader.vote(found, "text")
    if isinstance(node, exp.Host | exp.RegDomain):
        return piece(found, around_in_url(["host"]))
    part = node.args.get("part_to_extract")
    if part is None:
        return found
    key = node.args.get("key")
    return piece(found, around_in_url([part.name, key.name] if key is not None else [part.name]))


def _split(reader: ValueClues, node: exp.Expr, scope: Scope) -> Value:
    found = reader.value(node.this, scope)
    reader.vote(found, "text")
    mark = str(node.expression.name) or ","
    if isinstance(node, exp.RegexpSplit):
        mark = next(iter(regex_examples(mark, 1)), ",")
    for slot in found.slots:
        reader.ledger.of(slot).separator = mark
    return Value(found.slots, parts=True, around=(mark, mark))


def piece(found: Value, around: Around | None) -> Value:
    """Return a piece of a text; where `around` is None, one of which it is not known where it stands."""
    if around is None:
        return Value(kind="text")
    if found.slots:
        return Value(kind="text", inside=found.slots, around=around)
    whole = found.around[0] + around[0], around[1] + found.around[1]
    return Value(kind="text", inside=found.inside, around=whole)


RULES: Mapping[type[exp.Expr], Rule] = {
    exp.Concat: _concat,
    exp.ConcatWs: _concat,
    exp.DPipe: _concat,
    exp.GroupConcat: _concat,
    exp.Split: _split,
    exp.RegexpSplit: _split,
    exp.ParseUrl: _url,
    exp.Host: _url,
    exp.RegDomain: _url,
    exp.SplitToTable: _split,
    **dict.fromkeys(_TEXTS, _text),
    **dict.fromkeys(_SAME_TEXT, same_text),
    **dict.fromkeys(_HASHES, same_text),
}
