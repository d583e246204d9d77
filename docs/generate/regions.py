"""Regions: the parts of a page between two comments, which a program writes."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

PAGES: Final = Path(__file__).parents[1]
"""The folder of the pages."""


def all_pages() -> list[Path]:
    """Return README and the pages."""
    return [PAGES.parent / "README.md", *sorted(PAGES.glob("*.md"))]


_REGION: Final = re.compile(
    r"(?P<begin><!-- begin (?P<name>[a-z_]+)[^>]* -->\n)(?P<text>.*?)(?P<end><!-- end -->)",
    re.DOTALL,
)


def rewrite(page: str, writers: Mapping[str, Callable[[], str]]) -> str:
    """Return a page with each of its regions written anew; raise KeyError for an unknown one."""

    def write(found: re.Match[str]) -> str:
        return f"{found['begin']}{writers[found['name']]()}{found['end']}"

    return _REGION.sub(write, page)


def names_in(page: str) -> list[str]:
    """List the regions of a page."""
    return [found["name"] for found in _REGION.finditer(page)]


def table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Write a Markdown table."""
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
