"""What README shows is true: the payload, the consumer in Python, the lists of events."""

import re
from pathlib import Path

from monitor.core.delivery import VerdictKind
from monitor.core.event import EventType
from tests.consumers import OTHER_SECRET, line, running, send

README = (Path(__file__).parent.parent / "README.md").read_text()


def block(language: str) -> str:
    """Return the first code block of a language."""
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


async def test_the_python_consumer_accepts_what_is_signed_and_refuses_what_is_not(
    tmp_path: Path,
) -> None:
    body = block("json").encode()

    async with running(block("python"), tmp_path) as (port, output):
        assert await send(port, body) == (VerdictKind.DELIVERED, 204)
        shown = await line(output)
        assert await send(port, body, OTHER_SECRET) == (VerdictKind.RETRY, 401)

    assert shown == ["batch.status_changed", "3c90c3cc0d444b5088888dd25736052a", "4"]


def test_every_type_of_event_is_listed() -> None:
    table = README[README.index("| type | when |") :]
    for kind in EventType:
        room, word = kind.split(".")
        assert f"`{kind}`" in table or f"`.{word}`" in table, room
