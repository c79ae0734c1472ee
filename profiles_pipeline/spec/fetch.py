"""Brings the folder of a package: shipped with us, a local path, a folder in an object store, or a git repository at a
branch, tag or commit.

What is fetched is kept in ``.profiles/packages`` of the project. Tags and commits are fetched once; the rest again when
the copy is older than an hour, and when its server cannot be reached the copy is used.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from profiles_pipeline.errors import ProjectError, fail
from profiles_pipeline.spec.git import Repository
from profiles_pipeline.spec.model import PackageSpec
from profiles_pipeline.spec.siteconfig import GitCredential, load_siteconfig
from profiles_pipeline.spec.stores import StoreCredential, StoreError, bring, is_object

NEWEST_SCHEMA = 99
FRESH_SECONDS = 3600
"""How long the copy of a branch counts as the branch."""
FOLDER = Path(".profiles") / "packages"

Fetch = Callable[[PackageSpec, Path], Path]

_CORELIB = re.compile(r"(^|[/:])(rudderstack-)?profiles-corelib(\.git)?(/|$)|^corelib$", re.IGNORECASE)
_BEST = re.compile(r"\{\{\s*best_schema_version\s*\}\}")
_PLACE = re.compile(r"^(?P<repository>.+?)(/-)?/(?P<kind>tree|tag|commit)/(?P<rest>[^/].*?)/?$")
_HASH = re.compile(r"[0-9a-f]{4,40}", re.IGNORECASE)
_KINDS = {"tree": "branch", "tag": "tag", "commit": "commit"}
_REMOTE = re.compile(r"^(https?|ssh|git|file)://|^[\w.-]+@[\w.-]+:")


@dataclass(frozen=True, slots=True)
class Place:
    """What a url names: a repository or local folder, and in it a branch, tag or commit and then a folder.

    `rest` holds the two with a slash between them: a branch may have slashes itself. Both may be missing.
    """

    repository: str
    kind: str | None = None
    rest: str = ""

    @property
    def is_lasting(self) -> bool:
        """True when it never means anything else."""
        return self.kind in ("tag", "commit") and not _BEST.search(self.rest)


def fetcher(project_folder: Path, siteconfig: Path | None = None) -> Fetch:
    """Return what brings the packages of the project in `project_folder`.

    It takes a package and the folder of the project that names it, and returns the package's folder. It raises
    ProjectError when there is none, or it cannot be brought.

    Args:
        project_folder: where copies are kept, in the state folder.
        siteconfig: the file with the git credentials; None for the default one.
    """

    def credentials() -> tuple[GitCredential, ...]:
        return load_siteconfig(siteconfig).git_credentials()

    def fetch(package: PackageSpec, used_by: Path) -> Path:
        url = str(package.url).strip()
        if _CORELIB.search(url):
            return Path(__file__).parent / "corelib"
        if is_object(url):
            return _objects(package, load_siteconfig(siteconfig).store_credentials(), project_folder / FOLDER)
        place = place_of(url)
        if _REMOTE.match(place.repository):
            return _copy(place, Repository(place.repository, package.url.span, credentials), project_folder / FOLDER)
        if "://" in place.repository:
            message = f"package '{package.name}' has an address of an unknown kind"
            fail("package-fetch", message, package.url.span, hint="use https or ssh git, s3, or a local path")
        folder = (used_by / Path(url).expanduser()).resolve()
        base = (used_by / Path(place.repository).expanduser()).resolve()
        if not folder.is_dir() and place.kind and (base / ".git").exists():
            return _copy(place, Repository(str(base), package.url.span, credentials), project_folder / FOLDER)
        if not folder.is_dir():
            fail("package-fetch", f"package '{package.name}' is not at {folder}", package.url.span, hint="mend its url")
        return folder

    return fetch


def is_local(url: str) -> bool:
    """Tell whether the url of a package is the path of a folder."""
    return not (_CORELIB.search(url) or _REMOTE.match(url) or "://" in url)


def place_of(url: str) -> Place:
    """Return what the url of a package names."""
    match = _PLACE.match(url)
    return Place(match["repository"], match["kind"], match["rest"]) if match else Place(url.removesuffix("/"))


def _objects(package: PackageSpec, credentials: Sequence[StoreCredential], root: Path) -> Path:
    """Return the copy of a folder in an object store, brought if there is none or it is old."""
    url = str(package.url).strip()
    target = root / hashlib.sha256(url.encode()).hexdigest()[:16]
    if target.is_dir() and _is_fresh(target):
        return target
    try:
        with _renewed(target) as fresh:
            bring(url, fresh, credentials)
    except StoreError as error:
        if not target.is_dir():
            hint = "check the address and aws_credential or block_store_creds in the siteconfig, or use a local path"
            fail("package-fetch", f"{url} cannot be brought: {error}", package.url.span, hint=hint)
    return target


@contextmanager
def _renewed(target: Path) -> Iterator[Path]:
    """Yield a new folder that takes the place of `target` in one step, unless the block raises."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}-{os.getpid()}")
    old = target.with_name(f".{target.name}-{os.getpid()}-old")
    try:
        yield fresh
        if target.exists():
            target.replace(old)
        fresh.replace(target)
    finally:
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)


def _copy(place: Place, repository: Repository, root: Path) -> Path:
    """Return the folder in the copy of a repository, fetched if there is none or it is old."""
    key = hashlib.sha256(f"{place.repository} {place.kind} {place.rest}".encode()).hexdigest()[:16]
    target, inside = root / key, root / f"{key}.folder"
    if not inside.is_file() or not (place.is_lasting or _is_fresh(inside)):
        try:
            _fetch(place, repository, target, inside)
        except ProjectError:
            if not inside.is_file():
                raise
    folder = target / inside.read_text(encoding="utf-8")
    if not folder.resolve().is_relative_to(target.resolve()) or not folder.is_dir():
        repository.fail(f"there is no folder '{place.rest}' in {place.repository}", "mend its url")
    return folder


def _is_fresh(marker: Path) -> bool:
    return time.time() - marker.stat().st_mtime < FRESH_SECONDS


def _fetch(place: Place, repository: Repository, target: Path, inside: Path) -> None:
    """Put a new copy of the repository to `target` in one step, and note in `inside` which folder of it is meant."""
    refs = repository.refs()
    name, folder = _split(place, refs, repository)
    with _renewed(target) as fresh:
        if name is None or name in refs:
            repository.clone(fresh, ref=name)
        else:
            repository.clone(fresh, commit=name)
    inside.write_text(folder, encoding="utf-8")


def _split(place: Place, known: Collection[str], repository: Repository) -> tuple[str | None, str]:
    """Return the branch, tag or commit that a place means (None for the default branch), and the folder in it."""
    if place.kind is None:
        return None, ""
    if _BEST.search(place.rest):
        end = max(match.end() for match in _BEST.finditer(place.rest))
        behind, _, folder = place.rest[end:].partition("/")
        return _best(place.rest[:end] + behind, known, repository), folder
    parts = place.rest.split("/")
    for size in range(len(parts), 0, -1):
        if (name := "/".join(parts[:size])) in known:
            return name, "/".join(parts[size:])
    if place.kind != "commit" or not _HASH.fullmatch(parts[0]):
        hint = "known: " + ", ".join(sorted(known)[:12]) if known else "it has none"
        repository.fail(f"there is no {_KINDS[place.kind]} '{parts[0]}' in {place.repository}", hint)
    return parts[0], "/".join(parts[1:])


def _best(pattern: str, known: Collection[str], repository: Repository) -> str:
    """Return the tag or branch with the highest schema version that we can read."""
    wanted = re.compile(r"(\d+)".join(re.escape(part) for part in _BEST.split(pattern)))
    found = {int(match[1]): name for name in known if (match := wanted.fullmatch(name))}
    readable = [version for version in found if version <= NEWEST_SCHEMA]
    if not readable:
        repository.fail(f"{repository.address} has no tag like '{pattern}'", "mend its url")
    return found[max(readable)]
