"""CPU time: what some work costs, whatever else the machine does."""

from collections.abc import Callable
from time import process_time


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return what some work costs this process."""
    began = process_time()
    work()
    return process_time() - began
