"""Glyphs: what stands for bars and lines on a terminal that knows ASCII alone."""

import codecs
import os
from typing import Final, TextIO

_ASCII: Final = {
    **dict.fromkeys("█▇▅", "#"),
    **dict.fromkeys("░─━", "-"),
    **dict.fromkeys("▁▂▃▄▆·…", "."),
    "┬": "+",
    "→": ">",
    "✓": "+",
    "✗": "x",
}
_NAME: Final = "monitor-glyphs"


def fall_back(stream: TextIO) -> None:
    """Let a stream write whatever it can: no name and no bar may break it.

    Python takes a terminal in the C locale for UTF-8, whatever whoever set it wanted.
    """
    codecs.register_error(_NAME, _replace)
    if hasattr(stream, "reconfigure"):
        plain = stream.isatty() and os.environ.get("LC_ALL") in ("C", "POSIX")
        stream.reconfigure(encoding="ascii" if plain else None, errors=_NAME)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    strange = error.object[error.start : error.end]
    return "".join(_ASCII.get(one, "?") for one in strange), error.end
