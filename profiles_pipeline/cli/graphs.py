"""Does what ``profiles show dependencies`` and ``profiles show dataflow`` say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.text import Text

from profiles_pipeline.cli import drawing, values
from profiles_pipeline.cli.faults import from_here
from profiles_pipeline.cli.graph_commands import GraphOptions
from profiles_pipeline.cli.place import Place
from profiles_pipeline.cli.terminal import note, out, plural, print_document, print_trees, say
from profiles_pipeline.cli.trees import Branch, forest
from profiles_pipeline.errors import fail
from profiles_pipeline.queries.flow import Arrow, Box, Dag, Direction, Selection, dataflow, dependencies

_COLUMNS_ON_SCREEN = 6
_COLUMNS_IN_A_BOX = 12


def _selection(asked: GraphOptions) -> Selection:
    """Return which part of the graph is asked for. Raises ProjectError for options that make no sense."""
    models = values.model_refs(asked.model_refs)
    if models is None and (asked.upstream or asked.downstream):
        fail("options-clash", "--upstream and --downstream say from where", hint="add -m PATH")
    direction: Direction = "both"
    if asked.upstream != asked.downstream:
        direction = "upstream" if asked.upstream else "downstream"
    return Selection(models, direction, asked.include_disabled)


def show_dependencies(place: Place, asked: GraphOptions) -> None:
    """Print for each result what it is made from, or draw it."""
    selection = _selection(asked)
    project, output = place.open()
    dag = dependencies(project, output.schema, selection)
    if asked.file is not None:
        _draw(asked.file, f"{project.name}: dependencies", dag)
    elif asked.as_json:
        print_document(_document(dag))
    else:
        boxes = {box.path: box for box in dag.boxes}
        ends = [box for box in dag.boxes if not dag.targets_of(box.path) and box.disabled is None]
        roots = [(box.path, _label(box, top=True)) for box in ends]
        _print(dag, roots, lambda path: [(a.source, _label(boxes[a.source])) for a in dag.sources_of(path)])


def show_dataflow(place: Place, asked: GraphOptions) -> None:
    """Print for each source table where its rows and columns go, or draw it."""
    selection = _selection(asked)
    project, output = place.open()
    dag = dataflow(project, output.schema, selection)
    if asked.file is not None:
        _draw(asked.file, f"{project.name}: data flow", dag)
    elif asked.as_json:
        print_document(_document(dag))
    else:
        boxes = {box.path: box for box in dag.boxes}
        begins = [box for box in dag.boxes if not dag.sources_of(box.path) and box.disabled is None]
        roots = [(box.path, _label(box, top=True)) for box in begins]
        _print(dag, roots, lambda path: [(a.target, _flow_label(boxes[a.target], a)) for a in dag.targets_of(path)])


def _print(dag: Dag, roots: Sequence[Branch], below: Callable[[str], Sequence[Branch]]) -> None:
    print_trees(out(), forest(roots, below))
    for box in dag.boxes:
        if box.disabled is not None:
            say(f"disabled: {box.path}: {box.disabled}", style="yellow")


def _label(box: Box, top: bool = False) -> Text:
    relation = f"  {box.relation}" if box.relation else ""
    return Text(box.path, style="bold" if top else "") + Text(f"  {box.type}{relation}", style="dim")


def _flow_label(box: Box, arrow: Arrow) -> Text:
    """Return a label that says which columns of the node above decide which of this one."""
    targets: dict[str, list[str]] = {}
    for flow in arrow.columns:
        targets.setdefault(flow.source, []).append(flow.target)
    shown = [
        source if names == [source] else f"{source} → {', '.join(names)}"
        for source, names in list(targets.items())[:_COLUMNS_ON_SCREEN]
    ]
    more = len(targets) - len(shown)
    told = "; ".join(shown) + (f"; {plural(more, 'more column')}" if more > 0 else "")
    return Text(box.path) + Text(f"  {box.relation or box.type}", style="dim") + Text(f"  {told}" if told else "")


def _document(dag: Dag) -> dict[str, object]:
    return {
        "models": [
            {
                "path": b.path,
                "type": b.type,
                "relation": b.relation,
                "enabled": b.disabled is None,
                "reason": b.disabled,
            }
            for b in dag.boxes
        ],
        "edges": [
            {
                "from": a.source,
                "to": a.target,
                "columns": [{"from": flow.source, "to": flow.target} for flow in a.columns],
            }
            for a in dag.arrows
        ],
    }


def _draw(file: Path, title: str, dag: Dag) -> None:
    boxes = [drawing.Picture(b.path, _lines(b, dag), "disabled" if b.disabled else b.type) for b in dag.boxes]
    drawing.write(file.expanduser(), title, boxes, [(a.source, a.target) for a in dag.arrows])
    note(f"drew {plural(len(boxes), 'model')} in {from_here(file)}")


def _lines(box: Box, dag: Dag) -> tuple[str, ...]:
    """Return what stands in a box: its path, its relation, and the columns known to flow into it."""
    if box.disabled is not None:
        return box.path, f"disabled: {box.disabled}"
    columns = list(dict.fromkeys(flow.target for arrow in dag.sources_of(box.path) for flow in arrow.columns))
    listed = columns[:_COLUMNS_IN_A_BOX]
    more = (f"and {len(columns) - len(listed)} more",) if len(columns) > len(listed) else ()
    return box.path, box.relation or box.type, *listed, *more
