"""A terminal as a picture, still or moving: text is text, blocks and lines are boxes."""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from typing import Final, NamedTuple

from rich.console import Console, RenderableType
from rich.segment import Segment

from docs.generate.drawing import MONOSPACE, Theme, frame

CELL: Final = 8.4
"""Pixels from letter to letter: 0.6 em."""
ROW: Final = 18
_SIZE: Final = 14
_PAD: Final = 16
_TOP: Final = 40
"""Pixels of the title above the rows."""
_BOXES: Final = {
    **{
        chr(0x2580 + eighths): ((0.0, 1 - eighths / 8, 1.0, eighths / 8),)
        for eighths in range(1, 9)
    },
    "░": ((0.0, 0.0, 1.0, 1.0),),
    "─": ((0.0, 0.47, 1.0, 0.06),),
    "━": ((0.0, 0.42, 1.0, 0.16),),
    "┬": ((0.0, 0.47, 1.0, 0.06), (0.45, 0.5, 0.1, 0.5)),
}
"""Left, top, width and height of what is drawn of a cell, where fonts would leave seams."""

Row = tuple["Piece", ...]
Screen = Sequence[Row]


class Piece(NamedTuple):
    """Text in one look, from a column on."""

    column: int
    text: str
    look: str


def screen_of(shown: RenderableType, *, width: int) -> list[Row]:
    """Lay out what is shown on a terminal of so many columns."""
    console = Console(
        width=width, force_terminal=True, color_system="standard", legacy_windows=False
    )
    lines = console.render_lines(shown, console.options, pad=False)
    return [tuple(_pieces(line)) for line in lines]


def _pieces(line: Sequence[Segment]) -> Iterator[Piece]:
    column = 0
    for segment in line:
        yield Piece(column, segment.text, _look(segment))
        column += segment.cell_length


def _look(segment: Segment) -> str:
    style = segment.style
    if style is None:
        return ""
    number = style.color.number if style.color else None
    colour = "aside" if style.dim else "" if number is None else f"c{number}"
    return " ".join(filter(None, (colour, "bold" if style.bold else "")))


def still(screen: Screen, *, columns: int, title: str, theme: Theme) -> str:
    """Draw one screen."""
    body = "\n".join(_place(_draw_row(row), number) for number, row in enumerate(screen))
    return _window(body, columns=columns, rows=len(screen), title=title, theme=theme, style={})


def moving(
    screens: Sequence[Screen], *, best: int, seconds: float, columns: int, title: str, theme: Theme
) -> str:
    """Draw screens that take turns, each for so many seconds, again and again.

    What equals another row is drawn once. Who wants no motion, or whose program knows none, sees
    the best one.
    """
    rows = {row: number for number, row in enumerate(dict.fromkeys(r for s in screens for r in s))}
    drawn = "\n".join(f'<g id="r{number}">{_draw_row(row)}</g>' for row, number in rows.items())
    turns = "\n".join(
        f'<g class="turn{" best" if number == best else ""}"'
        f' style="animation-delay:{number * seconds:g}s">'
        + "".join(
            f'<use href="#r{rows[row]}" y="{at * ROW}"/>' for at, row in enumerate(screen) if row
        )
        + "</g>"
        for number, screen in enumerate(screens)
    )
    style = _motion(len(screens), seconds)
    body = f"<defs>\n{drawn}\n</defs>\n{turns}"
    return _window(
        body, columns=columns, rows=len(screens[0]), title=title, theme=theme, style=style
    )


def _motion(turns: int, seconds: float) -> dict[str, str]:
    lasts = f"{turns * seconds:g}s"
    return {
        ".turn": "visibility: hidden",
        ".best": "visibility: visible",
        "@media (prefers-reduced-motion: no-preference)": (
            f".turn {{ visibility: hidden; animation: turn {lasts} steps(1) infinite }}"
        ),
        "@keyframes turn": (
            f"0% {{ visibility: visible }} {100 / turns:.4f}%, 100% {{ visibility: hidden }}"
        ),
    }


def _draw_row(row: Row) -> str:
    """Draw the pieces of a row, boxes of one look as one path."""
    boxes: dict[str, str] = {}
    texts = []
    for column, text, look in (part for piece in row for part in _parts(piece)):
        if text[0] in _BOXES:
            key = f"{look} light".strip() if text[0] == "░" else look
            boxes[key] = boxes.get(key, "") + _draw_boxes(column, text)
        elif text.strip():
            texts.append(_draw_text(column, text, look))
    paths = (f'<path{_class(look)} d="{path}"/>' for look, path in boxes.items())
    return "".join([*paths, *texts])


def _parts(piece: Piece) -> Iterator[Piece]:
    """Split a piece into runs of the same box, and text."""
    column = piece.column
    for _, group in groupby(piece.text, key=lambda letter: letter if letter in _BOXES else ""):
        text = "".join(group)
        yield Piece(column, text, piece.look)
        column += len(text)


def _draw_boxes(column: int, text: str) -> str:
    path = ""
    for left, top, width, height in _BOXES[text[0]]:
        whole = width == 1  # then the cells of a run make one box
        for number in range(1 if whole else len(text)):
            x, y = (column + number + left) * CELL, top * ROW
            wide, tall = (len(text) if whole else width) * CELL, height * ROW
            path += f"M{x:.4g} {y:.3g}h{wide:.4g}v{tall:.3g}h-{wide:.4g}z"
    return path


def _draw_text(column: int, text: str, look: str) -> str:
    told = text.strip()
    x = (column + len(text) - len(text.lstrip())) * CELL
    wide = f' textLength="{len(told) * CELL:.4g}"' if len(told) > 1 else ""
    return f'<text{_class(look)} x="{x:.4g}" y="13.5"{wide}>{escape(told, quote=False)}</text>'


def _class(look: str) -> str:
    return f' class="{look}"' if look else ""


def _place(drawn: str, number: int) -> str:
    return f'<g transform="translate(0 {number * ROW})">{drawn}</g>' if drawn else ""


def _window(
    body: str, *, columns: int, rows: int, title: str, theme: Theme, style: dict[str, str]
) -> str:
    width, height = columns * CELL + 2 * _PAD, rows * ROW + _TOP + _PAD
    dots = "".join(f'<circle cx="{20 + 18 * number}" cy="20" r="5.5"/>' for number in range(3))
    heading = f'<text class="aside" x="{width / 2:g}" y="25" text-anchor="middle">{escape(title)}'
    looks = {f".c{n}": f"fill: {colour}" for n, colour in enumerate(theme.ansi)}
    return frame(
        f'<g fill="{theme.edge}">{dots}</g>\n'
        f"{heading}</text>\n"
        f'<g transform="translate({_PAD} {_TOP})">\n{body}\n</g>',
        width=width, height=height, title=title, theme=theme,
        style={
            "text": f"font: {_SIZE}px {MONOSPACE}; fill: {theme.text}; white-space: pre",
            "path": f"fill: {theme.text}",
            ".aside": f"fill: {theme.aside}",
            ".bold": "font-weight: bold",
            ".light": "opacity: .3",
            **looks,
            **style,
        },
    )  # fmt: skip
