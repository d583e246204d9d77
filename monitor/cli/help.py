"""Help: how the usage, arguments, options and commands are laid out."""

from collections.abc import Mapping
from typing import Any, ClassVar

from typer.core import TyperCommand, TyperGroup


class Command(TyperCommand):
    """Lay out one command's help: arguments as their metavars say, without types."""

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
    """Lay out the list of commands, in sections."""

    sections: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each section's commands with the first sentence of their help, whole."""
        for title, names in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([(name, _summary(self.commands[name])) for name in names])


def _write(argument: Any) -> str:
    return str(argument.metavar or argument.name)


def _summary(command: Any) -> str:
    return str(command.help or "").partition("\n")[0]
