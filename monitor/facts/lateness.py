"""Lateness: polls that come late because a source's budget does not allow for them all."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from monitor.config.schema import Config
from monitor.facts.sentence import Sentence, Tone
from monitor.facts.times import write_wait
from monitor.storage.sources import SourceRow


def describe_lateness(
    config: Config, due: Mapping[str, int], accounts: Mapping[str, SourceRow], *, now: datetime
) -> Iterator[Sentence]:
    """Write of each source that is not paused whether what is due takes longer than an interval.

    `due` says how many of its batches nobody has begun to read.
    """
    for name, source in config.sources.items():
        account = accounts.get(name)
        if account is None or (account.blocked_until or now) > now:
            continue
        interval = source.interval or config.polling.interval
        takes = timedelta(seconds=due.get(name, 0) * source.requests_per_poll / source.rate_limit)
        if takes > interval:
            yield Sentence(
                f"{name}: polls are late, {due[name]:,} are due, for which its rate_limit of"
                f" {source.rate_limit * 60:,.4g}/min takes {write_wait(takes)}",
                Tone.DOUBTFUL,
            )
