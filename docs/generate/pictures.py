"""The pictures of Slack messages, and of what a poll costs."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from docs.generate import chart
from docs.generate.block_kit import picture
from docs.generate.drawing import THEMES, Theme, place
from docs.generate.lives import told
from monitor.core.event import EventType
from monitor.sinks.slack_blocks import message

FIRST_SIGHT: Final = "slack-messages"
"""The picture that README begins with."""
_FIRST: Final = (
    EventType.COUNTS_CHANGED, EventType.STALLED, EventType.FAILED, EventType.COMPLETED,
)  # fmt: skip
_WIDTH: Final = 600.0
_FIRST_WIDTH: Final = 880.0
"""Of a column of text on the pages of most forges."""
COSTS: Final[dict[str, chart.Points]] = {
    "sqlite": [(1_000, 257), (10_000, 242), (100_000, 258)],
    "postgresql": [(1_000, 196), (10_000, 202), (100_000, 214)],
}
"""As `make bench` measured them."""


def name_of(event_type: EventType) -> str:
    """Return what the picture of a type is called."""
    return f"slack-{event_type.value.replace('.', '-').replace('_', '-')}"


def all_pictures() -> Iterator[tuple[Path, str]]:
    """Draw each picture in each theme."""
    for theme in THEMES:
        for event_type in EventType:
            title = f"The Slack message of {event_type}"
            drawn = picture([_sent(event_type)], title=title, width=_WIDTH, theme=theme)
            yield place(name_of(event_type), theme), drawn
        yield place(FIRST_SIGHT, theme), _draw_first_sight(theme)
        yield place("cost", theme), chart.draw(COSTS, theme)


def _draw_first_sight(theme: Theme) -> str:
    return picture(
        [_sent(event_type) for event_type in _FIRST],
        title="Slack messages of batches that run, stalled, failed and completed",
        width=_FIRST_WIDTH, columns=2, theme=theme,
    )  # fmt: skip


def _sent(event_type: EventType) -> tuple[dict[str, Any], datetime]:
    document = told()[event_type]
    return message(document), datetime.fromisoformat(document["time"])
