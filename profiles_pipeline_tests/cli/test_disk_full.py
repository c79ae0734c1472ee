"""A disk that is full, a real one of some megabytes: what is told, what stays, and how it is gone on with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROFILES = (sys.executable, "-m", "profiles_pipeline")
DAYS = ("2023-11-08T00:00:00Z", "2023-11-09T00:00:00Z")
LEFT_KIB = (0, 150)
"""How much room a run has: none, so that not even its SQL can be written, and less than the warehouse needs."""

_SCRIPT = r"""
import json, os, subprocess, sys
project, disk, *profiles = json.loads(sys.argv[1])
days, left = json.loads(sys.argv[2]), json.loads(sys.argv[3])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk], check=True)
subprocess.run(["cp", "-r", f"{project}/.", disk], check=True)

def run(*arguments):
    command = [*profiles, *arguments, "--project", disk]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr

def shown():
    return run("query", "--format", "csv", "select * from user_profile order by all")[1]

def build(day):
    return run("run", "--quiet", "--no-report", "--end-time", day)

found = {"first": build(days[0]), "before": shown(), "full": []}
filler = f"{disk}/filler"
for kib in left:
    with open(filler, "wb", buffering=0) as file:
        try:
            while file.write(b"0" * 4096):
                pass
        except OSError:
            pass
        file.truncate(max(0, file.tell() - kib * 1024))
    found["full"].append((build(days[1]), shown()))
    os.unlink(filler)
found |= {"again": build(days[1]), "after": shown()}
print(json.dumps(found))
"""


def test_a_run_on_a_full_disk_tells_so_and_the_next_one_ends_as_if_undisturbed(
    quickstart: Path, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    apart = ("unshare", "--user", "--map-root-user", "--mount")  # a disk of its own for these processes alone
    may = subprocess.run([*apart, "mount", "-t", "tmpfs", "tmpfs", disk], capture_output=True, text=True, check=False)
    if may.returncode:
        pytest.skip(f"this machine lets nobody mount a disk for a process: {may.stderr.strip()}")
    arguments = [json.dumps(each) for each in ([str(quickstart), str(disk), *PROFILES], DAYS, LEFT_KIB)]
    command = [*apart, sys.executable, "-c", _SCRIPT, *arguments]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert found["first"][0] == 0, found["first"]
    for (code, _, said), shown in found["full"]:
        assert code in (1, 2)
        assert "No space left on device" in said
        assert "Traceback" not in said
        assert "hint: " in said
        assert shown == found["before"]
    assert found["full"][0][0][2].startswith("error[disk-full]")
    assert found["again"][0] == 0, found["again"]
    for day in DAYS:
        subprocess.run([*PROFILES, "run", "-q", "--no-report", "--end-time", day, "-p", quickstart], check=True)
    query = [*PROFILES, "query", "--format", "csv", "select * from user_profile order by all", "-p", quickstart]
    assert found["after"] == subprocess.run(query, capture_output=True, text=True, check=True).stdout
    assert found["after"] != found["before"]
