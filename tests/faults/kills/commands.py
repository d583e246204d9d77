"""The command line in a process of its own: one writing command after the other."""

import sys
from collections.abc import Iterator

from monitor.cli.main import app


def commands(rounds: int, ids: list[str]) -> Iterator[list[str]]:
    """Yield the commands; at their end all batches are watched."""
    yield ["add", "bolna", *ids]
    for number in range(rounds):
        yield ["remove", "bolna", *ids]
        yield ["add", "bolna", *ids, "--label", f"round={number}"]
        yield ["redeliver", "1", "2", "3"]


def main() -> None:
    """Run them in one process, for that is quicker than others can start; end with 1 if one fails.

    `python -m tests.faults.kills.commands CONFIG ROUNDS ID…`
    """
    path, rounds, *ids = sys.argv[1:]
    statuses = [
        app([*command, "-c", path], standalone_mode=False) for command in commands(int(rounds), ids)
    ]
    sys.exit(int(any(statuses)))


if __name__ == "__main__":
    main()
