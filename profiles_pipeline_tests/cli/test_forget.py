"""The command that forgets, as it is typed."""

import json
from pathlib import Path

import pytest

from profiles_pipeline.forgetting import forgetting
from profiles_pipeline.publish import syncs
from profiles_pipeline_tests.cli.conftest import Call
from profiles_pipeline_tests.forgetting.town import MAY, OF_ANN, Town
from profiles_pipeline_tests.publish.reverse_etl import CONNECTION, TOKEN, serving

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


FETCHED = """
publish:
  - name: fetched
    from: user/all/feature_view
    key: user_id
    destination: {{type: rudderstack, connection_id: {connection}, api_url: "{url}"}}
    guards: {{max_deleted: null}}
"""


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_sync_that_it_starts_is_watched_to_its_end_also_once_it_is_gone_on_with(
    tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syncs, "_SHORTEST_PAUSE", 0.01)
    with serving() as api:
        town = Town(tmp_path / "town", pipeline=FETCHED.format(connection=CONNECTION, url=api.url))
        town.write(MAY)
        monkeypatch.chdir(town.folder)
        monkeypatch.setenv("RUDDERSTACK_ACCESS_TOKEN", TOKEN)
        assert call("run", "--end-time", "2024-05-09", "-q", "--publish").code == 0
        api.states = [{"status": "running"}, {"status": "failed", "error": "the destination is full"}]
        failed = call("forget", "--id", "email:ann@example.com", "-y")
        assert failed.code == 1
        assert "Sync sync2 has failed: the destination is full" in failed.out
        assert "the destination of fetched has not fetched the deletions" in failed.err
        assert ", verified" in call("forget", "--list").out

        api.states = [{"status": "running"}, {"status": "succeeded"}]
        with pytest.MonkeyPatch.context() as cut:
            cut.setattr(forgetting, "_built_without", _interrupted)
            assert call("forget", "--id", "user_id:u-bob", "-y").code == 130
        assert api.started == 3
        with pytest.MonkeyPatch.context() as nobody:
            nobody.delenv("RUDDERSTACK_ACCESS_TOKEN")
            nobody.setattr(forgetting, "what_is_left", _interrupted)
            assert call("forget", "--resume").code == 130  # how it went is not known then, and can be asked again
        (certificate,) = json.loads(call("forget", "--resume", "--json").out)
        assert api.started == 3
        (published,) = certificate["published"]
        assert (published["deletions"], published["handed_on"]) == (1, True)
        assert (published["sync"]["id"], published["sync"]["succeeded"]) == ("sync3", True)
