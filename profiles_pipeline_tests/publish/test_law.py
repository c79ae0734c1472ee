"""Whatever happens to people: the table is what they are, and the operations are the difference, found in Python."""

from collections.abc import Mapping

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from profiles_pipeline_tests.publish.people import Shop

KEYS = [f"user{number}" for number in range(4)]
VALUES = {
    "name": st.sampled_from([None, "", "a", "b", ";", "1:a;"]),
    "city": st.sampled_from([None, "", "a", "b", "name=1:a;"]),
    "n": st.sampled_from([None, 0, 1, -1]),
    "score": st.sampled_from([None, 0.0, -0.0, 0.1, 0.1000000001, 1e300]),
}
PERSON = st.fixed_dictionaries(VALUES)
STATES = st.lists(st.dictionaries(st.sampled_from(KEYS), PERSON), min_size=2, max_size=4)
State = Mapping[str, Mapping[str, object]]

numbers = iter(range(10**6))


def published(state: State) -> dict[str, tuple[object, ...]]:
    """What is to be in the table: fractions rounded, one kind of zero."""

    def value(given: object) -> object:
        return round(given, 6) + 0.0 if isinstance(given, float) else given

    return {key: tuple(value(person[column]) for column in VALUES) for key, person in state.items()}


def difference(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, str]:
    """Key -> operation."""
    inserted = {key: "I" for key in after.keys() - before.keys()}
    deleted = {key: "D" for key in before.keys() - after.keys()}
    return inserted | deleted | {k: "U" for k in after.keys() & before.keys() if before[k] != after[k]}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(states=STATES)
def test_the_table_is_the_state_and_the_changes_are_the_difference(local: Shop, states: list[State]) -> None:
    name = f"law{next(numbers)}"
    publisher = local.publisher(name=name, key="user_id", properties=list(VALUES))
    before: dict[str, tuple[object, ...]] = {}
    replayed: dict[str, tuple[object, ...]] = {}
    for state in states:
        local.put({f"main {key}": {"ids": [key], **person} for key, person in state.items()})
        done = local.publish(publisher)
        after = published(state)
        found = {str(key): tuple(row) for key, *row in local.rows(name, f"user_id, {', '.join(VALUES)}")}
        assert found == after
        expected = difference(before, after)
        if done.publication is None:
            assert expected == {}
            continue
        changes = local.rows(f"{name}__changes", "op, key, publication", "seq")
        newest = {str(key): str(op) for op, key, number in changes if number == done.publication.number}
        assert newest == expected
        for key, op in newest.items():
            replayed.pop(key, None)
            replayed |= {} if op == "D" else {key: found[key]}
        assert replayed == found
        before = after
