"""How a template goes wrong inside, and where in the YAML that is."""

from __future__ import annotations

import re
from dataclasses import replace
from types import TracebackType

from jinja2 import Template

from profiles_pipeline.errors import Problem, Span
from profiles_pipeline.template.translation import code_spans


class RenderError(Exception):
    """Something wrong in a template, not yet or already placed.

    Attributes:
        needle: the word to look for on the line, to find the column.
        line: line of the template text, counted from 1, when the exception itself knows it.
        span: place in the file, once known.
        macros: names of the macros it happened in, innermost first.
        call_site: where the outermost of those macros was called.
    """

    def __init__(
        self, code: str, message: str, *, hint: str | None = None, needle: str | None = None, line: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.needle = needle
        self.line = line
        self.span: Span | None = None
        self.macros: list[str] = []
        self.call_site: Span | None = None

    def place(self, text: str, line: int | None) -> None:
        """Give the fault its place in `text`; if it has one already, `text` is where the macro was called."""
        if self.macros:
            span = span_in(text, line, self.macros[-1])
            self.call_site = span if self.span else None
        else:
            span = span_in(text, line, self.needle)
        self.span = self.span or span

    def problem(self) -> Problem:
        """Return what the user is told."""
        where = "".join(f", in macro '{name}'" for name in dict.fromkeys(self.macros))
        called = f", called at {self.call_site}" if self.call_site else ""
        return Problem(self.code, f"{self.message}{where}{called}", self.span, self.hint)


class UnknownNameError(Exception):
    """A name that nothing in scope answers to. Its only argument is the name."""


def span_in(text: str, line: int | None, needle: str | None) -> Span | None:
    """Return the place in the file of `needle` (else of the first template mark) on or after a line of `text`.

    None when `text` does not know where it stands. A text folded by YAML is placed at its beginning.
    """
    span: Span | None = getattr(text, "span", None)
    if span is None or line is None:
        return span
    offset = _offset(text, line, needle)
    if offset is not None:
        line = text.count("\n", 0, offset) + 1
        column = offset - (text.rfind("\n", 0, offset) + 1)
    else:
        column = 0
    if getattr(text, "block", False):
        return replace(span, line=span.line + line - 1, column=span.column + column)
    return replace(span, column=span.column + column) if "\n" not in text else span


def _offset(text: str, line: int, needle: str | None) -> int | None:
    start = 0
    for _ in range(line - 1):
        start = text.find("\n", start) + 1
    spans = [(max(begin, start), end) for begin, end in code_spans(text) if end > start]
    if needle:
        word = re.compile(rf"(?<!\w){re.escape(needle)}(?!\w)")
        for begin, end in spans:
            found = word.search(text, begin, end)
            if found:
                return found.start()
    return spans[0][0] if spans else None


def template_line(trace: TracebackType | None, template: Template) -> int | None:
    """Return the line of `template` that was running outermost when the exception passed."""
    line: int | None = None
    while line is None and trace is not None:
        if trace.tb_frame.f_globals.get("__jinja_template__") is template:
            line = template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return line
