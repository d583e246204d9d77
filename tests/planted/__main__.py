"""Run pytest, or the monitor, with a planted bug: `python -m tests.planted NAME pytest ...`."""

import sys

from tests.planted import all_bugs, plant


def main() -> int:
    """Plant the bug and run the program with the rest of the arguments."""
    name, program, *arguments = sys.argv[1:]
    plant(all_bugs()[name])
    if program == "pytest":
        import pytest

        return int(pytest.main(arguments))
    sys.argv = [program, *arguments]
    from monitor.cli.main import main as monitor

    monitor()
    return 0


if __name__ == "__main__":
    sys.exit(main())
