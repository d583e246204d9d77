"""Options and arguments that several commands share, and how the config is read for one."""

from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from monitor.core.batch import Outcome, Phase
from monitor.core.errors import MonitorError

if TYPE_CHECKING:
    from monitor.config.schema import Config


class Output(StrEnum):
    """How a command prints."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"


Work = Coroutine[Any, Any, None]
"""What a command leaves to be run."""
ANY_END: Final = Phase.ENDED.value
RECIPES: Final = (
    *("anthropic", "bedrock", "bolna-campaigns", "cartesia", "elevenlabs", "gemini"),
    *("mistral", "openai", "sinch", "synthflow", "vapi", "vapi-v1"),
)
"""The names of the recipes: a help text looks at no files."""
ENDS: Final = (*(outcome.value for outcome in Outcome), ANY_END)
"""What a wait can be for."""


def load(path: Path | None) -> "Config":
    """Return the config in force; raise ConfigError. Nothing of it is imported for a help text."""
    from monitor.config.load import load as load_file

    return load_file(path)


def one_of(*allowed: str) -> dict[str, Any]:
    """Return the settings of an option whose value is one of the words allowed."""

    def check(value: str | None) -> str | None:
        if value is not None and value not in allowed:
            raise typer.BadParameter(f"{value!r} is not one of {', '.join(allowed)}")
        return value

    def complete(incomplete: str) -> list[str]:
        return [word for word in allowed if word.startswith(incomplete)]

    return {"callback": check, "autocompletion": complete}


def name_of(kind: Literal["sources", "receivers"]) -> dict[str, Any]:
    """Return the settings of what names a source or a receiver: a shell completes it."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        try:
            config = load(ctx.params.get("config"))
        except MonitorError:  # not while somebody types
            return []
        return [name for name in getattr(config, kind) if name.startswith(incomplete)]

    return {"autocompletion": complete}


def limit_option(help_: str, *, least: int = 1) -> Any:
    """Return the option that bounds how much is shown."""

    def parse(text: str) -> int:
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else -1
        if number < least:
            raise typer.BadParameter(f"must be a whole number from {least} on")
        return number

    return typer.Option("--limit", "-n", metavar="N", parser=parse, help=help_)


def duration_option(name: str, help_: str) -> Any:
    """Return an option that takes a duration."""
    return typer.Option(name, metavar="DURATION", parser=_read_duration, help=help_)


def _read_duration(text: object) -> timedelta:
    """Read a duration; anything else, or one longer than the calendar, is wrong usage."""
    from monitor.setting_types import parse_duration

    try:
        wanted = parse_duration(text)
        datetime.now(UTC) - wanted  # raises OverflowError
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(str(error)) from None
    return wanted


def _output(*ways: Output, help_: str) -> Any:
    return typer.Option("--output", "-o", metavar="|".join(ways), help=help_, **one_of(*ways))


ConfigPath = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="PATH",
        help="The config file; by default $MONITOR_CONFIG, ./config.toml or"
        " /etc/monitor/config.toml.",
    ),
]
ListOutput = Annotated[
    str,
    _output(
        *Output,
        help_="wide: all columns, with whole ids and texts, however long the lines; json: one array"
        " with everything that matches, its times in UTC.",
    ),
]
PageOutput = Annotated[
    str, _output(Output.TABLE, Output.JSON, help_="json: one document, its times in UTC.")
]
BodyOutput = Annotated[
    str,
    _output(
        Output.TABLE, Output.JSON, help_="json: the verified bodies as they came, one per line."
    ),
]
Limit = Annotated[
    int | None, limit_option("Show at most N; by default a table shows 100, json all.")
]
MatcherArguments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[MATCHER…]", help="Conditions that must all hold, such as 'phase = running'."
    ),
]
