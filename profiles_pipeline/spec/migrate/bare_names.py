"""Turns names of vars that stand bare in SQL, as older dialects write them, into templates."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from types import MappingProxyType

import sqlglot
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import TokenType

from profiles_pipeline.errors import Span
from profiles_pipeline.spec.lift.rewrite import Log, map_inside, map_items, maps_in
from profiles_pipeline.spec.model import Text
from profiles_pipeline.spec.placed import PlacedList, PlacedMap
from profiles_pipeline.template.translation import code_spans

_STRING = re.compile(r"'([^'\\{}]*)'|\"([^\"\\{}]*)\"")
_CALLED = re.compile(r"(\.\s*)?[A-Za-z_]\w*\s*$")
_NOT_BEFORE = frozenset({TokenType.DOT, TokenType.ALIAS})
_NOT_BEHIND = frozenset({TokenType.DOT, TokenType.L_PAREN})
_TEXTS = ("select", "where")
_LISTS = ("order_by", "partition_by")


Meant = Mapping[Span, Collection[str]]
"""Place of a var over rows whose columns are known -> lower-case names that mean vars where they stand bare in it."""


def templates_for_bare_names(project: PlacedMap, log: Log, meant: Meant = MappingProxyType({})) -> PlacedMap:
    """In vars of an entity and of rows, names of entity vars become `{{entity.Var("name")}}`, and `dependencies` go.

    A var without `from` may name every var of its entity, one with `from` those that it lists and those that are meant
    because its source has no such columns. Other names in a var with `from` stay; where its columns are not known, what
    they mean is in doubt.
    """
    known: dict[str, dict[str, str]] = {}
    for group in maps_in(project, "var_groups"):
        own = known.setdefault(str(group.get("entity_key")).lower(), {})
        for item in maps_in(group, "vars"):
            var = item.get("entity_var")
            if isinstance(var, PlacedMap) and isinstance(name := var.get("name"), Text):
                own[name.lower()] = str(name)

    def of_group(group: PlacedMap, log: Log) -> PlacedMap:
        entity = group.get("entity_key")
        if not isinstance(entity, Text):
            return group.without(("bare_names",)) if "bare_names" in group else group
        of_entity = known[entity.lower()]

        def of_var(var: PlacedMap, log: Log) -> PlacedMap:
            if "from" in var and group.get("bare_names") is True and var.span not in meant:
                _note_doubts(var, entity, of_entity, log)
            return _of_var(var, entity, of_entity, meant.get(var.span, ()), log)

        def of_item(item: PlacedMap, log: Log) -> PlacedMap:
            return map_inside(map_inside(item, "entity_var", of_var, log), "input_var", of_var, log)

        group = map_items(group, "vars", of_item, log)
        return group.without(("bare_names",)) if "bare_names" in group else group

    return map_items(project, "var_groups", of_group, log)


def _of_var(var: PlacedMap, entity: str, known: dict[str, str], meant: Collection[str], log: Log) -> PlacedMap:
    listed = _listed(var)
    visible = {name: known[name] for name in ((listed | {*meant}) & known.keys() if "from" in var else known)}
    visible.pop(str(var.get("name")).lower(), None)
    found: set[str] = set()

    def rewritten(text: object) -> object:
        return _with_templates(text, entity, visible, found) if isinstance(text, Text) else text

    result = _changed(var, _TEXTS, rewritten)
    result = map_inside(result, "window", lambda window, _: _changed(window, _LISTS, rewritten), log)
    for name in sorted(found):
        log.add(var.span, f"the name '{known[name]}' in var '{var.get('name')}' became a template")
    if "dependencies" in var and not listed - found:
        log.add(var.key_span("dependencies"), "key 'dependencies' is ignored: templates say what a var needs")
        result = result.without(("dependencies",))
    return result


def _listed(var: PlacedMap) -> set[str]:
    listed = var.get("dependencies")
    return {str(name).lower() for name in listed} if isinstance(listed, PlacedList) else set()


def _note_doubts(var: PlacedMap, entity: str, known: dict[str, str], log: Log) -> None:
    """Note each name that stays and may mean a var."""
    sure = _listed(var) | {str(var.get("name")).lower()}
    doubtful = {name: written for name, written in known.items() if name not in sure}
    found: set[str] = set()
    for text in [*(var.get(key) for key in _TEXTS), *_window_texts(var)]:
        if isinstance(text, Text):
            _with_templates(text, entity, doubtful, found)
    for name in sorted(found):
        message = f"the name '{known[name]}' in var '{var.get('name')}' stays, as a column of its source"
        log.doubt(var.span, f'{message}; write {{{{{entity}.Var("{known[name]}")}}}} if the var is meant')


def _window_texts(var: PlacedMap) -> Iterator[object]:
    window = var.get("window")
    if isinstance(window, PlacedMap):
        for value in (window.get(key) for key in _LISTS):
            yield from value if isinstance(value, PlacedList) else [value]


def _changed(mapping: PlacedMap, keys: Collection[str], change: Callable[[object], object]) -> PlacedMap:
    """Return `mapping` with its texts under `keys`, in lists too, changed; itself when none is."""
    for key in keys:
        value = mapping.get(key)
        if isinstance(value, PlacedList):
            items = PlacedList(value.span)
            for item, span in value.placed_items():
                items.add(change(item), span)
            new: object = items
        else:
            new = change(value)
        if new != value:
            mapping = mapping.with_value(key, new)
    return mapping


def _with_templates(text: Text, entity: str, visible: dict[str, str], found: set[str]) -> Text:
    pieces, end = [], 0
    for begin, stop, replacement in sorted(_replacements(text, entity, visible, found)):
        pieces += [text[end:begin], replacement]
        end = stop
    return Text("".join([*pieces, text[end:]]), text.span, text.block) if pieces else text


def _replacements(text: str, entity: str, visible: dict[str, str], found: set[str]) -> Iterator[tuple[int, int, str]]:
    """Yield begin, end and template of each bare name, in SQL and in texts that are given to macros."""
    marks = list(code_spans(text))
    outside = list(text)
    for begin, end in marks:
        outside[begin:end] = (" " if text[begin + 1] == "%" else "t") * (end - begin)
        for string in _STRING.finditer(text, begin, end):
            if not _is_for_a_macro(text[begin : string.start()]):
                continue
            group = 1 if string[1] is not None else 2
            for start, stop, name in _names(string[group], visible):
                found.add(name)
                offset, quote = string.start(group), '"' if group == 1 else "'"
                yield offset + start, offset + stop, f"{{{{{entity}.Var({quote}{visible[name]}{quote})}}}}"
    for start, stop, name in _names("".join(outside), visible):
        found.add(name)
        yield start, stop, f'{{{{{entity}.Var("{visible[name]}")}}}}'


def _is_for_a_macro(before: str) -> bool:
    """Whether what follows `before` in a template is an argument of a macro; those of methods are no SQL."""
    depth = 0
    for position in range(len(before) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(before[position], 0)
        if depth < 0:
            called = _CALLED.search(before[:position])
            return called is not None and not called[1]
    return False


def _names(sql: str, visible: Collection[str]) -> Iterator[tuple[int, int, str]]:
    """Yield begin, end and lower-case name of each word of `sql` that names a var."""
    try:
        tokens = sqlglot.tokenize(sql, read="snowflake")
    except SqlglotError:
        return
    for number, token in enumerate(tokens):
        name = token.text.lower()
        before = tokens[number - 1].token_type if number else None
        behind = tokens[number + 1].token_type if number + 1 < len(tokens) else None
        is_word = sql[token.start : token.end + 1].lower() == name
        if is_word and name in visible and before not in _NOT_BEFORE and behind not in _NOT_BEHIND:
            yield token.start, token.end + 1, name
