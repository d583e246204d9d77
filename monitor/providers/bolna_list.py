"""Bolna's lists: the batches of each agent, and the agents."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from monitor.core.discovery import DiscoveryAnswer, too_large
from monitor.core.errors import PollError
from monitor.core.failure import FailureKind, Matter, matter_of
from monitor.providers.api import Api, quote_id
from monitor.providers.discovery import ALL, BolnaDiscoverySettings, Sieve, is_usable_id
from monitor.providers.entries import EntryReader

AGENTS_LIMIT: Final = 1000

_OF_ONE_LIST: Final = frozenset({FailureKind.INVALID_BODY, FailureKind.TOO_LARGE})
"""Failures that say nothing of the lists of other agents, as do those that refuse this one."""


class BolnaFinder:
    """Find the batches of a Bolna account: it has no list of all, but one for each agent."""

    def __init__(self, api: Api, settings: BolnaDiscoverySettings) -> None:
        self._api = api
        self._settings = settings
        self.every = settings.every

    async def find(self, *, now: datetime) -> AsyncGenerator[DiscoveryAnswer, None]:
        """Yield what each request brought, one agent's failure too; raise PollError for others."""
        agents, listed = self._settings.agents, False
        if agents == ALL:
            agents, listed = await self._agents(), True
            yield DiscoveryAnswer()
        for agent in agents[:AGENTS_LIMIT] if listed else agents:
            try:
                found = await self._batches_of(agent, now=now)
            except PollError as error:
                if matter_of(error.kind) is not Matter.BATCH and error.kind not in _OF_ONE_LIST:
                    raise
                has_none_yet = listed and error.kind is FailureKind.NOT_FOUND
                found = DiscoveryAnswer(agent=agent, failure=None if has_none_yet else error)
            yield found
        if listed and len(agents) > AGENTS_LIMIT:
            yield DiscoveryAnswer(failure=too_large(AGENTS_LIMIT, "agents"))

    async def _agents(self) -> tuple[str, ...]:
        agents: dict[str, None] = {}

        def take(entry: Mapping[str, Any]) -> None:
            agent = entry.get("id", entry.get("agent_id"))
            if is_usable_id(agent) and len(agents) <= AGENTS_LIMIT:
                agents[agent] = None

        await self._read("/v2/agent/all", EntryReader({"id", "agent_id"}, take))
        return tuple(agents)

    async def _batches_of(self, agent: str, *, now: datetime) -> DiscoveryAnswer:
        sieve = Sieve(self._settings, now=now)
        take = partial(sieve.take_entry, id_="batch_id", created_at="created_at", name="file_name")
        reader = EntryReader({"batch_id", "created_at", "status", "file_name"}, take)
        await self._read(f"/batches/{quote_id(agent)}/all", reader)
        return replace(sieve.found(), agent=agent)

    async def _read(self, path: str, reader: EntryReader) -> None:
        await self._api.fetch(path, reader.take)
        reader.close()
