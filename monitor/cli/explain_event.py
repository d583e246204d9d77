"""The page that explains an event: who heard of it, who did not, and why."""

from datetime import UTC, datetime

from rich.text import Text

from monitor.cli.options import Output
from monitor.cli.session import reading
from monitor.config.schema import Config
from monitor.facts.event_summary import name_in, summarise
from monitor.facts.explanation import Explanation, explain
from monitor.facts.sentence import Sentence, Tone
from monitor.facts.times import write_time
from monitor.screen.console import put, safe, say
from monitor.screen.documents import write_json
from monitor.screen.page import show_facts, show_heading, show_page


async def show(config: Config, event_id: str, *, output: str) -> None:
    """Explain the event of an id."""
    async with reading(config) as database:
        explanation = await explain(database, config, event_id)
    now = datetime.now(UTC)
    if output == Output.JSON:
        write_json(explanation.lay_out(now=now))
        return
    _show_event(explanation)
    _show_routes(explanation)
    _show_fates(explanation, now)


def _show_event(explanation: Explanation) -> None:
    document = explanation.document
    show_page(
        Text.assemble("event ", safe(document["id"], "bold")),
        [
            ("type", document["type"]),
            ("about", explanation.about),
            ("name", name_in(document)),
            ("what", summarise(document)),
            ("time", write_time(datetime.fromisoformat(document["time"]))),
            ("sequence", str(document["data"]["sequence"])),
        ],
    )


def _show_routes(explanation: Explanation) -> None:
    show_heading("Routes, as the config has them now")
    if explanation.is_test:
        put(Sentence("a test goes to its receiver, whatever the routes say"))
    elif not explanation.routes:
        hint = "the config has none: nobody hears of anything; add [[routes]]"
        put(Sentence(hint, Tone.DOUBTFUL))
    show_facts(
        (
            f"{route.number} -> {route.route.receiver}",
            safe(route.write(), "" if route.applies else "dim"),
        )
        for route in explanation.routes
    )


def _show_fates(explanation: Explanation, now: datetime) -> None:
    show_heading("Receivers")
    if not explanation.fates:
        hint = "the config has none: add [receivers.NAME] and a route to it"
        put(Sentence(hint, Tone.DOUBTFUL))
    show_facts(
        (fate.receiver, Text("\n").join(map(say, fate.explain(now=now))))
        for fate in explanation.fates
    )
    if explanation.missing_daemon and any(fate.pending for fate in explanation.fates):
        put(Text("\n") + safe(explanation.missing_daemon, "red"))
