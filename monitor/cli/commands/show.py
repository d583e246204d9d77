"""The command `monitor show`: its options and its help."""

from monitor.cli.options import (
    BatchArgument,
    ConfigPath,
    Output,
    PageOutput,
    ShownLimit,
    SourceArgument,
    Work,
)


def command(
    source: SourceArgument,
    batch_id: BatchArgument,
    limit: ShownLimit = None,
    output: PageOutput = Output.TABLE,
    config: ConfigPath = None,
) -> Work:
    """Show one batch: its state, pace and timeline, snapshots, events and deliveries.

    Works for removed batches too.
    """
    from monitor.cli.show_batch import show

    return show(config, source, batch_id, limit=limit, output=output)
