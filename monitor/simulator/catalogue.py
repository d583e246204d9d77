"""A catalogue: the lists in which a simulated account shows the batches that it has."""

import json
from collections.abc import Iterable, Mapping

from aiohttp import web

from monitor.simulator.lives import Life


def job_page(request: web.BaseRequest, lives: Iterable[Life]) -> bytes:
    """Show Vogent's jobs by `limit` and `cursor`."""
    bodies = [life.current.body for life in lives]
    cursor, size = request.query.get("cursor", ""), int(request.query.get("limit", "20"))
    start = int(cursor) if cursor.isdigit() else 0
    following = str(start + size) if start + size < len(bodies) else None
    return b'{"data": %s, "cursor": %s}' % (
        array(bodies[start : start + size]),
        json.dumps(following).encode(),
    )


def agents_page(agents: Iterable[str]) -> bytes:
    """Show Bolna's agents; the prompts make them large."""
    return json.dumps(
        [{"id": agent, "agent_name": agent, "agent_prompts": {"task_1": {}}} for agent in agents]
    ).encode()


def agent_page(batches: Iterable[str], lives: Mapping[str, Life]) -> bytes:
    """Show the batches of one of Bolna's agents, all at once."""
    return array(lives[batch].current.body for batch in batches if batch in lives)


def array(bodies: Iterable[bytes]) -> bytes:
    """Put documents into an array as they are."""
    return b"[%s]" % b",".join(bodies)
