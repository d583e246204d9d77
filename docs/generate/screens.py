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
from monitor.cli.demo.moment import RUNNING, Moment
from monitor.cli.demo.screen import draw
from monitor.cli.demo.stage import Stage, set_up
from monitor.cli.demo.watcher import Watcher
from monitor.core.batch import Batch, Phase

SECONDS: Final = 30.0
"""Of the show that the pictures are taken of."""
TAKEN_AT: Final = 14.0
WIDTH: Final = 100
HEIGHT: Final = 30
_FRAME: Final = 0.2
_FONT: Final = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""Rich names fonts on a server of somebody else's; the reader's own will do."""


def main() -> None:
    """Take both anew."""
    asyncio.run(_take())


async def _take() -> None:
    async with set_up(SECONDS) as stage:
        while not stage.daemon.has_started():  # noqa: ASYNC110 (it is another process that starts)
            await asyncio.sleep(_FRAME)
        stage.begin()
        moment = await _watch(stage)
        screen = draw(moment, width=WIDTH, height=HEIGHT)
        _write("demo", "monitor demo", screen)
        batch = _running(moment)
        shown = await _run(stage, "show", batch.source, batch.id, "--limit", "3")
        _write("show", f"monitor show {batch.source} {batch.id}", Text.from_ansi(shown))


async def _watch(stage: Stage) -> Moment:
    watcher = Watcher(stage)
    while stage.curtain.elapsed() < TAKEN_AT:
        await watcher.look(RUNNING)
        await asyncio.sleep(_FRAME)
    return await watcher.look(RUNNING)


def _running(moment: Moment) -> Batch:
    """Return the first batch that runs, as most do whose picture somebody wants."""
    known = ((watch.batch, watch.known) for watch in moment.watches if watch.known)
    return next(batch for batch, now in known if now.phase is Phase.RUNNING and now.counts)


async def _run(stage: Stage, *words: str) -> str:
    """Return what a command writes to a terminal."""
    environment = {
        **os.environ,
        "FORCE_COLOR": "1",
        "COLUMNS": str(WIDTH),
        "TERM": "xterm-256color",
    }
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "monitor", *words, "--config", str(stage.folder / "config.toml")),
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
