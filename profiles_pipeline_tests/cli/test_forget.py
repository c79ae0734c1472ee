"""The command that forgets, as it is typed."""

import json
from pathlib import Path

import pytest

from profiles_pipeline_tests.cli.conftest import Call
from profiles_pipeline_tests.forgetting.town import MAY, OF_ANN, Town

REFERRED = """  - name: named_elsewhere
    entity_key: user
    vars:
      - entity_var:
          name: invited_by
          select: "max(case when what = 'order' then 'ann@example.com' end)"
          from: inputs/events
"""
"""A feature of others that names her."""


def test_it_says_whom_it_is_about_asks_and_tells_what_is_left(
    tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = Town(tmp_path / "town")
    models = tmp_path / "town" / "models" / "all.yaml"
    text = models.read_text(encoding="utf-8")
    others = text.replace("  - name: of_accounts\n", f"{REFERRED}  - name: of_accounts\n")
    assert others != text
    models.write_text(others, encoding="utf-8")
    town.write(MAY)
    monkeypatch.chdir(town.folder)
    assert call("run", "--end-time", "2024-05-09", "-q").code == 0
    assert call("forget").code == 2
    assert "--id TYPE:VALUE" in call("forget").err
    unknown = call("forget", "--id", "email:eve@example.com", "-y")
    assert (unknown.code, "has not seen email:eve@example.com; nothing was done" in unknown.err) == (2, True)

    planned = call("forget", "--id", "email:ann@example.com", "--plan", "--json")
    assert planned.code == 0
    assert {each["value"] for each in json.loads(planned.out)["ids"]} == OF_ANN
    assert call("forget", "--list", "--json").out.strip() == "[]"
    assert "-y" in call("forget", "--id", "email:ann@example.com", "--json").err

    done = call("forget", "--id", "email:ann@example.com", "-y", "--reason", "asked to")
    assert done.code == 1, done.err
    assert "invited_by" in done.out  # features of others still name her
    assert "--resume" in done.err
    assert "open: profiles forget --resume" in call("forget", "--list").out

    models.write_text(text, encoding="utf-8")
    assert call("run", "--end-time", "2024-05-09", "--seq-no", "new", "-q").code == 0
    assert call("cleanup", "materials", "-y").code == 0
    again = call("forget", "--resume", "--json")
    assert again.code == 0, again.err + again.out
    (certificate,) = json.loads(again.out)
    assert (certificate["verified"], certificate["reason"]) == (True, "asked to")
    assert ", verified" in call("forget", "--list").out

    assert "there was nothing to do" in call("forget", "--resume").out
    assert "forgotten already" in call("forget", "--id", "device:d-ann-2", "-y").out
    assert "will be read again" in call("forget", "--id", "device:d-ann-2", "--undo").out
    assert call("forget", "--id", "device:d-ann-2", "--undo").code == 2
    assert "taken back" in call("forget", "--list").out
