"""Changes that are sent to a server which is down, slow, busy, picky or takes only some of them."""

import time
from collections.abc import Iterator

import pytest

from profiles_pipeline.errors import ProjectError, RunError
from profiles_pipeline.publish.retrying import asked_wait
from profiles_pipeline.resolve.publishing import Publisher
from profiles_pipeline_tests.publish.people import Shop
from profiles_pipeline_tests.publish.receiver import SECRET, Receiver, receiving


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    with receiving() as found:
        yield found


def hook(shop: Shop, name: str, url: str, **options: object) -> Publisher:
    destination = {"type": "webhook", "url": url, "secret_env": "HOOK_SECRET", "batch_size": 2, **options}
    return shop.publisher(name=name, key="user_id", properties={"How Many": "n"}, destination=destination)


def crowd(size: int, plus: int = 0) -> dict[str, dict[str, object]]:
    return {f"p{n}": {"ids": [f"user{n:03}"], "n": n + plus} for n in range(size)}


def numbers(receiver: Receiver) -> list[int]:
    return [int(str(change["seq"])) for change in receiver.taken]


def test_changes_arrive_signed_and_in_order(local: Shop, receiver: Receiver) -> None:
    publisher = hook(local, "hook_plain", receiver.url)
    local.put(crowd(3))
    done = local.publish(publisher)
    assert (done.delivered.batches, done.delivered.rows, done.delivered.dead) == (2, 3, 0)
    assert receiver.keys == [f"hook_plain:{done.seq_no}:1-2", f"hook_plain:{done.seq_no}:3-3"]
    assert receiver.forged == 0
    assert [(c["op"], c["key"], c["properties"]) for c in receiver.taken] == [
        ("insert", f"user{n:03}", {"How Many": n}) for n in range(3)
    ]
    local.put({**crowd(2), "p1": {"ids": ["user001"], "n": 9}})
    local.publish(publisher)
    assert [(c["op"], c["key"], c.get("properties")) for c in receiver.taken[3:]] == [
        ("update", "user001", {"How Many": 9}),
        ("delete", "user002", None),
    ]
    assert local.publish(publisher).publication is None
    assert len(receiver.requests) == 3


def test_a_server_that_is_busy_is_asked_again_when_it_says(local: Shop, receiver: Receiver) -> None:
    receiver.answer = lambda number, _: (429, {"Retry-After": "1"}, 0) if number == 1 else (200, {}, 0)
    local.put(crowd(1))
    local.publish(hook(local, "hook_busy", receiver.url))
    (first, *_, sent), (second, *_, again) = receiver.requests
    assert first == second
    assert again - sent >= 1
    assert numbers(receiver) == [1]


def test_a_server_that_is_slow_or_broken_gets_the_same_batch_again(local: Shop, receiver: Receiver) -> None:
    answers = {1: (503, {}, 0.0), 2: (200, {}, 0.6), 3: (200, {}, 0.0)}
    receiver.answer = lambda number, _: answers[number]
    local.put(crowd(1))
    local.publish(hook(local, "hook_slow", receiver.url, timeout="300ms"))
    assert len(set(receiver.keys)) == 1
    assert len(receiver.keys) == 3
    # It had taken the batch that it answered too late: at least once, and the key says that it is the same.
    assert set(numbers(receiver)) == {1}


@pytest.mark.parametrize(
    "headers", [{"Content-Length": "1000"}, {"Transfer-Encoding": "chunked"}, {"Content-Encoding": "gzip"}], ids=str
)
def test_an_answer_that_breaks_off_or_cannot_be_read_is_asked_for_again(
    local: Shop, receiver: Receiver, headers: dict[str, str]
) -> None:
    receiver.answer = lambda number, _: (200, headers if number == 1 else {}, 0)
    local.put(crowd(1))
    name = f"hook_{'_'.join(headers).replace('-', '_').lower()}"
    assert local.publish(hook(local, name, receiver.url)).delivered.rows == 1
    assert len(receiver.keys) == 2
    assert len(set(receiver.keys)) == 1


@pytest.mark.parametrize("headers", [{"Retry-After": "3600"}, {"X-RateLimit-Reset": "99999999999"}], ids=str)
def test_no_server_is_waited_for_longer_than_patience_lasts(
    local: Shop, receiver: Receiver, headers: dict[str, str]
) -> None:
    receiver.answer = lambda *_: (429, headers, 0)
    name = f"hook_wait_{len(headers)}{len(str(headers))}"
    publisher = hook(local, name, receiver.url, patience="1 second")
    local.put(crowd(1))
    began = time.monotonic()
    with pytest.raises(RunError, match=r"answers 429 and asks to wait [0-9,]+ s"):
        local.publish(publisher)
    assert time.monotonic() - began < 5
    assert len(receiver.requests) == 1


def test_an_answer_that_comes_in_drops_is_not_waited_for(local: Shop, receiver: Receiver) -> None:
    receiver.pause = 0.2  # each byte is in time, and all of them are not
    publisher = hook(local, "hook_drops", receiver.url, timeout="500ms", attempts=1)
    local.put(crowd(1))
    with pytest.raises(RunError, match="cannot be reached"):
        local.publish(publisher)
    receiver.pause = 0
    assert local.publish(publisher).delivered.rows == 1


def test_what_is_no_number_is_null_for_a_server(local: Shop, receiver: Receiver) -> None:
    destination = {"type": "webhook", "url": receiver.url, "secret_env": "HOOK_SECRET"}
    publisher = local.publisher(name="hook_nan", key="user_id", properties=["score"], destination=destination)
    scores = {"inf01": "infinity", "nan01": "nan", "neg01": "-infinity", "one01": 1.5}
    local.put({key: {"ids": [key], "score": score} for key, score in scores.items()})
    local.publish(publisher)
    assert [change["properties"] for change in receiver.taken] == [{"score": None}] * 3 + [{"score": 1.5}]
    assert local.publish(publisher).publication is None


def test_what_a_server_refuses_for_good_does_not_hold_up_the_others(local: Shop, receiver: Receiver) -> None:
    def picky(_: int, content: dict[str, object]) -> tuple[int, dict[str, str], float]:
        changes = content["changes"]
        assert isinstance(changes, list)
        return (422 if any(c["key"] == "user003" for c in changes) else 200), {}, 0

    receiver.answer = picky
    publisher = hook(local, "hook_picky", receiver.url, batch_size=5)
    local.put(crowd(5))
    done = local.publish(publisher)
    assert (done.delivered.rows, done.delivered.dead) == (4, 1)
    assert numbers(receiver) == [1, 2, 3, 5]
    assert local.rows("hook_picky__dead_letters", "seq, op, key, status") == [(4, "insert", "user003", 422)]
    local.put(crowd(5, plus=1))
    receiver.answer = lambda *_: (200, {}, 0)
    local.publish(publisher)
    assert numbers(receiver)[4:] == [6, 7, 8, 9, 10]


def test_a_server_that_was_down_gets_what_is_left_before_anything_newer(
    local: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    with receiving() as receiver:
        port = receiver.port
        receiver.answer = lambda number, _: (200 if number == 1 else 500, {}, 0)
        publisher = hook(local, "hook_down", receiver.url, attempts=2)
        local.put(crowd(5))
        with pytest.raises(RunError) as caught:
            local.publish(publisher)
        assert "'hook_down' has 3 changes left to send: 127.0.0.1" in str(caught.value)
        assert "answers 500" in str(caught.value)
        assert numbers(receiver) == [1, 2]
    local.put(crowd(5, plus=10))
    with pytest.raises(RunError) as caught:  # nobody listens any more
        local.publish(publisher)
    assert "has 3 changes left to send" in str(caught.value)
    assert "cannot be reached" in str(caught.value)
    with receiving(port) as receiver:
        done = local.publish(publisher)
        assert numbers(receiver) == [3, 4, 5, 6, 7, 8, 9, 10]
        assert done.publication is not None
        assert done.delivered.rows == 8
        # As of the table when they were written: what was left is not yet what came after it.
        assert [c["properties"] for c in receiver.taken] == [{"How Many": n} for n in (2, 3, 4, 10, 11, 12, 13, 14)]
    ledger = local.rows("publications", "publication, acknowledged, publisher")
    assert [row[:2] for row in ledger if row[2] == "hook_down"] == [(1, 5), (2, 10)]


@pytest.mark.parametrize("status", [301, 401, 403, 404])
def test_a_server_that_refuses_whoever_sends_stops_it(local: Shop, receiver: Receiver, status: int) -> None:
    receiver.answer = lambda *_: (status, {"Location": "http://127.0.0.1:9/"}, 0)
    publisher = hook(local, f"hook_{status}", receiver.url)
    local.put(crowd(1))
    with pytest.raises(RunError) as caught:
        local.publish(publisher)
    assert f"answers {status}" in str(caught.value)
    assert len(receiver.requests) == 1
    receiver.answer = lambda *_: (200, {}, 0)
    local.publish(publisher)
    assert numbers(receiver) == [1]


def test_nothing_is_written_without_an_address_and_a_secret(local: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    local.put(crowd(1))
    monkeypatch.delenv("HOOK_SECRET", raising=False)
    for url, code in (("https://x.org/h", "no-secret"), ("http://x.org/h", "bad-address"), ("ftp://x", "bad-address")):
        with pytest.raises(ProjectError) as caught:
            local.publish(hook(local, "hook_nowhere", url))
        assert [problem.code for problem in caught.value.problems] == [code]
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    for url in ("https://x.org:99999/h", "https://[x/h"):
        with pytest.raises(ProjectError) as caught:
            local.publish(hook(local, "hook_nowhere", url))
        assert [problem.code for problem in caught.value.problems] == ["bad-address"]
    with pytest.raises(ProjectError) as caught:
        local.publish(hook(local, "hook_nowhere", "https://x.org", url_env="NO_SUCH_ADDRESS"))
    assert "the environment has no NO_SUCH_ADDRESS" in str(caught.value)
    assert "hook_nowhere" not in local.session.warehouse.relations(local.session.output.schema)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "Thu, 01 Jan 1970 00:01:40 GMT"}, 40),
        ({"Retry-After": "soon"}, None),
        ({"X-RateLimit-Reset": "75"}, 15),
        ({"X-RateLimit-Reset": "10"}, 0),
        ({}, None),
    ],
)
def test_how_long_a_server_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert asked_wait(headers, now=60) == seconds
