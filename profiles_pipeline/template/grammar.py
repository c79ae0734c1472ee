"""The tags and expressions of the language, as a narrowing and widening of Jinja2's own parser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from jinja2 import nodes
from jinja2.parser import Parser

from profiles_pipeline.template.translation import NOT

TAGS = ("if", "for", "with", "set", "macro", "exec", "filter", "ifequal", "ifnotequal", "firstof", "now", "autoescape")
_OWN = ("exec", "ifequal", "ifnotequal", "firstof", "now", "autoescape")
"""Those of which Jinja2 has none, or another one."""


class TemplateParser(Parser):
    """Parses pongo2's forms of tags; everything that reaches other files or captures output is refused."""

    def parse_statement(self) -> nodes.Node | list[nodes.Node]:
        """Parse one tag of `TAGS`."""
        token = self.stream.current
        if token.type != "name" or token.value not in TAGS:
            self.fail_unknown_tag(str(token.value), token.lineno)
        if token.value not in _OWN:
            return super().parse_statement()
        self._tag_stack.append(str(token.value))
        try:
            parsed: nodes.Node | list[nodes.Node] = getattr(self, f"parse_{token.value}")()
            return parsed
        finally:
            self._tag_stack.pop()

    def parse_exec(self) -> nodes.Node:
        """``exec``: the rendered body is rendered again."""
        line = next(self.stream).lineno
        body = self.parse_statements(("name:endexec",), drop_needle=True)
        call = _environment_call("render_again", [nodes.DerivedContextReference()], line)
        return nodes.CallBlock(call, [], [], body).set_lineno(line)

    def parse_ifequal(self) -> nodes.If:
        """``ifequal a b``, with ``else`` if need be."""
        return self._compared("eq", "endifequal")

    def parse_ifnotequal(self) -> nodes.If:
        """``ifnotequal a b``, with ``else`` if need be."""
        return self._compared("ne", "endifnotequal")

    def _compared(self, operator: str, end: str) -> nodes.If:
        line = next(self.stream).lineno
        left, right = self._operand(), self._operand()
        test = nodes.Compare(left, [nodes.Operand(operator, right)], lineno=line)
        body = self.parse_statements(("name:else", f"name:{end}"))
        other = self.parse_statements((f"name:{end}",), drop_needle=True) if next(self.stream).value == "else" else []
        return nodes.If(test, body, [], other, lineno=line)

    def _operand(self) -> nodes.Expr:
        """Parse one of several values side by side; texts there are not joined, as Jinja2 would."""
        if self.stream.current.type != "string":
            return self.parse_unary()
        text = next(self.stream)
        return self.parse_filter_expr(self.parse_postfix(nodes.Const(text.value, lineno=text.lineno)))

    def parse_firstof(self) -> nodes.Output:
        """``firstof a b "c"``: the first that is not empty."""
        line = next(self.stream).lineno
        values = []
        while self.stream.current.type != "block_end":
            values.append(self._operand())
        found: nodes.Expr = nodes.Const("")
        for value in reversed(values):
            found = nodes.Or(value, found, lineno=line)
        return nodes.Output([found], lineno=line)

    def parse_now(self) -> nodes.Output:
        """``now "2006-01-02"``: the time as of which everything is."""
        line = next(self.stream).lineno
        layout = self.parse_unary()
        self.stream.skip_if("name:fake")
        method = nodes.Getattr(nodes.Name("end_time", "load"), "Format", "load", lineno=line)
        return nodes.Output([nodes.Call(method, [layout], [], None, None, lineno=line)], lineno=line)

    def parse_autoescape(self) -> nodes.Scope:
        """``autoescape on``: SQL is never escaped as HTML is, so the body stands as it is."""
        line = next(self.stream).lineno
        if not self.stream.skip_if("name:on"):
            self.stream.expect("name:off")
        return nodes.Scope(self.parse_statements(("name:endautoescape",), drop_needle=True), lineno=line)

    def parse_with(self) -> nodes.With:
        """``with a=x b=y``, commas optional, or ``with x as a``."""
        node = nodes.With(lineno=next(self.stream).lineno)
        node.targets, node.values = [], []
        while self.stream.current.type != "block_end":
            if self.stream.look().type == "assign":
                target = self.parse_assign_target(name_only=True)
                self.stream.expect("assign")
                value = self.parse_expression()
            else:
                value = self.parse_expression()
                self.stream.expect("name:as")
                target = self.parse_assign_target(name_only=True)
            target.set_ctx("param")
            node.targets.append(target)
            node.values.append(value)
            self.stream.skip_if("comma")
        node.body = self.parse_statements(("name:endwith",), drop_needle=True)
        return node

    def parse_set(self) -> nodes.Assign | nodes.AssignBlock:
        """``set a = x``."""
        node = super().parse_set()
        if isinstance(node, nodes.AssignBlock):
            self.fail("'set' needs a value: {% set name = value %}", node.lineno)
        return node

    def parse_for(self) -> nodes.For:
        """``for``, with every turn counted; the size of its literal text is charged per turn."""
        node = super().parse_for()
        size = sum(len(piece.data) for piece in node.find_all(nodes.TemplateData))
        args = [nodes.ContextReference(), nodes.Const(size), node.iter]
        node.iter = _environment_call("bounded", args, node.lineno)
        return node

    def parse_unary(self, with_filter: bool = True) -> nodes.Expr:
        """Parse an operand; ``!`` takes the operand alone, so that ``!a == b`` compares."""
        if self.stream.current.test(f"name:{NOT}"):
            line = next(self.stream).lineno
            return nodes.Not(self.parse_unary(with_filter), lineno=line)
        return super().parse_unary(with_filter)

    def parse_primary(self, with_namespace: bool = False) -> nodes.Expr:
        """Parse a literal or name; Jinja2's own names for the arguments of a block macro do not exist here."""
        if self.stream.current.test_any("name:varargs", "name:kwargs"):
            self.fail(f"'{self.stream.current.value}' is not available", self.stream.current.lineno)
        return super().parse_primary(with_namespace)

    def parse_concat(self) -> nodes.Expr:
        """Parse a term; ``~`` is no operator of this language."""
        node = super().parse_math2()
        if self.stream.current.type == "tilde":
            self.fail("'~' is not an operator; texts are joined with '+'", self.stream.current.lineno)
        return node

    def parse_list(self) -> nodes.Expr:  # type: ignore[override]
        """Parse ``[a, b]``; that lists do not nest is checked when it is made."""
        items = super().parse_list()
        return _environment_call("flat_list", [items], items.lineno)

    def parse_dict(self) -> nodes.Dict:
        """Refuse: the language has no mappings."""
        self.fail("'{' is not a value", self.stream.current.lineno)

    def parse_tuple(self, simplified: bool = False, **rules: Any) -> nodes.Expr:  # type: ignore[override]  # noqa: ANN401
        """Parse an expression; several with commas only as names to assign to."""
        node = super().parse_tuple(simplified=simplified, **rules)
        if isinstance(node, nodes.Tuple) and not simplified:
            self.fail("unexpected ','", node.lineno)
        return node

    def parse_filter(self, node: nodes.Expr | None, start_inline: bool = False) -> nodes.Expr | None:
        """``|name``, ``|name:argument`` or ``|name(arguments)``."""
        while start_inline or self.stream.current.type == "pipe":
            line = self.stream.current.lineno
            if not start_inline:
                next(self.stream)
            start_inline = False
            name = self.stream.expect("name").value
            args: list[nodes.Expr] = []
            kwargs: list[nodes.Keyword] = []
            if self.stream.current.type == "lparen":
                args, kwargs, _, _ = self.parse_call_args()
            elif self.stream.skip_if("colon"):
                args = [self.parse_unary(with_filter=False)]
            node = nodes.Filter(node, name, args, kwargs, None, None, lineno=line)
        return node

    def parse_call(self, node: nodes.Expr) -> nodes.Call:
        """Parse a call; templates within literal arguments are rendered where they stand, files that are read too."""
        call = super().parse_call(node)
        call.args = [_rendered(arg) for arg in call.args]
        for keyword in call.kwargs:
            keyword.value = _rendered(keyword.value)
        if isinstance(node, nodes.Getattr) and node.attr == "ReadFile":
            args = [nodes.DerivedContextReference(), call]
            return _environment_call("render_text", args, call.lineno)
        return call

    def parse_call_args(
        self,
    ) -> tuple[list[nodes.Expr], list[nodes.Keyword], nodes.Expr | None, nodes.Expr | None]:
        """Parse arguments; unpacking is refused."""
        parsed = super().parse_call_args()
        if parsed[2] or parsed[3]:
            self.fail("'*' cannot unpack arguments here", self.stream.current.lineno)
        return parsed


def _environment_call(name: str, args: Sequence[nodes.Node], line: int) -> nodes.Call:
    call = nodes.Call(nodes.EnvironmentAttribute(name), list(args), [], None, None)
    return cast(nodes.Call, call.set_lineno(line))


def _rendered(argument: nodes.Expr) -> nodes.Expr:
    text = argument.value if isinstance(argument, nodes.Const) else None
    if isinstance(text, str) and (("{{" in text and "}}" in text) or ("{%" in text and "%}" in text)):
        return _environment_call("render_text", [nodes.DerivedContextReference(), argument], argument.lineno)
    return argument
