"""The status of the whole, in about ten lines."""

from collections.abc import Sequence
from typing import Final

from rich.text import Text

from monitor.cli.options import Output
from monitor.cli.session import reading
from monitor.config.schema import Config
from monitor.core.delivery import DeliveryState
from monitor.facts.overview import Overview, read_overview
from monitor.facts.sentence import Sentence, Tone
from monitor.facts.times import write_short_time
from monitor.screen.console import safe, say
from monitor.screen.documents import write_json
from monitor.screen.page import show_facts

SHOWN: Final = 2
"""Troubled sources that are named, and receivers."""


async def status(config: Config, *, output: str) -> None:
    """Show how daemons, batches, sources, receivers and deliveries fare."""
    async with reading(config) as database:
        overview = await read_overview(database, config)
    if output == Output.JSON:
        write_json(overview.document())
        return
    counts, troubles = overview.batches, overview.batches.write_troubles()
    phases = counts.write_phases()
    late, failing = overview.describe_lateness(), overview.describe_sources()
    dead = (overview.write_debts(DeliveryState.DEAD), "red")
    show_facts(
        [
            ("daemons", _write_daemons(overview)),
            ("batches", f"{counts.number:,} watched" + (f": {phases}" if phases else "")),
            ("trouble", safe(troubles, "red") if troubles else safe("none", "green")),
            ("polls", _write_all(late)),
            ("sources", _count("failing or paused", len(config.sources), failing)),
            ("receivers", _count("held", len(config.receivers), [*overview.describe_receivers()])),
            ("deliveries", overview.write_debts(DeliveryState.PENDING)),
            ("", safe(*dead) if any(state == "dead" for _, state in overview.owed) else ""),
        ]
    )


def _write_daemons(overview: Overview) -> Text:
    if not overview.alive:
        last = max(overview.daemons.values(), default=None)
        seen = f", the last was seen at {write_short_time(last)}" if last else ""
        return safe(f"none alive{seen}: `monitor run` starts one", "red")
    return safe(f"{len(overview.alive)} alive: {', '.join(overview.alive)}", "green")


def _count(wrong: str, number: int, troubles: Sequence[Sentence]) -> Text:
    """Write how many there are, and what is wrong with some."""
    bad = f"{number}, {len(troubles) or 'none'} {wrong}" if number else "none"
    return Text("\n").join([safe(bad), *_some(troubles)])


def _write_all(sentences: Sequence[Sentence]) -> Text:
    return Text("\n").join(_some(sentences))


def _some(sentences: Sequence[Sentence]) -> list[Text]:
    more = len(sentences) - SHOWN
    rest = [Sentence(f"and {more} more", Tone.ASIDE)] if more > 0 else []
    return [say(sentence) for sentence in [*sentences[:SHOWN], *rest]]
