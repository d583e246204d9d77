"""The config files of measured daemons: as fast as they go, on loopback."""

import base64
from typing import Final

from monitor.sinks.webhook import WebhookSettings

SECRET: Final = "whsec_" + base64.b64encode(b"thirty-two bytes of a test key!!").decode()
SLOTS: Final = WebhookSettings.slots
"""Requests at a time to one webhook receiver."""
SOURCE: Final = "bench"
RECEIVER: Final = "crm"


def config(
    *, database: str, port: int, polled: str | None = None, posted: str | None = None,
    interval: str = "100ms",
) -> str:  # fmt: skip
    """Poll batches at one URL and post their events to another, whichever is given.

    A batch is due again long before its turn comes, so the daemon is never idle, however few there
    are; none stalls meanwhile.
    """
    text = f"""
[server]
listen = "127.0.0.1:{port}"
[database]
url = "{database}"
[polling]
interval = "{interval}"
stall_after = "30d"
"""
    if polled is not None:
        text += f"""
[sources.{SOURCE}]
provider = "bolna"
api_key = "key"
base_url = "{polled}"
allow_http = true
allow_private = true
rate_limit = "1000000/min"
"""
    if posted is not None:
        text += f"""
[receivers.{RECEIVER}]
kind = "webhook"
url = "{posted}/hook"
secret = "{SECRET}"
allow_http = true
allow_private = true
[[routes]]
receiver = "{RECEIVER}"
"""
    return text
