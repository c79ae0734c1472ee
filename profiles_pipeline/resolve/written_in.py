"""Finds out which warehouse a project was written for, where nobody says so: once, for all of its texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from profiles_pipeline import sql
from profiles_pipeline.spec.model import ProjectSpec, Spec, Text

DEFAULT = "snowflake"

_SQL = frozenset(
    {
        "select", "where", "merge", "merge_where", "default_value", "partition_by", "order_by", "frame_clause",
        "single_sql", "multi_sql", "pre_run", "post_run", "expression", "occurred_at_col",
    }
)  # fmt: skip
_TABLES = frozenset({"table", "view"})
_BRANCHES = "DatabaseType"


@dataclass(frozen=True, slots=True)
class WrittenIn:
    """The dialect of a project, and why it is taken for it; no reason where it is the default."""

    dialect: str = DEFAULT
    why: str | None = None

    @property
    def note(self) -> str | None:
        """Both in a sentence for the user."""
        return f"the SQL is read as {self.dialect}: {self.why}" if self.why else None


def written_in(spec: ProjectSpec) -> WrittenIn:
    """Return the dialect that everything in the project agrees on, the default where nothing speaks for another.

    The name of the connection decides unless more in the SQL speaks against it than for it; names of tables do not, as
    any warehouse can have them. Without such a name
    something is needed that only one dialect has, and nothing that it has not.
    """
    signs = [*_signs(spec), *_signs_of_tables(spec)]
    named = sql.named_dialect(str(spec.connection or ""))
    agreed = sql.agreed_dialects(sign for sign, _ in signs)
    if named is not None:
        speaking = [(sign, text) for sign, text in signs if named in sign.dialects and DEFAULT not in sign.dialects]
        against = sum(named not in sign.dialects for sign, _ in _signs(spec))
        if named == DEFAULT or (against and against >= len(speaking)):
            return WrittenIn()
        return WrittenIn(named, " and ".join([f"its connection is named '{spec.connection}'", *_strongest(speaking)]))
    if len(agreed) != 1 or DEFAULT in agreed:
        return WrittenIn()
    (dialect,) = agreed
    return WrittenIn(dialect, *_strongest(signs))


def _strongest(signs: list[tuple[sql.Sign, Text]]) -> list[str]:
    """Say what the sign is that the fewest dialects have, if there is one."""
    if not signs:
        return []
    sign, text = min(signs, key=lambda found: len(found[0].dialects))
    return [f"'{sign.written}'{f' ({text.span})' if text.span else ''} is {' or '.join(sorted(sign.dialects))}"]


def _signs(spec: ProjectSpec) -> Iterator[tuple[sql.Sign, Text]]:
    """Yield what tells the dialect. Texts that ask for the warehouse tell nothing, for they are written for several; in
    a project with such texts macros tell nothing either, as they may be meant for one of these."""
    texts = [text for key, text in _texts(spec) if key in _SQL]
    macros = [macro.value for macro in spec.macros]
    asking = any(_BRANCHES in text for text in (*macros, *texts))
    for text in (*texts, *(macros if not asking else ())):
        if _BRANCHES not in text:
            yield from ((sign, text) for sign in sql.signs_in(text))


def _signs_of_tables(spec: ProjectSpec) -> Iterator[tuple[sql.Sign, Text]]:
    """Yield what the names of tables tell of the dialect."""
    for text in (text for key, text in _texts(spec) if key in _TABLES):
        yield from ((sign, text) for sign in sql.signs_of_table(text))


def _texts(part: object, key: str = "") -> Iterator[tuple[str, Text]]:
    """Yield every text below a part of a project, with the key it stands under."""
    if isinstance(part, Text):
        yield key, part
    elif isinstance(part, Spec):
        for name, value in part:
            yield from _texts(value, name)
    elif isinstance(part, tuple):
        for item in part:
            yield from _texts(item, key)
