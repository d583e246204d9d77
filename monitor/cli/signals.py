"""What a signal does to a command that has not begun."""

import os


def leave(_number: int, _frame: object) -> None:
    """End with 0; daemon and demo take their signals themselves once they have begun.

    At once: to write the rest of an error could wait for ever for who reads it.
    """
    os._exit(0)
