"""Slack messages as a picture that follows the look of Block Kit, from what is sent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from docs.generate.drawing import MONOSPACE, Theme, frame
from docs.generate.mrkdwn_runs import Run, clock, lines_of
from docs.generate.slack_lines import CODE_SIZE, Font, draw, wrap

_PAD: Final = 16.0
_AVATAR: Final = 36.0
_GAP: Final = 12.0
"""Between messages that stand beside or below each other."""
_SLACK_AVATAR: Final = (
    '<g transform="translate({x:g} {y:g})"><rect width="36" height="36" rx="8" fill="#3b2f63"/>'
    '<path d="M11 26V18M16 26V14M21 26v-6M26 26V14" stroke="#fff" stroke-width="2.5"'
    ' stroke-linecap="round"/></g>'
)
_HEADER: Final = Font("h", 17, 23, bold=True)
_BODY: Final = Font("", 14.5, 21)
_SMALL: Final = Font("s", 12.5, 18)


@dataclass(slots=True)
class _Column:
    """What is drawn from the top down in a column of some width."""

    x: float
    y: float
    width: float
    parts: list[str] = field(default_factory=list)

    def write(self, lines: Iterable[Sequence[Run]], font: Font) -> None:
        """Draw lines, broken where they are too long."""
        for line in lines:
            for fitting in wrap(line, font, self.width):
                self.parts.append(
                    "".join(draw(fitting, font, self.x, self.y + font.leading * 0.72))
                )
                self.y += font.leading


def picture(
    messages: Sequence[tuple[Mapping[str, Any], datetime]],
    *,
    title: str,
    width: float,
    theme: Theme,
    columns: int = 1,
) -> str:
    """Draw messages, each with when it came, in columns, row by row."""
    each = (width - _GAP * (columns - 1)) / columns
    parts, y = [], 0.0
    for row in range(0, len(messages), columns):
        drawn = [
            _message(payload, at, x=(each + _GAP) * number, y=y, width=each)
            for number, (payload, at) in enumerate(messages[row : row + columns])
        ]
        parts += [part for column in drawn for part in column.parts]
        y = max(column.y for column in drawn)
    return frame(
        "\n".join(parts),
        width=width, height=y + _PAD - 4, title=title, theme=theme, style=_style(theme),
    )  # fmt: skip


def _message(
    payload: Mapping[str, Any], at: datetime, *, x: float, y: float, width: float
) -> _Column:
    left = x + _PAD + _AVATAR + 10
    column = _Column(x=left, y=y + _PAD - 4, width=x + width - _PAD - left)
    column.parts.append(_SLACK_AVATAR.format(x=x + _PAD, y=y + _PAD))
    column.parts.append(
        f'<text x="{left:g}" y="{y + _PAD + 12:g}"><tspan class="bold">Batch monitor</tspan>'
        f'<tspan class="s" dx="8">APP</tspan><tspan class="s" dx="8">{clock(at)}</tspan></text>'
    )
    column.y += 24
    for block in payload["blocks"]:
        _draw_block(block, column)
    return column


def _draw_block(block: Mapping[str, Any], column: _Column) -> None:
    match block["type"]:
        case "header":
            column.write([[Run(block["text"]["text"])]], _HEADER)
        case "section":
            texts = [block["text"]] if "text" in block else []
            for text in [*texts, *block.get("fields", ())]:
                column.write(lines_of(text["text"]), _BODY)
            column.y += 4
        case "context":
            texts = [part["text"] for part in block["elements"] if "text" in part]
            column.y += 2
            column.write(lines_of(" ".join(texts)), _SMALL)
        case "divider":
            y, end = column.y + 8, column.x + column.width
            column.parts.append(f'<path class="rule" d="M{column.x:g} {y:g}H{end:g}"/>')
            column.y += 17
        case kind:
            raise ValueError(f"a block of type {kind} has no look yet: draw it here")


def _style(theme: Theme) -> dict[str, str]:
    return {
        "text": f"font: {_BODY.size}px Helvetica, Arial, sans-serif; fill: {theme.text}",
        ".h": f"font-size: {_HEADER.size}px; font-weight: bold",
        ".s": f"font-size: {_SMALL.size}px; fill: {theme.aside}",
        ".bold": "font-weight: bold",
        ".italic": "font-style: italic",
        ".link": f"fill: {theme.ansi[4]}",
        ".code": f"font: {_BODY.size * CODE_SIZE:g}px {MONOSPACE}; fill: {theme.code}",
        ".s.code": f"font-size: {_SMALL.size * CODE_SIZE:g}px; fill: {theme.code}",
        ".box": f"fill: {theme.back}; stroke: {theme.edge}",
        ".rule": f"stroke: {theme.edge}",
        ".full": f"fill: {theme.text}",
        ".rest": f"fill: {theme.text}; opacity: .18",
    }
