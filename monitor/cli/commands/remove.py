"""The command `monitor remove`: its options and its help."""

from monitor.cli.options import BatchArguments, ConfigPath, SourceArgument, Work


def command(source: SourceArgument, ids: BatchArguments, config: ConfigPath = None) -> Work:
    """Stop watching batches; their history stays.

    Adding one again goes on with its sequence, from a new first reading.
    """
    from monitor.cli.registration import remove

    return remove(config, source, ids)
