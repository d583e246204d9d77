"""CPU time: what some work costs, whatever else the machine does."""

import sys
from collections.abc import Callable
from time import process_time


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return what some work costs this process; coverage, which makes it dear, looks away."""
    trace = sys.gettrace()
    sys.settrace(None)
    began = process_time()
    try:
        work()
        return process_time() - began
    finally:
        sys.settrace(trace)
