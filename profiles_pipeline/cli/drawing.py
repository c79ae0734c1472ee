"""Draws a graph of models as SVG, and as PNG where the optional renderer is installed. Needs no other program."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from profiles_pipeline.cli.layout import Point, Size, lay_out
from profiles_pipeline.errors import fail

RENDERER = "resvg_py"
"""Package that turns SVG into PNG; part of the extra `pictures`."""

_FONT = "Helvetica, Arial, 'DejaVu Sans', 'Liberation Sans', sans-serif"
_LINE = 16
_PAD = 10
_MARGIN = 24
_COLOURS = {
    "input": "#e8f1fb",
    "id_stitcher": "#fdeedc",
    "entity_cohort": "#f3e8fb",
    "entity_var_table": "#e6f5ea",
    "input_var_table": "#eef6f0",
    "feature_table_model": "#fff6cc",
    "feature_view": "#fff6cc",
    "disabled": "#f2f2f2",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A box to draw: its name, the lines in it (the first is the title) and the kind that decides its colour."""

    name: str
    lines: tuple[str, ...]
    kind: str


def write(file: Path, title: str, boxes: Sequence[Picture], edges: Sequence[tuple[str, str]]) -> None:
    """Write a picture to a file whose name ends in .svg or .png.

    Raises:
        ProjectError: the name ends otherwise, nothing that renders PNG is installed, or the file cannot be written.
    """
    text = svg(title, boxes, edges)
    try:
        if file.suffix.lower() == ".svg":
            file.write_text(text, encoding="utf-8")
        elif file.suffix.lower() == ".png":
            file.write_bytes(_png(text))
        else:
            fail("bad-format", f"cannot draw '{file.name}'", hint="name a file that ends in .svg or .png")
    except OSError as error:
        fail("cannot-write", f"cannot write {file}: {error.strerror}", hint="choose another file")


def _png(text: str) -> bytes:
    if importlib.util.find_spec(RENDERER) is None:
        hint = "pip install 'profiles-pipeline[pictures]', or write a .svg file"
        fail("no-png", "nothing that draws PNG is installed", hint=hint)
    return bytes(importlib.import_module(RENDERER).svg_to_bytes(svg_string=text, zoom=2.0))


def svg(title: str, boxes: Sequence[Picture], edges: Sequence[tuple[str, str]]) -> str:
    """Return an SVG document: boxes from left to right, a line for each edge. Boxes stand after what they read."""
    sizes = {box.name: _size(box) for box in boxes}
    found = lay_out(sizes, edges)
    width, height = found.size.width + 2 * _MARGIN, found.size.height + 2 * _MARGIN
    drawn = [_curve(points) for points in found.edges.values()]
    drawn += [line for box in boxes for line in _drawn(box, found.boxes[box.name], sizes[box.name])]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}"'
            f' viewBox="{-_MARGIN} {-_MARGIN} {width:.0f} {height:.0f}" font-family={quoteattr(_FONT)} font-size="12">',
            f"<title>{escape(title)}</title>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
            ' orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#8a94a0"/></marker></defs>',
            f'<rect x="{-_MARGIN}" y="{-_MARGIN}" width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
            *drawn,
            "</svg>\n",
        ]
    )


def _size(box: Picture) -> Size:
    # No font is measured: 7.2 pixels hold the widest of usual letters at this size.
    return Size(max(map(len, box.lines)) * 7.2 + 2 * _PAD, len(box.lines) * _LINE + 2 * _PAD - 4)


def _drawn(box: Picture, corner: Point, size: Size) -> Iterable[str]:
    dashes = ' stroke-dasharray="4 3"' if box.kind == "disabled" else ""
    yield (
        f'<rect x="{corner.x:.1f}" y="{corner.y:.1f}" width="{size.width:.1f}" height="{size.height:.1f}" rx="5"'
        f' fill="{_COLOURS.get(box.kind, "#ffffff")}" stroke="#8a94a0"{dashes}/>'
    )
    for number, line in enumerate(box.lines):
        style = ' font-weight="bold"' if number == 0 else ' fill="#55606b"'
        y = corner.y + _PAD + 10 + number * _LINE
        yield f'<text x="{corner.x + _PAD:.1f}" y="{y:.1f}"{style}>{escape(line)}</text>'


def _curve(points: Sequence[Point]) -> str:
    """Return a line that leaves and arrives level and bends softly in between."""
    path = f"M{points[0].x:.1f} {points[0].y:.1f}"
    for one, other in pairwise(points):
        half = (one.x + other.x) / 2
        path += f" C{half:.1f} {one.y:.1f} {half:.1f} {other.y:.1f} {other.x:.1f} {other.y:.1f}"
    return f'<path d="{path}" fill="none" stroke="#8a94a0" marker-end="url(#tip)"/>'
