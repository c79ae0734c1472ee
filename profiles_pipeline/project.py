"""A project that is ready to be planned: read, resolved, ordered and fingerprinted. Touches no warehouse."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from profiles_pipeline import contracts, spec, versions
from profiles_pipeline import graph as graphs
from profiles_pipeline.enable import Disabled, Node
from profiles_pipeline.errors import Broken, Problem, Problems, ProjectError, in_file_order
from profiles_pipeline.graph import Graph
from profiles_pipeline.resolve import resolve
from profiles_pipeline.resolve.id_columns import id_columns
from profiles_pipeline.resolve.model import Cohort, Input, Project
from profiles_pipeline.resolve.publishing import Publisher, publishers_of
from profiles_pipeline.resolve.reader import Reader
from profiles_pipeline.resolve.written_in import WrittenIn, written_in
from profiles_pipeline.spec import PipelineSpec
from profiles_pipeline.spec.stores import is_object
from profiles_pipeline.sql import Columns

_NOT_FOUND = ("unknown-input", "unknown-model", "unknown-var", "unknown-name")


@dataclass(frozen=True)
class ProfilesProject:
    """A project as read: what of it is sound, and what is wrong with the rest.

    Attributes:
        folder: absolute path of the project folder.
        graph: its models in the order in which they can be built.
        fingerprints: path -> fingerprint of every model.
        tables: path -> warehouse tables that the SQL of a model names without an input in between.
        warnings: what is doubtful, in file order.
        notes: what was rewritten from older dialects, one sentence each.
        errors: what is wrong, in file order; a project with errors can be checked further, nothing else.
        pipeline: how it is run, as its pipeline.yaml says.
        publishers: what of it is published, and where to.
        dialect_note: the dialect that its SQL is taken to be written in and why, where that is found out; else None.
    """

    folder: Path
    project: Project
    graph: Graph
    fingerprints: Mapping[str, str]
    tables: Mapping[str, tuple[str, ...]]
    warnings: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    errors: tuple[Problem, ...] = ()
    pipeline: PipelineSpec = field(default_factory=PipelineSpec)
    dialect_note: str | None = None
    publishers: tuple[Publisher, ...] = ()

    def __repr__(self) -> str:
        counts = f"{len(self.graph.models)} models, {len(self.graph.var_homes)} vars, {len(self.errors)} errors"
        return f"<{type(self).__name__} {self.name} in {self.folder}: {counts}>"

    @property
    def disabled(self) -> tuple[Disabled, ...]:
        """What of the project is left out, and why."""
        return self.graph.disabled

    @property
    def relation_names(self) -> frozenset[str]:
        """Lower-case names of the relations that the project builds."""
        return frozenset(m.name.lower() for m in self.graph.models.values() if not isinstance(m, Input))

    @property
    def objects(self) -> frozenset[str]:
        """Addresses in object stores that the inputs name."""
        tables = (str(m.table) for m in self.graph.models.values() if isinstance(m, Input) and m.csv is None)
        return frozenset(filter(is_object, tables))

    @property
    def id_columns(self) -> Mapping[str, frozenset[str]]:
        """Table, in lower case -> lower-case names of its columns that carry ids."""
        return id_columns(Reader(self.project, versions.ANY_TIME, bound=False))

    @property
    def name(self) -> str:
        """The project's name."""
        return self.project.name

    @classmethod
    def load(
        cls, folder: str | Path, *, source_dialect: str | None = None, siteconfig: Path | None = None
    ) -> ProfilesProject:
        """Return the project in `folder`.

        Args:
            folder: the folder that holds pb_project.yaml.
            source_dialect: the SQL dialect in which the project is written; None to find out.
            siteconfig: the file with the git credentials for its packages; None for the default one.

        Raises:
            ProjectError: the project is wrong; holds every problem found.
        """
        project = cls.read(folder, source_dialect=source_dialect, siteconfig=siteconfig)
        if project.errors:
            raise ProjectError(project.errors)
        return project

    @classmethod
    def read(
        cls, folder: str | Path, *, source_dialect: str | None = None, siteconfig: Path | None = None
    ) -> ProfilesProject:
        """Return as much of the project in `folder` as is sound, with everything that is wrong in it.

        Raises:
            ProjectError: nothing of it can be read.
        """
        path = Path(folder).expanduser().resolve()
        problems = Problems()
        loaded = spec.read_whole_project(path, problems, siteconfig)
        found_out = WrittenIn(source_dialect) if source_dialect else written_in(loaded.spec)
        project = resolve(loaded.spec, problems, found_out.dialect)
        graph, found = _ordered(project, problems, _missing_files(project))
        pipeline = _pipeline(spec.read_pipeline(path, problems), project, problems)
        publishers = publishers_of(pipeline.publish, graph.project, problems)
        notes = tuple(str(n) for n in loaded.notes)
        errors = _with_missing_folders(problems)
        return cls(
            folder=path,
            project=graph.project,
            graph=graph,
            fingerprints=found.fingerprints,
            tables=found.tables,
            warnings=problems.warnings,
            notes=notes,
            errors=errors,
            pipeline=pipeline,
            dialect_note=found_out.note,
            publishers=publishers,
        )

    def without(self, models: Mapping[str, str] = {}, columns: Mapping[str, Collection[str]] = {}) -> ProfilesProject:
        """Return the project without these models, without these columns, and without what cannot run then.

        Args:
            models: path -> reason why it is missing.
            columns: path of an input -> lower-case names of columns that its table does not have.

        Raises:
            ProjectError: a must-have would be left out.
        """
        if not models and not columns:
            return self
        rest = contracts.without_columns(self.project, Reader(self.project, versions.ANY_TIME, bound=False), columns)
        unavailable: dict[Node, str] = {**rest.unavailable}
        unavailable.update(models.items())
        return self._reordered(rest.project, unavailable, rest.dropped)

    def with_columns(self, columns: Mapping[str, frozenset[str]]) -> ProfilesProject:
        """Return the project in which names that stand bare are read with what is known of the columns of sources.

        Args:
            columns: path of a source -> lower-case names of its columns.

        Raises:
            ProjectError: what was taken for columns are vars that depend on each other in a circle.
        """
        if not columns:
            return self
        return self._reordered(replace(self.project, columns=columns))

    def with_types(self, types: Mapping[str, Columns]) -> ProfilesProject:
        """Return the project in which texts are read with what is known of the types of columns of sources.

        Order and fingerprints stay: what a project means does not depend on them, only how it is said in SQL.

        Args:
            types: path of an input, or ``table:`` and the name of a table that only texts name -> its columns.
        """
        if not types:
            return self
        project = replace(self.project, types=types)
        return replace(self, project=project, graph=replace(self.graph, project=project))

    def run_as(self, stated: Mapping[str, object], file: Path) -> ProfilesProject:
        """Return the project run as another file says: sections in it take the place of those of pipeline.yaml.

        Args:
            stated: key of pipeline.yaml -> what stands there.
            file: the file, which has it under ``attributes``.

        Raises:
            ProjectError: what stands there is wrong.
        """
        problems = Problems()
        found = _pipeline(spec.read_stated(stated, file, problems), self.project, problems)
        pipeline = self.pipeline.model_copy(update={key: getattr(found, key) for key in stated})
        publishers = publishers_of(pipeline.publish, self.project, problems)
        problems.raise_errors()
        return replace(self, pipeline=pipeline, publishers=publishers)

    def _reordered(
        self, project: Project, unavailable: Mapping[Node, str] = {}, dropped: tuple[Disabled, ...] = ()
    ) -> ProfilesProject:
        """Return this project with another one in its place, ordered and fingerprinted anew.

        Raises:
            ProjectError: it cannot be ordered, or a must-have would be left out.
        """
        problems = Problems()
        graph, found = _ordered(project, problems, unavailable)
        problems.raise_errors()
        disabled = (*self.graph.disabled, *dropped, *graph.disabled)
        graph = replace(graph, disabled=disabled, doubtful=graph.doubtful | self.graph.doubtful)
        return self._with(graph, found)

    def lacking(self, faulty: Collection[Node]) -> ProfilesProject:
        """Return what is sound of the project when these models and vars are wrong; for further checks only.

        A cohort that is wrong stays, without its filters.
        An input var is given as the path of its source and its name in lower case.
        """
        input_vars = {(source, name) for source, own in self.project.input_vars.items() for name in own}
        keys = {node for node in faulty if isinstance(node, tuple)}
        cohorts = [model for model in self.project.models.values() if isinstance(model, Cohort)]
        filtered = {cohort.path for cohort in cohorts if cohort.is_filtered} & {*faulty}
        rest = graphs.with_open_cohorts(graphs.without_input_vars(self.project, input_vars & keys), filtered)
        names = {*rest.broken.names, *(f"var/{name}" for _, name in keys)}
        broken = Broken(names, rest.broken.anything)
        graph, found = _ordered(replace(rest, broken=broken), Problems(), faulty=set(faulty) - input_vars - filtered)
        graph = replace(graph, doubtful=graph.doubtful | self.graph.doubtful)
        return self._with(graph, found)

    def with_contents(self, contents: Mapping[str, str]) -> ProfilesProject:
        """Return the project with fingerprints that change with the rows of some inputs.

        Args:
            contents: path of an input -> hash of its rows.
        """
        if not contents:
            return self
        reader = Reader(self.project.untyped, versions.ANY_TIME, bound=False)
        return self._with(self.graph, versions.digest(self.graph, reader, Problems(), contents))

    def _with(self, graph: Graph, found: versions.Digest) -> ProfilesProject:
        """Return this project with another graph in the place of its own."""
        return replace(self, project=graph.project, graph=graph, fingerprints=found.fingerprints, tables=found.tables)


def _pipeline(found: spec.PlacedPipeline, project: Project, problems: Problems) -> PipelineSpec:
    """Return what is said of how a project is run; names that it does not have are added to `problems`."""
    inputs = [model.name for model in project.models.values() if isinstance(model, Input)]
    found.check_names(inputs, list(project.id_types), problems, project.broken.__contains__)
    return found.spec


def _with_missing_folders(problems: Problems) -> tuple[Problem, ...]:
    """Return the errors; where names are not found, model folders that are not there may be the cause."""
    errors = problems.errors
    if not any(p.code in _NOT_FOUND and "did you mean" not in (p.hint or "") for p in errors):
        return errors
    missing = (replace(p, severity="error") for p in problems.warnings if p.code == "missing-model-folder")
    return in_file_order((*errors, *missing))


def _missing_files(project: Project) -> dict[Node, str]:
    """Return path -> reason of the inputs that need not be there and whose files are not."""
    reader = Reader(project, versions.ANY_TIME, bound=False)
    missing: dict[Node, str] = {}
    for path, model in project.models.items():
        if isinstance(model, Input) and model.is_optional and model.csv is not None and not reader.has_file(model.csv):
            missing[path] = f"its file '{model.csv}' is not there, and its contract says that it is optional"
    return missing


def _ordered(
    project: Project,
    problems: Problems,
    unavailable: Mapping[Node, str] | None = None,
    faulty: Collection[Node] = (),
) -> tuple[Graph, versions.Digest]:
    """Return the graph and the fingerprints of what is sound; what is wrong is added to `problems`."""
    reader = Reader(project.untyped, versions.ANY_TIME, bound=False)
    graph = graphs.build(project, reader, problems, unavailable, faulty)
    compiling = Problems()
    found = versions.digest(graph, reader if graph.project is project else reader.of(graph.project), compiling)
    _tell_dialects(reader, problems)
    _tell_stand_ins(reader, problems)
    if not compiling.broken.names:
        return graph, found
    told = [p for p in compiling.errors if p.about not in graph.doubtful]
    problems.found += told
    wrong = {_node(graph.project, name) for name in compiling.broken.names}
    rest, found = _ordered(graph.project, Problems(), faulty=wrong)
    disabled = (*graph.disabled, *rest.disabled)
    return replace(rest, disabled=disabled, doubtful=graph.doubtful | rest.doubtful), found


def _tell_dialects(reader: Reader, problems: Problems) -> None:
    """Warn once for each dialect in which texts are read that are none in the project's own."""
    own = reader.project.source_dialect
    for dialect, places in sorted(reader.read_as.items()):
        first = min(places, key=lambda place: (place.file, place.line, place.column))
        count = "1 text is" if len(places) == 1 else f"{len(places)} texts are"
        message = f"{count} no {own} SQL, and read as {dialect}; this is the first"
        hint = f"for a project in {dialect} say `dialect: {dialect}` in its connection"
        problems.warn("other-dialect", message, first, hint=hint)


def _tell_stand_ins(reader: Reader, problems: Problems) -> None:
    """Warn once for each function that DuckDB has not and for which one with other values stands in."""
    for name, places in sorted(reader.stand_ins.items()):
        first = min(places, key=lambda place: (place.file, place.line, place.column))
        message = f"{name} gives other numbers here than in the warehouse: part of an MD5, always the same for a value"
        hint = "good as a key or to draw samples; do not compare it with values of the warehouse"
        problems.warn("other-hash", message, first, hint=hint)


def _node(project: Project, about: str) -> Node:
    """Return the model or var that a problem is about."""
    owner, _, name = about.rpartition("/")
    return (owner, name) if name in project.entity_vars.get(owner, {}) else about
