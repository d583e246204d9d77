"""The pictures of the Slack messages: what `make pictures` takes."""

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Final

from docs.generate.lives import told
from docs.generate.regions import PAGES
from docs.generate.slack_page import page
from monitor.core.event import EventType
from monitor.sinks.slack_blocks import message

WIDTH: Final = 640
SCALE: Final = 1.5
_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
_QUIET: Final = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars",
)  # fmt: skip
_MEASURE: Final = (
    "<script>document.title = Math.ceil(document.documentElement.getBoundingClientRect().height)"
    "</script>"
)
_TALL: Final = 2000
_SHORTEST: Final = 160
"""Chromium leaves shorter windows half empty."""


def picture_of(event_type: EventType) -> Path:
    """Return where the picture of a type lies."""
    return PAGES / "pictures" / f"slack-{event_type.value.replace('.', '-').replace('_', '-')}.png"


DRAWN_FROM: Final = PAGES / "pictures" / "drawn-from.txt"
"""What the pictures show, in short: a test finds those that no longer show what is sent."""


def digests() -> str:
    """Write a line per type: its picture's page, hashed."""
    pages = ((event_type, _page(event_type).encode()) for event_type in EventType)
    return "".join(f"{name} {hashlib.sha256(text).hexdigest()[:16]}\n" for name, text in pages)


def main() -> None:
    """Take all pictures anew; say what is missing when there is no browser."""
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        sys.exit(
            "pictures need Chromium, Lato and emoji: "
            "apt-get install chromium fonts-lato fonts-noto-color-emoji"
        )
    for event_type in EventType:
        _take(browser, _page(event_type), picture_of(event_type))
    DRAWN_FROM.write_text(digests(), encoding="utf-8")


def _page(event_type: EventType) -> str:
    document = told()[event_type]
    return page(message(document), at=datetime.fromisoformat(document["time"]))


def _take(browser: str, text: str, picture: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "message.html"
        file.write_text(text + _MEASURE, encoding="utf-8")
        dom = _run(browser, folder, "--dump-dom", f"--window-size={WIDTH},{_TALL}", file.as_uri())
        height = re.search(r"<title>(\d+)</title>", dom)
        if height is None:
            raise RuntimeError(f"{browser} does not tell how tall the page is")
        _run(
            browser, folder, f"--screenshot={picture}", f"--force-device-scale-factor={SCALE}",
            f"--window-size={WIDTH},{max(_SHORTEST, int(height[1]))}", file.as_uri(),
        )  # fmt: skip


def _run(browser: str, folder: str, *arguments: str) -> str:
    command = [browser, *_QUIET, f"--user-data-dir={folder}/profile", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)  # noqa: S603 (ours)
    return done.stdout


if __name__ == "__main__":
    main()
