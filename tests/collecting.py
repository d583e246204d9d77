"""Collection without a look for garbage: `-p tests.collecting`.

Some seven thousand tests and all that they import are kept until the end. To look through them
again and again while they are made costs a worker two seconds of CPU time, and more in each later
look: they are set aside once they are there.
"""

import gc

gc.disable()


def pytest_collection_finish() -> None:
    """Look for garbage from now on, among what the tests make."""
    gc.freeze()
    gc.enable()
