"""Which of these tests are there: those that hold one time against another need a quiet machine."""

from tests.faults.figures import TIMED

collect_ignore = [] if TIMED else ["test_dead_receiver.py", "test_million.py"]
"""What else they prove, `tests/engine/delivering/` and `tests/storage/test_upkeep.py` prove."""
