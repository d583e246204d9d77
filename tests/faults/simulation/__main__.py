"""Replay one seed: `python -m tests.faults.simulation SEED` prints its trace."""

import sys

from tests.faults.simulation.world import live

if __name__ == "__main__":
    verdict = live(int(sys.argv[1]))
    print("\n".join(verdict.trace))
    print(verdict)
