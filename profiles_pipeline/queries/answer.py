"""Answers a SQL query over what a project has built. Nothing can be written on the way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NoReturn, TypeVar

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from profiles_pipeline import plan, run, sql, time_contexts
from profiles_pipeline.connections import Output
from profiles_pipeline.dialects import identifier, render, spelled
from profiles_pipeline.errors import Problem, ProjectError, WarehouseError, did_you_mean, fail
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.queries.reading import open_for_reading
from profiles_pipeline.registry import Material, SeqNo
from profiles_pipeline.resolve.model import Input
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.sql.syntax import drop_final_semicolons, tokenize
from profiles_pipeline.template import Ref
from profiles_pipeline.versions import ANY_TIME
from profiles_pipeline.warehouse.base import Rows

if TYPE_CHECKING:
    import pyarrow

Result = TypeVar("Result")

_QUERIES = frozenset(
    ["(", "desc", "describe", "from", "pivot", "select", "show", "summarize", "table", "unpivot", "values", "with"]
)
_MISSING_TABLE = re.compile(r"Table with name (\S+?) does not exist")
_LINE = re.compile(r"^LINE (\d+):", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows of a query.

    Attributes:
        rows: with columns of different names: some have a number behind them where the query gives several one name.
        complete: False when there are more rows than were asked for.
        sql: what was sent to the warehouse.
        names: the columns as the query names them.
    """

    rows: Rows
    complete: bool
    sql: str
    names: tuple[str, ...]

    @property
    def as_named(self) -> Rows:
        """The rows with the columns as the query names them."""
        return Rows(self.names, self.rows.types, self.rows.rows)


@dataclass(frozen=True, slots=True)
class Question:
    """A query as a user writes it.

    Attributes:
        text: one query; templates such as ``{{this.DeRef("models/x")}}`` are rendered.
        seq_no: the time context to look at; None for what the plain-named views show.
        limit: most rows to return; None for all.
        dialect: the dialect of `text`; None for the warehouse's own.
    """

    text: str
    seq_no: int | Literal["latest"] | None = None
    limit: int | None = None
    dialect: str | None = None


def run_query(
    project: ProfilesProject,
    output: Output,
    question: Question,
    observe: run.Observer = lambda _: None,
    lock_timeout: float | None = None,
) -> Answer:
    """Return the rows that the question asks for. Plain names of models are found without their schema.

    Raises:
        ProjectError: nothing has been built, the text is no query, or the warehouse does not accept it.
        LockTimeoutError: a run kept the warehouse for too long.
    """
    with _opened(project, output, question, observe, lock_timeout) as (session, text):
        rows = _asked(session, text, lambda: session.warehouse.query(_limited(text, question)))
        kept = rows.rows[: question.limit]
        names = tuple(column.name for column in session.warehouse.describe(text))
        return Answer(Rows(rows.columns, rows.types, kept), len(kept) == len(rows.rows), text, names)


def run_arrow_query(
    project: ProfilesProject,
    output: Output,
    question: Question,
    observe: run.Observer = lambda _: None,
    lock_timeout: float | None = None,
) -> tuple[pyarrow.Table, bool, tuple[str, ...]]:
    """Return the rows that the question asks for as an Arrow table, whether these are all, and the names of the columns
    as the query gives them: in the table they have different ones.

    Raises:
        ProjectError: nothing has been built, the text is no query, or the warehouse does not accept it.
        LockTimeoutError: a run kept the warehouse for too long.
    """
    with _opened(project, output, question, observe, lock_timeout) as (session, text):
        table = _asked(session, text, lambda: session.warehouse.fetch_arrow(_limited(text, question)))
        kept = table.slice(0, question.limit)
        names = tuple(column.name for column in session.warehouse.describe(text))
        return kept, kept.num_rows == table.num_rows, names


@contextmanager
def _opened(
    project: ProfilesProject, output: Output, question: Question, observe: run.Observer, lock_timeout: float | None
) -> Iterator[tuple[run.Session, str]]:
    """Yield a session in which the names of the question mean what it asks about, and the question as one query."""
    with open_for_reading(project, output, "profiles query", observe, lock_timeout) as session:
        if not session.warehouse.relations(session.output.schema):
            _tell_nothing_built()
        context = _context(session, question)
        text = _one_query(_rendered(session, question, context), session.warehouse.dialect)
        _open_names(session, context, text)
        yield session, text


def _limited(text: str, question: Question) -> str:
    """Return the query, held in a statement that returns one row more than asked for when there are more."""
    limit = "" if question.limit is None else f"\nLIMIT {question.limit + 1}"
    return f"SELECT * FROM (\n{text}\n) AS asked{limit}"


def _context(session: run.Session, question: Question) -> SeqNo | None:
    if question.seq_no is None:
        return None
    return time_contexts.choose_seq_no(session, run.Options(seq_no=question.seq_no))[0]


def _tell_nothing_built() -> NoReturn:
    fail("nothing-built", "there is nothing to query: the project has not been run here", hint="profiles run")


# --- text -----------------------------------------------------------------------------------------------------------


def _rendered(session: run.Session, question: Question, context: SeqNo | None) -> str:
    """Return the text with its templates rendered and every symbol replaced by what the warehouse knows it as."""
    known = session.registry.seq_nos(session.project.name)
    window = context or next((s for s in known if s.complete), known[0] if known else None)
    end, begin = (window.end, window.begin) if window else (ANY_TIME, None)
    reader = Reader(session.project.project, end, begin, session.warehouse.dialect, bound=False)
    rendered = reader.render(question.text, "query")
    if window is None and rendered.text != question.text:  # plain names may mean tables made by hand, such as rules
        _tell_nothing_built()
    text = rendered.text
    for ref in rendered.refs:
        name = _name_of(session, ref, context)
        for mark in ('"', "`"):
            text = text.replace(f"{mark}{ref.symbol}{mark}", name)
    if question.dialect is None or question.dialect == session.warehouse.dialect:
        return text
    tree = sql.parse_query(text, sql.Reading(question.dialect, session.warehouse.dialect))
    return render(tree, session.warehouse.dialect)


def _name_of(session: run.Session, ref: Ref, context: SeqNo | None) -> str:
    """Return a relation for a model, and a column for a var."""
    dialect = session.warehouse.dialect
    if ref.kind == "var":
        reader = Reader(session.project.project, session.registry.seq_nos(session.project.name)[0].end)
        cohort, name = reader.var_key(ref.target)
        own = session.project.project.entity_vars.get(cohort, {})
        return identifier(own[name].name if name in own else name, dialect)
    if ref.kind != "ref" or ref.target == "this":
        hint = 'name a model, for example {{this.DeRef("models/user_id_stitcher")}}'
        fail("bad-reference", f"'{ref.target}' means nothing outside a model", hint=hint)
    return _relation(session, session.project.graph.find(ref.target), context)


def _relation(session: run.Session, path: str, context: SeqNo | None) -> str:
    model = session.project.graph.models[path]
    dialect, schema = session.warehouse.dialect, session.output.schema
    if isinstance(model, Input):
        return render(session.sources.of_input(model), dialect)
    if context is None and plan.has_plain_name(model):
        there = session.warehouse.relations(schema)
        name: str | None = model.name if spelled(model.name, dialect) in there else None
    else:
        name = next((m.name for m in reversed(_materials(session, context)) if m.model_path == path), None)
    if name is None:
        _fail_not_built(path, context)
    return render(exp.table_(name, db=schema, quoted=True), dialect)


def _fail_not_built(path: str, context: SeqNo | None) -> NoReturn:
    if context is None:
        fail("not-built", f"'{path}' has not been built yet", hint=f"profiles run -m {path}")
    number = context.number
    message = f"there is nothing of '{path}' in seq_no {number}: it was not built there, or has been dropped since"
    fail("not-built", message, hint=f"profiles run --seq-no {number} -m {path}")


def _plain_names(text: str, dialect: str) -> frozenset[str]:
    """Return the lower-case names without a schema that a query reads, as far as it can be read."""
    try:
        tree = sqlglot.parse_one(text, dialect=dialect)
    except SqlglotError:  # the warehouse will say what is wrong with it
        return frozenset()
    named = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    return frozenset(table.name.lower() for table in tree.find_all(exp.Table) if not table.db) - named


def _materials(session: run.Session, context: SeqNo | None) -> tuple[Material, ...]:
    """Return the materials of a time context, or those of every run that was finished."""
    if context is not None:
        window = time_contexts.window_of(session, context)
        names = frozenset(plan.material_names(session.project, window).values())
        coarser = {w.seq_no for _, w in window.coarser}
        kept = session.registry.materials()
        return tuple(m for m in kept if m.seq_no == context.number or (m.seq_no in coarser and m.name in names))
    runs = [time_contexts.window_of(session, s) for s in session.registry.seq_nos(session.project.name) if s.complete]
    finished = {window.seq_no for own in runs for window in (own, *(w for _, w in own.coarser))}
    return tuple(m for m in session.registry.materials() if m.seq_no in finished)


def _one_query(text: str, dialect: str) -> str:
    """Return the text without semicolons at its end. Raises ProjectError unless it is one statement that reads."""
    tokens = tokenize(text, dialect, None, "the query")
    kept = drop_final_semicolons(tokens)
    if not kept:
        fail("empty-query", "the query is empty", hint='profiles query "select * from user_profile"')
    if kept[0].text.lower() not in _QUERIES:
        fail(
            "not-a-query",
            f"'{kept[0].text.upper()}' begins no query, and nothing can be written here",
            hint="begin with SELECT or WITH",
        )
    if any(token.text == ";" and token.token_type.name == "SEMICOLON" for token in kept):
        fail("several-queries", "there is more than one statement", hint="ask one query at a time")
    return text[: tokens[len(kept)].start] if len(kept) < len(tokens) else text


# --- warehouse ------------------------------------------------------------------------------------------------------


def _open_names(session: run.Session, context: SeqNo | None, text: str) -> None:
    """Make plain names of models mean their relations: of the time context if there is one, else the views.

    Raises:
        ProjectError: the query reads a model that has no relation in the time context: its view shows another one.
    """
    warehouse, schema = session.warehouse, session.output.schema
    found = () if context is None else _materials(session, context)
    if context is not None:
        built = {material.model_name.lower() for material in found}
        read = _plain_names(text, warehouse.dialect) - built
        for model in session.project.graph.models.values():
            if model.name.lower() in read and plan.has_plain_name(model):
                _fail_not_built(model.path, context)
    relations = {m.model_name: exp.table_(m.name, db=schema, quoted=True) for m in found}
    warehouse.use(schema, {name: render(table, warehouse.dialect) for name, table in relations.items()})


def _asked(session: run.Session, text: str, fetch: Callable[[], Result]) -> Result:
    """Return what `fetch` returns for `text`, which its statement holds from the second line on.

    The text is tried by itself first, so that what is said of it is not said of the statement around it.
    """
    try:
        session.warehouse.execute(f"EXPLAIN\n{text}")
        return fetch()
    except WarehouseError as error:
        notes = "\n".join(getattr(error, "__notes__", ()))
        excerpt = _LINE.sub(lambda match: f"LINE {max(int(match[1]) - 1, 1)}:", notes) or text
        problem = Problem("query-rejected", str(error), None, _hint(session, str(error)), excerpt)
        raise ProjectError([problem]) from error


def _hint(session: run.Session, message: str) -> str | None:
    missing = _MISSING_TABLE.search(message)
    if missing is None:
        return None
    names = [m.name for m in session.project.graph.models.values() if plan.has_plain_name(m)]
    if missing[1].strip('"').lower() in map(str.lower, names):
        return f"no run has finished '{missing[1]}' yet: profiles run"
    return did_you_mean(missing[1], names) or "profiles show models lists what can be queried"
