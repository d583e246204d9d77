"""What tests of the screen share with those of the command line: an environment of nobody's."""

from tests.cli.conftest import bare_environment

__all__ = ["bare_environment"]
