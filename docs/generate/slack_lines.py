"""Lines of a Slack message: broken where they are too long, and drawn."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import Final

from docs.generate.mrkdwn_runs import Run
from docs.generate.text_width import measure

CODE_SIZE: Final = 0.8
"""Of the letters around it."""
_CODE_CELL: Final = 0.6
_BOX_PAD: Final = 3.0
_BAR_CELL: Final = 0.62


@dataclass(frozen=True, slots=True)
class Font:
    """How letters of a block look: their class, pixels of their size, and from line to line."""

    name: str
    size: float
    leading: float
    bold: bool = False


def wrap(line: Sequence[Run], font: Font, width: float) -> Iterator[list[Run]]:
    """Break a line between words; a word that is too long for any, where it must."""
    fitting: list[Run] = []
    room = width
    for whole in line:
        for piece in _pieces(whole, font, width):
            run = piece
            if _wide(run, font) > room and fitting:
                yield fitting
                fitting, room = [], width
                run = Run(run.text.lstrip(), run.look)
            fitting.append(run)
            room -= _wide(run, font)
    yield fitting


def _pieces(run: Run, font: Font, width: float) -> Iterator[Run]:
    """Split a run into words, each with the space before it; a bar is one."""
    words = [run.text] if run.look == "bar" else run.text.split(" ")
    for number, word in enumerate(words):
        rest = f" {word}" if number else word
        while len(rest) > 1 and _wide(Run(rest, run.look), font) > width:
            sizes = range(len(rest) - 1, 0, -1)
            fits = next((n for n in sizes if _wide(Run(rest[:n], run.look), font) <= width), 1)
            yield Run(rest[:fits], run.look)
            rest = rest[fits:]
        if rest:
            yield Run(rest, run.look)


def _wide(run: Run, font: Font) -> float:
    match run.look:
        case "code":
            return len(run.text) * font.size * CODE_SIZE * _CODE_CELL + 2 * _BOX_PAD
        case "bar":
            return len(run.text) * font.size * _BAR_CELL
        case look:
            return measure(run.text, font.size, bold=font.bold or look == "bold")


def draw(line: Sequence[Run], font: Font, x: float, y: float) -> Iterator[str]:
    """Draw the runs of a line one behind the other, on the height y."""
    for look, group in groupby(line, key=lambda run: run.look):
        run = Run("".join(run.text for run in group), look)
        match look:
            case "bar":
                yield from _draw_bar(run.text, font, x, y)
            case "code":
                yield _draw_box(_wide(run, font), font, x, y)
                yield _draw_text(run, font, x + _BOX_PAD, y, _wide(run, font) - 2 * _BOX_PAD)
            case _:
                told = run.text.lstrip()
                lead = measure(" ", font.size) * (len(run.text) - len(told))
                plain = Run(told.rstrip(), look)
                yield _draw_text(plain, font, x + lead, y, _wide(plain, font))
        x += _wide(run, font)


def _draw_text(run: Run, font: Font, x: float, y: float, wide: float) -> str:
    """Draw a text; its width is said where it is known, for the reader may lack the font."""
    classes = " ".join(filter(None, (font.name, run.look)))
    known = f' textLength="{wide:.1f}"' if run.text.isascii() else ""
    return f'<text class="{classes}" x="{x:.1f}" y="{y:.1f}"{known}>{escape(run.text)}</text>'


def _draw_box(wide: float, font: Font, x: float, y: float) -> str:
    return (
        f'<rect class="box" x="{x:.1f}" y="{y - font.size + 1:.1f}" width="{wide:.1f}"'
        f' height="{font.size + 3:g}" rx="3"/>'
    )


def _draw_bar(text: str, font: Font, x: float, y: float) -> Iterator[str]:
    """Draw a bar of characters as one of boxes: fonts do not agree on how wide they are."""
    for character, group in groupby(text):
        wide = len(list(group)) * font.size * _BAR_CELL
        look = "full" if character == "█" else "rest"
        yield (
            f'<rect class="{look}" x="{x:.1f}" y="{y - font.size * 0.8:.1f}"'
            f' width="{wide:.1f}" height="{font.size:g}"/>'
        )
        x += wide
