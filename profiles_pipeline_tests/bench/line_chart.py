"""Draws lines over a common axis as a PNG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import resvg_py

WIDTH, HEIGHT = 960, 420
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 64, 36
"""Pixels around the lines."""


@dataclass(frozen=True)
class Line:
    """Values in the order of the axis, and how they are called and coloured."""

    name: str
    values: Sequence[float]
    colour: str


def line_chart(title: str, lines: Sequence[Line], marks: Sequence[tuple[int, str]]) -> bytes:
    """Return a PNG with the lines, their names, and a mark below the axis at each of the given places."""
    most = max(max(line.values) for line in lines) * 1.05
    last = max(len(line.values) for line in lines) - 1

    def x(place: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * place / max(last, 1)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / most

    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>', _text(LEFT, 24, title, size=16)]
    for number in range(6):
        value = most * number / 5
        parts.append(f'<path d="M{LEFT} {y(value):.1f}H{WIDTH - RIGHT}" stroke="#e4e4e4"/>')
        parts.append(_text(LEFT - 8, y(value) + 4, f"{value:.1f}", anchor="end"))
    parts += [_text(x(place), HEIGHT - 12, name, anchor="middle") for place, name in marks]
    for number, line in enumerate(lines):
        points = " ".join(f"{x(place):.1f},{y(value):.1f}" for place, value in enumerate(line.values))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{line.colour}" stroke-width="1.8"/>')
        left = LEFT + 210 * number
        parts.append(f'<path d="M{left} 44h18" stroke="{line.colour}" stroke-width="4"/>')
        parts.append(_text(left + 24, 48, line.name))
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}">{"".join(parts)}</svg>'
    return bytes(resvg_py.svg_to_bytes(svg_string=svg))


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 12) -> str:
    fonts = "Helvetica, Arial, 'DejaVu Sans', 'Liberation Sans', sans-serif"
    style = f'font-family="{fonts}" font-size="{size}" text-anchor="{anchor}" fill="#333"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'
