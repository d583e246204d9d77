"""The chart: what a poll costs, by how many batches are registered, as SVG."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import log10
from typing import Final

from docs.generate.drawing import Theme, frame

Points = Sequence[tuple[int, float]]
"""Registered batches, CPU µs of a poll."""

_WIDTH: Final = 640
_HEIGHT: Final = 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 130, 50, 50
_TITLE: Final = "CPU time of one poll (µs) by registered batches"


def draw(lines: Mapping[str, Points], theme: Theme) -> str:
    """Return a picture with a line for each kind of database; its costs begin at zero."""
    sizes = [batches for batches, _ in next(iter(lines.values()))]
    top = 1.2 * max(cost for points in lines.values() for _, cost in points)

    def at(batches: int, cost: float) -> tuple[float, float]:
        whole = log10(sizes[-1] / sizes[0])
        x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * log10(batches / sizes[0]) / whole
        return round(x, 1), round(_HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * cost / top, 1)

    parts = [_text(_LEFT, 28, _TITLE, theme.text, size=16)]
    for batches in sizes:
        x, y = at(batches, 0)
        parts += [
            _line((x, y), (x, _TOP), theme.edge),
            _text(x - 20, y + 20, f"{batches:,}", theme.text),
        ]
    parts.append(_line(at(sizes[0], 0), at(sizes[-1], 0), theme.aside))
    for colour, (kind, points) in zip((theme.ansi[4], theme.ansi[3]), lines.items(), strict=False):
        places = [at(*point) for point in points]
        parts += [_line(a, b, colour, width=2.5) for a, b in pairwise(places)]
        for (x, y), (_, cost) in zip(places, points, strict=True):
            parts += [
                f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}"/>',
                _text(x - 12, y - 10, f"{cost:.0f}", colour),
            ]
        x, y = places[-1]
        parts.append(_text(x + 24, y + 4, kind, colour))
    return frame(
        "\n".join(parts), width=_WIDTH, height=_HEIGHT, title=_TITLE, theme=theme,
        style={"text": "font-family: Helvetica, Arial, sans-serif"},
    )  # fmt: skip


def _line(
    start: tuple[float, float], end: tuple[float, float], colour: str, *, width: float = 1
) -> str:
    (x1, y1), (x2, y2) = start, end
    return (
        f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}" stroke-width="{width}"/>'
    )


def _text(x: float, y: float, text: str, colour: str, *, size: int = 13) -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="{colour}">{text}</text>'
