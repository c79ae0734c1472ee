"""Packages from git: which revision, kept for the next time, logged in to where needed, and what is said when not."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from profiles_pipeline.errors import ProjectError
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.spec import load_siteconfig
from profiles_pipeline.spec.fetch import Place, place_of
from profiles_pipeline_tests.warehouse.stores import s3_server

TOKEN = "s3cret-token"
LIBRARY = "name: library\nschema_version: 98\nmodel_folders: [models]\n"
Commit = Callable[..., str]
Names = Callable[[str], set[str]]
Site = Callable[[str], None]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of this machine, an author for commits."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ann")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ann@example.org")
    for variable in ("GIT_SSH_COMMAND", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(variable, raising=False)


def git(repository: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(repository), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repos" / "library"
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    return folder


@pytest.fixture
def commit(repository: Path) -> Commit:
    """Commit a library with a macro of this name in a folder of the repository; return the commit."""

    def committing(macro: str, folder: str = ".", tag: str | None = None, branch: str | None = None) -> str:
        if branch:
            git(repository, "checkout", "--quiet", "-B", branch)
        (repository / folder / "models").mkdir(parents=True, exist_ok=True)
        (repository / folder / "pb_project.yaml").write_text(LIBRARY)
        (repository / folder / "models" / "m.yaml").write_text(f"macros: [{{name: {macro}, value: x}}]\n")
        git(repository, "add", "-A")
        git(repository, "commit", "--quiet", "-m", macro)
        found = git(repository, "rev-parse", "HEAD")
        if tag:
            git(repository, "tag", tag)
        if branch:
            git(repository, "checkout", "--quiet", "main")
        return found

    return committing


@pytest.fixture
def names(tmp_path: Path) -> Names:
    """Load a project that uses the package at an address; return the names of the macros it has then."""

    def loading(url: str) -> set[str]:
        folder = tmp_path / "app"
        folder.mkdir(exist_ok=True)
        text = f"name: app\nschema_version: 98\npackages: [{{name: library, url: '{url}'}}]\n"
        (folder / "pb_project.yaml").write_text(text)
        return {str(macro.name) for macro in ProfilesProject.load(folder).project.macros}

    return loading


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Write the site configuration of this machine."""

    def writing(text: str) -> None:
        (tmp_path / "home" / ".pb").mkdir(parents=True, exist_ok=True)
        (tmp_path / "home" / ".pb" / "siteconfig.yaml").write_text(text)

    return writing


# --- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://github.com/org/lib", Place("https://github.com/org/lib")),
        ("https://github.com/org/lib/", Place("https://github.com/org/lib")),
        ("https://github.com/org/lib.git/tree/main", Place("https://github.com/org/lib.git", "tree", "main")),
        ("https://github.com/org/lib/tree/main/a/b/", Place("https://github.com/org/lib", "tree", "main/a/b")),
        ("https://gitlab.com/g/h/lib/-/tree/main/a", Place("https://gitlab.com/g/h/lib", "tree", "main/a")),
        ("git@github.com:org/lib/tag/v1/a", Place("git@github.com:org/lib", "tag", "v1/a")),
        ("ssh://git@host:7999/org/lib.git/commit/0a1b2c", Place("ssh://git@host:7999/org/lib.git", "commit", "0a1b2c")),
        ("../lib", Place("../lib")),
    ],
)
def test_what_an_address_names(url: str, expected: Place) -> None:
    assert place_of(url) == expected


def test_each_kind_of_revision(repository: Path, commit: Commit, names: Names) -> None:
    first = commit("first", tag="v1")
    commit("deeper", folder="in/side", branch="feature/x")
    commit("newest")
    url = f"file://{repository}"
    assert names(url) == {"newest"}
    assert names(f"{url}/tree/main") == {"newest"}
    assert names(f"{url}/tag/v1") == {"first"}
    assert names(f"{url}/commit/{first}") == {"first"}
    assert names(f"{url}/commit/{first[:8]}/") == {"first"}
    assert names(f"{url}/tree/feature/x/in/side") == {"deeper"}
    assert names(f"{repository}/tag/v1") == {"first"}


def test_the_best_schema_is_the_newest_that_is_known(repository: Path, commit: Commit, names: Names) -> None:
    for version in (42, 98, 9, 1000):
        commit(f"for_{version}", folder="lib", tag=f"schema_{version}")
    assert names(f"file://{repository}/tag/schema_{{{{best_schema_version}}}}/lib") == {"for_98"}
    assert names(f"file://{repository}/tag/schema_{{{{ best_schema_version }}}}/lib/") == {"for_98"}


# --- copies ---------------------------------------------------------------------------------------------------------


def copies(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "app" / ".profiles" / "packages").glob("*.folder"))


@pytest.mark.parametrize("rest", ["", "/tree/main", "/tag/v1", "/tag/v{{best_schema_version}}"])
def test_a_package_is_there_without_its_server(
    repository: Path, commit: Commit, names: Names, tmp_path: Path, rest: str
) -> None:
    commit("kept", tag="v1")
    assert names(f"file://{repository}{rest}") == {"kept"}
    repository.rename(tmp_path / "gone")
    assert names(f"file://{repository}{rest}") == {"kept"}
    (copy,) = copies(tmp_path)
    os.utime(copy, (0, 0))
    assert names(f"file://{repository}{rest}") == {"kept"}


def test_a_branch_is_fetched_again_when_its_copy_is_old(
    repository: Path, commit: Commit, names: Names, tmp_path: Path
) -> None:
    commit("before", tag="v1")
    assert names(f"file://{repository}/tree/main") == names(f"file://{repository}/tag/v1") == {"before"}
    commit("after")
    assert names(f"file://{repository}/tree/main") == {"before"}
    for copy in copies(tmp_path):
        os.utime(copy, (0, 0))
    assert names(f"file://{repository}/tree/main") == {"after"}
    assert names(f"file://{repository}/tag/v1") == {"before"}
    assert len(list((tmp_path / "app" / ".profiles" / "packages").iterdir())) == 4


# --- problems -------------------------------------------------------------------------------------------------------


ACCESS = "check the address and your access to it, or use a local path as the package's url"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("{here}/tag/v2", "there is no tag 'v2' in {here}; known: main, v1"),
        ("{here}/tree/v2/lib", "there is no branch 'v2' in {here}; known: main, v1"),
        ("{here}/commit/--help", "there is no commit '--help' in {here}; known: main, v1"),
        ("{here}/tag/v1/lib", "there is no folder 'v1/lib' in {here}; mend its url"),
        ("{here}/tag/v1/../../../..", "there is no folder 'v1/../../../..' in {here}; mend its url"),
        (
            "{here}/tag/{{{{best_schema_version}}}}",
            "{here} has no tag like '{{{{best_schema_version}}}}'; mend its url",
        ),
        ("file:///no", f"git could not bring file:///no: '/no' does not appear to be a git repository; {ACCESS}"),
        ("gs://b", "package 'library' has an address of an unknown kind; use https or ssh git, s3, or a local path"),
        ("../no/where", "package 'library' is not at {root}/no/where; mend its url"),
    ],
)
def test_what_cannot_be_had(commit: Commit, repository: Path, names: Names, url: str, said: str) -> None:
    commit("first", tag="v1")
    filled = {"here": f"file://{repository}", "root": str(repository.parent.parent)}
    with pytest.raises(ProjectError) as raised:
        names(url.format_map(filled))
    (problem,) = raised.value.problems
    assert (problem.code, str(problem.span)) == ("package-fetch", "pb_project.yaml:3:34")
    assert f"{problem.message}; {problem.hint}" == said.format_map(filled)


@pytest.mark.skipif(shutil.which("ssh") is None, reason="git needs ssh for this")
def test_a_server_that_does_not_speak_ssh(names: Names) -> None:
    with pytest.raises(ProjectError) as raised:
        names("ssh://git@127.0.0.1:1/org/lib.git/tag/v1")
    (problem,) = raised.value.problems
    assert problem.message == (
        "git could not bring ssh://git@127.0.0.1:1/org/lib.git: "
        "ssh: connect to host 127.0.0.1 port 1: Connection refused"
    ).replace("git@", "")


def test_a_folder_in_an_object_store(names: Names, site: Site, tmp_path: Path) -> None:
    objects = {"team/lib/pb_project.yaml": LIBRARY, "team/lib/models/m.yaml": "macros: [{name: kept, value: x}]\n"}
    with s3_server(objects) as server:
        site(f"aws_credential: {{access_key: k, secret_access_key: s, region: us-east-1, endpoint: '{server}'}}\n")
        assert names("s3://team/lib") == {"kept"}
        with pytest.raises(ProjectError, match="s3://team/none cannot be brought: there is nothing at this address"):
            names("s3://team/none")
    assert names("s3://team/lib") == {"kept"}  # the copy counts as the folder for a while
    (copy,) = (folder for folder in (tmp_path / "app" / ".profiles" / "packages").iterdir())
    os.utime(copy, (0, 0))
    assert names("s3://team/lib") == {"kept"}  # and where the store does not answer


@pytest.mark.timeout(60)
@pytest.mark.parametrize("url", ["http://127.0.0.1:1/org/lib", "http://user:s3cret-token@127.0.0.1:1/org/lib.git"])
def test_a_dead_address_is_told_without_its_password(names: Names, url: str) -> None:
    with pytest.raises(ProjectError) as raised:
        names(url)
    assert "git could not bring http://127.0.0.1:1/org/lib" in str(raised.value)
    assert TOKEN not in str(raised.value)


def test_packages_that_use_each_other(commit: Commit, repository: Path, names: Names) -> None:
    commit("first")
    own = f"packages: [{{name: again, url: 'file://{repository}'}}]\n"
    (repository / "pb_project.yaml").write_text(LIBRARY + own)
    git(repository, "commit", "--quiet", "-am", "circle")
    with pytest.raises(ProjectError, match="packages use each other in a circle"):
        names(f"file://{repository}")


# --- logging in -----------------------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A git server on this machine that wants a name and a token; yields its address."""
    backend = Path(subprocess.check_output(["git", "--exec-path"], text=True).strip()) / "git-http-backend"
    if not backend.exists():
        pytest.skip("this git has no http-backend")
    expected = "Basic " + base64.b64encode(f"oauth2:{TOKEN}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers.get("Authorization") != expected:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.end_headers()
                return
            path, _, query = self.path.partition("?")
            length = int(self.headers.get("Content-Length") or 0)
            environment = os.environ | {
                "GIT_PROJECT_ROOT": str(tmp_path / "repos"),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type") or "",
                "CONTENT_LENGTH": str(length),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding") or "",
                "GIT_PROTOCOL": self.headers.get("Git-Protocol") or "",
            }
            answer = subprocess.run(
                [backend], input=self.rfile.read(length), env=environment, capture_output=True, check=True
            )
            head, _, body = answer.stdout.partition(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            self.send_response(int(fields.pop("Status", "200").split()[0]))
            for name, value in fields.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the name that the server looks for

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}/library"
    running.shutdown()
    running.server_close()


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_TOKEN", TOKEN)


def texts_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.usefixtures("token")
def test_name_and_token_of_the_site_configuration(
    server: str,
    commit: Commit,
    names: Names,
    site: Site,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GIT_TOKEN", TOKEN)
    commit("private", tag="v1")
    site(
        "gitcreds:\n"
        "  - {reporegex: 'https://elsewhere.example/*', basic_auth: {username: x, password: y}}\n"
        "  - {reporegex: 'http://127.0.0.1:.*', basic_auth: {username: oauth2, password: '${TEST_TOKEN}'}}\n"
    )
    assert names(f"{server}/tag/v1") == {"private"}
    assert TOKEN.encode() not in texts_below(tmp_path / "app")
    assert not (tmp_path / "home" / ".git-credentials").exists()


@pytest.mark.parametrize("credentials", ["[]", "[{reporegex: http, basic_auth: {username: oauth2, password: wr0ng}}]"])
def test_without_the_right_credentials(server: str, commit: Commit, names: Names, site: Site, credentials: str) -> None:
    commit("private")
    site(f"gitcreds: {credentials}\n")
    with pytest.raises(ProjectError) as raised:
        names(server)
    assert raised.value.problems[0].code == "package-fetch"
    assert server in str(raised.value)
    assert "wr0ng" not in str(raised.value)


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program ssh that serves repositories of this machine; how it was called is noted in the folder."""
    program, notes = tmp_path / "bin" / "ssh", tmp_path / "notes"
    program.parent.mkdir()
    notes.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        f'echo "$@" > {notes}/arguments\n'
        'while [ "$1" != -i ]; do shift; done\n'
        f'stat -c %a "$2" > {notes}/mode; cat "$2" > {notes}/key\n'
        "while [ $# -gt 1 ]; do shift; done\n"
        'eval "exec git-upload-pack ${1#git-upload-pack }"\n'
    )
    program.chmod(0o700)
    backend = subprocess.check_output(["git", "--exec-path"], text=True).strip()
    monkeypatch.setenv("PATH", os.pathsep.join([str(program.parent), os.environ["PATH"], backend]))
    return notes


def test_the_key_of_the_site_configuration(
    repository: Path, commit: Commit, names: Names, site: Site, ssh: Path, tmp_path: Path
) -> None:
    commit("private")
    key = "-----BEGIN KEY-----\nabc\n-----END KEY-----"
    indented = key.replace("\n", "\n      ")
    site(f"gitcreds:\n  - reporegex: git@git.example:*\n    key: |\n      {indented}\n")
    assert names(f"git@git.example:{repository}") == {"private"}
    assert (ssh / "mode").read_text() == "600\n"
    assert (ssh / "key").read_text() == f"{key}\n"
    arguments = (ssh / "arguments").read_text().split()
    assert {"BatchMode=yes", "IdentitiesOnly=yes", "git@git.example"} <= set(arguments)
    assert not Path(arguments[arguments.index("-i") + 1]).exists()
    assert b"BEGIN KEY" not in texts_below(tmp_path / "app")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("gitcreds: {reporegex: x}\n", "wrong-type"),
        ("gitcreds: [x]\n", "wrong-type"),
        ("gitcreds: [{key: x}]\n", "missing-key"),
        ("gitcreds: [{reporegex: x, token: y}]\n", "unknown-key"),
        ("gitcreds: [{reporegex: '(', key: y}]\n", "wrong-value"),
        ("gitcreds: [{reporegex: x, key: '${NOT_SET_AT_ALL}'}]\n", "missing-variable"),
    ],
)
def test_credentials_that_do_not_fit(tmp_path: Path, text: str, code: str) -> None:
    (tmp_path / "siteconfig.yaml").write_text(text)
    with pytest.raises(ProjectError) as raised:
        load_siteconfig(tmp_path / "siteconfig.yaml").git_credentials()
    assert raised.value.problems[0].code == code


def test_credentials_matter_only_to_projects_with_remote_packages(
    site: Site, names: Names, repository: Path, commit: Commit
) -> None:
    commit("local")
    site("gitcreds: [x]\n")
    assert names(str(repository)) == {"local"}
    with pytest.raises(ProjectError, match="gitcreds"):
        names(f"file://{repository}")


def test_secrets_are_not_shown(site: Site) -> None:
    basic = f"{{username: u, password: {TOKEN}}}"
    site(f"gitcreds: [{{reporegex: x, key: {TOKEN}}}, {{reporegex: y, basic_auth: {basic}}}]\n")
    config = load_siteconfig()
    assert TOKEN not in repr(config) + repr(config.git_credentials())


def test_a_copy_belongs_to_the_project_that_is_run(
    repository: Path, commit: Commit, names: Names, tmp_path: Path
) -> None:
    commit("inner")
    middle = tmp_path / "middle"
    (middle / "models").mkdir(parents=True)
    (middle / "pb_project.yaml").write_text(f"{LIBRARY}packages: [{{name: inner, url: 'file://{repository}'}}]\n")
    assert names("../middle") == {"inner"}
    assert len(copies(tmp_path)) == 1
    assert not (middle / ".profiles").exists()
