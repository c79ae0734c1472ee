"""Files: what is in them, and that a folder is complete once its manifest is there."""

import hashlib
import json
import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet
import pytest

from profiles_pipeline.errors import RunError
from profiles_pipeline.publish import files
from profiles_pipeline_tests.publish.people import Shop

ALL = ["name", "city", "n", "score", "price", "is_new", "seen_at", "born_on"]
ANN = {
    "ids": ["ann01"], "name": 'Ann "A", Jr.', "city": "", "n": 1, "score": 0.5, "price": "12.30", "is_new": True,
    "seen_at": "2024-03-31 02:30:00.123456", "born_on": "2000-02-29",
}  # fmt: skip


def folders(done: object) -> list[Path]:
    return [Path(name) for name in done.delivered.files]  # type: ignore[attr-defined]


def test_everything_and_what_changed_with_types_and_nulls(opened: Shop) -> None:
    destination = {"type": "files", "path": "out", "formats": ["parquet", "csv"]}
    publisher = opened.publisher(name="dump", key="user_id", destination=destination)
    opened.put({"ann": ANN, "bob": {"ids": ["bob01"]}})
    full, delta = folders(opened.publish(publisher))
    assert (full.parent.name, delta.parent.name) == ("full", "delta")
    assert full.name == delta.name == "000001_seq_no_1"
    rows = pyarrow.parquet.read_table(full / "dump_00001.parquet").to_pylist()
    at = datetime(2024, 3, 31, 2, 30, 0, 123456, tzinfo=UTC)
    values = ['Ann "A", Jr.', "", 1, 0.5, Decimal("12.30"), True, at, date(2000, 2, 29)]
    assert rows == [
        {"user_id": "ann01", **dict(zip(ALL, values, strict=True))},
        {"user_id": "bob01", **dict.fromkeys(ALL)},
    ]
    text = (full / "dump_00001.csv").read_text(encoding="utf-8").splitlines()
    text[1] = text[1].replace("12.300000000", "12.30")  # PostgreSQL says nothing of the scale of a maximum
    assert text[1] == '"ann01","Ann ""A"", Jr.","",1,0.5,12.30,true,2024-03-31 02:30:00.123456Z,2000-02-29'
    assert text[2] == '"bob01",,,,,,,,'
    manifest = json.loads((full / "_manifest.json").read_text(encoding="utf-8"))
    assert (manifest["rows"], manifest["publication"], manifest["contents"]) == (2, 1, "full")
    for file in manifest["files"]:
        content = (full / file["name"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["bytes"], file["sha256"])
    opened.put({"ann": {**ANN, "n": 2}})
    _, delta = folders(opened.publish(publisher))
    changed = pyarrow.parquet.read_table(delta / "dump_00001.parquet").to_pylist()
    assert [(row["op"], row["user_id"], row["n"]) for row in changed] == [("U", "ann01", 2), ("D", "bob01", None)]
    assert folders(opened.publish(publisher)) == []


def test_operations_in_words_and_several_files(local: Shop) -> None:
    destination = {"type": "files", "path": "out", "operations": "word", "rows_per_file": 2, "contents": "delta"}
    publisher = local.publisher(name="parts", key="user_id", destination=destination, properties={"How Many": "n"})
    local.put({f"p{n}": {"ids": [f"user{n}"], "n": n} for n in range(5)})
    (folder,) = folders(local.publish(publisher))
    names = [file["name"] for file in json.loads((folder / "_manifest.json").read_text(encoding="utf-8"))["files"]]
    assert names == [f"parts_0000{n}.parquet" for n in (1, 2, 3)]
    rows = [row for name in names for row in pyarrow.parquet.read_table(folder / name).to_pylist()]
    assert [(row["mutation_type"], row["How Many"]) for row in rows] == [("INSERT", n) for n in range(5)]


def test_a_folder_without_a_manifest_is_not_there_and_is_made_anew(
    local: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = local.publisher(name="cut_files", key="user_id", destination={"type": "files", "path": "out"})
    local.put({"ann": ANN})

    def cut(*_: object) -> None:
        raise OSError(28, "No space left on device", "out")

    with monkeypatch.context() as patch:
        patch.setattr(files.pyarrow.parquet, "write_table", cut)
        with pytest.raises(RunError) as caught:
            local.publish(publisher)
    assert "No space left on device" in str(caught.value)
    root = local.session.project.folder / "out" / "cut_files"
    assert list(root.rglob("_manifest.json")) == []
    done = local.publish(publisher)  # nothing has changed: what is left is written all the same
    assert done.publication is None
    full, delta = folders(done)
    assert (full / "_manifest.json").is_file()
    (full / "_manifest.json").unlink()
    (full / "rubbish").write_text("left by somebody")
    ledger = local.name("publications")
    local.session.warehouse.execute(f"UPDATE {ledger} SET delivered_at = NULL WHERE publisher = 'cut_files'")
    before = (delta / "cut_files_00001.parquet").stat().st_mtime_ns
    local.publish(publisher)
    assert (full / "_manifest.json").is_file()
    assert not (full / "rubbish").exists()
    assert (delta / "cut_files_00001.parquet").stat().st_mtime_ns == before
    shutil.rmtree(root)
