"""Prints a changed file as close to how it was written as can be.

What did not change is copied line by line with its comments; what was renamed or moved takes its comments along; only
what is new is laid out afresh.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import yaml

from profiles_pipeline.errors import Span
from profiles_pipeline.spec.migrate.source import Document, Kind, Mark, Node, Region, mark
from profiles_pipeline.spec.model import Text
from profiles_pipeline.spec.placed import PlacedList, PlacedMap

_STEP = 2
_ENDLESS = 1_000_000


@dataclass(frozen=True)
class Printer:
    """Prints values in the layout of one document.

    Attributes:
        document: the file as written.
        read: what was read at a place, by kind of node.
        said: what was read as the value of the key at a place.
        owned: for each mapping to be printed, by identity: its keys that stand in the document, with their places.
        written_out: True to write out what aliases and merge keys stand for.
    """

    document: Document
    read: dict[tuple[Kind, Mark], object]
    said: dict[Mark, object]
    owned: dict[int, dict[str, Mark]]
    written_out: bool
    taken: set[Mark] = field(default_factory=set)

    def file(self, root: PlacedMap) -> str:
        """Return the whole text of the file with `root` as its value."""
        lines = self.document.lines
        first = self.document.root.entries[0][0].start
        above = lines[: self.document.entry_lines[first].lead]
        printed = [*above, *self._block_map(root, self.document.root, first[1])]
        while printed and not printed[-1].strip():
            printed.pop()
        return "\n".join([*printed, ""])

    # --- blocks -----------------------------------------------------------------------------------------------------

    def _block_map(self, value: PlacedMap, node: Node | None, column: int) -> list[str]:
        own = self.owned.get(id(value), {})
        order = {key.start: number for number, (key, _) in enumerate(node.entries)} if node else {}
        pieces: list[tuple[float, list[str]]] = []
        if node and not self.written_out:
            pieces += [(order[key.start], self._copied(key.start, column)) for key, _ in _merges(self.document, node)]
        position = -1.0
        for key in value:
            if node and self._is_inherited(value, key, node):
                continue
            place = own.get(key)
            position = order.get(place, position) if place is not None else position + 0.001
            lines = self._entry(value, key, place, column)
            pieces.append((position, lines if place is None or place in order else _without_blanks_above(lines)))
        return [line for _, lines in sorted(pieces, key=lambda piece: piece[0]) for line in lines]

    def _is_inherited(self, value: PlacedMap, key: str, node: Node) -> bool:
        """Whether a key comes from a merge key that is kept."""
        if self.written_out or not _merges(self.document, node) or key in self.owned.get(id(value), {}):
            return False
        before = self.read.get(("map", node.start))
        return isinstance(before, PlacedMap) and value.key_span(key) in {before.key_span(k) for k in before}

    def _entry(self, holder: PlacedMap, key: str, place: Mark | None, column: int) -> list[str]:
        value, span = holder[key], holder.value_span(key)
        if place is None or place not in self.document.entry_lines:
            head, below = self._value(value, span, column)
            blank = [""] if column == self.document.root.content[1] else []
            return [*blank, " " * column + _joined(f"{_plain(key)}:", head), *below]
        name, written = self.document.entries[place]
        region = self.document.entry_lines[place]
        old_name = self.document.text(name.start, name.end)
        if value == self.said.get(place) and self._may_copy(written):
            return self._copied(place, column, None if key == old_name.strip("'\"") else key)
        head, below = self._value(value, span, column)
        first = f"{' ' * column}{old_name if key == old_name else _plain(key)}:"
        lead, gap = self._around(region, written, column - name.start[1])
        tail = self._tail(written, region, column - name.start[1], name.start[1])
        return [*lead, _joined(first, head) + self._comment(name, written), *gap, *below, *tail]

    def _around(self, region: Region, written: Node, shift: int) -> tuple[list[str], list[str]]:
        """Return the comments above an entry, and the lines between its key and what is inside."""
        inside = [self.document.entry_lines[key.start].lead for key, _ in written.entries[:1] if not written.flow]
        inside += [self.document.item_lines[item.start].lead for item in written.items[:1] if not written.flow]
        lead = self.document.lines[region.lead : region.first]
        gap = self.document.lines[region.first + 1 : max([*inside, 0])]
        return _shifted(lead, shift), _shifted(gap, shift)

    def _tail(self, written: Node, region: Region, shift: int, column: int) -> list[str]:
        """Return the comments below a value that is no block; below a block they belong to what is last in it."""
        if not written.flow and written.kind in ("map", "list"):
            return []
        last = written.end[0] + (0 if written.style in ("|", ">") else 1)
        return _shifted(self.document.lines[max(last, region.first + 1) : region.stop], shift, column)

    def _comment(self, name: Node, written: Node) -> str:
        """Return the comment at the end of the key's line, with the blanks before it."""
        line = self.document.lines[name.end[0]]
        end = written.end[1] if written.end[0] == name.end[0] else name.end[1]
        if written.style in ("|", ">"):
            return ""
        return _comment_in(line[end:])

    def _copied(self, place: Mark, column: int, key: str | None = None) -> list[str]:
        """Return the lines of an entry as they are, moved to `column`; with another key if one is given."""
        name, _ = self.document.entries[place]
        region = self.document.entry_lines[place]
        shift = column - name.start[1]
        first = self.document.lines[region.first][name.start[1] :]
        if key is not None:
            first = _plain(key) + self.document.lines[region.first][name.end[1] :]
        lead = _shifted(self.document.lines[region.lead : region.first], shift)
        rest = _shifted(self.document.lines[region.first + 1 : region.stop], shift, name.start[1])
        return [*lead, " " * column + first, *rest]

    def _block_list(self, value: PlacedList, column: int) -> list[str]:
        return [line for item, span in value.placed_items() for line in self._item(item, span, column)]

    def _item(self, item: object, span: Span, column: int) -> list[str]:
        place = mark(span) if span.file == self.document.file else None
        region = self.document.item_lines.get(place) if place is not None and place not in self.taken else None
        if region is None or place is None:
            return self._dashed(item, span, column, _STEP)
        self.taken.add(place)
        line = self.document.lines[region.first]
        dash = len(line[: place[1]].rstrip(" ").removesuffix("-")) if place[0] == region.first else line.index("-")
        lead = _shifted(self.document.lines[region.lead : region.first], column - dash)
        kind = _kind(item)
        written = self.document.node(kind, span)
        if written is not None and item == self.read.get((kind, place)) and self._may_copy(written):
            first = " " * column + line[dash:]
            return [*lead, first, *_shifted(self.document.lines[region.first + 1 : region.stop], column - dash, dash)]
        offset = place[1] - dash if place[0] == region.first and not (written and written.anchor) else _STEP
        lines = self._dashed(item, span, column, offset)
        old = next((n for k in ("map", "list", "scalar") if (n := self.document.nodes.get((k, place)))), None)
        if old is None or not (old.kind == "scalar" or old.flow) or old.style in ("|", ">"):
            return [*lead, *lines]
        comment = _comment_in(self.document.lines[old.end[0]][old.end[1] :])
        return [*lead, lines[0] + comment, *lines[1:], *self._tail(old, region, column - dash, dash)]

    def _dashed(self, item: object, span: Span, column: int, offset: int) -> list[str]:
        """Return a list item laid out behind a dash in `column`, what is inside `offset` further."""
        inner = column + offset
        head, below = self._value(item, span, column, inner)
        if head:
            return [f"{' ' * column}-{' ' * (offset - 1)}{head}", *below]
        first = next(number for number, line in enumerate(below) if line.strip() and not line.lstrip().startswith("#"))
        above = [" " * column + line.strip() if line.strip() else line for line in below[:first]]
        return [*above, f"{' ' * column}-{' ' * (offset - 1)}{below[first][inner:]}", *below[first + 1 :]]

    # --- values -----------------------------------------------------------------------------------------------------

    def _value(self, value: object, span: Span, column: int, inner: int | None = None) -> tuple[str, list[str]]:
        """Return what stands on the line of the key or dash, and the lines below.

        Args:
            value: what to print.
            span: where it was.
            column: the column of the block around it.
            inner: the column of its own block; None to let its old layout decide.
        """
        if not isinstance(value, PlacedMap | PlacedList):
            return self._scalar(value, span, column)
        kind = _kind(value)
        node = self.document.node(kind, value.span)
        if not value:
            return ("{}" if isinstance(value, PlacedMap) else "[]"), []
        if node is not None and node.flow and node.start[0] == node.end[0]:
            return self._flow(value, value.span), []
        anchor = f"&{node.anchor}" if node and node.anchor and not self.written_out else ""
        around = self.document.columns.get((kind, node.start)) if node and not node.flow else None
        offset = node.content[1] - around if node and around is not None else _STEP
        place = inner if inner is not None else column + max(offset, 0 if kind == "list" else 1)
        if isinstance(value, PlacedMap):
            return anchor, self._block_map(value, None if node is None or node.flow else node, place)
        return anchor, self._block_list(value, place)

    def _scalar(self, value: object, span: Span, column: int) -> tuple[str, list[str]]:
        node = self.document.node("scalar", span)
        if node is None or value != self.read.get(("scalar", node.start)) or not self._may_copy(node):
            return _fresh(value, column)
        head, *below = self.document.text(node.start, node.end).rstrip("\n").split("\n")
        while node.style in ("|", ">") and below and not below[-1].strip():
            below.pop()
        return head, _shifted(below, column - self.document.columns.get(("scalar", node.start), column))

    def _flow(self, value: object, span: Span) -> str:
        node = self.document.node(_kind(value), span)
        if node and value == self.read.get((node.kind, node.start)) and self._may_copy(node) and self._fits_flow(node):
            return self.document.text(node.start, node.end)
        if isinstance(value, PlacedMap):
            pairs = (f"{_plain(key)}: {self._flow(item, value.value_span(key))}" for key, item in value.items())
            return "{" + ", ".join(pairs) + "}"
        if isinstance(value, PlacedList):
            return "[" + ", ".join(self._flow(item, place) for item, place in value.placed_items()) + "]"
        return _dumped([_bare(value)])[1:-1]

    def _fits_flow(self, node: Node) -> bool:
        """Whether the text of a node can stand within brackets: it does already, or it has brackets of its own."""
        in_flow = node.flow or ("scalar", node.start) not in self.document.columns
        return in_flow and node.start[0] == node.end[0]

    def _may_copy(self, node: Node) -> bool:
        """Whether the text of a node stands for itself, wherever it is put."""
        return not self.written_out or not any(n.kind == "alias" or n.anchor for n in _inside(node))


def laid_out_afresh(root: PlacedMap) -> str:
    """Return a file with `root` as its value in a layout of our own, without comments."""
    nowhere = Document("", [], Node("map", (0, 0), (0, 0), (0, 0)), {}, {})
    return "\n".join([*Printer(nowhere, {}, {}, {}, True)._block_map(root, None, 0), ""]).lstrip("\n")


def read_values(root: PlacedMap) -> tuple[dict[tuple[Kind, Mark], object], dict[Mark, object]]:
    """Return what was read at each place, and what was read as the value of the key at each place."""
    read: dict[tuple[Kind, Mark], object] = {}
    said: dict[Mark, object] = {}

    def walk(value: object, span: Span) -> None:
        read[_kind(value), mark(span)] = value
        if isinstance(value, PlacedMap):
            for key, inner in value.items():
                said[mark(value.key_span(key))] = inner
                walk(inner, value.value_span(key))
        elif isinstance(value, PlacedList):
            for item, place in value.placed_items():
                walk(item, place)

    walk(root, root.span)
    return read, said


def owned_keys(root: PlacedMap, document: Document) -> dict[int, dict[str, Mark]]:
    """Return for each mapping below `root`, by identity, the places of those of its keys that stand in the document.

    A place belongs to one key: to that of its own name, else to the first that was made of it.
    """
    owned: dict[int, dict[str, Mark]] = {}
    taken: set[Mark] = set()
    for exact in (True, False):
        for mapping in _maps(root):
            mine = owned.setdefault(id(mapping), {})
            for key in mapping:
                place = mark(mapping.key_span(key))
                entry = document.entries.get(place)
                if mapping.key_span(key).file != document.file or entry is None or place in taken or key in mine:
                    continue
                if not exact or document.text(entry[0].start, entry[0].end).strip("'\"") == key:
                    mine[key] = place
                    taken.add(place)
    return owned


def _maps(value: object) -> Iterator[PlacedMap]:
    if isinstance(value, PlacedMap):
        yield value
        for inner in value.values():
            yield from _maps(inner)
    elif isinstance(value, PlacedList):
        for inner in value:
            yield from _maps(inner)


def _inside(node: Node) -> Iterator[Node]:
    yield node
    for child in (*(part for pair in node.entries for part in pair), *node.items):
        yield from _inside(child)


def _merges(document: Document, node: Node) -> list[tuple[Node, Node]]:
    return [(key, value) for key, value in node.entries if document.text(key.start, key.end) == "<<"]


def _kind(value: object) -> Kind:
    return "map" if isinstance(value, PlacedMap) else "list" if isinstance(value, PlacedList) else "scalar"


def _comment_in(rest: str) -> str:
    """Return the comment in the rest of a line, with the blanks before it."""
    found = re.search(r"\s+#.*", rest)
    return found[0].rstrip() if found else ""


def _shifted(lines: Iterable[str], by: int, column: int = 0) -> list[str]:
    """Return lines moved to the right, or to the left as far as they go; comments left of `column` stay there."""

    def shifted(line: str) -> str:
        indent = len(line) - len(line.lstrip(" "))
        if not line.strip() or (indent < column and line[indent] == "#"):
            return line
        return " " * by + line if by >= 0 else line[min(-by, indent) :]

    return [shifted(line) for line in lines]


def _without_blanks_above(lines: list[str]) -> list[str]:
    return lines[next(number for number, line in enumerate(lines) if line.strip()) :]


def _joined(first: str, head: str) -> str:
    return f"{first} {head}" if head else first


def _plain(key: str) -> str:
    return _dumped(str(key))


def _bare(value: object) -> object:
    if isinstance(value, bool) or value is None:
        return value
    written = getattr(value, "text", None)
    return yaml.safe_load(written) if written is not None else str(value)


def _fresh(value: object, column: int) -> tuple[str, list[str]]:
    """Return a scalar laid out anew: a block when it has lines, else in the plainest style that says the same."""
    if value is None:
        return "", []
    if not isinstance(value, Text):
        return str(getattr(value, "text", str(value).lower())), []
    lines = value.split("\n")
    is_block = len(lines) > 1 and value.isprintable() is False and not lines[0].startswith((" ", "\t"))
    if is_block and lines[0] and "\r" not in value and all(c.isprintable() or c in "\n\t" for c in value):
        kept = "" if value.endswith("\n") and not value.endswith("\n\n") else "-" if lines[-1] else "+"
        body = lines[:-1] if not lines[-1] else lines
        return f"|{kept}", [" " * (column + _STEP) + line if line else "" for line in body]
    return _dumped(str(value)), []


def _dumped(value: object) -> str:
    """Return a value on one line, quoted where it must be; in the quotes that take fewer escapes."""
    text = yaml.safe_dump(value, width=_ENDLESS, allow_unicode=True, default_flow_style=True)
    text = text.removesuffix("\n").removesuffix("\n...")
    inner = str(value)
    if text.startswith("'") and 0 < inner.count("'") >= inner.count('"') and "\\" not in inner:
        return '"' + inner.replace('"', '\\"') + '"'
    return text
