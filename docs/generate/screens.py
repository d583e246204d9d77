"""The pictures of screens: the demo's and `monitor show`'s, drawn by the program itself."""

import asyncio
import os
import re
import sys
from io import StringIO
from pathlib import Path
from typing import Final

from rich.console import Console, RenderableType
from rich.text import Text

from docs.generate.regions import PAGES
from monitor.core.batch import Batch, Phase, progress
from monitor.demo.drawing import draw
from monitor.demo.moment import RUNNING, Moment
from monitor.demo.stage import Stage, set_up
from monitor.demo.watcher import Watcher

DEMO_SECONDS: Final = 30.0
"""Of the show that the demo's picture is taken of."""
DEMO_TAKEN_AT: Final = 14.0
SHOW_SECONDS: Final = 300.0
"""Of the one for `monitor show`: batches live for minutes, at a pace that somebody may have."""
SHOW_TAKEN_AT: Final = 100.0
WIDTH: Final = 100
HEIGHT: Final = 30
_FRAME: Final = 0.2
_FONT: Final = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""Rich names fonts on a server of somebody else's; the reader's own will do."""


def main() -> None:
    """Take both anew."""
    asyncio.run(_take())


async def _take() -> None:
    await _take_demo()
    await _take_show()


async def _take_demo() -> None:
    async with set_up(DEMO_SECONDS) as stage:
        moment = await _watch(stage, until=DEMO_TAKEN_AT)
        _write("demo", "monitor demo", draw(moment, width=WIDTH, height=HEIGHT))


async def _take_show() -> None:
    async with set_up(SHOW_SECONDS) as stage:
        batch = _halfway(await _watch(stage, until=SHOW_TAKEN_AT))
        shown = await _run(stage, "show", batch.source, batch.id, "--limit", "3")
        _write("show", f"monitor show {batch.source} {batch.id}", Text.from_ansi(shown))


async def _watch(stage: Stage, *, until: float) -> Moment:
    """Let the show begin; return the first moment from then on at which nothing is on its way."""
    while not stage.daemon.has_started():  # noqa: ASYNC110 (it is another process that starts)
        await asyncio.sleep(_FRAME)
    stage.begin()
    watcher = Watcher(stage)
    while True:
        moment = await watcher.look(RUNNING)
        tally = moment.totals
        if moment.elapsed >= until and tally.events == tally.delivered == tally.verified:
            return moment
        await asyncio.sleep(_FRAME)


def _halfway(moment: Moment) -> Batch:
    """Return the running batch whose calls are the nearest to half done."""
    running = [
        (watch.batch, progress(watch.known).percent or 0.0)
        for watch in moment.watches
        if watch.known and watch.known.phase is Phase.RUNNING
    ]
    return min(running, key=lambda found: abs(found[1] - 50))[0]


async def _run(stage: Stage, *words: str) -> str:
    """Return what a command writes to a terminal."""
    environment = {
        **os.environ,
        "FORCE_COLOR": "1",
        "COLUMNS": str(WIDTH),
        "TERM": "xterm-256color",
    }
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "monitor", *words, "--config", str(stage.config)),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await program.communicate()
    if program.returncode:
        sys.exit(f"monitor {words[0]} failed")
    return output.decode()


def _write(name: str, title: str, screen: RenderableType) -> None:
    console = Console(record=True, width=WIDTH, file=StringIO(), color_system="truecolor")
    console.print(screen)
    svg = console.export_svg(title=title, unique_id=name)
    path: Path = PAGES / "pictures" / f"{name}.svg"
    path.write_text(_FONT.sub("", svg), encoding="utf-8")


if __name__ == "__main__":
    main()
