"""The pictures of screens, drawn by the program itself: a moving demo, and `monitor show`."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from typing import Final

from rich.text import Text

from docs.generate.drawing import THEMES, place
from docs.generate.terminal import moving, screen_of, still
from monitor.core.batch import Batch, Phase, progress
from monitor.demo.drawing import draw
from monitor.demo.moment import RUNNING, Moment
from monitor.demo.stage import Stage, set_up
from monitor.demo.watcher import Watcher

WIDTH: Final = 100
"""Columns, which fill a page."""
DEMO_HEIGHT: Final = 25
DEMO_SECONDS: Final = 30.0
"""Of the show that is filmed."""
FILMED: Final = 22.5
"""Seconds until all batches have ended."""
TURN: Final = 0.75
"""Seconds that each of its pictures lasts."""
BEST: Final = 14.0
"""Seconds after which the picture is taken that stands for all where nothing moves."""
HELD: Final = 4
"""Turns for which the last one is seen."""
SHOW_SECONDS: Final = 300.0
"""Of the show for `monitor show`: batches live for minutes, at a pace that somebody may have."""
SHOW_TAKEN_AT: Final = 100.0
_FRAME: Final = 0.05


def main() -> None:
    """Take both anew, on clocks that say UTC."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    asyncio.run(_take())


async def _take() -> None:
    await _film_demo()
    await _take_show()


async def _film_demo() -> None:
    async with set_up(DEMO_SECONDS) as stage:
        shown = [
            draw(moment, width=WIDTH, height=DEMO_HEIGHT)
            async for moment in _moments(stage, every=TURN, until=FILMED)
        ]
    screens = [screen_of(screen, width=WIDTH) for screen in shown]
    screens += screens[-1:] * (HELD - 1)
    for theme in THEMES:
        film = moving(
            screens, best=round(BEST / TURN), seconds=TURN, columns=WIDTH,
            title="monitor demo", theme=theme,
        )  # fmt: skip
        place("demo", theme).write_text(film, encoding="utf-8")


async def _take_show() -> None:
    """Take what it shows down to the chart; the tables below it are too long for a page."""
    async with set_up(SHOW_SECONDS) as stage:
        *_, moment = [found async for found in _moments(stage, every=1.0, until=SHOW_TAKEN_AT)]
        batch = _halfway(moment)
        shown = await _run(stage, "show", batch.source, batch.id, "--limit", "1")
    text = Text.from_ansi(shown)
    screen = screen_of(text[: text.plain.index("\n\nSnapshots")], width=WIDTH)
    for theme in THEMES:
        title = f"monitor show {batch.source} {batch.id}"
        drawn = still(screen, columns=WIDTH, title=title, theme=theme)
        place("show", theme).write_text(drawn, encoding="utf-8")


async def _moments(stage: Stage, *, every: float, until: float) -> AsyncIterator[Moment]:
    """Let the show begin; look at it again and again, in seconds."""
    while not stage.daemon.has_started():  # noqa: ASYNC110 (it is another process that starts)
        await asyncio.sleep(_FRAME)
    stage.begin()
    watcher = Watcher(stage)
    turn = 0
    while turn * every <= until:
        moment = await watcher.look(RUNNING)
        if moment.elapsed >= turn * every:
            turn += 1
            yield moment
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


if __name__ == "__main__":
    main()
