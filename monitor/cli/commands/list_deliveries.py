"""The log of deliveries: `monitor deliveries`."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import typer
from rich.text import Text

from monitor.cli.daemon_seen import missing_daemon
from monitor.cli.delivery_facts import DeliveryFacts, check_receiver
from monitor.cli.listing import take, write_array
from monitor.cli.options import Output
from monitor.cli.screen import put, safe, whole, word, write_short_time
from monitor.cli.session import reading, run
from monitor.cli.table import show_table
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.core.delivery import DeliveryState
from monitor.storage.database import Database
from monitor.storage.deliveries.read import list_deliveries

_COLUMNS: Final = (
    *("Delivery", "State", "Waits", "Receiver", "Type", "Subject", "Attempts", "Delivered"),
    "Event",
)
_STACKS: Final = (
    ("Delivery",),
    ("State", "Waits", "Delivered"),
    ("Receiver", "Attempts"),
    ("Type", "Subject", "Event"),
)


def show(
    path: Path | None,
    *,
    state: str | None,
    receiver: str | None,
    limit: int | None,
    output: str,
) -> None:
    """List the deliveries in a state, to a receiver, or all."""
    listing = Listing(load(path), state=state, receiver=receiver)
    if output == Output.JSON:
        run(listing.write_json(limit=limit))
    else:
        run(listing.show_table(limit=limit))


class Listing:
    """List the deliveries that were asked for."""

    def __init__(self, config: Config, *, state: str | None, receiver: str | None) -> None:
        self._config = config
        self._state = state
        self._receiver = receiver

    async def write_json(self, *, limit: int | None) -> None:
        """Write one array."""
        async with reading(self._config) as database:
            await check_receiver(database, self._config, self._receiver)
            found = self._found(database)
            await write_array(found, lambda delivery: json.dumps(delivery.document()), limit)

    async def show_table(self, *, limit: int | None) -> None:
        """Show the newest."""
        async with reading(self._config) as database:
            await check_receiver(database, self._config, self._receiver)
            found, more = await take(self._found(database), limit)
            trouble = await missing_daemon(database)
        if not found:
            put(safe(self._nothing()))
            return
        show_table(_COLUMNS, [_row(delivery) for delivery in found], stacks=_STACKS)
        if more:
            put(more)
        states = {delivery.view.state for delivery in found if not delivery.is_dead_test}
        if DeliveryState.DEAD in states:
            hint = "dead: no more attempts; `monitor delivery ID` says why, `redeliver ID` sends it"
            put(safe(hint, "dim"))
        if trouble and DeliveryState.PENDING in states:
            typer.echo(trouble, err=True)

    async def _found(self, database: Database) -> AsyncIterator[DeliveryFacts]:
        found = list_deliveries(database, state=self._state, receiver=self._receiver)
        async for view in found:
            yield DeliveryFacts.of(view, self._config)

    def _nothing(self) -> str:
        if self._state is not None or self._receiver is not None:
            return "no such deliveries; `monitor deliveries` shows all"
        if not self._config.routes:
            return "no deliveries yet, and no routes: the config says nobody hears of anything"
        return "no deliveries yet: `monitor test RECEIVER` sends a first one"


def _row(delivery: DeliveryFacts) -> list[Text]:
    view = delivery.view
    return [
        safe(view.row),
        word(view.state),
        safe(delivery.wait),
        safe(view.receiver),
        safe(view.event_type),
        safe(view.subject),
        safe(_count(view.attempts)),
        whole(write_short_time(view.delivered_at)),
        safe(view.event_id, "dim"),
    ]


def _count(attempts: int) -> str:
    return "1 attempt" if attempts == 1 else f"{attempts} attempts"
