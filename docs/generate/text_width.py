"""How wide a text is in Helvetica or Arial, whose letters are alike everywhere."""

from typing import Final

from rich.cells import cell_len

_BY_WIDTH: Final = {
    0.22: "'ijl",
    0.28: " !,./:;I[\\]tf·|",
    0.34: '()-r"{}`*',
    0.50: "ckvsxyzJ",
    0.59: "+<=>~",
    0.61: "FTZ",
    0.67: "ABEKPSVXY&",
    0.73: "CDHNRUw",
    0.78: "GOQ",
    0.84: "Mm",
    0.90: "%",
    0.95: "W",
    1.00: "@…→",
}
"""In ems, from Adobe's metrics of Helvetica; any other letter is as wide as a digit."""
_WIDTHS: Final = {letter: width for width, letters in _BY_WIDTH.items() for letter in letters}
_OTHER: Final = 0.56
_WIDE: Final = 1.25
"""Of an emoji, or a sign of the far East."""
_BOLDER: Final = 1.07


def measure(text: str, size: float, *, bold: bool = False) -> float:
    """Return how wide a text is at a font size, in its unit."""
    ems = sum(_WIDE if cell_len(c) > 1 else _WIDTHS.get(c, _OTHER) for c in text)
    return ems * size * (_BOLDER if bold else 1.0)
