"""Nothing in a template reaches Python, the machine, or an unbounded amount of work."""

from __future__ import annotations

import re

import pytest

from profiles_pipeline.errors import ProjectError
from profiles_pipeline.template import Macro, render
from profiles_pipeline.template.session import OUTPUT_LIMIT
from profiles_pipeline_tests.template.scopes import scope

ESCAPES = [
    "{{ ''.__class__ }}",
    "{{ ''['__class__'] }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ 'a'.upper() }}",
    "{{ '{0.__class__}'.format(this) }}",
    "{{ '%s' % this }}",
    "{{ this|attr('__class__') }}",
    "{{ [this]|map(attribute='__class__')|list }}",
    "{{ this|pprint }}",
    "{{ this.session }}(){{ this.session() }}",
    "{{ this.__init__.__globals__ }}{{ this.__init__() }}",
    "{{ this.DeRef._function }}",
    "{{ this.DeRef.__self__ }}",
    "{{ this.DeRef('models/x').session }}",
    "{{ user.Var._owner }}",
    "{{ warehouse.session }}",
    "{{ end_time.moment }}",
    "{{ end_time.Format.__globals__ }}",
    "{{ add.macro }}",
    "{{ add.call }}",
    "{{ self }}",
    "{{ self.__init__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ cycler('a') }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ joiner() }}",
    "{{ namespace(a=1) }}",
    "{{ lipsum() }}",
    "{{ dict(a=1) }}",
    "{{ range(10) }}",
    "{{ environment }}",
    "{{ context }}",
    "{{ config }}",
    "{{ request }}",
    "{{ loop }}",
    "{% for a in [1] %}{{ loop }}{% endfor %}",
    "{% for a in [1] %}{{ loop([1]) }}{% endfor %}",
    "{% for a in [1] %}{{ loop.__class__ }}{% endfor %}",
    "{% for a in [1] %}{{ loop._iterable }}{% endfor %}",
    "{% macro m() %}{% endmacro %}{{ m.__call__ }}",
    "{% macro m() %}{% endmacro %}{{ m.name }}",
    "{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}",
    "{% macro m() %}{{ varargs }}{% endmacro %}{{ m(1) }}",
    "{% macro m() %}{{ kwargs }}{% endmacro %}{{ m(a=1) }}",
    "{% include 'a' %}",
    "{% import 'a' as b %}",
    "{% from 'a' import b %}",
    "{% extends 'a' %}",
    "{% block a %}{% endblock %}",
    "{% call add() %}{% endcall %}",
    "{% filter attr:'__class__' %}a{% endfilter %}",
    "{% autoescape true %}{% endautoescape %}",
    "{% set this.x = 1 %}",
    "{% set user['x'] = 1 %}",
    "{{ add(*['a', 'b']) }}",
    "{{ add(**{'x': 1}) }}",
    "{{ {'a': 1} }}",
    "{{ (1, 2) }}",
    "{{ 'a' ~ 'b' }}",
    "{{ this.ReadFile('../../etc/passwd') }}",
    "{{ this.DeRef('models/x', _loop_vars=1) }}{{ this.DeRef(_block_vars=1) }}",
    "{{ render_text('a') }}",
    "{% exec %}{{ '{' + '{ self.x }' + '}' }}{% endexec %}",
]

CLASSES_OF_PAYLOADS = {
    "globals of web frameworks": [
        "{{ request.application.__globals__ }}",
        "{{ config.items() }}",
        "{{ url_for.__globals__ }}",
        "{{ get_flashed_messages.__globals__.__builtins__ }}",
        "{{ g.pop.__globals__ }}",
        "{{ session.keys() }}",
        "{{ settings.SECRET_KEY }}",
    ],
    "globals of the engine": [
        "{{ self.__init__.__globals__.__builtins__.__import__('os').popen('id').read() }}",
        "{{ self._TemplateReference__context.cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ lipsum.__globals__['os'].popen('id').read() }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ joiner.__init__.__globals__.os.popen('id').read() }}",
        "{{ namespace.__init__.__globals__.os.popen('id').read() }}",
        "{{ __builtins__ }}",
        "{{ __import__('os') }}",
        "{{ open('/etc/passwd') }}",
        "{{ getattr(this, '__class__') }}",
        "{{ eval('1') }}",
        "{{ super() }}",
        "{{ caller() }}",
        "{{ _(1) }}",
    ],
    "climbing the classes": [
        "{{ [].__class__.__base__.__subclasses__() }}",
        "{{ [1].__class__ }}",
        "{{ ''.__class__.__mro__[2].__subclasses__()[40]('/etc/passwd').read() }}",
        "{{ true.__class__ }}",
        "{{ nil.__class__ }}",
        "{{ (1).real }}",
        "{{ (1.5).hex() }}",
        "{{ this.__class__.__init__.__globals__ }}",
        "{{ this.__reduce__() }}",
        "{{ end_time.__reduce_ex__(2) }}",
        "{{ end_time.Format.__func__ }}",
        "{{ warehouse.__module__ }}",
        "{{ this.DeRef.gi_frame }}",
        "{{ this.DeRef.func_globals }}",
        "{{ this.DeRef.__closure__ }}",
        "{{ this.Name.__class__ }}",
        "{{ this.Name.format(1) }}",
        "{{ user.__class__.__mro__ }}{{ user.__class__() }}",
        "{{ BuildContract('{}').terms }}",
        "{{ BuildContract('{\"__class__\": 1}')['__class__'] }}",
    ],
    "names put together": [
        "{{ ''['__cla' + 'ss__'] }}",
        "{{ ''['\\x5f\\x5fclass\\x5f\\x5f'] }}",
        "{{ ''['\\u005f_class__'] }}",
        "{{ ''[['__cl', 'ass__']|join] }}",
        "{{ ''['__CLASS__'|lower] }}",
        "{{ ''['__ssalc__'|reverse] }}",
        "{{ ''['%c%cclass'|format(95, 95)] }}",
        "{{ ''['_-class-_'|replace('-', '_')] }}",
        "{{ this|attr('__cla' + 'ss__') }}",
        "{{ this|attr(request.args.x) }}",
        "{{ 'a'['__class__'[0:9]] }}",
    ],
    "values behind filters and tests": [
        "{{ [this]|map('attr', '__class__')|list }}",
        "{{ [this]|selectattr('__class__')|list }}",
        "{{ [this]|groupby('__class__') }}",
        "{{ [this]|sort(attribute='__class__') }}",
        "{{ [this]|sum(attribute='__class__') }}",
        "{{ '{0.__class__}'|format(this) }}",
        "{{ 'a'|tojson }}",
        "{{ this|xmlattr }}",
        "{{ this|list }}",
        "{{ this|dictsort }}",
        "{{ this is callable }}",
        "{{ 'map' is filter }}",
        "{{ this is sameas this }}",
    ],
    "format strings": [
        "{{ '{0.__class__}'.format(1) }}",
        "{{ '{x.__class__}'.format_map(this) }}",
        "{{ '%(x)s' % this }}",
        "{{ 'a'.join(['b']) }}",
        "{{ 'a'.encode() }}",
    ],
    "tags": [
        "{% for c in ''.__class__.__mro__ %}{{ c }}{% endfor %}",
        "{% for c in this %}{{ c }}{% endfor %}",
        "{% set c = this.DeRef.__class__ %}",
        "{% with c = this.DeRef.__class__ %}{% endwith %}",
        "{% macro m(c=this.DeRef.__class__) %}{% endmacro %}{{ m() }}",
        "{% if this.DeRef.__class__ %}{% endif %}",
        "{% debug %}",
        "{% do this.DeRef('x') %}",
        "{% trans %}a{% endtrans %}",
        "{% for a in [1] recursive %}{{ loop.__class__ }}{% endfor %}",
        "{% for a in [1] %}{{ loop.cycle.__globals__ }}{% endfor %}",
        "{% for a in [1] %}{{ loop.changed(1) }}{% endfor %}",
        "{% macro m() %}{% endmacro %}{{ m._func.__globals__ }}",
        "{% macro m() %}{% endmacro %}{{ m._environment }}",
    ],
    "templates made by templates": [
        "{{ add('{{ this.DeRef.__class__ }}', 'b') }}",
        "{{ add('{{ lipsum.__globals__ }}', 'b') }}",
        "{% exec %}{{ '{' + '{ this.DeRef.__class__ }' + '}' }}{% endexec %}",
        "{% exec %}{{ '{' + '% include \"a\" %' + '}' }}{% endexec %}",
    ],
    "files": [
        "{{ this.ReadFile('/etc/passwd') }}",
        "{{ this.ReadFile('~/.pb/siteconfig.yaml') }}",
        "{{ this.ReadFile('models/../../x') }}",
        "{{ this.ReadFile('file:///etc/passwd') }}",
    ],
}
PAYLOADS = [(name, text) for name, texts in CLASSES_OF_PAYLOADS.items() for text in texts]


@pytest.mark.parametrize("text", ESCAPES)
def test_escape_is_refused(text: str) -> None:
    with pytest.raises(ProjectError) as raised:
        render(text, scope())
    assert all("0x" not in problem.message for problem in raised.value.problems)


@pytest.mark.parametrize(("name", "text"), PAYLOADS)
def test_payload_is_refused(name: str, text: str) -> None:
    with pytest.raises(ProjectError) as raised:
        render(text, scope())
    said = str(raised.value)
    assert not re.search("0x|<class|<function|<bound|root:", said), name


@pytest.mark.parametrize(
    ("text", "symbol"),
    [("{{ this.__dict__ }}", '"this:__dict__"'), ("{{ orders.__class__ }}", '"row:orders/__class__"')],
)
def test_names_of_python_are_columns_like_any_other(text: str, symbol: str) -> None:
    assert render(text, scope()).text == symbol


BOMBS = {
    "multiplied text": "{{ 'a' * 1000000000 }}",
    "multiplied list": "{{ [1] * 1000000000 }}",
    "power": "{{ 10 ** 1000000 }}",
    "large product": "{% set a = 9000000000000000000 %}{{ a * a }}",
    "large literal": "{{ " + "9" * 5000 + " }}",
    "doubled text": "{% set a = 'aaaaaaaaaa' %}" + "{% set a = a + a %}" * 40,
    "doubled by a macro": "{% macro m(a) %}{{ a }}{{ a }}{% endmacro %}{% set a = 'aaaaaaaa' %}"
    + "{% set a = m(a) %}" * 40,
    "doubled by join": "{% set a = 'aaaaaaaaaa' %}" + "{% set a = [a, a]|join('') %}" * 40,
    "replaced": "{% set a = 'a' %}" + "{% set a = a + a %}" * 16 + "{{ a|replace('a', a)|length }}",
    "nested lists": "{% set a = [1] %}" + "{% set a = [a, a] %}" * 40,
    "loop in loops": "{% set l = [1,2,3,4,5,6,7,8,9,10] %}" + "{% for a in l %}" * 8 + "{% endfor %}" * 8,
    "loop over much text": "{% macro m() %}{% for a in l %}" + "a" * 10_000 + "{% endfor %}{% endmacro %}"
    "{% set l = '" + "a" * 15_000 + "' %}{{ m() }}",
    "calls without end": "{% macro a() %}{{ b() }}{{ b() }}{% endmacro %}"
    "{% macro b() %}{{ a() }}{{ a() }}{% endmacro %}{{ a() }}",
    "deep brackets": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "deep tags": "{% if true %}" * 5000 + "{% endif %}" * 5000,
    "open marks": "{{" * 200_000,
    "open comments": "{#" * 200_000,
    "open strings": "{{ " + '"\\' * 200_000,
    "long source": "{{ user.x }}" * 100_000,
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", BOMBS)
def test_bomb_is_defused(name: str) -> None:
    with pytest.raises(ProjectError):
        render(BOMBS[name], scope())


def test_output_is_limited() -> None:
    half = "a" * (OUTPUT_LIMIT // 2 + 1)
    assert render("{{ half }}", scope(Macro("half", (), half))).text == half
    with pytest.raises(ProjectError, match="renders to more than"):
        render("{{ half }}{{ half }}", scope(Macro("half", (), half)))


def test_a_fan_of_macros_is_limited() -> None:
    fan = [Macro(f"m{n}", (), f"{{{{ m{n + 1}() }}}}" * 10) for n in range(10)]
    with pytest.raises(ProjectError, match="steps"):
        render("{{ m0() }}", scope(*fan, Macro("m10", (), "a")))


def test_a_rendering_leaves_nothing_for_the_next() -> None:
    render("{% set leaked = 1 %}{{ leaked }}", scope())
    with pytest.raises(ProjectError, match="nothing is named 'leaked'"):
        render("{{ leaked }}", scope())
