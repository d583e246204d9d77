"""Commands about events and deliveries: events, explain, deliveries, redeliver, clear, test."""

from typing import Annotated

import typer

from monitor.cli.options import (
    ConfigPath,
    Limit,
    ListOutput,
    MatcherArguments,
    Output,
    PageOutput,
    Since,
    one_of,
)
from monitor.core.delivery import DeliveryState

StateOption = Annotated[
    str | None,
    typer.Option(
        "--state",
        metavar="pending|delivered|dead",
        show_default=False,
        callback=one_of(*DeliveryState),
        help="Only those in this state.",
    ),
]
ReceiverOption = Annotated[
    str | None,
    typer.Option("--receiver", "-r", metavar="R", help="Only those to this receiver."),
]


def events(
    matchers: MatcherArguments = None,
    since: Since = None,
    follow: Annotated[
        bool,
        typer.Option("--follow", "-f", help="Go on with each event as it comes, until Ctrl-C."),
    ] = False,
    limit: Limit = None,
    output: ListOutput = Output.TABLE,
    config: ConfigPath = None,
) -> None:
    """List the events, the newest first; -o json prints the documents as they were sent.

    Matchers are those of routes: name, then =, !=, =~ or !~, then a value; all must hold. Names:
    type, source, provider, batch, name, status, phase, outcome and any label.

    --follow prints a line an event, the oldest first: the last 10 (--limit N, or all of --since),
    then each as it is committed; with -o json one document a line.

    \b
      monitor events 'type = batch.completed' --since 24h
      monitor events 'type =~ "source\\..+"'
      monitor events 'team = collections' --follow -o json
    """
    if follow:
        from monitor.cli.commands import follow_events

        follow_events.follow(config, matchers or [], since=since, limit=limit, output=output)
    else:
        from monitor.cli.commands import list_events

        list_events.show(config, matchers or [], since=since, limit=limit, output=output)


def explain(
    event_id: Annotated[
        str,
        typer.Argument(
            metavar="EVENT-ID", show_default=False, help="An event's id, or the beginning of it."
        ),
    ],
    output: PageOutput = Output.TABLE,
    config: ConfigPath = None,
) -> None:
    """Explain who heard of an event and who did not, and why.

    Shows which routes match or which matcher fails, and what became of each delivery: delivered,
    pending and what it waits for, or dead.
    """
    from monitor.cli.commands import explain_event

    explain_event.show(config, event_id, output=output)


def deliveries(
    state: StateOption = None,
    receiver: ReceiverOption = None,
    limit: Limit = None,
    output: ListOutput = Output.TABLE,
    config: ConfigPath = None,
) -> None:
    """List the deliveries, the newest first.

    A delivery is the debt of one event to one receiver: pending, delivered or dead (given up;
    see `monitor redeliver`).
    """
    from monitor.cli.commands import list_deliveries

    list_deliveries.show(config, state=state, receiver=receiver, limit=limit, output=output)


def delivery(
    delivery_id: Annotated[
        str,
        typer.Argument(
            metavar="ID", show_default=False, help="A delivery's id, or its event's if it has one."
        ),
    ],
    output: PageOutput = Output.TABLE,
    config: ConfigPath = None,
) -> None:
    """Show one delivery with all its attempts and the body that is sent."""
    from monitor.cli.commands import show_delivery

    show_delivery.show(config, delivery_id, output=output)


def redeliver(
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID…]",
            show_default=False,
            help="Ids of deliveries, or of events: then all deliveries of each.",
        ),
    ] = None,
    receiver: Annotated[
        str | None,
        typer.Option("--receiver", "-r", metavar="R", help="Instead of ids: all to this receiver."),
    ] = None,
    since: Since = None,
    state: Annotated[
        str | None,
        typer.Option(
            "--state",
            metavar="pending|delivered|dead",
            show_default=False,
            callback=one_of(*DeliveryState),
            help="With --receiver: only those in this state [default: dead].",
        ),
    ] = None,
    config: ConfigPath = None,
) -> None:
    """Send deliveries again: the same event, the same id, a fresh schedule.

    A running daemon sends them within 2 s; otherwise the next one does. Pending ones that wait
    for their next try are due at once.

    \b
      monitor redeliver 4711
      monitor redeliver --receiver crm --since 2h --state dead
    """
    from monitor.cli.commands import redeliver

    redeliver.redeliver(config, ids or [], receiver=receiver, since=since, state=state)


def clear(
    receiver: Annotated[
        str,
        typer.Argument(
            metavar="RECEIVER", show_default=False, help="A receiver that left the config."
        ),
    ],
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="R", help="Move the deliveries to this receiver."),
    ] = None,
    drop: Annotated[bool, typer.Option("--drop", help="Give the deliveries up.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigPath = None,
) -> None:
    """Clear what waits for a receiver that was renamed or removed.

    Shows how many deliveries wait, and asks. Moved ones keep event and id, and start a fresh
    schedule. Left alone they wait until it returns, or expire after 75 hours.

    \b
      monitor clear crm --to crm-eu
      monitor clear crm --drop --yes
    """
    from monitor.cli.commands import clear

    clear.clear(config, receiver, to=to, drop=drop, yes=yes)


def send_test(
    receiver: Annotated[
        str,
        typer.Argument(
            metavar="RECEIVER", show_default=False, help="A receiver's name in the config."
        ),
    ],
    config: ConfigPath = None,
) -> None:
    """Send a `monitor.test` event to a receiver now, by the real path, daemon or not.

    Prints status, latency and response. One attempt: a test that fails does not arrive later.
    """
    from monitor.cli.commands import send_test

    send_test.send(config, receiver)
