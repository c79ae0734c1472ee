"""Who gets a DuckDB file when: several threads, several processes, foreign programs, sudden deaths."""

import json
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import duckdb
import pytest

from profiles_pipeline.errors import LockTimeoutError, WarehouseError
from profiles_pipeline.warehouse import lock
from profiles_pipeline.warehouse.connect import connect_duckdb
from profiles_pipeline.warehouse.lock import Holder, hold, read_holder
from profiles_pipeline.warehouse.settings import MEMORY, DuckDBSettings
from profiles_pipeline_tests.warehouse.conftest import Spawn

HOLDER = """
import sys
from pathlib import Path
from profiles_pipeline.warehouse import lock
from profiles_pipeline.warehouse.connect import connect_duckdb
from profiles_pipeline.warehouse.settings import DuckDBSettings

settings = DuckDBSettings(path=Path(sys.argv[1]))
with connect_duckdb(settings, purpose=sys.argv[2], on_wait=lambda holder: print("waiting for", holder)) as warehouse:
    warehouse.execute("CREATE TABLE IF NOT EXISTS turns (who VARCHAR)")
    warehouse.execute("INSERT INTO turns VALUES (?)", [sys.argv[2]])
    print("open")
    sys.stdin.readline()
print("closed")
"""

FOREIGN = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=len(sys.argv) > 2)
print("open")
sys.stdin.readline()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "c360.duckdb"


def line(process: object) -> str:
    """Return the next line a process writes."""
    return process.stdout.readline().rstrip()  # type: ignore[attr-defined, no-any-return]


def test_a_second_process_waits_and_says_for_whom(file: Path, spawn: Spawn) -> None:
    first = spawn(HOLDER, file, "building models")
    assert line(first) == "open"
    second = spawn(HOLDER, file, "publishing")
    told = line(second)
    assert told.startswith(f"waiting for process {first.pid} (building models), since 20")
    assert second.poll() is None
    first.communicate("go\n", timeout=20)
    assert line(second) == "open"
    assert second.communicate("go\n", timeout=20)[0] == "closed\n"
    with connect_duckdb(DuckDBSettings(path=file), purpose="look", read_only=True) as warehouse:
        assert warehouse.query("SELECT who FROM turns").rows == [("building models",), ("publishing",)]


def test_the_file_is_free_at_once_when_its_holder_is_killed(file: Path, spawn: Spawn) -> None:
    first = spawn(HOLDER, file, "building models")
    assert line(first) == "open"
    note = Path(f"{file}.lock.json")
    assert json.loads(note.read_text())["pid"] == first.pid
    first.send_signal(signal.SIGKILL)
    first.wait(20)
    assert note.exists()
    assert read_holder(file) == Holder()
    with connect_duckdb(DuckDBSettings(path=file), purpose="next", lock_timeout=0) as warehouse:
        assert warehouse.query("SELECT who FROM turns").rows == [("building models",)]
        assert read_holder(file).purpose == "next"
    assert not note.exists()


def test_time_out_names_the_holder(file: Path, spawn: Spawn) -> None:
    first = spawn(HOLDER, file, "building models")
    assert line(first) == "open"
    expected = rf"c360.duckdb is still in use after \d s of waiting, by process {first.pid} \(building models\), since "
    for timeout in (0, 0.3):
        with (
            pytest.raises(LockTimeoutError, match=expected),
            connect_duckdb(DuckDBSettings(path=file), purpose="hurried", lock_timeout=timeout),
        ):
            pass


def test_threads_take_turns(file: Path) -> None:
    inside: list[str] = []
    overlaps: list[str] = []

    def work(name: str) -> None:
        with connect_duckdb(DuckDBSettings(path=file), purpose=name) as warehouse:
            overlaps.extend(inside)
            inside.append(name)
            warehouse.execute("CREATE TABLE IF NOT EXISTS t (n VARCHAR)")
            warehouse.execute("INSERT INTO t VALUES (?)", [name])
            time.sleep(0.05)
            inside.remove(name)

    threads = [threading.Thread(target=work, args=(f"thread {n}",)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert overlaps == []
    with connect_duckdb(DuckDBSettings(path=file), purpose="look") as warehouse:
        assert warehouse.row_count("t") == 5


def test_the_one_who_waits_is_told_once_at_first(file: Path) -> None:
    told: list[Holder] = []
    release = threading.Event()
    taken = threading.Event()

    def keep() -> None:
        with hold(file, "a long build"):
            taken.set()
            release.wait(60)

    keeper = threading.Thread(target=keep)
    keeper.start()
    assert taken.wait(60)
    with pytest.raises(LockTimeoutError, match="a long build"), hold(file, "other", 0.8, told.append):
        pass
    release.set()
    keeper.join(60)
    assert [(holder.pid, holder.purpose, holder.host) for holder in told] == [
        (os.getpid(), "a long build", socket.gethostname())
    ]


def test_a_long_wait_is_told_again(file: Path, monkeypatch: pytest.MonkeyPatch, spawn: Spawn) -> None:
    monkeypatch.setattr(lock, "TELL_AGAIN_AFTER", 0.2)
    first = spawn(HOLDER, file, "building models")
    assert line(first) == "open"
    told: list[Holder] = []
    with pytest.raises(LockTimeoutError), hold(file, "other", 1.5, told.append):
        pass
    assert len(told) > 1
    assert {holder.pid for holder in told} == {first.pid}


@pytest.mark.parametrize("read_only", [False, True])
def test_a_thread_does_not_wait_for_itself(file: Path, read_only: bool) -> None:
    with (
        connect_duckdb(DuckDBSettings(path=file), purpose="outer"),
        pytest.raises(WarehouseError, match=r"already open in this thread \(outer\)"),
        connect_duckdb(DuckDBSettings(path=file), purpose="inner", read_only=read_only),
    ):
        pass


@pytest.mark.parametrize("note", ["", "{", '{"pid": 1, "nonsense": 2}', "[]", '{"pid": 999999999}'])
def test_a_broken_note_is_ignored(file: Path, note: str) -> None:
    Path(f"{file}.lock.json").write_text(note.replace("}", f', "host": "{socket.gethostname()}"}}'))
    assert read_holder(file) == Holder()
    with hold(file, "unbothered", 0):
        assert read_holder(file).purpose == "unbothered"


def test_a_foreign_program_is_waited_for(file: Path, spawn: Spawn) -> None:
    duckdb.connect(str(file)).close()
    foreign = spawn(FOREIGN, file)
    assert line(foreign) == "open"
    told: list[Holder] = []

    def tell(holder: Holder) -> None:
        told.append(holder)
        foreign.communicate("go\n", timeout=20)

    with connect_duckdb(DuckDBSettings(path=file), purpose="patient", lock_timeout=30, on_wait=tell) as warehouse:
        assert warehouse.scalar("SELECT 1") == 1
    assert [holder.pid for holder in told] == [foreign.pid]
    assert Path(told[0].command).name.startswith("python")


def test_a_foreign_program_that_stays_is_named(file: Path, spawn: Spawn) -> None:
    duckdb.connect(str(file)).close()
    foreign = spawn(FOREIGN, file, "read only")
    assert line(foreign) == "open"
    with (
        pytest.raises(LockTimeoutError, match=rf"by process {foreign.pid} \(.*python"),
        connect_duckdb(DuckDBSettings(path=file), purpose="hurried", lock_timeout=0),
    ):
        pass
    assert not Path(f"{file}.lock.json").exists()


def test_readers_share_the_file(file: Path, spawn: Spawn) -> None:
    duckdb.connect(str(file)).execute("CREATE TABLE t AS SELECT 1 AS n").close()
    foreign = spawn(FOREIGN, file, "read only")
    assert line(foreign) == "open"
    settings = DuckDBSettings(path=file)
    with (
        connect_duckdb(settings, purpose="one", read_only=True, lock_timeout=0) as one,
        connect_duckdb(settings, purpose="two", read_only=True, lock_timeout=0) as two,
    ):
        assert (one.row_count("t"), two.row_count("t")) == (1, 1)
        with pytest.raises(WarehouseError, match="read-only"):
            one.execute("INSERT INTO t VALUES (2)")


def test_a_reader_waits_for_the_writer(file: Path, spawn: Spawn) -> None:
    writer = spawn(HOLDER, file, "building models")
    assert line(writer) == "open"
    told: list[Holder] = []

    def tell(holder: Holder) -> None:
        told.append(holder)
        writer.communicate("go\n", timeout=20)

    settings = DuckDBSettings(path=file)
    with connect_duckdb(settings, purpose="look", read_only=True, lock_timeout=30, on_wait=tell) as warehouse:
        assert warehouse.row_count("turns") == 1
    assert [(holder.pid, holder.purpose) for holder in told] == [(writer.pid, "building models")]


def test_the_file_is_free_after_an_error(file: Path) -> None:
    with pytest.raises(ValueError, match="no"), connect_duckdb(DuckDBSettings(path=file), purpose="fails"):
        raise ValueError("no")
    with connect_duckdb(DuckDBSettings(path=file), purpose="next", lock_timeout=0) as warehouse:
        assert warehouse.scalar("SELECT 1") == 1


def test_a_link_is_the_same_file(file: Path, tmp_path: Path) -> None:
    duckdb.connect(str(file)).close()
    link = tmp_path / "link.duckdb"
    link.symlink_to(file)
    with (
        connect_duckdb(DuckDBSettings(path=file), purpose="outer"),
        pytest.raises(WarehouseError, match="already open in this thread"),
        connect_duckdb(DuckDBSettings(path=link), purpose="inner"),
    ):
        pass


def test_databases_in_memory_are_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with (
        connect_duckdb(DuckDBSettings(path=MEMORY), purpose="one") as one,
        connect_duckdb(DuckDBSettings(path=MEMORY), purpose="two") as two,
    ):
        one.execute("CREATE TABLE t AS SELECT 1 AS n")
        assert two.relations("main") == frozenset()
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_opened(file: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(WarehouseError, match=r"there is no DuckDB file at .*c360\.duckdb"),
        connect_duckdb(DuckDBSettings(path=file), purpose="look", read_only=True),
    ):
        pass
    text = tmp_path / "notes.txt"
    text.write_text("not a database, by far" * 1000)
    rows = tmp_path / "rows.csv"
    rows.write_text("a,b\n1,2\n", encoding="utf-8")
    for path, message in (
        (text, "not a valid DuckDB database file"),
        (text / "x.duckdb", "cannot create the folder"),
        (rows, r"rows\.csv is no DuckDB file"),
    ):
        with pytest.raises(WarehouseError, match=message), connect_duckdb(DuckDBSettings(path=path), purpose="look"):
            pass
    assert text.read_text().startswith("not a database")
    settings = DuckDBSettings(path=rows)
    with (
        pytest.raises(WarehouseError, match=r"rows\.csv is no DuckDB file"),
        connect_duckdb(settings, purpose="look", read_only=True),
    ):
        pass


def test_importing_the_package_loads_no_driver(spawn: Spawn) -> None:
    modules = ("duckdb", "pyarrow", "filelock", "tenacity")
    script = "import sys, profiles_pipeline.warehouse.connect; print([m for m in sys.argv[1:] if m in sys.modules])"
    process = spawn(script, *modules)
    assert process.communicate(timeout=60)[0] == "[]\n"
    assert all(module in sys.modules for module in ("duckdb", "pyarrow"))
