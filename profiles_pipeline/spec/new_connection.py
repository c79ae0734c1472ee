"""Adds an output to the text of a siteconfig.yaml; every line that was there stays as it was, comments included."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from profiles_pipeline.errors import Problem, Problems, ProjectError, fail
from profiles_pipeline.spec.placed import PlacedMap
from profiles_pipeline.spec.siteconfig import load_siteconfig
from profiles_pipeline.spec.yaml_nodes import parse_yaml, read_yaml

_PLAIN = re.compile(r"[A-Za-z_./~][A-Za-z0-9_./~-]*")
_NOT_TEXT = frozenset(["~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", ".", "..", ".inf", ".nan"])


@dataclass(frozen=True, slots=True)
class NewOutput:
    """An output to add.

    Attributes:
        connection: name of the connection; made when there is none.
        target: name of the output in it.
        settings: keys and values as they will stand in the file, ``type`` first.
    """

    connection: str
    target: str
    settings: Mapping[str, str | int | bool]


def add_output(file: Path, new: NewOutput) -> None:
    """Write `new` into the siteconfig `file`, which is made if needed. Afterwards only its owner can read the file.

    Raises:
        ProjectError: the connection has that target already, or the file has a form into which nothing can be put
            safely; the file is as it was.
    """
    file = file.expanduser()
    before = file.read_bytes().decode("utf-8", errors="replace") if file.is_file() else ""
    after = text_with(before, new, str(file))
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    real = file.resolve()
    descriptor, draft = tempfile.mkstemp(dir=real.parent, prefix=".siteconfig-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            stream.write(after)
        _prove(Path(draft), before, new, str(file))
        Path(draft).chmod(0o600)
        Path(draft).replace(real)
    finally:
        Path(draft).unlink(missing_ok=True)


def text_with(text: str, new: NewOutput, file: str) -> str:
    """Return the text of a siteconfig with one more output. Raises ProjectError when it has that output already."""
    problems = Problems()
    config = parse_yaml(text, file, problems)
    if problems.errors or not isinstance(config, PlacedMap | None):
        raise ProjectError(_without_excerpt(problems) or [_no_room(file, new)])
    connections = config.get("connections") if config else None
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []
    if config is None or "connections" not in config:
        return _joined(text, [*lines, *([""] if lines else []), "connections:", *_connection(new, 2)])
    if connections is None:
        at = config.key_span("connections").line
        return _joined(text, [*lines[:at], *_connection(new, 2), *lines[at:]])
    if not isinstance(connections, PlacedMap):
        raise ProjectError([_no_room(file, new)])
    found = connections.get(new.connection)
    if found is None:
        return _joined(text, _inside(lines, connections, lambda indent: _connection(new, indent)))
    outputs = found.get("outputs") if isinstance(found, PlacedMap) else None
    if not isinstance(outputs, PlacedMap):
        raise ProjectError([_no_room(file, new)])
    if new.target in outputs:
        message = f"connection '{new.connection}' has a target '{new.target}' already"
        fail("target-exists", message, outputs.key_span(new.target), hint="choose another target, or edit the file")
    return _joined(text, _inside(lines, outputs, lambda indent: _output(new, indent)))


def _inside(lines: list[str], mapping: PlacedMap, entry: Callable[[int], list[str]]) -> list[str]:
    """Return the lines with an entry put behind the last line of a block mapping."""
    first = min(span for span in mapping.key_spans.values())
    indent = first.column - 1
    last = first.line
    for number in range(first.line + 1, len(lines) + 1):
        line = lines[number - 1]
        if line.strip() and len(line) - len(line.lstrip(" ")) < indent:
            if not line.lstrip().startswith("#"):
                break
        elif line.strip():
            last = number
    return [*lines[:last], *entry(indent), *lines[last:]]


def _connection(new: NewOutput, indent: int) -> list[str]:
    pad = " " * indent
    head = [f"{pad}{_scalar(new.connection)}:", f"{pad}  target: {_scalar(new.target)}", f"{pad}  outputs:"]
    return head + _output(new, indent + 4)


def _output(new: NewOutput, indent: int) -> list[str]:
    pad = " " * indent
    return [f"{pad}{_scalar(new.target)}:", *(f"{pad}  {key}: {_scalar(value)}" for key, value in new.settings.items())]


def _scalar(value: str | int | bool) -> str:
    """Return `value` as YAML that reads back as the same."""
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT:
        return value
    return json.dumps(value, ensure_ascii=False)


def _joined(text: str, lines: list[str]) -> str:
    ending = "\r\n" if "\r\n" in text else "\n"
    return ending.join(lines) + ending


def _prove(draft: Path, before: str, new: NewOutput, file: str) -> None:
    """Raise ProjectError unless the draft holds everything the file held, unchanged, and the new output."""
    problems = Problems()
    old = parse_yaml(before, file, problems)
    fresh = read_yaml(draft, file, problems)
    if problems.errors or fresh != _with(_mapping(old), new):
        raise ProjectError([_no_room(file, new)])
    load_siteconfig(draft)


def _with(config: Mapping[str, object], new: NewOutput) -> dict[str, object]:
    """Return what a configuration means once `new` is in it."""
    connections = _mapping(config.get("connections"))
    connection = _mapping(connections.get(new.connection)) or {"target": new.target}
    outputs = {**_mapping(connection.get("outputs")), new.target: dict(new.settings)}
    return {**config, "connections": {**connections, new.connection: {**connection, "outputs": outputs}}}


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, PlacedMap) else {}


def _no_room(file: str, new: NewOutput) -> Problem:
    excerpt = "\n".join(["connections:", *_connection(new, 2)])
    message = f"{file} is written in a form that cannot be added to safely"
    return Problem("no-room", message, None, "add these lines by hand", excerpt)


def _without_excerpt(problems: Problems) -> list[Problem]:
    """Return the errors without the lines they show: those could hold a password."""
    return [Problem(p.code, p.message, p.span, p.hint) for p in problems.errors]
