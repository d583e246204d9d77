"""Run a module with a planted bug: `python -m tests.planted NAME pytest ...`."""

import runpy
import sys

from tests.planted import all_bugs, plant


def main() -> None:
    """Plant the bug and run the module with the rest of the arguments."""
    name, module, *arguments = sys.argv[1:]
    plant(all_bugs()[name])
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
