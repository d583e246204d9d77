"""The command `monitor events`: its options and its help."""

from typing import Annotated

import typer

from monitor.cli.options import (
    ConfigPath,
    Limit,
    ListOutput,
    MatcherArguments,
    Output,
    Since,
    Work,
)


def command(
    matchers: MatcherArguments = None,
    since: Since = None,
    follow: Annotated[
        bool,
        typer.Option("--follow", "-f", help="Go on with each event as it comes, until Ctrl-C."),
    ] = False,
    limit: Limit = None,
    output: ListOutput = Output.TABLE,
    config: ConfigPath = None,
) -> Work:
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
        from monitor.cli.follow_events import follow_events as print_events
    else:
        from monitor.cli.list_events import list_events as print_events

    return print_events(config, matchers or [], since=since, limit=limit, output=output)
