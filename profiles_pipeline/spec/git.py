"""Brings git repositories: with the credentials of the site configuration, never waiting for answers, never telling.

What git says is shown without credentials that stand in an address.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from profiles_pipeline.errors import Span, fail
from profiles_pipeline.spec.siteconfig import GitCredential

ANSWER_SECONDS = 20
"""How long a server may take to say what it has."""
CLONE_SECONDS = 600

_SSH = "ssh -o BatchMode=yes -o ConnectTimeout=10"
_IN_ADDRESS = re.compile(r"(?<=://)[^/@\s]+@")
_SAYS_NOTHING = re.compile(
    "Could not read from remote repository|Please make sure you have the correct access|^and the repository exists"
)
_HELPER = '!f() { test "$1" = get && echo "username=$PROFILES_GIT_USER" && echo "password=$PROFILES_GIT_SECRET"; }; f'
_ACCESS_HINT = "check the address and your access to it, or use a local path as the package's url"


@dataclass(frozen=True)
class Repository:
    """A repository, and how to log in there.

    Attributes:
        address: as git takes it.
        span: where the project names it.
        credentials: of the site configuration; looked up when the repository is asked for something.
    """

    address: str
    span: Span | None
    credentials: Callable[[], tuple[GitCredential, ...]]

    def refs(self) -> frozenset[str]:
        """Return the names of branches and tags.

        Raises:
            ProjectError: the repository does not answer, or not to us.
        """
        listed = self._git(["ls-remote", "--heads", "--tags", self.address], ANSWER_SECONDS).splitlines()
        return frozenset(line.split("\t")[1].removesuffix("^{}").split("/", 2)[2] for line in listed)

    def clone(self, folder: Path, *, ref: str | None = None, commit: str | None = None) -> None:
        """Make `folder` a copy of the repository at a branch or tag, or at a commit; else at the default branch.

        Raises:
            ProjectError: it cannot be brought.
        """
        if commit is not None:
            self._git(["clone", "--quiet", "--no-checkout", self.address, str(folder)], CLONE_SECONDS)
            self._git(["-C", str(folder), "checkout", "--quiet", "--detach", commit], ANSWER_SECONDS)
            return
        only = [] if ref is None else [f"--branch={ref}"]
        self._git(["clone", "--quiet", "--depth=1", *only, self.address, str(folder)], CLONE_SECONDS)

    def fail(self, message: str, hint: str = _ACCESS_HINT) -> NoReturn:
        """Raise ProjectError with one problem about the repository."""
        fail("package-fetch", _told(message), self.span, hint=hint)

    def _git(self, arguments: list[str], seconds: float) -> str:
        shown = _told(self.address)
        try:
            with _logged_in(self._credential(), self.address) as environment:
                done = subprocess.run(
                    ["git", *arguments],  # noqa: S607 - whichever git the user has
                    capture_output=True, text=True, timeout=seconds, env=environment, check=False,
                    stdin=subprocess.DEVNULL,
                )  # fmt: skip
        except subprocess.TimeoutExpired:
            self.fail(f"{shown} did not answer within {seconds:.0f} seconds")
        except OSError as error:
            self.fail(f"git cannot be run: {error.strerror}", "install git, or use a local path as the package's url")
        if done.returncode:
            self.fail(f"git could not bring {shown}: {_reason(done.stderr)}")
        return done.stdout

    def _credential(self) -> GitCredential | None:
        return next((c for c in self.credentials() if c.is_for(self.address)), None)


@contextmanager
def _logged_in(credential: GitCredential | None, address: str) -> Iterator[dict[str, str]]:
    """Yield the environment in which git logs in; a key lies in a file of its own meanwhile that only we can read."""
    environment = os.environ | {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS": "",
        "GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", _SSH),
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
        "LC_ALL": "C",
    }
    if credential is not None and credential.basic_auth is not None:
        yield environment | _basic(credential, address)
    elif credential is not None and credential.key is not None:
        with tempfile.TemporaryDirectory() as folder:
            key = Path(folder) / "key"
            key.touch(mode=0o600)
            key.write_text(credential.key.get_secret_value().rstrip() + "\n", encoding="utf-8")
            yield environment | {"GIT_SSH_COMMAND": f"{_SSH} -o IdentitiesOnly=yes -i {key}"}
    else:
        yield environment


def _basic(credential: GitCredential, address: str) -> dict[str, str]:
    """Return variables that make git ask us for the password of this server, and keep it nowhere."""
    assert credential.basic_auth is not None
    parts = urlsplit(address)
    server = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    settings = [("credential.helper", ""), (f"credential.{server}.helper", _HELPER)]
    numbered = [pair for n, (key, value) in enumerate(settings) for pair in ((f"KEY_{n}", key), (f"VALUE_{n}", value))]
    return {
        "GIT_CONFIG_COUNT": str(len(settings)),
        **{f"GIT_CONFIG_{name}": value for name, value in numbered},
        "PROFILES_GIT_USER": str(credential.basic_auth.username),
        "PROFILES_GIT_SECRET": credential.basic_auth.password.get_secret_value(),
    }


def _told(text: str) -> str:
    return _IN_ADDRESS.sub("", text)


def _reason(said: str) -> str:
    """Return the line of git's words that says most."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and not _SAYS_NOTHING.search(line)]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "remote:", "ERROR:", "ssh:"))]
    telling += [line for line in lines if "denied" in line or "verification failed" in line]
    found = next(iter(telling), None)
    return _told(found or (lines[-1] if lines else "no reason given")).removeprefix("fatal: ")
