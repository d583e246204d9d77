"""The log of deliveries: `monitor deliveries`."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from rich.text import Text

from monitor.cli.delivery_facts import DeliveryFacts
from monitor.cli.listing import take, write_array
from monitor.cli.options import Output
from monitor.cli.screen import safe, word, write_short_time
from monitor.cli.screen import show as show_text
from monitor.cli.session import reading, run, unknown
from monitor.cli.table import show_table
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.core.delivery import DeliveryState
from monitor.storage.database import Database
from monitor.storage.delivery_queries import known_receivers, list_deliveries

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
    limit: str | None,
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

    async def write_json(self, *, limit: str | None) -> None:
        """Write one array."""
        async with reading(self._config) as database:
            await check_receiver(database, self._config, self._receiver)
            found = self._found(database)
            await write_array(found, lambda delivery: json.dumps(delivery.document()), limit)

    async def show_table(self, *, limit: str | None) -> None:
        """Show the newest."""
        async with reading(self._config) as database:
            await check_receiver(database, self._config, self._receiver)
            found, more = await take(self._found(database), limit)
        if not found:
            show_text(safe(self._nothing()))
            return
        show_table(_COLUMNS, [_row(delivery) for delivery in found], stacks=_STACKS)
        if more:
            show_text(more)
        if any(delivery.view.state is DeliveryState.DEAD for delivery in found):
            hint = "dead: no more attempts; `monitor delivery ID` says why, `redeliver ID` sends it"
            show_text(safe(hint, "dim"))

    async def _found(self, database: Database) -> AsyncIterator[DeliveryFacts]:
        found = list_deliveries(database, state=self._state, receiver=self._receiver)
        async for view in found:
            yield DeliveryFacts(view=view, configured=view.receiver in self._config.receivers)

    def _nothing(self) -> str:
        if self._state is not None or self._receiver is not None:
            return "no such deliveries; `monitor deliveries` shows all"
        if not self._config.routes:
            return "no deliveries yet, and no routes: the config says nobody hears of anything"
        return "no deliveries yet: `monitor test RECEIVER` sends a first one"


async def check_receiver(database: Database, config: Config, receiver: str | None) -> None:
    """Raise UnknownNameError for a receiver that neither the config nor the database knows."""
    if receiver is None or receiver in config.receivers:
        return
    if receiver not in await known_receivers(database):
        raise unknown("receiver", receiver, config.receivers)


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
        safe(write_short_time(view.delivered_at)),
        safe(view.event_id, "dim"),
    ]


def _count(attempts: int) -> str:
    return "1 attempt" if attempts == 1 else f"{attempts} attempts"
