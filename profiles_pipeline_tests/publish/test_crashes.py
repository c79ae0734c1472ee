"""A publication that is cut off at any of its statements: what was published stands, and the next one mends it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from profiles_pipeline import connections, run
from profiles_pipeline.cli import main
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline_tests.publish.people import MODELS, PROJECT, Shop, written

BEFORE = {"ann": {"ids": ["ann01"], "n": 1}, "bob": {"ids": ["bob01"], "n": 2}}
AFTER = {"ann": {"ids": ["ann01"], "n": 1, "city": "Ulm"}, "eve": {"ids": ["eve01"], "n": 3}}


class Cut(BaseException):
    """The statement that would come next never does."""


def cut_at(shop: Shop, number: int, patch: pytest.MonkeyPatch) -> None:
    """Let the n-th statement from now on not be run."""
    warehouse, left = shop.session.warehouse, [number]
    execute = warehouse.execute

    def counted(sql: str, params: object = None) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Cut
        execute(sql, params)  # type: ignore[arg-type]

    patch.setattr(warehouse, "execute", counted)


def attempted(shop: Shop, number: int, **spec: object) -> bool:
    """Publish, cut off at a statement; whether it came to that."""
    publisher = shop.publisher(**spec)
    with pytest.MonkeyPatch.context() as patch:
        cut_at(shop, number, patch)
        try:
            shop.publish(publisher)
        except Cut:
            return True
    return False


def test_it_is_as_if_nothing_had_happened_whatever_statement_it_is_cut_off_at(local: Shop) -> None:
    number, cuts = 1, [0, 0]
    while True:
        name = f"cut{number}"
        first: dict[str, object] = {"name": name, "key": "user_id", "properties": ["n"]}
        second = {**first, "properties": ["n", "city"]}
        local.put(BEFORE)
        is_cut = attempted(local, number, **first)
        cuts[0] += is_cut
        local.publish(local.publisher(**first))
        published = written(local, name)
        assert local.rows(name, "user_id, n") == [("ann01", 1), ("bob01", 2)]
        local.put(AFTER)
        is_cut_later = attempted(local, number, **second)
        cuts[1] += is_cut_later
        if is_cut_later:
            _stands(local, name, published)
            local.publish(local.publisher(**second))
        assert local.rows(name, "user_id, n, city") == [("ann01", 1, "Ulm"), ("eve01", 3, None)]
        changes = local.rows(f"{name}__changes", "seq, publication, op, key", "seq")
        expected = [("I", "ann01"), ("I", "bob01"), ("U", "ann01"), ("D", "bob01"), ("I", "eve01")]
        assert changes == [(n, 1 if n < 3 else 2, *one) for n, one in enumerate(expected, start=1)]
        assert [row[2:4] for row in local.rows("publications", order="3") if row[1] == name] == [(1, 1), (2, 1)]
        if not is_cut and not is_cut_later:
            break
        number += 1
    # Temporary tables, tables and comment, the transaction from its begin to its commit: each was cut off at.
    assert min(cuts) > 10


def _stands(shop: Shop, name: str, published: list[object]) -> None:
    """What was published is there row by row, but for a column that nothing has been written to."""
    found = written(shop, name)
    assert [row[:2] for row in found[0]] == [row[:2] for row in published[0]]  # type: ignore[attr-defined]
    assert found[1:] == published[1:]


def test_a_process_that_is_killed_in_the_middle_of_its_transaction_leaves_nothing(tmp_path: Path) -> None:
    main_ = ["-p", str(tmp_path)]
    (tmp_path / "models").mkdir()
    (tmp_path / "pb_project.yaml").write_text(PROJECT.replace("connection: test", "connection: none"))
    (tmp_path / "models" / "all.yaml").write_text(MODELS)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "people.csv").write_text("user_id,email,name,city,n,score,price,is_new,seen_at,born_on\n"
                                                  "ann01,ann@x.org,Ann,,1,,,,,\n")  # fmt: skip
    declared = "publish: [{name: crm, from: user/all/feature_view, key: user_id, destination: table}]\n"
    (tmp_path / "pipeline.yaml").write_text(declared)
    run.run(ProfilesProject.load(tmp_path), connections.embedded(tmp_path))
    killing = (
        "import os, signal, sys\n"
        "from profiles_pipeline.publish import ledger\n"
        "ledger.Ledger.record = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "from profiles_pipeline.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    command = [sys.executable, "-c", killing, "publish", "crm", *main_]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run(command, env=env, capture_output=True, check=False).returncode == -signal.SIGKILL

    def rows() -> list[list[tuple[object, ...]]]:
        with run.open_session(ProfilesProject.load(tmp_path), connections.embedded(tmp_path), "test") as session:
            tables = ("crm", "crm__changes", "publications")
            return [session.warehouse.query(f"SELECT * FROM profiles.{table}").rows for table in tables]

    assert rows() == [[], [], []]
    with pytest.raises(SystemExit) as left:
        main(["publish", "crm", *main_])
    assert left.value.code == 0
    assert [len(found) for found in rows()] == [1, 1, 1]
