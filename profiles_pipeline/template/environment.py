"""Jinja2's sandbox, narrowed to the values of this package: the only place that compiles and runs templates.

A template can call, read and compute nothing but what `SymbolEnvironment` lets through; every call and loop turn is
counted by the session of the rendering.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, cast

from jinja2 import Template, TemplateError, TemplateRuntimeError, TemplateSyntaxError, nodes, pass_context
from jinja2.runtime import Context, LoopContext, StrictUndefined, Undefined
from jinja2.runtime import Macro as BlockMacro
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import missing

from profiles_pipeline.errors import BrokenReferenceError, did_you_mean
from profiles_pipeline.template.faults import RenderError, UnknownNameError, template_line
from profiles_pipeline.template.filters import FILTERS, TESTS
from profiles_pipeline.template.grammar import TemplateParser
from profiles_pipeline.template.references import Owner
from profiles_pipeline.template.scope import Macro
from profiles_pipeline.template.session import Session
from profiles_pipeline.template.translation import has_marks, translate
from profiles_pipeline.template.values import Method, Value, Word
from profiles_pipeline.template.warehouse import BUILT_IN

SOURCE_LIMIT = 1_000_000
"""Most characters of a text with template marks."""
_NESTED_RENDER_COST = 10_000
"""Characters charged for compiling and rendering a text made by a template."""
_LOOP_MEMBERS: Mapping[str, str] = {
    **{name: name for name in ("index", "index0", "revindex", "revindex0", "first", "last", "length")},
    "Counter": "index",
    "Counter0": "index0",
    "Revcounter": "revindex",
    "Revcounter0": "revindex0",
    "First": "first",
    "Last": "last",
}
_INT64 = 2**63
_ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}


class UnresolvedName(StrictUndefined):
    """A name that nothing answers to: any use but ``|isnil`` or as a macro's argument raises `UnknownNameError`."""

    __slots__ = ()

    def __init__(self, hint: str | None = None, *, name: str | None = None) -> None:
        super().__init__(name or hint, missing, name, cast(type[TemplateRuntimeError], UnknownNameError))

    @property
    def bare_name(self) -> str:
        """The name as it was written."""
        return self._undefined_name or ""


class SymbolContext(Context):
    """The names of one template: its own variables, then the globals of its session."""

    session: Session

    def resolve_or_missing(self, key: str) -> object:
        """Return what `key` names, or Jinja2's marker for nothing."""
        found = super().resolve_or_missing(key)
        return global_value(key, self.session) if found is missing else found

    def derived(self, locals: dict[str, object] | None = None) -> SymbolContext:
        """Return a context that also sees the locals of a block."""
        known = {key: value for key, value in (locals or {}).items() if value is not missing}
        return make_context({**self.get_all(), **known}, self.session)


class ProjectMacro(Value):
    """A macro of the project; printed bare it renders without arguments."""

    noun = "a macro"

    def __init__(self, macro: Macro, session: Session) -> None:
        self.macro = macro
        self.session = session

    def call(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> str:
        """Return the macro's text for these arguments; names in its body are the globals, never the caller's."""
        variables = self._bind(args, kwargs)
        with self.session.nested(f"the macro '{self.macro.name}'"):
            try:
                return render_placed(self.macro.value, self.session, variables, self.macro.name)
            except RenderError as fault:
                fault.macros.append(self.macro.name)
                raise

    def _bind(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> dict[str, object]:
        inputs = self.macro.inputs
        bound = dict(zip(inputs, args, strict=False))
        clash = next((name for name in kwargs if name in bound or name not in inputs), None)
        bound |= kwargs
        absent = [name for name in inputs if name not in bound]
        if clash is None and not absent and len(args) <= len(inputs):
            return bound
        takes = f"takes {len(inputs)} argument{'' if len(inputs) == 1 else 's'} ({', '.join(inputs)})"
        wrong = f"'{clash}' does not fit" if clash else f"{len(args) + len(kwargs)} given"
        span = getattr(self.macro.value, "span", None)
        raise RenderError(
            "macro-arguments",
            f"the macro '{self.macro.name}' {takes}, {wrong}",
            hint=f"it is defined at {span}" if span else None,
            needle=self.macro.name,
        )

    def __str__(self) -> str:
        return self.call((), {})


def global_value(name: str, session: Session) -> object:
    """Return what `name` means everywhere in the project: built in, a macro, an entity, cohort or rows; or missing."""
    scope = session.scope
    if name in BUILT_IN:
        return BUILT_IN[name](session)
    if name in scope.macros:
        return ProjectMacro(scope.macros[name], session)
    kind = scope.names.get(name.lower())
    return missing if kind is None else Owner(session, session.owner(name.lower()), kind)


@pass_context
def _printed(context: SymbolContext, value: object) -> str:
    text = text_of(value)
    context.session.spend(len(text))
    return text


def text_of(value: object) -> str:
    """Return how a value prints. Raises RenderError when it has no text."""
    if value is None:
        return ""
    if isinstance(value, BlockMacro):
        return str(value())
    if isinstance(value, str | int | float | Value | Undefined):
        return str(value)
    raise RenderError("template-runtime", "only texts, numbers and references can be printed")


class SymbolEnvironment(SandboxedEnvironment):
    """A sandbox in which only values of this package have members and can be called."""

    context_class = SymbolContext
    intercepted_binops = frozenset({*_ARITHMETIC, "**"})

    def __init__(self) -> None:
        super().__init__(undefined=UnresolvedName, finalize=_printed, keep_trailing_newline=True, cache_size=0)
        self.globals.clear()
        self.filters = dict(FILTERS)
        self.tests = dict(TESTS)

    def preprocess(self, source: str, name: str | None = None, filename: str | None = None) -> str:  # noqa: ARG002
        """Return the text in Jinja2's spelling."""
        return translate(source)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        return TemplateParser(self, source, name, filename).parse()

    def getattr(self, obj: object, attribute: str) -> object:
        """Return a listed member of a value, a key of a mapping, or a field of a loop. Raises RenderError."""
        if isinstance(obj, Undefined):
            str(obj)
        if isinstance(obj, Value):
            return obj.member(attribute)
        if isinstance(obj, Word) and attribute in ("ToSql", "String"):
            return obj
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        if isinstance(obj, LoopContext) and attribute in _LOOP_MEMBERS:
            return getattr(obj, _LOOP_MEMBERS[attribute])
        noun = "nil" if obj is None else "this value"
        raise RenderError("template-runtime", f"{noun} has no '{attribute}'", needle=attribute)

    def getitem(self, obj: object, argument: object) -> object:
        """Return an element of a list, mapping or text, or a listed member of a value. Raises RenderError."""
        if isinstance(obj, list | tuple | str | dict) and isinstance(argument, int | slice | str):
            try:
                return cast(Any, obj)[argument]
            except (LookupError, TypeError, ValueError):
                raise RenderError("template-runtime", f"there is no element [{argument}]") from None
        return self.getattr(obj, str(argument))

    def call(self, context: Context, obj: object, /, *args: object, **kwargs: object) -> object:
        """Call what templates may call. Raises RenderError for anything else."""
        symbols = cast(SymbolContext, context)
        session = symbols.session
        session.step()
        kwargs.pop("_loop_vars", None)
        if isinstance(obj, Method):
            return obj.call(args, kwargs)
        if isinstance(obj, ProjectMacro):
            given = {name: self._argument(symbols, value) for name, value in kwargs.items()}
            return obj.call(tuple(self._argument(symbols, value) for value in args), given)
        if isinstance(obj, BlockMacro):
            with session.nested(f"the macro '{obj.name}'"):
                return _call_block_macro(obj, args, kwargs, session)
        if isinstance(obj, Word) and not args and not kwargs:
            return obj
        if obj in (self.render_again, self.render_text, self.bounded, self.flat_list):
            return cast(Callable[..., object], obj)(*args, **kwargs)
        if isinstance(obj, Undefined):
            str(obj)
        raise RenderError("template-runtime", "this is not a macro or method and cannot be called")

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
        """Compute on 64-bit integers and floats, or join texts. Raises RenderError."""
        if operator == "+" and (isinstance(left, str | Value) or isinstance(right, str | Value)):
            joined = text_of(left) + text_of(right)
            cast(SymbolContext, context).session.spend(len(joined))
            return joined
        if operator not in _ARITHMETIC or not (isinstance(left, int | float) and isinstance(right, int | float)):
            raise RenderError("template-runtime", f"'{operator}' does not work on these values")
        both_int = isinstance(left, int) and isinstance(right, int)
        result = _ARITHMETIC["//" if both_int and operator == "/" else operator](left, right)
        if isinstance(result, int) and not -_INT64 <= result < _INT64:
            raise RenderError("template-runtime", "a number is out of range")
        return result

    def render_again(self, context: SymbolContext, caller: Callable[[], str]) -> str:
        """Return the text of a block, rendered as a template of its own."""
        return self.render_text(context, caller())

    def render_text(self, context: SymbolContext, text: str) -> str:
        """Return a text made by a template, or read from a file, rendered with the names visible there."""
        is_file = getattr(text, "span", None) is not None
        if not has_marks(text) and not is_file:
            return text
        context.session.spend(_NESTED_RENDER_COST)
        with context.session.nested("a text"):
            return _run_placed(text, context) if is_file else _run(compiled(text), context)

    def _argument(self, context: SymbolContext, value: object) -> object:
        """A text may itself be a template; a name that nothing answers to stands for the column of that name."""
        if isinstance(value, UnresolvedName):
            return value.bare_name
        return self.render_text(context, value) if isinstance(value, str) else value

    def flat_list(self, items: list[object]) -> list[object]:
        """Return a list as it is. Raises RenderError when it holds lists: comparing those could take forever."""
        if any(isinstance(item, list | tuple | dict) for item in items):
            raise RenderError("template-runtime", "lists do not nest")
        return items

    def bounded(self, context: SymbolContext, size: int, items: object) -> Iterator[object]:
        """Yield the items of a loop, counting its turns and `size` characters for each."""
        if isinstance(items, Undefined):
            str(items)
        if items is not None and not isinstance(items, list | tuple | dict | str):
            raise RenderError("template-runtime", "this cannot be looped over")
        for item in items or ():
            context.session.step()
            context.session.spend(size)
            yield item


def _call_block_macro(
    macro: BlockMacro, args: tuple[object, ...], kwargs: Mapping[str, object], session: Session
) -> str:
    try:
        text = str(macro(*args, **kwargs))
    except TypeError as error:
        raise RenderError("macro-arguments", str(error), needle=macro.name) from None
    session.spend(len(text))
    return text


ENVIRONMENT = SymbolEnvironment()


def make_context(variables: dict[str, object], session: Session) -> SymbolContext:
    """Return a context with these variables before the globals of the session."""
    context = SymbolContext(ENVIRONMENT, variables, None, {}, None)
    context.session = session
    return context


@lru_cache(maxsize=8192)
def compiled(text: str) -> Template:
    """Return the compiled template. Raises RenderError ``template-syntax`` with the line of `text`."""
    if len(text) > SOURCE_LIMIT:
        raise RenderError("template-syntax", f"a template is limited to {SOURCE_LIMIT:,} characters")
    try:
        return Template.from_code(ENVIRONMENT, ENVIRONMENT.compile(text), {})
    except TemplateSyntaxError as error:
        raise RenderError("template-syntax", str(error.message), line=error.lineno) from None
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise RenderError("template-syntax", f"the template is too complicated: {error}") from None


def _run(template: Template, context: SymbolContext) -> str:
    try:
        return context.session.joined(template.root_render_func(context))
    except UnknownNameError as error:
        name = str(error)
        scope = context.session.scope
        if scope.is_broken(name):
            raise BrokenReferenceError from None
        hint = did_you_mean(name, [*context.parent, *scope.macros, *scope.names, *BUILT_IN])
        fault = RenderError("unknown-name", f"nothing is named '{name}'", hint=hint, needle=name)
        raise fault.with_traceback(error.__traceback__) from None
    except (TypeError, ValueError, ArithmeticError, LookupError, TemplateError) as error:
        fault = RenderError("template-runtime", f"the template cannot be rendered: {error}")
        raise fault.with_traceback(error.__traceback__) from None


def render_placed(text: str, session: Session, variables: dict[str, object], macro: str | None = None) -> str:
    """Return `text` rendered with these variables; a fault leaves with its place in `text`. Raises RenderError."""
    return _run_placed(text, make_context(variables, session), macro)


def _run_placed(text: str, context: SymbolContext, macro: str | None = None) -> str:
    marks = context.session.marks
    source = marks.marked(text, macro) if marks else str(text)
    if not has_marks(text):
        return source
    template: Template | None = None
    try:
        template = compiled(source)
        return _run(template, context)
    except RenderError as fault:
        line = template_line(fault.__traceback__, template) if template else fault.line
        fault.place(text, line)
        raise
