"""The command `monitor list`: its options and its help."""

from monitor.cli.options import ConfigPath, Limit, ListOutput, MatcherArguments, Output, Work


def command(
    matchers: MatcherArguments = None,
    limit: Limit = None,
    output: ListOutput = Output.TABLE,
    config: ConfigPath = None,
) -> Work:
    """List the watched batches, the newest first.

    Matchers are those of routes: name, then =, !=, =~ or !~, then a value; all must hold. Names:
    source, provider, batch, name, status, phase, outcome and any label.

    \b
      monitor list 'phase = running' 'team = collections'
      monitor list 'source =~ "bolna-.+"' -o json
    """
    from monitor.cli.list_batches import list_batches

    return list_batches(config, matchers or [], limit=limit, output=output)
