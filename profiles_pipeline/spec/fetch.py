"""Brings the folder of a package: shipped with us, a local path, or a git repository at a branch, tag or commit."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from profiles_pipeline.errors import Span, fail
from profiles_pipeline.spec.model import PackageSpec

NEWEST_SCHEMA = 99
ANSWER_SECONDS = 15
"""A repository that says nothing for so long is out of reach."""
TIMEOUT_SECONDS = 60

_CORELIB = re.compile(r"(^|[/:])(rudderstack-)?profiles-corelib(\.git)?(/|$)|^corelib$", re.IGNORECASE)
_BEST = re.compile(r"\{\{\s*best_schema_version\s*\}\}")
_PLACE = re.compile(r"^(?P<repository>.+?)/(?P<kind>tree|tag|commit)/(?P<name>[^/]+)(/(?P<folder>.+?))?/?$")


@dataclass(frozen=True, slots=True)
class _Place:
    """A folder in a repository at a revision; None means the default branch and the root."""

    repository: str
    revision: str | None
    folder: str | None


def fetch(package: PackageSpec, project_folder: Path) -> Path:
    """Return the folder of a package, fetching its repository if need be.

    Raises:
        ProjectError: it is not there, or git cannot bring it.
    """
    url = str(package.url).strip()
    if _CORELIB.search(url):
        return Path(__file__).parent / "corelib"
    place = _place(url)
    if _is_remote(place.repository):
        return _checked_out(place, package.url.span)
    base = (project_folder / Path(place.repository).expanduser()).resolve()
    folder = base / place.folder if place.folder else base
    if not folder.is_dir():
        fail("package-fetch", f"package '{package.name}' is not at {folder}", package.url.span, hint="mend its url")
    return folder


def _place(url: str) -> _Place:
    match = _PLACE.match(url)
    if match is None:
        return _Place(url.removesuffix("/"), None, None)
    return _Place(match["repository"], match["name"], match["folder"])


def _is_remote(repository: str) -> bool:
    return bool(re.match(r"^(https?|ssh|git|file)://|^[\w.-]+@[\w.-]+:", repository))


def _checked_out(place: _Place, span: Span | None) -> Path:
    """Return the folder of a repository in the cache, fetched and at its revision."""
    revision = _best_tag(place, span) if place.revision and _BEST.search(place.revision) else place.revision
    key = hashlib.sha256(f"{place.repository}@{revision}".encode()).hexdigest()[:16]
    root = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "profiles_pipeline" / "packages"
    target = root / key
    if not (target / ".git").is_dir():
        root.mkdir(parents=True, exist_ok=True)
        fresh = root / f".{key}-{os.getpid()}"
        _git(["ls-remote", "--quiet", place.repository, "HEAD"], place.repository, span, ANSWER_SECONDS)
        _git(["clone", "--quiet", place.repository, str(fresh)], place.repository, span)
        if revision:
            _git(["-C", str(fresh), "checkout", "--quiet", revision], place.repository, span)
        fresh.replace(target)
    folder = target / place.folder if place.folder else target
    if not folder.is_dir():
        fail("package-fetch", f"there is no folder '{place.folder}' in {place.repository}", span)
    return folder


def _best_tag(place: _Place, span: Span | None) -> str:
    """Return the tag with the highest schema version that we can read."""
    assert place.revision is not None
    pattern = re.compile(r"(\d+)".join(re.escape(part) for part in _BEST.split(place.revision)))
    listed = _git(["ls-remote", "--tags", place.repository], place.repository, span, ANSWER_SECONDS)
    tags = [line.rpartition("refs/tags/")[2].removesuffix("^{}") for line in listed.splitlines()]
    found = {int(match[1]): tag for tag in tags if (match := pattern.fullmatch(tag)) and int(match[1]) <= NEWEST_SCHEMA}
    if not found:
        fail("package-fetch", f"{place.repository} has no tag like '{place.revision}'", span)
    return found[max(found)]


def _git(arguments: list[str], repository: str, span: Span | None, seconds: int = TIMEOUT_SECONDS) -> str:
    environment = os.environ | {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=10",
    }
    hint = "check the url and your access to it, or use a local path as the package's url"
    try:
        done = subprocess.run(
            ["git", *arguments],  # noqa: S607
            capture_output=True, text=True, timeout=seconds, env=environment, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        fail("package-fetch", f"{repository} did not answer within {seconds} seconds", span, hint=hint)
    except OSError as error:
        fail("package-fetch", f"git could not reach {repository}: {error}", span, hint=hint)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        said = next((line for line in lines if line.startswith(("fatal:", "error:", "ssh:"))), lines[-1])
        fail("package-fetch", f"git could not bring {repository}: {said}", span, hint=hint)
    return done.stdout
