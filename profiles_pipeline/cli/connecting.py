"""Does what ``profiles init connection`` says: asks for a connection, tries it and writes it down."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import typer

from profiles_pipeline.cli.faults import from_here
from profiles_pipeline.cli.terminal import note, say
from profiles_pipeline.connections import find_output, with_passcode
from profiles_pipeline.errors import LockTimeoutError, did_you_mean, fail
from profiles_pipeline.spec.new_connection import NewOutput, add_output
from profiles_pipeline.spec.output_keys import COMPILED_FOR
from profiles_pipeline.spec.siteconfig import DEFAULT_SITECONFIG
from profiles_pipeline.warehouse.connect import connect


@dataclass(frozen=True, slots=True)
class Question:
    """Something to ask for.

    Attributes:
        key: what it is called in the siteconfig.
        text: how it is asked.
        default: what is taken without an answer; None where there has to be one, nothing where the key is left out.
        is_secret: what is typed is not shown.
        is_rare: it is not asked, and has to be given by its option.
    """

    key: str
    text: str
    default: str | None = None
    is_secret: bool = False
    is_rare: bool = False

    @property
    def option(self) -> str:
        """The option that answers it."""
        return "--" + re.sub("([A-Z])", r"-\1", self.key).lower().replace("_", "-")


_SCHEMA = Question("schema", "Schema to build in", "profiles")
_PASSWORD = Question("password", "Password, or ${VARIABLE} that holds it", "", is_secret=True)
_QUESTIONS = {
    "duckdb": (
        Question("path", "Database file (relative to the project folder)", "profiles.duckdb"),
        _SCHEMA,
        Question("sources_dir", "Folder of files that stand in for tables", "data"),
    ),
    "postgres": (
        Question("host", "Server", "localhost"),
        Question("port", "Port", "5432"),
        Question("dbname", "Database"),
        Question("user", "User"),
        _PASSWORD,
        _SCHEMA,
        Question("sslmode", "Encryption (sslmode, such as verify-full; empty leaves it to the server)", ""),
    ),
    "snowflake": (
        Question("account", "Account (organization-account)"),
        Question("user", "User"),
        Question("role", "Role (empty for that of the user)", ""),
        Question("warehouse", "Virtual warehouse (empty for that of the user)", ""),
        Question("dbname", "Database"),
        Question("schema", "Schema to build in", "PROFILES"),
        Question("host", "Host of a private link or a proxy", "", is_rare=True),
        Question("port", "Its port", "", is_rare=True),
        Question("protocol", "Its protocol", "", is_rare=True),
    ),
}
"""Kind of warehouse -> what has to be known of it."""

_LOGINS = {
    "key": (
        Question("privateKeyFile", "File of the private key (PEM)"),
        Question(
            "privateKeyPassphrase", "Its passphrase, or ${VARIABLE} that holds it; empty for none", "", is_secret=True
        ),
    ),
    "password": (Question("password", _PASSWORD.text, None, is_secret=True),),
    "token": (Question("token", "OAuth token, or ${VARIABLE} that holds it", None, is_secret=True),),
}
"""Ways to log in to Snowflake -> what has to be known for it."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What is known of a connection to make; None where it has to be asked for.

    Attributes:
        settings: key of the siteconfig -> its value.
        passcode: of a second factor, for the trial; it is not written down.
    """

    name: str | None = None
    target: str | None = None
    kind: str | None = None
    settings: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    passcode: str | None = field(default=None, repr=False)


def init_connection(siteconfig: Path | None, given: Answers, ask: bool) -> None:
    """Add a connection to the siteconfig after trying it; nothing is written when it does not work.

    Args:
        siteconfig: the file; None for the default one.
        given: answers from options.
        ask: ask for what is missing; otherwise defaults are taken.

    Raises:
        ProjectError: the options do not fit the kind of warehouse, or one is missing.
        WarehouseError: the connection does not work.
    """
    file = (siteconfig or DEFAULT_SITECONFIG).expanduser()
    name = _answer(Question("name", "Connection name (as in pb_project.yaml)", "my_connection"), given.name, ask)
    target = _answer(Question("target", "Target", "dev"), given.target, ask)
    kind = _answer(Question("type", "Type of warehouse", "duckdb"), given.kind, ask).lower()
    _refuse_unless_known(kind)
    known = {key: value for key, value in given.settings.items() if value is not None}
    _refuse_what_does_not_fit(kind, known)
    way = _given_way(known)
    if not ask:
        _refuse_without(_QUESTIONS[kind] + (_LOGINS[way or "password"] if kind == "snowflake" else ()), known)
    answers = {q.key: _answer(q, known.get(q.key), ask) for q in _QUESTIONS[kind]}
    if kind == "snowflake":
        answers |= {q.key: _answer(q, known.get(q.key), ask) for q in _LOGINS[way or _asked_way()]}
    new = NewOutput(name, target, _settings(kind, answers))
    _try(new, given.passcode)
    add_output(file, new)
    say(f"the connection works; wrote '{name}', target '{target}', to {from_here(file)}", style="bold green")
    say(f"next: put `connection: {name}` into pb_project.yaml, then: profiles validate access -t {target}")


def _refuse_unless_known(kind: str) -> None:
    known = ", ".join(_QUESTIONS)
    if kind in COMPILED_FOR:
        hint = f"its output is written by hand, for `profiles compile`; {known} can be built on"
        fail("unsupported-warehouse", f"SQL is only compiled for {kind}: there is nothing to try", hint=hint)
    if kind not in _QUESTIONS:
        near = did_you_mean(kind, list(_QUESTIONS))
        fail("unsupported-warehouse", f"there is no warehouse type '{kind}'", hint=near)


def _refuse_what_does_not_fit(kind: str, known: Iterable[str]) -> None:
    own = list(_QUESTIONS[kind])
    if kind == "snowflake":
        own += [question for way in _LOGINS.values() for question in way]
    fitting = {question.key for question in own}
    if strange := ", ".join(Question(key, "").option for key in known if key not in fitting):
        fail("options-clash", f"{strange}: not for a connection of type {kind}", hint="leave it out")


def _refuse_without(questions: Iterable[Question], known: Mapping[str, str]) -> None:
    if lacking := [q.option for q in questions if q.default is None and not known.get(q.key)]:
        fail("missing-option", f"with --yes these have to be given: {', '.join(lacking)}")


def _given_way(known: Iterable[str]) -> str | None:
    """Return how to log in to Snowflake, as far as options say it."""
    given = [way for way, questions in _LOGINS.items() if {q.key for q in questions} & set(known)]
    if len(given) > 1:
        fail("options-clash", f"different ways to log in are given: {' and '.join(given)}", hint="choose one")
    return given[0] if given else None


def _asked_way() -> str:
    way = _answer(Question("way", f"Log in by ({', '.join(_LOGINS)})", "key"), None, ask=True).lower()
    if way not in _LOGINS:
        fail("wrong-value", f"there is no way to log in called '{way}'", hint=did_you_mean(way, list(_LOGINS)))
    return way


def _settings(kind: str, answers: Mapping[str, str]) -> dict[str, str | int | bool]:
    """Return the keys of an output, those without a value left out."""
    settings: dict[str, str | int | bool] = {"type": kind}
    settings.update({key: value for key, value in answers.items() if value})
    if "port" in settings:
        if not answers["port"].isdecimal():
            fail("wrong-value", f"a port is a number, not '{answers['port']}'")
        settings["port"] = int(answers["port"])
    if "privateKeyFile" in settings:
        # Relative to here, and not to the folder of a project, which nobody has named.
        settings["privateKeyFile"] = str(Path(answers["privateKeyFile"]).expanduser().absolute())
        settings["useKeyPairAuth"] = True
    return settings


def _try(new: NewOutput, passcode: str | None) -> None:
    """Open and close what a connection names, and leave no trace. Raises WarehouseError when that does not work."""
    with tempfile.TemporaryDirectory(prefix="profiles-") as scratch:
        siteconfig = Path(scratch) / "siteconfig.yaml"
        add_output(siteconfig, new)
        output = find_output(Path(scratch) / "project", new.connection, siteconfig, new.target)
        settings = (with_passcode(output, passcode) if passcode else output).settings
        is_there = settings.file is None or settings.file.exists()
        try:
            with connect(settings, purpose="profiles init connection", read_only=is_there, lock_timeout=0) as warehouse:
                warehouse.scalar("SELECT 1")
        except LockTimeoutError:
            note("a run is using it just now")  # which shows that it is there and can be opened
        finally:
            if settings.file is not None and not is_there:
                for leftover in settings.file.parent.glob(f"{settings.file.name}*"):
                    leftover.unlink()


def _answer(question: Question, given: str | None, ask: bool) -> str:
    """Return what is answered, or the default."""
    if given is not None or not ask or question.is_rare:
        return given or question.default or ""
    answer = typer.prompt(
        question.text,
        default=question.default,
        hide_input=question.is_secret,
        show_default=bool(question.default),
    )
    return str(answer).strip() or question.default or ""
