"""The files that are generated as a whole: which function writes which."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from docs.generate.bodies import pretty
from docs.generate.lives import told
from docs.generate.regions import PAGES
from docs.generate.schema import write_schema
from monitor.facts.examples import EXAMPLES


def write_examples() -> str:
    """Write the examples that the program has with it."""
    return f"{pretty({event_type.value: document for event_type, document in told().items()})}\n"


FILES: Final[dict[Path, Callable[[], str]]] = {
    EXAMPLES: write_examples,
    PAGES / "events.schema.json": write_schema,
}
