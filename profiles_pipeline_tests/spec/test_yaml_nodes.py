"""Reading YAML: values, the exact place of each, and what is refused."""

from pathlib import Path

import pytest
import yaml

from profiles_pipeline.errors import Problems, Span
from profiles_pipeline.places import place_at
from profiles_pipeline.spec import yaml_nodes
from profiles_pipeline.spec.model import Text
from profiles_pipeline.spec.placed import PlacedList, PlacedMap, WrittenFloat, WrittenInt
from profiles_pipeline.spec.yaml_nodes import MAX_FILE_BYTES, parse_yaml, read_yaml


@pytest.fixture(params=["libyaml", "pure"], autouse=True)
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs with the fast loader and with the one that is there without libyaml."""
    if request.param == "pure":
        monkeypatch.setattr(yaml_nodes, "_LOADER", yaml.SafeLoader)


def parsed(text: str) -> PlacedMap:
    problems = Problems()
    value = parse_yaml(text, "m.yaml", problems)
    assert problems.found == []
    assert isinstance(value, PlacedMap)
    return value


def place(line: int, column: int) -> Span:
    return Span("m.yaml", line, column)


def text_at(mapping: PlacedMap, key: str) -> Text:
    value = mapping[key]
    assert isinstance(value, Text)
    return value


def only_item(items: object) -> PlacedMap:
    assert isinstance(items, PlacedList)
    (item,) = items
    assert isinstance(item, PlacedMap)
    return item


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("hello", "hello"),
        ("'hello'", "hello"),
        ("30", 30),
        ("-2", -2),
        ("1.50", 1.5),
        ("'30'", "30"),
        ("!!str 30", "30"),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("~", None),
        ("", None),
        ("nil", "nil"),
        ("1_000", "1_000"),
        ("0x1f", "0x1f"),
        ("12:30:45", "12:30:45"),
        ("2022-06-29", "2022-06-29"),
        ("2022.06.29", "2022.06.29"),
        ("=", "="),
    ],
)
def test_scalar_values(written: str, value: object) -> None:
    found = parsed(f"key: {written}\n")["key"]
    assert found == value
    assert isinstance(found, bool) == isinstance(value, bool)


def test_numbers_keep_how_they_were_written() -> None:
    mapping = parsed("a: 1.50\nb: 007\n")
    decimal, whole = mapping["a"], mapping["b"]
    assert isinstance(decimal, WrittenFloat)
    assert isinstance(whole, WrittenInt)
    assert (decimal.text, whole.text) == ("1.50", "007")
    assert (decimal.span, whole.span) == (place(1, 4), place(2, 4))


def test_places_of_keys_values_and_items() -> None:
    mapping = parsed("name: a\nids:\n  - select: x\n    type: y\n  - z\n")
    assert mapping.span == place(1, 1)
    assert mapping.key_span("ids") == place(2, 1)
    assert mapping.value_span("ids") == place(3, 3)
    ids = mapping["ids"]
    assert isinstance(ids, PlacedList)
    first = ids[0]
    assert isinstance(first, PlacedMap)
    assert ids.span_at(1) == place(5, 5)
    assert first.key_span("type") == place(4, 5)
    assert first.value_span("type") == place(4, 11)


def test_places_in_flow_mappings() -> None:
    mapping = parsed("vars:\n  - entity_var: {name: n, select: \"count(*)\", window: {order_by: [ts, 'id']}}\n")
    var = only_item(mapping["vars"])["entity_var"]
    assert isinstance(var, PlacedMap)
    window = var["window"]
    assert isinstance(window, PlacedMap)
    order_by = window["order_by"]
    assert isinstance(order_by, PlacedList)
    assert var.span == place(2, 17)
    assert var.key_span("select") == place(2, 27)
    assert text_at(var, "select").span == place(2, 36)
    assert [order_by.span_at(0), order_by.span_at(1)] == [place(2, 67), place(2, 71)]


@pytest.mark.parametrize(
    ("written", "line", "column", "block"),
    [
        ("select: count(*)", 1, 9, False),
        ('select: "count(*)"', 1, 10, False),
        ("select: 'count(*)'", 1, 10, False),
        ("select: |\n  count(*)", 2, 3, True),
        ("select: |-\n      count(*)\n        + 1", 2, 7, True),
        ("select: | # why\n  count(*)", 2, 3, True),
        ("select: |\n\n  count(*)", 2, 3, True),
        ("select: |2\n    count(*)", 2, 3, True),
        ("select: >-\n  count(\n  *)", 2, 3, False),
        ("select:\n  count(*)", 2, 3, False),
    ],
)
def test_a_text_knows_where_its_content_begins(written: str, line: int, column: int, block: bool) -> None:
    text = text_at(parsed(written + "\n"), "select")
    assert text.span == place(line, column)
    assert text.block is block


def test_lines_of_a_block_are_lines_of_the_file() -> None:
    source = "models:\n  - sql: |\n      select a,\n\n        b\n      from t\n"
    text = text_at(only_item(parsed(source)["models"]), "sql")
    assert text.span is not None
    lines = source.splitlines()
    for offset, line in enumerate(text.splitlines()):
        assert lines[text.span.line - 1 + offset][text.span.column - 1 :] == line


def test_aliases_and_merge_keys() -> None:
    mapping = parsed(
        "base: &base {type: exclude, value: ''}\n"
        "more: &more {value: x, regex: y}\n"
        "one: {<<: *base, value: own}\n"
        "two: {<<: [*base, *more]}\n"
        "name: &name churn\n"
        "same: *name\n"
    )
    assert mapping["one"] == {"type": "exclude", "value": "own"}
    assert mapping["two"] == {"type": "exclude", "value": "", "regex": "y"}
    assert mapping["same"] == "churn"
    two = mapping["two"]
    assert isinstance(two, PlacedMap)
    assert two.key_span("regex") == place(2, 24)


def test_odd_but_legal_layouts() -> None:
    assert parsed("name: a  \nvars:\n") == {"name": "a", "vars": None}
    assert parsed(" models:\n - name: x\n - name: y\n") == {"models": [{"name": "x"}, {"name": "y"}]}
    assert parsed("\ufeffname: a\r\nsql: |\r\n  select 1\r\n") == {"name": "a", "sql": "select 1\n"}


def test_tabs_beside_values() -> None:
    if yaml_nodes._LOADER is yaml.SafeLoader:
        pytest.skip("only libyaml reads tabs beside values")
    assert parsed("a: x\t\nb:\ty\nc: z\t# why\n") == {"a": "x", "b": "y", "c": "z"}


def test_empty_documents_are_nothing() -> None:
    problems = Problems()
    assert parse_yaml("", "m.yaml", problems) is None
    assert parse_yaml("# only a comment\n---\n", "m.yaml", problems) is None
    assert problems.found == []


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("a: 1\nb: 2\na: 3\n", "duplicate-key", 3, 1),
        ("a: {x: 1, x: 2}\n", "duplicate-key", 1, 11),
        ("a: {{ user.x }}\n", "unquoted-template", 1, 4),
        ("a: {{ user.Var('x') }}\n", "unquoted-template", 1, 4),
        ("a: {{ user.x }} + 1\n", "yaml-syntax", 1, 17),
        ("a: [*nobody]\n", "yaml-syntax", 1, 5),
        ("a: 1\n<<: 2\n", "yaml-syntax", 2, 5),
        ("? [a, b]\n: c\n", "yaml-syntax", 1, 3),
        ("a: &a [*a]\n", "yaml-too-large", 1, 1),
        ("a: " + "[" * 150 + "]" * 150, "yaml-too-large", 1, 1),
        ('a: "\x07"\n', "yaml-syntax", 1, 5),
    ],
)
def test_what_is_refused(text: str, code: str, line: int, column: int) -> None:
    problems = Problems()
    parse_yaml(text, "m.yaml", problems)
    assert [problem.code for problem in problems.found] == [code]
    assert problems.found[0].span is not None
    assert (problems.found[0].span.line, problems.found[0].span.column) == (line, column)


def test_a_syntax_error_shows_the_line_and_points_at_the_place() -> None:
    problems = Problems()
    assert parse_yaml("name: a\nwhere: %x\n", "m.yaml", problems) is None
    assert problems.found[0].excerpt == "where: %x\n       ^"


def test_billion_laughs_are_refused_without_being_told() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 30)]
    problems = Problems()
    assert parse_yaml("\n".join(lines), "m.yaml", problems) is None
    assert [problem.code for problem in problems.found] == ["yaml-too-large"]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    problems = Problems()
    (tmp_path / "latin.yaml").write_bytes("name: caf\u00e9".encode("latin-1"))
    with (tmp_path / "big.yaml").open("wb") as big:
        big.truncate(MAX_FILE_BYTES + 1)
    for name in ("latin.yaml", "big.yaml", "missing.yaml"):
        assert read_yaml(tmp_path / name, name, problems) is None
    assert [(problem.code, str(problem.span)) for problem in problems.found] == [
        ("yaml-syntax", "latin.yaml:1:1"),
        ("file-too-large", "big.yaml:1:1"),
        ("unreadable-file", "missing.yaml:1:1"),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: one\n  two three\n", {"one": (1, 4), "two": (2, 3), "three": (2, 7)}),
        ("a: >-\n  one two\n\n  three\n", {"two": (2, 7), "three": (4, 3)}),
        ("a: 'one\n    two'\n", {"one": (1, 5), "two": (2, 5)}),
        ('a: "one\n\n  two\n  three"\n', {"two": (3, 3), "three": (4, 3)}),
        ("a: |\n  one\n   two\n", {"one": (2, 3), "two": (3, 4)}),
    ],
)
def test_every_word_of_a_text_over_several_lines_has_its_place(text: str, words: dict[str, tuple[int, int]]) -> None:
    value = text_at(parsed(text), "a")
    assert {word: place_at(value, value.index(word)) for word in words} == {w: place(*at) for w, at in words.items()}


def test_behind_an_escape_places_are_those_of_the_word_before() -> None:
    value = text_at(parsed('a: "one\n  t\\x77o three"\n'), "a")
    assert value == "one two three"
    assert place_at(value, 0) == place(1, 5)
