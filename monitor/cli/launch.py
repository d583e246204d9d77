"""The launch of the daemon."""

import asyncio
import sys

import structlog

from monitor import descriptors
from monitor.config.schema import Config
from monitor.config.secrets import require_secrets
from monitor.config.warnings import warnings_at_work
from monitor.daemon import process
from monitor.logs import set_up_logs

try:
    import uvloop
except ImportError:  # there is none for this Python
    _run_loop = asyncio.run
else:
    _run_loop = uvloop.run


def launch(config: Config) -> None:
    """Run the daemon; raise MonitorError when it cannot start."""
    require_secrets(config)
    set_up_logs(
        level=config.monitor.log_level,
        log_format=config.monitor.log_format,
        instance=config.monitor.instance,
    )
    log = structlog.stdlib.get_logger()
    descriptors.raise_limit()
    for warning in warnings_at_work(config):
        log.warning("config.doubtful", reason=warning)
    _run_loop(_serve(config))


async def _serve(config: Config) -> None:
    if sys.stdout.isatty():
        from monitor.cli.narrator import Narrator  # nobody else has a use for what it imports

        await process.run(config, narrate=Narrator)
    else:
        await process.run(config)
    process.leave()
