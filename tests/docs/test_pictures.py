"""The pictures are as they are drawn now, in both themes, and fit a page."""

import re
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from rich.console import Group
from rich.text import Text

from docs.generate import block_kit
from docs.generate.drawing import DARK, LIGHT, PICTURES, THEMES, Theme, place
from docs.generate.pictures import all_pictures
from docs.generate.regions import all_pages
from docs.generate.terminal import moving, screen_of, still
from docs.generate.text_width import measure

FILES = sorted(PICTURES.iterdir())
every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
every_theme = pytest.mark.parametrize("theme", THEMES, ids=["light", "dark"])
SVG = "{http://www.w3.org/2000/svg}"
WIDEST_PAGE = 1000
AT = datetime(2026, 1, 29, 8, 31, tzinfo=UTC)


def read(drawn: str) -> Xml.Element:
    return Xml.fromstring(drawn)  # noqa: S314 (we drew it)


def texts(drawn: str) -> list[str]:
    return ["".join(found.itertext()) for found in read(drawn).iter(f"{SVG}text")]


def message(text: str) -> str:
    """Draw a message of one section."""
    block = {"type": "section", "text": {"type": "mrkdwn", "text": text}}
    return block_kit.picture([({"blocks": [block]}, AT)], title="one", width=400, theme=LIGHT)


@pytest.mark.parametrize(
    ("path", "drawn"), list(all_pictures()), ids=lambda v: getattr(v, "stem", "")
)
def test_a_picture_shows_what_is_sent_now(path: Path, drawn: str) -> None:
    assert path.read_text(encoding="utf-8") == drawn, "run make docs"


@every_file
def test_a_picture_fits_a_page_and_fetches_nothing(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    _, _, width, height = map(float, read(text).attrib["viewBox"].split())

    assert width <= WIDEST_PAGE
    assert height <= WIDEST_PAGE
    assert len(text.encode()) < 300_000
    assert re.findall(r"https?://[^\"]+", text) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"url\((?!#)|@import|<(image|script|foreignObject)", text)


@every_file
def test_a_picture_is_shown_and_in_the_dark_its_dark_one(file: Path) -> None:
    pages = "".join(path.read_text(encoding="utf-8") for path in all_pages())
    dark = place(file.stem, DARK)
    source = (
        rf'<picture><source media="\(prefers-color-scheme: dark\)" srcset="[a-z/]*{dark.name}">'
    )

    assert f"/{file.name}" in pages
    if dark.exists():
        shown = re.findall(rf'.+(?=src="[a-z/]*/{file.name}")', pages)
        assert shown
        assert all(re.fullmatch(rf'{source}<img alt="[^"]+" ', before) for before in shown)


def test_markup_of_slack_becomes_runs_in_order() -> None:
    drawn = message("*5* of `a&lt;b` <!date^1769675400^{date_short_pretty} {time}|x> ██░░ 50 %")

    assert texts(drawn)[1:] == ["5", "of", "a<b", "Jan 29, 2026 8:30 AM", "50 %"]
    assert drawn.count('class="full"') == drawn.count('class="rest"') == 1


def test_a_word_that_is_too_long_is_broken_and_none_is_lost() -> None:
    long = "x" * 200

    shown = texts(message(f"before {long} after"))[1:]

    assert "".join(shown).replace(" ", "") == f"before{long}after"
    assert all(measure(text, 14.5) <= 400 for text in shown)


def test_blocks_that_have_no_look_yet_are_named() -> None:
    payload = {"blocks": [{"type": "hologram"}]}

    with pytest.raises(ValueError, match="type hologram has no look yet"):
        block_kit.picture([(payload, AT)], title="one", width=400, theme=LIGHT)


def test_messages_beside_each_other_have_a_row_in_common() -> None:
    one = ({"blocks": [{"type": "divider"}]}, AT)
    two = ({"blocks": [{"type": "divider"}] * 9}, AT)

    def height(*messages: tuple[dict[str, list[dict[str, str]]], datetime]) -> float:
        drawn = block_kit.picture(messages, title="some", width=800, theme=LIGHT, columns=2)
        return float(read(drawn).attrib["height"])

    assert height(one) < height(two) == height(one, two) < height(one, two, one)


@every_theme
def test_a_screen_is_drawn_in_letters_and_boxes(theme: Theme) -> None:
    screen = screen_of(Group(Text("ab  ██░", style="green"), Text("─┬─", style="dim")), width=20)

    drawn = still(screen, columns=20, title="monitor list", theme=theme)

    assert texts(drawn) == ["monitor list", "ab"]
    assert 'class="c2" x="0" y="13.5" textLength="16.8">ab<' in drawn
    assert '<path class="c2" d="M33.6 0h16.8v18h-16.8z"/>' in drawn
    assert '<path class="c2 light"' in drawn
    assert '<path class="aside"' in drawn


def test_a_film_draws_what_it_repeats_once_and_has_a_picture_to_stand_still() -> None:
    screens = [screen_of(Group("same", str(number)), width=20) for number in range(3)]

    drawn = moving(screens, best=1, seconds=0.5, columns=20, title="film", theme=DARK)

    assert drawn.count(">same<") == 1
    assert re.findall(r'class="turn( best)?" style="animation-delay:([\d.]+)s"', drawn) == [
        ("", "0"), (" best", "0.5"), ("", "1"),
    ]  # fmt: skip
    assert drawn.count('<use href="#r0" y="0"/>') == 3
    assert "animation: turn 1.5s" in drawn
