"""What of a model can be carried on from an earlier run, and what it keeps for the next. Pure.

A model that keeps what it has read is brought up to date from that: only days that changed are read, only what they
touch is computed. The first run of a project keeps nothing, which is cheapest if there is never a second one; the
second one does, and all later ones go on from it. A run for an earlier end time than what is kept is computed from the
rows, and leaves what is kept alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sqlglot import exp

from profiles_pipeline.compile import Compilation, Script, layout
from profiles_pipeline.compile.carrying import compile_carried
from profiles_pipeline.compile.kept_graph import Base, Restitching, States, accumulators, changes_table, states
from profiles_pipeline.compile.outputs import compile_cohort
from profiles_pipeline.compile.restitch import compile_restitching
from profiles_pipeline.compile.rollups import Carried, Strategy
from profiles_pipeline.compile.session_carried import CarriedSessions, compile_carried_sessions
from profiles_pipeline.compile.session_days import days_of_ids
from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.resolve.model import Cohort, Model, Stitcher, VarTable
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.resolve.session_models import SessionTable
from profiles_pipeline.spec.pipeline import BLIND
from profiles_pipeline.versions import ANY_TIME
from profiles_pipeline.windows import Held, Kept, Window

PLAIN = ("plain",)
"""What stands for columns of an id graph that was made of edges alone."""

OF_SESSIONS = ("sessions",)
"""What stands for the columns of a table that keeps sessions."""

KEEPS = "reads everything, and keeps what later runs go on from"

NOT_FOLLOWED = "the id graph is kept anew, so it is not known whose ids changed since the last run"
"""Why a model starts over that was kept for an earlier state of the graph than the first one that is known."""

IS_SHOWN = "the last run had the same end time, and goes on showing its own sessions as of then"
"""Why sessions start over: each holds from one end time until another, so two runs as of one would show the same."""


@dataclass(frozen=True, slots=True)
class Increment:
    """How a model is built from what is kept, and what is kept once it is built.

    Attributes:
        script: what to do.
        reason: why it is built like this.
        goes_on: whether it goes on from an earlier run, or begins to keep what it reads.
        held: what will be kept.
        strategies: var -> how it is brought up to date.
        version: the state of what is kept that the material may show.
    """

    script: Script
    reason: str
    goes_on: bool
    held: tuple[Held, ...]
    strategies: Mapping[str, Strategy]
    version: int


@dataclass(frozen=True)
class Keeping:
    """What earlier runs left behind for a run.

    Attributes:
        window: the window of the run.
        held: tables that are kept from run to run, by name.
        built: every material that was ever completed and not dropped since, outdated ones included.
        always: keep from the first run on.
        anew: start what is kept from scratch.
    """

    window: Window
    held: Mapping[str, Held]
    built: tuple[Kept, ...]
    always: bool = False
    anew: bool = False

    def of(self, model: Model) -> tuple[Held, ...]:
        """Return the tables that are kept for a model."""
        return tuple(held for held in self.held.values() if held.path == model.path)

    @property
    def exist(self) -> frozenset[str]:
        """Names of the tables that are as they were left."""
        return frozenset(held.name for held in self.held.values() if not held.flaw)


def increment(
    project: ProfilesProject, keeping: Keeping, context: Window, c: Compilation, model: Model
) -> Increment | None:
    """Return how to build a model from what is kept; None when it is built from its rows, keeping nothing.

    Args:
        project: the project.
        keeping: what earlier runs left behind, the models before this one in the plan included.
        context: the window the model is built in.
        c: what it is compiled against.
        model: the model.
    """
    window = keeping.window
    if window.begin is not None or context.end != window.end or model.path in project.graph.past:
        return None
    if not keeping.always and not was_built_before(keeping.built, model, window) and not keeping.of(model):
        return None
    later = replace(c, reader=Reader(project.project, ANY_TIME, None, c.reader.target))
    match model:
        case Stitcher():
            made = _stitcher(keeping, c, later, model)
        case VarTable():
            made = _var_table(project, keeping, c, later, model)
        case Cohort(parent=None):
            made = _cohort_of_all(project, keeping, c, model)
        case SessionTable(kind="sessions"):
            made = _sessions(project, keeping, (c, later), model)
        case _:
            made = None
    return made


def was_built_before(built: Iterable[Kept], model: Model, window: Window) -> bool:
    """True when a model was built for an earlier window: there are runs, and there will be more."""
    return any(kept.path == model.path and kept.end < window.end and kept.begin is None for kept in built)


def _stitcher(keeping: Keeping, c: Compilation, later: Compilation, model: Stitcher) -> Increment | None:
    window = keeping.window
    changes = changes_table(c, model)
    head = keeping.held.get(changes.name)
    if head is not None and window.end < head.end:
        return None
    flaw, usable = _flaw(keeping, model), set[str]()
    if head is not None and not keeping.anew:
        # What another definition has left behind knows nothing of this graph.
        usable = {held.name for held in keeping.of(model) if held.version == head.version and not held.flaw}
    sources = accumulators(c, later, model, {name: dict(keeping.held[name].files) for name in usable})
    if sources is None:
        return None
    version = 1 + max((h.version for h in keeping.held.values()), default=0)
    made = states(c, model, version, keeping.exist, usable)
    of_graph = {changes.name, *(each.table.name for each in made.tables)} if made else {changes.name}
    dropped = usable - of_graph - {source.table.name for source in sources}
    base = _base(c, keeping, head, made) if head is not None and usable and not dropped else None
    if made is not None and any(held.flaw for held in keeping.of(model) if held.name in of_graph - {changes.name}):
        base = None  # nothing says what the graph was
    relation, is_logged = c.relation(model.path), base is not None and changes.name in usable
    is_plain = head is not None and head.columns == PLAIN
    script = compile_restitching(
        c, model, Restitching(sources, changes, Base(base, version, is_plain, is_logged), made)
    )
    whole = base is None or not all(source.is_kept for source in sources)
    since = version
    if base is not None and head is not None:  # without the log, only what changes in this run is known
        since = head.since if is_logged else head.version
    held = Held(changes.name, model.path, window.seq_no, window.end, version, relation.name,
                PLAIN if made else (), since)  # fmt: skip
    names = [each.table.name for each in (*sources, *(made.tables if made else ()))]
    others = [Held(name, model.path, window.seq_no, window.end, version, relation.name) for name in names]
    reason = _keeps(flaw) if whole else f"reads what changed since {_when(head)}{f'; {flaw}' if flaw else ''}"
    reason += _blind(c, (source.source for source in sources))
    return Increment(script, reason, not whole, (held, *others), {}, version)


def _base(c: Compilation, keeping: Keeping, head: Held, made: States | None) -> exp.Expr | None:
    """Return the mappings of the id graph that was made last, if they are still there."""
    if made is not None and made.mappings.is_current:
        return made.mappings.before()
    if head.material not in {kept.name for kept in keeping.built}:
        return None
    return exp.table_(f"{head.material}_mappings", db=c.relation(head.path).db, quoted=True)


def _cohort_of_all(project: ProfilesProject, keeping: Keeping, c: Compilation, model: Cohort) -> Increment | None:
    """Return how the cohort of all shows the main ids that its stitcher keeps; None where that keeps none."""
    stitcher = project.graph.models[project.project.entities[model.entity].stitcher]
    assert isinstance(stitcher, Stitcher)
    graph = keeping.held.get(changes_table(c, stitcher).name)
    if graph is None or graph.seq_no != keeping.window.seq_no or graph.material != c.relation(stitcher.path).name:
        return None
    made = states(c, stitcher, graph.version)
    if made is None or made.people.table.name not in keeping.held:
        return None
    return Increment(
        compile_cohort(c, model, made.people.now()), "shows the main ids that are kept", True, (), {}, graph.version
    )


def _var_table(
    project: ProfilesProject, keeping: Keeping, c: Compilation, later: Compilation, model: VarTable
) -> Increment | None:
    window = keeping.window
    cohort = project.graph.models[model.cohort]
    assert isinstance(cohort, Cohort)
    stitcher = project.graph.models[project.project.entities[cohort.entity].stitcher]
    assert isinstance(stitcher, Stitcher)
    changes = changes_table(c, stitcher)
    graph = keeping.held.get(changes.name)
    if graph is None or graph.seq_no != window.seq_no or graph.material != c.relation(stitcher.path).name:
        return None
    own = keeping.of(model)
    newest, flaw = _newest(own), _flaw(keeping, model)
    if newest is not None and newest.end > window.end:
        return None
    is_followed = newest is not None and graph.since <= newest.version <= graph.version
    goes_on = is_followed and not flaw
    before = None
    if goes_on and newest is not None:
        before = replace(c, reader=Reader(project.project, newest.end, None, c.reader.target))
    usable = [held for held in own if goes_on and newest is not None and held.seq_no == newest.seq_no]
    carried = Carried(
        before=before,
        later=later,
        kept={held.name: held.columns for held in usable},
        exist=keeping.exist,
        files={held.name: dict(held.files) for held in usable},
        version=graph.version,
        since=newest.version if newest is not None else 0,
        changes=changes,
    )
    made = compile_carried(c, model, carried)
    if all(s.kind in ("full", "derived") for s in made.strategies.values()):
        return None
    held = tuple(
        Held(kept.table.name, model.path, window.seq_no, window.end, graph.version, c.relation(model.path).name,
             columns=kept.columns)
        for kept in made.kept
    )  # fmt: skip
    if newest is not None and not is_followed and not flaw:
        flaw = NOT_FOLLOWED
    reason = f"reads what changed since {_when(newest)}" if usable else _keeps(flaw)
    reason += _blind(c, (var.source or "" for var in model.vars))
    return Increment(made.script, reason, bool(usable), held, made.strategies, graph.version)


def _sessions(
    project: ProfilesProject, keeping: Keeping, times: tuple[Compilation, Compilation], model: SessionTable
) -> Increment | None:
    window, c = keeping.window, times[0]
    stitcher = project.graph.models[str(model.sessions.stitcher)]
    assert isinstance(stitcher, Stitcher)
    changes = changes_table(c, stitcher)
    graph = keeping.held.get(changes.name)
    if graph is None or graph.seq_no != window.seq_no or graph.material != c.relation(stitcher.path).name:
        return None
    own = keeping.of(model)
    newest, flaw = _newest(own), _flaw(keeping, model)
    if newest is not None and newest.end > window.end:
        return None
    there = newest is not None and newest.material in {kept.name for kept in keeping.built}
    usable: list[Held] = []
    is_followed = newest is not None and newest.version >= graph.since
    is_shown = newest is not None and newest.end == window.end and newest.seq_no != window.seq_no
    if newest is not None and there and is_followed and not is_shown and not flaw:
        usable = [held for held in own if held.seq_no == newest.seq_no and held.version == newest.version]
    # A column of sessions has the type that its first values had.
    definition = [project.fingerprints[model.path], *_types_above(project, model)]
    table = next((held for held in usable if held.columns == OF_SESSIONS), None)
    kept = {held.name: dict(held.files) for held in usable} if table is not None else {}
    days = days_of_ids(times, model, definition, kept)
    if days is not None and not all(day.is_kept for day in days):
        table, days = None, days_of_ids(times, model, definition, {})
    if days is None:
        return None
    relation, owner = c.relation(model.path), f"{c.project.name}/{model.path}"
    goes_on = newest is not None and table is not None
    # Whatever starts over has a table of its own: earlier materials are views of the one before.
    name = table.name if table is not None else layout.kept_name(owner, ["sessions", *definition, str(window.seq_no)])
    carried = CarriedSessions(
        days,
        changes,
        exp.table_(name, db=relation.db, quoted=True),
        newest.version if goes_on and newest is not None else None,
        min((kept.end for kept in keeping.built if kept.path == model.path), default=None),
    )
    held = tuple(
        Held(own, model.path, window.seq_no, window.end, graph.version, relation.name, columns)
        for own, columns in ((name, OF_SESSIONS), *((day.table.name, ()) for day in days))
    )
    if newest is not None and not flaw:
        flaw = NOT_FOLLOWED if not is_followed else IS_SHOWN if is_shown else ""
    reason = f"reads what changed since {_when(newest)}" if goes_on else _keeps(flaw)
    reason += _blind(c, (day.source for day in days))
    return Increment(compile_carried_sessions(c, model, carried), reason, goes_on, held, {}, graph.version)


def _newest(own: Iterable[Held]) -> Held | None:
    """Return one of the tables that were brought up to date last."""
    return max(own, key=lambda held: held.version, default=None)


def _flaw(keeping: Keeping, model: Model) -> str:
    """Return why a run does not go on from what was kept last of a model; empty where it can."""
    own = keeping.of(model)
    newest = _newest(own)
    if newest is None:
        return ""
    flaws = [held.flaw for held in own if held.version == newest.version and held.flaw]
    return flaws[0] if flaws else "it is to start over" if keeping.anew else ""


def _keeps(flaw: str) -> str:
    """Return what a model does that begins to keep, and why it does so again."""
    return f"{KEEPS}: {flaw}" if flaw else KEEPS


def passed_over(keeping: Keeping, model: Model) -> str:
    """Return why what is kept for a model is of no use to a run, as the end of a sentence; empty where it may be."""
    newest = _newest(keeping.of(model))
    if newest is None or newest.end <= keeping.window.end:
        return ""
    return f", and what is kept is as of later ({_when(newest)})"


def _types_above(project: ProfilesProject, model: Model) -> list[str]:
    """Return marks of the types of everything that a model is made from, as far as these are known."""
    types, above = project.project.types, project.graph.with_upstream([model.path])
    paths = sorted(path for path in types if path in above or path.startswith("table:"))
    return [f"{path}.{name} {dtype}" for path in paths for name, dtype in types[path].named]


def _blind(c: Compilation, sources: Iterable[str]) -> str:
    """Return what is not seen of some sources, since pipeline.yaml says not to look for it."""
    told = {source: BLIND[c.changes[source]] for source in sources if source in c.changes}
    return "".join(f"; of {source}, {what}" for source, what in told.items() if what)


def _when(held: Held | None) -> str:
    return f"{held.end:%Y-%m-%d %H:%M:%S}" if held is not None else "the beginning"
