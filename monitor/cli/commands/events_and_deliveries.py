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
        typer.Option("--follow", "-f", help="Then print each new event as it comes, until Ctrl-C."),
    ] = False,
    limit: Annotated[
        int | None,
        limit_option(
            "Show at most N; by default a table shows 100, json all. With --follow, N old ones.",
            least=0,
        ),
    ] = None,
    output: ListOutput = Output.TABLE,
    config: ConfigPath = None,
) -> Work:
    """List the events, the newest first; -o json prints them as they were sent.

    A matcher is written as in a route: a name, then =, !=, =~ or !~, then a value. All must hold.
    Names: type, source, provider, batch, name, status, phase, outcome, any label, and stalled,
    unreachable, overdue and late, which are true or empty.

    --follow prints one line per event, the oldest first: the last 10 (or --limit N, or all of
    --since), then each new event as it is stored. With -n 0 it prints only new ones, as tail does.
    With -o json it prints one document per line.

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
    """Explain which receivers were told of an event, which were not, and why.

    It shows for each route whether it matches, or which matcher fails, and for each delivery
    whether it is delivered, pending (and what it waits for) or dead.

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

    A delivery is one event on its way to one receiver: pending, delivered, or dead (given up; see
    `monitor redeliver`).

    \b
    Examples:
      monitor deliveries --state dead
      monitor deliveries --receiver crm -o json
    """
    from monitor.cli.list_deliveries import list_

    return list_(load(config), state=state, receiver=receiver, limit=limit, output=output)


def do_delivery(
    delivery_id: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="A delivery's id, or its event's id if the event has one delivery."
        ),
    ],
    output: PageOutput = Output.TABLE,
    config: ConfigPath = None,
) -> Work:
    """Show one delivery with all its attempts and its body.

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
            metavar="[ID…]", help="Ids of deliveries, or of events (then all their deliveries)."
        ),
    ] = None,
    receiver: Annotated[
        str | None, _receiver_option("Instead of ids: the deliveries to this receiver.")
    ] = None,
    since: Since = None,
    state: Annotated[
        str | None, _state_option("With --receiver: only those in this state [default: dead].")
    ] = None,
    config: ConfigPath = None,
) -> Work:
    """Send deliveries again: the same event and id, a new schedule of attempts.

    A running daemon sends them within 2 s; if none runs, the next one does. A pending delivery
    that waits for its next attempt is sent at once, too.

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
    """Clear deliveries that wait for a receiver that was renamed or removed.

    It shows how many deliveries wait, and asks first. Moved deliveries keep their event and id, and
    start a new schedule. If you do nothing, they wait until the receiver's name returns, or expire
    after 91 hours.

    \b
    Examples:
      monitor clear crm --to crm-eu
      monitor clear crm --drop --yes
    """
    from monitor.cli.debts import clear

    if drop is (to is not None):
        raise typer.BadParameter("give either --to RECEIVER or --drop")
    return clear(load(config), receiver, to=to, yes=yes)
