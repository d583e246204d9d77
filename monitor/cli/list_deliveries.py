"""The deliveries as a table."""

import json
from typing import Final

import typer

from monitor.cli.options import Output
from monitor.cli.session import check_receiver, reading
from monitor.config.schema import Config
from monitor.config.warnings import deafness
from monitor.core.delivery import DeliveryState
from monitor.facts.daemon_seen import missing_daemon
from monitor.facts.delivery import DeliveryFacts
from monitor.facts.event_id import short_id
from monitor.facts.sentence import Sentence, Tone
from monitor.facts.times import write_short_time
from monitor.screen.console import has_room, is_piped, put, safe, word
from monitor.screen.documents import write_array
from monitor.screen.listing import take
from monitor.screen.page import write_standing
from monitor.screen.table import Row, show_table
from monitor.storage.deliveries.read import list_deliveries

_CUT: Final = ("Receiver", "Subject", "State")
_DEAD: Final = Sentence(
    "dead: no more attempts; `monitor delivery ID` says why, `redeliver ID` sends it", Tone.ASIDE
)


async def list_(
    config: Config, *, state: str | None, receiver: str | None, limit: int | None, output: str
) -> None:
    """List the deliveries in a state, to a receiver, or all."""
    async with reading(config) as database:
        await check_receiver(database, config, receiver)
        found = (
            DeliveryFacts.of(view, config)
            async for view in list_deliveries(database, state=state, receiver=receiver)
        )
        if output == Output.JSON:
            await write_array(found, lambda delivery: json.dumps(delivery.document()), limit)
            return
        listed, more = await take(found, limit)
        trouble = await missing_daemon(database)
    if not listed:
        put(_nothing(config, filtered=state is not None or receiver is not None))
        return
    if output == Output.WIDE:
        show_table([_wide_row(delivery) for delivery in listed], wide=True)
    else:
        rows = [_row(delivery) for delivery in listed]
        show_table(rows, cut=_CUT, without=() if has_room() else ("Attempts",))
    states = {delivery.view.state for delivery in listed if not delivery.is_dead_test}
    put(*more, *([_DEAD] if DeliveryState.DEAD in states else []))
    if trouble and DeliveryState.PENDING in states:
        typer.echo(trouble, err=True)


def _nothing(config: Config, *, filtered: bool) -> Sentence:
    if filtered:
        return Sentence("no such deliveries; `monitor deliveries` shows all")
    if deaf := deafness(config):
        return Sentence(f"no deliveries yet: {deaf}")
    return Sentence("no deliveries yet: `monitor test RECEIVER` sends a first one")


def _row(delivery: DeliveryFacts) -> Row:
    view = delivery.view
    return {
        "Delivery": str(view.row),
        "Receiver": view.receiver,
        "Type": view.event_type,
        "Subject": view.subject,
        "Attempts": str(view.attempts),
        "State": safe(delivery.wait) if delivery.waits_for else write_standing(delivery),
        "Event": safe(view.event_id if is_piped() else short_id(view.event_id), "dim"),
    }


def _wide_row(delivery: DeliveryFacts) -> Row:
    view = delivery.view
    return {
        "Delivery": str(view.row),
        "State": word(view.state),
        "Waits": delivery.wait,
        "Receiver": view.receiver,
        "Type": view.event_type,
        "Subject": view.subject,
        "Attempts": str(view.attempts),
        "Delivered": write_short_time(view.delivered_at),
        "Event": safe(view.event_id, "dim"),
    }
