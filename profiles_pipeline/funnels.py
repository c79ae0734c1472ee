"""Draws a funnel: how many sessions reached each stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _ROW, _LEFT, _RIGHT, _TOP = 760, 46, 170, 150, 34
_COLOUR, _SOFT = "#2f6db3", "#66727d"


@dataclass(frozen=True, slots=True)
class ReachedStage:
    """A stage of a funnel.

    Attributes:
        name: its name.
        sessions: how many sessions reached it, or one behind it.
        visitors: whose these are.
        mean_seconds: how long after the begin of a session it was reached; None where it never was.
    """

    name: str
    sessions: int
    visitors: int
    mean_seconds: float | None


def drawing(name: str, stages: Sequence[ReachedStage]) -> str:
    """Return a funnel as an SVG: a bar for each stage, and what share of those before it went on."""
    most = max((stage.sessions for stage in stages), default=0)
    room = _WIDTH - _LEFT - _RIGHT
    parts = [_text(8, 22, f"{name}: sessions that reached each stage", size=15)]
    for number, stage in enumerate(stages):
        top = _TOP + _ROW * number
        wide = room * stage.sessions / most if most else 0
        parts.append(_text(_LEFT - 10, top + 20, stage.name, anchor="end"))
        parts.append(
            f'<rect x="{_LEFT}" y="{top + 4}" width="{max(wide, 1):.1f}" height="24" rx="3" fill="{_COLOUR}"/>'
        )
        parts.append(_text(_LEFT + wide + 8, top + 20, _counted(stage)))
        if number:
            parts.append(_text(_LEFT, top, _went_on(stages[number - 1], stage), size=11, colour=_SOFT))
    height = _TOP + _ROW * len(stages)
    size = f'width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">{"".join(parts)}</svg>'


def _counted(stage: ReachedStage) -> str:
    return f"{stage.sessions:,} of {stage.visitors:,} visitors"


def _went_on(before: ReachedStage, stage: ReachedStage) -> str:
    if not before.sessions:
        return "nobody got this far"
    return f"{100 * stage.sessions / before.sessions:.1f} % went on"


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 13, colour: str = "#1f2933") -> str:
    fonts = "Helvetica, Arial, 'DejaVu Sans', 'Liberation Sans', sans-serif"
    style = f'font-family="{fonts}" font-size="{size}" text-anchor="{anchor}" fill="{colour}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'
