"""The examples: one event of each type, those of the documentation, which `make docs` writes."""

import json
from pathlib import Path
from typing import Final

from monitor.core.event import Document

EXAMPLES: Final = Path(__file__).with_name("examples.json")


def example_of(event_type: str) -> Document:
    """Return the example of a type."""
    examples: dict[str, Document] = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    return examples[event_type]
