"""Reads SQL texts of a project: renders the template, parses the result, finds out what it refers to.

What comes out is symbolic: models stand as ``ref:<path>``, entity vars as ``var:<owner>/<name>``, columns of the
source as ``row:<model>/<column>``. Pure apart from a cache; a Reader belongs to one time context and one target.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from sqlglot import exp

from profiles_pipeline import sql, template
from profiles_pipeline.errors import BrokenReferenceError, Problem, ProjectError, Span, at, did_you_mean
from profiles_pipeline.names import normalise_path
from profiles_pipeline.resolve.model import Cohort, Entity, EntityVar, InputVar, Model, Project, Source, SqlModel
from profiles_pipeline.resolve.past import PastRef, past_ref, past_refs
from profiles_pipeline.resolve.readings import VALUE, Reading, ReadVar, VarKey, Window
from profiles_pipeline.resolve.types import Types, place_of
from profiles_pipeline.spec.model import Text, WindowSpec

Found = TypeVar("Found")


@dataclass
class Reader:
    """Reads the texts of one project in one time context for one target dialect.

    Attributes:
        end_time: everything is as of this moment (UTC); current_date and its kin become this.
        bound: False keeps time functions as they are written, for fingerprints that do not move with time.
        has_past: whether there is what a reference to earlier windows asks for; templates can ask this too.
        read_as: dialect -> places of the texts read so far that are in it, where it is not the project's.
        stand_ins: function -> places of the texts read so far in which something else stands in for it.
    """

    project: Project
    end_time: datetime
    begin_time: datetime | None = None
    target: str = "duckdb"
    bound: bool = True
    has_past: Callable[[PastRef], bool] = lambda _: False
    read_as: dict[str, set[Span]] = field(default_factory=dict)
    stand_ins: dict[str, set[Span]] = field(default_factory=dict)
    _vars: dict[tuple[str, str, str], ReadVar] = field(default_factory=dict)
    _named: dict[str, dict[str, VarKey]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._dialects = sql.Reading(self.project.source_dialect, self.target)
        self._types = Types(self)
        self._macros = {
            str(m.name): template.Macro(str(m.name), tuple(str(i) for i in m.inputs), m.value)
            for m in self.project.macros
        }

    def of(self, project: Project) -> Reader:
        """Return a reader of another project in the same time context."""
        return Reader(project, self.end_time, self.begin_time, self.target, self.bound, self.has_past)

    def with_past(self, has_past: Callable[[PastRef], bool]) -> Reader:
        """Return a reader in the same time context that finds other things in earlier windows."""
        return Reader(self.project, self.end_time, self.begin_time, self.target, self.bound, has_past)

    # --- texts ----------------------------------------------------------------------------------------------

    def render(self, text: str, this: str) -> template.Rendered:
        """Return `text` with its template rendered as part of model `this`."""
        scope = template.Scope(
            this=this,
            names=self.project.names,
            macros=self._macros,
            end_time=self.end_time,
            begin_time=self.begin_time,
            dialect=self.project.source_dialect,
            model=self._facts,
            read_file=self.read_file,
            is_broken=self._is_broken,
            namesakes=self.project.spec.namesakes,
            entity=self._entity_at(this) if self.project.spec.namesakes.names else None,
        )
        return template.render(text, scope)

    def _is_broken(self, name: str) -> bool:
        return any(f"{kind}/{name}" in self.project.broken for kind in ("macro", "entity", "inputs", "models"))

    def expression(
        self, text: str, this: str, what: str = "expression", var: EntityVar | InputVar | None = None
    ) -> Reading:
        """Return a scalar or aggregate SQL expression as read; `var` is the one it belongs to, if any."""
        rendered, place = self._rendered(text, this)
        dialects = self._knowing(rendered.text, var.source if var else this, var)
        try:
            tree = _parsed(str(rendered.text), dialects)
        except ProjectError:  # once more, for the place
            tree = sql.parse_expression(rendered.text, dialects, span=place, what=what)
        return self._unqualified(self._reading(tree, rendered, place), this)

    def query(self, text: str, this: str) -> Reading:
        """Return a SELECT as read, whatever its shape: leading WITH, leading comma or plain."""
        rendered, place = self._rendered(text, this)
        dialects = self._knowing(rendered.text, None)
        return self._reading(sql.parse_query(rendered.text, dialects, span=place), rendered, place)

    def statements(self, text: str, this: str) -> tuple[Reading, ...]:
        """Return a list of statements as read."""
        rendered, place = self._rendered(text, this)
        trees = sql.parse_statements(rendered.text, self._knowing(rendered.text, None), span=place)
        return tuple(self._reading(tree, rendered, place) for tree in trees)

    def expressions(self, text: str, this: str) -> list[exp.Expr]:
        """Return the expressions of a rendered, comma-separated list."""
        return sql.parse_expressions(text, self._dialects, what=f"row of {this}")

    def typed(self, value: exp.Expr, data_type: str, this: str) -> exp.Expr:
        """Return a value cast to a type as the source dialect means it."""
        return sql.substitute(self._cast(data_type, this), {VALUE: value})

    def _knowing(self, text: str, source: str | None, var: EntityVar | InputVar | None = None) -> sql.Reading:
        """Return how to read a rendered text, with the types of what it names."""
        return replace(self._dialects, known=self._types.known_to(text, source, var))

    def _rendered(self, text: str, this: str) -> tuple[template.Rendered, Span | None]:
        rendered = self.render(text, this)
        place = getattr(text, "span", None)
        if rendered.text == text:  # positions in the parser's errors are positions in the file
            return replace(rendered, text=text), place
        return rendered, place

    def _reading(self, tree: exp.Expr, rendered: template.Rendered, place: Span | None) -> Reading:
        if place is not None and (dialect := tree.meta.get(sql.READ_AS)):
            self.read_as.setdefault(dialect, set()).add(place)
        if place is not None:
            for name in tree.meta.get(sql.STANDS_IN, ()):
                self.stand_ins.setdefault(name, set()).add(place)
        tree = sql.bind_time(tree, self.end_time) if self.bound else sql.copied(tree)
        past = past_refs(rendered.refs)
        models, variables, optional = set(), set(), set()
        unknown: list[ProjectError] = []
        for ref in rendered.refs:
            if ref.kind == "var":
                try:
                    variables.add(self.var_key(ref.target))
                except ProjectError as error:
                    where = template.place_of(rendered.text, ref.target) or place
                    unknown.append(ProjectError(at(problem, where) for problem in error.problems))
            elif ref.kind in ("ref", "member") and not ref.options.get("pre_existing"):
                delta = past_ref(ref.address)
                path = delta.path if delta else normalise_path(ref.target)
                models.add(path)
                if ref.options.get("dependency") in ("optional", "coercive"):
                    optional.add(path)
        if unknown:
            raise ProjectError(problem for error in unknown for problem in error.problems)
        return Reading(tree, frozenset(models), frozenset(variables), frozenset(optional), rendered.text, past)

    # --- names ----------------------------------------------------------------------------------------------

    def var_key(self, target: str, place: Span | None = None) -> VarKey:
        """Return the key of the var that ``<owner>/<name>`` means, looking through the cohorts it extends.

        Raises:
            ProjectError: there is no such var.
        """
        owner, _, name = target.rpartition("/")
        cohort = self.cohort_named(owner)
        while cohort is not None:
            if name.lower() in self.project.entity_vars.get(cohort.path, {}):
                return cohort.path, name.lower()
            if any(name.lower() in map(str.lower, m.columns) for m in self.project.feature_models.get(cohort.path, ())):
                return cohort.path, name.lower()
            parent = self.project.models.get(cohort.parent or "")
            cohort = parent if isinstance(parent, Cohort) else None
        if f"var/{name}" in self.project.broken or self.project.broken.bears(owner):
            raise BrokenReferenceError
        known = [v.name for own in self.project.entity_vars.values() for v in own.values()]
        problem = Problem("unknown-var", f"there is no var '{name}' on '{owner}'", place, did_you_mean(name, known))
        raise ProjectError([problem])

    def cohort_named(self, owner: str) -> Cohort | None:
        """Return the cohort that a template name or a path means: ``user``, ``user/all``, ``vip``, ``models/vip``."""
        entity = self.project.entities.get(owner.removeprefix("entity/").lower())
        path = entity.all_cohort if entity else owner.lower()
        for candidate in (path, f"models/{path}", path.removeprefix("entity/")):
            model = self.project.models.get(candidate)
            if isinstance(model, Cohort):
                return model
        return None

    def _facts(self, path: str) -> template.ModelFacts | None:
        past = past_ref(path)
        model = self.project.models.get(self.project.meant(past.path if past else path))
        if model is None:
            return None
        entity = self._entity_of(model)
        occurred_at = getattr(model, "occurred_at", None)
        return template.ModelFacts(
            path=model.path,
            model_type=_model_type(model),
            enabled=past is None or self._is_enabled(past),
            entity=entity.name if entity else None,
            id_column=entity.id_column if entity else None,
            output_type=model.output if isinstance(model, SqlModel) else None,
            occurred_at_col=str(occurred_at) if occurred_at else None,
        )

    def _is_enabled(self, past: PastRef) -> bool:
        """Return whether templates may use it: changes of ids can always be asked for, at worst there are none."""
        return self.has_past(past) or (past.kind == "clusters" and not past.checkpoint)

    def _entity_of(self, model: Model) -> Entity | None:
        """Return the entity that a model is about; None when it is about none, or several."""
        owner = (model.spec.entity_key or model.spec.entity_cohort) if isinstance(model, SqlModel) else None
        cohort = self.cohort_named(owner) if owner else self.project.models.get(getattr(model, "cohort", None) or "")
        about = getattr(cohort if isinstance(cohort, Cohort) else model, "entity", None)
        found = {about} if about else {i.entity for i in getattr(model, "ids", ())} or {*getattr(model, "entities", ())}
        return self.project.entities.get(found.pop()) if len(found) == 1 else None

    def _entity_at(self, this: str) -> str | None:
        """Return the lower-case name of the entity that a text of a model or var is about, if it is about one."""
        owner, _, name = this.lower().rpartition("/")
        var = self.project.input_vars.get(owner, {}).get(name)
        model = self.project.models.get(this.lower()) or self.project.models.get(owner)
        entity = self._entity_of(model) if model is not None else None
        return var.entity if var is not None else entity.name.lower() if entity is not None else None

    def has_file(self, path: str) -> bool:
        """Return whether the project has a file; what lies outside is none of its."""
        found = ((folder.resolve(), (folder / path).resolve()) for folder in self._folders)
        return any(file.is_relative_to(folder) and file.is_file() for folder, file in found)

    def read_file(self, path: str) -> Text:
        """Return the text of a file of the project, which knows where it stands.

        Raises:
            ProjectError: the file is not there, or lies outside the project.
        """
        for folder in self._folders:
            file = (folder / path).resolve()
            if not file.is_relative_to(folder.resolve()):
                raise ProjectError([Problem("bad-path", f"'{path}' lies outside the project folder")])
            if file.is_file():
                return _placed_text(file.read_text(encoding="utf-8"), os.path.relpath(file, self.project.spec.folder))
        hint = "the path is relative to the project folder"
        raise ProjectError(
            [Problem("missing-file", f"there is no file '{path}' in the project", getattr(path, "span", None), hint)]
        )

    @property
    def _folders(self) -> Iterator[Path]:
        """The folders in which the files of the project are looked for."""
        return map(Path, (self.project.spec.folder, *self.project.spec.package_folders))

    # --- vars -----------------------------------------------------------------------------------------------

    def entity_var(self, var: EntityVar) -> ReadVar:
        """Return an entity var as read; bare names of other vars are made symbols."""
        key = (var.cohort, var.name, "entity")
        if key not in self._vars:
            self._vars[key] = self._read_var(var)
        return self._vars[key]

    def input_var(self, var: InputVar) -> ReadVar:
        """Return an input var as read."""
        key = (var.source, var.name, "input")
        if key not in self._vars:
            self._vars[key] = self._read_var(var)
        return self._vars[key]

    def default_of(self, var: EntityVar) -> exp.Expr | None:
        """Return what stands in for a missing value of a var, as read; cheaper than reading all of its texts."""
        text = var.spec.default_value
        if text is None:
            return None
        return self._of_var(self.expression(text, place_of(var), "default_value", var), var).tree

    def _read_var(self, var: EntityVar | InputVar) -> ReadVar:
        spec, this = var.spec, place_of(var)
        window = spec.window
        parts: list[Reading] = []
        errors: list[ProjectError] = []

        def tried(text: str | None, find: Callable[[], Found]) -> Found | None:
            try:
                return find()
            except ProjectError as error:
                place = getattr(text, "span", None)
                errors.append(ProjectError(at(problem, place) for problem in error.problems))
                return None

        def read(text: str | None, what: str) -> exp.Expr | None:
            if text is None:
                return None
            part = tried(text, lambda: self._of_var(self.expression(text, this, what, var), var))
            parts.extend([part] if part else [])
            return part.tree if part else None

        select = read(spec.select, "select")
        where = read(spec.where, "where")
        default = read(spec.default_value, "default_value")
        clause = None
        if window is not None:
            keys = tuple(tree for text in window.partition_by if (tree := read(text, "partition_by")) is not None)
            first = next(iter(window.order_by), window.frame_clause)
            order, frame = tried(first, lambda: self._order(window, var, parts)) or ((), None)
            clause = Window(keys, order, frame)
        data_type = spec.column_data_type
        if select is not None and default is not None:
            select = sql.beside(select, default)
        value = select if select is not None else default
        cast = tried(data_type, lambda: self._cast(data_type, this, value)) if data_type else None
        if errors:
            raise ProjectError(problem for error in errors for problem in error.problems)
        columns = {c.lower() for part in parts for c in sql.columns_of_rows(part.tree)}
        columns |= {c.lower() for part in parts for c in _row_columns(part.tree)}
        return ReadVar(
            select=select,
            where=where,
            window=clause,
            default=default,
            cast=cast,
            models=frozenset().union(*(p.models for p in parts)),
            vars=frozenset().union(*(p.vars for p in parts)),
            columns=frozenset(columns),
            texts=tuple(p.text for p in parts),
        )

    def _cast(self, data_type: str, this: str, of: exp.Expr | None = None) -> exp.Expr:
        """Return the cast to a type as the source dialect means it, of the symbol VALUE, which stands for `of`."""
        name, place = self.render(data_type, this).text.strip(), getattr(data_type, "span", None)
        value = exp.to_identifier(VALUE, quoted=True).sql(self._dialects.source)
        try:
            found = sql.dtype(of) if of is not None else None
            known = sql.Known(frozenset({(VALUE, found)})) if found is not None else sql.NOTHING_KNOWN
            return sql.parse_expression(f"CAST({value} AS {name})", replace(self._dialects, known=known))
        except ProjectError as error:
            message = f"'{name}' is not a data type of {self.project.source_dialect}"
            raise ProjectError(
                [Problem("wrong-value", message, place, "use varchar, integer, float, timestamp ...")]
            ) from error

    def _order(
        self, window: WindowSpec, var: EntityVar | InputVar, parts: list[Reading]
    ) -> tuple[tuple[exp.Ordered, ...], exp.WindowSpec | None]:
        this, place, frame_text = place_of(var), var.spec.span, window.frame_clause
        rendered = [self._rendered(text, this)[0] for text in window.order_by]
        dialects = self._knowing(", ".join(r.text for r in rendered), var.source, var)
        ordered, frame = sql.parse_order_by([r.text for r in rendered], dialects)
        keys = []
        for item in ordered:
            reading = self._reading(item, rendered[0], place) if rendered else Reading(item)
            reading = self._of_var(reading, var)
            refs = [self._reading(item, r, place) for r in rendered]
            parts.append(
                Reading(
                    reading.tree,
                    frozenset().union(*(r.models for r in refs)),
                    reading.vars.union(*(r.vars for r in refs)),
                )
            )
            assert isinstance(reading.tree, exp.Ordered)
            keys.append(reading.tree)
        if frame_text is not None:
            text = self.render(frame_text, this).text
            frame = (
                sql.parse_frame(text, self._dialects, span=getattr(frame_text, "span", None)) if text.strip() else frame
            )
        return tuple(keys), frame

    def _of_var(self, reading: Reading, var: EntityVar | InputVar) -> Reading:
        """Return a text as it is meant in a var: what stands bare is a var or a column of the source."""
        meant = self._unqualified(self._with_bare_names(reading, var), var.source)
        source = self.project.models.get(var.source or "")
        return replace(meant, tree=sql.correlated(meant.tree, source.name)) if source is not None else meant

    def _unqualified(self, reading: Reading, path: str | None) -> Reading:
        """Return the reading with columns that are written ``source.column`` as columns of the source at hand."""
        source = self.project.models.get(path or "")
        if not isinstance(source, Source):
            return reading
        return replace(reading, tree=sql.unqualified(reading.tree, source.name))

    def _with_bare_names(self, reading: Reading, var: EntityVar | InputVar) -> Reading:
        """Return the reading with bare names of entity vars made symbols, where the dialect means vars by them."""
        visible = self.visible_bare_names(var)
        names = self.project.broken.names
        if names and var.source is None and any(f"var/{c.lower()}" in names for c in sql.column_names(reading.tree)):
            raise BrokenReferenceError
        found: set[VarKey] = set()

        def replace_name(node: exp.Expr) -> exp.Expr:
            if isinstance(node, exp.Column) and not node.table and node.name.lower() in visible:
                key = visible[node.name.lower()]
                found.add(key)
                return exp.column(exp.to_identifier(f"var:{key[0]}/{key[1]}", quoted=True))
            return node

        tree = sql.transformed(sql.copied(reading.tree), replace_name) if visible else reading.tree
        return replace(reading, tree=tree, vars=reading.vars | found)

    def visible_bare_names(self, var: EntityVar | InputVar) -> dict[str, VarKey]:
        """Return the names that mean vars in the text of `var`.

        Without a source only vars can be meant. With one, a bare name is a column, unless the author listed it under
        `dependencies`, or the dialect has no other way to name a var and the source is known to lack such a column.
        """
        if var.source is None:
            return self.vars_by_name(var)
        columns = self.project.columns.get(var.source) if var.bare_names else None
        taken = None if columns is None else columns | self.project.input_vars.get(var.source, {}).keys()
        listed = {str(d).lower() for d in var.spec.dependencies} if isinstance(var, EntityVar) else set()
        named = self.vars_by_name(var) if listed or taken is not None else {}
        return {n: key for n, key in named.items() if n in listed or (taken is not None and n not in taken)}

    def _names_of(self, path: str) -> dict[str, VarKey]:
        """Return the vars of a cohort, its own and inherited ones, by lower-case name."""
        if path not in self._named:
            names: dict[str, VarKey] = {}
            cohort = self.project.models.get(path)
            while isinstance(cohort, Cohort):
                own = self.project.entity_vars.get(cohort.path, {})
                names = {name: (cohort.path, name) for name in own} | names
                cohort = self.project.models.get(cohort.parent or "")
            self._named[path] = names
        return self._named[path]

    def vars_by_name(self, var: EntityVar | InputVar) -> dict[str, VarKey]:
        """Return the other vars that the text of `var` may use, its cohort's and inherited ones, by lower-case name."""
        path = var.cohort if isinstance(var, EntityVar) else self.project.entities[var.entity].all_cohort
        names = self._names_of(path).copy()
        names.pop(var.name.lower(), None)
        return names


@lru_cache(maxsize=4096)
def _parsed(text: str, dialects: sql.Reading) -> exp.Expr:
    """Return the tree of an expression; the same text is read several times in a run, for different time contexts."""
    return sql.parse_expression(text, dialects)


def _placed_text(text: str, file: str) -> Text:
    """Return the text of a file as one that begins with its first line that is not empty."""
    return Text(text, Span(file, len(text) - len(text.lstrip("\n")) + 1, 1), block=True)


def _row_columns(tree: exp.Expr) -> set[str]:
    """Return the column names behind ``row:`` symbols."""
    return {
        identifier.name.rpartition("/")[2]
        for identifier in sql.nodes_of(tree, exp.Identifier)
        if identifier.name.startswith("row:")
    }


def _model_type(model: Model) -> str:
    names = {
        "SqlModel": "sql_template",
        "ColumnUnion": "common_column_union",
        "Stitcher": "id_stitcher",
        "Cohort": "entity_cohort",
        "FeatureTable": "feature_table_model",
        "FeatureView": "feature_view",
        "InputVarTable": "var_table",
        "VarTable": "var_table",
        "SessionTable": "sessions",
    }
    return names.get(type(model).__name__, type(model).__name__.lower())
