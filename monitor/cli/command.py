"""One command: how its usage, arguments and options are laid out, and how it runs."""

from collections.abc import Callable
from typing import Any, Final

import typer
from typer.core import TyperCommand

_EXIT_CODES: Final = "Exit codes:"
_USUAL_CODES: Final = " 0 done, 1 failed, 2 wrong usage."


def make_command(name: str, function: Callable[..., Any]) -> Any:
    """Make the command of a function, whose parameters say its arguments and options."""
    alone = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    alone.command(name, cls=Command)(function)
    return typer.main.get_command(alone)


class Command(TyperCommand):
    """One command, whose help has arguments as their metavars say, without types or defaults.

    What it says of exit codes stands at its end.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        help_, _, codes = str(settings.get("help") or "").partition(_EXIT_CODES)
        epilog = f"{_EXIT_CODES}{codes or _USUAL_CODES}"
        super().__init__(*arguments, **settings | {"help": help_, "epilog": epilog})
        parameters: list[Any] = self.params
        for parameter in parameters:
            parameter.show_default = False

    def invoke(self, ctx: Any) -> None:
        """Run the command, and to its end the coroutine that it may leave."""
        if (work := super().invoke(ctx)) is not None:
            import asyncio  # not for a help text

            ctx.invoke(asyncio.run, work)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Write arguments as the documentation does: `SOURCE ID…`."""
        return [self.options_metavar or "", *(_write(argument) for argument in self._arguments())]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then the options."""
        arguments = [(_write(argument), argument.help or "") for argument in self._arguments()]
        options = [
            record
            for option in self.get_params(ctx)
            if option.param_type_name != "argument"
            and (record := option.get_help_record(ctx)) is not None
        ]
        for title, rows in {"Arguments": arguments, "Options": options}.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def _arguments(self) -> list[Any]:
        return [parameter for parameter in self.params if parameter.param_type_name == "argument"]


def _write(argument: Any) -> str:
    return str(argument.metavar or argument.name)
