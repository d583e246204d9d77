"""The command `monitor migrate`: its options and its help."""

from monitor.cli.options import ConfigPath, Work


def command(config: ConfigPath = None) -> Work:
    """Bring the database to the newest schema, or make it; `run` does so by itself.

    Refused while a daemon holds the SQLite file.
    """
    from monitor.cli.database_file import migrate

    return migrate(config)
