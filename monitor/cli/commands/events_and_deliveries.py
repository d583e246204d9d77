"""The commands about events and deliveries: their options and their help."""

from datetime import timedelta
from typing import Annotated, Any

import typer

from monitor.cli.options import (
    ConfigPath,
    Limit,
    ListOutput,
    MatcherArguments,
    Output,
    PageOutput,
    Work,
    duration_option,
    limit_option,
    load,
    name_of,
    one_of,
)
from monitor.core.delivery import DeliveryState


def _state_option(help_: str) -> Any:
    return typer.Option(
        "--state", metavar="pending|delivered|dead", help=help_, **one_of(*DeliveryState)
    )


def _receiver_option(help_: str) -> Any:
    return typer.Option("--receiver", "-r", metavar="R", help=help_, **name_of("receivers"))


Since = Annotated[
    timedelta | None, duration_option("--since", "Only events of the last 30m, 2h, 7d …")
]


def do_events(
    matchers: MatcherArguments = None,
    since: Since = None,
    follow: Annotated[
        bool,
        typer.Option("--follow", "-f", help="Go on with each event as it comes, until Ctrl-C."),
    ] = False,
    limit: Annotated[
        int | None,
        limit_option(
            "At most N; else a table has the newest 100, json all. With --follow N old ones first.",
            least=0,
        ),
    ] = None,
    output: ListOutput = Output.TABLE,
    config: ConfigPath = None,
) -> Work:
    """List the events, the newest first; -o json prints the documents as they were sent.

    Matchers are those of routes: name, then =, !=, =~ or !~, then a value; all must hold. Names:
    type, source, provider, batch, name, status, phase, outcome, any label, and stalled,
    unreachable, overdue and late, which are true or empty.

    --follow prints a line an event, the oldest first: the last 10 (--limit N, or all of --since),
    then each as it is committed; with -n 0 only new ones, as tail does. With -o json one document
    a line.

    \b
    Examples:
      monitor events 'type = batch.completed' --since 24h
      monitor events 'type =~ "source\\..+"'
      monitor events 'team = collections' --follow -o json
    """
    if limit == 0 and not follow:
        raise typer.BadParameter("0 is for --follow: only new ones", param_hint="--limit")
    if follow:
        from monitor.cli.follow_events import follow_events as print_events
    else:
        from monitor.cli.list_events import list_events as print_events

    return print_events(load(config), matchers or [], since=since, limit=limit, output=output)


def do_explain(
    event_id: Annotated[
        str, typer.Argument(metavar="EVENT-ID", help="An event's id, or the beginning of it.")
    ],
    output: PageOutput = Output.TABLE,
    config: ConfigPath = None,
) -> Work:
    """Explain who heard of an event and who did not, and why.

    Shows which routes match or which matcher fails, and what became of each delivery: delivered,
    pending and what it waits for, or dead.

    \b
    Examples:
      monitor explain evt_BKLBLXXR
    """
    from monitor.cli.explain_event import show

    return show(load(config), event_id, output=output)


def do_deliveries(
    state: Annotated[str | None, _state_option("Only those in this state.")] = None,
    receiver: Annotated[str | None, _receiver_option("Only those to this receiver.")] = None,
    limit: Limit = None,
    output: ListOutput = Output.TABLE,
    config: ConfigPath = None,
) -> Work:
    """List the deliveries, the newest first.

    A delivery is the debt of one event to one receiver: pending, delivered or dead (given up;
    see `monitor redeliver`).

    \b
    Examples:
      monitor deliveries --state dead
      monitor deliveries --receiver crm -o json
    """
    from monitor.cli.list_deliveries import list_

    return list_(load(config), state=state, receiver=receiver, limit=limit, output=output)


def do_delivery(
    delivery_id: Annotated[
        str, typer.Argument(metavar="ID", help="A delivery's id, or its event's if it has one.")
    ],
    output: PageOutput = Output.TABLE,
    config: ConfigPath = None,
) -> Work:
    """Show one delivery with all its attempts and the body that is sent.

    \b
    Examples:
      monitor delivery 4711
      monitor delivery evt_BKLBLXXR
    """
    from monitor.cli.show_delivery import show

    return show(load(config), delivery_id, output=output)


def do_redeliver(
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID…]", help="Ids of deliveries, or of events: then all deliveries of each."
        ),
    ] = None,
    receiver: Annotated[
        str | None, _receiver_option("Instead of ids: all to this receiver.")
    ] = None,
    since: Since = None,
    state: Annotated[
        str | None, _state_option("With --receiver: only those in this state [default: dead].")
    ] = None,
    config: ConfigPath = None,
) -> Work:
    """Send deliveries again: the same event, the same id, a fresh schedule.

    A running daemon sends them within 2 s; otherwise the next one does. Pending ones that wait
    for their next try are due at once.

    \b
    Examples:
      monitor redeliver 4711
      monitor redeliver --receiver crm --since 2h --state dead
    """
    from monitor.cli.redelivery import redeliver_named, redeliver_receiver

    if ids and (receiver or since is not None or state):
        raise typer.BadParameter("give either ids, or --receiver with --since and --state")
    if receiver is not None:
        wanted = state or DeliveryState.DEAD
        return redeliver_receiver(load(config), receiver, since=since, wanted=wanted)
    if not ids:
        raise typer.BadParameter("give ids of deliveries or events, or --receiver")
    return redeliver_named(load(config), ids)


def do_clear(
    receiver: Annotated[
        str, typer.Argument(metavar="RECEIVER", help="A receiver that left the config.")
    ],
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="R",
            help="Move the deliveries to this receiver.",
            **name_of("receivers"),
        ),
    ] = None,
    drop: Annotated[bool, typer.Option("--drop", help="Give the deliveries up.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigPath = None,
) -> Work:
    """Clear what waits for a receiver that was renamed or removed.

    Shows how many deliveries wait, and asks. Moved ones keep event and id, and start a fresh
    schedule. Left alone they wait until it returns, or expire after 75 hours.

    \b
    Examples:
      monitor clear crm --to crm-eu
      monitor clear crm --drop --yes
    """
    from monitor.cli.debts import clear

    if drop is (to is not None):
        raise typer.BadParameter("give either --to RECEIVER or --drop")
    return clear(load(config), receiver, to=to, yes=yes)
