"""Template text of a project to SQL with symbols: the language is pongo2's, the engine Jinja2's sandbox.

References are not resolved here. Each is printed as a quoted identifier that the compiler replaces in the SQL tree:

    "ref:inputs/orders"       relation of a model; "ref:this" is the model itself; a past material carries the options
                              that choose it: "ref:models/x?pre_existing=true&checkpoint_name=past"
    "var:user/n_orders"       var of an entity or cohort
    "rows:orders"             the rows of an input or model; "row:orders/value" is a column or input var of them
    "rowset:total"            column of the partial results in a merge expression
    "this:total"              column of the model itself
    "member:models/vip"       boolean: is the entity a member of the cohort

Paths and names in symbols are lower-case. The quote is a backtick for BigQuery and Databricks, else a double quote.
"""

from __future__ import annotations

from functools import partial

from profiles_pipeline.errors import ProjectError, at
from profiles_pipeline.template.environment import render_placed
from profiles_pipeline.template.faults import RenderError
from profiles_pipeline.template.origins import Marks, Written, place_of
from profiles_pipeline.template.scope import Macro, ModelFacts, NameKind, Ref, Rendered, Scope
from profiles_pipeline.template.session import Session, too_deep
from profiles_pipeline.template.translation import has_marks

__all__ = ["Macro", "ModelFacts", "NameKind", "Ref", "Rendered", "Scope", "has_marks", "place_of", "render"]


def render(text: str, scope: Scope) -> Rendered:
    """Return `text` with its templates rendered, and what it refers to; text without marks comes back as it is.

    A text with a ``span`` (and, for a literal block of YAML, a true ``block``) gets problems placed at line and column.
    Raises ProjectError with one problem: ``template-syntax``, ``unknown-name``, ``macro-arguments``,
    ``template-recursion``, ``bad-path`` or ``template-runtime``.
    """
    if not has_marks(text):
        return Rendered(text)
    session = Session(scope)
    return Rendered(Written(_rendered(text, session), text, partial(_marked, text, scope)), session.refs)


def _marked(text: str, scope: Scope, marks: Marks) -> str:
    return _rendered(text, Session(scope, marks))


def _rendered(text: str, session: Session) -> str:
    try:
        return render_placed(text, session, {})
    except RenderError as fault:
        raise ProjectError([fault.problem()]) from None
    except RecursionError:
        raise ProjectError([at(too_deep("the template").problem(), getattr(text, "span", None))]) from None
