from __future__ import annotations

import pytest

from profiles_pipeline.errors import Problem, ProjectError, Span
from profiles_pipeline.spec.model import Text
from profiles_pipeline.template import Macro, render
from profiles_pipeline_tests.template.scopes import scope

PLACE = Span("models/a.yaml", 10, 5)


def problem_of(text: str, *macros: Macro) -> Problem:
    with pytest.raises(ProjectError) as raised:
        render(text, scope(*macros))
    (problem,) = raised.value.problems
    return problem


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("{{ usr.x }}", "unknown-name", "nothing is named 'usr'"),
        ("{{ usr }}", "unknown-name", "'usr'"),
        ("{{ ad('a', 'b') }}", "unknown-name", "'ad'"),
        ("{% if usr %}{% endif %}", "unknown-name", "'usr'"),
        ("{% for x in usr %}{% endfor %}", "unknown-name", "'usr'"),
        ("{{ add(usr.x, 'b') }}", "unknown-name", "'usr'"),
        ("{{ add('{{usr.x}}', 'b') }}", "unknown-name", "'usr'"),
        ("{{ user.x", "template-syntax", ""),
        ("{{ user.x } }", "template-syntax", ""),
        ("{% if true %}", "template-syntax", "endif"),
        ("{% endif %}", "template-syntax", "endif"),
        ("{% while true %}", "template-syntax", "while"),
        ("{# open", "template-syntax", "comment"),
        ("{{ 'a }}", "template-syntax", ""),
        ("{{ 'a'|nofilter }}", "template-syntax", "nofilter"),
        ("{% set a %}b{% endset %}", "template-syntax", "value"),
        ("{{ add('a') }}", "macro-arguments", "takes 2 arguments (x, y), 1 given"),
        ("{{ add('a', 'b', 'c') }}", "macro-arguments", "takes 2 arguments (x, y), 3 given"),
        ("{{ add('a', 'b', z='c') }}", "macro-arguments", "'z' does not fit"),
        ("{{ add('a', x='c') }}", "macro-arguments", "'x' does not fit"),
        ("{{ add }}", "macro-arguments", "0 given"),
        ("{{ frame_clause('a') }}", "macro-arguments", "takes 0 arguments"),
        ("{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "macro-arguments", "m"),
        ("{{ this.DeRef('models/x', dependancy='optional') }}", "macro-arguments", "dependancy"),
        ("{{ this.DeRef('models/x', dependency='perhaps') }}", "macro-arguments", "perhaps"),
        ("{{ this.DeRef('models/x', prereqs=['a']) }}", "macro-arguments", "prereqs"),
        ("{{ this.DeRef('models/x', contract='{}') }}", "macro-arguments", "BuildContract"),
        ("{{ this.DeRef('') }}", "bad-path", "path"),
        ("{{ this.DeRef('../../../x') }}", "bad-path", "leaves the project"),
        ("{{ this.DeRef('models//x') }}", "bad-path", "models//x"),
        ("{{ this.DeRef('~') }}", "bad-path", "names nothing"),
        ("{{ this.DeRef(1) }}", "bad-path", "path"),
        ("{{ user.Var('a/b/c/d') }}", "bad-path", "a/b/c/d"),
        ("{{ this.ReadFile('models/absent.sql') }}", "bad-path", "no such file"),
        ("{{ this.ReadFile('models/endless.sql') }}", "template-recursion", "nested"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "template-recursion", "m"),
        ("{{ user }}", "template-runtime", "entity 'user' is not a relation"),
        ("{{ vip }}", "template-runtime", "cohort 'vip' is not a relation"),
        ("{{ this.DeRef('models/x').user_id }}", "template-runtime", "user_id"),
        ("{{ this.DeReff('models/x') }}", "template-runtime", "called"),
        ("{{ this.DeRef }}", "template-runtime", "method"),
        ("{{ warehouse.DatabaseTyp() }}", "template-runtime", "DatabaseTyp"),
        ("{{ warehouse }}", "template-runtime", "printed"),
        ("{{ warehouse.DataType() }}", "template-runtime", "DataType()"),
        ("{{ warehouse.EntityCohortCondition('models/x', 'of') }}", "macro-arguments", "of"),
        ("{{ warehouse.Timestamp('soon') }}", "template-runtime", "soon"),
        ("{{ end_time.Add('1 week') }}", "template-runtime", "duration"),
        ("{{ end_time.Add('9999999999h') }}", "template-runtime", "calendar"),
        ("{{ this.DeRef('models/none').Model.ModelType() }}", "template-runtime", "models/none"),
        ("{{ this.MultiDeRef('models/x') }}", "template-runtime", "MultiDeRef"),
        ("{{ BuildContract('{') }}", "template-runtime", "JSON"),
        ("{{ 1 / 0 }}", "template-runtime", "zero"),
        ("{{ 'a' < 1 }}", "template-runtime", ""),
        ("{{ [1] }}", "template-runtime", "printed"),
    ],
)
def test_codes(text: str, code: str, words: str) -> None:
    problem = problem_of(text)
    assert problem.code == code
    assert words in problem.message


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("{{ usr.x }}", "did you mean 'user'?"),
        ("{{ macro_datedif('a') }}", "did you mean 'macro_datediff'?"),
        ("{{ warehouse.DatabaseTyp() }}", "did you mean 'DatabaseType'?"),
        ("{{ this.DeRef('models/x', dependancy='optional') }}", "did you mean 'dependency'?"),
    ],
)
def test_hints(text: str, hint: str) -> None:
    assert problem_of(text).hint == hint


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        # one line: the column counts from where the text begins
        (Text("{{ usr.x }}", PLACE), 10, 8),
        (Text("max({{ user.x }}) - {{ usr.x }}", PLACE), 10, 28),
        (Text("usr {{ usr.x }}", PLACE), 10, 12),
        (Text("{{ user.x }} {{ this.DeRef('a//b') }}", PLACE), 10, 33),
        (Text("a {% if true %}", PLACE), 10, 7),
        (Text("{{ user.x }} {{ 'a'.upper }}", PLACE), 10, 25),
        # a literal block: its lines are lines of the file
        (Text("select\n  {{ usr.x }}\n", PLACE, block=True), 11, 10),
        (Text("{# a\nb #}\nselect {{ user.x }}\n, {{ usr.x }}", PLACE, block=True), 13, 10),
        (Text("{% comment %}\n{{ usr }}\n{% endcomment %}\n{{ usr.x }}", PLACE, block=True), 13, 8),
        (Text("select\n{% if true %}\n\n{% iff %}", PLACE, block=True), 13, 5),
        (Text("{% with\n  a = 1\n  b = usr.x\n%}{{ a }}{% endwith %}", PLACE, block=True), 12, 11),
        (Text("{% if true && !false %}\n{{ usr.x }}{% endif %}", PLACE, block=True), 11, 8),
        (Text("{% for a in [1] %}\n\n{{ add(\n'b') }}{% endfor %}", PLACE, block=True), 12, 8),
        # folded by YAML: only the beginning is known
        (Text("select\n{{ usr.x }}", PLACE), 10, 5),
    ],
)
def test_places(text: Text, line: int, column: int) -> None:
    assert problem_of(text).span == Span("models/a.yaml", line, column)


def test_text_without_a_place_gives_a_problem_without_one() -> None:
    assert problem_of("{{ usr.x }}").span is None


def test_wrong_arguments_name_call_and_definition() -> None:
    macro = Macro("within", ("column", "days"), Text("{{ column }} <= {{ days }}", Span("models/macros.yaml", 3, 12)))
    problem = problem_of(Text("a {{ within('b') }}", PLACE), macro)
    assert problem.span == Span("models/a.yaml", 10, 10)
    assert problem.hint == "it is defined at models/macros.yaml:3:12"


def test_problem_in_a_macro_is_placed_in_the_macro_and_names_the_call() -> None:
    macro = Macro("broken", (), Text("select\n{{ nobody }}", Span("models/macros.yaml", 3, 7), block=True))
    problem = problem_of(Text("a {{ broken() }}", PLACE), macro)
    assert problem.span == Span("models/macros.yaml", 4, 10)
    assert problem.message == "nothing is named 'nobody', in macro 'broken', called at models/a.yaml:10:10"


def test_syntax_problem_in_a_macro_is_placed_in_the_macro() -> None:
    macro = Macro("broken", (), Text("a\n{% if %}", Span("models/macros.yaml", 3, 7), block=True))
    problem = problem_of(Text("{{ broken() }}", PLACE), macro)
    assert (problem.code, problem.span) == ("template-syntax", Span("models/macros.yaml", 4, 7))


@pytest.mark.parametrize(
    "value", ["{{ again() }}", "{{ again }}", "{% exec %}{{ '{' + '{ again() }' + '}' }}{% endexec %}"]
)
def test_endless_macro(value: str) -> None:
    problem = problem_of(Text("{{ again() }}", PLACE), Macro("again", (), value))
    assert problem.code == "template-recursion"
    assert problem.span == Span("models/a.yaml", 10, 8)


def test_endless_pair_of_macros() -> None:
    problem = problem_of(
        "{{ ping('a') }}", Macro("ping", ("x",), "{{ pong(x) }}"), Macro("pong", ("x",), "{{ ping(x) }}")
    )
    assert problem.code == "template-recursion"
