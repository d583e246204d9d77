"""Help: how the usage, arguments, options and commands are laid out; and the lazy commands."""

from collections.abc import Callable, Mapping
from functools import wraps
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup


class Command(TyperCommand):
    """One command, whose help has arguments as their metavars say, without types or defaults."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        parameters: list[Any] = self.params
        for parameter in parameters:
            parameter.show_default = False

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


class Commands(TyperGroup):
    """The commands in sections; each is imported when it is asked for, and no sooner.

    As click has it: https://click.palletsprojects.com/en/stable/complex/#lazily-loading-subcommands
    """

    sections: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    """By title: the commands' names, and the first line of each one's help."""
    package: ClassVar[str]
    """Whose modules have the commands' names, with `_` for `-`; each has a function `command`."""

    def __init__(self, **settings: Any) -> None:
        names = [name for section in self.sections.values() for name in section]
        super().__init__(**{**settings, "commands": dict.fromkeys(names)})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a command; none of another name."""
        if cmd_name not in self.commands:
            return None
        module = import_module(f"{self.package}.{cmd_name.replace('-', '_')}")
        alone = typer.Typer(
            add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
        )
        alone.command(cmd_name, cls=Command)(_run_to_its_end(module.command))
        return typer.main.get_command(alone)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each section's commands with the first line of their help, whole."""
        for title, commands in self.sections.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))


def _run_to_its_end(command: Callable[..., Any]) -> Callable[..., None]:
    """Return a command that also runs the coroutine it returns, if it does."""

    @wraps(command)
    def run(**arguments: Any) -> None:
        if (work := command(**arguments)) is not None:
            import asyncio  # not for a help text

            asyncio.run(work)

    return run


def _write(argument: Any) -> str:
    return str(argument.metavar or argument.name)
