"""Options and arguments: what several commands share."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from monitor.core.batch import Outcome, Phase


class Output(StrEnum):
    """Say how a command prints."""

    TABLE = "table"
    JSON = "json"


ANY_END: Final = Phase.ENDED.value
ENDS: Final = (*(outcome.value for outcome in Outcome), ANY_END)
"""What a wait can be for."""


def one_of(*allowed: str) -> Callable[[str | None], str | None]:
    """Return the check that an option's value is one of the words allowed."""

    def check(value: str | None) -> str | None:
        if value is not None and value not in allowed:
            raise typer.BadParameter(f"{value!r} is not one of {', '.join(allowed)}")
        return value

    return check


def _check_limit(value: str | None) -> str | None:
    if value is not None and not (value.isascii() and value.isdecimal() and int(value[:18])):
        raise typer.BadParameter("must be a whole number from 1 on")
    return value


ConfigPath = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="PATH",
        help="The config file; else $MONITOR_CONFIG, ./config.toml, /etc/monitor/config.toml.",
    ),
]
_TO_JSON = typer.Option(
    "--output",
    "-o",
    metavar="table|json",
    show_default=False,
    callback=one_of(*Output),
    help="json: times in UTC; a list is one array with everything that matches.",
)
OutputOption = Annotated[str, _TO_JSON]
Limit = Annotated[
    str | None,
    typer.Option(
        "--limit",
        "-n",
        metavar="N",
        show_default=False,
        callback=_check_limit,
        help="At most N; else a table has the newest 100, json all.",
    ),
]
ShownLimit = Annotated[
    str | None,
    typer.Option(
        "--limit",
        "-n",
        metavar="N",
        show_default=False,
        callback=_check_limit,
        help="At most N snapshots and N events; else 10 of each.",
    ),
]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="DURATION", help="Only events of the last 30m, 2h, 7d …"),
]
MatcherArguments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[MATCHER…]",
        show_default=False,
        help="What must hold, all of it, such as 'phase = running'.",
    ),
]
SourceArgument = Annotated[
    str, typer.Argument(metavar="SOURCE", show_default=False, help="A source's name in the config.")
]
BatchArgument = Annotated[
    str, typer.Argument(metavar="ID", show_default=False, help="The provider's id of the batch.")
]
BatchArguments = Annotated[
    list[str],
    typer.Argument(
        metavar="ID…",
        show_default=False,
        help="The provider's ids of batches; - reads them from standard input, one a line.",
    ),
]
