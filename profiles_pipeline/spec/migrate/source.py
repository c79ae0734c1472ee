"""A YAML document as it is written: its nodes with their places, and the lines that belong to each.

Unlike a placed value it still has aliases, merge keys and comments. Lines and columns are counted from 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import yaml

from profiles_pipeline.errors import Span

_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Kind = Literal["scalar", "alias", "map", "list"]
Mark = tuple[int, int]
"""Line and column."""


@dataclass
class Node:
    """A value of the document.

    Attributes:
        start: where it begins, its anchor and tag included.
        content: where its own first character is.
        end: behind its last character; of a block only good to the line.
        style: the quote or block sign of a scalar, if it has one.
        entries: keys and values of a map, in order; merge keys among them.
    """

    kind: Kind
    start: Mark
    content: Mark
    end: Mark
    flow: bool = False
    style: str | None = None
    anchor: str | None = None
    entries: list[tuple[Node, Node]] = field(default_factory=list)
    items: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Region:
    """The lines of an entry of a block: comments above it from `lead`, itself from `first`, up to before `stop`."""

    lead: int
    first: int
    stop: int


@dataclass(frozen=True)
class Document:
    """A file as written.

    Attributes:
        lines: its lines without their ends.
        nodes: every node but aliases, by kind and place.
        entries: key and value of every map, by the key's place.
        entry_lines: the lines of each entry of a block map, by its key's place.
        item_lines: the lines of each item of a block list, by its place.
        columns: the column of the block around a node, by the node's kind and place.
    """

    file: str
    lines: list[str]
    root: Node
    nodes: dict[tuple[Kind, Mark], Node]
    entries: dict[Mark, tuple[Node, Node]]
    entry_lines: dict[Mark, Region] = field(default_factory=dict)
    item_lines: dict[Mark, Region] = field(default_factory=dict)
    columns: dict[tuple[Kind, Mark], int] = field(default_factory=dict)

    def node(self, kind: Kind, span: Span | None) -> Node | None:
        """Return the node of a kind that begins at `span`, if there is one in this file."""
        return self.nodes.get((kind, mark(span))) if span is not None and span.file == self.file else None

    def text(self, begin: Mark, end: Mark) -> str:
        """Return what is written between two places, line ends included."""
        if begin[0] == end[0]:
            return self.lines[begin[0]][begin[1] : end[1]]
        middle = self.lines[begin[0] + 1 : end[0]]
        last = self.lines[end[0]][: end[1]] if end[0] < len(self.lines) else ""
        return "\n".join([self.lines[begin[0]][begin[1] :], *middle, last])


def mark(span: Span) -> Mark:
    """Return the place of a span, counted from 0."""
    return span.line - 1, span.column - 1


def read_document(text: str, file: str) -> Document | None:
    """Return a document that is known to be right; None when it is empty or no map."""
    events = yaml.parse(text, Loader=_LOADER)
    lines = text.removeprefix("\ufeff").splitlines()
    root = None
    for event in events:
        if isinstance(event, yaml.NodeEvent):
            root = _node(event, events, lines)
            break
    if root is None or root.kind != "map" or root.flow:
        return None
    found = list(_walk(root))
    nodes: dict[tuple[Kind, Mark], Node] = {(node.kind, node.start): node for node in found if node.kind != "alias"}
    entries = {key.start: (key, value) for node in found for key, value in node.entries}
    document = Document(file, lines, root, nodes, entries)
    _add_regions(document, root, -1, len(lines))
    return document


def _node(event: yaml.NodeEvent, events: Iterator[yaml.Event], lines: list[str]) -> Node:
    start, end = _mark(event.start_mark), _mark(event.end_mark)
    if isinstance(event, yaml.AliasEvent):
        return Node("alias", start, start, end, anchor=event.anchor)
    anchor = getattr(event, "anchor", None)
    if isinstance(event, yaml.ScalarEvent):
        return Node("scalar", start, start, end, style=event.style, anchor=anchor)
    flow = bool(getattr(event, "flow_style", False))
    kind: Kind = "list" if isinstance(event, yaml.SequenceStartEvent) else "map"
    node = Node(kind, start, start if flow else _dash(end, lines), end, flow, anchor=anchor)
    children = []
    while not isinstance(inner := next(events), yaml.CollectionEndEvent):
        assert isinstance(inner, yaml.NodeEvent)
        children.append(_node(inner, events, lines))
    node.end = _mark(inner.end_mark) if flow else max([child.end for child in children], default=end)
    if kind == "list":
        node.items = children
    else:
        node.entries = list(zip(children[::2], children[1::2], strict=True))
        node.content = node.entries[0][0].start if node.entries and not flow else node.content
    return node


def _mark(found: object) -> Mark:
    return getattr(found, "line", 0), getattr(found, "column", 0)


def _dash(end: Mark, lines: list[str]) -> Mark:
    """Return the place of the first dash of a block list; the parser says it or the character behind."""
    line, column = end
    behind = line < len(lines) and lines[line][column : column + 1] != "-" and lines[line][column - 1 : column] == "-"
    return (line, column - 1) if behind else end


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for key, value in node.entries:
        yield from _walk(key)
        yield from _walk(value)
    for item in node.items:
        yield from _walk(item)


def _add_regions(document: Document, node: Node, first: int, stop: int) -> None:
    """Note the lines of everything in a block that belongs to line `first` and ends before line `stop`."""
    if node.flow or not (node.entries or node.items):
        return
    column = node.content[1]
    regions = document.item_lines if node.kind == "list" else document.entry_lines
    children = [(key.start, value) for key, value in node.entries]
    firsts = [place[0] for place, _ in children]
    if node.kind == "list":
        children = [(item.start, item) for item in node.items]
        firsts = [_dash_line(document.lines, item.start, column) for item in node.items]
    leads = [_lead(document.lines, line, column, first, i == 0) for i, line in enumerate(firsts)]
    for (place, value), own, lead, after in zip(children, firsts, leads, [*leads[1:], stop], strict=True):
        regions[place] = Region(lead, own, after)
        document.columns[value.kind, value.start] = column
        _add_regions(document, value, own, after)


def _dash_line(lines: list[str], place: Mark, column: int) -> int:
    """Return the line of the dash in `column` in front of the item at `place`."""
    line = place[0]
    while line > 0 and lines[line][column : column + 1] != "-":
        line -= 1
    return line


def _lead(lines: list[str], own: int, column: int, parent: int, is_first: bool) -> int:
    """Return the first line of the comments above line `own` that belong to it; those are below the line of the parent.

    Blank lines between comments belong to them, except above the first of a block.
    """
    line = own
    while line - 1 > parent:
        text = lines[line - 1].strip()
        indent = len(lines[line - 1]) - len(lines[line - 1].lstrip())
        is_comment = text.startswith("#") and indent <= column
        if not is_comment and (text or is_first):
            break
        line -= 1
    return line
