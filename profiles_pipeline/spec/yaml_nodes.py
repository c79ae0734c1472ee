"""Reads YAML into placed values: mappings, lists, texts, numbers, booleans and None, each with its place.

Only the shape of the text is judged here: syntax, duplicate keys, templates without quotes, documents that are too big.
What the keys mean is nobody's business yet.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from profiles_pipeline.errors import Problems, Span
from profiles_pipeline.spec.model import Text
from profiles_pipeline.spec.placed import PlacedList, PlacedMap, Unreadable, WrittenFloat, WrittenInt

MAX_FILE_BYTES = 10_000_000
MAX_ALIASED_NODES = 1_000_000
MAX_DEPTH = 100

_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?\Z")
_TEMPLATE_HINT = 'put quotes around a value that begins with a template: "{{ ... }}"'


def read_yaml(path: Path, file: str, problems: Problems) -> object:
    """Return the placed value of the file at `path`, named `file` in spans; None when it is empty or unreadable.

    Everything wrong with it is added to `problems`; what an unreadable file declares counts as broken.
    """
    before = len(problems.found)
    value = _read(path, file, problems)
    problems.broken.anything |= value is None and len(problems.found) > before
    return value


def _read(path: Path, file: str, problems: Problems) -> object:
    start = Span(file, 1, 1)
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            problems.error("file-too-large", f"the file has {size} bytes, more than {MAX_FILE_BYTES}", start)
            return None
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problems.error("yaml-syntax", f"the file is not UTF-8 text (byte {error.start})", start)
        return None
    except OSError as error:
        problems.error("unreadable-file", f"cannot read the file: {error.strerror or error}", start)
        return None
    return parse_yaml(text, file, problems)


def parse_yaml(text: str, file: str, problems: Problems) -> object:
    """Return the placed value of a YAML document; None when it is empty or wrong. Adds what is wrong to `problems`."""
    try:
        loader = _LOADER(text)
        try:
            root = loader.get_single_node()
        finally:
            loader.dispose()
        if root is None or not _small_enough(root, file, problems):
            return None
    except yaml.YAMLError as error:
        _report_syntax(error, text, file, problems)
        return None
    except RecursionError:
        problems.error("yaml-too-large", "the values are nested too deeply", Span(file, 1, 1))
        return None
    return _Builder(file, text.splitlines(), problems).value(root)


def _small_enough(root: yaml.Node, file: str, problems: Problems) -> bool:
    """Whether the document stays small when every alias is written out; adds a problem when it does not."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size_of(node: yaml.Node, depth: int) -> int:
        key = id(node)
        if key in sizes:
            return sizes[key]
        if key in open_nodes or depth > MAX_DEPTH:
            raise RecursionError
        if isinstance(node, yaml.ScalarNode):
            sizes[key] = 1
            return 1
        open_nodes.add(key)
        children = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
        sizes[key] = 1 + sum(size_of(child, depth + 1) for child in children)
        open_nodes.discard(key)
        return sizes[key]

    written_out = size_of(root, 0)
    if written_out - len(sizes) <= MAX_ALIASED_NODES:
        return True
    message = f"aliases multiply the document to {written_out} values, more than {MAX_ALIASED_NODES}"
    problems.error("yaml-too-large", message, Span(file, 1, 1))
    return False


@dataclass(frozen=True)
class _Builder:
    """Turns composed nodes of one file into placed values."""

    file: str
    lines: list[str]
    problems: Problems

    def value(self, node: yaml.Node) -> object:
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node)
        if isinstance(node, yaml.SequenceNode):
            items = PlacedList(self.span(node))
            for child in node.value:
                items.add(self.value(child), self.span(child))
            return items
        if any(isinstance(key, yaml.MappingNode) and key.flow_style for key, _ in node.value):
            message = "a template stands without quotes"
            self.problems.error("unquoted-template", message, self.span(node), hint=_TEMPLATE_HINT)
            return Unreadable()
        return self.mapping(node)

    def mapping(self, node: yaml.Node) -> PlacedMap:
        result = PlacedMap(self.span(node))
        inherited: list[PlacedMap] = []
        for key_node, value_node in node.value:
            if key_node.tag == _TAG + "merge":
                inherited += self.merged(value_node)
                continue
            key = self.key(key_node)
            if key is None:
                continue
            if key in result:
                self.problems.error(
                    "duplicate-key",
                    f"key '{key}' is given twice in one mapping",
                    self.span(key_node),
                    hint=f"first given at {result.key_span(key)}",
                )
                continue
            result.put(key, self.value(value_node), self.span(key_node), self.span(value_node))
        for source in inherited:
            for key, value in source.items():
                if key not in result:
                    result.put(key, value, source.key_span(key), source.value_span(key))
        return result

    def merged(self, node: yaml.Node) -> list[PlacedMap]:
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        found = [self.mapping(source) for source in sources if isinstance(source, yaml.MappingNode)]
        if len(found) != len(sources):
            self.problems.error("yaml-syntax", "'<<' must name a mapping or a list of mappings", self.span(node))
        return found

    def key(self, node: yaml.Node) -> str | None:
        if isinstance(node, yaml.ScalarNode):
            return str(node.value)
        self.problems.error("yaml-syntax", "a key must be a text", self.span(node))
        return None

    def scalar(self, node: yaml.ScalarNode) -> object:
        text: str = node.value
        span = self.content_span(node)
        if node.style in ("'", '"', "|", ">") or node.tag == _TAG + "str":
            written = Text(text, span, block=node.style == "|")
            if node.style != "|" and node.start_mark.line != node.end_mark.line:
                written.turns = self.turns(text, span, node.end_mark.line)
            return written
        if node.tag == _TAG + "null":
            return None
        if node.tag == _TAG + "bool" and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if node.tag == _TAG + "int" and _INT.match(text):
            return WrittenInt(text, span)
        if node.tag == _TAG + "float" and _FLOAT.match(text):
            return WrittenFloat(text, span)
        return Text(text, span)

    def turns(self, text: str, span: Span, last: int) -> tuple[tuple[int, int, int], ...]:
        """Return offset, line and column of the first word on each line of a text that YAML has folded."""
        found: list[tuple[int, int, int]] = []
        line, column = span.line - 1, span.column - 1
        for word in re.finditer(r"\S+", text):
            while line <= last and line < len(self.lines):
                blank = len(self.lines[line][column:]) - len(self.lines[line][column:].lstrip())
                if self.lines[line].startswith(word[0], column + blank):
                    break
                line, column = line + 1, 0
            else:
                break  # an escape: what is written is not what is meant
            if not found or found[-1][1] != line + 1:
                found.append((word.start(), line + 1, column + blank + 1))
            column += blank + len(word[0])
        return tuple(found)

    def content_span(self, node: yaml.ScalarNode) -> Span:
        """The place of the first character of the content: after the quote, or on the line below ``|``."""
        mark = node.start_mark
        if node.style in ("'", '"'):
            return Span(self.file, mark.line + 1, mark.column + 2)
        if node.style not in ("|", ">"):
            return Span(self.file, mark.line + 1, mark.column + 1)
        first = mark.line + 1
        for line in self.lines[first : node.end_mark.line + 1]:
            if line.strip():
                own = node.value.lstrip("\n")
                indent = (len(line) - len(line.lstrip(" "))) - (len(own) - len(own.lstrip(" ")))
                return Span(self.file, first + 1, indent + 1)
        return Span(self.file, first + 1, 1)

    def span(self, node: yaml.Node) -> Span:
        return Span(self.file, node.start_mark.line + 1, node.start_mark.column + 1)


def _report_syntax(error: yaml.YAMLError, text: str, file: str, problems: Problems) -> None:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        position = getattr(error, "position", 0)
        before = text[:position]
        line, column = before.count("\n"), position - (before.rfind("\n") + 1)
        reason = getattr(error, "reason", None) or str(error)
    else:
        line, column = mark.line, mark.column
        reason = getattr(error, "problem", None) or getattr(error, "context", None) or str(error)
    lines = text.splitlines()
    shown = lines[line] if line < len(lines) else ""
    excerpt = f"{shown}\n{' ' * column}^" if shown else None
    problems.error(
        "yaml-syntax",
        f"not valid YAML: {reason}",
        Span(file, line + 1, column + 1),
        hint=_syntax_hint(lines, line, getattr(error, "context_mark", None)),
        excerpt=excerpt,
    )


def _syntax_hint(lines: list[str], line: int, context: object) -> str | None:
    """What commonly causes a syntax error near `line`."""
    nearby = [line, line - 1, getattr(context, "line", line)]
    for number in nearby:
        if 0 <= number < len(lines) and re.search(r"^\s*(-\s+)?([\w.-]+:\s+)?\{[{%]", lines[number]):
            return _TEMPLATE_HINT
    if 0 <= line < len(lines) and re.match(r" *\t", lines[line]):
        return "indent with spaces, not tabs"
    return None
