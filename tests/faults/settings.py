"""The configs of fault tests: as fast as they go, on loopback."""

from collections.abc import Iterable, Mapping

from tests.consumer import SECRET


def config(
    provider_url: str,
    receivers: Mapping[str, str],
    ids: Iterable[str],
    *,
    polling: str = 'interval = "100ms"\nsettled_interval = "100ms"\n',
    source: str = "",
    receiver: str = "",
    sources: Iterable[str] = ("bolna",),
) -> str:
    """Poll ten times a second; all events go to each of the receivers (name -> base URL)."""
    routed = "".join(
        f"""
[receivers.{name}]
kind = "webhook"
url = "{url}/{name}"
{receiver}
secret = "{SECRET}"
allow_http = true
allow_private = true
[[routes]]
receiver = "{name}"
"""
        for name, url in receivers.items()
    )
    declared = "".join(f'[[batches]]\nsource = "bolna"\nid = "{batch_id}"\n' for batch_id in ids)
    accounts = "".join(
        f"""
[sources.{name}]
provider = "bolna"
api_key = "key"
base_url = "{provider_url}"
allow_http = true
allow_private = true
rate_limit = "100000/min"
{source}
"""
        for name in sources
    )
    return f"""
[polling]
{polling}
{accounts}{routed}{declared}"""
