"""``warehouse`` and the other globals of a template."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from profiles_pipeline.errors import did_you_mean
from profiles_pipeline.template.datatypes import local_type
from profiles_pipeline.template.faults import RenderError
from profiles_pipeline.template.gotime import in_utc, timestamp_literal
from profiles_pipeline.template.references import Material, Rowset, This
from profiles_pipeline.template.scope import Ref
from profiles_pipeline.template.session import Session
from profiles_pipeline.template.values import Contract, GoTime, Method, Value, Verbatim, method, moment_of


@dataclass(frozen=True, eq=False)
class Warehouse(Value):
    """Names and SQL of the dialect the project is written in."""

    noun = "warehouse"

    session: Session

    def missing_member(self, name: str) -> object:
        """Raise, with the nearest name."""
        hint = did_you_mean(name, list(self.exposed))
        raise RenderError("template-runtime", f"warehouse has no '{name}'", hint=hint, needle=name)

    @method("DatabaseType")
    def _database_type(self) -> object:
        return self.session.scope.dialect

    @method("DataType")
    def _data_type(self, name: str) -> object:
        return local_type(str(name), self.session.scope.dialect)

    @method("Timestamp")
    def _timestamp(self, time: object) -> object:
        return timestamp_literal(moment_of(time))

    @method("ObjRef")
    def _obj_ref(self, name: object) -> object:
        return name if isinstance(name, Value) else Verbatim(str(name))

    @method("NamedWhObject")
    def _named_object(self, name: str, **_kind: object) -> object:
        return Verbatim(str(name))

    @method("EntityCohortCondition")
    def _membership(self, path: str, op: str = "in") -> object:
        operator = " ".join(str(op).lower().split())
        if operator not in ("in", "not in"):
            raise RenderError("macro-arguments", f"'{op}' is not a condition", hint="'in' or 'not in'", needle=str(op))
        symbol = self.session.symbol(Ref("member", self.session.path(path, self.session.scope.this)))
        return symbol if operator == "in" else f"NOT {symbol}"

    @method("CreateReplaceTableAs")
    def _create_table(self, target: object, sql: object) -> object:
        name = target
        if isinstance(target, str) and target.lower() == self.session.scope.this.rsplit("/", 1)[-1].lower():
            name = this_material(self.session)
        return f"CREATE OR REPLACE TABLE {name} AS (\n{sql}\n)"

    @method("BeginEndBlock")
    def _block(self, sql: object) -> object:
        return str(sql)


def this_material(session: Session) -> This:
    """Return the model being rendered."""
    return This(session, Ref("ref", "this"), session.scope.this.lower())


def _end_time(session: Session) -> object:
    return GoTime(in_utc(session.scope.end_time))


def _begin_time(session: Session) -> object:
    begin = session.scope.begin_time
    return GoTime(in_utc(begin)) if begin else None


def _build_contract(_owner: None, text: str) -> Contract:
    try:
        terms = json.loads(str(text))
    except ValueError as error:
        raise RenderError("template-runtime", f"the contract is not JSON: {error}", needle="BuildContract") from None
    if not isinstance(terms, dict):
        raise RenderError("template-runtime", "a contract is a JSON object", needle="BuildContract")
    return Contract(terms)


def _make_path(_owner: None, path: object) -> object:
    return path.path if isinstance(path, Material) else str(path)


BUILT_IN: Mapping[str, Callable[[Session], object]] = {
    "this": this_material,
    "warehouse": Warehouse,
    "end_time": _end_time,
    "begin_time": _begin_time,
    "timestamp": _end_time,
    "end_time_sql": lambda session: timestamp_literal(in_utc(session.scope.end_time)),
    "rowset": Rowset,
    "BuildContract": lambda _session: Method("BuildContract", None, _build_contract),
    "makePath": lambda _session: Method("makePath", None, _make_path),
}
"""The globals of every template, made for a session."""
