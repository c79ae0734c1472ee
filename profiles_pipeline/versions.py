"""Fingerprints: what a model would do, as a hash. Equal fingerprints and equal windows mean equal results.

A fingerprint is taken of the fully compiled SQL, macros and everything upstream included, in a time context that is
always the same: it changes with the definition, never with time, data, descriptions or layout.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from sqlglot import exp

from profiles_pipeline.compile import Bind, Compilation, Script, SolveComponents, Step, UniteRows, compile_model
from profiles_pipeline.compile.hooks import compile_hook
from profiles_pipeline.compile.rows import visible_rows
from profiles_pipeline.compile.statement import Past
from profiles_pipeline.errors import TOO_DEEP, Problem, Problems, ProjectError, at
from profiles_pipeline.grains import TICK
from profiles_pipeline.graph import Graph
from profiles_pipeline.resolve.model import Input
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.sql import canonical_text, written_name

ENGINE_VERSION = "1"
"""Part of every fingerprint; raised when the same SQL would come to mean something else."""

ANY_TIME = datetime(2001, 1, 1, tzinfo=UTC)
"""The time context in which fingerprints are taken."""


@dataclass(frozen=True)
class Digest:
    """What is known of every model once it is compiled.

    Attributes:
        fingerprints: path -> fingerprint (64 hex digits).
        tables: path -> names of the warehouse tables that the SQL of its author names without an input in between,
            that of its vars, and of the ids and filters of what it reads, included; spelt as the first model in build
            order spells them. Most models have none.
    """

    fingerprints: dict[str, str] = field(default_factory=dict)
    tables: dict[str, tuple[str, ...]] = field(default_factory=dict)


def digest(graph: Graph, reader: Reader, problems: Problems, contents: Mapping[str, str] = {}) -> Digest:
    """Return the fingerprints of all models, and the tables from outside that they name.

    Compiles every model once; whatever cannot be compiled is added to `problems`, all of it.

    Args:
        graph: the models.
        reader: reads their texts.
        problems: where problems are added.
        contents: path of an input -> hash of its rows, where these are part of what other models mean.
    """
    compilation = symbolic(graph, reader)
    later = symbolic(graph, reader.with_past(lambda _: True))
    made, spelt = Digest(), dict[str, str]()
    found = made.fingerprints
    for path, model in graph.models.items():
        named: list[str] = []
        parts = [ENGINE_VERSION, path, *(found.get(parent, "") for parent in sorted(graph.parents[path]))]
        parts += [] if model.time_grain == TICK else [f"time_grain {model.time_grain}"]
        try:
            if isinstance(model, Input):
                parts += [*_input_texts(model), *([contents[path]] if path in contents else [])]
                parts += [canonical_text(visible_rows(compilation, model))] if model.csv is not None else []
            else:
                parts += _texts(compile_model(_noting(compilation, named), model))
                parts += _texts(compile_model(_noting(later, named), model)) if path in graph.past else []
                parts += _hook_texts(compilation, path)
        except ProjectError as error:
            placed = [at(problem, model.span) for problem in error.problems]
            problems.found += [replace(problem, about=problem.about or path) for problem in placed]
            problems.broken.add(*({problem.about or path for problem in placed} or {path}))
        except RecursionError:
            problems.found.append(Problem("sql-syntax", TOO_DEEP, model.span, about=path))
            problems.broken.add(path)
        found[path] = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
        if named:
            made.tables[path] = tuple(dict.fromkeys(spelt.setdefault(name.lower(), name) for name in named))
    return made


def _noting(c: Compilation, names: list[str]) -> Compilation:
    """Return the compilation that adds the name of every table from outside to `names`."""

    def outside(table: exp.Table) -> exp.Expr:
        names.append(written_name(table))
        return c.outside(table)

    return replace(c, outside=outside)


def symbolic(graph: Graph, reader: Reader) -> Compilation:
    """Return a compilation in which relations and sources carry their paths instead of names in a warehouse."""
    return Compilation(
        graph=graph,
        reader=reader,
        relation=lambda path: exp.Table(this=exp.to_identifier(f"model {path}", quoted=True)),
        source=lambda model: exp.Table(this=exp.to_identifier(f"input {model.table}", quoted=True)),
        outside=lambda table: table,
        past=lambda ref: Past(
            exp.Table(this=exp.to_identifier(f"past {ref.address}", quoted=True)),
            exp.column(exp.to_identifier(f"end of {ref.checkpoint}", quoted=True)),
        ),
    )


def _input_texts(model: Input) -> Iterable[str]:
    yield from (str(model.table), str(model.where), str(model.occurred_at))
    for row_id in model.ids:
        yield from (row_id.select, str(row_id.id_type), row_id.entity)


def _texts(script: Script | None) -> Iterable[str]:
    if script is None:
        return
    yield script.kind
    for step in script.steps:
        yield from map(canonical_text, _trees(step))


def _hook_texts(c: Compilation, path: str) -> Iterable[str]:
    for hook in c.project.hooks.get(path, ()):
        yield from (hook.when, *(canonical_text(statement.tree) for statement in compile_hook(c, path, hook)))


def _trees(step: Step) -> tuple[exp.Expr, ...]:
    match step:
        case SolveComponents():
            return step.edges, step.nodes
        case UniteRows():
            return step.queries
        case Bind():
            return (step.query,)
        case _:
            return (step.tree,)
