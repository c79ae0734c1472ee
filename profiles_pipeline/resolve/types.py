"""Types of columns of sources and models and of vars, as far as their texts and the warehouse tell.

A text is translated with the types of what it names. These come from other texts, each of which is read after what it
names in turn; the order is found without recursion, for vars may build on each other hundreds deep.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from sqlglot import exp

from profiles_pipeline import sql
from profiles_pipeline.errors import ProjectError
from profiles_pipeline.names import VAR_TABLE
from profiles_pipeline.resolve.model import EntityVar, Input, InputVar, SqlModel
from profiles_pipeline.sql import Columns, Known

if TYPE_CHECKING:
    from profiles_pipeline.resolve.reader import Reader

Var = EntityVar | InputVar
Name = tuple[str, str, str]
"""What has a type: ``entity``, cohort and var; ``input``, source and var; or ``model``, its path and nothing."""

_WORD = re.compile(r'"([^"]+)"|`([^`]+)`|([A-Za-z_][\w$]*)')


class Types:
    """What is known of the types of what the texts of a project name; a Reader belongs to each."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.project = reader.project
        self.done: dict[Name, exp.DType | Columns | None] = {}
        self.underway: set[Name] = set()

    def known_to(self, text: str, source: str | None, var: Var | None = None) -> Known:
        """Return the types of what a rendered text names.

        Args:
            text: SQL with symbols.
            source: path of the model whose columns stand bare in it, if any.
            var: the var that it belongs to; its own name means a column of the source.
        """
        words = _words(text)
        columns: dict[str, exp.DType | None] = {}
        relations: dict[str, Columns] = {}
        if source is not None:
            columns |= self._bare(source, words)
        for word, name in self._names(words, source, var):
            found = self._type_of(name)
            if isinstance(found, Columns):
                if word is not None:
                    relations[word] = found
            elif word is not None:
                columns[word] = found
        for word in words:
            head, _, column = word.rpartition("/")
            if head.startswith("row:"):
                columns[word] = columns.get(column) or self._columns(source or "").by_name.get(column)
        relations |= self._outside(words)
        known = frozenset((word, found) for word, found in columns.items() if found is not None)
        return Known(known, frozenset(relations.items())) if known or relations else sql.NOTHING_KNOWN

    # --- what texts name ------------------------------------------------------------------------------------

    def _names(self, words: set[str], source: str | None, var: Var | None) -> Iterator[tuple[str | None, Name]]:
        """Yield the vars and models that words of a text mean; None in place of a word that stands for more."""
        if isinstance(self.project.models.get(source or ""), SqlModel):
            yield None, ("model", str(source), "")
        own = self.project.input_vars.get(source or "", {})
        for word in words & own.keys():
            if not (isinstance(var, InputVar) and var.name.lower() == word):
                yield word, ("input", str(source), word)
        if var is not None:
            for word, key in self.reader.visible_bare_names(var).items():
                if word in words:
                    yield word, ("entity", *key)
        for word in words:
            yield from self._symbolic(word, words)

    def _symbolic(self, word: str, words: set[str]) -> Iterator[tuple[str | None, Name]]:
        kind, path = sql.split_symbol(word)
        if kind == "ref":
            yield from self._of_model(word, path, words)
        elif kind == "var":
            with suppress(ProjectError):  # told by whoever reads the text
                cohort, name = self.reader.var_key(path)
                if name in self.project.entity_vars.get(cohort, {}):
                    yield word, ("entity", cohort, name)

    def _of_model(self, word: str, path: str, words: set[str]) -> Iterator[tuple[str | None, Name]]:
        """Yield what a text needs to know of a model that it reads."""
        meant = self.project.meant(path)
        if isinstance(self.project.models.get(meant), SqlModel):
            yield word, ("model", meant, "")
        elif meant.endswith(f"/{VAR_TABLE}"):
            owner = meant.removesuffix(f"/{VAR_TABLE}")
            for name in words & self.project.input_vars.get(owner, {}).keys():
                yield None, ("input", owner, name)
            for name in words & self.project.entity_vars.get(owner, {}).keys():
                yield None, ("entity", owner, name)

    def _bare(self, source: str, words: Iterable[str]) -> dict[str, exp.DType | None]:
        """Return the types of columns of a source, vars aside."""
        columns = self._columns(source).by_name
        return {word: columns[word] for word in words if word in columns}

    def _columns(self, path: str) -> Columns:
        model = self.project.models.get(path)
        if isinstance(model, SqlModel):
            found = self._type_of(("model", path, ""))
            return found if isinstance(found, Columns) else sql.UNKNOWN_COLUMNS
        return self.project.types.get(path, sql.UNKNOWN_COLUMNS)

    def _outside(self, words: set[str]) -> Iterator[tuple[str, Columns]]:
        """Yield the relations that are no SQL models: inputs, tables of vars, and tables that only texts name."""
        for word in words:
            kind, path = sql.split_symbol(word)
            meant = self.project.meant(path) if kind == "ref" else ""
            if isinstance(self.project.models.get(meant), Input):
                yield word, self._columns(meant)
            elif meant.endswith(f"/{VAR_TABLE}"):
                yield word, self._of_table(meant.removesuffix(f"/{VAR_TABLE}"), words)
        for name, columns in self.project.types.items():
            if name.startswith("table:") and name.rpartition(".")[2].removeprefix("table:") in words:
                yield name.removeprefix("table:"), columns

    def _of_table(self, owner: str, words: set[str]) -> Columns:
        vars_: list[tuple[str, exp.DType | None]] = []
        for kind, own in (("input", self.project.input_vars), ("entity", self.project.entity_vars)):
            for name in words & own.get(owner, {}).keys():
                found = self._type_of((kind, owner, name))
                vars_.append((name, found if isinstance(found, exp.DType) else None))
        return Columns((*vars_, *self._columns(owner).types))

    # --- in order -------------------------------------------------------------------------------------------

    def _type_of(self, name: Name) -> exp.DType | Columns | None:
        """Return a type once the types of what its text names are known; None for what depends on itself."""
        todo = [] if name in self.done or name in self.underway else [name]
        while todo:
            last = todo[-1]
            if last in self.done:
                todo.pop()
            elif last in self.underway:
                self.done[last] = self._read(last)
                self.underway.discard(last)
                todo.pop()
            else:
                self.underway.add(last)
                named = (self._names(_words(text), source, var) for text, source, var in self._texts(last))
                needed = [found for found_in_text in named for _, found in found_in_text]
                todo += [found for found in needed if found not in self.done and found not in self.underway]
        return self.done.get(name)

    def _texts(self, name: Name) -> Iterator[tuple[str, str | None, Var | None]]:
        """Yield the rendered texts that decide a type, with the source of their bare columns and their var."""
        if name[0] == "model":
            text = self._query_text(name[1])
            found: list[tuple[str, str, Var | None]] = [(text, name[1], None)] if text is not None else []
        else:
            var = self._var(name)
            found = [(text, place_of(var), var) for text in texts_of(var)]
        for text, this, owner in found:
            with suppress(ProjectError):  # told by whoever reads the text
                yield self.reader.render(text, this).text, owner.source if owner else None, owner

    def _query_text(self, path: str) -> str | None:
        model = self.project.models[path]
        return model.spec.single_sql if isinstance(model, SqlModel) else None

    def _var(self, name: Name) -> Var:
        kind, owner, own = name
        return self.project.entity_vars[owner][own] if kind == "entity" else self.project.input_vars[owner][own]

    def _read(self, name: Name) -> exp.DType | Columns | None:
        kind, owner, _ = name
        try:
            if kind == "model":
                text = self._query_text(owner)
                return sql.columns_of(self.reader.query(text, owner).tree) if text is not None else None
            var = self._var(name)
            read = self.reader.entity_var(var) if isinstance(var, EntityVar) else self.reader.input_var(var)
        except ProjectError:
            return None  # told by whoever reads the text
        value = read.cast if read.cast is not None else read.select if read.select is not None else read.default
        return sql.dtype(value) if value is not None else None


def place_of(var: Var) -> str:
    """Return the path of a var, which is what ``this`` means in its texts."""
    return f"{var.cohort if isinstance(var, EntityVar) else var.source}/{var.name.lower()}"


def texts_of(var: Var) -> list[str]:
    """Return the texts of a var as they are written."""
    window = var.spec.window
    lists = (*window.partition_by, *window.order_by) if window is not None else ()
    return list(filter(None, (var.spec.select, var.spec.where, var.spec.default_value, *lists)))


def _words(text: str) -> set[str]:
    """Return the names in a text, quoted or not, in lower case; words in literals and comments among them."""
    return {(match[1] or match[2] or match[3]).lower() for match in _WORD.finditer(text)}
