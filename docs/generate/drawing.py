"""What all pictures share: two themes, and the frame of a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

from docs.generate.regions import PAGES

MONOSPACE: Final = 'Menlo, Consolas, "DejaVu Sans Mono", monospace'
"""Fonts whose every letter is 0.6 em wide."""
PICTURES: Final = PAGES / "pictures"


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """The colours of a light or a dark page, by what they are for."""

    suffix: str
    """Of the names of its files."""
    back: str
    edge: str
    text: str
    aside: str
    code: str
    ansi: tuple[str, ...]
    """Of a terminal: black, red, green, yellow, blue, magenta, cyan, white, and grey."""


LIGHT: Final = Theme(
    suffix="",
    back="#ffffff", edge="#d0d7de", text="#1f2328", aside="#656d76", code="#c01343",
    ansi=(
        "#1f2328", "#cf222e", "#1a7f37", "#b37a00", "#0969da", "#8250df", "#1b7c83", "#1f2328",
        "#656d76",
    ),
)  # fmt: skip
DARK: Final = Theme(
    suffix="-dark",
    back="#1a1d21", edge="#3d444d", text="#d1d7e0", aside="#9198a1", code="#e8912d",
    ansi=(
        "#d1d7e0", "#f47067", "#57ab5a", "#d4a72c", "#6cb6ff", "#b083f0", "#56d4dd", "#d1d7e0",
        "#9198a1",
    ),
)  # fmt: skip
THEMES: Final = (LIGHT, DARK)


def place(name: str, theme: Theme) -> Path:
    """Return where a picture lies."""
    return PICTURES / f"{name}{theme.suffix}.svg"


def frame(
    body: str, *, width: float, height: float, title: str, theme: Theme, style: Mapping[str, str]
) -> str:
    """Return a picture that shows itself at its own size: styles by selector, then what is drawn.

    All its text is text, in fonts that the reader has, for nothing may be fetched.
    """
    rules = "\n".join(f"{selector} {{ {rule} }}" for selector, rule in style.items())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}"'
        f' viewBox="0 0 {width:g} {height:g}" role="img">\n<title>{escape(title)}</title>\n'
        f"<style>\n{rules}\n</style>\n"
        f'<rect x=".5" y=".5" width="{width - 1:g}" height="{height - 1:g}" rx="8"'
        f' fill="{theme.back}" stroke="{theme.edge}"/>\n{body}\n</svg>\n'
    )
